"""A finding of the preflight: its rule, its severity, its place, and what somebody can do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from digest.model.editions import Edition


class Level(StrEnum):
    """The severity of a finding."""

    WARN = "warn"  # the email can be sent
    BLOCK = "block"  # the email must not be sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a fault is; empty values mean everywhere."""

    story: str = ""  # its id
    topic: str = ""  # its slug
    choice: str = ""  # the choice of topics, as `subscribers.model.Choice` writes it
    language: str = ""  # of the reader
    part: str = (
        ""  # "subject", "preheader", "HTML", "plain text", "introduction", "note", "sponsor", "picture"
    )

    def text(self, edition: Edition) -> str:
        """Return the place in words, such as "the note of “Low tide”, in 'de'"; empty if it is everywhere."""
        titles = {story.id: story.title for story in edition.stories()}
        topics = {heading.slug: heading.title for heading in edition.headings}
        topics |= {section.slug: section.title for section in edition.sections}
        named = f"“{titles.get(self.story) or self.story}”" if self.story else ""
        words = [
            " of ".join(filter(None, [f"the {self.part}" if self.part else "", named])),
            f"under {topics.get(self.topic) or self.topic}" if self.topic else "",
            f"for the choice {self.choice}" if self.choice else "",
            f"in {self.language!r}" if self.language else "",
        ]
        return ", ".join(filter(None, words))


class ActionKind(StrEnum):
    """The kind of edit that removes a fault; a button beside the finding makes it."""

    DROP = "drop"  # the story
    REWRITE = "rewrite"  # the story's headline or text
    PICTURE = "picture"  # take the story's picture away
    LEAD = "lead"  # choose another story
    NOTE = "note"  # change the note under the story
    INTRODUCTION = "introduction"
    SPONSOR = "sponsor"
    SUBJECT = "subject"
    PREHEADER = "preheader"
    REFRESH = "refresh"  # plan the edition again


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A change to the edition that removes a fault."""

    kind: ActionKind
    story: str = ""  # its id


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of an email, in one plain sentence; `fix` says what to do.

    Findings with one `cause` are one problem, although their sentences quote texts in several languages.
    """

    level: Level
    message: str
    rule: str = ""  # its name; see `digest.render.preflight.rules`
    place: Place = field(default_factory=Place)
    fix: str = ""
    actions: tuple[Action, ...] = ()
    cause: str = ""  # empty: its message

    @property
    def problem(self) -> tuple[str, str]:
        """Return its rule and its cause; they are the same in every language."""
        return self.rule, self.cause or self.message

    def because(self, cause: str) -> Finding:
        """Return the finding with its cause."""
        return replace(self, cause=cause)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with the blocking ones first, and each only once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: finding.level is Level.WARN))


def gathered(findings: Iterable[Finding], languages: Sequence[str]) -> tuple[Finding, ...]:
    """Return findings, the worst first, as one where they differ only in language or choice of topics.

    The place names a language only if the fault is not in all `languages`, and a choice only if the fault is
    not in the email with all topics.
    """
    groups: dict[Finding, list[Finding]] = {}
    for finding in findings:
        bare = replace(finding.place, choice="", language="")
        problem = replace(finding, place=bare, message=finding.cause or finding.message)
        groups.setdefault(problem, []).append(finding)
    return worst_first(
        replace(same[0], place=_joined(problem.place, [each.place for each in same], languages))
        for problem, same in groups.items()
    )


def _joined(bare: Place, places: Sequence[Place], languages: Sequence[str]) -> Place:
    spoken = {place.language for place in places}
    everywhere = "" in spoken or spoken >= set(languages)
    choices = [place.choice for place in places]
    return replace(
        bare,
        language="" if everywhere else ", ".join(sorted(spoken)),
        choice="" if "" in choices else choices[0],
    )
