"""Check the stories and links of an edition, before they are rendered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import chain

from digest.model.editions import Edition, Every, Story
from digest.model.links import LinkAnswer, canonical_url, web_url
from digest.model.snapshot import choose, headings_of
from digest.model.tags import fold
from digest.render.levels import Level as Shown
from digest.render.levels import levels_of
from digest.render.preflight.email import is_unseen
from digest.render.preflight.findings import Action, ActionKind, Finding, Level, Place
from digest.render.preflight.known import Known
from digest.render.preflight.readable import names_a_file
from digest.render.preflight.rules import found
from digest.render.writing.markdown import marked_links, refused_links
from subscribers.model import Choice

_SHARE = 0.6  # of the stories may come from one feed
_ENOUGH = 5  # stories; of fewer, most come from one feed by chance
_SPAM_SCORE = 1.0  # points of SpamAssassin; mail servers refuse at 5, and a good digest has less than 0
_FRESH = {Every.WEEKDAY: 3, Every.WEEK: 7, Every.MONTH: 31}  # days between two editions

Link = tuple[str, Place, tuple[Action, ...]]  # an address as it is written


def wrong_with(edition: Edition, known: Known) -> Iterator[Finding]:
    """Yield what is wrong with the stories and links of an edition."""
    stories = tuple(edition.stories())
    if not stories:
        yield found("no_story", "The edition has no story.", None, Action(kind=ActionKind.REFRESH))
    else:
        yield from _empty(edition, known)
    for story in stories:
        if not story.title.strip():
            said = f"A story of {story.source} has no headline."
            yield found("headline_empty", said, Place(story=story.id), *_changes(story))
    yield from _repeated(stories)
    yield from _one_feed(stories, known.feeds)
    yield from _old_lead(edition)
    yield from _links(edition, known.links)
    yield from _pictures(edition, known)
    yield from _spam(known)


def _changes(story: Story) -> tuple[Action, ...]:
    return Action(kind=ActionKind.REWRITE, story=story.id), Action(kind=ActionKind.DROP, story=story.id)


def _repeated(stories: tuple[Story, ...]) -> Iterator[Finding]:
    """Find stories that are in the edition twice: by their id, address or headline."""
    seen: dict[str, Story] = {}
    for story in stories:
        url = web_url(story.url)
        keys = [
            f"title {fold(story.title)}" if story.title.strip() else "",
            f"url {canonical_url(url)}" if url else "",
        ]
        keys = [f"id {story.id}", *filter(None, keys)]
        if other := next((seen[key] for key in keys if key in seen), None):
            same = "headline" if fold(other.title) == fold(story.title) else "link"
            said = (
                f"“{story.title}” ({story.source}) has the same {same} as “{other.title}” ({other.source})."
            )
            yield found("story_repeated", said, Place(story=story.id), *reversed(_changes(story)))
        for key in keys:
            seen.setdefault(key, story)


def _one_feed(stories: tuple[Story, ...], feeds: int) -> Iterator[Finding]:
    """Find a feed that crowds out the others; a digest of one feed cannot be otherwise."""
    sources = Counter(story.source for story in stories)
    if len(stories) < _ENOUGH or max(feeds, len(sources)) < 2:
        return
    source, count = sources.most_common(1)[0]
    if count > _SHARE * len(stories):
        share = 100 * count // len(stories)
        last = [story for story in stories if story.source == source][-1]
        said = f"{count} of the {len(stories)} stories, {share} %, come from {source}."
        yield found("one_feed", said, Place(story=last.id), Action(kind=ActionKind.DROP, story=last.id))


def _old_lead(edition: Edition) -> Iterator[Finding]:
    lead = edition.lead
    if lead is None or lead.published_at is None:
        return
    age, most = edition.cutoff_at - lead.published_at, _FRESH.get(edition.every or Every.DAY, 1)
    if age > timedelta(days=most):
        days = f"{age.days} days" if age.days > 1 else "a day"
        said = f"The lead, “{lead.title}”, was published more than {days} before the cutoff."
        yield found(
            "lead_old",
            said,
            Place(story=lead.id),
            Action(kind=ActionKind.LEAD),
            Action(kind=ActionKind.DROP, story=lead.id),
        )


def _empty(edition: Edition, known: Known) -> Iterator[Finding]:
    """Find headings over nothing, and topics whose readers would get no email."""
    for section in edition.sections:
        if not section.stories and not section.more:
            said = f"The section “{section.title}” has no story."
            yield found("empty_section", said, Place(topic=section.slug), Action(kind=ActionKind.REFRESH))
        elif not section.title.strip():
            yield found("empty_section", "A section has no title.", Place(topic=section.slug))
    alone = {section.slug for section in edition.sections if not section.stories and not section.more}
    filled = {heading.choice for heading in headings_of(edition)} | alone
    empty = {heading.choice: heading.title for heading in edition.headings if heading.choice not in filled}
    for slug, title in empty.items():
        count = _without_a_story(edition, known, slug)
        if count or not known.readers:
            readers = f"{count:,} reader{'' if count == 1 else 's'}" if count else "readers"
            said = f"“{title}” has no story, so {readers} who chose no other topic would get no email."
            yield found("empty_choice", said, Place(choice=slug), Action(kind=ActionKind.REFRESH))


def _without_a_story(edition: Edition, known: Known, slug: str) -> int:
    """Count the readers whose choice has a topic and who would get nothing."""
    choices = {text: count for text, count in known.readers.items() if slug in Choice.parse(text).include}
    return sum(count for text, count in choices.items() if choose(edition, Choice.parse(text)) is None)


# ── links and pictures ──────────────────────────────────────────────────────────────────────


def links_of(edition: Edition) -> Iterator[Link]:
    """Yield every link that an edition brings into its emails, as it is written there."""
    for story in edition.stories():
        place, actions = Place(story=story.id), (Action(kind=ActionKind.DROP, story=story.id),)
        urls = [story.url, *(each.url for each in story.also), *(each.url for each in story.coverage)]
        urls += [story.via.url] if story.via else []
        yield from ((url, place, actions) for url in urls if url)
        note = Place(story=story.id, part="note"), (Action(kind=ActionKind.NOTE, story=story.id),)
        yield from ((url, *note) for url in marked_links(story.note))
    written = Place(part="introduction"), (Action(kind=ActionKind.INTRODUCTION),)
    yield from ((url, *written) for url in marked_links(edition.introduction))
    brand = edition.site.brand
    own = [*(each.url for each in brand.links), brand.privacy_url, brand.imprint_url]
    yield from ((url, Place(part="foot"), ()) for url in own if url)
    if sponsor := edition.sponsor:
        bought = Place(part="sponsor"), (Action(kind=ActionKind.SPONSOR),)
        yield from ((url, *bought) for url in (sponsor.url, *marked_links(sponsor.text)))


def pictures_of(edition: Edition) -> Iterator[tuple[str, Story]]:
    """Yield the address of the picture of each story that has one."""
    yield from ((story.image.url, story) for story in edition.stories() if story.image)


def _links(edition: Edition, answers: Mapping[str, LinkAnswer]) -> Iterator[Finding]:
    told: set[tuple[str, Place]] = set()
    for url, place, actions in chain(links_of(edition), _refused(edition)):
        if (url, place) in told or url.startswith("mailto:"):
            continue
        told.add((url, place))
        answer = answers.get(url)
        if web_url(url) is None:
            said = f"Link {url[:80]!r}: it is not an absolute http(s) address, so readers get no link."
            yield found("link_address", said, place, *actions)
        elif answer and answer.problem:
            yield found("link_dead", f"Link {url[:80]}: {answer.problem}.", place, *actions)
        elif answer and answer.leads_to and canonical_url(answer.leads_to) != canonical_url(url):
            said = f"Link {url[:80]} redirects to {answer.leads_to[:80]}."
            yield found("link_redirects", said, place, *actions)


def _refused(edition: Edition) -> Iterator[Link]:
    """Yield the links that Markdown does not show as links."""
    texts = [(edition.introduction, Place(part="introduction"), Action(kind=ActionKind.INTRODUCTION))]
    if edition.sponsor:
        texts.append((edition.sponsor.text, Place(part="sponsor"), Action(kind=ActionKind.SPONSOR)))
    for story in edition.stories():
        action = Action(kind=ActionKind.NOTE, story=story.id)
        texts.append((story.note, Place(story=story.id, part="note"), action))
    for text, place, action in texts:
        yield from ((url, place, (action,)) for url in refused_links(text))


def _pictures(edition: Edition, known: Known) -> Iterator[Finding]:
    shown_wide = _wide(edition)
    for url, story in pictures_of(edition):
        place, action = Place(story=story.id, part="picture"), Action(kind=ActionKind.PICTURE, story=story.id)
        answer = known.links.get(url)
        if url in known.lost:
            yield found(
                "picture_broken", f"The picture of “{story.title}” is not kept any more.", place, action
            )
        elif answer and answer.problem:
            said = f"The picture of “{story.title}” cannot be shown: {answer.problem}."
            yield found("picture_broken", said, place, action)
        if story.id in shown_wide or not story.url:
            yield from _alt(story)
        if web_url(url) is None:
            said = f"Picture {url[:80]!r}: it is not an absolute http(s) address, so it is not shown."
            yield found("picture_address", said, place, action, level=Level.WARN)
        elif is_unseen(url):
            said = f"Many mail programs do not show the format of the picture of “{story.title}”: {url[:80]}"
            yield found("picture_format", said, place, action)


def _alt(story: Story) -> Iterator[Finding]:
    """Find a picture that is read aloud, and whose alt text says nothing."""
    place, action = Place(story=story.id, part="picture"), Action(kind=ActionKind.PICTURE, story=story.id)
    alt = story.image.alt.strip() if story.image else ""
    if not alt:
        said = f"The picture of “{story.title}” has no alt text, because its feed gives none."
        yield found("alt", said, place, action)
    elif names_a_file(alt):
        said = f"The alt text of the picture of “{story.title}” is no description: {alt[:80]}"
        yield found("alt", said, place, action)


def _spam(known: Known) -> Iterator[Finding]:
    report = known.spam
    if report and report.score >= _SPAM_SCORE:
        rules = ", ".join(f"{name} {points:+.1f}" for name, points in report.rules if points > 0)
        least = f"a good one has less than {_SPAM_SCORE:.0f}"
        said = f"SpamAssassin gives the email {report.score:.1f} points, and {least}"
        yield found("spam", f"{said}{f': {rules}' if rules else ''}.")


def _wide(edition: Edition) -> frozenset[str]:
    """Return the stories whose pictures have alt texts; a small one beside its headline is decoration."""
    lead = {edition.lead.id} if edition.lead else set()
    pairs = zip(edition.sections, levels_of(edition), strict=False)
    shown = (zip((*section.stories, *section.more), levels, strict=False) for section, levels in pairs)
    return frozenset(lead | {story.id for pair in shown for story, level in pair if level is Shown.FEATURE})
