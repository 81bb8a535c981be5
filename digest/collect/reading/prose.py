"""Prepare plain text for emails: clean a line, split it into sentences, shorten it, make a blurb."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from digest.collect.reading.noise import is_line
from digest.collect.wording.trim import (
    is_picture_credit,
    without_addresses,
    without_credit,
    without_hashtags,
    without_opening,
    without_references,
)
from subscribers.text import one_line

BLURB = 240  # characters of a blurb at most
_SHORT = 60  # characters; if the first sentence is shorter, the blurb gets a second one
_ELLIPSIS = "…"
_COLONS = (":", "：")
_OPENERS = tuple('"“„«‹「『‘')
_PART = 3  # words of a title that a blurb does not repeat
_LABEL = 2  # words of a label before a text: "In short:"
_CRY = 3  # words of a greeting: "Happy Monday!"
_CUT = re.compile(r"\s*(?:\[\s?(?:…|\.{3})\s?\]|\(\s?(?:…|\.{3})\s?\)|…|\.{3,9})\s*$")

# Invisible characters can hide words from filters. Editors may use them, but they are removed from feeds.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u2060-\u2065\u206a-\u206f]")
_MARK = "[\u0300-\u036f\u0483-\u0489\u20d0-\u20ff]"
_PILED_MARKS = re.compile(f"({_MARK}{{3}}){_MARK}+")

_CLOSERS = "\"'”’“»)\\]」』）】"
_END = re.compile(rf"(?:[.!?…‽؟۔।॥።։]+[{_CLOSERS}]*(?:\s[»›])?(?=\s|$)|[。！？]+[{_CLOSERS}]*)")
_NO_SPACE_AFTER = tuple("。！？」』）】")  # Chinese and Japanese run sentences together
# Single quotation marks are left out: most of them are apostrophes.
_PAIRS = {
    "(": ")", "[": "]", "{": "}", '"': '"', "“": "”", "„": "“”", "«": "»", "‹": "›",
    "「": "」", "『": "』", "（": "）", "【": "】",
}  # fmt: skip
_WORD = re.compile(r"\w+")
_VERB = "(?:is|ist|est|es|è|é|writes|schreibt|écrit|escribe|covers)"
_INITIALS = re.compile(r"(?:[^\W\d]\.)*[^\W\d]")  # "J", "U.S", "e.g"
_TITLES = """mr mrs ms dr prof rev hon st sr jr sen rep gov gen col lt capt sgt maj adm nos vs etc al approx
    est inc ltd corp co bros dept pp ed eds cf resp bzw ca usw nr str mme mlle ph.d mt ft
    mio mrd evtl ggf inkl vgl abs hrsg jh jhd std tel zzgl sog mgr env éd sra srta dra uds pág núm ee uu
    sig sig.ra dott avv ing pag exmo dhr mevr bijv blz enz drs mw prov ул им руб тыс млн млрд см"""
_BEFORE_NUMBERS = "no fig vol art ch sec jan feb mar apr jun jul aug sep sept oct nov dec"
_ABBREVIATIONS = frozenset(_TITLES.split())
_NUMBERED = frozenset(_BEFORE_NUMBERS.split())


def feed_line(text: str, limit: int | None = None) -> str:
    """Return a feed's text on one line, cleaned more strictly than by `one_line`.

    Invisible characters and piled-up marks are removed, and letters are composed (NFC). With `limit`
    (characters), a longer text is cut at a word and ends in "…".
    """
    line = unicodedata.normalize("NFC", one_line(_INVISIBLE.sub("", text)))
    line = _PILED_MARKS.sub(r"\1", line)
    return line if limit is None else cut(line, limit)


def cut(line: str, limit: int) -> str:
    """Return at most `limit` characters of `line`, cut at a word, with "…" at the end if it was longer."""
    if len(line) <= limit:
        return line
    end = line.rfind(" ", limit // 2, limit)
    if end < 0:
        end = _between_letters(line, limit - 1)
    bracket = max(line.rfind(mark, limit // 2, end) for mark in "([")
    if bracket > 0 and not re.search(r"[)\]]", line[bracket:end]):
        end = bracket  # what stands in brackets would not be closed
    return line[:end].rstrip(" ,;:–—-([“‘«'\".…") + _ELLIPSIS


def sentences(line: str) -> tuple[str, ...]:
    """Split one line into its sentences; nothing is lost but the spaces between them.

    A sentence does not end inside brackets or a quotation, unless these are longer than a blurb.
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
    """Return whether a text ends with the end of a sentence."""
    bare = sentence.rstrip("\"'”’“»)]」』）】 ")
    return bare.endswith(tuple(".!?‽؟۔।॥።։。！？")) and not bare.endswith(("..", "…"))


def words_of(text: str) -> set[str]:
    """Return the words of a text, case-folded."""
    return set(_WORD.findall(text.casefold()))


def same_words(one: str, other: str) -> bool:
    """Return whether two texts have the same words; order, case and punctuation do not matter.

    One word in eight may differ, because publishers often repeat a headline with a small change.
    """
    left, right = words_of(one), words_of(other)
    if not left or not right:
        return left == right
    return len(left & right) >= 7 / 8 * max(len(left), len(right))


def is_cut(text: str) -> bool:
    """Return whether a text breaks off, as the excerpts do that programs make."""
    return bool(_CUT.search(text))


def told(paragraph: str, names: Sequence[str] = ()) -> Iterator[str]:
    """Yield the sentences of a paragraph without bare addresses, credits, datelines, bylines and hashtags.

    `names` are those of the post's author and sources; alone, they are no sentence.
    """
    bare = without_opening(without_references(without_hashtags(paragraph)))
    text = _CUT.sub(_ELLIPSIS, _without_byline(bare, names))
    parts = sentences(text)
    if len(paragraph) <= BLURB and any(map(is_picture_credit, parts[1:])):
        return  # it is the text under a picture
    for sentence in parts:
        said = without_addresses(without_credit(sentence))
        noise = is_line(said) or _is_figures(said) or _tells_of(said, names)
        if said and said not in names and not noise:
            yield said


def _tells_of(sentence: str, names: Sequence[str]) -> bool:
    """Return whether a sentence introduces the author or the site: "Ada Lind is a reporter"."""
    return any(
        " " in name and re.match(rf"(?:the )?{re.escape(name)},? {_VERB}\b", sentence, re.IGNORECASE)
        for name in names
    )


def _is_figures(sentence: str) -> bool:
    """Return whether a sentence has more digits than letters: a time stamp, or a version."""
    digits = sum(map(str.isdigit, sentence))
    return digits > sum(map(str.isalpha, sentence))


def blurb(paragraphs: Sequence[str], title: str, names: Sequence[str] = ()) -> str:
    """Return one or two whole sentences from the first of `paragraphs`, without repeating the title.

    The blurb has at most 240 characters. If no whole sentence fits, the text is cut at a word. `names` are
    those of the post's author and sources, as in `told`.
    """
    found = _without_colon(_without_title(paragraphs, title, names))
    if not found:
        return ""
    first, rest = found[0], found[1:]
    if len(first) > BLURB:
        return cut(first, BLURB)
    if not rest or not is_whole(first) or (len(first) >= _SHORT and rest[0].endswith("?")):
        return first
    gap = "" if first.endswith(_NO_SPACE_AFTER) else " "
    if len(both := f"{first}{gap}{rest[0]}") <= BLURB:
        return both if is_whole(rest[0]) else first
    return first if len(first) >= _SHORT else cut(both, BLURB)


def _without_title(paragraphs: Sequence[str], title: str, names: Sequence[str]) -> list[str]:
    """Return the sentences of the first paragraphs, until there are two, without the title."""
    found: list[str] = []
    for number, paragraph in enumerate(paragraphs, start=1):
        fresh = list(told(_after_title(paragraph, title), names))
        while not found and fresh and (_repeats(fresh[0], title, names) or _is_label(fresh[0])):
            del fresh[0]
        if not found and fresh and _is_cry(fresh[0]) and (fresh[1:] or paragraphs[number:]):
            del fresh[0]
        found += fresh
        if len(found) > 1 or (found and not is_whole(found[-1]) and not found[-1].endswith(_COLONS)):
            break
    return found


def _repeats(sentence: str, title: str, names: Sequence[str]) -> bool:
    """Return whether a sentence says what the title says, with or without a name, or its beginning."""
    if same_words(sentence, title) or any(same_words(sentence, f"{title} {name}") for name in names):
        return True
    start = sentence.rstrip(" .…!").casefold()
    return len(start.split()) >= _PART and title.casefold().startswith(start)


def announces(sentence: str) -> bool:
    """Return whether a sentence only announces what follows: "These are the reasons:"."""
    return sentence.endswith(_COLONS) and not _is_label(sentence)


def _is_label(sentence: str) -> bool:
    return sentence.endswith(_COLONS) and len(sentence.split()) <= _LABEL


def _is_cry(sentence: str) -> bool:
    """Return whether a sentence is a greeting, or another few words that say nothing alone."""
    return sentence.endswith("!") and len(sentence.split()) <= _CRY and not any(map(str.isdigit, sentence))


def _without_colon(found: Sequence[str]) -> list[str]:
    """Return sentences of which none announces what is not shown; a quotation after a colon belongs to it."""
    kept = list(found)
    for at, sentence in enumerate(kept[:2]):
        if not sentence.endswith(_COLONS):
            continue
        following = kept[at + 1] if at + 1 < len(kept) else ""
        if following.startswith(_OPENERS):
            return [*kept[:at], f"{sentence} {following}", *kept[at + 2 :]]
        stop = "。" if sentence.endswith("：") else "."
        return kept[:at] if at else [sentence[:-1].rstrip() + stop]
    return kept


def _without_byline(text: str, names: Sequence[str]) -> str:
    """Return a text without "By" and the author's name at its beginning, if something follows."""
    for name in names:
        found = re.match(rf"(?:[Bb][Yy]\s+)?{re.escape(name)}\s*[,|:–—-]+\s+", text)
        found = found or re.match(rf"[Bb][Yy]\s+{re.escape(name)}\s+(?=\S)", text)
        if found and len(text) - found.end() >= _SHORT:
            return text[found.end() :]
    return text


def _after_title(paragraph: str, title: str) -> str:
    """Return a paragraph without the title at its beginning, if a new sentence follows it."""
    start = title.removesuffix(_ELLIPSIS)
    if len(title.split()) < 3 or not paragraph.casefold().startswith(start.casefold()):
        return paragraph
    if start != title:
        return " ".join(sentences(paragraph)[1:])  # the title is the beginning of the first sentence
    rest = paragraph[len(title) :].lstrip(" :–—-.|·…")
    return rest if rest[:1].isupper() or not rest or rest in title else paragraph


def _ends_sentence(line: str, match: re.Match[str], start: int) -> bool:
    """Return whether a mark ends a sentence, and not an abbreviation, an initial or an ordinal."""
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
    """Return whether brackets or a quotation are open at `end` and closed later in `text`."""
    closers: list[str] = []
    for at, char in enumerate(text[:end]):
        if closers and char in closers[-1]:
            closers.pop()
        elif char in _PAIRS and not (char == '"' and text[at - 1 : at].isalnum()):  # 5" is a length
            closers.append(_PAIRS[char])
    return bool(closers) and any(char in closers[0] for char in text[end:])


def _between_letters(line: str, end: int) -> int:
    """Return the last position up to `end` that separates no letter from its marks and splits no emoji."""
    while end > 1 and (
        unicodedata.combining(line[end])
        or line[end] in "\u200c\u200d\ufe0e\ufe0f"
        or line[end - 1] in "\u200d"
        or "\U0001f3fb" <= line[end] <= "\U0001f3ff"
    ):
        end -= 1
    return end
