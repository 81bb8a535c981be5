"""Draw charts as SVG: bars, a curve, and one bar that is divided into states. Pure.

A chart says in one sentence what it shows, which is its label; a template puts a table with the same numbers
below. All places are in percent of the chart, and not in units of a view box, so that the letters keep their
size in a narrow window. Colours come from classes of `staff.css`, because our pages allow no inline style.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

TOP, BOTTOM = 14.0, 82.0  # the area of the values, in percent of the height; the labels stand below
_GAP = 0.22  # of the width of a group of bars
_LEAST_SHARE = 0.6  # percent, so that one delivery of a million can be seen
_TICKS = 3
_NARROW = 50  # percent; with fewer, two labels would touch each other on a phone
_WIDE = 1_000  # units of a curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one kind, one for each label; `look` is the class of their bars."""

    name: str
    values: Sequence[float]
    look: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A dashed line at a value, with its meaning."""

    value: float
    text: str
    look: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One state in a divided bar."""

    name: str
    count: int
    look: str


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def bars(
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    says: str,
    marks: Sequence[Mark] = (),
    shown: Callable[[float], str] = _plain,
    least: int = 1,
) -> Markup:
    """Draw groups of bars from zero, one group for each label; the largest value is written above its bar.

    There is room for at least `least` groups.
    """
    high = max((value for each in series for value in each.values), default=0)
    top = max([high, *(mark.value for mark in marks)]) * 1.08 or 1
    group = 100 / max(len(labels), least)
    width = group * (1 - _GAP) / max(len(series), 1)
    parts = [_line("grid", BOTTOM)]
    for number, each in enumerate(series):
        for place, value in enumerate(each.values):
            x = place * group + group * _GAP / 2 + number * width
            parts += [_bar(each.look, x, width, _y(value, 0, top))] if value else []
    parts += [part for mark in marks for part in _mark(mark, _y(mark.value, 0, top))]
    parts += _highest(series, group, _y(high, 0, top), shown) if high else []
    return _svg("chart", says, [*parts, *_below(labels, width=group)])


def curve(
    labels: Sequence[str], values: Sequence[float], *, says: str, shown: Callable[[float], str] = _plain
) -> Markup:
    """Draw a line through values with an axis of round numbers, which need not begin at zero."""
    low, high = min(values, default=0), max(values, default=0)
    axis = ticks(low, high)
    bottom, top = min(low, axis[0]), max(high, axis[-1])
    step = _WIDE / max(len(values) - 1, 1)
    points = [
        f"{place * step:.1f},{100 - 100 * (value - bottom) / ((top - bottom) or 1):.2f}"
        for place, value in enumerate(values)
    ]
    lines = [_line("grid", _y(value, bottom, top)) for value in axis]
    texts = [_text(0, _y(value, bottom, top), shown(value), dy="-0.35em") for value in axis]
    last = _text(100, _y(values[-1], bottom, top), shown(values[-1]), look="lab", anchor="end", dy="-0.6em")
    inner = Markup(
        '<svg y="{}%" width="100%" height="{}%" viewBox="0 0 {} 100" preserveAspectRatio="none">'
        '<polygon class="area" points="0,100 {} {},100"/>'
        '<polyline class="curve" points="{}" vector-effect="non-scaling-stroke"/></svg>'
    ).format(TOP, BOTTOM - TOP, _WIDE, " ".join(points), _WIDE, " ".join(points))
    return _svg("chart", says, [inner, *lines, *texts, last, *_below(labels)])


def divided(parts: Sequence[Part], *, says: str) -> Markup:
    """Draw one bar whose parts are as wide as their counts; a part that is not zero can always be seen."""
    found = [part for part in parts if part.count]
    total = sum(part.count for part in found) or 1
    shares = [max(100 * part.count / total, _LEAST_SHARE) for part in found]
    whole, at, drawn = sum(shares) or 1, 0.0, []
    for part, share in zip(found, shares, strict=True):
        width = 100 * share / whole
        drawn.append(
            Markup('<rect class="{}" x="{:.3f}%" width="{:.3f}%" height="100%"/>').format(
                part.look, at, max(width - 0.15, 0.1)
            )
        )
        at += width
    return _svg("states", says, drawn)


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Return up to four round numbers that span two values; at least two, also if the values are equal."""
    span = max(high - low, 1.0)
    unit = 1.0
    while span / unit > 10 * _TICKS:
        unit *= 10
    step = next((unit * each for each in (1, 2, 5, 10) if span / (unit * each) <= _TICKS), unit * 20)
    first = low // step * step
    count = int(-(-(high - first) // step)) or 1
    return tuple(first + step * number for number in range(count + 1))


def _y(value: float, bottom: float, top: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * (value - bottom) / ((top - bottom) or 1)


def _bar(look: str, x: float, width: float, y: float) -> Markup:
    least = min(y, BOTTOM - 1)  # a value that is not zero is seen
    return Markup('<rect class="{}" x="{:.2f}%" width="{:.2f}%" y="{:.2f}%" height="{:.2f}%"/>').format(
        look, x, width, least, BOTTOM - least
    )


def _line(look: str, y: float) -> Markup:
    return Markup('<line class="{}" x1="0" x2="100%" y1="{:.2f}%" y2="{:.2f}%"/>').format(look, y, y)


def _text(x: float, y: float, text: str, *, look: str = "", anchor: str = "start", dy: str = "0") -> Markup:
    return Markup('<text class="{}" x="{:.2f}%" y="{:.2f}%" dy="{}" text-anchor="{}">{}</text>').format(
        look, x, y, dy, anchor, text
    )


def _mark(mark: Mark, y: float) -> list[Markup]:
    return [_line(mark.look, y), _text(100, y, mark.text, anchor="end", dy="-0.35em")]


def _highest(series: Sequence[Series], group: float, y: float, shown: Callable[[float], str]) -> list[Markup]:
    high = max(value for each in series for value in each.values)
    place = next(list(each.values).index(high) for each in series if high in each.values)
    x = (place + 0.5) * group
    anchor = "start" if x < 10 else "end" if x > 90 else "middle"
    return [_text(x, y, shown(high), look="lab", anchor=anchor, dy="-0.4em")]


def _below(labels: Sequence[str], *, width: float = 0.0) -> list[Markup]:
    """Write the first and the last label, and two between them if there are enough.

    `width` is that of a group of bars; the points of a curve have none.
    """
    last = len(labels) - 1
    places = sorted({0, last} | ({last // 3, 2 * last // 3} if last >= 6 else set())) if last >= 0 else []
    room = width * (last + 1) if width else 100.0
    if room < _NARROW:
        places = places[:1]
    found = []
    for place in places:
        anchor = "start" if place == 0 else "end" if place == last else "middle"
        middle = (place + 0.5) * width if width else 100 * place / max(last, 1)
        x = {"start": 0.0, "end": room}.get(anchor, middle)
        found.append(_text(x, 97, labels[place], anchor=anchor))
    return found if room >= 100 or len(found) < _TICKS else [found[0], found[-1]]


def _svg(look: str, says: str, parts: Sequence[Markup]) -> Markup:
    inner = Markup("").join(parts)
    return Markup('<svg class="{}" role="img" aria-label="{}">{}</svg>').format(look, escape(says), inner)
