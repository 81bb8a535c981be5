"""Clean untrusted text, so that it can be shown, mailed and stored."""

from __future__ import annotations

import re

# The characters from U+0080 on are included because U+0092 makes Gmail clip even a tiny email.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# The match must begin where a word begins. Otherwise a long word without "@" would be read again from each
# of its characters.
_ADDRESS = re.compile(r"(?<!\S)\S*@\S*")
# Overrides and isolates change the direction of later text. The others do not represent any character.
_UNWANTED = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\uffff\ud800-\udfff]")

# Hard spaces keep a number with its unit, and the punctuation of French with its word. Elsewhere they are
# often left over from an editor, and would keep long lines from being broken.
_HARD_SPACES = ("\xa0", "\u202f")
_HARD = re.compile(
    r"((?<=\d)[\xa0\u202f](?=[\w%‰€$£¥°])|(?<=\S)[\xa0\u202f](?=[!?:;»›%‰€])|(?<=[«‹])[\xa0\u202f](?=\S))"
)


def one_line(text: str) -> str:
    """Return `text` on one line that is safe in a header, a page and an email.

    White space and control characters become single spaces. They are not removed, because that could join
    two harmless words into a harmful one. Characters that change the direction of later text are removed, and
    lone surrogates too. Joiners stay, because emoji and Persian words are spelled with them. A hard space
    stays where it belongs to a number or a punctuation mark.
    """
    clean = _CONTROL.sub(" ", _UNWANTED.sub("", text))
    if "\xa0" not in clean and "\u202f" not in clean:
        return " ".join(clean.split())
    return "".join(part if part in _HARD_SPACES else " ".join(part.split()) for part in _HARD.split(clean))


def printable(text: str) -> str:
    """Return a mail server's text as one line for logs and terminals, with only printable characters.

    This is stricter than `one_line`: joiners and unassigned characters become spaces too. Only U+FFFD stays,
    because it shows that the server's bytes were not UTF-8.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())


def has_controls(text: str) -> bool:
    """Return whether `text` contains a line end or control character, either of which could end a header."""
    return bool(_CONTROL.search(text))


def without_addresses(text: str) -> str:
    """Return `text` with "…" in place of each word that has an "@" in it.

    A server's texts are kept after a reader's data has been erased, so they must not contain the address. A
    server may spell an address in a way that is not found here, such as "ada at example.org".
    """
    return _ADDRESS.sub("…", text) if "@" in text else text  # most texts have none, and this is fast
