"""Make the addresses of the staff's pages, and sign the links that let one person take one step."""

from __future__ import annotations

from enum import StrEnum

from digest.message.reader_links import page_url
from subscribers.tokens import read_token, reader_token

SIGNED = "signed"  # the first part of the path of pages that a signed link opens


class LinkPurpose(StrEnum):
    """The step for which a link is signed. The values are part of links, so they must not change."""

    APPROVE = "approve"
    HOLD = "hold"
    STOP = "stop"


def desk_url(base: str, edition_id: str = "") -> str:
    """Return the address of an edition on the desk, or of the desk."""
    return page_url(base, "desk", edition_id) if edition_id else page_url(base, "desk")


def signed_url(base: str, secret: bytes, purpose: LinkPurpose, notice_id: int) -> str:
    """Return the link in a message to the staff that opens the page for one step.

    The message stands for its person, its edition and the hash that the person has seen. A link is therefore
    good for one step of one person, with one hash.
    """
    return page_url(base, SIGNED, purpose.value, reader_token(secret, notice_id, _signed_for(purpose)))


def notice_in(secret: bytes, purpose: LinkPurpose, token: str) -> int:
    """Return the id of the message that has a signed link; raises TokenError (damaged)."""
    return read_token(secret, token, _signed_for(purpose))


def _signed_for(purpose: LinkPurpose) -> str:
    return f"staff:{purpose.value}"
