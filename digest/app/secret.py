"""Keep the key that signs readers' links: made once, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from digest.errors import DigestError

_BYTES = 32


class SecretError(DigestError):
    """The file of the secret cannot be read or made."""


def load_secret(path: Path) -> bytes:
    """Read the secret at `path`, and make it when there is none. Two processes get the same one.

    Raises SecretError when the file cannot be read or made, or is too short to be safe.
    """
    try:
        if not path.exists():
            _make(path)
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SecretError(f"{path}: the secret cannot be read or made: {error.strerror}") from error
    if len(secret) < _BYTES:
        raise SecretError(f"{path}: holds fewer than {_BYTES} characters, which can be guessed")
    return secret


def _make(path: Path) -> None:
    """Write the file whole before it gets its name, so that nobody reads half a secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(_BYTES).encode() + b"\n")
        with suppress(FileExistsError):  # another process was first: its secret stands
            path.hardlink_to(draft)
    finally:
        draft.unlink()
