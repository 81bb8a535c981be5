"""Change config.toml for its operator: what is added is valid, and every other byte stays as it is."""

from __future__ import annotations

import codecs
import os
import re
import secrets
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from digest.config import lines
from digest.config.validate import faults
from digest.model.errors import EditError
from digest.model.links import is_rest
from digest.model.publication import Feed, SourceKind

_MARK = codecs.BOM_UTF8
# Lines of comment that follow a table directly, but do not stand directly above something else.
_COMMENTS_BELOW = re.compile(r"(?:\n[ \t]*#[^\n]*)*(?=\n[ \t\r]*(?:\n|\Z)|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A changed configuration file that has not been written yet."""

    path: Path
    before: bytes
    text: str

    def write(self) -> None:
        """Write the file as a whole, with its mode; a symbolic link stays a link.

        Raises EditError if the file has been changed since it was read, or cannot be written.
        """
        target = self.path.resolve()
        mark = _MARK if self.before.startswith(_MARK) else b""
        try:
            if target.read_bytes() != self.before:
                raise EditError(
                    self.path, "has been changed by someone else meanwhile; run the command again"
                )
            _replace(target, mark + self.text.encode())
        except OSError as error:
            raise EditError(self.path, f"cannot be written: {error.strerror}") from error


def drafted(path: Path, change: Callable[[str], str]) -> Draft:
    """Return a change of the text of a configuration file that has been loaded before.

    Raises EditError if the file cannot be read, or if the changed text would not be a valid configuration.
    """
    try:
        before = path.read_bytes()
        text = change(before.removeprefix(_MARK).decode())
    except OSError as error:
        raise EditError(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise EditError(path, str(error)) from error
    wrong = faults(tomllib.loads(text))
    if wrong:
        where, message = wrong[0]
        raise EditError(path, f"{'.'.join(map(str, where))}: {message}")
    return Draft(path=path, before=before, text=text)


def with_feeds(text: str, feeds: Sequence[Feed]) -> str:
    """Return a TOML text with more feeds, after its last feed and written as that is. Raises ValueError."""
    wanted = tomllib.loads(text)
    wanted["feed"] = [*wanted.get("feed", []), *map(_table, feeds)]
    tries = (place(text, feeds) for place in (_after_the_last, _in_the_array, _at_the_end))
    return _first_with(wanted, (each for each in tries if each is not None))


def with_feeds_of_digest(text: str, index: int, names: Sequence[str]) -> str:
    """Return a TOML text in which a digest takes more feeds, at the end of its list. Raises ValueError."""
    wanted = tomllib.loads(text)
    listed = wanted["digest"][index]["feeds"]
    place = lines.ends(text)[("digest", index, "feeds", len(listed) - 1)]
    listed += names
    return _first_with(
        wanted, [text[:place] + "".join(f", {toml_value(name)}" for name in names) + text[place:]]
    )


def feed_block(feed: Feed) -> str:
    """Return a [[feed]] as it is written into config.toml."""
    return "\n".join(["[[feed]]", *(f"{key} = {toml_value(value)}" for key, value in _table(feed).items())])


def _table(feed: Feed) -> dict[str, Any]:
    table: dict[str, Any] = {"name": feed.name, "url": feed.url}
    optional = {"source": _source(feed), "tags": list(feed.tags), "topics": list(feed.topics)}
    return table | {key: value for key, value in optional.items() if value}


def _source(feed: Feed) -> str:
    """Return the kind of a source, or "" if it need not be written, because the address tells it."""
    return "" if feed.source is SourceKind.FEED or is_rest(feed.url) else str(feed.source)


def toml_value(value: str | list[str]) -> str:
    """Return a text or a list of texts as TOML."""
    return str(tomlkit.item(value).as_string())


def _first_with(wanted: dict[str, Any], texts: Sequence[str] | Iterator[str]) -> str:
    """Return the first text that has the wanted content, so that no way of writing TOML can be broken."""
    for text in texts:
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(text) == wanted:
                return text
    raise ValueError("the file is written in a way that cannot be changed safely")


def _after_the_last(text: str, feeds: Sequence[Feed]) -> str | None:
    """Add tables after the last [[feed]] and the comments directly below it."""
    last = len(tomllib.loads(text).get("feed", [])) - 1
    ends = [end for place, end in lines.ends(text).items() if place[:2] == ("feed", last)]
    if not ends:
        return None
    line_end = text.find("\n", max(ends))
    cut = len(text) if line_end < 0 else line_end
    comments = _COMMENTS_BELOW.match(text, cut)
    cut = comments.end() if comments else cut
    head = text[:cut].removesuffix("\r")
    return head + _newline(text) * 2 + _blocks(text, feeds) + (text[len(head) :] or _newline(text))


def _in_the_array(text: str, feeds: Sequence[Feed]) -> str | None:
    """Add elements to feed = [{ … }], or to an empty list."""
    listed = tomllib.loads(text).get("feed")
    ends = lines.ends(text)
    if listed is None or ("feed",) not in ends:
        return None
    rows = (
        "{ " + ", ".join(f"{key} = {toml_value(value)}" for key, value in _table(each).items()) + " }"
        for each in feeds
    )
    if listed:
        place = ends[("feed", len(listed) - 1)]
        return text[:place] + "".join(f", {row}" for row in rows) + text[place:]
    place = ends[("feed",)] - 1  # before the bracket
    return text[:place] + ", ".join(rows) + text[place:]


def _at_the_end(text: str, feeds: Sequence[Feed]) -> str:
    newline = _newline(text)
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + _blocks(text, feeds) + newline


def _blocks(text: str, feeds: Sequence[Feed]) -> str:
    newline = _newline(text)
    return (newline * 2).join(feed_block(feed).replace("\n", newline) for feed in feeds)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _replace(target: Path, content: bytes) -> None:
    """Replace a file at once, so that no process reads half of it."""
    facts = target.stat()
    draft = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            with suppress(PermissionError):  # only root may give a file to another user
                os.fchown(file.fileno(), facts.st_uid, facts.st_gid)
            os.fchmod(file.fileno(), facts.st_mode & 0o7777)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
