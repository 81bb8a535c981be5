"""Notices are sent once, after any crash, by any number of senders, and only as long as they make sense."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from sqlalchemy import select, update

from digest.limits.limits import Limits, Rules, parse_limit
from digest.model.deliveries import DeliveryState, NoticeRecord
from digest.model.errors import TransportError
from digest.model.messages import Message, Outcome, Receipt
from digest.send.answers.retries import Doubt, RetryRules
from digest.send.notices import send_notices
from digest.storage.database import Database, open_database
from digest.storage.ledger.notices import due_notices, list_notices, mark_notices
from subscribers.model import SuppressionReason
from subscribers.rules.notices import NoticeKind
from subscribers.store.bounces import bounces_of
from subscribers.store.notices import NewNotice, queue
from subscribers.store.readers import read_suppressions
from subscribers.store.tables import confirmations, notices
from subscribers.store.writing import suppress
from subscribers.tokens import address_hash
from tests.databases import create_tables
from tests.send.test_outage import FAILURES, Failing
from tests.send.world import NOW, SECRET, Appender, Clock, Recorder, add_reader, leave, outbox

ACCEPTED, UNCERTAIN, SKIPPED = DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN, DeliveryState.SKIPPED
DAYS = timedelta(days=3)


def write(notice: NoticeRecord) -> Message:
    return Message.whole(notice.id, "daily@example.org", notice.address or "", b"Subject: x\r\n\r\nx\r\n")


def add_notice(database: Database, number: int, kind: NoticeKind = NoticeKind.WELCOME) -> None:
    """Queue a notice to a reader; its link, if it has one, is open."""
    address = f"reader{number}@example.org"
    life = timedelta(hours=1) if kind is NoticeKind.DATA else DAYS
    notice = NewNotice(
        kind=kind,
        folded=address,
        address=address,
        subscriber_id=number,
        language="en",
        made_at=NOW,
        expires_at=NOW + life,
    )
    with database.write() as connection:
        queue(connection, number, notice, secret=SECRET)
        link = {"subscriber_id": number, "purpose": "data", "made_at": NOW, "expires_at": NOW + life}
        token_hash = connection.scalar(
            notices.select().with_only_columns(notices.c.token_hash).where(notices.c.id == number)
        )
        connection.execute(confirmations.insert().values(token_hash=token_hash, payload={}, **link))


def add_notices(database: Database, count: int, kind: NoticeKind = NoticeKind.WELCOME) -> None:
    for number in range(1, count + 1):
        add_reader(database, number)
        add_notice(database, number, kind)


def run(
    database: Database, transport: Recorder | Appender, clock: Clock | None = None, **changes: object
) -> Counter[DeliveryState]:
    return send_notices(database, write, outbox=outbox(transport, **changes), clock=clock or Clock())


def states(database: Database) -> dict[int, tuple[DeliveryState, str]]:
    with database.read() as connection:
        return {each.id: (each.state, each.reply) for each in list_notices(connection, limit=1_000)}


def in_state(database: Database, state: DeliveryState) -> set[int]:
    return {number for number, (found, _) in states(database).items() if found is state}


# This sender takes so many messages, answers none of the last group, and kills itself.
SENDER = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from digest.send.notices import send_notices
from digest.storage.database import open_database
from tests.send.test_notices import write
from tests.send.world import Appender, Clock, outbox

url, path, now, messages, point = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Dying(Appender):
    def carry(self, groups):
        yield from super().carry(self.counted(groups, int(messages)))

    def counted(self, groups, left):
        for group in groups:
            if left <= len(group) and point != "while writing the message":
                if point == "after writing half":
                    with self.path.open("ab", buffering=0) as file:
                        file.write(b"".join(b"%d\\n" % message.key for message in group[:2]))
                die()
            left -= len(group)
            yield group

written = []

def write_or_die(notice):
    written.append(notice)
    if point == "while writing the message" and len(written) > int(messages):
        die()
    return write(notice)

clock = Clock(datetime.fromisoformat(now))
send_notices(open_database(url), write_or_die, outbox=outbox(Dying(Path(path))), clock=clock)
"""


@pytest.mark.parametrize(
    "point", ["while writing the message", "before the first byte", "after writing half"]
)
def test_killed_at_any_step_no_notice_is_lost_or_sent_twice(
    database_url: str, database: Database, tmp_path: Path, point: str
) -> None:
    add_notices(database, 12)
    path, clock = tmp_path / "wire", Clock()
    path.touch()
    command = [sys.executable, "-c", SENDER, database_url, str(path), clock.now.isoformat(), "5", point]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    run(database, Appender(path), clock)  # on this machine, a sender that ended is noticed at once

    written = list(map(int, path.read_text().split()))
    unknown = in_state(database, UNCERTAIN)
    assert len(set(written)) == len(written)
    assert set(range(1, 13)) == set(written) | unknown
    assert len(unknown) == 3, "one group"
    assert in_state(database, ACCEPTED) == set(written) - unknown


def test_two_senders_at_once_send_each_notice_once(database: Database) -> None:
    add_notices(database, 40)
    recorders = [Recorder(), Recorder()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda recorder: run(database, recorder), recorders))
    assert sorted(recorders[0].keys + recorders[1].keys) == list(range(1, 41))
    assert in_state(database, ACCEPTED) == set(range(1, 41))


def test_a_server_that_is_away_for_an_hour_costs_no_notice_except_one_whose_link_has_expired(
    database: Database,
) -> None:
    add_notices(database, 2)
    add_reader(database, 3)
    add_notice(database, 3, NoticeKind.DATA)
    clock, back_at = Clock(), NOW + timedelta(hours=1)
    recorder = Recorder(lambda _: Outcome.UNSENT if clock() < back_at else Outcome.ACCEPTED)
    while clock() < NOW + timedelta(hours=5):
        run(database, recorder, clock)
        clock.forward(timedelta(minutes=5))
    assert in_state(database, ACCEPTED) == {1, 2}
    assert states(database)[3] == (SKIPPED, "its link has expired")


def test_after_a_transport_error_the_notices_wait_for_the_next_run(database: Database) -> None:
    add_notices(database, 2)

    def refuse(_message: Message) -> Outcome:
        raise TransportError("mail.example.org:25", "the password is wrong")

    with pytest.raises(TransportError):
        run(database, Recorder(refuse), rules=RetryRules(doubt=Doubt.RESEND))
    assert run(database, Recorder(), Clock(NOW + timedelta(hours=1))) == {ACCEPTED: 2}


def test_a_notice_without_an_answer_follows_the_policy(database: Database) -> None:
    add_notices(database, 1)
    lost = Recorder(lambda _: Outcome.UNCERTAIN)
    run(database, lost, rules=RetryRules(doubt=Doubt.RESEND))
    assert in_state(database, DeliveryState.DEFERRED) == {1}
    run(database, lost, Clock(NOW + timedelta(hours=1)))
    assert in_state(database, UNCERTAIN) == {1}
    assert run(database, Recorder(), Clock(NOW + timedelta(hours=9))) == {}


def test_what_has_lost_its_sense_since_it_was_queued_is_not_sent(database: Database) -> None:
    add_notices(database, 5, NoticeKind.CONFIRMATION)
    for number in (6, 7):
        add_reader(database, number)
        add_notice(database, number)
    with database.write() as connection:
        hashes = [address_hash(SECRET, f"reader{number}@example.org") for number in (1, 2)]
        suppress(connection, hashes[0], SuppressionReason.COMPLAINT, NOW)
        suppress(connection, hashes[1], SuppressionReason.ERASED, NOW)
        connection.execute(
            update(confirmations).where(confirmations.c.subscriber_id == 3).values(used_at=NOW)
        )
        connection.execute(confirmations.delete().where(confirmations.c.subscriber_id == 4))
    leave(database, 6)
    recorder = Recorder()
    run(database, recorder)
    assert recorder.keys == [2, 5, 7]
    assert {number: reply for number, (state, reply) in states(database).items() if state is SKIPPED} == {
        1: "the address must not be mailed",
        3: "its link has been used or is void",
        4: "its link has been used or is void",
        6: "its reader has unsubscribed",
    }


def test_notices_count_against_the_limits(database: Database) -> None:
    add_notices(database, 5)
    limits = Limits(server=Rules(scope="server", limits=(parse_limit("2 per hour"),)))
    clock, recorder = Clock(), Recorder()
    for sent in (2, 4, 5):
        run(database, recorder, clock, limits=limits)
        assert len(recorder.messages) == sent
        clock.forward(timedelta(hours=1, seconds=1))


def test_a_notice_that_cannot_be_written_delays_no_other(database: Database) -> None:
    add_notices(database, 3)

    def broken(notice: NoticeRecord) -> Message:
        if notice.id == 2:
            raise RuntimeError("reader2@example.org")
        return write(notice)

    recorder, broken_write = Recorder(), broken
    done = send_notices(database, broken_write, outbox=outbox(recorder), clock=Clock())
    assert recorder.keys == [1, 3]
    assert done == {ACCEPTED: 2, DeliveryState.DEFERRED: 1}
    assert states(database)[2] == (DeliveryState.DEFERRED, "RuntimeError")


def test_a_mailbox_that_does_not_exist_is_judged_as_for_editions(database: Database) -> None:
    add_notices(database, 1)
    key = address_hash(SECRET, "reader1@example.org")
    refused = Recorder(lambda _: Outcome.REJECTED)
    run(database, refused)
    with database.write() as connection:
        assert [bounce.edition for bounce in bounces_of(connection, key)] == ["welcome-1"]
        assert read_suppressions(connection, [key]) == {}
        connection.execute(update(notices).values(id=2, state="queued", due_at=NOW))
    run(database, refused, Clock(NOW + timedelta(days=1)))
    with database.read() as connection:
        assert read_suppressions(connection, [key])[key].reason is SuppressionReason.BOUNCE


def test_a_sender_whose_clock_is_put_back_while_it_waits_renews_its_lease(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    add_notices(database, 1)
    clock, until = Clock(), list[datetime]()

    class Silent(Recorder):
        """Has no answer at first."""

        def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
            first = next(groups, ())
            clock.forward(-timedelta(hours=1))
            for _ in range(2):
                with database.read() as connection:
                    until.append(connection.execute(select(notices.c.lease_until)).scalar_one())
                yield []
            yield [self.receipt(message) for message in first]

    run(database, Silent(), clock)
    database.close()
    assert until[0] < until[1]


def test_a_sender_that_overslept_its_lease_changes_only_what_was_accepted(database: Database) -> None:
    add_notices(database, 2)
    clock = Clock()

    def oversleep(message: Message) -> Outcome:
        with database.write() as connection:
            connection.execute(update(notices).values(owner="elsewhere:a:b:1:2:c", lease_until=NOW))
        run(database, Recorder(), clock)  # takes both back as uncertain
        return Outcome.ACCEPTED if message.key == 1 else Outcome.DEFERRED

    run(database, Recorder(oversleep), clock)
    assert states(database)[1][0] is ACCEPTED
    assert states(database)[2][0] is UNCERTAIN


def test_no_notice_is_marked_twice(database: Database) -> None:
    add_notices(database, 1)
    marked = []
    for owner in ("a", "b"):
        with database.write() as connection:
            ids = [1] if owner == "b" else [each.id for each in due_notices(connection, now=NOW, limit=9)]
            marked.append(mark_notices(connection, ids, owner=owner, lease=timedelta(minutes=2), now=NOW))
    assert [len(each) for each in marked] == [1, 0]


def test_an_outage_of_the_database_at_any_step_loses_no_notice_and_sends_none_twice(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    @settings(max_examples=10)
    @given(FAILURES)
    def walk(failures: list[str | None]) -> None:
        database = open_database(f"sqlite:///{tmp_path_factory.mktemp('walk') / 'digest.db'}")
        with database.write() as connection:
            create_tables(connection)
        add_notices(database, 12)
        steps = iter([None, *failures])  # what ended senders have left is taken back first
        failing = Failing(engine=database.engine, leases_by_caller=True, failures=steps)
        transport = Recorder()
        run(failing, transport, retry_database=0)
        run(database, transport)
        assert transport.keys == list(range(1, 13))
        assert in_state(database, ACCEPTED) == set(range(1, 13))
        database.close()

    walk()
