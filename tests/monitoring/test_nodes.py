from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.model.nodes import KnownNode, Node, Work
from digest.monitoring.nodes import NodeStatus, forget_ended, summary, trouble_of, without_replaced, work_text
from digest.storage.database import Database
from digest.storage.nodes import beat, known_nodes
from digest.storage.owner import note_end, own_name

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
EDITION = "daily-2026-11-22"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def known(
    name: str = "a",
    *work: Work,
    host: str = "harbour",
    started: float = 3_600,
    beat: float = 2,
    ahead: float = 0,
    note: str = "",
) -> KnownNode:
    """Return a node that started, and that beat last, so many seconds ago."""
    node = Node(
        id=name,
        host=host,
        pid=4_711,
        version="0.1.0",
        lines=4,
        started_at=ago(started),
        beat_at=ago(beat),
        work=work,
        ahead=timedelta(seconds=ahead),
        note=note,
    )
    return KnownNode(node=node, silent=timedelta(seconds=beat))


def send(slice_number: int, seconds: float, edition: str = EDITION) -> Work:
    return Work(kind="send", subject=f"{edition} {slice_number}", since_at=ago(seconds))


COLLECT = Work(kind="collect", subject="Radio 4", since_at=ago(3))
CLEAN = Work(kind="clean", subject="", since_at=ago(1))


@pytest.mark.parametrize(
    ("work", "text"),
    [
        ([], ""),
        ([CLEAN], "clean, for 1 second"),
        ([CLEAN, COLLECT], "collect Radio 4, for 3 seconds; clean, for 1 second"),
        ([send(7, 12)], "send daily-2026-11-22, slice 7, for 12 seconds"),
        ([send(8, 5), send(7, 200)], "send daily-2026-11-22, slices 7 and 8, for up to 3 minutes"),
        (
            [*(send(number, 10 - number) for number in range(9)), CLEAN],
            "send daily-2026-11-22, slices 0, 1, 2 and 6 more, for up to 10 seconds; clean, for 1 second",
        ),
        (
            [CLEAN, *(send(7, 90, f"tide-{number}") for number in range(3)), COLLECT],
            "; ".join(
                [*(f"send tide-{number}, slice 7, for 2 minutes" for number in range(3)), "2 other jobs"]
            ),
        ),
    ],
)
def test_the_work_of_many_lines_fits_into_one_line(work: Sequence[Work], text: str) -> None:
    assert work_text(known("a", *work)) == text


def test_of_work_that_may_not_be_shown_only_the_number_is_said() -> None:
    node = known("a", send(7, 12), CLEAN)
    assert work_text(node, lambda each: each.kind == "clean") == "clean, for 1 second; 1 other job"
    assert work_text(node, lambda _: False) == "2 other jobs"


def test_a_node_in_order_needs_nobody() -> None:
    assert trouble_of(known("a", send(7, 12), ahead=59)) == ""


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (known(beat=9), "has been silent for 9 seconds. Check whether"),
        (known(ahead=300), "takes no more jobs, because its clock is 5 minutes ahead of the clock"),
        (
            known(ahead=-60, note="Set the clock."),
            "takes no more jobs, because its clock is 60 seconds behind the clock",
        ),
        (known(note="Update this node."), "says: Update this node."),
    ],
)
def test_a_node_that_needs_somebody_has_a_sentence(node: KnownNode, sentence: str) -> None:
    assert trouble_of(node).startswith(sentence)


def test_a_node_that_was_started_in_place_of_another_is_the_only_one_shown() -> None:
    first, second = known("first", beat=900), known("second", started=890, beat=400)
    third = known("third", started=390)
    assert without_replaced([first, second, third]) == (third,)


def test_a_node_that_nobody_has_replaced_is_shown() -> None:
    gone, other = known("gone", beat=900), known("other", started=3_600)
    elsewhere = known("elsewhere", host="lighthouse", started=100)
    both = known("both", beat=900)
    assert without_replaced([gone, other, elsewhere]) == (gone, other, elsewhere)
    assert len(without_replaced([gone, both, known("new", started=100)])) == 2


def status(node: KnownNode) -> NodeStatus:
    return NodeStatus(known=node, queues="all", work="", rate="", trouble="")


def test_one_sentence_says_how_all_nodes_stand() -> None:
    busy = known("a")
    fast = replace(busy, node=replace(busy.node, rate=812.4))
    assert (
        summary([], has_engine=False)
        == "There are no nodes, because `digest serve` does all the work itself."
    )
    for none in ([], [status(known("a", beat=30))]):
        assert summary(none, has_engine=True).startswith("No node is at work, so nothing is collected")
    assert summary([status(busy)], has_engine=True) == "One node is at work."
    assert summary([status(fast), status(fast)], has_engine=True) == (
        "Two nodes are at work, with 1,625 messages a second."
    )


def test_a_node_of_this_machine_that_was_killed_is_forgotten(sqlite: Database) -> None:
    """The name says when its process started: another process has its number since."""
    own = own_name()
    host, boot, namespace, pid, _, run = own.rsplit(":", 5)
    killed = ":".join((host, boot, namespace, pid, "1", run))
    elsewhere = ":".join(("lighthouse", boot, namespace, pid, "1", run))
    with sqlite.write() as connection:
        for name in (own, killed, elsewhere):
            beat(connection, known(name).node)
        forget_ended(connection)
        assert {each.node.id for each in known_nodes(connection)} == {own, elsewhere}
    note_end(own)
