"""Plan an edition: from the waiting posts to an edition, or a sentence that says why there is none.

Every waiting post is used by the edition, carried over to the next edition, or dropped with a reason. No code
here looks at the clock: ages are counted from the cutoff.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from itertools import islice

from digest.compose.discover import Newsroom, discover
from digest.compose.sections.headings import Past
from digest.compose.stories.covered import cover
from digest.compose.stories.group import Group, dated_at, is_paid_for, led_by, newest_first, to_story
from digest.compose.stories.same import gather
from digest.compose.topics import Placed, TopicGroup, coloured, free_slug, place
from digest.model.editions import Due, Edition, Heading, Section, Story
from digest.model.posts import DESK, PublishedPost, WaitingPost
from digest.model.publication import CATCH_ALL_RULE, Digest, Feed, Lead, Site, Topic
from digest.schedule.cadence import Cadence
from subscribers.model import Frequency

_RECENT = timedelta(days=7)  # posts that show how rare a word is
WIDELY = 3  # feeds; a story that so many cover is in the edition before the topics take turns
SHARE = Fraction(2, 3)  # of the maximum of a digest: one feed gets no more places in an edition


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInput:
    """The input for one edition: its digest, its day, and the rules."""

    digest: Digest
    site: Site
    due: Due
    topics: Sequence[Topic] = ()  # all configured topics, in the order of the file
    feeds: Sequence[Feed] = ()  # all configured feeds, which may name topics for their posts
    taken: Collection[str] = ()  # ids of existing editions
    number: int = 0  # of the edition; 0: unknown
    leaders: Collection[str] = ()  # the ids of the stories of an edition that is planned again
    past: Past = field(default_factory=lambda: Past(tags={}))  # for topics that are found


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An edition, or a `reason` why there is none, and the ids of the posts by what happens to them."""

    edition: Edition | None
    reason: str = ""
    used: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()  # (post id, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The new stories of a digest, and the posts that are no part of them."""

    groups: tuple[Group, ...]
    left: tuple[WaitingPost, ...] = ()  # of feeds that the digest does not use any more
    dropped: tuple[tuple[str, str], ...] = ()  # (post id, reason)


def plan(waiting: Iterable[WaitingPost], published: Sequence[PublishedPost], plan_input: PlanInput) -> Plan:
    """Return the edition that the `waiting` posts make, and what happens to each of them.

    Posts that repeat one of the `published` posts are dropped. The order of the posts does not matter: the
    same posts give the same edition, byte for byte.
    """
    return arrange(join(waiting, published, plan_input), plan_input)


def join(waiting: Iterable[WaitingPost], published: Sequence[PublishedPost], plan_input: PlanInput) -> Joined:
    """Return the stories that the `waiting` posts make; an edition of any size is made of these."""
    taken, left = _by_feed(waiting, plan_input)
    fresh, too_old = _by_age(taken, plan_input)
    new, repeated = _by_novelty(fresh, published)
    covered = cover(new, _recent(published, plan_input), plan_input.site.language)
    groups = sorted((led_by(each, plan_input.leaders) for each in covered), key=newest_first)
    return Joined(groups=tuple(groups), left=tuple(left), dropped=tuple(sorted([*too_old, *repeated])))


def arrange(joined: Joined, plan_input: PlanInput) -> Plan:
    """Return the edition that the stories make, and what happens to each post."""
    groups, dropped = joined.groups, joined.dropped
    eligible = [*joined.left, *(each for group in groups for each in group.every)]
    if len(groups) < max(plan_input.digest.minimum, 1):
        reason = _why_not(len(groups), plan_input.digest.minimum, len(dropped))
        return Plan(edition=None, reason=reason, carried=_ids(eligible), dropped=dropped)
    topic_groups = _by_topic(groups, plan_input)
    lead = _lead(topic_groups, plan_input.digest.lead)
    kept = _keep(topic_groups, lead, plan_input.digest.maximum)
    edition = _edition(_lead_story(topic_groups, lead), _sections(topic_groups, kept), plan_input)
    edition = replace(edition, headings=_headings(topic_groups, plan_input))
    edition = coloured(edition, plan_input.topics)
    used = {post_id for story in edition.stories() for post_id in story.post_ids}
    carried = _ids(each for each in eligible if each.post.id not in used)
    return Plan(edition=edition, used=tuple(sorted(used)), carried=carried, dropped=dropped)


# ── which posts count ───────────────────────────────────────────────────────────────────────


def _by_feed(
    waiting: Iterable[WaitingPost], plan_input: PlanInput
) -> tuple[list[WaitingPost], list[WaitingPost]]:
    """Return the posts of the digest's feeds and desk, and those of feeds that it does not use any more.

    The second go on waiting, so that nothing is lost if the feed comes back into the configuration.
    """
    names = plan_input.digest.feeds or [feed.name for feed in plan_input.feeds]
    taken: list[WaitingPost] = []
    left: list[WaitingPost] = []
    for each in waiting:
        is_taken = not names or each.feed_name in names or each.post.feed_id == DESK
        (taken if is_taken else left).append(each)
    return taken, left


def _by_age(
    waiting: Iterable[WaitingPost], plan_input: PlanInput
) -> tuple[list[WaitingPost], list[tuple[str, str]]]:
    limit = plan_input.digest.max_age
    fresh, too_old = [], []
    for each in waiting:
        age = plan_input.due.cutoff_at - dated_at(each)
        if limit is not None and age > limit:
            what = "first seen" if each.post.published_at is None else "published"
            too_old.append((each.post.id, f"it was {what} {_span(age)} ago, and the limit is {_span(limit)}"))
        else:
            fresh.append(each)
    return fresh, too_old


def _span(span: timedelta) -> str:
    """Return a time span in words, rounded down: "9 days", "36 hours"."""
    hours = int(span.total_seconds()) // 3600
    return _count(hours // 24, "day") if hours >= 48 else _count(hours, "hour")


def _by_novelty(
    fresh: Iterable[WaitingPost], published: Sequence[PublishedPost]
) -> tuple[list[Group], list[tuple[str, str]]]:
    """Return the new stories, and the posts that repeat one of the `published` posts."""
    reasons = {each.waiting.post.id: _repeats(each) for each in published}
    new, repeated = [], []
    for group in gather([*fresh, *(each.waiting for each in published)]):
        ids = [each.post.id for each in group.posts]
        if before := [reasons[post_id] for post_id in ids if post_id in reasons]:
            repeated += [(post_id, min(before)) for post_id in ids if post_id not in reasons]
        else:
            new.append(group)
    return new, repeated


def _repeats(published: PublishedPost) -> str:
    if published.reason:
        return f"it repeats a post that was {published.reason}, out of {published.edition_id}"
    return f"already published in {published.edition_id}"


def _recent(published: Iterable[PublishedPost], plan_input: PlanInput) -> list[WaitingPost]:
    """Return the published posts of the last days; some are older and only have the link of a new post."""
    since = plan_input.due.cutoff_at - _RECENT
    return [each.waiting for each in published if dated_at(each.waiting) >= since]


def _why_not(stories: int, minimum: int, dropped: int) -> str:
    if stories:
        found = "there is 1 new story" if stories == 1 else f"there are {stories} new stories"
        return f"{found}, and this digest needs at least {minimum}"
    if dropped:
        verb = "is" if dropped == 1 else "are"
        return f"there are no new posts: {_count(dropped, 'post')} {verb} too old or already published"
    return "there are no new posts"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _ids(waiting: Iterable[WaitingPost]) -> tuple[str, ...]:
    return tuple(sorted(each.post.id for each in waiting))


# ── lead and sections ───────────────────────────────────────────────────────────────────────


def _by_topic(groups: Sequence[Group], plan_input: PlanInput) -> tuple[TopicGroup, ...]:
    topics = _topics(plan_input)
    if not topics:
        return discover(groups, _newsroom(plan_input))
    return place(
        groups,
        topics,
        plan_input.feeds,
        catch_all=plan_input.digest.catch_all,
        language=plan_input.site.language,
    )


def _newsroom(plan_input: PlanInput) -> Newsroom:
    return Newsroom(
        site=plan_input.site,
        catch_all=plan_input.digest.catch_all,
        feeds=plan_input.feeds,
        topics=plan_input.topics,
        past=plan_input.past,
        several=len(plan_input.digest.feeds or plan_input.feeds) > 1,
    )


def _topics(plan_input: PlanInput) -> list[Topic]:
    """Return the topics that the digest lists, in the order in which they are shown."""
    listed = [topic for topic in plan_input.topics if topic.slug in plan_input.digest.topics]
    return sorted(listed, key=lambda topic: topic.order)


def _lead(topic_groups: Iterable[TopicGroup], rule: Lead) -> Group | None:
    """Return the story at the top; it is chosen before the maximum is applied, so that it is never cut."""
    stories = [placed for topic_group in topic_groups for placed in topic_group.placed]
    match rule:
        case Lead.NONE:
            return None
        case Lead.NEWEST:
            return min((placed.group for placed in stories), key=newest_first)
        case Lead.AUTO:
            return min(stories, key=_prominence).group


def _prominence(placed: Placed) -> tuple[bool, int, bool, bool, tuple[float, str]]:
    """Return the sort key for the lead: unpaid, by most feeds, under a topic, with an image, the newest."""
    group, shown = placed.group, placed.group.posts[0].post
    unclaimed = placed.rule == CATCH_ALL_RULE
    return is_paid_for(shown), -len(group.feeds), unclaimed, shown.image is None, newest_first(group)


def _keep(topic_groups: Iterable[TopicGroup], lead: Group | None, maximum: int) -> frozenset[str]:
    """Return the ids of the stories that stay beside the lead: the newest of each topic in turn.

    Stories that three feeds or more cover come first, those of most feeds before the others. Then the topics
    take turns, so that each gets its newest story in before any topic gets a second one. A busy topic is cut
    before a quiet topic loses anything, and so is a feed that has more than its share.
    """
    queues = [[one.group for one in topic_group.placed if one.group != lead] for topic_group in topic_groups]
    turns = sorted(
        (
            (-_widely(group), turn, number, group)
            for number, queue in enumerate(queues)
            for turn, group in enumerate(queue)
        ),
        key=lambda each: each[:3],
    )
    room = max(maximum, 1) - (lead is not None)
    kept = _within_share([group for *_, group in turns], lead, maximum)
    return frozenset(group.id for group in islice(kept, room))


def _widely(group: Group) -> int:
    """Return the number of feeds that cover a story, or 0 if they are few."""
    return len(group.feeds) if len(group.feeds) >= WIDELY else 0


def _within_share(groups: Sequence[Group], lead: Group | None, maximum: int) -> Iterator[Group]:
    """Yield the stories without those of feeds that have had their share, unless all come from one feed."""
    feeds = Counter(group.feeds[0] for group in (*groups, *([lead] if lead else [])))
    most = max(1, int(maximum * SHARE)) if len(feeds) > 1 else feeds.total()
    taken = Counter([lead.feeds[0]] if lead else [])
    for group in groups:
        if taken[group.feeds[0]] < most or _widely(group):
            taken[group.feeds[0]] += 1
            yield group


def _sections(topic_groups: Iterable[TopicGroup], kept: Collection[str]) -> Iterator[Section]:
    """Yield a section for each topic group of which a story is kept."""
    for topic_group in topic_groups:
        stories = tuple(
            to_story(placed.group, topic=topic_group.slug, rule=placed.rule, claims=placed.claims)
            for placed in topic_group.placed
            if placed.group.id in kept
        )
        quota = len(stories) if topic_group.quota is None else topic_group.quota
        if stories:
            yield Section(
                slug=topic_group.slug, title=topic_group.title, stories=stories[:quota], more=stories[quota:]
            )


def _headings(topic_groups: Iterable[TopicGroup], plan_input: PlanInput) -> tuple[Heading, ...]:
    """Return all topics that may claim a story, also those under which no story stands."""
    configured = [Heading(slug=each.slug, title=each.title, quota=each.quota) for each in _topics(plan_input)]
    shown = [heading for each in topic_groups for heading in each.headings]
    return tuple({heading.slug: heading for heading in (*configured, *shown)}.values())


def _lead_story(topic_groups: Iterable[TopicGroup], lead: Group | None) -> Story | None:
    """Return the lead as a story of its topic group."""
    return next(
        (
            to_story(placed.group, topic=topic_group.slug, rule=placed.rule, claims=placed.claims)
            for topic_group in topic_groups
            for placed in topic_group.placed
            if placed.group == lead
        ),
        None,
    )


def edition_name(digest: Digest, due: Due, frequency: Frequency = Frequency.EACH) -> str:
    """Return the id of an edition if it is free: "daily-2026-11-22", "daily-weekly-2026-11-23"."""
    # Operators type and read the ids of editions, so an id is made of words and a date.
    kind = "" if frequency is Frequency.EACH else f"-{frequency}"
    return f"{digest.slug}{kind}-{due.local_date.isoformat()}"


def empty_edition(digest: Digest, site: Site, due: Due) -> Edition:
    """Return an edition without stories, with the values of its digest and site; its id may be taken."""
    cadence = Cadence(digest=digest)
    return Edition(
        id=edition_name(digest, due),
        digest=digest.slug,
        title=digest.title,
        local_date=due.local_date,
        zone=digest.zone,
        language=site.language,
        cutoff_at=due.cutoff_at,
        send_at=due.send_at,
        site=site,
        sender=digest.sender,
        reply_to=digest.reply_to,
        subject_template=digest.subject,
        preheader_template=digest.preheader,
        lead=None,
        sections=(),
        style=digest.style,
        next_at=next(cadence.coming(due.send_at)).send_at,
        every=cadence.every,
        introduction=digest.introduction,
        signed=digest.signed,
        sponsor=digest.sponsor,
    )


def _edition(lead: Story | None, sections: Iterable[Section], plan_input: PlanInput) -> Edition:
    empty = empty_edition(plan_input.digest, plan_input.site, plan_input.due)
    name, number = free_slug(empty.id, plan_input.taken), plan_input.number
    return replace(empty, id=name, number=number, lead=lead, sections=tuple(sections))
