"""Decide what an edition holds: from the waiting posts to an edition, or a sentence why there is none.

Every waiting post ends in exactly one place: used by the edition, carried to the next, or dropped
with a reason. Nothing here looks at the clock: ages are counted from the cutoff.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from digest.compose.discover import discover
from digest.compose.stories import Group, gather, newest_first, to_story, told_at
from digest.compose.topics import CATCH_ALL_RULE, Placed, Shelf, free_slug, place
from digest.model import Due, Edition, Section, Story, WaitingPost
from digest.publication import Digest, Feed, Lead, Site, Topic
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What an edition is to be: whose, for which day, by which rules."""

    digest: Digest
    site: Site
    due: Due
    topics: Sequence[Topic] = ()  # all that are configured, in the order of the file
    feeds: Sequence[Feed] = ()  # all that are configured; asked which topics claim their posts
    taken: Collection[str] = ()  # ids of editions there are already


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A post this digest has told already, and in which edition."""

    waiting: WaitingPost
    edition_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to become of every waiting post, by id; without an edition, `reason` is one sentence."""

    edition: Edition | None
    reason: str = ""
    used: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()  # (post id, why)


def plan(waiting: Iterable[WaitingPost], told: Sequence[Told], brief: Brief) -> Plan:
    """Return the edition that `waiting` make, and what becomes of each of them.

    Posts that tell what one of `told` told are dropped. The order of the arguments' items does not
    matter: the same posts make the same edition, byte for byte.
    """
    taken, left = _by_feed(waiting, brief)
    fresh, too_old = _by_age(taken, brief)
    groups, repeated = _by_novelty(fresh, told)
    dropped = tuple(sorted([*too_old, *repeated]))
    eligible = [*left, *(each for group in groups for each in group.posts)]
    if len(groups) < max(brief.digest.minimum, 1):
        reason = _why_not(len(groups), brief.digest.minimum, len(dropped))
        return Plan(edition=None, reason=reason, carried=_ids(eligible), dropped=dropped)
    shelves = _shelve(groups, brief)
    lead = _lead(shelves, brief.digest.lead)
    kept = _keep(shelves, lead, brief.digest.maximum)
    edition = _edition(_lead_story(shelves, lead), _sections(shelves, kept), brief)
    used = {post_id for story in edition.stories() for post_id in story.post_ids}
    carried = _ids(each for each in eligible if each.post.id not in used)
    return Plan(edition=edition, used=tuple(sorted(used)), carried=carried, dropped=dropped)


# ── which posts count ───────────────────────────────────────────────────────────────────────


def _by_feed(waiting: Iterable[WaitingPost], brief: Brief) -> tuple[list[WaitingPost], list[WaitingPost]]:
    """Return the posts of feeds this digest takes, and those of feeds it takes no more.

    The latter go on waiting: a feed that comes back into the configuration has lost nothing.
    """
    names = brief.digest.feeds or [feed.name for feed in brief.feeds]
    taken: list[WaitingPost] = []
    left: list[WaitingPost] = []
    for each in waiting:
        (taken if not names or each.feed_name in names else left).append(each)
    return taken, left


def _by_age(waiting: Iterable[WaitingPost], brief: Brief) -> tuple[list[WaitingPost], list[tuple[str, str]]]:
    limit = brief.digest.max_age
    fresh, too_old = [], []
    for each in waiting:
        age = brief.due.cutoff_at - told_at(each)
        if limit is not None and age > limit:
            told = "first seen" if each.post.published_at is None else "published"
            too_old.append((each.post.id, f"{told} {_span(age)} ago, the limit is {_span(limit)}"))
        else:
            fresh.append(each)
    return fresh, too_old


def _span(span: timedelta) -> str:
    """Return a span as people say it, rounded down: "9 days", "36 hours"."""
    hours = int(span.total_seconds()) // 3600
    return _count(hours // 24, "day") if hours >= 48 else _count(hours, "hour")


def _by_novelty(
    fresh: Iterable[WaitingPost], told: Sequence[Told]
) -> tuple[list[Group], list[tuple[str, str]]]:
    """Return the new stories, and the posts that repeat one of `told`."""
    editions = {each.waiting.post.id: each.edition_id for each in told}
    new, repeated = [], []
    for group in gather([*fresh, *(each.waiting for each in told)]):
        ids = [each.post.id for each in group.posts]
        if before := [editions[post_id] for post_id in ids if post_id in editions]:
            why = f"already told in {min(before)}"
            repeated += [(post_id, why) for post_id in ids if post_id not in editions]
        else:
            new.append(group)
    return new, repeated


def _why_not(stories: int, minimum: int, dropped: int) -> str:
    if stories:
        return f"{_count(stories, 'new story')}, this digest waits for {minimum}"
    if dropped:
        return f"nothing new: {_count(dropped, 'post')} too old or told before"
    return "nothing new"


def _count(number: int, noun: str) -> str:
    plural = {"new story": "new stories"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"


def _ids(waiting: Iterable[WaitingPost]) -> tuple[str, ...]:
    return tuple(sorted(each.post.id for each in waiting))


# ── what stands where ───────────────────────────────────────────────────────────────────────


def _shelve(groups: Sequence[Group], brief: Brief) -> tuple[Shelf, ...]:
    topics = [topic for topic in brief.topics if topic.slug in brief.digest.topics]
    if not topics:
        return discover(groups, catch_all=brief.digest.catch_all, room=brief.digest.maximum)
    return place(groups, topics, brief.feeds, catch_all=brief.digest.catch_all)


def _lead(shelves: Iterable[Shelf], rule: Lead) -> Group | None:
    """Return the story at the top, chosen before the maximum so that it is never cut."""
    stories = [placed for shelf in shelves for placed in shelf.placed]
    match rule:
        case Lead.NONE:
            return None
        case Lead.NEWEST:
            return min((placed.group for placed in stories), key=newest_first)
        case Lead.AUTO:
            return min(stories, key=_prominence).group


def _prominence(placed: Placed) -> tuple[int, bool, bool, tuple[float, str]]:
    """Sort by what makes a story the lead: told by most feeds, on a topic, with an image, the newest."""
    group = placed.group
    unclaimed = placed.rule == CATCH_ALL_RULE
    return -len(group.feeds), unclaimed, group.posts[0].post.image is None, newest_first(group)


def _keep(shelves: Iterable[Shelf], lead: Group | None, maximum: int) -> frozenset[str]:
    """Return which stories stay beside the lead, by id: the newest of each topic in turn.

    Topics take turns in their order, so each has its newest story in before any has a second one, and
    a busy topic is cut before a quiet one loses anything.
    """
    queues = [[one.group.id for one in shelf.placed if one.group != lead] for shelf in shelves]
    turns = sorted(
        (turn, number, story_id) for number, queue in enumerate(queues) for turn, story_id in enumerate(queue)
    )
    room = max(maximum, 1) - (lead is not None)
    return frozenset(story_id for _, _, story_id in turns[:room])


def _sections(shelves: Iterable[Shelf], kept: Collection[str]) -> Iterator[Section]:
    """Yield a section for each shelf of which something is kept."""
    for shelf in shelves:
        stories = tuple(
            to_story(placed.group, topic=shelf.slug, rule=placed.rule)
            for placed in shelf.placed
            if placed.group.id in kept
        )
        quota = len(stories) if shelf.quota is None else shelf.quota
        if stories:
            yield Section(slug=shelf.slug, title=shelf.title, stories=stories[:quota], more=stories[quota:])


def _lead_story(shelves: Iterable[Shelf], lead: Group | None) -> Story | None:
    """Return the lead as it stands on its shelf."""
    return next(
        (
            to_story(placed.group, topic=shelf.slug, rule=placed.rule)
            for shelf in shelves
            for placed in shelf.placed
            if placed.group == lead
        ),
        None,
    )


def edition_name(digest: Digest, due: Due, frequency: Frequency = Frequency.EACH) -> str:
    """Return the id of an edition if nobody has it: "daily-2026-11-22", "daily-weekly-2026-11-23"."""
    kind = "" if frequency is Frequency.EACH else f"-{frequency}"
    return f"{digest.slug}{kind}-{due.local_date.isoformat()}"


def empty_edition(digest: Digest, site: Site, due: Due) -> Edition:
    """Return an edition with all that its digest and site say, and no stories yet; its id may be taken."""
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
    )


def _edition(lead: Story | None, sections: Iterable[Section], brief: Brief) -> Edition:
    empty = empty_edition(brief.digest, brief.site, brief.due)
    return replace(empty, id=free_slug(empty.id, brief.taken), lead=lead, sections=tuple(sections))
