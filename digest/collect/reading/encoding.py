"""Decode the bytes of a feed, whatever encoding they are declared to have.

Publishers' servers, declarations and bytes often disagree. The bytes decide first: UTF-16 shows by its
zeros, and bytes that are valid UTF-8 are UTF-8. A broken byte does not change the encoding of the others, but
becomes U+FFFD. Only if the bytes are far from UTF-8, the declared encoding counts.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence

_IN_HEADER = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
_IN_DOCUMENT = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([\w.:-]+)", re.IGNORECASE)
_DECLARATION = re.compile(
    r"(\A[^<]{0,1000}<\?xml[^>]{0,200}?)\s+encoding\s*=\s*(\"[^\">]*\"|'[^'>]*')", re.IGNORECASE
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, because its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, ""),
)
_HEAD = 64  # bytes that are looked at for zeros; the beginning of a feed is ASCII in any language
_FEW = 8  # broken bytes in a document that has no other bytes beyond ASCII

# The names that Python does not know, or that browsers read as a larger encoding, because publishers do.
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "euc_kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "iso8859-11": "cp874",
    "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
}
_EIGHT_BIT = re.compile(r"cp\d+|iso8859-\d+|koi8-[rut]|mac[-_]\w+|gb18030|big5\w*|euc_\w+|johab|ptcp154")
_SEVEN_BIT = re.compile(r"iso2022_\w+")  # with escape sequences, so that the bytes look like ASCII


def decode(body: bytes, content_type: str = "") -> str | None:
    """Return a document as text, with a declaration of UTF-8; None if its encoding can only be guessed."""
    # A mark alone proves little: the bytes after it may be of the other order, or have no zeros at all.
    mark, marked = next((each for each in _MARKS if body.startswith(each[0])), (b"", ""))
    body = body[len(mark) :]
    if wide := _by_zeros(body[:_HEAD]) or (marked if not body.startswith(b"<") else ""):
        text: str | None = body.decode(wide, "replace")
    else:
        text = _narrow(body, [] if mark else list(_declared(body, content_type)))
    return None if text is None else _DECLARATION.sub(r'\1 encoding="utf-8"', text.lstrip("\ufeff"), count=1)


def _by_zeros(head: bytes) -> str:
    """Return the encoding that the zeros in ASCII text show; empty if there are too few."""
    enough = len(head) // 4 * 2 // 3 or 1
    many = "".join("0" if head[place::4].count(0) >= enough else "x" for place in range(4))
    found = {"x000": "utf-32-le", "000x": "utf-32-be", "x0x0": "utf-16-le", "0x0x": "utf-16-be"}
    return found.get(many, "")


def _narrow(body: bytes, declared: Sequence[str]) -> str | None:
    others = [name for name in declared if name != "utf-8"]
    if others and _SEVEN_BIT.fullmatch(others[0]) and b"\x1b" in body:
        return body.decode(others[0], "replace")
    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd") - body.count("\ufffd".encode())
    if not broken:
        return text
    sound = len(text) - len(text.encode("ascii", "ignore")) - text.count("\ufffd")
    # Text of another encoding has a few sequences that look like UTF-8, but far more that do not.
    if others:
        return text if sound > 4 * broken else _first_that_fits(body, others)
    return text if broken <= max(_FEW, sound) else None


def _first_that_fits(body: bytes, names: Sequence[str]) -> str:
    for name in names:
        try:
            return body.decode(name)
        except UnicodeDecodeError:
            continue
    return body.decode(names[0], "replace")


def _declared(body: bytes, content_type: str) -> Iterator[str]:
    """Yield Python's names of the declared encodings, the most credible first."""
    header, document = _IN_HEADER.search(content_type), _IN_DOCUMENT.search(body[:1024])
    names = [header[1]] if header else []
    if document:
        # Many servers say ISO 8859-1 of everything.
        place = 0 if header and _known(header[1]) == "cp1252" else len(names)
        names.insert(place, document[1].decode("ascii", "replace"))
    yield from filter(None, map(_known, names))


def _known(name: str) -> str:
    """Return Python's name of an encoding that contains ASCII; empty for any other."""
    label = name.strip().casefold()
    try:
        label = codecs.lookup(_MEANT.get(label, label)).name
    except (LookupError, ValueError):
        return ""
    label = _MEANT.get(label, label)
    return label if label == "utf-8" or _EIGHT_BIT.fullmatch(label) or _SEVEN_BIT.fullmatch(label) else ""
