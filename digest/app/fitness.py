"""Keep editions to what mail programs show whole, and refuse those that would reach readers broken."""

from __future__ import annotations

from digest.app.wiring import App
from digest.errors import DigestError
from digest.model import Edition, EditionRecord, ReaderLinks
from digest.render.preflight import BLOCK_SIZE, Level, encoded_size, preflight

_LINKS = ReaderLinks(unsubscribe="reader_leaves_here", preferences="reader_chooses_here")


class UnfitError(DigestError):
    """An edition must not go as it is; the text names every reason and what to do."""

    def __init__(self, edition_id: str, reasons: tuple[str, ...]) -> None:
        self.edition_id = edition_id
        self.reasons = reasons
        super().__init__(
            f"{edition_id} must not go as it is: {' '.join(reasons)} "
            f"Mend the cause, `digest cancel {edition_id}`, and compose it again: its posts come back."
        )


def fits_in_a_mail(app: App, edition: Edition) -> bool:
    """Tell whether mail programs show an edition whole; raises TemplateError."""
    return encoded_size(app.render(edition, _LINKS).html) <= BLOCK_SIZE


def refuse_unfit(app: App, record: EditionRecord) -> None:
    """Look over the mail with all topics; raises UnfitError when a finding says it must not go."""
    findings = preflight(app.render(record.edition, _LINKS))
    reasons = tuple(finding.message for finding in findings if finding.level is Level.BLOCK)
    if reasons:
        raise UnfitError(record.edition.id, reasons)
