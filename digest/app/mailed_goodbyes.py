"""Let readers leave by mail: a goodbye sent to the `mailto:` of their digest does what one click does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from digest.app.goodbyes import check_goodbye, say_goodbye
from digest.app.wiring import App
from subscribers.errors import TokenError
from subscribers.goodbye_mail import read_goodbye
from subscribers.model import Origin

_ORIGIN = Origin(source="mail")


def answer_goodbye(app: App, mail: bytes, *, now: datetime) -> str:
    """Let the reader whose token stands in a mail leave the digest it is for; twice is like once.

    Returns in words what that did, without any address. What has no good token or is automatic changes
    nothing. Nobody is written to: mail is easily sent in somebody else's name.
    """
    said = read_goodbye(mail)
    if said.automatic:
        return "nothing done: an automatic answer"
    if not said.tokens:
        return "nothing done: no token in the subject or the recipient"
    meant = [(slug, token) for token in said.tokens for slug in _digests_of(app, token)]
    if not meant:
        return "nothing done: the token is damaged, or of no digest there is"
    goodbyes = [say_goodbye(app, slug, token, origin=_ORIGIN, now=now) for slug, token in meant]
    if any(goodbye.digests for goodbye in goodbyes):
        return f"left {', '.join(slug for slug, _ in meant)}"
    return "nothing to do: has left before"


def _digests_of(app: App, token: str) -> Iterator[str]:
    for digest in app.config.digests:
        with suppress(TokenError):
            check_goodbye(app, digest.slug, token)
            yield digest.slug
