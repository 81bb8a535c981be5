"""Nodes fail while they send an edition: each reader gets it once, or is in doubt, and the nodes go on."""

from __future__ import annotations

import time

from digest.model.editions import EditionState
from tests.chaos.nodes import events
from tests.chaos.nodes.events import Happening, Part, until_noticed, while_others_send
from tests.chaos.nodes.network import Cable
from tests.chaos.nodes.sending import Plan, Sending, staged

# Slow enough that there is something to send until the last event is over; the rest is sent at once then.
PLAN = Plan(readers=8_000, nodes=2, connections=1, pause=100, timeout="30s")


def test_nodes_that_are_killed_or_frozen_leave_no_more_in_doubt_than_they_had_on_the_wire() -> None:
    with staged(PLAN) as sending:
        kills = events.kills(Part.WORKER, Part.SUPERVISOR)
        let_happen(sending, kills, events.freeze(1, while_others_send(100)))
        assert in_doubt(sending) <= PLAN.window, "only the first kill interrupted a line"


def test_nodes_go_on_after_a_restart_of_the_database_and_after_a_failover() -> None:
    with staged(PLAN, standby=True) as sending:
        let_happen(sending, events.outage(until_noticed), events.failover(until_noticed))
        assert in_doubt(sending) == 0, "the nodes keep the answers until a database has recorded them"


def test_nodes_that_were_cut_off_go_on_and_those_that_must_not_send_say_why() -> None:
    hold = while_others_send(100)
    with staged(PLAN, cuts=True) as sending:
        cuts = events.cut(0, Cable.DATABASE, hold), events.cut(1, Cable.MAIL, hold)
        clocks = events.wrong_clock(1, 300, hold), events.wrong_clock(0, -300, hold)
        let_happen(sending, *cuts, *clocks, events.newer_node)
        assert in_doubt(sending) <= 2 * PLAN.window


def let_happen(sending: Sending, *happenings: Happening) -> None:
    """Start the nodes, and let one thing after another happen, each when the nodes are at work."""
    sending.start_nodes()
    sending.until_all_work(time.monotonic())
    for happen in happenings:
        effect = happen(sending)
        sending.until_all_work(effect.over, effect.workers)
    sending.hurry()


def in_doubt(sending: Sending) -> int:
    """Wait until the edition is sent, and return how many readers are in doubt; no other may be missing."""
    verdict = sending.verdict(sending.until_sent())
    assert (verdict.state, verdict.doubled, verdict.missed) == (EditionState.SENT, 0, 0)
    return verdict.in_doubt
