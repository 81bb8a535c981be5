"""Turn marks in a text into characters, or leave them out: raised numbers, note marks, emoji, shortcodes."""

from __future__ import annotations

import re

_NUMBERS = "0123456789+-−=()ni"
_RAISED = str.maketrans(_NUMBERS, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_SIGNS = {"tm": "™", "sm": "℠"}
_ORDINALS = {"o": "º", "a": "ª"}  # after a number
_LETTER_NOTE = re.compile(r"[a-dA-D]")  # after a word
_NUMBER = re.compile(r"[+\-−]?\d{1,3}|[ni]|[+\-−]")
_NOTE = re.compile(
    r"[*†‡§¶#]{1,3}|\[.{0,12}\]|\(\d{1,3}\)|\d{1,3}([,;\s–-]+\d{1,3})+|note\s?\d*", re.IGNORECASE
)
_NOTE_LINK = re.compile(r"\W*(\w|\d{1,3}|[ivx]{1,5})?\W*", re.IGNORECASE)
_NOTE_NAME = re.compile(
    r"foot-?note|(^|[-_ ])(fn|ref|note|cite|citation)|reference|endnote|sup-?note", re.IGNORECASE
)
# A number of more than two digits is hardly ever a base: a note follows "in 1901", and a power follows "10".
_BASE = re.compile(
    r"(?:^|[^\d.,])\d{1,2}$|[)\]]$|(?:^|[\W\d_])(?:[^\W\d_]{1,2}|sec)$",
    re.IGNORECASE,
)

_SHORTCODE = re.compile(r"\[(/?)([A-Za-z][\w-]{0,60})((?:[\s=:/][^\[\]]{0,2000})?)\]")
_CLOSED = re.compile(r"\[/([A-Za-z][\w-]{0,60})\]")
_ALWAYS = re.compile(
    r"(et_pb|vc|fusion|av|su|cs|tatsu|ux|mk|rev|wp|wpforms|ninja|gravity|formidable|elementor|mc4wp|tablepress)[-_]?\w*"
    r"|caption|gallery|embed|playlist|toc|contact-form.*|gravityforms?|wpvideo|archives|sitemap|adinserter|adrotate"
    r"|blockquote|dropcap|divider|spacer|column|row|one_half|one_third|pullquote|sociallinkz|instagram-feed|blog_subscription_form"
)
_ATTRIBUTE = re.compile(r"\s{1,9}[\w:-]{1,60}\s{0,3}=|=|\s{1,9}https?://")

_EMOJI_NAME = re.compile(
    r"(^|[-_ ])(wp-smiley|smil(ey|ies?)|emoji(one|con)?|twemoji|joypixels|emoticon)", re.IGNORECASE
)
_EMOJI_HOME = re.compile(r"/(core/emoji|twemoji|emojione|emoji|smil(ey|ie)s?)/", re.IGNORECASE)
_LETTERS = 3  # of a raised text that may be a mark
_EMOJI_TEXT = 12  # characters of the text of an emoji


def raised(text: str, before: str, *, names: str = "", linked: bool = False) -> str:
    """Return a superscript as plain characters: "⁹", "st", or nothing for a note mark.

    `before` is the text before it, `names` are its class and id, and `linked` says that it is a link.
    """
    mark = text.strip()
    if _NOTE.fullmatch(mark) or (_NOTE_NAME.search(names) and len(mark) < _EMOJI_TEXT):
        return ""
    if linked and _NOTE_LINK.fullmatch(mark):
        return ""
    if not _NUMBER.fullmatch(mark):
        return _raised_letters(mark, before) if len(mark) <= _LETTERS else text
    if mark in "ni":
        return mark.translate(_RAISED) if before[-1:].isdigit() else text
    return mark.translate(_RAISED) if _BASE.search(before) else ""


def _raised_letters(mark: str, before: str) -> str:
    if before[-1:].isdigit() and mark in _ORDINALS:
        return _ORDINALS[mark]
    if _LETTER_NOTE.fullmatch(mark) and before[-3:].isalpha() and before[-1:].islower():
        return ""
    return _SIGNS.get(mark.lower(), mark)


def lowered(text: str) -> str:
    """Return a subscript as plain characters: "₂" for a number, otherwise the text itself."""
    mark = text.strip()
    return mark.translate(_LOWERED) if _NUMBER.fullmatch(mark) and mark[-1].isdigit() else text


def emoji(alt: str, names: str, url: str) -> str | None:
    """Return the text of a picture that stands for an emoji, or None for any other picture."""
    if not (_EMOJI_NAME.search(names) or _EMOJI_HOME.search(url)):
        return None
    own = alt.startswith(":") and alt.endswith(":") and len(alt) > 2  # ":blobcat:", an emoji of one site
    return "" if own or len(alt) > _EMOJI_TEXT else alt


def without_shortcodes(html: str) -> str:
    """Return HTML without the shortcodes of WordPress; what people write in brackets stays: "[Update]".

    The text of a picture becomes an element, so that it is not read as prose.
    """
    if "[" not in html:
        return html
    closed = {name.lower() for name in _CLOSED.findall(html)}

    def shown(match: re.Match[str]) -> str:
        slash, name, rest = match[1], match[2].lower(), match[3]
        if name in ("caption", "wp_caption"):
            return f"<{slash}figcaption>"
        known = slash or name in closed or _ALWAYS.fullmatch(name) or _ATTRIBUTE.match(rest)
        return "" if known else match[0]

    return _SHORTCODE.sub(shown, html)
