"""Define the fonts of emails and pages, and the sizes of their texts."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from digest.model.publication import Brand

# Each begins with fonts that mail programs have, because most of them load no others.
SERIF = {
    "Georgia": Markup("Georgia, 'Times New Roman', serif"),
    "Times": Markup("'Times New Roman', Times, serif"),
    "Palatino": Markup("Palatino, 'Palatino Linotype', 'Book Antiqua', Georgia, serif"),
    "Cambria": Markup("Cambria, Georgia, 'Times New Roman', serif"),
}
SANS = {
    "Helvetica": Markup("Helvetica, Arial, sans-serif"),
    "Verdana": Markup("Verdana, Geneva, sans-serif"),
    "Tahoma": Markup("Tahoma, Verdana, sans-serif"),
    "Trebuchet": Markup("'Trebuchet MS', Tahoma, sans-serif"),
    "System": Markup("-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"),
}
# The fonts above have no Arabic letters, or poor ones.
ARABIC = Markup("'Noto Naskh Arabic', 'Geeza Pro', 'Segoe UI', Tahoma, Arial, sans-serif")


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


def serif_of(brand: Brand) -> Markup:
    """Return the fonts for stories."""
    return SERIF[brand.serif or "Georgia"]


def sans_of(brand: Brand) -> Markup:
    """Return the fonts for everything around the stories."""
    return SANS[brand.sans or "Helvetica"]


def headings_of(brand: Brand) -> Markup:
    """Return the fonts for headlines."""
    return sans_of(brand) if brand.headings == "sans" else serif_of(brand)


def _size(base: _Step, *, wide: _Step | None = None, phone: _Step | None = None) -> Size:
    return Size(base=_css(base, ""), wide=_css(wide or base, _KEPT), phone=_css(phone or base, _KEPT))


_KEPT = " !important"  # against the inlined styles


def _css(step: _Step, mark: str) -> str:
    return f"font-size: {step[0]}px{mark}; line-height: {step[1]}px{mark}"


# ── emails ──────────────────────────────────────────────────────────────────────────────────

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


# ── pages ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSizes:
    """The sizes of texts on web pages, as values of CSS; they follow the reader's own setting."""

    name: str
    lead: str
    topic: str
    story: str
    brief: str  # and an opening sentence
    text: str
    label: str
    small: str
    paper: str  # text that is printed
    paper_small: str


PAGE_SIZES = PageSizes(
    name="clamp(2.1rem, 8vw, 3.4rem)",
    lead="clamp(1.7rem, 5vw, 2.3rem)",
    topic="1.7rem",
    story="1.35rem",
    brief="1.15rem",
    text="1.0625rem",
    label="1rem",
    small="0.9rem",
    paper="11pt",
    paper_small="8pt",
)
