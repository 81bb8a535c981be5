"""Send within limits, in simulated time, which moves on when every sender rests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Condition

import pytest
from sqlalchemy import event, insert

from digest.limits.limits import Limits, Rules, WarmUp, domain_rules, parse_limit, uses
from digest.message.folder import FolderTransport
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.model.messages import Message, Outcome, Receipt
from digest.send.answers.retries import pause_of
from digest.send.finish import Sent
from digest.send.outbox import Outbox
from digest.send.send import send
from digest.storage.database import Database
from digest.storage.ledger.outcomes import list_deliveries
from digest.storage.limits import read_meters
from subscribers.store.tables import subscribers, subscriptions
from tests.send.world import EDITION, NOW, SETTINGS, Clock, add_edition

REST = timedelta(milliseconds=20)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
OK = 250, "2.0.0", "queued"
SLOWLY = 421, "4.7.0", "try later"

Answer = Callable[[Message, datetime], tuple[int, str, str]]


class SharedClock:
    """A clock for several threads; it moves on by a rest when all active threads have asked for one."""

    def __init__(self, workers: int) -> None:
        self.now = NOW
        self._workers, self._resting = workers, 0
        self._moved = Condition()

    def __call__(self) -> datetime:
        return self.now

    def rest(self) -> None:
        with self._moved:
            before = self.now
            self._resting += 1
            self._move()
            while self.now == before:
                self._moved.wait()

    def leave(self) -> None:
        with self._moved:
            self._workers -= 1
            self._move()

    def _move(self) -> None:
        if self._resting and self._resting == self._workers:
            self._resting = 0
            self.now += REST
            self._moved.notify_all()


class Timed:
    """A transport that records when each message came, and rests when there is none."""

    def __init__(self, clock: SharedClock, answer: Answer = lambda _message, _now: OK) -> None:
        self.sent: list[tuple[datetime, str]] = []
        self._clock, self._answer = clock, answer

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        for group in groups:
            if not group:
                self._clock.rest()
            self.sent += [(self._clock(), message.recipient) for message in group]
            yield [self._receipt(message) for message in group]

    def _receipt(self, message: Message) -> Receipt:
        code, enhanced, text = self._answer(message, self._clock())
        outcome = Outcome.ACCEPTED if code < 400 else Outcome.DEFERRED
        return Receipt(message.key, outcome, code, enhanced, text)

    def times(self, domain: str = "") -> list[float]:
        return sorted((at - NOW).total_seconds() for at, to in self.sent if to.endswith(domain))


def add_readers(database: Database, **counts: int) -> None:
    """Add so many readers at each domain `name.example.org`, one domain after the other."""
    addresses = [f"{n}@{name}.example.org" for name, count in counts.items() for n in range(count)]
    rows = [
        {
            "id": number,
            "address": address,
            "folded": address,
            "address_hash": address,
            "state": "active",
            "language": "en",
            "format": "html",
            "created_at": NOW,
        }
        for number, address in enumerate(addresses, 1)
    ]
    choices = [
        {"subscriber_id": row["id"], "digest": "daily", "state": "active", "topics": "", "changed_at": NOW}
        for row in rows
    ]
    add_edition(database)
    with database.write() as connection:
        connection.execute(insert(subscribers), rows)
        connection.execute(insert(subscriptions), choices)


def server(*limits: str, warm_up: WarmUp | None = None) -> Limits:
    return Limits(server=Rules(scope="server", limits=tuple(map(parse_limit, limits)), warm_up=warm_up))


def domain(name: str, *limits: str) -> Limits:
    return Limits(domains=(domain_rules(f"{name}.example.org", limits=tuple(map(parse_limit, limits))),))


def run(database: Database, transport: Timed, clock: SharedClock, limits: Limits, page: int = 100) -> Sent:
    outbox = Outbox(transport=transport, message_settings=SETTINGS, limits=limits, page=page, group=32)
    return send(database, EDITION, outbox=outbox, clock=clock)


def alone(
    database: Database, limits: Limits, answer: Answer = lambda _message, _now: OK, at: datetime = NOW
) -> tuple[Timed, Sent]:
    clock = SharedClock(1)
    clock.now = at
    transport = Timed(clock, answer)
    return transport, run(database, transport, clock, limits)


def together(database: Database, limits: Limits, senders: int) -> list[Timed]:
    """Send one edition from one database with several senders, each in a thread."""
    clock = SharedClock(senders)
    transports = [Timed(clock) for _ in range(senders)]

    def work(transport: Timed) -> None:
        try:
            run(database, transport, clock, limits)
        finally:
            clock.leave()

    with ThreadPoolExecutor(senders) as pool:
        for done in [pool.submit(work, transport) for transport in transports]:
            done.result()
    return transports


def states(database: Database) -> Counter[str]:
    with database.read() as connection:
        return Counter(row.state for row in list_deliveries(connection, EDITION, limit=10_000))


def test_one_sender_holds_its_rate(database: Database) -> None:
    add_readers(database, a=401)
    transport, sent = alone(database, server("40 per second"))
    assert sent.record.state is EditionState.SENT
    assert abs(max(transport.times()) - 10.0) <= 0.35, "401 messages, 40 a second, the first ten at once"


def test_three_senders_together_hold_the_same_rate_and_mail_everybody_once(database: Database) -> None:
    add_readers(database, a=401)
    transports = together(database, server("40 per second"), senders=3)
    times = sorted(time for transport in transports for time in transport.times())
    assert len({to for transport in transports for _, to in transport.sent}) == len(times) == 401
    assert -0.35 <= times[-1] - 10.0 <= 1, "what a sender gives back at its end waits a moment for another"
    for start in times:
        assert sum(start <= time < start + 1 for time in times) <= 40 + 10 + 3, "one more for each sender"
    assert states(database) == {DeliveryState.ACCEPTED: 401}


@contextmanager
def counted_locks(database: Database) -> Iterator[list[str]]:
    """Collect the statements that lock rows of the meters; SQLite leaves out the clause that locks."""
    found: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM meters" in statement and "ORDER BY" in statement:
            found.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine, "before_cursor_execute", note)


def test_the_meter_is_locked_once_a_second_and_not_with_each_group(sqlite: Database) -> None:
    add_readers(sqlite, a=2_000)
    with counted_locks(sqlite) as locks:
        transport, sent = alone(sqlite, server("400 per second", "100000 per day"))
    assert sent.record.state is EditionState.SENT
    assert abs(max(transport.times()) - 4.75) <= 0.35
    assert len(locks) <= 5 + 3, "the row is new at first; at the end, tokens are given back"
    with sqlite.read() as connection:
        (meter,) = read_meters(connection, ["server"]).values()
    used = {
        use.limit: use.used for use in uses(server("100000 per day").server, meter, transport.sent[-1][0])
    }
    assert used == {"100000 per day": 2_000}


def test_a_limited_domain_does_not_delay_the_others(database: Database) -> None:
    add_readers(database, slow=150, quick=300)
    transport, sent = alone(database, domain("slow", "10 per second"))
    assert max(transport.times("@quick.example.org")) <= 0.1
    assert abs(max(transport.times("@slow.example.org")) - 14.8) <= 0.2
    assert sent.record.state is EditionState.SENT


def test_readers_who_must_wait_long_for_a_limited_domain_do_not_block_pages(database: Database) -> None:
    add_readers(database, slow=400, quick=200)
    transport, sent = alone(database, domain("slow", "60 per minute"))
    assert max(transport.times("@quick.example.org")) <= 1.0, "behind four pages of the slow"
    assert len(transport.sent) == 600
    assert abs(max(transport.times("@slow.example.org")) - 399) <= 2
    assert sent.record.state is EditionState.SENT


def test_a_quota_ends_the_run_and_reports_when_sending_continues(database: Database) -> None:
    add_readers(database, a=50)
    transport, sent = alone(database, server("30 per day"))
    assert len(transport.sent) == 30
    assert (sent.record.state, sent.next_at) == (EditionState.SENDING, NOW + DAY)
    assert states(database) == {DeliveryState.ACCEPTED: 30, DeliveryState.QUEUED: 20}
    too_early, sent = alone(database, server("30 per day"), at=NOW + DAY - SECOND * 60)
    assert (too_early.sent, sent.next_at) == ([], NOW + DAY)
    rest, sent = alone(database, server("30 per day"), at=NOW + DAY)
    assert (len(rest.sent), sent.record.state) == (20, EditionState.SENT)


def test_a_quota_of_a_domain_makes_only_its_own_readers_wait(database: Database) -> None:
    add_readers(database, slow=120, quick=50)
    transport, sent = alone(database, domain("slow", "30 per hour"))
    assert (len(transport.times("@slow.example.org")), len(transport.times("@quick.example.org"))) == (30, 50)
    assert sent.next_at == NOW + timedelta(hours=1)
    again, sent = alone(database, domain("slow", "30 per hour"), at=NOW + timedelta(hours=1))
    assert len(again.sent) == 30


def test_a_warm_up_spreads_an_edition_over_days(sqlite: Database) -> None:
    add_readers(sqlite, a=70)
    limits = server(warm_up=WarmUp(date(2026, 11, 22), (10, 20)))
    days = [len(alone(sqlite, limits, at=NOW + DAY * n)[0].sent) for n in range(3)]
    assert days == [10, 20, 40]


def test_a_domain_that_asks_for_less_is_slowed_and_no_other_is(database: Database) -> None:
    add_readers(database, busy=200, quick=200)

    def answer(message: Message, now: datetime) -> tuple[int, str, str]:
        busy = message.recipient.endswith("@busy.example.org")
        return SLOWLY if busy and now < NOW + SECOND else OK

    transport, sent = alone(database, domain("busy", "20 per second"), answer)
    assert max(transport.times("@quick.example.org")) <= 0.1
    slowed = [time for time in transport.times("@busy.example.org") if 1 <= time < 11]
    assert 95 <= len(slowed) <= 105, "half of its pace"
    with database.read() as connection:
        (meter,) = read_meters(connection, ["domain busy.example.org"]).values()
    assert meter.slowdown
    assert (meter.slowdown.reason, meter.slowdown.share) == ("421 4.7.0 try later", 50)
    later, sent = alone(database, domain("busy", "20 per second"), at=NOW + MINUTE * 12)
    assert sent.record.state is EditionState.SENT
    assert max(later.times()) - 720 <= len(later.sent) / 20 + 0.3, "at its whole pace again"


@pytest.mark.parametrize("limits", [Limits(), server("1000000 per day"), domain("quick", "9000 per day")])
def test_a_domain_without_limits_is_not_slowed_and_only_tried_again(
    database: Database, limits: Limits
) -> None:
    add_readers(database, busy=200, quick=20)
    first, _ = alone(
        database, limits, lambda message, _: SLOWLY if message.recipient.endswith("@busy.example.org") else OK
    )
    assert (len(first.sent), max(first.times())) == (220, 0), "all at once"
    assert states(database) == {DeliveryState.ACCEPTED: 20, DeliveryState.DEFERRED: 200}
    with database.read() as connection:
        assert read_meters(connection, ["domain busy.example.org"]) == {}
    too_early, sent = alone(database, limits, at=NOW + MINUTE * 4)
    assert too_early.sent == []
    assert sent.next_at == NOW + min(pause_of(number, 1) for number in range(1, 201))
    again, sent = alone(database, limits, at=NOW + MINUTE * 6 + SECOND * 15)
    assert set(again.times()) == {375}, "all at once"
    assert sent.record.state is EditionState.SENT


def test_domains_that_got_much_are_slowed_to_half_of_it_and_not_to_a_trickle(sqlite: Database) -> None:
    add_readers(sqlite, busy=3_000, brisk=3_000)
    quota = domain_rules("busy.example.org", "brisk.example.org", limits=(parse_limit("1000000 per day"),))

    def answer(_: Message, now: datetime) -> tuple[int, str, str]:
        return SLOWLY if NOW + SECOND * 12 <= now < NOW + SECOND * 13 else OK

    limits = Limits(server=server("300 per second").server, domains=(quota,))
    transport, _ = alone(sqlite, limits, answer)
    before, after = (sum(start <= time < start + 5 for time in transport.times()) for start in (5, 14))
    assert abs(before - 300 * 5) <= 20
    assert abs(after - 150 * 5) <= 20


def test_with_a_clock_that_stands_still_the_run_ends(database: Database, tmp_path: Path) -> None:
    add_readers(database, a=50)
    outbox = Outbox(
        transport=FolderTransport(tmp_path),
        message_settings=SETTINGS,
        limits=server("10 per second"),
        group=32,
    )
    sent = send(database, EDITION, outbox=outbox, clock=Clock())
    assert len(list(tmp_path.glob("*.eml"))) == 3
    assert states(database) == {DeliveryState.ACCEPTED: 3, DeliveryState.QUEUED: 47}
    assert sent.next_at == NOW + timedelta(milliseconds=50)


def test_without_limits_no_meter_is_ever_written(database: Database) -> None:
    add_readers(database, a=50)
    alone(database, Limits())
    with database.read() as connection:
        assert read_meters(connection, ["server", "domain a.example.org"]) == {}


def test_a_stop_gives_back_the_readers_who_wait(database: Database) -> None:
    add_readers(database, a=50)
    clock = SharedClock(1)
    transport = Timed(clock)
    outbox = Outbox(transport=transport, message_settings=SETTINGS, limits=server("10 per second"), group=32)
    send(database, EDITION, outbox=outbox, clock=clock, stop=lambda: clock() >= NOW + SECOND)
    assert 11 <= len(transport.sent) <= 14
    assert set(states(database)) == {DeliveryState.ACCEPTED, DeliveryState.QUEUED}
