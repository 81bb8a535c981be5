"""Define the fonts of emails and pages, and the sizes of their texts."""

from __future__ import annotations

from dataclasses import dataclass

from digest.model.publication import Brand

SERIF = {"Georgia": "Georgia, 'Times New Roman', serif"}
SANS = {"Helvetica": "Helvetica, Arial, sans-serif"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of a text in an email, as declarations of CSS.

    `base` holds everywhere. `wide` and `phone` stand in the head, for at least 640 and at most 419 pixels.
    """

    base: str
    wide: str
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of all texts. No template states any other size."""

    name: Size  # the title of the digest
    lead: Size
    topic: Size
    feature: Size
    story: Size
    brief: Size
    lead_text: Size
    feature_text: Size
    story_text: Size
    heading: Size  # of a notice
    button: Size
    contents: Size
    small: Size  # sources, counts, labels
    print: Size  # small print


_Step = tuple[int, int]  # size and height of the line, in pixels


def serif_of(brand: Brand) -> str:
    """Return the fonts for stories."""
    return SERIF[brand.serif or "Georgia"]


def sans_of(brand: Brand) -> str:
    """Return the fonts for everything around the stories."""
    return SANS[brand.sans or "Helvetica"]


def headings_of(brand: Brand) -> str:
    """Return the fonts for headlines."""
    return sans_of(brand) if brand.headings == "sans" else serif_of(brand)


def _size(base: _Step, *, wide: _Step | None = None, phone: _Step | None = None) -> Size:
    return Size(base=_css(base, ""), wide=_css(wide or base, _KEPT), phone=_css(phone or base, _KEPT))


_KEPT = " !important"  # against the inlined styles


def _css(step: _Step, mark: str) -> str:
    return f"font-size: {step[0]}px{mark}; line-height: {step[1]}px{mark}"


SIZES = Sizes(
    name=_size((34, 40), wide=(46, 52), phone=(30, 36)),
    lead=_size((27, 33), wide=(33, 40)),
    topic=_size((25, 31), wide=(28, 34)),
    feature=_size((21, 27)),
    story=_size((19, 25)),
    brief=_size((17, 24), phone=(16, 23)),
    lead_text=_size((18, 28), phone=(17, 26)),
    feature_text=_size((17, 26)),
    story_text=_size((16, 24)),
    heading=_size((30, 38)),
    button=_size((16, 22)),
    contents=_size((15, 22)),
    small=_size((14, 20)),
    print=_size((14, 22)),
)
# Arabic letters are taller, and need more room between the lines.
TALL = Sizes(
    name=_size((36, 52), wide=(46, 64), phone=(34, 48)),
    lead=_size((27, 42), wide=(32, 48)),
    topic=_size((25, 38), wide=(28, 40)),
    feature=_size((21, 34)),
    story=_size((19, 32)),
    brief=_size((17, 30)),
    lead_text=_size((18, 32)),
    feature_text=_size((17, 30)),
    story_text=_size((16, 28)),
    heading=_size((30, 44)),
    button=_size((16, 26)),
    contents=_size((15, 24)),
    small=_size((14, 22)),
    print=_size((14, 24)),
)
