"""Keep the key that signs readers' links; it is made once and can be read only by its owner."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from digest.model.errors import DigestError
from digest.storage.fingerprints import fingerprint

_BYTES = 32
_ADVICE = (
    "with another key, no link in an email that was sent before works, so no new key was made: restore the"
    ' file from the backup, or set DIGEST_SECRET as before. "If the key is lost" in docs/operate.md says how'
    " to start over"
)


class SecretError(DigestError):
    """The secret is missing, too short or not the earlier one, or its file cannot be read or made."""


def load_secret(path: Path, *, make: bool = True) -> bytes:
    """Return the secret at `path`, and make it if there is none; two processes get the same secret.

    With `make=False`, a missing file is an error. Raises SecretError if the file cannot be read or made, or
    is too short to be safe.
    """
    try:
        if not path.exists():
            if not make:
                raise SecretError(f"{path}: the key that signs readers' links is missing; {_ADVICE}")
            _make(path)
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SecretError(f"{path}: the secret cannot be read or made: {error.strerror}") from error
    if len(secret) < _BYTES:
        raise SecretError(f"{path}: has fewer than {_BYTES} characters, so it can be guessed")
    return secret


def require_same(secret: bytes, known: str, where: str) -> None:
    """Raise SecretError if `known`, from the database, is the fingerprint of another secret."""
    if fingerprint(secret) != known:
        raise SecretError(f"{where}: this is not the key that signed the links in earlier emails; {_ADVICE}")


def _make(path: Path) -> None:
    """Write the whole file before it gets its name, so that no process reads half a secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(_BYTES).encode() + b"\n")
        with suppress(FileExistsError):  # another process was first, and its secret counts
            path.hardlink_to(draft)
    finally:
        draft.unlink()
