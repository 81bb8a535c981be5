"""Find the main text of a web page with trafilatura, if the extra "text" is installed."""

from __future__ import annotations

import logging
import re

INSTALL = 'pip install "newsletter-digest[text]"'
_LONGEST = 200_000  # characters of a page; the time grows with their square
_BESIDES = re.compile(r"<(script|style|svg)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)


def main_text(html: str) -> str | None:
    """Return the main text, a line for each paragraph; "" if there is none, None without the extra."""
    try:
        import trafilatura
    except ImportError:
        return None
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs every page that it cannot read
    short = _BESIDES.sub("", html)[:_LONGEST]
    try:
        found = trafilatura.extract(
            short, fast=True, favor_precision=True, include_comments=False, include_tables=False
        )
    except Exception:
        return ""  # for broken pages, the library and those below it raise all kinds of errors
    return found or ""
