"""Write header fields as ASCII that every parser decodes to the same text (RFC 5322, RFC 2047)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from email.utils import parseaddr

from subscribers.hosts import ascii_host
from subscribers.text import one_line

_LINE = 76  # RFC 2047: lines with encoded words have at most 76 characters
_HARD_LINE = 998
_LABEL = 63  # characters that DNS allows between two dots
_PLAIN = re.compile(r"[\x20-\x7e]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_Q_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_FOLD = re.compile(r"(?<=\S) (?=\S)")
_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_ADDRESS = re.compile(f"{_LOCAL.pattern}@{_DOMAIN.pattern}")


def text_field(name: str, text: str) -> str:
    """Return a field of free text, such as Subject, folded with CRLF, without a CRLF at the end.

    ASCII is folded at single spaces. Other text becomes encoded words, and so does ASCII that is too long to
    be folded at spaces.
    """
    text = one_line(text)
    if not text:
        return f"{name}:"
    if _PLAIN.fullmatch(text) and "=?" not in text:
        folded = _folded(name, text)
        if folded is not None:
            return folded
    return f"{name}: {_encoded(text, len(name) + 2)}"


def phrase(text: str, used: int) -> str:
    """Return a display name to be written before `<…>`; `used` characters of its line are taken."""
    text = one_line(text)
    if _ATOMS.fullmatch(text) and "=?" not in text and len(text) <= _LINE - used:
        return text
    if _PLAIN.fullmatch(text) and "=?" not in text and len(text) <= _LINE - used:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _encoded(text, used)


def mailbox_field(name: str, mailbox: str) -> str:
    """Return an address field for "Name <address>" or a bare address.

    Raises ValueError, without the address in its text, if there is no valid address.
    """
    display, address = parseaddr(mailbox)
    address = wire_address(address)
    if not one_line(display):
        return f"{name}: {address}"
    line = f"{name}: {phrase(display, len(name) + 2)}"
    fits = len(line.rpartition("\n")[2]) + len(address) + 3 <= _LINE
    return f"{line} <{address}>" if fits else f"{line}\r\n <{address}>"


def wire_address(address: str) -> str:
    """Return an address as it is written in headers and envelope: ASCII, with the domain as A-labels.

    Raises ValueError, without the address in its text, if the address could not be written or could end a
    header.
    """
    if _ADDRESS.fullmatch(address):  # true of nearly all addresses
        return address
    local, at, domain = address.rpartition("@")
    if at and not domain.isascii():
        domain = ascii_host(domain) or ""
        # `ascii_host` does what browsers do, and they allow longer labels than DNS.
        if max(map(len, domain.split("."))) > _LABEL:
            domain = ""
    if not (_LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)):
        raise ValueError("the address cannot be written in an email")
    return f"{local}@{domain}"


def _folded(name: str, text: str) -> str | None:
    """Fold a field at single spaces, which unfolding restores; return None if a line would be too long."""
    first, *rest = _FOLD.split(text)
    lines = [f"{name}: {first}"]
    for part in rest:
        if len(lines[-1]) + 1 + len(part) > _LINE:
            lines.append(f" {part}")
        else:
            lines[-1] += f" {part}"
    return "\r\n".join(lines) if max(map(len, lines)) <= _HARD_LINE else None


def _encoded(text: str, used: int) -> str:
    """Return encoded words, one in each line, in the shorter of the encodings Q and B.

    `used` characters of the first line are taken. Words end between characters, so that each word can be
    decoded by itself.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    as_q = sum(_q_size(char) for char in text) <= len(text.encode()) * 4 // 3
    room = _LINE - len("=?utf-8?q??=") - 1
    if as_q:
        chunks = _chunks(text, _q_size, first=room - used, rest=room)
        words = [f"=?utf-8?q?{''.join(map(_q, chunk))}?=" for chunk in chunks]
    else:
        chunks = _chunks(text, _utf8_size, first=(room - used) // 4 * 3, rest=room // 4 * 3)
        words = [f"=?utf-8?b?{b64encode(chunk.encode()).decode('ascii')}?=" for chunk in chunks]
    return "\r\n ".join(words)


def _chunks(text: str, size: Callable[[str], int], *, first: int, rest: int) -> Iterator[str]:
    """Cut `text` into chunks: the first at most `first` long, the others at most `rest`, by `size`."""
    start, filled, limit = 0, 0, first
    for position, char in enumerate(text):
        if filled + size(char) > limit:
            yield text[start:position]
            start, filled, limit = position, 0, rest
        filled += size(char)
    yield text[start:]


def _q(char: str) -> str:
    if char in _Q_SAFE:
        return char
    return "_" if char == " " else "".join(f"={byte:02X}" for byte in char.encode())


def _q_size(char: str) -> int:
    return len(_q(char))


def _utf8_size(char: str) -> int:
    return len(char.encode())
