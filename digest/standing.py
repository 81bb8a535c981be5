"""Say how an edition stands, and why a step cannot be taken: in words, with what may be done instead."""

from __future__ import annotations

from digest.errors import StateError
from digest.model import EditionRecord, EditionState

_CARRIED = "its posts are carried to the next edition"
_OVER = {
    EditionState.SENT: "it has gone to its readers",
    EditionState.SKIPPED: _CARRIED,
    EditionState.CANCELLED: "that was for good, and what had not gone of it is skipped",
}


def standing(record: EditionRecord) -> str:
    """Return an edition's state in words: "a draft", "approved and paused"."""
    state = "a draft" if record.state is EditionState.DRAFT else record.state.value
    return f"{state} and paused" if record.paused_at else state


def refusal(record: EditionRecord, wanted: str) -> StateError:
    """Make the error for a step an edition cannot take: "approved", "sent", "sent again", "paused", …"""
    shown = "sent" if wanted == EditionState.SENDING else wanted
    return StateError(record.edition.id, standing(record), shown, advice=_advice(record, shown))


def _advice(record: EditionRecord, wanted: str) -> str:
    edition_id = record.edition.id
    if record.state in _OVER:
        return _OVER[record.state] if record.started_at else _CARRIED
    if record.paused_at:
        return f"let it go on with: digest resume {edition_id}"
    if record.state is EditionState.DRAFT and wanted == "sent":
        return f"first: digest approve {edition_id}"
    return {
        "approved": "it needs no approval any more",
        "resumed": "it is not held",
        "sent again": f"it has not been sent yet: digest send {edition_id}",
    }.get(wanted, "")
