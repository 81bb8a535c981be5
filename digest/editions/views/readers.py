"""Count the readers of an edition by their choices of topics: what each gets, who gets nothing, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from digest.editions.parts import EditionParts
from digest.editions.preflight import settings_for
from digest.message.look import links_of
from digest.model.editions import Edition, EditionRecord
from digest.model.snapshot import choose, headings_of
from digest.render.preflight.email import encoded_size
from digest.storage.ledger.outcomes import count_reasons, kinds_of_addressed, kinds_of_readers
from subscribers.model import Choice, Format
from subscribers.store.mailable import mailable, unserved

_LISTED = 12  # choices with their sizes; each is rendered
_NAMED = 3  # topics in the name of a choice


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRow:
    """The readers who get the same email. Those of a choice without a story get none."""

    topics: str  # one of their choices, in its text form
    title: str
    readers: int
    stories: int = 0
    size: int = 0  # of the HTML in the message, in bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The readers of an edition, and those of its digest who get nothing."""

    rows: tuple[ChoiceRow, ...]  # the choices with a story, most readers first
    others: int  # readers of choices with a story that are not listed
    kinds: int  # how many such choices there are
    nothing: tuple[ChoiceRow, ...]  # choices without a story
    html: int
    text: int
    own_hour: int  # readers who get it at an hour of their own
    unserved: tuple[tuple[str, int], ...]  # readers who are not sent this edition at all, by the reason

    @property
    def served(self) -> int:
        """Return how many readers get the edition."""
        return self.html + self.text

    @property
    def without(self) -> int:
        """Return how many readers get nothing, because no story is in their topics."""
        return sum(row.readers for row in self.nothing)


def read_audience(parts: EditionParts, record: EditionRecord, now: datetime) -> Audience:
    """Count the readers that an edition would go to now, or was addressed to. Raises TemplateError."""
    slug = record.edition.digest
    offered = parts.offers().get(slug, frozenset())
    with parts.database.read() as connection:
        if record.started_at:
            found = kinds_of_addressed(connection, record.edition.id)
            missed: tuple[tuple[str, int], ...] = ()
        else:
            found = kinds_of_readers(connection, mailable(slug, now, record.frequency, offered))
            missed = count_reasons(connection, unserved(slug, now, record.frequency, offered))
    return _audience(parts, record, found, missed)


def choice_title(edition: Edition, choice: Choice, titles: Mapping[str, str]) -> str:
    """Return a choice of topics in words: "All topics", "All but Culture", "Harbour and Town hall"."""
    headings = (*edition.headings, *headings_of(edition))
    named = {**titles, **{each.choice: each.title for each in headings if each.title}}
    known = dict.fromkeys(each.choice for each in headings_of(edition))
    wanted = [slug for slug in known if choice.wants(slug)]
    missing = [slug for slug in known if not choice.wants(slug)]
    if not wanted:
        chosen = sorted(choice.include or choice.exclude)
        return (
            f"{'Only' if choice.include else 'All but'} {_listed([named.get(slug, slug) for slug in chosen])}"
        )
    if not missing:
        return "All topics"
    if len(missing) < len(wanted) and len(missing) <= _NAMED:
        return f"All but {_listed([named.get(slug, slug) for slug in missing])}"
    return _listed([named.get(slug, slug) for slug in wanted])


def _audience(
    parts: EditionParts,
    record: EditionRecord,
    found: Sequence[tuple[str, str, bool, int]],
    missed: tuple[tuple[str, int], ...],
) -> Audience:
    edition = record.edition
    slugs = tuple(dict.fromkeys(each.choice for each in headings_of(edition)))
    groups: dict[object, Counter[str]] = {}
    forms: Counter[str] = Counter()
    for variant, form, own_hour, count in found:
        choice = Choice.parse(variant)
        wanted = tuple(slug for slug in slugs if choice.wants(slug))
        # Those who get nothing are told apart by what they chose.
        groups.setdefault(wanted or variant, Counter())[variant] += count
        if wanted:
            forms[form] += count
            forms["own hour"] += count * own_hour
    rows = sorted(_rows(parts, edition, groups), key=lambda row: (-row.readers, row.title))
    served = [row for row in rows if row.stories]
    return Audience(
        rows=tuple(_with_sizes(parts, record, served[:_LISTED])),
        others=sum(row.readers for row in served[_LISTED:]),
        kinds=len(served[_LISTED:]),
        nothing=tuple(row for row in rows if not row.stories),
        html=forms[Format.HTML],
        text=forms[Format.TEXT],
        own_hour=forms["own hour"],
        unserved=missed,
    )


def _rows(
    parts: EditionParts, edition: Edition, groups: Mapping[object, Counter[str]]
) -> Iterator[ChoiceRow]:
    titles = {topic.slug: topic.title for topic in parts.config.topics}
    for variants in groups.values():
        topics = variants.most_common(1)[0][0]
        choice = Choice.parse(topics)
        chosen = choose(edition, choice)
        yield ChoiceRow(
            topics=topics,
            title=choice_title(edition, choice, titles),
            readers=variants.total(),
            stories=sum(1 for _ in chosen.stories()) if chosen else 0,
        )


def _with_sizes(parts: EditionParts, record: EditionRecord, rows: Sequence[ChoiceRow]) -> Iterator[ChoiceRow]:
    render = settings_for(parts, record).render
    links = links_of(record.edition)
    for row in rows:
        chosen = choose(record.edition, Choice.parse(row.topics))
        assert chosen
        size = encoded_size(render(chosen, links, "").html)
        yield ChoiceRow(
            topics=row.topics, title=row.title, readers=row.readers, stories=row.stories, size=size
        )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    if more > 1:
        return f"{', '.join(names[:_NAMED])} and {more} more"
    return " and ".join(", ".join(names).rsplit(", ", 1))
