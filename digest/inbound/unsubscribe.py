"""Unsubscribe readers by email: a message to the `mailto:` link of a digest does the same as one click."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime

from digest.config.parts import Parts
from digest.inbound.unsubscribe_messages import Meaning, read_unsubscribe
from digest.readers.unsubscribe import check_unsubscribe_link, earlier_slugs, unsubscribe_by_link
from subscribers.errors import TokenError
from subscribers.model import Origin

_Meant = tuple[str, str]  # the slug of a digest, and a valid token of one of its readers
_ORIGIN = Origin(source="mail")
_NO_REQUEST = {
    Meaning.REPORT: "this is a report",
    Meaning.AUTOMATIC: "this is an automatic reply",
    Meaning.REPLY: "this is a reply to another message",
    Meaning.NO_TOKEN: "there is no token in the subject or the recipient",
}


def answer_unsubscribe(parts: Parts, message: bytes, *, now: datetime) -> str:
    """Unsubscribe the reader whose token is in a message from the token's digest; a second call does nothing.

    Returns a phrase that says what was done, without any address. A message without a valid token, a reply or
    an automatic answer changes nothing. The recipient counts only if no token in the subject is valid.
    """
    # No confirmation is sent, because anybody can send an email in another person's name.
    said = read_unsubscribe(message)
    if said.meaning in _NO_REQUEST:
        return f"nothing done: {_NO_REQUEST[said.meaning]}"
    meant = _meant(parts, said.in_subject) or _meant(parts, said.in_recipient)
    if not meant:
        return "nothing done: the token is damaged, or its digest does not exist"
    return _unsubscribe(parts, meant, now)


def _unsubscribe(parts: Parts, meant: list[_Meant], now: datetime) -> str:
    """Carry a request out, and return what was done."""
    requests = [
        unsubscribe_by_link(parts.database, parts.secret, slug, token, origin=_ORIGIN, now=now)
        for slug, token in meant
    ]
    if any(request.digests for request in requests):
        return f"unsubscribed from {', '.join(slug for slug, _ in meant)}"
    return "nothing to do: already unsubscribed"


def _meant(parts: Parts, tokens: tuple[str, ...]) -> list[_Meant]:
    """Return the valid tokens, each after its digest. The earlier slugs of renamed digests count too."""
    configured = (digest.slug for digest in parts.config.digests)
    slugs = tuple(dict.fromkeys([*configured, *earlier_slugs(parts.database)])) if tokens else ()
    return [(slug, token) for token in tokens for slug in _digests_of(slugs, parts.secret, token)]


def _digests_of(slugs: Iterable[str], secret: bytes, token: str) -> Iterator[str]:
    for slug in slugs:
        with suppress(TokenError):
            check_unsubscribe_link(secret, slug, token)
            yield slug
