"""Find the pictures that the HTML of a post offers: in srcset, lazy attributes, noscript and video too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from digest.collect.reading.pictures.sizes import names_picture, origin, size_in
from digest.model.links import web_url

WIDEST = 1600  # pixels; wider pictures are used only if there is no other
_SOURCES = (
    "data-large-file",
    "data-src",
    "data-lazy-src",
    "data-original",
    "data-lazy",
    "data-orig-file",
    "src",
)
_OTHER = "data-"  # programs that load pictures later have many names for the true address: data-echo, …
_NOT_THIS = frozenset(["data-pin-media", "data-pin-url"])  # of another picture
_SETS = ("srcset", "data-srcset", "data-lazy-srcset")
_LONGEST_SET = 8_000  # characters
_VERSION = re.compile(r"([^\s,]\S*[^\s,]|[^\s,])(?:\s+(\d{1,5}(?:\.\d{1,3})?)([wx]))?\s*(?:,|$)")
_STYLED = re.compile(r"(?:^|;)\s*(?:max-)?(width|height)\s*:\s*(\d{1,5})(?:\.\d+)?px")
_PLACEHOLDER = re.compile(
    r"(lazy[-_]?load(ing|er)?|1x1(\.trans)?|trans(parent)?|spacer|blank|clear(dot|pixel)?|pixel|dot|empty|dummy|loading"
    r"|loader|spinner|gr[ae]y|white|placeholder|placehold|no[-_]?(image|img|photo|picture|thumb(nail)?)(-available)?|default"
    r"|missing|(default|fallback|dummy|blank|empty|missing)[-_]?(image|img|thumb(nail)?|picture|photo|post)|image[-_]?not[-_]?found)"
    r"([-_.]?\d{1,4}(x\d{1,4})?)?",
    re.IGNORECASE,
)
_TO_CONVERT = re.compile(r"(webp|avif)$", re.IGNORECASE)

ATTRIBUTES = {
    "img": {*_SOURCES, *_SETS, "alt", "width", "height", "style"},
    "source": {*_SETS, "type"},
    "video": {"poster", "width", "height"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as a feed offers it, before `images` decides whether it is used. Sizes are in pixels."""

    url: str
    alt: str = ""
    width: int | None = None
    height: int | None = None
    kind: str = ""  # the media type, if the feed names it
    label: str = ""  # class names, which show that a picture is a smiley or an avatar
    link: str = ""  # the address to which the picture is linked
    boxed: bool = False  # it stands in a box beside the post: a share bar, an advertisement, related posts
    twin: bool = False  # it repeats a picture, for programs without scripts
    from_text: bool = False  # not named by the feed, but part of the post's text


def pixels(value: object) -> int | None:
    """Return a width or height that is written as "640", "640px" or a number; None for anything else."""
    match = re.match(r"\s*(\d{1,5})(\.\d*)?\s*(px)?\s*$", str(value)) if value is not None else None
    return int(match[1]) if match else None


def is_placeholder(url: str) -> bool:
    """Return whether an address is that of a picture that stands in for one that loads later."""
    name = url.partition("?")[0].rstrip("/").rpartition("/")[2]
    stem = re.sub(r"\.(gif|png|jpe?g|svg|webp)$", "", name, flags=re.IGNORECASE)
    return stem != name and bool(_PLACEHOLDER.fullmatch(stem))


def is_convertible(url: str, kind: str = "") -> bool:
    """Return whether a picture is WebP or AVIF: mail programs cannot show it, but a copy can be made."""
    stated = re.search(r"[?&](?:format|fm)=(\w+)", url)
    if stated:
        return bool(_TO_CONVERT.match(stated[1]))
    if kind and not kind.endswith("*"):
        return bool(_TO_CONVERT.search(kind))
    return bool(_TO_CONVERT.search(origin(url).partition("?")[0]))


def pictures_in(root: Any, base: str | None, *, boxes: frozenset[Any] = frozenset()) -> Iterator[Picture]:
    """Yield the pictures below an element of lxml, in reading order, each in its best version.

    Relative addresses are resolved against `base`. Of a placeholder and what it stands for, only the latter
    is yielded. `boxes` are elements that do not belong to the post.
    """
    for each in root.iter("img", "video"):
        versions = list(_posters(each, base) if each.tag == "video" else _versions(each, base))
        real = [version for version in versions if not is_placeholder(version.url)] or versions[-1:]
        if real:
            boxed = any(around in boxes for around in each.iterancestors())
            yield replace(max(real, key=usefulness), boxed=boxed, from_text=True)


def usefulness(picture: Picture) -> tuple[bool, int]:
    """Return a rank that prefers what emails can show, then the widest; of equals, `max` takes the first."""
    width = picture.width or _UNKNOWN
    return not is_convertible(picture.url, picture.kind), width if width <= WIDEST else _UNKNOWN + 1


_UNKNOWN = 200  # pixels; a width that is not known counts as much


def sized(picture: Picture) -> Picture:
    """Return a picture with the size that its address states, and with the shape that is known better."""
    width, height = size_in(picture.url)
    known = picture.width, picture.height
    if width is None and (height is None or picture.width):
        return picture
    if known[0] and known[1] and width:
        return replace(picture, width=width, height=max(1, round(width * known[1] / known[0])))
    return replace(picture, width=width, height=height)


def _posters(element: Any, base: str | None) -> Iterator[Picture]:
    if url := web_url(element.get("poster"), base):
        yield sized(_described(element, Picture(url=url)))


def _versions(element: Any, base: str | None) -> Iterator[Picture]:
    shown = _described(element, Picture(url=""))
    # The parser of lxml does not know that a source is empty, so the picture is not always the parent.
    around = next((each for each in element.iterancestors("picture")), None)
    for each in (element, *(around.iter("source") if around is not None else ())):
        for name in _SETS:
            yield from _of_set(each.get(name, ""), replace(shown, kind=each.get("type", "")), base)
    others = sorted(name for name in element.attrib if _names_another(element, name))
    for name in (*_SOURCES, *others):
        if url := web_url(element.get(name), base):
            yield sized(replace(shown, url=url))


def _names_another(element: Any, name: str) -> bool:
    """Return whether an attribute that is not known holds the address of a picture."""
    fresh = name.startswith(_OTHER) and name not in (*_SOURCES, *_SETS, *_NOT_THIS)
    return fresh and names_picture(element.get(name).strip())


def _of_set(text: str, shown: Picture, base: str | None) -> Iterator[Picture]:
    """Yield the versions of a srcset: `640w` is the width of a file, `2x` a multiple of the shown width."""
    for address, number, unit in _VERSION.findall(text[:_LONGEST_SET]):
        url = web_url(address, base)
        if url is None:
            continue
        width = round(float(number)) if unit == "w" else None
        if unit == "x" and shown.width:
            width = round(float(number) * shown.width)
        yield _widened(shown, url, width) if width else sized(replace(shown, url=url))


def _widened(shown: Picture, url: str, width: int) -> Picture:
    height = round(width * shown.height / shown.width) if shown.width and shown.height else size_in(url)[1]
    return replace(shown, url=url, width=width, height=height)


def _described(element: Any, picture: Picture) -> Picture:
    styled = dict(_STYLED.findall(element.get("style", "")))
    label, link, twin = [element.get("class", "")], "", False
    for around in element.iterancestors():
        label.append(around.get("class", "") if around.tag in ("a", "figure", "picture") else "")
        link = link or (around.get("href", "") if around.tag == "a" else "")
        twin = twin or around.tag == "noscript"
    return replace(
        picture,
        alt=" ".join(element.get("alt", "").split()),
        width=pixels(element.get("width") or styled.get("width")),
        height=pixels(element.get("height") or styled.get("height")),
        label=" ".join(filter(None, label)),
        link=link,
        twin=twin,
    )
