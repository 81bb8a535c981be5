"""Make and read the tokens in links, and make the keyed hash that is kept after an address is erased."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Callable
from functools import lru_cache

from subscribers.errors import TokenError

# 8 bytes of id and 13 of MAC are 28 characters of base64 without padding. A link with them stays on one line
# of an email, and 104 bits are far too many to be guessed over the network.
_ID_BYTES = 8
_MAC_BYTES = 13
SEAL_DIGITS = 2 * (_ID_BYTES + _MAC_BYTES)  # characters of a seal in hexadecimal
_READER_TOKEN = re.compile(r"[A-Za-z0-9_-]{28}")
_HASH_BYTES = 24
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def reader_token(secret: bytes, subscriber_id: int, purpose: str) -> str:
    """Return 28 URL-safe characters that allow one `purpose` for one subscriber. They never expire.

    The purpose ("u:daily", "p") is part of the signed text, so a token is useless for any other purpose.
    """
    return spelled(reader_seal(secret, subscriber_id, purpose)).decode("ascii")


def reader_seal(secret: bytes, subscriber_id: int, purpose: str) -> bytes:
    """Return the 21 bytes of a reader token, for places that need another encoding than base64."""
    return sealer(secret, purpose)(subscriber_id)


def sealer(secret: bytes, purpose: str) -> Callable[[int], bytes]:
    """Return a function that makes the `reader_seal` of each subscriber for one purpose.

    It is faster than `reader_seal` for many subscribers, because the key is prepared only once.
    """
    begun = _keyed(secret, purpose)

    def seal(subscriber_id: int) -> bytes:
        packed = subscriber_id.to_bytes(_ID_BYTES, "big")
        mac = begun.copy()
        mac.update(packed)
        return packed + mac.digest()

    return seal


def spelled(seal: bytes) -> bytes:
    """Return the reader token of a seal, as it is written in links, in ASCII."""
    return b2a_base64(seal, newline=False).translate(_URL_SAFE)


def read_token(secret: bytes, token: str, purpose: str) -> int:
    """Return the subscriber's id from a token made for `purpose`.

    Raises TokenError (damaged) if any character was changed or the token was made for another purpose. The
    caller checks whether the subscriber still exists.
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
    """Return the keyed hash of a folded address, 32 URL-safe characters; suppressions are stored under it.

    Nobody without `secret` can test whether the hash belongs to a given address. Another secret gives other
    hashes, so the secret must be kept as long as the list.
    """
    mac = hmac.digest(secret, b"address\0" + folded.encode(), "sha256")
    return urlsafe_b64encode(mac[:_HASH_BYTES]).decode("ascii")


def mailbox_hash(secret: bytes, mailbox: str) -> str:
    """Return the keyed hash of a mailbox, by which notices are counted; it equals no address's hash."""
    mac = hmac.digest(secret, b"mailbox\0" + mailbox.encode(), "sha256")
    return urlsafe_b64encode(mac[:_HASH_BYTES]).decode("ascii")


def notice_token(secret: bytes, notice_id: int) -> str:
    """Return the token of the link in a notice; it is made anew for each try, so nobody has to keep it."""
    mac = hmac.digest(secret, b"notice\0" + notice_id.to_bytes(_ID_BYTES, "big"), "sha256")
    return urlsafe_b64encode(mac[:_HASH_BYTES]).decode("ascii")


def token_hash(token: str) -> str:
    """Return the hash that is stored for a notice's link; a stolen database cannot confirm anybody.

    A plain SHA-256 is enough, because a token is too long to be found by trying.
    """
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


@lru_cache(maxsize=64)
def _keyed(secret: bytes, purpose: str) -> hashlib.blake2b:
    """Return a keyed BLAKE2 (RFC 7693) for one purpose."""
    # Each message contains three tokens, and HMAC would be too slow for so many.
    key = hmac.digest(secret, b"reader\0" + purpose.encode(), "sha256")
    return hashlib.blake2b(key=key, digest_size=_MAC_BYTES)
