"""Keep the key that signs readers' links; it is made once and can be read only by its owner."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from digest.model.errors import DigestError

_BYTES = 32


class SecretError(DigestError):
    """The file of the secret cannot be read or made, or the secret is too short."""


def load_secret(path: Path) -> bytes:
    """Return the secret at `path`, and make it if there is none; two processes get the same secret.

    Raises SecretError if the file cannot be read or made, or is too short to be safe.
    """
    try:
        if not path.exists():
            _make(path)
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SecretError(f"{path}: the secret cannot be read or made: {error.strerror}") from error
    if len(secret) < _BYTES:
        raise SecretError(f"{path}: has fewer than {_BYTES} characters, so it can be guessed")
    return secret


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
