"""Hash passwords with argon2, and refuse those that are short or easily guessed."""

from __future__ import annotations

import re
import unicodedata
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

# Those that people choose most, without what they add to them. A longer password is made from these more
# often than from anything else.
# fmt: off
_COMMON = (
    "password", "passwort", "passw0rd", "p4ssword", "p@ssw0rd", "kennwort", "contraseña", "motdepasse",
    "parola", "letmein", "welcome", "willkommen", "bienvenue", "admin", "administrator", "root",
    "superuser", "default", "changeme", "secret", "geheim", "login", "access", "master", "qwerty", "qwertz",
    "azerty", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "qazwsx", "1q2w3e4r",
    "iloveyou", "ichliebedich", "teamo", "jetaime", "princess", "sunshine", "football", "fussball",
    "baseball", "superman", "batman", "dragon", "monkey", "shadow", "flower", "summer", "winter", "spring",
    "autumn", "sommer", "january", "monday", "hello", "hallo", "bonjour", "test", "testing", "temp",
    "temporary", "guest", "user", "trustno", "abcdefghijklmnopqrstuvwxyz", "01234567890", "09876543210",
    "newsletter", "digest", "editor", "desk", "correct", "horse", "battery", "staple",
)
# fmt: on
_ENOUGH = 6  # characters that must be left when all of these are taken out
_DIFFERENT = 5  # characters


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
    if len(password) < SHORTEST:
        return f"A password has at least {SHORTEST} characters. Several words are easy to remember."
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    folded = password.casefold()
    if len(set(folded)) < _DIFFERENT:
        return "This password repeats a few characters. Please choose one that is harder to guess."
    if len(_without(folded, known)) < _ENOUGH:
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
    for word in sorted({*_COMMON, *words}, key=len, reverse=True):
        rest = rest.replace(word, "")
    return re.sub(r"(.+?)\1+", r"\1", re.sub(r"^[\W\d_]+|[\W\d_]+$", "", rest))
