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
        self.links: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
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
        if tag == "a":
            self.links.append(attributes.get("href") or "")
        if tag in ("h1", "h2", "h3"):
            self.headings.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not {"style", "title", "hidden"} & set(self._open):
            self.words.append(data)
        level = next((tag for tag in self._open if tag in ("h1", "h2", "h3")), None)
        if level and data.strip():
            _, before = self.headings.pop()
            self.headings.append((level, before + data))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def links_of(text: str) -> list[str]:
    """Return every link of a plain text: each stands alone on its line."""
    return _LINK.findall(text)
