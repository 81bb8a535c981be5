"""Show the small part of Markdown that editors may write, as HTML and as plain text.

There are paragraphs, line breaks, bold and italic words, lists, and links to web and email addresses.
Everything else is shown as it is written, HTML too. Each element has a class, because the styles of emails
are written into single elements: `para`, `list`, `item` and `link`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from markupsafe import Markup, escape

from digest.model.links import web_url
from digest.render.writing.text import COLUMNS, direction_of, wrap
from subscribers.address import parse_address
from subscribers.errors import AddressError
from subscribers.text import one_line

_RULES = ("list", "emphasis", "link", "autolink", "escape", "newline")
_MAILTO = "mailto:"
_LISTS = {"bullet_list": "ul", "ordered_list": "ol"}
_BREAKS = {"softbreak": "\n", "hardbreak": "<br>\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedText:
    """A text that was written in Markdown, as HTML and as lines of plain text."""

    html: Markup
    text: str


@lru_cache(maxsize=256)
def marked_text(written: str, direction: str) -> MarkedText | None:
    """Return a text of Markdown to be shown in an edition of this `direction`; None if it is blank."""
    blocks = SyntaxTreeNode(_Reader().parse(_clean(written))).children
    lines = "\n\n".join(_lines(block, COLUMNS, direction) for block in blocks)
    html = "\n".join(_html(block, direction) for block in blocks)
    return MarkedText(html=Markup(html), text=lines) if lines.strip() else None


def refused_links(written: str) -> tuple[str, ...]:
    """Return the addresses of links that are shown as text, because an email must not have such links."""
    reader = _Reader()
    reader.parse(_clean(written))
    return tuple(dict.fromkeys(reader.refused))


@lru_cache(maxsize=256)
def marked_links(written: str) -> tuple[str, ...]:
    """Return the addresses of the links that are shown as links."""
    nodes = SyntaxTreeNode(_Reader().parse(_clean(written))).walk()
    hrefs = (str(node.attrs["href"]) for node in nodes if node.type == "link")
    return tuple(dict.fromkeys(target for href in hrefs if (target := _target(href))))


class _Reader(MarkdownIt):
    """Reads the part of Markdown that is shown; the other rules of the parser are off."""

    def __init__(self) -> None:
        super().__init__("zero")
        self.enable(_RULES)
        self.refused: list[str] = []

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the parser's name
        """Return whether a link may be shown."""
        if _target(url) is None:
            self.refused.append(url)
            return False
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the parser's name
        """Return an address as it is, because `_target` cleans it."""
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802 - the parser's name
        """Return the words of an address in angle brackets as they are: decoded, they could hide others."""
        return link


def _clean(written: str) -> str:
    """Return the text without control characters; the spaces at both ends of a line say something."""
    return "\n".join(map(_clean_line, written.expandtabs(4).splitlines()))


def _clean_line(line: str) -> str:
    bare = one_line(line)
    indent = len(line) - len(line.lstrip(" "))
    return f"{' ' * indent}{bare}{'  ' if line.endswith('  ') else ''}" if bare else ""


def _target(url: str) -> str | None:
    """Return the address that a link may have, in ASCII; None if it may not be a link."""
    scheme = url[: len(_MAILTO)].lower()
    if scheme != _MAILTO:
        return web_url(url) if scheme.startswith(("http:", "https:")) else None
    try:
        return _MAILTO + quote(parse_address(unquote(url[len(_MAILTO) :])).address, safe="@+")
    except AddressError:
        return None


def _words(node: SyntaxTreeNode) -> str:
    """Return the text of a node on one line, without its marks."""
    if node.type in _BREAKS:
        return " "
    return "".join(map(_words, node.children)) if node.children else node.content


# ── HTML ────────────────────────────────────────────────────────────────────────────────────


def _html(block: SyntaxTreeNode, direction: str) -> str:
    """Return a paragraph or a list."""
    if block.type not in _LISTS:
        return f'<p class="para" dir="{direction_of(_words(block), direction)}">{_inline(block)}</p>'
    tag = _LISTS[block.type]
    start = block.attrs.get("start", 1)
    items = "\n".join(_item(item, direction) for item in block.children)
    numbered = f' start="{int(start)}"' if start != 1 else ""
    return f'<{tag} class="list" dir="{direction}"{numbered}>\n{items}\n</{tag}>'


def _item(item: SyntaxTreeNode, direction: str) -> str:
    said = [each for each in item.children if each.type not in _LISTS]
    own = direction_of(" ".join(map(_words, said)), direction)
    lists = (f"\n{_html(each, direction)}" for each in item.children if each.type in _LISTS)
    return f'<li class="item" dir="{own}">{"<br>".join(map(_inline, said))}{"".join(lists)}</li>'


def _inline(node: SyntaxTreeNode) -> str:
    inside = "".join(map(_inline, node.children))
    match node.type:
        case "strong" | "em" as tag:
            return f"<{tag}>{inside}</{tag}>"
        case "link" if target := _target(str(node.attrs["href"])):
            return f'<a class="link" href="{escape(target)}">{inside}</a>'
        case "softbreak" | "hardbreak" as kind:
            return _BREAKS[kind]
    return inside or str(escape(node.content))


# ── plain text ──────────────────────────────────────────────────────────────────────────────


def _lines(block: SyntaxTreeNode, columns: int, direction: str) -> str:
    """Return a block as lines; the address of a link stands on a line of its own after the paragraph.

    Where there are several, the words of each link stand before its address.
    """
    if block.type in _LISTS:
        return "\n".join(_item_lines(block, columns, direction))
    paragraphs = _split(block)
    texts = [wrap(text, columns, direction) for text in paragraphs]
    links = list(_links(block))
    for words, address in links:
        texts += [wrap(f"{words}:", columns, direction), address] if len(links) > 1 else [address]
    return "\n".join(texts)


def _split(block: SyntaxTreeNode) -> Sequence[str]:
    """Return the text of a paragraph, divided at its line breaks."""
    return [text for text in _broken(block).split("\n") if text.strip()]


def _broken(node: SyntaxTreeNode) -> str:
    if node.type in _BREAKS:
        return "\n" if node.type == "hardbreak" else " "
    return "".join(map(_broken, node.children)) if node.children else node.content


def _links(block: SyntaxTreeNode) -> Iterator[tuple[str, str]]:
    """Yield the words and the address of each link whose words are not its address."""
    for node in block.walk():
        if node.type == "link" and (target := _target(str(node.attrs["href"]))):
            words, address = _words(node).strip(), target.removeprefix(_MAILTO)
            if address not in (words, f"{words}/") and words:
                yield words, address


def _item_lines(block: SyntaxTreeNode, columns: int, direction: str) -> Iterator[str]:
    first = int(block.attrs.get("start", 1))
    for number, item in enumerate(block.children, first):
        mark = f"{number}. " if block.type == "ordered_list" else "- "
        room = max(columns - len(mark), 20)
        inside = "\n".join(_lines(each, room, direction) for each in item.children)
        yield mark + inside.replace("\n", "\n" + " " * len(mark))
