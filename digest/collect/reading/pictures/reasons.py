"""Decide whether a picture may be a story's picture; if it may not, say why in a few words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from digest.collect.reading.pictures import marks
from digest.collect.reading.pictures.offers import Picture, is_placeholder
from digest.collect.reading.pictures.sizes import origin
from digest.model.links import site_of

NARROWEST = 200  # pixels
LOWEST = 100
WIDE = 4.0  # width divided by height: from here on it is a strip, usually an advertisement
TALL = 2.5  # height divided by width: from here on it is an infographic, which nobody can read in an email
LARGE = (600, 300)  # a picture of this size with a usual shape is rarely an advertisement or an ornament

_SHORT_TEXT = 60  # characters of a description; longer ones are sentences in which any word may stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A picture with all that is known of it, from every element of its post that offers it."""

    picture: Picture  # its best version
    pictures: tuple[Picture, ...]  # all versions, in the order of the post
    place: int = 0  # of its group; the pictures that the feed names come first
    times: int = 1  # in the text, without twins


def reason_against(joined: Joined, page: str | None) -> str:
    """Return why a picture cannot be that of the story at `page`, as the end of a sentence; "" if it can."""
    facts = _Facts(joined, page)
    return next((reason for applies, reason in _RULES if applies(facts)), "") or _wrong_size(facts)


def shape_reason(width: int | None, height: int | None) -> str:
    """Return the reason why a picture of this size cannot be used, or "" if there is none."""
    if width is not None and height is not None and max(width, height) <= 3:
        return "it is a tracking pixel"
    if width and height and width >= WIDE * height:
        return f"it is a strip of {width} × {height} pixels"
    if width and height and height >= TALL * width:
        return f"it is {width} × {height} pixels, too tall for an email"
    if (width is not None and width < NARROWEST) or (height is not None and height < LOWEST):
        return f"it is too small ({width or '?'} × {height or '?'} pixels)"
    return ""


def is_ad_format(width: int | None, height: int | None) -> bool:
    """Return whether a size is one in which advertisements are sold, and hardly anything else."""
    return f"{width}x{height}" in marks.AD_FORMATS


def is_doubtful(joined: Joined, page: str | None) -> bool:
    """Return whether a picture is used only if the post has no other.

    It leads to another site, or it may be a logo: "night-harbourlogo_web4.jpg".
    """
    facts = _Facts(joined, page)
    return facts.leads_away or bool(marks.LOGO_PART.search(facts.stem))


class _Facts:
    """The facts about one picture that the rules ask for."""

    def __init__(self, joined: Joined, page: str | None) -> None:
        picture = joined.picture
        path = unquote(urlsplit(picture.url).path)
        self.urls = [each.url for each in joined.pictures]
        self.url, self.width, self.height = picture.url, picture.width, picture.height
        self.kinds = [each.kind for each in joined.pictures if each.kind]
        self.name = path.rstrip("/").rpartition("/")[2]
        self.stem = self.name.rpartition(".")[0] or self.name
        parts = re.split(r"[\W_]+", self.stem.lower())
        self.stem_words = [word for part in parts if (word := re.sub(r"^\d+x\d+(px)?$|\d+$", "", part))]
        self.label = " ".join(each.label for each in joined.pictures)
        self.alts = [each.alt for each in joined.pictures if each.alt]
        self.links = [each.link for each in joined.pictures if each.link]
        self.named = all(not each.from_text for each in joined.pictures)
        self.boxed = all(each.boxed for each in joined.pictures)
        self.times = joined.times
        self.page = page or ""
        self.words = f"{urlsplit(picture.url).netloc}{path} {self.label}"

    @property
    def large(self) -> bool:
        """Return whether it is known to be of a usual size and shape for a story."""
        width, height = self.width or 0, self.height or 0
        return width >= LARGE[0] and height >= LARGE[1] and width < 3 * height

    @property
    def is_described(self) -> bool:
        """Return whether its name describes a photograph: "the-new-logo-of-the-harbour-is-unveiled.jpg"."""
        return len(self.stem_words) > 3

    @property
    def leads_away(self) -> bool:
        """Return whether it is linked to another site than its own and that of its post."""
        own = {site_of(self.page), site_of(self.url), site_of(origin(self.url))}
        return any(
            (site := site_of(link)) and site not in own and site not in marks.PHOTO_SITES
            for link in self.links
            if link.startswith("http")
        )


def _is_wrong_kind(facts: _Facts) -> bool:
    bad = any(not marks.IMAGE_KIND.match(kind) for kind in facts.kinds)
    path = urlsplit(origin(facts.url)).path
    return bad or bool(marks.WRONG_KIND.search(path)) or "=svg" in facts.url


def _is_share_icon(facts: _Facts) -> bool:
    if any(map(marks.SHARE_LINK.search, facts.links)):
        return True
    if facts.large:
        return False
    return _is_named_after(facts, marks.NETWORKS) or any(map(marks.SHARE_ALT.fullmatch, facts.alts))


def _is_file_icon(facts: _Facts) -> bool:
    return not facts.large and (
        _is_named_after(facts, marks.FILE_KINDS) or bool(marks.FILE_ICONS.search(facts.url))
    )


def _is_named_after(facts: _Facts, names: frozenset[str]) -> bool:
    """Return whether a file is named after one of `names`, and after nothing else but icons and numbers."""
    words = set(facts.stem_words)
    return not words.isdisjoint(names) and words <= names | marks.ICON_WORDS


def _is_logo(facts: _Facts) -> bool:
    found = marks.LOGO.search(facts.stem) and not facts.is_described
    return bool(found or marks.LOGO.search(facts.label) or marks.LOGO_FOLDER.search(facts.url))


def _is_avatar(facts: _Facts) -> bool:
    named = marks.AVATAR_NAME.search(facts.stem) and not facts.is_described
    return bool(named or marks.AVATAR.search(f"{facts.url} {facts.label}"))


def _is_badge(facts: _Facts) -> bool:
    return not facts.large and bool(marks.BADGE.search(facts.words))


def _is_advertisement(facts: _Facts) -> bool:
    size = f"{facts.width}x{facts.height}"
    sells = any(map(marks.AD_LINK.search, facts.links)) and facts.leads_away
    if size in marks.AD_FORMATS or sells or (_is_called_so(facts) and not facts.large):
        return True
    # Each of these may be true of a photograph too, but hardly two of them.
    return [facts.leads_away, facts.times > 1, size in marks.PERHAPS_AD_FORMATS].count(True) > 1


def _is_called_so(facts: _Facts) -> bool:
    short = [alt for alt in facts.alts if len(alt) <= _SHORT_TEXT]
    found = [match[1].lower() for text in (facts.words, *short) for match in marks.AD_WORD.finditer(text)]
    # A feed may call the picture of a post its banner.
    return any(not (facts.named and word.startswith("banner")) for word in found)


_RULES: tuple[tuple[Callable[[_Facts], bool], str], ...] = (
    (lambda facts: any(map(marks.BEACON.search, facts.urls)), "it is a tracking pixel"),
    (_is_wrong_kind, "emails cannot show its format"),
    (lambda facts: is_placeholder(facts.url), "it stands in for a picture that loads later"),
    (lambda facts: bool(marks.EMOJI.search(f"{facts.url} {facts.label}")), "it is an emoji"),
    (_is_avatar, "it shows a person's profile"),
    (_is_share_icon, "it is a button for sharing or following"),
    (lambda facts: any(map(marks.CALL_LINK.search, facts.links)), "it invites to subscribe or to give"),
    (_is_file_icon, "it is the icon of a kind of file"),
    (_is_advertisement, "it is an advertisement"),
    (_is_badge, "it is a badge or a button"),
    (_is_logo, "it is a logo or an icon"),
    (lambda facts: facts.boxed, "it stands in a box beside the post"),
)


def _wrong_size(facts: _Facts) -> str:
    return shape_reason(facts.width, facts.height)
