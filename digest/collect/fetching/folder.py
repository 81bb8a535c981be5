"""Read a folder of text files as one document: the newest ones, within limits, and no links out of it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from digest.model.posts import FetchLimits

FILES = 20_000  # in one folder, with the folders in it
LARGEST = 1_000_000  # bytes of one file
DEEPEST = 8  # folders within folders
_HEAD = 4_096  # bytes that are searched for a date
_KINDS = (".md", ".markdown", ".mdown", ".mkd")
_NO_POSTS = frozenset(["_index.md", "node_modules", "_drafts"])
_STATED = re.compile(
    rb"^(?:date|pubDate|publishDate|published(?:_at)?|created)\s*[:=]"
    rb"\s*[\"']?(\d{4}-\d\d-\d\d[T ]?[\d:]{0,8})",
    re.IGNORECASE | re.MULTILINE,
)
_NAMED = re.compile(r"(?:^|/)(\d{4}-\d\d-\d\d)(?=[-_/.])")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file, by its path in the folder, with slashes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The newest files of a folder, the newest first, and why others could not be read."""

    files: tuple[File, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file of which only the size and the time of its last change are known."""

    name: str
    path: str
    size: int
    changed: int  # nanoseconds


def list_folder(path: Path) -> tuple[Listed, ...] | None:
    """Return the Markdown files of a folder, by name; None if there are too many. Raises OSError."""
    found: list[Listed] = []
    for each in _walk(str(path), "", DEEPEST):
        found.append(each)
        if len(found) > FILES:
            return None
    return tuple(sorted(found, key=lambda each: each.name))


def state_of(listed: Sequence[Listed]) -> str:
    """Return a text that changes when a file is added, removed or changed; no file is read."""
    seen = "\n".join(f"{each.name}\t{each.size}\t{each.changed}" for each in listed)
    return f'"{hashlib.sha256(seen.encode("utf-8", "surrogateescape")).hexdigest()}"'


def read_folder(listed: Sequence[Listed], limits: FetchLimits) -> Folder:
    """Read the newest files, at most `max_posts` and together at most `max_bytes`."""
    files: list[File] = []
    skipped = [f"{each.name} is larger than {LARGEST:,} bytes" for each in listed if each.size > LARGEST]
    left = limits.max_bytes
    fitting = [each for each in listed if each.size <= LARGEST]
    for each in sorted(fitting, key=_date, reverse=True)[: limits.max_posts]:
        data = _read(each.path, LARGEST)
        if data is None:
            skipped.append(f"{each.name} cannot be read")
        elif len(data) > left:
            skipped.append(f"{each.name} and older files are over max_bytes")
            break
        else:
            files.append(File(name=each.name, data=data))
            left -= len(data)
    return Folder(files=tuple(files), skipped=tuple(skipped))


def _walk(folder: str, prefix: str, depth: int) -> Iterator[Listed]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NO_POSTS:
                continue
            # A link may lead anywhere, so none is followed.
            if entry.is_dir(follow_symlinks=False) and depth:
                yield from _walk(entry.path, f"{prefix}{entry.name}/", depth - 1)
            elif entry.is_file(follow_symlinks=False) and entry.name.lower().endswith(_KINDS):
                facts = entry.stat(follow_symlinks=False)
                yield Listed(
                    name=f"{prefix}{entry.name}",
                    path=entry.path,
                    size=facts.st_size,
                    changed=facts.st_mtime_ns,
                )


@lru_cache(maxsize=2 * FILES)
def _date(listed: Listed) -> str:
    """Return the date that a file or its name begins with, as text that can be sorted; "" if it has none."""
    stated = _STATED.search(_read(listed.path, _HEAD) or b"")
    named = _NAMED.search(listed.name)
    return stated[1].decode().replace("T", " ") if stated else named[1] if named else ""


def _read(path: str, most: int) -> bytes | None:
    try:
        # O_NOFOLLOW: the file may have been replaced by a link since it was listed.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(most)
    except OSError:
        return None
