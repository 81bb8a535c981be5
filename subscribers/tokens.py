"""Make and read the secrets in links, and the keyed hash that outlives an erased address."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Callable
from functools import lru_cache

from subscribers.errors import TokenError

# 8 bytes of id and 13 of MAC are 28 characters of base64 without padding: short enough that a link
# with them stays on one line of mail, and 104 bits are far beyond guessing over the network.
_ID_BYTES = 8
_MAC_BYTES = 13
_READER_TOKEN = re.compile(r"[A-Za-z0-9_-]{28}")
_HASH_BYTES = 24
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_MIN_RANDOM_BYTES = 16


def reader_token(secret: bytes, subscriber_id: int, purpose: str) -> str:
    """Return 28 URL-safe characters that let their holder do `purpose` for one subscriber, for ever.

    `purpose` is part of what is signed ("u:daily", "p"): a token for one is worthless for another.
    """
    return spelled(reader_seal(secret, subscriber_id, purpose)).decode("ascii")


def reader_seal(secret: bytes, subscriber_id: int, purpose: str) -> bytes:
    """Return the 21 bytes of a reader token, for places where another alphabet is spoken."""
    return sealer(secret, purpose)(subscriber_id)


def sealer(secret: bytes, purpose: str) -> Callable[[int], bytes]:
    """Return what makes the `reader_seal` of one subscriber after the other for one purpose."""
    begun = _keyed(secret, purpose)

    def seal(subscriber_id: int) -> bytes:
        packed = subscriber_id.to_bytes(_ID_BYTES, "big")
        mac = begun.copy()
        mac.update(packed)
        return packed + mac.digest()

    return seal


def spelled(seal: bytes) -> bytes:
    """Return a seal as it stands in links: the reader token, in ASCII."""
    return b2a_base64(seal, newline=False).translate(_URL_SAFE)


def read_token(secret: bytes, token: str, purpose: str) -> int:
    """Return the subscriber's id from a token made for `purpose`.

    Raises TokenError (damaged) when any character was changed or it was made for something else. That
    the subscriber still exists is for the caller to see.
    """
    if not _READER_TOKEN.fullmatch(token):
        raise TokenError("damaged")
    return read_seal(secret, urlsafe_b64decode(token), purpose)


def read_seal(secret: bytes, seal: bytes, purpose: str) -> int:
    """Return the subscriber's id from a seal made for `purpose`; raises TokenError as `read_token` does."""
    subscriber_id = int.from_bytes(seal[:_ID_BYTES], "big")
    if not hmac.compare_digest(seal, reader_seal(secret, subscriber_id, purpose)):
        raise TokenError("damaged")
    return subscriber_id


def address_hash(secret: bytes, folded: str) -> str:
    """Return the keyed hash under which a folded address meets suppressions: 32 URL-safe characters.

    Without `secret` nobody can try addresses against it; with another secret it is another hash, so the
    secret must live as long as the list.
    """
    mac = hmac.digest(secret, b"address\0" + folded.encode(), "sha256")
    return urlsafe_b64encode(mac[:_HASH_BYTES]).decode("ascii")


def confirmation_token(random: bytes) -> str:
    """Return the text for a confirmation link from at least 16 random bytes, made by the caller."""
    if len(random) < _MIN_RANDOM_BYTES:
        raise ValueError("a confirmation needs at least 16 random bytes")
    return urlsafe_b64encode(random).decode("ascii").rstrip("=")


def token_hash(token: str) -> str:
    """Return what is stored of a confirmation link, so that a stolen database confirms nobody.

    A token is random and long, so a plain SHA-256 cannot be searched backwards.
    """
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


@lru_cache(maxsize=64)
def _keyed(secret: bytes, purpose: str) -> hashlib.blake2b:
    """Begin a keyed BLAKE2 (RFC 7693) for one purpose; a letter has three of them, so HMAC is too slow."""
    key = hmac.digest(secret, b"reader\0" + purpose.encode(), "sha256")
    return hashlib.blake2b(key=key, digest_size=_MAC_BYTES)
