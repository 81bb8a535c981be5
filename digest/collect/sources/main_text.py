"""Find the main text of a web page with trafilatura, if the extra "text" is installed."""

from __future__ import annotations

INSTALL = 'pip install "newsletter-digest[text]"'
_LONGEST = 1_000_000  # characters of a page


def main_text(html: str) -> str | None:
    """Return the main text, a line for each paragraph; "" if there is none, None without the extra."""
    try:
        import trafilatura
    except ImportError:
        return None
    found = trafilatura.extract(
        html[:_LONGEST], fast=True, favor_precision=True, include_comments=False, include_tables=False
    )
    return found or ""
