"""In any order of actions of readers, operators and clocks, each edition reaches its due readers once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState, StepCause
from digest.model.messages import Message, Outcome
from digest.send.finish import Sent
from digest.send.send import send
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.steps import advance
from digest.storage.ledger.outcomes import list_deliveries
from subscribers.model import Frequency, Preferences
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.rules.imports import EntryState
from subscribers.rules.preferences import choose
from subscribers.store import readers
from tests.send.world import Recorder, edition, outbox
from tests.subscribers.test_machine import (
    ADDRESSES,
    DIGESTS,
    ORIGIN,
    TheList,
    digests,
    frequencies,
    people,
)

# The days before clocks change in Europe and America, and before they change back.
STARTS = tuple(datetime(*day, 7, tzinfo=UTC) for day in ((2026, 10, 23), (2027, 3, 12), (2027, 3, 27)))
ZONES = ("Europe/Berlin", "America/New_York", "Africa/Cairo", "Asia/Tokyo", "UTC")
HOURS = ("00:30", "02:30", "07:00", "12:00", "23:30")
ANSWERS = (Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.REJECTED)
HALF_AN_HOUR = timedelta(minutes=30)

clocks = st.tuples(st.none() | st.sampled_from(HOURS), st.sampled_from(ZONES))
answers = st.lists(st.sampled_from(ANSWERS), max_size=6)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that a person must get: when, and with which of the ids that the address has had."""

    edition: str
    digest: str
    person: str
    subscriber_id: int
    due_at: datetime


class ThePublication(TheList):
    """The list, and editions that are sent to it over a transport that records them."""

    @initialize(start=st.sampled_from(STARTS), chosen=st.lists(clocks, min_size=3, max_size=3))
    def open_the_list(self, start: datetime, chosen: list[tuple[str | None, str]]) -> None:
        super().open_the_list()
        self.now = start
        self.transport = Recorder(self._answer)
        self.answers: list[Outcome] = []
        self.copies: dict[tuple[str, str], Copy] = {}
        self.over: set[tuple[str, str]] = set()  # mailed, rejected, or not mailable when due
        self.deferred: set[tuple[str, str]] = set()
        self.mailed: Counter[tuple[str, str]] = Counter()
        self.going: dict[str, Sent | None] = {}
        self.sending = ""
        for person in ADDRESSES:
            self.import_a_line(person, set(DIGESTS), EntryState.ACTIVE, Frequency.EACH)
        for person, (hour, zone) in zip(ADDRESSES, chosen, strict=True):
            self._choose(person, "daily", hour, zone)

    # ── events, besides those of the list ──

    @rule(person=people, digest=digests, clock=clocks)
    def choose_an_hour(self, person: str, digest: str, clock: tuple[str | None, str]) -> None:
        if (person, digest) in self.wanted:
            self._choose(person, digest, *clock)

    @precondition(lambda self: self.wanted)
    @rule(digest=digests, frequency=frequencies, answers=answers)
    def an_edition_is_sent(self, digest: str, frequency: Frequency, answers: list[Outcome]) -> None:
        if frequency not in self.offers[digest]:
            frequency = Frequency.EACH
        self.answers = answers
        name = f"{digest}-{next(self.serial)}"
        made = replace(edition(), id=name, digest=digest, zone="Europe/Berlin", send_at=self.now)
        with self.database.write() as connection:
            insert_edition(connection, made, frequency)
            advance(connection, name, EditionState.APPROVED, StepCause(at=self.now, by="Ana"))
        for person, each in self._mailable_now():
            if each == digest and self._is_served(person, digest) is frequency:
                self.copies[name, person] = self._copy(name, digest, person)
        self.going[name] = None
        self._send_due()

    @precondition(lambda self: not all(map(_is_over, self.going.values())))
    @rule(hours=st.integers(1, 30), answers=answers)
    def time_passes(self, hours: int, answers: list[Outcome]) -> None:
        self.now += timedelta(hours=hours)
        self.answers = answers
        self._send_due()

    # ── invariants ──

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self._finish_all()
        super().teardown()

    def _send_due(self) -> None:
        """Send what is due, and check that exactly the due readers were mailed."""
        for name in [name for name, sent in self.going.items() if not _is_over(sent)]:
            self.sending = name
            due = self._due(name)
            before = self.mailed.copy()
            self.going[name] = send(
                self.database,
                name,
                outbox=outbox(self.transport, offers=self.offers),
                clock=lambda: self.now,
            )
            for key in due - self.deferred:
                assert self.mailed[key] == before[key] + 1, "somebody due was missed"
            self.over |= {
                key
                for key, copy in self.copies.items()
                if copy.edition == name and copy.due_at <= self.now and key not in due | self.deferred
            }

    def _answer(self, message: Message) -> Outcome:
        person = message.recipient.partition("@")[0]
        key = self.sending, person
        copy = self.copies[key]
        assert message.key == copy.subscriber_id
        assert copy.due_at <= self.now, "too early"
        assert (person, copy.digest) in self._mailable_now(), "not to be mailed"
        assert key not in self.over, "twice"
        self.mailed[key] += 1
        answer = self.answers.pop() if self.answers else Outcome.ACCEPTED
        if answer is Outcome.DEFERRED:
            self.deferred.add(key)
        else:
            self.deferred.discard(key)
            self.over.add(key)
        return answer

    def _due(self, name: str) -> set[tuple[str, str]]:
        wanted, ids = self._mailable_now(), self._ids()
        return {
            key
            for key, copy in self.copies.items()
            if copy.edition == name
            and key not in self.over
            and copy.due_at <= self.now
            and (copy.person, copy.digest) in wanted
            and ids.get(copy.person) == copy.subscriber_id
        }

    def _finish_all(self) -> None:
        """Let time pass until every edition is sent: deferred messages were accepted or given up."""
        for _ in range(60):
            if all(map(_is_over, self.going.values())):
                break
            self.now += timedelta(hours=3)
            self._send_due()
        for name, sent in self.going.items():
            assert sent is not None
            assert sent.record.state is EditionState.SENT
            with self.database.read() as connection:
                rows = list_deliveries(connection, name)
            accepted = {row.subscriber_id for row in rows if row.state is DeliveryState.ACCEPTED}
            known = {copy.subscriber_id for copy in self.copies.values() if copy.edition == name}
            assert accepted <= known

    def _choose(self, person: str, digest: str, hour: str | None, zone: str) -> None:
        preferences = Preferences(hour=hour, zone=zone, frequency=self.frequency[person, digest])
        requested = SubscriptionRequest(digest=digest, preferences=preferences)
        self._change(person, partial(choose, requests=(requested,), origin=ORIGIN, now=self.now))

    def _copy(self, name: str, digest: str, person: str) -> Copy:
        with self.database.read() as connection:
            reader = readers.reader_at(connection, ADDRESSES[person].folded, "")
        subscription = reader.subscription(digest)
        assert subscription is not None
        assert reader.subscriber is not None
        chosen = subscription.preferences
        due_at = first_moment(self.now, chosen.hour, chosen.zone or "Europe/Berlin")
        return Copy(name, digest, person, reader.subscriber.id, due_at)

    def _ids(self) -> dict[str, int]:
        with self.database.read() as connection:
            found = readers.ids_at(connection, [address.folded for address in ADDRESSES.values()])
        return {folded.partition("@")[0]: number for folded, number in found.items()}


def first_moment(begin: datetime, hour: str | None, zone: str) -> datetime:
    """Return the first half hour from `begin` on that is the first of its local date at or after `hour`."""
    if hour is None:
        return begin
    wanted, there = time.fromisoformat(hour), ZoneInfo(zone)
    reached = set()
    moment = begin - timedelta(hours=26)
    while True:
        local = moment.astimezone(there)
        if local.time() >= wanted and local.date() not in reached:
            reached.add(local.date())
            if moment >= begin:
                return moment
        moment += HALF_AN_HOUR


def _is_over(sent: Sent | None) -> bool:
    return sent is not None and sent.record.state is EditionState.SENT


TestThePublication = ThePublication.TestCase
TestThePublication.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
