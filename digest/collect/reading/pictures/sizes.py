"""Read the size of a picture from its address, and recognise addresses of one picture in several sizes."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

Size = tuple[int | None, int | None]  # width and height in pixels, as far as they are known

_END = r"(?=(?:@\dx)?\.(?:jpe?g|jfif|png|gif|webp|avif)$)"
_IN_PATH = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"[-_](?P<w>\d{{2,4}})x(?P<h>\d{{2,4}}){_END}",  # pier-300x200.jpg of WordPress, _142x100.jpg
        r"/(?P<w>\d{2,4})x(?P<h>\d{1,4})(?=/)",  # 70x70/pier.jpg; thumbor: 1310x873/, and 400x0/
        r"/(?P<w>\d{2,4})px-(?=[^/]+$)",  # MediaWiki
        r"(?<=[/,])w_(?P<w>\d{2,4})(?:,h_(?P<h>\d{2,4}))?(?=[,/])",  # Cloudinary, Wix, Substack
        r"(?<=[/,])h_(?P<h>\d{2,4}),w_(?P<w>\d{2,4})(?=[,/])",
        r"(?<=/)width=(?P<w>\d{2,4})(?:,height=(?P<h>\d{2,4}))?(?=[,/])",  # Cloudflare
        r"/[sw](?P<w>\d{2,4})(?:-h(?P<h>\d{2,4}))?(?:-[a-z]{1,4})*(?=/)",  # Blogger: /s72-c/, /w640-h480/
        r"=[sw](?P<w>\d{2,4})(?:-h(?P<h>\d{2,4}))?(?:-\w{1,4})*$",  # Google
        r"/max/(?P<w>\d{2,4})(?=/)",  # Medium
        r"(?<=bbci\.co\.uk)(?:/\w+)*?/(?P<w>\d{2,4})(?:xn|x(?P<h>\d{2,4}))?(?=/)",
    )
)
_NAMED_SIZES = {"default": 120, "mqdefault": 320, "hqdefault": 480, "0": 480, "sddefault": 640}
_YOUTUBE = re.compile(r"(?:ytimg|youtube)\.com/vi(?:_webp)?/[\w-]+/(\w+)\.(?:jpg|webp)")
_WIDTHS = frozenset(["w", "width", "imwidth", "wid", "sw", "maxwidth", "max-width", "mw"])
_HEIGHTS = frozenset(["h", "height", "imheight", "hei", "sh", "maxheight", "max-height", "mh"])
_BOTH = frozenset(["resize", "fit", "size", "dimensions", "ops", "s", "rs", "wh"])
_PAIR = re.compile(r"(?:[a-z]+[,:])?(\d{2,4})\s*[,x_:*]\s*(\d{1,4})", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,4}(?=(px|\.0)?$)")
_OTHERS = "q quality auto fm format dpr cache ssl strip crop itok v ver fl lossy sharp im"
_FILE = re.compile(r"\.(jpe?g|jfif|png|gif|webp|avif)$", re.IGNORECASE)
_INNER = re.compile(r"https?:/{1,2}([^\s?]+\.[a-z]{2,}(?::\d+)?/.+)", re.IGNORECASE)
_HOST_IN_PATH = re.compile(r"/((?:[a-z0-9-]+\.)+[a-z]{2,10}/.+)", re.IGNORECASE)
_PHOTON = re.compile(r"i\d\.wp\.com$")


def size_in(url: str) -> Size:
    """Return the size that the address of a picture states, for example by its name or its parameters."""
    parts = urlsplit(url)
    place = f"{parts.netloc}{parts.path}"
    width, height = _size_in_query(parts.query)
    if width or height:
        return width, height
    if named := _YOUTUBE.search(place):
        return _NAMED_SIZES.get(named[1]), None
    for pattern in _IN_PATH:
        if match := pattern.search(place):
            found = {name: int(value) for name, value in match.groupdict().items() if value}
            return found.get("w") or None, found.get("h") or None
    return None, None


def names_picture(url: str) -> bool:
    """Return whether the path of an address ends as the names of picture files do."""
    return bool(_FILE.search(urlsplit(url).path))


def without_size(url: str) -> str:
    """Return what the addresses of one picture have in common, whatever size or resizer they name."""
    parts = urlsplit(origin(url))
    place = f"{parts.netloc.lower().removeprefix('www.')}{parts.path}"
    for pattern in _IN_PATH:
        place = pattern.sub("", place, count=1)
    place = re.sub(r"-scaled(?=\.\w+$)|@\dx(?=\.\w+$)", "", place)
    if match := _HOST_IN_PATH.search(place):
        place = match[1]
    if _FILE.search(place):
        return place
    # The address is that of a script, so its parameters tell which picture it is.
    told = [pair for pair in parse_qsl(parts.query) if pair[0].lower() not in _SIZE_OR_QUALITY]
    return f"{place}?{urlencode(told)}" if told else place


def origin(url: str) -> str:
    """Return the address of the picture that a resizer takes, or the address itself."""
    parts = urlsplit(url)
    inside = [unquote(value) for name, value in parse_qsl(parts.query) if name.lower() in _SOURCES]
    for value in (*inside, unquote(parts.path)):
        if match := _INNER.search(value):
            return f"https://{match[1]}"
    if inside and inside[0].startswith("/"):
        return f"{parts.scheme}://{parts.netloc}{inside[0]}"
    if _PHOTON.match(parts.netloc) and parts.path.count("/") > 1:
        return f"https:/{parts.path}"
    return url


_SIZE_OR_QUALITY = _WIDTHS | _HEIGHTS | _BOTH | frozenset(_OTHERS.split())
_SOURCES = frozenset(["url", "src", "image", "img", "source", "u", "href"])


def _size_in_query(query: str) -> Size:
    width = height = None
    for name, value in parse_qsl(query):
        key = name.lower()
        if key in _BOTH and (pair := _PAIR.fullmatch(value)):
            width, height = int(pair[1]), int(pair[2])
        elif key in _WIDTHS and (number := _NUMBER.match(value)):
            width = int(number[0])
        elif key in _HEIGHTS and (number := _NUMBER.match(value)):
            height = int(number[0])
    return width or None, height or None
