"""Recognise the parts of a body that are not the post: share bars, boxes, "read more"."""

from __future__ import annotations

import re
from functools import lru_cache

from digest.collect.wording.table import any_of, begins, small

_BOX = (
    r"sharedaddy|sd-(sharing|block|content|social).*|jp-(relatedposts|post-flair).*|post-flair",
    r"addtoany.*|a2a_.*|addthis.*|feedflare|share(buttons|post)",
    r"(.*[-_])?(share|sharing|social|sharebar|sharethis)([-_].*)?",
    r"(.*[-_])?(related|recommended)[-_]?(posts?|articles?|stories|links)([-_].*)?|yarpp.*",
    r"(.*[-_])?(newsletter|subscribe|signup|sign-up|optin|mailing-?list|mc4wp)([-_].*)?",
    r"(.*[-_])?(ads?|advert|advertisement|adsbygoogle|sponsor|sponsored|promo|banner|cta)([-_].*)?",
    r"wp-caption-text|wp-embedded-content|twitter-tweet|instagram-media|tiktok-embed",
    r"screen-reader-text|sr-only|post-?meta|entry-meta|byline|breadcrumbs?|author-(bio|box)",
    r"ez-toc.*|toc|comments?-link|(.*[-_])?(footnotes?|endnotes)([-_].*)?|references|reflist|subscription-widget.*|button-wrapper",
)
_LINE_LIMIT = 240  # characters; a longer text is a paragraph that happens to begin with such words
_READ_ON_LIMIT = 120
_BOX_LIMIT = 600  # characters; a box with more text than this is an article in a badly named box


def _any_of(patterns: tuple[str, ...]) -> str:
    return f"(?:{'|'.join(patterns)})"


_is_box = re.compile(_any_of(_BOX), re.IGNORECASE).fullmatch
_begins_line = begins("read_on", "line", "notice").match
_begins_read_on = begins("read_on", end=r"(?!\w)").match
_READ_ON_AT_END = re.compile(
    rf"(?<=[.!?…»”\])。！？؟])\s*[(\[“]?{any_of('read_on')}(?!\w)[^.!?]{{0,80}}[.!?…→»›\])\s]*$",
    re.IGNORECASE,
)
_NAME_LIMIT = 100  # characters of a class name


@lru_cache(maxsize=4_096)  # a feed has the same few names in all its entries
def is_box(name: str) -> bool:
    """Return whether a class name or id belongs to a box beside the post, not to the post."""
    return len(name) <= _NAME_LIMIT and bool(_is_box(name))


def is_short(text: str) -> bool:
    """Return whether the text of a box may be left out with it."""
    return len(text) <= _BOX_LIMIT


def is_line(text: str) -> bool:
    """Return whether a line of text is an invitation, a credit or a notice, and not part of the post."""
    return len(text) <= _LINE_LIMIT and bool(_begins_line(small(text)))


def is_read_on(text: str) -> bool:
    """Return whether the text of a link only leads to the whole post."""
    return len(text) <= _READ_ON_LIMIT and bool(_begins_read_on(small(text)))


def without_read_on(text: str) -> str:
    """Return a paragraph without a "Continue reading…" at its end."""
    return _READ_ON_AT_END.sub("", text)
