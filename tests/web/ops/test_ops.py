from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from digest.editions.feeds import collect_due
from digest.model.deliveries import Result
from digest.model.editions import EditionState, StepCause
from digest.model.nodes import Node, Work
from digest.model.run_context import RunContext, utc_now
from digest.model.staff import Role
from digest.monitoring.progress import keep_tallies
from digest.staff.people import change_digests
from digest.storage.database import Database
from digest.storage.editions.steps import advance
from digest.storage.ledger.outcomes import list_deliveries
from digest.storage.nodes import beat
from digest.storage.tables.deliveries import deliveries
from digest.web.app import create_web
from tests.send.world import EDITION, NOW
from tests.storage.ledger import STATE, accepted, begin, step, taken
from tests.web.site import CONFIG
from tests.web.staff.newsroom import Newsroom, open_newsroom

PAGES = (
    "/ops",
    "/ops/readers",
    "/ops/feeds",
    "/ops/schedules",
    "/ops/notices",
    "/ops/editions",
    f"/ops/editions/{EDITION}",
    f"/ops/editions/{EDITION}/progress",
    f"/ops/editions/{EDITION}/domains",
    f"/ops/editions/{EDITION}/cancel",
    f"/ops/deliveries?edition={EDITION}",
    f"/ops/deliveries?edition={EDITION}&state=uncertain&domain=example.org&code=9&after=3",
)


@pytest.fixture
def going(desk: Newsroom) -> Newsroom:
    """An edition to ten readers: six accepted, one rejected, one deferred, one uncertain, one waiting."""
    desk.clock.now = NOW + timedelta(seconds=20)
    begin(desk.app.database, readers=10)
    step(
        desk.app.database,
        taken(desk.app.database),
        *map(accepted, range(1, 7)),
        Result(7, STATE.REJECTED, None, 550, "no such <user>"),
        Result(8, STATE.DEFERRED, NOW + timedelta(minutes=6), 451, "try later"),
        Result(9, STATE.UNCERTAIN, None, None, "the connection broke"),
        leaves=True,
    )
    return desk


def _states(database: Database) -> dict[int, str]:
    with database.read() as connection:
        return {each.subscriber_id: each.state for each in list_deliveries(connection, EDITION)}


def _deliveries(client: TestClient, query: str = "") -> str:
    return client.get(f"/ops/deliveries?edition={EDITION}{query}").text


def test_every_page_can_be_seen(going: Newsroom) -> None:
    client = going.signed_in(Role.OPERATOR)
    assert {page: client.get(page).status_code for page in PAGES} == dict.fromkeys(PAGES, 200)


def test_the_first_page_of_a_new_installation_says_what_comes_next(desk: Newsroom) -> None:
    page = desk.signed_in(Role.READER).get("/ops").text
    assert "Nothing is being sent." in page
    assert "goes out next" in page


def test_the_first_page_says_how_far_the_edition_is(going: Newsroom) -> None:
    page = going.signed_in(Role.OPERATOR).get("/ops").text
    assert "Sending: 6 of 10 delivered" in page
    assert 'aria-label="6 delivered, 1 waiting, 1 retrying, 1 rejected, 1 uncertain"' in page
    assert "1 × “550 no such &lt;user&gt;”" in page


def test_deliveries_that_are_due_later_say_when_and_delay_nothing(going: Newsroom) -> None:
    later = update(deliveries).where(deliveries.c.subscriber_id == 10).values(due_at=NOW + timedelta(hours=2))
    with going.app.database.write() as connection:
        connection.execute(later)
    page = going.signed_in(Role.OPERATOR).get("/ops").text
    assert "1 at an hour that they chose, from 09:00 on" in page
    assert "1 × “451 try later”; next try 07:06" in page
    assert "Sending: 6 of 10 delivered." in page


def test_domains_are_counted_at_one_moment(going: Newsroom) -> None:
    client = going.signed_in(Role.OPERATOR)
    client.get(f"/ops/editions/{EDITION}")
    row = '<tr><th scope="row">example.org</th><td class="n">6 of 10</td><td class="n">1</td></tr>'
    part = client.get(f"/ops/editions/{EDITION}/domains", headers={"hx-request": "true"}).text
    assert row in part
    assert "Others" not in part


def test_hundreds_of_feeds_that_are_down_leave_room_for_the_rest(sqlite: Database, tmp_path: Path) -> None:
    feeds = "".join(f'\n[[feed]]\nname = "Paper {n}"\npath = "paper{n}.json"\n' for n in range(300))
    desk = open_newsroom(sqlite, tmp_path, CONFIG + feeds)
    collect_due(desk.app.database, desk.app.config, RunContext(clock=desk.clock))
    page = desk.signed_in(Role.OPERATOR).get("/ops").text
    assert page.count("has been down since") == 8
    assert re.search(r"<strong>29\d more</strong> need a look", page)
    assert ".”." not in page


def test_without_a_message_sent_there_is_no_rate_of_complaints(desk: Newsroom) -> None:
    page = desk.signed_in(Role.READER).get("/ops").text
    assert "No complaints" in page
    assert "Nothing was sent in the last 4 weeks." in page
    assert "0 complaints" not in page


def test_numbers_lead_to_what_they_count(going: Newsroom) -> None:
    client = going.signed_in(Role.OPERATOR)
    page = client.get(f"/ops/editions/{EDITION}").text
    lists = dict(re.findall(r'href="(/ops/deliveries\?[^"]+)">([0-9,]+)<', page))
    assert len(lists) == 5
    for link, number in lists.items():
        rows = client.get(link.replace("&amp;", "&")).text.count('<th scope="row">')
        assert rows == int(number), link


def test_only_operators_see_addresses(going: Newsroom) -> None:
    assert "reader7@example.org" in _deliveries(going.signed_in(Role.OPERATOR))
    approver = _deliveries(going.signed_in(Role.APPROVER))
    assert "reader7" not in approver
    assert "Retry</button>" not in approver


def test_a_long_list_has_pages(desk: Newsroom) -> None:
    begin(desk.app.database, readers=60)
    client = desk.signed_in(Role.OPERATOR)
    first = _deliveries(client)
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    second = client.get(following[1].replace("&amp;", "&")).text
    assert (first.count('<th scope="row">'), second.count('<th scope="row">')) == (50, 10)
    assert 'rel="next"' not in second


def test_the_progress_asks_again_only_while_the_edition_is_sent(going: Newsroom) -> None:
    client = going.signed_in(Role.OPERATOR)
    assert "every 2s" in client.get(f"/ops/editions/{EDITION}/progress").text
    client.post(f"/ops/editions/{EDITION}/pause")
    assert "every 2s" not in client.get(f"/ops/editions/{EDITION}/progress").text


def test_anybody_may_pause_and_an_operator_resumes(going: Newsroom) -> None:
    reader = going.signed_in(Role.READER)
    assert reader.post(f"/ops/editions/{EDITION}/pause").status_code == 303
    page = reader.get(f"/ops/editions/{EDITION}").text
    assert "Paused by Ada" in page
    assert "/resume" not in page
    assert reader.post(f"/ops/editions/{EDITION}/resume").status_code == 403
    assert going.signed_in(Role.OPERATOR).post(f"/ops/editions/{EDITION}/resume").status_code == 303
    assert "Sending: 6 of 10" in reader.get("/ops").text


def test_the_rest_is_cancelled_only_after_a_question(going: Newsroom) -> None:
    client = going.signed_in(Role.OPERATOR)
    assert "Cancel the rest of this edition?" in client.get(f"/ops/editions/{EDITION}/cancel").text
    assert client.post(f"/ops/editions/{EDITION}/cancel").status_code == 303
    assert _states(going.app.database)[10] == "skipped"
    assert "Cancelled" in client.get(f"/ops/editions/{EDITION}").text


@pytest.mark.parametrize(
    ("fields", "queued"),
    [
        ({"state": "rejected", "reader": "7"}, {7}),
        ({"state": "rejected", "code": "551"}, set()),
        ({"state": "uncertain", "domain": "example.org"}, {9}),
        ({"state": "deferred"}, {8}),
        ({"state": "accepted"}, set()),
        ({}, set()),
    ],
)
def test_deliveries_are_queued_again_one_or_all_of_a_kind(
    going: Newsroom, fields: dict[str, str], queued: set[int]
) -> None:
    client = going.signed_in(Role.OPERATOR)
    answer = client.post("/ops/retry", data={"edition": EDITION, **fields})
    assert answer.status_code == 303
    found = {key for key, state in _states(going.app.database).items() if state == "queued"}
    assert found == {10} | queued
    said = "queued again and sent" if queued else "Nothing was queued again"
    assert said in client.get(answer.headers["location"]).text


def test_an_editor_may_not_retry(going: Newsroom) -> None:
    assert going.signed_in(Role.EDITOR).post("/ops/retry", data={"edition": EDITION}).status_code == 403


def test_an_edition_that_has_ended_is_shown_from_its_tally(going: Newsroom) -> None:
    with going.app.database.write() as connection:
        advance(connection, EDITION, EditionState.CANCELLED, StepCause(at=NOW, why="a wrong headline"))
    client = going.signed_in(Role.OPERATOR)
    live = client.get(f"/ops/editions/{EDITION}").text
    keep_tallies(going.app.database, NOW)
    assert client.get(f"/ops/editions/{EDITION}").text == live


def test_a_feed_is_due_after_its_button(sqlite: Database, tmp_path: Path) -> None:
    name = "Orchard / Notes"
    feed = f'\n[[feed]]\nname = "{name}"\nurl = "https://orchard.test/feed"\n'
    client = open_newsroom(sqlite, tmp_path, CONFIG + feed).signed_in(Role.OPERATOR)
    assert f"{name}</a></strong> has not been fetched yet" in client.get("/ops").text
    answer = client.post("/ops/fetch", data={"feed": name})
    assert answer.status_code == 303
    page = client.get(answer.headers["location"])
    assert page.status_code == 200
    assert f"{name} is due now" in page.text
    assert client.post("/ops/fetch", data={"feed": "no such feed"}).status_code == 404
    assert client.get("/ops/feeds/no such feed").status_code == 404


def test_an_unknown_edition_is_not_found(desk: Newsroom) -> None:
    client = desk.signed_in(Role.OPERATOR)
    for path in ("/ops/editions/none", "/ops/deliveries?edition=none"):
        assert client.get(path).status_code == 404


def test_the_largest_domains_stand_beside_the_states(going: Newsroom) -> None:
    client = going.signed_in(Role.READER)
    path = f"/ops/editions/{EDITION}/domains"
    part = client.get(path, headers={"hx-request": "true"}).text
    assert "<html" not in part
    assert re.search(r"example\.org.*6 of 10", part)
    assert "<html" in client.get(path).text


def test_a_page_that_asks_by_itself_says_when_the_session_has_ended(going: Newsroom) -> None:
    path = f"/ops/editions/{EDITION}/progress"
    answer = going.visitor().get(path, headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-reswap"]) == (401, "none")
    assert "Your session has ended" in answer.text
    assert 'hx-status:401="swap:innerHTML"' in going.signed_in(Role.READER).get(path).text


def test_operators_see_which_nodes_work_and_which_need_somebody(going: Newsroom) -> None:
    config = replace(going.app.config, has_engine=True)
    going.site.app = replace(going.app, config=config)
    going.web = create_web(going.app, clock=going.clock, proof_cost=1)
    page = going.signed_in(Role.OPERATOR).get("/ops").text
    assert "No node is at work, so nothing is collected, composed or sent." in page
    now = utc_now()
    begun = now - timedelta(minutes=10)
    work = tuple(
        Work(kind="send", subject=f"{name} 7", since_at=begun) for name in (EDITION, "weekend-2026-11-21")
    )
    node = Node(id="a", host="harbour", pid=4711, version="0.1.0", lines=4, started_at=now, beat_at=now)
    with going.app.database.write() as connection:
        beat(connection, replace(node, work=work, rate=812.4))
        beat(connection, replace(node, id="b", host="lighthouse", note="Update this <node>."))
    browser = going.signed_in(Role.OPERATOR)
    page = browser.get("/ops").text
    said = [f"send {each.subject.removesuffix(' 7')}, slice 7, for 10 minutes" for each in work]
    assert f"<strong>harbour 4711</strong>: {'; '.join(said)}<br>" in page
    assert "<strong>lighthouse 4711</strong> says: Update this &lt;node&gt;." in page
    assert "Two nodes are at work, with 812 messages a second." in page
    change_digests(going.app.database, going.person(Role.OPERATOR).id, ["daily"], going.clock())
    page = browser.get("/ops").text
    assert f"<strong>harbour 4711</strong>: {said[0]}; 1 other job<br>" in page
    assert "weekend" not in page


def test_without_an_engine_the_page_has_no_nodes(going: Newsroom) -> None:
    assert 'id="nodes"' not in going.signed_in(Role.OPERATOR).get("/ops").text
