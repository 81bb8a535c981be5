from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from digest.model.nodes import version_order

OLD_TO_NEW = [
    "unknown",
    "0.0.dev7",
    "0.9",
    "0.9.1",
    "0.10.dev1",
    "0.10a1.dev2",
    "0.10a1",
    "0.10b3",
    "0.10rc1",
    "0.10rc2",
    "0.10",
    "0.10.post1",
    "0.10.1",
    "1.0",
    "10.0",
]


def test_versions_are_ordered_by_their_numbers_and_stages() -> None:
    for older, newer in pairwise(OLD_TO_NEW):
        assert version_order(older) < version_order(newer), (older, newer)


def test_zeros_at_the_end_and_local_parts_do_not_count() -> None:
    assert version_order("1.2") == version_order("1.2.0") == version_order("v1.2.0+harbour.7")


@given(
    st.lists(st.integers(0, 99), min_size=1, max_size=4), st.lists(st.integers(0, 99), min_size=1, max_size=4)
)
def test_versions_of_numbers_are_ordered_like_the_numbers(one: list[int], other: list[int]) -> None:
    width = max(len(one), len(other))
    padded = [[*each, *[0] * (width - len(each))] for each in (one, other)]
    texts = [".".join(map(str, each)) for each in (one, other)]
    assert (version_order(texts[0]) < version_order(texts[1])) == (padded[0] < padded[1])
