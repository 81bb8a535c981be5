"""Check editions before they are sent: mail programs must show them completely and correctly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache

from digest.config.parts import Parts
from digest.editions.checks.known import known_about
from digest.editions.checks.links import check_links, urls_in
from digest.editions.checks.spam import spam_answers, spam_report
from digest.editions.parts import EditionParts, RenderEdition
from digest.message.build import MessageBuilder, MessageSettings, Render
from digest.message.look import (
    UNSUBSCRIBE,
    Look,
    approved_look,
    languages_of,
    links_of,
    look_at,
    look_to_render,
    remembering_renderer_of,
)
from digest.model.deliveries import Recipient
from digest.model.editions import Edition, EditionRecord
from digest.model.errors import PreflightError
from digest.model.messages import Email
from digest.model.run_context import RunContext
from digest.model.snapshot import choose, headings_of
from digest.render.preflight.email import (
    BLOCK_SIZE,
    WARN_SIZE,
    encoded_size,
    problems,
    size_of,
    without_foot,
)
from digest.render.preflight.findings import Finding, Level, Place, gathered
from digest.render.preflight.known import Known
from digest.render.preflight.readable import wrong_language
from digest.render.preflight.stories import wrong_with
from digest.render.preflight.subject import shown_lines
from digest.render.preflight.texts import wrong_around, wrong_in
from digest.render.reading.footer import Footer
from digest.render.reading.page import Page
from digest.render.templates import MAIL_HTML, MAIL_TEXT, Templates
from digest.storage.editions.due import open_before
from digest.storage.intake.links import known_score, save_score
from subscribers.model import Choice, Format

_ANYBODY = Recipient(0, "reader@example.org", "", Format.HTML)
_AHEAD = timedelta(days=1)  # editions that are sent later are not looked at yet
_TOPICS = 100  # more than any edition shows
_LEFT_OUT = 12  # topics; of more, no email without one of them is looked at
_CHOICES = 30  # of readers: those that most of them have


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The encoded size of the HTML that readers with one choice of topics get, in the longest language."""

    choice: str  # as `subscribers.model.Choice` writes it; empty: all topics
    bytes: int
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The look of an edition as it is now, and what is wrong with its emails, in any language.

    `off` are the rules that were turned off, each with the reason.
    """

    edition_id: str
    look: Look
    findings: tuple[Finding, ...]
    sizes: tuple[Size, ...] = ()
    off: Mapping[str, str] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Return the hash of all that an approval would cover."""
        return self.look.kept().hash

    @property
    def blocks(self) -> bool:
        """Tell whether the edition can neither be approved nor sent."""
        return any(finding.level is Level.BLOCK for finding in self.findings)

    @property
    def summary(self) -> str:
        """Return the outcome in words, such as "ready to send, with two warnings"."""
        errors = sum(finding.level is Level.BLOCK for finding in self.findings)
        warnings = len(self.findings) - errors
        said = f"{_counted(warnings, 'warning')}" if warnings else ""
        if errors:
            and_warnings = f" and {said}" if said else ""
            return f"cannot be sent as it is: {_counted(errors, 'error')}{and_warnings}"
        return f"ready to send, with {said}" if said else "ready to send"

    def require(self) -> None:
        """Raise PreflightError if a finding blocks the emails."""
        reasons = tuple(finding.message for finding in self.findings if finding.level is Level.BLOCK)
        if reasons:
            raise PreflightError(self.edition_id, reasons)


def inspect(
    templates: Templates, record: EditionRecord, known: Known | None = None, *, lines: bool = True
) -> Inspection:
    """Render an edition in every language and check it; raises TemplateError.

    The email with all topics is checked completely. The emails of other choices of topics are checked for
    their size and for what no email may lack, because a template may show its foot to some readers only.
    Without `lines`, nothing is said about the stories, the subject and the preheader.
    """
    known = known or Known()
    look, emails = look_at(templates, record)
    edition, languages = record.edition, tuple(emails)
    footer = Footer(UNSUBSCRIBE, edition.site.postal_address)
    found = [
        replace(finding, place=replace(finding.place, language=language))
        # The findings in several languages quote the text in the edition's own.
        for language, email in sorted(emails.items(), key=lambda pair: pair[0] != edition.language)
        for finding in _of_email(email, language, edition, footer)
    ]
    measured = [
        Size(choice="", bytes=encoded_size(email.html), language=language)
        for language, email in emails.items()
    ]
    for choice, language, email in _of_choices(
        edition, remembering_renderer_of(templates, look), languages, known
    ):
        found += [replace(each, place=Place(choice=choice)) for each in without_foot(email, footer)]
        measured.append(Size(choice=choice, bytes=encoded_size(email.html), language=language))
    found += _too_large(measured, known.languages | {edition.language})
    if lines:
        found += [*wrong_with(edition, known), *wrong_in(edition)]
        found += shown_lines(emails[edition.language], edition, known.last_subject)
    return Inspection(
        edition_id=edition.id,
        look=look,
        findings=gathered((each for each in found if each.rule not in known.off), languages),
        sizes=tuple(_largest(measured)),
        off=known.off,
    )


def inspection_of(parts: Parts, record: EditionRecord, now: datetime) -> Inspection:
    """Inspect an edition with all that the database knows about it. Raises TemplateError.

    An answer is remembered until something changes that it depends on, so it can be asked for again soon.
    """
    known = known_about(parts.database, parts.config, record, now)
    sources = parts.templates.sources(MAIL_HTML, MAIL_TEXT)
    question = repr((record.edition.id, record.hash, sorted(sources.items()), known))
    return _answer(_Question(text=question, templates=parts.templates, record=record, known=known))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """All that an inspection depends on; two questions are the same if their texts are."""

    text: str
    templates: Templates = field(compare=False)
    record: EditionRecord = field(compare=False)
    known: Known = field(compare=False)


@lru_cache(maxsize=8)
def _answer(question: _Question) -> Inspection:
    return inspect(question.templates, question.record, question.known)


def ask_spamassassin(parts: EditionParts, record: EditionRecord, now: datetime, *, program: bool) -> None:
    """Keep the points that SpamAssassin gives to an edition's message, if it answers and they are not known.

    The server on this machine is asked first; the `program` takes some seconds. Raises TemplateError.
    """
    with parts.database.read() as connection:
        known = known_score(connection, record.hash)
    if known is None and spam_answers(program=program):
        settings = replace(settings_for(parts, record), only_shown=True)
        message = MessageBuilder(record, settings).message(_ANYBODY)
        report = spam_report(message.data, program=program) if message else None
        if report:
            with parts.database.write() as connection:
                save_score(connection, record.hash, report.score, dict(report.rules), now)


def check_ahead(parts: EditionParts, context: RunContext) -> None:
    """Ask the links of the editions that are to be sent within a day, and the server of SpamAssassin.

    Links and scores that are known already are not asked for again. Raises TemplateError.
    """
    with parts.database.read() as connection:
        records = open_before(connection, context.clock() + _AHEAD)
    check_links(parts.database, parts.config, (record.edition for record in records), context)
    for record in records:
        ask_spamassassin(parts, record, context.clock(), program=False)


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _counted(count: int, noun: str) -> str:
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} {noun}{'' if count == 1 else 's'}"


def _of_email(email: Email, language: str, edition: Edition, footer: Footer) -> Iterator[Finding]:
    page = Page(email.html)
    yield from wrong_language(page, language)
    # A story without a headline has a finding of its own.
    titles = [*(each.title for each in edition.stories()), *(each.title for each in edition.sections)]
    known = {"headings"} if not all(title.strip() for title in titles) else set[str]()
    own = frozenset(urls_in(edition))
    yield from (each for each in problems(email, page, footer, own) if each.rule not in known)
    yield from wrong_around(email, page, edition)


def _of_choices(
    edition: Edition, render: Render, languages: tuple[str, ...], known: Known
) -> Iterator[tuple[str, str, Email]]:
    """Yield the emails of other choices: one topic, all topics but one, and those that readers have."""
    for choice in _choices(edition, known):
        chosen = choose(edition, choice)
        if chosen is not None and chosen is not edition:
            for language in languages:
                yield str(choice), language, render(chosen, links_of(edition), language)


def _choices(edition: Edition, known: Known) -> Iterator[Choice]:
    topics = list(dict.fromkeys(heading.choice for heading in headings_of(edition)))
    texts = topics[:_TOPICS]
    if 2 < len(topics) <= _LEFT_OUT:
        texts += [f"-{topic}" for topic in topics]
    texts += sorted(known.readers, key=lambda text: -known.readers[text])[:_CHOICES]
    yield from (Choice.parse(text) for text in dict.fromkeys(texts) if text)


def _largest(measured: list[Size]) -> Iterator[Size]:
    """Yield the size of each choice in the language in which it is largest."""
    by_choice: dict[str, list[Size]] = {}
    for size in measured:
        by_choice.setdefault(size.choice, []).append(size)
    yield from (max(sizes, key=lambda size: size.bytes) for sizes in by_choice.values())


def _too_large(measured: list[Size], read: frozenset[str]) -> Iterator[Finding]:
    """Yield one finding for the largest email that is too large, whatever the number of the others.

    No email may be clipped in any language; a large one is worth a warning only in a language that is read.
    """
    blocked = [size for size in measured if size.bytes >= BLOCK_SIZE]
    large = [size for size in measured if size.bytes >= WARN_SIZE and size.language in read]
    for sizes in filter(None, (blocked or large,)):
        most = max(sizes, key=lambda size: size.bytes)
        yield from size_of(most.bytes, Place(part="HTML", choice=most.choice, language=most.language))


def fits_in_an_email(render: RenderEdition, edition: Edition) -> bool:
    """Tell whether mail programs show the whole edition in every language; raises TemplateError.

    An Arabic letter takes six bytes in the message, so an edition may fit in one language only.
    """
    emails = (render(edition, links_of(edition), language) for language in languages_of(edition))
    return all(encoded_size(email.html) < BLOCK_SIZE for email in emails)


def settings_for(parts: EditionParts, record: EditionRecord) -> MessageSettings:
    """Return the settings for one copy of an edition, with the look that it is sent with, or would be now.

    Raises TemplateError.
    """
    look = approved_look(parts.database, record) if record.started_at else None
    look = look or look_to_render(parts.templates, record)
    return replace(parts.message_settings(), render=remembering_renderer_of(parts.templates, look))
