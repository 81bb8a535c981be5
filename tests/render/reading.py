"""Read a rendered email as a mail program does: its links, its headings, its text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_LINK = re.compile(r"^(https?://\S+|(?:UNSUBSCRIBE|PREFERENCES)_LINK\w*)$", re.MULTILINE)
_VOID = frozenset({"meta", "img", "br", "link", "hr"})


class Page(HTMLParser):
    """A page taken apart. Styles, the title and hidden text are no text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []  # without those of pictures, of "Continue reading", and to mail addresses
        self.headings: list[tuple[str, str]] = []
        self.headlines: list[str] = []  # of all stories, those in lists too
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self._until = ""  # the tag that ends the headline that is being read
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag not in _VOID:
            self._open.append("hidden" if attributes.get("class") == "preheader" else tag)
        if tag == "a" and not _repeats(attributes):
            self.links.append(attributes.get("href") or "")
        if _is_headline(tag, attributes):
            self.headlines.append("")
            self._until = "span" if tag == "li" else tag
        if tag in ("h1", "h2", "h3"):
            self.headings.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()
        if tag == self._until:
            self._until = ""

    def handle_data(self, data: str) -> None:
        if not {"style", "title", "hidden"} & set(self._open):
            self.words.append(data)
        if self._until:
            self.headlines[-1] += data
        level = next((tag for tag in self._open if tag in ("h1", "h2", "h3")), None)
        if level and data.strip():
            _, before = self.headings.pop()
            self.headings.append((level, before + data))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def _repeats(attributes: dict[str, str | None]) -> bool:
    again = attributes.get("aria-hidden") == "true" or attributes.get("class") in ("go", "press")
    return again or (attributes.get("href") or "").startswith("mailto:")


def _is_headline(tag: str, attributes: dict[str, str | None]) -> bool:
    return tag == "h3" or attributes.get("class") in ("leadtitle", "brief", "dot")


def links_of(text: str) -> list[str]:
    """Return every link of a plain text: each stands alone on its line."""
    return _LINK.findall(text)
