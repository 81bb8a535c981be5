"""Plain text as a mail wants it: one clean line, whole sentences, cuts that read well."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from subscribers.text import one_line

BLURB = 240  # characters a blurb may have, about
_SHORT = 60  # a first sentence this short calls for more
_ELLIPSIS = "…"

# Invisible characters that hide words from filters. An editor may write them, a feed may not.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u2060-\u2065\u206a-\u206f]")
_MARK = "[\u0300-\u036f\u0483-\u0489\u20d0-\u20ff]"
_PILED_MARKS = re.compile(f"({_MARK}{{3}}){_MARK}+")

_CLOSERS = "\"'”’“»)\\]」』）】"
_END = re.compile(rf"(?:[.!?…‽؟۔।॥]+[{_CLOSERS}]*(?:\s[»›])?(?=\s|$)|[。！？]+[{_CLOSERS}]*)")
_NO_SPACE_AFTER = tuple("。！？」』）】")  # Chinese and Japanese run sentences together
# Single quotation marks are left out: most of them are apostrophes.
_PAIRS = {
    "(": ")", "[": "]", "{": "}", '"': '"', "“": "”", "„": "“”", "«": "»", "‹": "›",
    "「": "」", "『": "』", "（": "）", "【": "】",
}  # fmt: skip
_WORD = re.compile(r"\w+")
_INITIALS = re.compile(r"(?:[^\W\d]\.)*[^\W\d]")  # "J", "U.S", "e.g"
_TITLES = """mr mrs ms dr prof rev hon st sr jr sen rep gov gen col lt capt sgt maj adm nos vs etc al approx
    est inc ltd corp co bros dept pp ed eds cf resp bzw ca usw nr str mme mlle ph.d mt ft"""
_BEFORE_NUMBERS = "no fig vol art ch sec jan feb mar apr jun jul aug sep sept oct nov dec"
_ABBREVIATIONS = frozenset(_TITLES.split())
_NUMBERED = frozenset(_BEFORE_NUMBERS.split())


def feed_line(text: str, limit: int | None = None) -> str:
    """Return text of a feed on one line; more is taken out than by `one_line`, because anybody may write it.

    Invisible characters go, marks are not piled up, and letters are composed (NFC). With `limit`
    (characters) a longer text is cut at a word and ends in "…".
    """
    line = unicodedata.normalize("NFC", one_line(_INVISIBLE.sub("", text)))
    line = _PILED_MARKS.sub(r"\1", line)
    return line if limit is None else cut(line, limit)


def cut(line: str, limit: int) -> str:
    """Return at most `limit` characters of `line`, cut at a word, ending in "…" when anything is missing."""
    if len(line) <= limit:
        return line
    end = line.rfind(" ", limit // 2, limit)
    if end < 0:
        end = _between_letters(line, limit - 1)
    return line[:end].rstrip(" ,;:–—-([“‘«'\".…") + _ELLIPSIS


def sentences(line: str) -> tuple[str, ...]:
    """Split one line into sentences; together they give the line again, but for the spaces between.

    A sentence does not end within brackets or a quotation, unless those are longer than a blurb.
    """
    found = []
    start = 0
    for match in _END.finditer(line):
        if _ends_sentence(line, match, start) and not _is_within(
            line[start : start + BLURB], match.end() - start
        ):
            found.append(line[start : match.end()].strip())
            start = match.end()
    rest = line[start:].strip()
    return tuple(sentence for sentence in (*found, rest) if sentence)


def is_whole(sentence: str) -> bool:
    """Say whether a text ends as a sentence does, rather than in the middle of one."""
    bare = sentence.rstrip("\"'”’“»)]」』）】 ")
    return bare.endswith(tuple(".!?‽؟۔।॥。！？")) and not bare.endswith(("..", "…"))


def same_words(one: str, other: str) -> bool:
    """Say whether two texts are made of the same words, whatever their order, case and punctuation.

    One word in eight may differ: publishers like to repeat a headline with a small change.
    """
    left, right = (set(_WORD.findall(text.casefold())) for text in (one, other))
    if not left or not right:
        return left == right
    return len(left & right) >= 7 / 8 * max(len(left), len(right))


def blurb(paragraphs: Sequence[str], title: str) -> str:
    """Return one or two whole sentences of the first of `paragraphs`, never the title once more.

    At most 240 characters; where no whole sentence fits, the text is cut at a word.
    """
    told = _without_title(paragraphs, title)
    if not told:
        return ""
    first, rest = told[0], told[1:]
    if len(first) > BLURB:
        return cut(first, BLURB)
    if not rest or not is_whole(first) or (len(first) >= _SHORT and rest[0].endswith("?")):
        return first
    gap = "" if first.endswith(_NO_SPACE_AFTER) else " "
    if len(both := f"{first}{gap}{rest[0]}") <= BLURB:
        return both if is_whole(rest[0]) else first
    return first if len(first) >= _SHORT else cut(both, BLURB)


def _without_title(paragraphs: Sequence[str], title: str) -> list[str]:
    """Return the sentences of the first paragraphs, as long as they run on, the title left out."""
    told: list[str] = []
    for paragraph in paragraphs:
        fresh = list(sentences(_after_title(paragraph, title)))
        while not told and fresh and same_words(fresh[0], title):
            del fresh[0]
        told += fresh
        if len(told) > 1 or (told and not is_whole(told[-1])):
            break
    return told


def _after_title(paragraph: str, title: str) -> str:
    """Cut a title off the front of a text that begins with it and goes on with a new thought."""
    if len(title.split()) < 3 or not paragraph.casefold().startswith(title.casefold()):
        return paragraph
    rest = paragraph[len(title) :].lstrip(" :–—-.|·…")
    return rest if rest[:1].isupper() else paragraph


def _ends_sentence(line: str, match: re.Match[str], start: int) -> bool:
    """Say whether a mark ends a sentence, and not an abbreviation, an initial or an ordinal."""
    following = line[match.end() :].lstrip()
    if following[:1].islower():
        return False
    if match.group()[0] != "." or not following:
        return True
    word = line[start : match.start()].rsplit(" ", 1)[-1].lstrip("(“‘\"'«[")
    if word.isdigit():
        return len(word) > 2
    if word.casefold() in _NUMBERED:
        return not following[0].isdigit()
    return not _INITIALS.fullmatch(word) and word.casefold() not in _ABBREVIATIONS


def _is_within(text: str, end: int) -> bool:
    """Say whether brackets or a quotation are open at `end` that are closed later in `text`."""
    closers: list[str] = []
    for at, char in enumerate(text[:end]):
        if closers and char in closers[-1]:
            closers.pop()
        elif char in _PAIRS and not (char == '"' and text[at - 1 : at].isalnum()):  # 5" is a measure
            closers.append(_PAIRS[char])
    return bool(closers) and any(char in closers[0] for char in text[end:])


def _between_letters(line: str, end: int) -> int:
    """Step back to where no letter is torn from its marks, nor an emoji into its parts."""
    while end > 1 and (
        unicodedata.combining(line[end])
        or line[end] in "\u200c\u200d\ufe0e\ufe0f"
        or line[end - 1] in "\u200d"
        or "\U0001f3fb" <= line[end] <= "\U0001f3ff"
    ):
        end -= 1
    return end
