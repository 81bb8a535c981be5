"""Find keywords in texts as people mean them: whole words, in any script, without accents.

- Letters are compared without case, accents and apostrophes. A keyword in capitals ("US", "IT", "AT&T"), or a
  short one that has some ("Go", "iOS"), is found only as it is written.
- `+`, `#` and a point that belong to a word are a part of it: "C++", "C#", ".NET", "Node.js". "A.I." is "AI".
- A hyphen is a space or nothing: "night-train" is "night train", "e-mail" is "email".
- A star at the end leaves the end open: "klima*" is found in "Klimaschutz".
- The plural is found too, by the rules of the site's language, and words that Arabic, Hebrew and Korean write
  together with a short word before or after them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from html import unescape

from digest.model.tags import keys_of, plain

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_LETTER = rf"[^\W_{_UNSPACED}]|(?<=[^\W_])[\u0900-\u0903\u093a-\u094f\u0962\u0963\u0981-\u0dff]"
_WORD = re.compile(
    rf"[{_UNSPACED}]"
    r"|(?:[^\W\d_]\.){2,}(?:[^\W\d_]\b)?"  # A.I.
    rf"|(?:(?<![\w.])\.)?(?:{_LETTER})+(?:(?:\.(?=[a-z0-9])|&)(?:{_LETTER})+)*[+#]*"
)
_JOINT = re.compile(r"(?<=[^\W\d_])(?:['’ʼ‘`]|-|‐|‑)(?=[^\W\d_])")
_APOSTROPHE = re.compile(r"['’ʼ‘`]")
_SHORT = 3  # letters of a keyword with a capital that is found only as it is written
_STEM = 3  # letters that remain of a word without its ending

Line = tuple[str, ...]  # the words of a text


class Text:
    """Several texts of one story, prepared for many keywords; a phrase does not go across two of them."""

    __slots__ = ("_folded", "_written", "words")

    def __init__(self, texts: Iterable[str]) -> None:
        self._written = tuple(line for text in texts for line in _lines(text))
        self._folded = tuple(tuple(map(str.casefold, line)) for line in self._written)
        self.words = frozenset(word for line in (*self._folded, *self._written) for word in line)

    def has(self, keyword: Keyword, *, inflected: bool = False) -> bool:
        """Return whether the keyword is in one of the texts; with `inflected`, also in another form."""
        lines = self._written if keyword.as_written else self._folded
        phrases = keyword.inflected if inflected else keyword.exact
        return any(_is_in(phrase, lines, self.words, is_open=keyword.is_open) for phrase in phrases)


Phrase = tuple[frozenset[str], ...]  # the forms of each of its words


class Keyword:
    """A keyword of a topic, prepared for many texts. `text` is as the operator wrote it."""

    __slots__ = ("as_written", "exact", "inflected", "is_open", "keys", "text")

    def __init__(self, text: str, language: str) -> None:
        self.text = text
        bare = unescape(text).strip()
        self.is_open = bare.endswith("*")
        bare = bare.rstrip("*")
        self.as_written = _is_as_written(bare)
        # A keyword may be the whole of a tag: publishers write tags without capitals ("ai").
        self.keys = frozenset() if self.is_open else keys_of(bare)
        written = [line for line in dict.fromkeys(_lines(bare)) if line]
        lines = written if self.as_written else [tuple(map(str.casefold, line)) for line in written]
        self.exact = tuple(tuple(frozenset((word,)) for word in line) for line in lines)
        self.inflected = tuple(tuple(forms(word, language) for word in line) for line in lines)


class Keywords:
    """The keywords of a topic. A keyword is looked for only in texts that have its first word."""

    __slots__ = ("_every", "_exact", "_inflected", "_keys", "_open")

    def __init__(self, texts: Iterable[str], language: str) -> None:
        self._every = [Keyword(text, language) for text in texts]
        self._exact = _first_words(each.exact for each in self._every)
        self._inflected = _first_words(each.inflected for each in self._every)
        self._keys = _filed((key, number) for number, each in enumerate(self._every) for key in each.keys)
        self._open = {number for number, each in enumerate(self._every) if each.is_open}

    def find(self, text: Text, tags: frozenset[str], *, inflected: bool) -> str | None:
        """Return the first keyword that is in the text, or is one of the `tags` (keys), as it is written."""
        firsts = self._inflected if inflected else self._exact
        tagged = {number for key in self._keys.keys() & tags for number in self._keys[key]}
        likely = {number for word in firsts.keys() & text.words for number in firsts[word]}
        for number in sorted(self._open | tagged | likely):
            keyword = self._every[number]
            if number in tagged or text.has(keyword, inflected=inflected):
                return keyword.text
        return None


def _first_words(phrases: Iterable[Iterable[Phrase]]) -> Mapping[str, Sequence[int]]:
    return _filed(
        (form, number) for number, each in enumerate(phrases) for phrase in each for form in phrase[0]
    )


def _filed(pairs: Iterable[tuple[str, int]]) -> Mapping[str, Sequence[int]]:
    filed: defaultdict[str, list[int]] = defaultdict(list)
    for name, number in pairs:
        filed[name].append(number)
    return filed


def _is_as_written(keyword: str) -> bool:
    letters = [char for char in keyword if char.isalpha()]
    if not any(char.isupper() for char in letters):
        return False
    return all(char.isupper() for char in letters) or len(letters) <= _SHORT


def _lines(text: str) -> Iterator[Line]:
    """Yield the words of a text with capitals: hyphens and apostrophes as spaces, and as nothing."""
    bare = plain(unescape(text))
    yield _words(_JOINT.sub(" ", bare))
    if _JOINT.search(bare):
        yield _words(_JOINT.sub("", bare))


def _words(text: str) -> Line:
    return tuple(
        word.replace(".", "") if "." in word.rstrip(".")[1:2] else word for word in _WORD.findall(text)
    )


def _is_in(phrase: Phrase, lines: Iterable[Line], words: frozenset[str], *, is_open: bool) -> bool:
    whole = phrase[:-1] if is_open else phrase
    if any(each.isdisjoint(words) for each in whole):
        return False
    return any(
        all(_fits(phrase, at, line[start + at], is_open=is_open) for at in range(len(phrase)))
        for line in lines
        for start in range(len(line) - len(phrase) + 1)
    )


def _fits(phrase: Phrase, at: int, word: str, *, is_open: bool) -> bool:
    if is_open and at == len(phrase) - 1:
        return any(word.startswith(form) for form in phrase[at])
    return word in phrase[at]


# ── forms of a word ─────────────────────────────────────────────────────────────────────────

# The endings of singular and plural, without accents.
_ENDINGS: Mapping[str, Sequence[tuple[str, str]]] = {
    language: [(pair.split("/")[0], pair.split("/")[1]) for pair in pairs.split()]
    for language, pairs in {
        "ar": "/ات ة/ات /ون /ين",
        "da": "/er /e /r",
        "de": "/en /n /e /s /nen",
        "en": "/s ch/ches sh/shes s/ses x/xes y/ies o/oes",
        "es": "/s /es z/ces",
        "fr": "/s /x al/aux ail/aux",
        "it": "o/i a/e e/i co/chi go/ghi ca/che ga/ghe",
        "nb": "/er /e /r",
        "nl": "/en /s",
        "pl": "/y /i a/y a/i",
        "pt": "/s /es ao/oes al/ais el/eis ol/ois m/ns",
        "ru": "/ы /и /а а/ы а/и я/и ь/и о/а е/я й/и",
        "sv": "/ar /er /or /r /n a/or",
        "tr": "/lar /ler",
    }.items()
}
_OTHER_WORDS = frozenset(("arms", "customs", "goods", "news", "windows"))  # are no plurals, or mean more
_BEFORE = {
    "hebrew": "ב ה ו כ ל מ ש וב וה ול ומ בה כש מה שה",
    "arabic": "ال و ف ب ك ل وال بال لل فال كال ولل وب ول",
}
_AFTER = (
    "은 는 이 가 을 를 의 에 에서 에게 로 으로 와 과 도 만 부터 까지 께서 한테 처럼 보다 라고 들 들이 들은"
)


@lru_cache(maxsize=4_096)
def forms(word: str, language: str) -> frozenset[str]:
    """Return the word, its singulars and plurals, and itself with short words that may be joined to it."""
    found = {word, *_joined(word)}
    if word.isupper() and word.isascii():
        return frozenset((word, word + "s") if len(word) > 1 else (word,))
    if word.casefold() in _OTHER_WORDS or len(word) < _STEM:
        return frozenset(found)
    for singular, plural in _ENDINGS.get(language.partition("-")[0].lower(), ()):
        if word.endswith(singular):
            found.add(word[: len(word) - len(singular)] + plural)
        stem = word[: len(word) - len(plural)]
        if word.endswith(plural) and len(stem) > _STEM and not word.endswith(("ss", "us", "is")):
            found.add(stem + singular)
    return frozenset(found - _OTHER_WORDS | {word})


def _joined(word: str) -> Iterator[str]:
    name = unicodedata.name(word[0], "")
    for script, before in _BEFORE.items():
        if name.startswith(script.upper()) and len(word) >= _STEM:
            yield from (each + word for each in before.split())
            if script == "arabic" and word.startswith("ال"):
                yield word[2:]
    if name.startswith("HANGUL") and len(word) > 1:
        yield from (word + each for each in _AFTER.split())
