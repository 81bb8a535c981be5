"""Whoever has an address, actions on it get the same words and messages, and no choice of a reader is lost.

Each action follows each other one, on addresses of every kind, by a requester who sees the pages and the
mailbox of one reader. Whatever the requester sees must be the same for each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from altcha import Challenge, Payload, solve_challenge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.readers.subscribers import add_reader, requested
from digest.storage.database import Database
from digest.storage.tables import metadata
from subscribers.model import (
    Preferences,
    Reader,
    SuppressionReason,
)
from subscribers.rules.bounces import Bounce, BounceKind
from subscribers.rules.decisions import Change
from subscribers.store.bounces import take_bounce
from subscribers.store.writing import erase, suppress, write_change
from subscribers.tokens import address_hash
from tests.web.site import SECRET, Site, open_site, text_of

MOVER, TARGET = "mover@example.org", "target@example.org"
CHOSEN = Preferences.parse(topics="-green", hour="18:30", zone="America/New_York", frequency="weekly")
KINDS = ("unknown", "pending", "active", "unsubscribed", "erased", "bounced", "complained", "suppressed")
SILENT = ("complained", "suppressed")  # these must not be mailed
Seen = tuple[int, str]


@dataclass(slots=True)
class Walk:
    """One requester, who acts on the address of somebody else, and what the requester sees."""

    place: Site
    links: list[str] = field(default_factory=list)  # confirmation links that the target's mailbox has
    mover: list[str] = field(default_factory=list)  # those that the requester's own mailbox has
    seen: list[Seen] = field(default_factory=list)
    read: dict[Path, EmailMessage] = field(default_factory=dict)

    def become(self, kind: str) -> None:
        """Let the target's address be of one kind; nothing of this counts against its limits."""
        place = self.place
        if kind == "pending":
            place.sign_up(address=TARGET)
        elif kind not in ("unknown", "complained", "suppressed"):
            self.add(TARGET)
        key = address_hash(SECRET, TARGET)
        reader = place.reader(TARGET)
        with place.app.database.write() as connection:
            if kind == "erased" and reader.subscriber:
                erase(connection, reader.subscriber, place.clock())
            elif kind == "bounced":
                take_bounce(connection, key, _hard(place), report="before")
            elif kind in SILENT:
                reason = SuppressionReason.COMPLAINT if kind == "complained" else SuppressionReason.OPERATOR
                suppress(connection, key, reason, place.clock())
        if kind == "unsubscribed":
            place.client.post(f"{place.preferences_link(TARGET)}/leave")
        place.clock.forward(days=2)
        for path in place.folder.glob("*.eml"):
            path.unlink()

    def add(self, address: str) -> None:
        """Add a reader of both digests, with choices of their own in one of them."""
        self.place.add(address)
        reader = self.place.reader(address)
        assert reader.subscriber is not None
        daily = reader.subscription("daily")
        assert daily is not None
        change = Change(
            subscriber=replace(reader.subscriber, language="de"),
            subscriptions=(replace(daily, preferences=CHOSEN),),
        )
        with self.place.app.database.write() as connection:
            write_change(connection, change, self.place.clock())

    def do(self, action: str) -> None:
        getattr(self, f"_{action.replace(' ', '_')}")()
        self.place.settle()
        for path in sorted(set(self.place.folder.glob("*.eml")) - self.read.keys()):
            email = message_from_bytes(path.read_bytes(), policy=default)
            assert isinstance(email, EmailMessage)
            self.read[path] = email
            links = re.findall(r"https://digest\.example\.org(/c/\S+)", text_of(email))
            (self.mover if email["To"] == MOVER else self.links).extend(links)

    def _see(self, status: int, text: str) -> None:
        # Tickets and tokens are random, and the requester's own page shows them.
        self.seen.append((status, re.sub(r"[\w-]{28,}(?:\.[\w-]+)*|\{&#34;.*?\}&#34;", "…", text)))

    def _form(self) -> dict[str, str]:
        form = self.place.client.get("/api/v1/form", params={"digest": "daily"}).json()
        self.place.clock.forward(seconds=5)
        solution = solve_challenge(Challenge.from_dict(form["challenge"]))
        assert solution is not None
        proof = Payload(Challenge.from_dict(form["challenge"]), solution).to_base64()
        return {"address": TARGET, "ticket": form["ticket"], "proof": proof}

    def _sign_up(self) -> None:
        answer = self.place.client.post("/signup", data={**self._form(), "digest": "daily"})
        self._see(answer.status_code, answer.text)

    def _embed_again(self) -> None:
        asked = {**self._form(), "digests": [{"digest": "daily"}]}
        answer = self.place.client.post("/api/v1/signups", json=asked)
        self._see(answer.status_code, answer.text)

    def _move(self) -> None:
        link = self.place.preferences_link(MOVER)
        answer = self.place.client.post(f"{link}/address", data={"address": TARGET})
        self._see(answer.status_code, answer.text)

    def _confirm_at_the_old_address(self) -> None:
        for link in self.mover[-1:]:
            answer = self.place.client.post(link)
            self._see(answer.status_code, answer.text)

    # ── what others do meanwhile; the requester does not see it ──

    def _old_link(self) -> None:
        for link in self.links[:1]:
            self.place.client.post(link)

    def _confirm(self) -> None:
        for link in self.links[-1:]:
            self.place.client.post(link)

    def _import(self) -> None:
        asked = [requested(slug, topics="", hour="", zone="") for slug in ("daily", "weekend")]
        add_reader(self.place.app, TARGET, asked, source="a list", now=self.place.clock())

    def _link_by_mail(self) -> None:
        if self.place.reader(TARGET).subscriber:
            self.place.client.post(f"{self.place.preferences_link(TARGET)}/data")

    def _leave(self) -> None:
        if self.place.reader(TARGET).subscriber:
            link = self.place.leave_link(TARGET)
            self.place.client.post(link, data={"List-Unsubscribe": "One-Click"})

    def _erase(self) -> None:
        reader = self.place.reader(TARGET)
        if reader.subscriber:
            with self.place.app.database.write() as connection:
                erase(connection, reader.subscriber, self.place.clock())

    def _bounce(self) -> None:
        with self.place.app.database.write() as connection:
            take_bounce(connection, address_hash(SECRET, TARGET), _hard(self.place), report="later")

    def mailed(self, address: str) -> list[str]:
        """Return the subjects of the messages to an address."""
        return [str(email["Subject"]) for email in self.read.values() if email["To"] == address]


def _hard(place: Site) -> Bounce:
    return Bounce(kind=BounceKind.HARD, at=place.clock(), source="mail")


ASKED = ("sign up", "embed again", "move", "confirm at the old address")
OTHERS = ("confirm", "old link", "import", "link by mail", "leave", "erase", "bounce")


@pytest.fixture
def begin(sqlite: Database, tmp_path: Path) -> Callable[[str], Walk]:
    """Return a function that empties the site and begins a walk with a target of one kind."""

    def walk(kind: str) -> Walk:
        with sqlite.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        place = open_site(sqlite, tmp_path)
        begun = Walk(place)
        begun.add(MOVER)
        begun.become(kind)
        return begun

    return walk


# Each of the actions follows each of them, itself included.
EACH_AFTER_EACH = [ASKED["abcd".index(letter)] for letter in "aabacadbbcbdccdda"]


def test_what_the_requester_sees_is_the_same_for_every_kind_of_address(begin: Callable[[str], Walk]) -> None:
    seen: dict[str, object] = {}
    counts: dict[str, int] = {}
    for kind in KINDS:
        walk = begin(kind)
        for action in EACH_AFTER_EACH:
            walk.do(action)
            walk.place.clock.forward(hours=5)
        seen[kind] = (walk.seen, walk.mailed(MOVER))
        counts[kind] = len(walk.mailed(TARGET))
    assert {kind: found for kind, found in seen.items() if found != seen["unknown"]} == {}
    assert 6 < counts["unknown"] < len(EACH_AFTER_EACH), "the limits let some of them go"
    assert counts == {kind: 0 if kind in SILENT else counts["unknown"] for kind in KINDS}


def wanted(reader: Reader) -> dict[str, tuple[Preferences, object]]:
    """Return what a reader gets, with the choices; a digest that has ended is not in it."""
    return {
        each.digest: (each.preferences, each.paused_until)
        for each in reader.subscriptions
        if reader.reads(each.digest)
    }


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    actions=st.lists(st.sampled_from((*ASKED, *OTHERS)), min_size=2, max_size=7),
)
def test_no_action_undoes_a_choice_of_the_reader(
    begin: Callable[[str], Walk], kind: str, actions: list[str]
) -> None:
    walk = begin(kind)
    before = walk.place.reader(TARGET)
    for action in actions:
        walk.do(action)
        after = walk.place.reader(TARGET)
        kept, now = wanted(before), wanted(after)
        if action not in ("leave", "erase"):
            assert {digest: now.get(digest) for digest in kept} == kept, (kind, actions, action)
        if action not in ("confirm", "old link", "confirm at the old address"):
            begun = now.keys() - kept.keys()
            assert action == "import" or not begun, "only a confirmation or an operator begins a digest"
            ended = {each.digest for each in before.subscriptions} - kept.keys()
            assert not (begun & ended), "nobody is brought back"
        before = after
    assert len(walk.mailed(TARGET)) <= 6
    assert kind not in SILENT or walk.mailed(TARGET) == []
