"""The addresses that hubs call: what a hub that we have asked may do, and nobody else."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from digest.collect.fetching import websub
from digest.model.posts import HubRow, HubState
from digest.model.publication import Feed
from digest.model.run_context import RunContext
from digest.sources.hubs import TOGETHER, Hubs, ask_hubs
from digest.storage.feeds import record_feeds, sync_feeds
from digest.storage.intake.hubs import hub_of, hubs_to_ask, note_hub, pushes, save_hub
from digest.web.app import create_web
from digest.web.pages.hub import MAX_PUSH, MOST
from tests.collect.servers import Answer, serving
from tests.web.site import BASE, SECRET, Site

TOPIC = "https://harbour.example.org/feed"
BODY = b"<feed>a tide</feed>"


FEED = Feed(name="Harbour", url=TOPIC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def found(site: Site, hub: str = "https://hub.example.org/", feed: Feed = FEED) -> HubRow:
    """Return the row of a hub that a feed has just named."""
    with site.app.database.write() as connection:
        row = sync_feeds(connection, [feed], site.clock())[0]
        note_hub(connection, row.id, (hub, TOPIC), site.clock())
    return stored(site, row.id)


def stored(site: Site, feed_id: str) -> HubRow:
    with site.app.database.read() as connection:
        row = hub_of(connection, feed_id)
    assert row is not None
    return row


def save(site: Site, row: HubRow) -> HubRow:
    with site.app.database.write() as connection:
        save_hub(connection, row)
    return row


def asked(
    site: Site,
    *feeds: Feed,
    hosts: tuple[str, ...] = ("127.0.0.1", "digest.example.org"),
    timeout: float = 30,
) -> int:
    """Ask the hubs of the feeds that are configured; return how many were asked."""
    config = site.app.config
    limits = replace(config.limits, allow_hosts=frozenset(hosts), timeout=timeout)
    config = replace(config, feeds=feeds or (FEED,), limits=limits)
    return ask_hubs(
        Hubs(database=site.app.database, config=config, secret=SECRET), RunContext(clock=site.clock)
    )


def query(**other: str) -> dict[str, str]:
    stated = {"mode": "subscribe", "topic": TOPIC, "challenge": "a gull", "lease_seconds": "864000"} | other
    return {f"hub.{name}": value for name, value in stated.items()}


def path(row: HubRow) -> str:
    return websub.callback(BASE, SECRET, row).removeprefix(BASE)


def signed(row: HubRow, body: bytes = BODY, method: str = "sha256") -> dict[str, str]:
    mac = hmac.new(websub.signing_secret(SECRET, row).encode(), body, method)
    return {"x-hub-signature": f"{method}={mac.hexdigest()}"}


def active(site: Site) -> HubRow:
    row = save(site, websub.asked(found(site), site.clock()))
    assert site.client.get(path(row), params=query()).text == "a gull"
    return stored(site, row.feed_id)


def test_a_hub_verifies_what_we_have_asked_and_only_once(place: Site) -> None:
    row = found(place)
    assert place.client.get(path(row), params=query()).status_code == 404  # not asked yet
    save(place, websub.asked(row, place.clock()))
    for wrong in (query(topic=TOPIC + "2"), query(mode="unsubscribe"), query(challenge="x" * 2_000)):
        assert place.client.get(path(row), params=wrong).status_code == 404
    answer = place.client.get(path(row), params=query(challenge="<b>&"))
    assert (answer.status_code, answer.text) == (200, "<b>&")
    assert answer.headers["content-type"].startswith("text/plain")
    assert stored(place, row.feed_id).state is HubState.ACTIVE
    assert place.client.get(path(row), params=query()).status_code == 404


def test_an_unknown_callback_is_not_found(quick: Site) -> None:
    row = active(quick)
    for wrong in (path(row)[:-1] + "é", path(row)[:-1], f"/hub/nobody/{'0' * 48}"):
        assert quick.client.get(wrong, params=query()).status_code == 404
        assert quick.client.post(wrong, content=BODY, headers=signed(row)).status_code == 404
    other = replace(row, hub="https://other.example.org/")
    assert quick.client.post(path(other), content=BODY, headers=signed(other)).status_code == 404


@pytest.mark.parametrize("method", sorted(websub.METHODS))
def test_a_signed_push_is_recorded(quick: Site, method: str) -> None:
    row = active(quick)
    now = quick.clock.forward(minutes=5)
    assert quick.client.post(path(row), content=BODY, headers=signed(row, method=method)).status_code == 202
    assert stored(quick, row.feed_id) == replace(row, pushed_at=now)


def test_a_push_without_the_right_signature_changes_nothing(quick: Site) -> None:
    row = active(quick)
    empty = hmac.new(b"", BODY, "sha256").hexdigest()
    md5 = hmac.new(websub.signing_secret(SECRET, row).encode(), BODY, "md5").hexdigest()
    wrong: tuple[dict[str, str], ...] = (
        signed(row, BODY + b" "),
        {},
        {"x-hub-signature": f"sha256={empty}"},
        {"x-hub-signature": f"md5={md5}"},
    )
    for headers in wrong:
        assert quick.client.post(path(row), content=BODY, headers=headers).status_code == 202
    assert stored(quick, row.feed_id) == row


def test_a_push_counts_until_its_feed_is_fetched(place: Site) -> None:
    row = active(place)
    place.client.post(path(row), content=BODY, headers=signed(row))
    with place.app.database.write() as connection:
        assert pushes(connection) == {}  # the feed was never fetched, so it is due anyway
        feed = sync_feeds(connection, [FEED], place.clock())[0]
        record_feeds(connection, [replace(feed, last_fetch_at=place.clock() - HOUR)])
        assert pushes(connection) == {row.feed_id: place.clock()}
        record_feeds(connection, [replace(feed, last_fetch_at=place.clock())])
        assert pushes(connection) == {}


def test_no_push_is_read_beyond_its_limit(quick: Site) -> None:
    row = active(quick)
    assert endless_push(quick, path(row), signed(row)) == (413, MAX_PUSH // 65_536 + 1)
    assert endless_push(quick, path(row)[:-1], signed(row)) == (404, 0)
    body = bytes(MAX_PUSH)
    assert quick.client.post(path(row), content=body, headers=signed(row, body)).status_code == 202
    assert stored(quick, row.feed_id).pushed_at is not None


def endless_push(site: Site, where: str, headers: dict[str, str]) -> tuple[int, int]:
    """Return the status of a push without an end, and how many parts of 64 KB were read of it."""
    parts, answers = 0, []

    async def receive() -> Message:
        nonlocal parts
        parts += 1
        assert parts <= 100
        return {"type": "http.request", "body": bytes(65_536), "more_body": True}

    async def send(message: Message) -> None:
        answers.append(message)

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "server": ("digest.example.org", 443),
        "path": where,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(create_web(site.app, clock=site.clock)(scope, receive, send))
    return answers[0]["status"], parts


def test_slow_pushes_leave_room_for_readers(quick: Site) -> None:
    row = active(quick)
    web = create_web(quick.app, clock=quick.clock)
    web.state.context.pushes.update(object() for _ in range(MOST))
    answer = TestClient(web, base_url=BASE).post(path(row), content=BODY, headers=signed(row))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


def test_a_hub_is_asked_by_post_and_again_after_pauses_and_after_its_lease(quick: Site) -> None:
    with serving() as hub:
        row = found(quick, hub.put("/", Answer(status=202)))
        assert asked(quick) == 1
        assert hub.posted == [
            (
                "/",
                {
                    "hub.callback": websub.callback(BASE, SECRET, row),
                    "hub.mode": "subscribe",
                    "hub.topic": TOPIC,
                    "hub.secret": websub.signing_secret(SECRET, row),
                    "hub.lease_seconds": "864000",
                },
            )
        ]
        pending = replace(
            row,
            state=HubState.PENDING,
            asked_at=quick.clock(),
            next_at=quick.clock() + HOUR / 4,
            failures=1,
        )
        assert stored(quick, row.feed_id) == pending
        assert asked(quick) == 0
        quick.clock.forward(minutes=15)
        assert asked(quick) == 1
        assert quick.client.get(path(row), params=query()).status_code == 200
        quick.clock.forward(days=8)
        assert asked(quick) == 1  # two days before the lease is over
        renewing = stored(quick, row.feed_id)
        assert (renewing.state, renewing.lease_until) == (HubState.ACTIVE, quick.clock() + 2 * DAY)
        quick.client.post(path(row), content=BODY, headers=signed(row))
        assert stored(quick, row.feed_id).pushed_at == quick.clock()
        assert quick.client.get(path(row), params=query()).status_code == 200
        assert stored(quick, row.feed_id).lease_until == quick.clock() + 10 * DAY
        pushed_at = quick.clock()
        quick.clock.forward(days=10)
        quick.client.post(path(row), content=BODY, headers=signed(row))
        assert stored(quick, row.feed_id).pushed_at == pushed_at  # the lease is over
        assert asked(quick) == 1
        assert stored(quick, row.feed_id).state is HubState.PENDING


def test_a_hub_that_denies_or_is_gone_is_left_alone_for_a_month(quick: Site) -> None:
    with serving() as hub:
        row = found(quick, hub.put("/", Answer(status=410)))
        assert asked(quick) == 1
        month = quick.clock() + 30 * DAY
        after = stored(quick, row.feed_id)
        assert (after.state, after.asked_at, after.next_at) == (HubState.GONE, None, month)
        hub.put("/", Answer(status=202))
        quick.clock.forward(days=30)
        assert asked(quick) == 1
        denial = {"hub.mode": "denied", "hub.topic": TOPIC, "hub.reason": "closed"}
        assert quick.client.get(path(row), params=denial).status_code == 200
        after = stored(quick, row.feed_id)
        assert (after.state, after.next_at) == (HubState.DENIED, month + 30 * DAY)


def test_no_hub_is_asked_without_public_pages_or_at_an_internal_address(quick: Site) -> None:
    with serving() as hub:
        row = found(quick, hub.put("/", Answer(status=202)))
        assert asked(quick, hosts=("127.0.0.1",)) == 0  # digest.example.org is not public
        assert stored(quick, row.feed_id) == row
        assert asked(quick, hosts=("digest.example.org",)) == 1
        quick.clock.forward(minutes=15)
        hub.redirect("/", f"http://localhost:{hub.port}/", status=307)
        assert asked(quick) == 1
        assert len(hub.posted) == 1  # the redirect leads to a host that is not allowed
        refused = stored(quick, row.feed_id)
        assert (refused.state, refused.asked_at) == (HubState.PENDING, None)


def test_a_silent_hub_is_left_after_the_time_for_a_feed(quick: Site) -> None:
    with serving() as hub:
        row = found(quick, hub.put("/", Answer(silent=True)))
        assert asked(quick, timeout=0.3) == 1
    after = stored(quick, row.feed_id)
    assert (after.state, after.asked_at, after.failures) == (HubState.PENDING, None, 1)


def test_one_round_asks_few_hubs_and_none_of_feeds_that_were_removed(quick: Site) -> None:
    with serving() as hub:
        address = hub.put("/", Answer(status=202))
        feeds = [Feed(name=f"Feed {number}", url=f"{TOPIC}/{number}") for number in range(TOGETHER + 2)]
        for feed in feeds:
            found(quick, address, feed)
        assert [asked(quick, *feeds[1:]) for _ in range(3)] == [TOGETHER, 1, 0]
        assert len(hub.posted) == TOGETHER + 1


def test_another_hub_waits_and_another_address_of_the_feed_forgets_the_hub(place: Site) -> None:
    row = active(place)
    now = place.clock()
    with place.app.database.write() as connection:
        note_hub(connection, row.feed_id, (row.hub, row.topic), now + HOUR)
        assert hub_of(connection, row.feed_id) == row
        note_hub(connection, row.feed_id, ("https://other.example.org/", TOPIC), now + HOUR)
        other = HubRow(feed_id=row.feed_id, hub="https://other.example.org/", topic=TOPIC, next_at=now + HOUR)
        assert hub_of(connection, row.feed_id) == other
        assert hubs_to_ask(connection, now, DAY) == ()
        assert hubs_to_ask(connection, now + HOUR, DAY) == (other,)
        assert hubs_to_ask(connection, now - 2 * DAY, DAY) == (other,)  # a clock was wrong
        sync_feeds(connection, [replace(FEED, url="https://new.example.org/feed")], now)
        assert hub_of(connection, row.feed_id) is None
    answer = place.client.post(path(row), content=BODY, headers=signed(row))
    assert answer.status_code == 404
