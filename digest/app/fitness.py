"""Refuse to approve or send an edition that would reach readers cut, broken or empty."""

from __future__ import annotations

from digest.app.wiring import App
from digest.errors import DigestError
from digest.model import EditionRecord, ReaderLinks
from digest.render.preflight import Level, preflight

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


def refuse_unfit(app: App, record: EditionRecord) -> None:
    """Look over the mail with all topics; raises UnfitError when a finding says it must not go."""
    findings = preflight(app.render(record.edition, _LINKS))
    reasons = tuple(finding.message for finding in findings if finding.level is Level.BLOCK)
    if reasons:
        raise UnfitError(record.edition.id, reasons)
