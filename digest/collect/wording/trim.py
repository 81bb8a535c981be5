"""Trim a sentence: take off datelines, credits, bare addresses and hashtags around what it says."""

from __future__ import annotations

import re

_START = (
    r"(?:https?://|www\.|[\w-]{1,63}(?:\.[\w-]{1,63}){0,3}\.(?:com|org|net|fm|io|co|tv|me|ly|info|[a-z]{2})/)"
)
_ADDRESS = rf"{_START}[^\s<>\"“”]+"
_BARE = re.compile(_ADDRESS, re.IGNORECASE)
_IN_BRACKETS = re.compile(
    rf"\s*[(\[][^()\[\]]{{0,80}}{_START}[^\s()\[\]]{{1,500}}[^()\[\]]{{0,40}}[)\]]", re.IGNORECASE
)
# Nothing here is tried twice, because a line of dashes or dots would otherwise take seconds.
_AT_END = re.compile(
    rf"(?:(?<=^)|(?<=[^\s:–—→>-]))[\s:–—→>-]*+{_START}[^\s<>\"“”]++(?:\s[\s.]*)?$", re.IGNORECASE
)
# Such a sentence only leads to the address after it.
_LEADS = re.compile(
    r"\W*(?:check out|watch|visit|read|see|follow|subscribe|support|join|get|buy|order|donate|listen|download"
    r"|sign up|learn|find|shop|book|register|tickets|links?|website|web|homepage|twitter|instagram|facebook"
    r"|youtube|tiktok|patreon|discord|merch|more|info|mehr|voir|ver|vedi)\b",
    re.IGNORECASE,
)
_ENOUGH = 4  # words of a sentence that stays without the address at its end

_HASHTAGS = re.compile(r"(?:\s*#[^\s#]{1,60}){2,40}\s*$|(?<=[.!?…。！？؟])(?:\s*#[^\s#]{1,60}){1,40}\s*$")

_CREDIT = re.compile(
    r"[(\[](?:photo|image|picture|video|illustration|source|credit|courtesy|foto|bild|crédit|imagen|imagem"
    r"|immagine|صورة|фото)[^()\[\]]{0,120}[)\]][\s.]*",
    re.IGNORECASE,
)
_CREDITED = re.compile(
    r"\W*(?:photo|image|picture|foto|bild|crédit|imagen|imagem|immagine|صورة|تصوير|фото|写真)s?"
    r"(?: credits?| by| courtesy(?: of)?)?\s*[:©/]",
    re.IGNORECASE,
)
_MAKER = r"(?-i:[A-ZÀ-Þ])[\w.’'-]{0,30}"
_MADE_BY = re.compile(
    r"\W*(?:photo(?:graph)?|image|picture|illustration|foto|bild|photographie|fotografía)s?\s(?:by|von|de|par|di)"
    rf"\s{_MAKER}(?:[\s/]{{1,2}}(?:and |und |et |y |for )?{_MAKER}){{0,5}}\W*",
    re.IGNORECASE,
)
_CAPITAL = r"[^\W\d_a-zß-öø-ÿа-я]"
_NAME = rf"{_CAPITAL}[\w.’'-]{{0,30}}"
_PLACE = rf"{_NAME}(?:[ -]{_NAME}|\s(?:de|la|del|of|am|an der|the|upon|sur|di|da)\s{_NAME}){{0,3}}"
_DATELINE = re.compile(
    rf"(?P<place>{_PLACE})(?P<more>(?:,\s[\w.’' ]{{2,30}}){{0,2}})(?P<agency>\s?\([\w.&/’' -]{{2,40}}\))?"
    rf"\s?(?:[–—]|-{{1,2}}(?=\s))\s?(?=[\"“„«‘'(]?{_CAPITAL})"
)
_INSERTED = re.compile(r"[^.!?]{0,150}\s[–—-]{1,2}\s")
_SHORT_NAME = 3  # letters; a shorter word in capitals may be an abbreviation
_DATELINE_LIMIT = 70  # characters
_AGENCY = re.compile(
    r"\b(?:AP|AFP|Reuters|dpa|EFE|ANSA|UPI|PTI|IANS|Xinhua|TASS|CNN|BBC|KNA|epd|APA|ATS|Lusa|Belga|ANP|NTB|TT"
    r"|Ritzau|PAP|CTK|MTI|AA|WAM|SPA|QNA|Bloomberg|Axios)\b"
)
_OTHER_DATELINE = re.compile(
    r"[\u3040-\u30ff\u4e00-\u9fff]{1,10}（[^（）]{1,20}）\s|【[^【】]{1,20}】\s?"
    r"|[\u0600-\u06ff ]{2,25}\s?\([^()]{2,30}\)\s?[-–—:]\s?|[\u0600-\u06ff]{2,15}\s[–—]\s"
)
_REFERENCES = re.compile(r"(?<=[\w.,;:!?)\"”’])\s?\[(?:\d{1,3}|note \d{1,3}|citation needed)\]")


def without_opening(paragraph: str) -> str:
    """Return a paragraph without the credit of a picture and the dateline at its beginning."""
    text = without_credit(paragraph)
    other = _OTHER_DATELINE.match(text)
    if other:
        return text[other.end() :]
    found = _DATELINE.match(text)
    if not found or found.end() > _DATELINE_LIMIT or not _is_dateline(found, text):
        return text
    return text[found.end() :]


def _is_dateline(found: re.Match[str], text: str) -> bool:
    """Return whether capitals, a comma or an agency show that a place is meant, and no insertion follows."""
    in_capitals = found["place"].isupper() and len(found["place"]) > _SHORT_NAME
    if _INSERTED.match(text, found.end()) and not (found["agency"] or in_capitals):
        return False
    return in_capitals or bool(found["more"] or (found["agency"] and _AGENCY.search(found["agency"])))


def without_credit(text: str) -> str:
    """Return a text without the credit of a picture in brackets at its beginning."""
    return _CREDIT.sub("", text) if text[:1] in ("(", "[") else text


def is_picture_credit(sentence: str) -> bool:
    """Return whether a sentence names the maker of a picture: "Photo: Bo Moss"."""
    return bool(_CREDITED.match(sentence) or _MADE_BY.fullmatch(sentence))


def without_addresses(sentence: str) -> str:
    """Return a sentence without bare addresses, or "" if it says nothing without them."""
    if "/" not in sentence and "www." not in sentence.lower():
        return sentence
    text = _AT_END.sub("", _IN_BRACKETS.sub("", sentence))
    if text == sentence:
        return "" if _BARE.search(text) else sentence
    few = len(text.split()) < _ENOUGH and text.isascii()
    return "" if few or _BARE.search(text) or _LEADS.match(text) else text.strip()


def without_references(text: str) -> str:
    """Return a text without references to notes in brackets: "[1]"."""
    return _REFERENCES.sub("", text) if "[" in text else text


def without_hashtags(text: str) -> str:
    """Return a text without the hashtags after its end; those inside its sentences stay."""
    return _HASHTAGS.sub("", text) if "#" in text else text
