"""Keep editions to what mail programs show whole, and refuse those that would reach readers broken."""

from __future__ import annotations

from collections.abc import Iterator

from digest.app.wiring import App
from digest.errors import DigestError
from digest.model import Edition, EditionRecord, Mail, ReaderLinks
from digest.render.preflight import BLOCK_SIZE, Level, encoded_size, preflight
from digest.render.spoken import catalogues, spoken

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
    """Tell whether mail programs show an edition whole in every language; raises TemplateError."""
    return all(encoded_size(mail.html) <= BLOCK_SIZE for mail in _mails(app, edition))


def refuse_unfit(app: App, record: EditionRecord) -> None:
    """Look over the mails with all topics; raises UnfitError when a finding says they must not go."""
    for mail in _mails(app, record.edition):
        reasons = tuple(finding.message for finding in preflight(mail) if finding.level is Level.BLOCK)
        if reasons:
            raise UnfitError(record.edition.id, reasons)


def _mails(app: App, edition: Edition) -> Iterator[Mail]:
    """Yield the mail with all topics in each language that a reader may have it in.

    An Arabic letter takes six bytes on the wire: what fits in one language may not in another.
    """
    for language in sorted({spoken(wanted, edition.language) for wanted in ("", *catalogues())}):
        yield app.render(edition, _LINKS, language)
