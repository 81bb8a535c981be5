from __future__ import annotations

from threading import Event, Thread
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from digest.web.ops.charts import Mark, Part, Series, bars, curve, divided, ticks
from digest.web.ops.recount import Recount

numbers = st.lists(st.integers(0, 10**7), min_size=1, max_size=40)


def _drawn(svg: Markup) -> ElementTree.Element:
    root = ElementTree.fromstring(str(svg))
    assert root.get("role") == "img"
    assert not [each for each in root.iter() if each.get("style")]
    return root


def _place(element: ElementTree.Element, name: str) -> float:
    return float((element.get(name) or "").removesuffix("%"))


@given(numbers, st.integers(1, 60))
def test_bars_stand_inside_the_chart_and_are_as_high_as_their_values(values: list[int], least: int) -> None:
    series = [Series(name="a", values=values, look="s-ok"), Series(name="b", values=values, look="s-q")]
    labels = [str(number) for number in range(len(values))]
    mark = Mark(value=5, text="too many", look="s-no")
    root = _drawn(bars(labels, series, says="some numbers", marks=[mark], least=least))
    found = [each for each in root.findall("rect") if each.get("class") == "s-ok"]
    shown = [value for value in values if value]
    assert len(found) == len(shown)
    for each in root.findall("rect"):
        assert 0 <= _place(each, "x") <= _place(each, "x") + _place(each, "width") <= 100.01
        assert 0 <= _place(each, "y") <= 82
    heights = [_place(each, "height") for each in found]
    assert all(
        heights[a] >= heights[b] for a in range(len(shown)) for b in range(len(shown)) if shown[a] > shown[b]
    )


@given(numbers)
def test_a_curve_goes_through_all_its_values(values: list[int]) -> None:
    labels = [str(number) for number in range(len(values))]
    root = _drawn(curve(labels, values, says="a curve"))
    line = next(each for each in root.iter() if each.get("class") == "curve")
    points = [point.split(",") for point in (line.get("points") or "").split()]
    assert len(points) == len(values)
    assert all(0 <= float(x) <= 1_000 and 0 <= float(y) <= 100 for x, y in points)
    assert points[values.index(max(values))][1] == min((y for _, y in points), key=float)


@given(st.integers(-(10**7), 10**7), st.integers(0, 10**7))
def test_an_axis_has_a_few_round_numbers_around_the_values(low: int, span: int) -> None:
    found = ticks(low, low + span)
    assert 2 <= len(found) <= 5
    assert found[0] <= low <= low + span <= found[-1]


def test_a_state_with_one_delivery_of_a_million_can_be_seen() -> None:
    parts = [
        Part(name="delivered", count=999_999, look="s-ok"),
        Part(name="waiting", count=0, look="s-wait"),
        Part(name="rejected", count=1, look="s-no"),
    ]
    delivered, rejected = _drawn(divided(parts, says="nearly all")).findall("rect")
    assert _place(rejected, "width") > 0.4
    assert _place(delivered, "width") + _place(rejected, "width") < 100


def test_what_a_chart_says_cannot_become_markup() -> None:
    svg = bars(["<b>"], [Series(name="x", values=[3], look="s-ok")], says='"><script>')
    assert "<script>" not in svg
    assert _drawn(svg).get("aria-label") == '"><script>'


def test_a_chart_without_numbers_is_empty() -> None:
    assert _drawn(bars([], [], says="nothing yet")).findall("rect") == []
    assert _drawn(divided([], says="no deliveries")).findall("rect") == []


class Seconds:
    """A clock that moves when a test counts."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_counting_takes_a_twentieth_of_the_time_at_most() -> None:
    seconds, counts = Seconds(), 0

    def count() -> int:
        nonlocal counts
        counts += 1
        seconds.now += 2
        return counts

    recount = Recount(seconds)
    for _ in range(1_000):
        recount.of("deliveries", count)
        seconds.now += 1
    assert 0 < counts <= seconds.now / (20 * 2) + 1
    assert recount.of("others", lambda: "a") == "a"


def test_while_one_counts_the_others_get_the_last_count() -> None:
    recount, begun, finish = Recount(Seconds()), Event(), Event()
    recount.of("deliveries", lambda: "old")

    def slowly() -> str:
        begun.set()
        finish.wait(10)
        return "new"

    counting = Thread(target=recount.of, args=("deliveries", slowly))
    counting.start()
    assert begun.wait(10)
    assert recount.of("deliveries", lambda: "never") == "old"
    finish.set()
    counting.join()
    assert recount.of("deliveries", lambda: "newer") == "newer"
