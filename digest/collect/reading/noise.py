"""Recognise the parts of a body that are not the post: share bars, boxes, tracking pixels, "read more"."""

from __future__ import annotations

import re

_BOX = (
    r"sharedaddy|sd-(sharing|block|content|social).*|jp-(relatedposts|post-flair).*|post-flair",
    r"addtoany.*|a2a_.*|addthis.*|feedflare|share(buttons|post)",
    r"(.*[-_])?(share|sharing|social|sharebar|sharethis)([-_].*)?",
    r"(.*[-_])?(related|recommended)[-_]?(posts?|articles?|stories|links)([-_].*)?|yarpp.*",
    r"(.*[-_])?(newsletter|subscribe|signup|sign-up|optin|mailing-?list|mc4wp)([-_].*)?",
    r"(.*[-_])?(ads?|advert|advertisement|adsbygoogle|sponsor|sponsored|promo|banner|cta)([-_].*)?",
    r"wp-caption-text|wp-embedded-content|twitter-tweet|instagram-media|tiktok-embed",
    r"screen-reader-text|sr-only|post-?meta|entry-meta|byline|breadcrumbs?|author-(bio|box)",
    r"ez-toc.*|toc|comments?-link",
)
_READ_ON = (
    r"continued? reading|keep reading|read (more|on|the (rest|full|whole|original|entire)|original|full)",
    r"view (the )?(original|full|post)|see (more|original)|(the )?original (article|post|here)",
    r"learn more|find out more|more details|click here",
    r"weiterlesen|mehr lesen|lire la suite|leer más|seguir leyendo|continua a leggere|leia mais",
    r"lees verder|läs mer|czytaj (więcej|dalej)",
)
_LINE = (
    *_READ_ON,
    r"the (post|article|entry|story)\b.*\b(appeared first|first appeared|was (first|originally) published)",
    r"this (post|article|entry|story)\b.*\b(appeared|published) (on|in|at|first|by)",
    r"originally (published|appeared)|share (this|on|via)\b|(like this|loading)\W*$|like loading",
    r"related( posts| articles| stories)?\s*:|see also\s*:|more\s*:",
    r"(sign up|subscribe) (for|to|now|here|below|today|via)\b|follow us\b",
    r"(join|get) (our|the|my)\b.*\b(newsletter|mailing list|updates|inbox)",
    r"advertise(ment|r content)\W*$|sponsored (by|content|post)\b|thanks to our sponsors?\b",
    r"filed under\b|tagged (with|as)\b|tags\s*:|categor(y|ies)\s*:|posted (in|by|on)\b|submitted by\b",
    r"(\d+ )?comments?\W*$|leave a (comment|reply)|by ([\w.’'-]+ ){1,3}[\w.’'-]+$",
    r"(photo|image|picture|video|source|foto|bild)s?( credits?| by| courtesy)?\s*[:©/]|credits?\s*:",
    r"©|copyright (©|\(c\)|\d)|all rights reserved",
    r"(view|download) (this|the) (email|pdf)|listen to (this|the) (article|story)|print this\b",
    r"(\d+|estimated) ?(min(ute)?s?)? read(ing time)?\b|table of contents|skip to (the )?(main )?content",
    r"all products recommended by\b|some of our stories include affiliate|if you buy something through",
    r"(this|our) (post|article|site|story)s? (may )?(contains?|includes?) affiliate",
)
_BEACON = (
    r"feeds\.feedburner\.com/~|pixel\.(wp\.com|quantserve)|stats\.wordpress\.com|feeds\.wordpress\.com/1\.0/",
    r"doubleclick\.net|google-analytics\.com|googlesyndication|amazon-adsystem|assoc-amazon",
    r"feedsportal\.com|statcounter\.com|scorecardresearch|facebook\.com/tr\b|rss\.buysellads",
    r"/(b|mf|open|count(er)?)\.gif|/rss/pixel",
    r"/(pixel|spacer|blank|clear|transparent|1x1|beacon|track(er|ing)?)\.(gif|png|jpe?g)",
)
_LINE_LIMIT = 240  # characters; a longer text is a paragraph that happens to begin with such words
_READ_ON_LIMIT = 120


def _any_of(patterns: tuple[str, ...]) -> str:
    return f"(?:{'|'.join(patterns)})"


_is_box = re.compile(_any_of(_BOX), re.IGNORECASE).fullmatch
_begins_line = re.compile(rf"\W*{_any_of(_LINE)}", re.IGNORECASE).match
_begins_read_on = re.compile(rf"\W*{_any_of(_READ_ON)}\b", re.IGNORECASE).match
_finds_beacon = re.compile(_any_of(_BEACON), re.IGNORECASE).search
_READ_ON_AT_END = re.compile(
    rf"(?<=[.!?…»”\])])\s*[(\[“]?{_any_of(_READ_ON)}\b[^.!?]{{0,80}}[.!?…→»\]\s]*$", re.IGNORECASE
)


def is_box(name: str) -> bool:
    """Return whether a class name or id belongs to a box beside the post, not to the post."""
    return bool(_is_box(name))


def is_line(text: str) -> bool:
    """Return whether a line of text is an invitation, a credit or a notice, and not part of the post."""
    return len(text) <= _LINE_LIMIT and bool(_begins_line(text))


def is_read_on(text: str) -> bool:
    """Return whether the text of a link only leads to the whole post."""
    return len(text) <= _READ_ON_LIMIT and bool(_begins_read_on(text))


def without_read_on(text: str) -> str:
    """Return a paragraph without a "Continue reading…" at its end."""
    return _READ_ON_AT_END.sub("", text)


def is_beacon(url: str) -> bool:
    """Return whether an image's address is that of a tracking pixel."""
    return bool(_finds_beacon(url))
