"""Turn the names of authors, as feeds write them, into a byline for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from digest.collect.wording.table import any_of, small
from digest.model.tags import fold

_ADDRESS = re.compile(r"(?:mailto:)?[(<\[]?[^\s@()<>\[\]]+@[^\s@()<>\[\]]+[)>\]]?")
_LINK = re.compile(
    r"(?:https?://|www\.)\S+|^[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|info|blog|co|io|news|[a-z]{2})(?:/\S*)?$",
    re.IGNORECASE,
)
_BY = re.compile(any_of("by"), re.IGNORECASE)
_NOBODY = re.compile(any_of("nobody"))
_STAFF = re.compile(
    r"\b(?:the|staff|team|editors?|editorial|desk|newsroom|writers?|reporters?|redaktion|redaction|rédaction|redacción|redazione|redação|redactie|news|admin|blog|online|la|de|die|da|فريق|تحرير|редакция)\b"
)
_JOBS = (
    r"(?:editor|correspondent|reporter|writer|columnist|critic|redakteur(?:in)?|korrespondent(?:in)?|reporterin"
    r"|journalist(?:in|e)?|rédact(?:eur|rice)|correspondante?|redactora?|corresponsal|periodista)"
)
_JOB = re.compile(rf",\s(?:[\w’'-]+\s){{0,4}}{_JOBS}$", re.IGNORECASE)
# "Ada Quill Deputy political editor": the last capital before the small letters begins the job.
_DESK = re.compile(
    r"(?P<name>(?:[A-ZÀ-Þ][\w.’'-]+ ){2,3})[A-ZÀ-Þ][\w-]+(?: (?!senior|chief|staff|contributing)[\w-]+){0,4} "
    + _JOBS
)
_LEFT_OVER = re.compile(r"^\W*\w{0,4}\W*\((?=[^()]+$)")  # "a (Ada Quill": an address was torn off
_MANY, _LONG = 4, 80  # authors; characters
_SURNAME = re.compile(r"([^\W\d][\w’'-]{1,40}), ((?:[^\W\d_]\.[- ]?){1,4})(?<=\.)")  # "Quill, A. B."
_SURNAMES = re.compile(rf"{_SURNAME.pattern}(?:[,;]?\s{_SURNAME.pattern}){{0,200}}")
_SUBTITLE = re.compile(r"\s+[–—|»:·-]\s+|:\s|\s[|»]")
_NUMBER = re.compile(r"[0-9a-f]{12,}|\d+|[a-z]+[-_]?\d{3,}", re.IGNORECASE)
_SPLIT = re.compile(r"\s*(?:;|\||\s/\s|\n|،)\s*")
_CAPITALS = re.compile(r"[^\W\d_]+(?:[’'-][^\W\d_]+)*|[^\W\d_]\.")
_VOWEL = re.compile(r"[AEIOUYÀ-ÖØ-ÝĀ-ſΑ-ΩА-Я]")
_KNOWN = """nasa nato esa unesco unicef ansa efe afp ap upi dpa apa ians ani pti aap tass bbc cnn npr abc cbs
    nbc usa uk eu un uno news staff team desk tv fm am pm ai it"""
_ABBREVIATIONS = frozenset(_KNOWN.split())
_BETWEEN = "von van de der den da di do dos das du la le el al bin bint ibn and und et y e i en och og"
_SMALL = frozenset(_BETWEEN.split())


@lru_cache(maxsize=4_096)  # a feed has few authors
def byline(names: tuple[str, ...], site: str = "") -> str:
    """Return the names of a post's authors in one text, or "" if no person is named.

    Names of accounts ("admin"), addresses, links and the name of the `site` itself are left out.
    """
    people = (_person(part, site) for name in names for part in _parts(_ADDRESS.sub(" ", name)))
    kept: dict[str, str] = {}
    for person in filter(None, people):
        kept.setdefault(fold(person), person)
    return _few(list(kept.values()))


def _few(people: list[str]) -> str:
    """Return names in one text; of a long list only the first, because nobody reads the others."""
    every = ", ".join(people)
    return every if len(people) < _MANY or len(every) <= _LONG else f"{people[0]} et al."


def _parts(text: str) -> Iterator[str]:
    """Yield the names in a text; commas divide it only if something else than a person is named in it."""
    for part in _SPLIT.split(text):
        if _SURNAMES.fullmatch(part.strip()):
            yield from (f"{initials} {surname}" for surname, initials in _SURNAME.findall(part))
            continue
        pieces = [piece.strip() for piece in part.split(",")]
        yield from pieces if any(_NOBODY.fullmatch(small(piece)) for piece in pieces) else [part]


def _person(name: str, site: str) -> str:
    shown = _LINK.sub("", _LEFT_OVER.sub("", " ".join(name.split())).strip()).strip()
    shown = shown[1:-1] if shown[:1] + shown[-1:] in ("()", "[]", '""', "“”") else shown
    shown = _BY.sub("", shown, count=1) if _BY.match(shown) else shown
    shown = shown.strip(" ,;:|–—-_@/")
    if not any(char.isalpha() for char in shown) or _is_nobody(shown, site):
        return ""
    return _capitalised(_without_job(shown))


def _without_job(name: str) -> str:
    """Return a name without what the person does: "Ada Quill, science editor"."""
    bare = _JOB.sub("", name)
    desk = _DESK.fullmatch(bare)
    return desk["name"].strip() if desk else bare


def _is_nobody(name: str, site: str) -> bool:
    key = fold(small(name))
    return bool(_NOBODY.fullmatch(key) or _NUMBER.fullmatch(key)) or is_same_site(name, site)


def is_same_site(name: str, site: str) -> bool:
    """Return whether a name is that of the site, perhaps with "staff"; titles of sites may have subtitles."""
    homes = {home for part in (site, *_SUBTITLE.split(site)) if (home := fold(small(part)))}
    mine = fold(small(name))
    bare = " ".join(_STAFF.sub(" ", mine).split())
    joined = mine.replace(" ", "")
    return any(
        joined == home.replace(" ", "") or (bare and bare == " ".join(_STAFF.sub(" ", home).split()))
        for home in homes
    )


def is_own_name(name: str, site: str, host: str) -> bool:
    """Return whether a publication is the site itself, by its title or by its host ("Engadget")."""
    mine, title = (fold(small(text)).removeprefix("the ") for text in (name, site))
    label = fold(host.partition(".")[0]).replace(" ", "")
    return is_same_site(mine, title) or mine.replace(" ", "") == label or f"{title} ".startswith(f"{mine} ")


def _capitalised(name: str) -> str:
    """Return a name that is all in capitals as names are written, unless it has an abbreviation."""
    words = name.split()
    if len(words) < 2 or not name.isupper():
        return name
    if any(word.lower() in _ABBREVIATIONS or not _CAPITALS.fullmatch(word.strip(",")) for word in words):
        return name
    if any(len(word) > 2 and not _VOWEL.search(word) for word in words):
        return name
    return " ".join(_word(word, first=not at) for at, word in enumerate(words))


def _word(word: str, *, first: bool) -> str:
    if word.lower() in _SMALL and not first:
        return word.lower()
    if word.startswith("MC") and len(word) > 3:
        return f"Mc{word[2:].capitalize()}"
    return "".join(part.capitalize() if part.isalpha() else part for part in re.split(r"([^\W\d_]+)", word))
