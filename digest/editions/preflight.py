"""Check editions before they are sent: mail programs must show them completely and correctly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from digest.editions.parts import EditionParts, RenderEdition
from digest.message.build import MessageSettings, Render
from digest.message.look import UNSUBSCRIBE, Look, approved_look, languages_of, links_of, look_at, renderer_of
from digest.model.editions import Edition, EditionRecord
from digest.model.errors import PreflightError
from digest.model.messages import Email
from digest.model.snapshot import choose, headings_of
from digest.render.preflight import BLOCK_SIZE, Finding, Level, cut_lines, encoded_size, preflight
from digest.render.reading.footer import Footer
from digest.render.templates import Templates
from subscribers.model import Choice

_TOPICS = 100  # more than any edition shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The look of an edition as it is now, and what is wrong with its emails, in any language."""

    edition_id: str
    look: Look
    findings: tuple[Finding, ...]

    @property
    def hash(self) -> str:
        """Return the hash of all that an approval would cover."""
        return self.look.kept().hash

    def require(self) -> None:
        """Raise PreflightError if a finding blocks the emails."""
        reasons = tuple(finding.message for finding in self.findings if finding.level is Level.BLOCK)
        if reasons:
            raise PreflightError(self.edition_id, reasons)


def inspect(templates: Templates, record: EditionRecord, *, lines: bool = True) -> Inspection:
    """Render an edition in every language and check its emails; raises TemplateError.

    The email with all topics is checked completely. The email of each single topic is checked for what no
    email may lack, because a template may show its foot to some readers only. Without `lines`, nothing is
    said about the length of the subject and the preheader.
    """
    look, emails = look_at(templates, record)
    footer = Footer(UNSUBSCRIBE, record.edition.site.postal_address)
    found = [finding for email in emails.values() for finding in preflight(email, footer)]
    if lines:
        found += [finding for email in emails.values() for finding in cut_lines(email, record.edition)]
    for email in _of_each_topic(record.edition, renderer_of(templates, look), tuple(look.words)):
        found += [Finding(Level.BLOCK, sentence) for sentence in footer.missing(email)]
    return Inspection(edition_id=record.edition.id, look=look, findings=tuple(dict.fromkeys(found)))


def _of_each_topic(edition: Edition, render: Render, languages: tuple[str, ...]) -> Iterator[Email]:
    topics = [heading.slug for heading in headings_of(edition)]
    chosen = (choose(edition, Choice(include=frozenset({slug}))) for slug in topics[:_TOPICS])
    for each in chosen:
        if each is not None and each is not edition:
            yield from (render(each, links_of(edition), language) for language in languages)


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
    if look is None:
        look, _ = look_at(parts.templates, record)
    return replace(parts.message_settings(), render=renderer_of(parts.templates, look))
