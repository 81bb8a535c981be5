"""Read a web page into a tree of elements."""

from __future__ import annotations

import re

import lxml.html
from lxml.etree import ParserError
from lxml.html import HtmlElement

from digest.collect.reading.encoding import decode
from digest.collect.reading.parse import Document
from digest.model.links import web_url

__all__ = ["HtmlElement", "base_of", "markup_of", "source_of", "tree_of"]

LONGEST = 2_000_000  # characters of a page that are read
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*>")  # lxml refuses a text that states an encoding


def source_of(document: Document) -> str:
    """Return the source of a page as text, without control characters, up to `LONGEST` characters."""
    text = decode(document.body, document.content_type)
    return _CONTROL.sub("", document.body.decode("utf-8", "replace") if text is None else text)[:LONGEST]


def tree_of(document: Document) -> HtmlElement | None:
    """Return the root element of a page; None if the document is empty or is not HTML. Never raises."""
    text = _DECLARATION.sub("", source_of(document))
    try:
        return lxml.html.document_fromstring(text) if "<" in text else None
    except (ParserError, ValueError):
        return None


def base_of(root: HtmlElement, url: str) -> str:
    """Return the address to which the relative links of a page refer: that of its <base>, or its own."""
    return next((found for each in root.iter("base") if (found := web_url(each.get("href"), url))), url)


def markup_of(element: HtmlElement) -> str:
    """Return the markup of an element, without the text that follows it."""
    return str(lxml.html.tostring(element, encoding="unicode", with_tail=False))
