from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from digest.model.nodes import Node, Work
from digest.model.run_context import utc_now
from digest.storage.nodes import beat
from digest.storage.tables.nodes import nodes
from tests.cli.conftest import Terminal
from tests.scheduler.installation import Place, place_of
from tests.storage.ledger import begin, taken

HOUR = timedelta(hours=1)


def say(place: Place) -> None:
    """Let one node say what it does, and another say nothing for an hour."""
    now = utc_now()
    works = Work(kind="send", subject="daily-2026-11-23 7", since_at=now - timedelta(minutes=4))
    node = Node(
        id="a",
        host="harbour",
        pid=4711,
        version="0.1.0",
        queues=("send", "receive"),
        lines=4,
        started_at=now - 9 * HOUR,
        beat_at=now,
        work=(works,),
        sent=81_250,
        rate=812.4,
    )
    with place.app() as app, app.database.write() as connection:
        beat(connection, node)
        beat(connection, replace(node, id="b", host="lighthouse", pid=12))
        connection.execute(update(nodes).where(nodes.c.id == "b").values(beat_at=now - HOUR))


def test_a_line_for_each_node_says_what_it_does_and_a_sentence_what_is_wrong(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = place_of("nodes", tmp_path, request)
    terminal = Terminal(place, dict(place.environ))
    none = "No node is at work, so nothing is collected, composed or sent."
    assert none in terminal.says("nodes")
    say(place)
    said = terminal.says("nodes")
    row = (
        r"harbour 4711 +0\.1\.0 +send and receive +1 of 4 +send daily-2026-11-23, slice 7, for 4 minutes"
        r" +81,250 +812 messages a second +\d+ seconds? ago"
    )
    assert re.search(f"^{row}$", said, re.MULTILINE)
    assert "One node is at work, with 812 messages a second." in said
    assert "lighthouse 12 has been silent for 60 minutes. Check whether" in said
    first, second = terminal.facts("nodes")["nodes"]
    assert (first["sent"], first["work"][0]["subject"]) == (81_250, "daily-2026-11-23 7")
    assert (first["is_silent"], second["is_silent"]) == (False, True)


def test_without_nodes_the_processes_that_send_are_shown(terminal: Terminal) -> None:
    assert terminal.says("nodes") == "There are no nodes, because `digest serve` does all the work itself.\n"
    with terminal.place.app() as app:
        begin(app.database, readers=3)
        taken(app.database, "harbour:1:2:3:4:5")
    said = terminal.says("nodes")
    assert "There are no nodes, because `digest serve` does all the work itself." in said
    assert re.search(r"^harbour +\S+ +1 +0 ", said, re.MULTILINE)
    assert terminal.facts("nodes")["senders"][0]["host"] == "harbour"
