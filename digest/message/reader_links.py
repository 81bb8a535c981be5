"""Make the addresses of our pages, and name the purposes of the tokens in them, for messages and for pages.

`base` is the beginning of an address: the site's `base_url` in messages, the root path in pages.
"""

from __future__ import annotations

from urllib.parse import quote

# The first part of the path for each kind of page. The links in sent messages are used for years, so these
# values must never change.
UNSUBSCRIBE = "u"
PREFERENCES = "p"
CONFIRM = "c"
DATA = "m"
ARCHIVE = "d"
SIGNUP = "signup"
PRIVATE = (UNSUBSCRIBE, PREFERENCES, CONFIRM, DATA)  # search engines are asked not to visit these pages

# The purposes that tokens are signed for, so that a token for one purpose is useless for another.
FOR_PREFERENCES = "p"
FOR_BOUNCES = "b"  # in the return path of editions
FOR_NOTICES = "n"  # in the return path of notices, with the id of the notice


def for_unsubscribing(digest: str) -> str:
    """Return the purpose of tokens that unsubscribe a reader from one digest and no other."""
    return f"u:{digest}"


def unsubscribe_url(base: str, digest: str, token: str) -> str:
    """Return the link that unsubscribes a reader from a digest, also with one click (RFC 8058)."""
    return page_url(base, UNSUBSCRIBE, digest, token)


def with_token(address: str, token: str) -> str:
    """Return an address with a reader's token: instead of "{token}", or else after a plus.

    The token must be hexadecimal, because a mail server may change the case of the letters before the @
    (RFC 5321, 2.4). An address that already has a plus part and no "{token}" stays as it is, because its
    server delivers only that part to the inbox.
    """
    if "{token}" in address:
        return address.replace("{token}", token)
    local, _, domain = address.rpartition("@")
    return address if "+" in local else f"{local}+{token}@{domain}"


def preferences_url(base: str, token: str) -> str:
    """Return the link to a reader's own preferences."""
    return page_url(base, PREFERENCES, token)


def confirmation_url(base: str, token: str) -> str:
    """Return the link that confirms a sign-up or a change of address."""
    return page_url(base, CONFIRM, token)


def data_url(base: str, ticket: str) -> str:
    """Return the link to everything that is kept about a reader; it is valid for a short time."""
    return page_url(base, DATA, ticket)


def archive_url(base: str, digest: str) -> str:
    """Return the address of a digest's archive."""
    return page_url(base, ARCHIVE, digest)


def edition_url(base: str, digest: str, edition_id: str) -> str:
    """Return the address of an edition's web page."""
    return page_url(base, ARCHIVE, digest, edition_id)


def signup_url(base: str, digest: str = "") -> str:
    """Return the address of the sign-up form of a digest, or of all digests."""
    return page_url(base, SIGNUP, digest) if digest else page_url(base, SIGNUP)


def page_url(base: str, *parts: str) -> str:
    """Return the address of a page; each part of the path is quoted."""
    return "/".join([base, *map(quote, parts)])
