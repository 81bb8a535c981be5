"""Hash passwords with argon2, and refuse those that are short or easily guessed."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 256  # characters

# 19 MiB, twice, in one lane: what OWASP recommends at least. A server has many threads, so that
# only a few of them hash at once.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_AT_ONCE = BoundedSemaphore(4)
# It is compared where there is no account, so that the answer takes as long as with one.
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$hd1nStgqX2Qq+NXl1wRmlg$2Ye1FapBlyjIWgFc//Cx4ybVs0QUVUhsucwhH5hbti4"

# common-passwords.txt has what people choose most, from lists of passwords that became public (those of
# Django and zxcvbn). A longer password is made from these more often than from anything else. These words
# are added: other languages, the runs of keyboards, and the words of our trade.
# fmt: off
_USUAL = (
    "passwort", "kennwort", "contraseña", "motdepasse", "parola", "willkommen", "bienvenue", "admin", "root",
    "superuser", "default", "changeme", "geheim", "login", "qwertzuiop", "yxcvbnm", "ichliebedich", "teamo",
    "jetaime", "fussball", "autumn", "sommer", "january", "hallo", "bonjour", "test", "temp", "temporary",
    "guest", "user", "pass", "word", "newsletter", "digest", "editor", "desk", "correct", "horse", "battery",
    "staple", "abcdefghijklmnopqrstuvwxyz", "01234567890", "09876543210", "my", "name", "this", "is", "the",
    "qwer", "wert", "asdf", "zxcv", "yxcv", "abcd", "1qaz", "2wsx", "3edc", "4rfv", "zaq1", "xsw2", "cde3",
    "q1w2", "e3r4", "t5y6", "1q2w", "3e4r", "5t6y",
)
# fmt: on
_LOOKS_LIKE = str.maketrans("@4$5310!7", "aasseioit")  # as people write "p@ssw0rd"
_ENOUGH = 6  # characters that must be left when all of these are taken out
_DIFFERENT = 5  # characters


@cache
def _common() -> tuple[str, ...]:
    """Return the common words, the longest first."""
    found = Path(__file__).with_name("common-passwords.txt").read_text(encoding="utf-8").split()
    return tuple(sorted({*_USUAL, *found}, key=len, reverse=True))


def hash_password(password: str) -> str:
    """Return the hash of a password, with its salt and its parameters."""
    with _AT_ONCE:
        return _HASHER.hash(_as_typed(password))


def is_password(hashed: str | None, password: str) -> bool:
    """Tell whether a password is the one that was hashed.

    Without a hash, the answer is no, and takes the same time.
    """
    with _AT_ONCE:
        try:
            return (
                _HASHER.verify(hashed or _NOBODYS, _as_typed(password[: LONGEST + 1])) and hashed is not None
            )
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(hashed: str) -> bool:
    """Tell whether a hash was made with weaker parameters than those of today."""
    return _HASHER.check_needs_rehash(hashed)


def password_fault(password: str, *known: str) -> str | None:
    """Return why a password cannot be used, or None. `known` are words that others would try first."""
    password = _as_typed(password)
    if len(password) < SHORTEST:
        return f"A password has at least {SHORTEST} characters. Several words are easy to remember."
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    folded = password.casefold()
    if len(set(folded)) < _DIFFERENT:
        return "This password repeats a few characters. Please choose one that is harder to guess."
    if min(len(_without(each, known)) for each in (folded, folded.translate(_LOOKS_LIKE))) < _ENOUGH:
        return (
            "This password is made of words that are tried first. Please choose one that is harder to guess."
        )
    return None


def _as_typed(password: str) -> str:
    """Return a password in the one form that all keyboards mean: some type "ü" as two characters."""
    return unicodedata.normalize("NFC", password)


def _without(folded: str, known: tuple[str, ...]) -> str:
    """Return the letters of a password that are not part of a common word or of a known one."""
    words = {word for text in known for word in re.findall(r"\w+", text.casefold()) if len(word) > 2}
    rest = folded
    for word in (*sorted(words, key=len, reverse=True), *_common()):
        rest = rest.replace(word, "")
    return re.sub(r"(.+?)\1+", r"\1", re.sub(r"^[\W\d_]+|[\W\d_]+$", "", rest))
