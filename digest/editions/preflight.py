"""Check editions before they are sent: mail programs must show them completely and correctly."""

from __future__ import annotations

from collections.abc import Iterator

from digest.editions.parts import RenderEdition
from digest.model.editions import Edition, EditionRecord
from digest.model.errors import DigestError
from digest.model.messages import Email, ReaderLinks
from digest.render.languages.languages import catalogues, spoken
from digest.render.preflight import BLOCK_SIZE, Level, encoded_size, preflight

_LINKS = ReaderLinks(unsubscribe="reader_leaves_here", preferences="reader_chooses_here")


class PreflightError(DigestError):
    """An edition cannot be sent as it is; the text gives every reason, and says what to do."""

    def __init__(self, edition_id: str, reasons: tuple[str, ...]) -> None:
        self.edition_id = edition_id
        self.reasons = reasons
        super().__init__(
            f"{edition_id} cannot be sent as it is: {' '.join(reasons)} "
            f"Fix the cause, run `digest cancel {edition_id}`, and compose the edition again; "
            "its posts are used again."
        )


def fits_in_an_email(render: RenderEdition, edition: Edition) -> bool:
    """Tell whether mail programs show the whole edition in every language; raises TemplateError."""
    return all(encoded_size(email.html) <= BLOCK_SIZE for email in _emails(render, edition))


def require_preflight(render: RenderEdition, record: EditionRecord) -> None:
    """Check the emails with all topics; raises PreflightError if a finding blocks them."""
    for email in _emails(render, record.edition):
        reasons = tuple(finding.message for finding in preflight(email) if finding.level is Level.BLOCK)
        if reasons:
            raise PreflightError(record.edition.id, reasons)


def _emails(render: RenderEdition, edition: Edition) -> Iterator[Email]:
    """Yield the email with all topics in each language that a reader can choose.

    An Arabic letter takes six bytes in the message, so an edition may fit in one language only.
    """
    for language in sorted({spoken(wanted, edition.language) for wanted in ("", *catalogues())}):
        yield render(edition, _LINKS, language)
