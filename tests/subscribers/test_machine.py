"""After any actions of readers and operators, in any order, only readers who asked for it may be mailed."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from digest.storage.database import open_database
from subscribers.address import parse_address
from subscribers.model import (
    ConsentAction,
    Frequency,
    Origin,
    Preferences,
    Reader,
    SubscriberState,
    SuppressionReason,
)
from subscribers.rules.bounces import Bounce, BounceKind
from subscribers.rules.decisions import Change, SignupLimits, SubscriptionRequest
from subscribers.rules.imports import EntryState, ImportedReader, ImportTerms
from subscribers.rules.notices import NoticeLimits
from subscribers.rules.preferences import choose, pause, resume
from subscribers.rules.signup import Confirmed, SignupRequest
from subscribers.rules.unsubscribe import undo_unsubscribe, unsubscribe
from subscribers.store import confirmations, operations, readers, signup, writing
from subscribers.store.bounces import take_bounce
from subscribers.store.imports import import_entries, plan_entries
from subscribers.store.mailable import mailable
from subscribers.store.tables import notices
from subscribers.tokens import address_hash
from tests.databases import create_tables

SECRET = b"a secret of the tests, long enough"
LIMITS = SignupLimits(notices=NoticeLimits(each=1_000, all=1_000))
ORIGIN = Origin(source="test")
ADDRESSES = {name: parse_address(f"{name}@example.org") for name in ("anna", "ben", "cem")}
DIGESTS = ("daily", "weekend")

people = st.sampled_from(sorted(ADDRESSES))
digests = st.sampled_from(DIGESTS)
some_digests = st.sets(digests, min_size=1)
frequencies = st.sampled_from(Frequency)
offers = st.frozensets(st.sampled_from([Frequency.DAILY, Frequency.WEEKLY]))
reasons = st.sampled_from([SuppressionReason.BOUNCE, SuppressionReason.COMPLAINT, SuppressionReason.OPERATOR])
kinds = st.sampled_from(BounceKind)


class TheList(RuleBasedStateMachine):
    """Keeps beside the real list a simple model: for each person and digest, whether mail is wanted."""

    links = Bundle("links")

    @initialize()
    def open_the_list(self) -> None:
        self.database = open_database("sqlite://")
        with self.database.write() as connection:
            create_tables(connection)
        self.now = datetime(2026, 11, 22, 7, tzinfo=UTC)
        self.serial = itertools.count()
        self.wanted: set[tuple[str, str]] = set()
        self.ended: set[tuple[str, str]] = set()  # unsubscribed or removed: no import may restore them
        self.removed: set[tuple[str, str]] = set()  # by an operator: no old link may bring them back
        self.gone: set[str] = set()  # unsubscribed from everything
        self.suppressed: dict[str, SuppressionReason] = {}
        self.paused: dict[tuple[str, str], datetime] = {}
        self.frequency: dict[tuple[str, str], Frequency] = {}  # the last choice, active or ended
        self.offers: dict[str, frozenset[Frequency]] = dict.fromkeys(DIGESTS, frozenset())
        self.soft: dict[str, list[datetime]] = {name: [] for name in ADDRESSES}  # bounces, by day
        self.dead: set[str] = set()  # links that can do nothing any more
        self.open: dict[str, set[str]] = {name: set() for name in ADDRESSES}

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()

    # ── what happens ──

    @rule(target=links, person=people, chosen=some_digests, frequency=frequencies)
    def sign_up(
        self, person: str, chosen: set[str], frequency: Frequency
    ) -> tuple[str, str, tuple[str, ...], Frequency]:
        request = SignupRequest(
            address=ADDRESSES[person],
            address_hash=_hash(person),
            requests=_requests(chosen, frequency),
            language="en",
            origin=ORIGIN,
        )
        with self.database.write() as connection:
            answer = signup.sign_up(connection, request, secret=SECRET, limits=LIMITS, now=self.now)
            token = connection.scalars(select(notices.c.token_hash).order_by(notices.c.id.desc())).first()
        assert token is not None
        silent = self.suppressed.get(person) in (SuppressionReason.COMPLAINT, SuppressionReason.OPERATOR)
        assert answer.confirm is not silent
        if answer.confirm:
            self.open[person].add(token)
        return person, token, tuple(sorted(chosen)), frequency

    @rule(link=links)
    def confirm(self, link: tuple[str, str, tuple[str, ...], Frequency]) -> None:
        person, token, chosen, frequency = link
        with self.database.write() as connection:
            answer = signup.confirm(
                connection, token, origin=ORIGIN, secret=SECRET, limits=LIMITS, now=self.now
            )
        if isinstance(answer, Confirmed) and answer.change is not None:
            assert token in self.open[person]
            self.open[person].clear()
            self.gone.discard(person)
            if self.suppressed.pop(person, None):
                self.soft[person] = []
            for digest in chosen:
                if (person, digest) not in self.wanted:
                    self._begin(person, digest, frequency)
                elif frequency is not Frequency.EACH:  # the default states nothing, and a pause stays
                    self.frequency[person, digest] = frequency

    @rule(person=people, digest=st.none() | digests, by_operator=st.booleans())
    def unsubscribe(self, person: str, digest: str | None, by_operator: bool) -> None:
        change = self._change(
            person, partial(unsubscribe, digest=digest, origin=ORIGIN, now=self.now, by_operator=by_operator)
        )
        if change is None:
            return
        self.open[person].clear()
        for each in DIGESTS if digest is None else (digest,):
            if (person, each) in self.wanted:
                self._end(person, each)
            if by_operator and (person, each) in self.ended:
                self.removed.add((person, each))
        if change.subscriber.state is SubscriberState.UNSUBSCRIBED:
            assert not any(name == person for name, _ in self.wanted)
            self.gone.add(person)

    @rule(person=people, digest=st.none() | digests)
    def undo_unsubscribe(self, person: str, digest: str | None) -> None:
        before = self._mailable_now()
        change = self._change(
            person, partial(undo_unsubscribe, digest=digest, limits=LIMITS, origin=ORIGIN, now=self.now)
        )
        for each in change.subscriptions if change else ():
            assert (person, each.digest) in self.ended - self.removed
            assert person not in self.suppressed
            self._begin(person, each.digest, self.frequency[person, each.digest], paused=each.paused_until)
        if change is None:
            assert self._mailable_now() == before
        else:
            self.gone.discard(person)

    @rule(person=people, days=st.integers(1, 20))
    def pause(self, person: str, days: int) -> None:
        until = self.now + timedelta(days=days)
        self._change(person, partial(pause, until=until, limits=LIMITS, origin=ORIGIN, now=self.now))
        for digest in DIGESTS:
            if (person, digest) in self.wanted:
                self.paused[person, digest] = until

    @rule(person=people)
    def resume(self, person: str) -> None:
        self._change(person, partial(resume, origin=ORIGIN, now=self.now))
        for digest in DIGESTS:
            if (person, digest) in self.wanted:
                self.paused.pop((person, digest), None)

    @rule(person=people, digest=digests, frequency=frequencies)
    def choose_with_the_link_of_a_mail(self, person: str, digest: str, frequency: Frequency) -> None:
        if (person, digest) in self.removed:
            return
        requests = _requests({digest}, frequency)
        self._change(person, partial(choose, requests=requests, origin=ORIGIN, now=self.now))
        reads = any(name == person for name, _ in self.wanted)
        if reads and person not in self.suppressed:
            paused = self.paused.get((person, digest)) if (person, digest) in self.wanted else None
            self._begin(person, digest, frequency, paused)

    @rule(digest=digests, frequencies=offers)
    def offer(self, digest: str, frequencies: frozenset[Frequency]) -> None:
        self.offers[digest] = frequencies

    @rule(person=people, chosen=some_digests, state=st.sampled_from(EntryState), frequency=frequencies)
    def import_a_line(self, person: str, chosen: set[str], state: EntryState, frequency: Frequency) -> None:
        entry = ImportedReader(address=ADDRESSES[person], requests=_requests(chosen, frequency), state=state)
        terms = ImportTerms(act=ConsentAction.IMPORTED, origin=ORIGIN, language="en")
        planned = plan_entries(self.database.read, [entry], secret=SECRET, terms=terms, now=self.now)
        outcomes = import_entries(self.database.write, [entry], secret=SECRET, terms=terms, now=self.now)
        assert outcomes == planned
        if state in (EntryState.BOUNCED, EntryState.COMPLAINED):
            with self.database.read() as connection:
                kept = readers.read_suppressions(connection, [_hash(person)])
            self.suppressed[person] = kept[_hash(person)].reason
            self.open[person].clear()
        if person in self.suppressed or person in self.gone or state is EntryState.UNCONFIRMED:
            return
        unsubscribed = state is EntryState.UNSUBSCRIBED
        if unsubscribed:
            self.open[person].clear()
        for digest in chosen:
            if unsubscribed:
                self._end(person, digest)
            elif (person, digest) not in self.wanted | self.ended:
                self._begin(person, digest, frequency)
        if unsubscribed and not any(name == person for name, _ in self.wanted):
            self.gone.add(person)

    @rule(person=people, reason=reasons)
    def suppress(self, person: str, reason: SuppressionReason) -> None:
        with self.database.write() as connection:
            writing.suppress(connection, _hash(person), reason, self.now)
            kept = readers.read_suppressions(connection, [_hash(person)])
        self.suppressed[person] = kept[_hash(person)].reason
        self.open[person].clear()

    @rule(person=people, kind=kinds, days=st.integers(1, 4))
    def bounce(self, person: str, kind: BounceKind, days: int) -> None:
        """Let mail come back on some days, one after the other."""
        for _ in range(days):
            self.now += timedelta(days=1)
            came = Bounce(kind=kind, at=self.now, source="mail")
            with self.database.write() as connection:
                taken = take_bounce(connection, _hash(person), came, report=f"{next(self.serial)}")
                kept = readers.read_suppressions(connection, [_hash(person)])
            self.soft[person] += [self.now] if kind is BounceKind.SOFT else []
            days_of_late = sum(self.now - each < timedelta(days=30) for each in self.soft[person])
            enough = kind in (BounceKind.HARD, BounceKind.COMPLAINT) or (
                kind is BounceKind.SOFT and days_of_late >= 5
            )
            assert taken is not None
            assert (taken.suppressed is not None) is enough
            if enough:
                self.suppressed[person] = kept[_hash(person)].reason
                self.open[person].clear()

    @rule(person=people)
    def lift(self, person: str) -> None:
        with self.database.write() as connection:
            assert writing.unsuppress(connection, _hash(person)) is (person in self.suppressed)
        self.suppressed.pop(person, None)
        self.soft[person] = []

    @rule(person=people)
    def erase(self, person: str) -> None:
        with self.database.write() as connection:
            reader = readers.reader_at(connection, ADDRESSES[person].folded, _hash(person))
            was_there = reader.subscriber is not None and operations.erase(
                connection, reader.subscriber.id, self.now
            )
        if was_there:
            self.suppressed.setdefault(person, SuppressionReason.ERASED)
            self.soft[person] = []
            self._forget(person)

    @rule(hours=st.integers(1, 24 * 8))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def expire(self) -> None:
        with self.database.write() as connection:
            confirmations.expire(connection, LIMITS, self.now)
            for person, address in ADDRESSES.items():
                if readers.reader_at(connection, address.folded, _hash(person)).subscriber is None:
                    self._forget(person)

    # ── what must hold ──

    @invariant()
    def mailable_is_who_asked_for_it(self) -> None:
        assert self._mailable_now() == {
            (person, digest)
            for person, digest in self.wanted
            if person not in self.suppressed and self.paused.get((person, digest), self.now) <= self.now
        }

    @invariant()
    def each_is_served_as_often_as_they_chose_and_by_one_edition(self) -> None:
        served = {
            (person, digest, frequency)
            for digest in DIGESTS
            for frequency in (Frequency.EACH, *self.offers[digest])
            for person in self._served_now(digest, frequency)
        }
        assert served == {
            (person, digest, self._is_served(person, digest)) for person, digest in self._mailable_now()
        }

    def _served_now(self, digest: str, frequency: Frequency) -> list[str]:
        """Return the readers in the database who get an edition of one frequency."""
        query = mailable(digest, self.now, frequency, self.offers[digest])
        with self.database.read() as connection:
            return [row.address.partition("@")[0] for row in connection.execute(query)]

    def _is_served(self, person: str, digest: str) -> Frequency:
        """Return how often somebody is mailed: as chosen, or with each edition where that is not offered."""
        chosen = self.frequency[person, digest]
        return chosen if chosen in self.offers[digest] else Frequency.EACH

    def _mailable_now(self) -> set[tuple[str, str]]:
        with self.database.read() as connection:
            rows = [
                (row.address.partition("@")[0], digest)
                for digest in DIGESTS
                for row in connection.execute(mailable(digest, self.now))
            ]
        assert len(rows) == len(set(rows))
        return set(rows)

    def _change(self, person: str, decide: partial[Change | None]) -> Change | None:
        with self.database.write() as connection:
            reader = readers.reader_at(connection, ADDRESSES[person].folded, _hash(person))
            if reader.subscriber is None:
                assert decide(Reader()) is None
                return None
            return operations.change_reader(connection, reader.subscriber.id, decide, self.now)

    def _begin(self, person: str, digest: str, frequency: Frequency, paused: datetime | None = None) -> None:
        self.wanted.add((person, digest))
        self.frequency[person, digest] = frequency
        self.ended.discard((person, digest))
        self.removed.discard((person, digest))
        self.paused.pop((person, digest), None)
        if paused:
            self.paused[person, digest] = paused

    def _end(self, person: str, digest: str) -> None:
        self.wanted.discard((person, digest))
        self.ended.add((person, digest))

    def _forget(self, person: str) -> None:
        for digest in DIGESTS:
            self.wanted.discard((person, digest))
            self.ended.discard((person, digest))
            self.removed.discard((person, digest))
            self.paused.pop((person, digest), None)
        self.gone.discard(person)
        self.open[person].clear()


def _requests(chosen: set[str], frequency: Frequency) -> tuple[SubscriptionRequest, ...]:
    preferences = Preferences(frequency=frequency)
    return tuple(SubscriptionRequest(digest=digest, preferences=preferences) for digest in sorted(chosen))


def _hash(person: str) -> str:
    return address_hash(SECRET, ADDRESSES[person].folded)


TestTheList = TheList.TestCase
TestTheList.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
