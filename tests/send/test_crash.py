"""A sender is killed at any moment: no message is sent twice or lost, and uncertain ones are counted."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.send.outbox import Outbox
from digest.send.send import send
from digest.storage.database import Database, open_database
from digest.storage.ledger.outcomes import list_deliveries
from digest.storage.tables.deliveries import slices
from tests.processes import ended
from tests.send.world import EDITION, NOW, SETTINGS, Appender, Clock, add_edition, add_readers

READERS = 120
GROUP = 5

# This sender takes so many messages, answers none of the last group, and kills itself.
SENDER = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from digest.send.outbox import Outbox
from digest.send.send import send
from digest.storage.database import open_database
from tests.send.world import EDITION, SETTINGS, Appender, Clock

url, path, now, messages, point = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Dying(Appender):
    def carry(self, groups):
        left = int(messages)
        for receipts in super().carry(self.counted(groups, left)):
            yield receipts

    def counted(self, groups, left):
        for group in groups:
            if left <= len(group):
                if point == "after writing half":
                    with self.path.open("ab", buffering=0) as file:
                        file.write(b"".join(b"%d\\n" % message.key for message in group[:2]))
                if point == "after writing all":
                    with self.path.open("ab", buffering=0) as file:
                        file.write(b"".join(b"%d\\n" % message.key for message in group))
                die()
            left -= len(group)
            yield group

outbox = Outbox(transport=Dying(Path(path)), message_settings=SETTINGS, group=5, page=20)
send(open_database(url), EDITION, outbox=outbox, clock=Clock(datetime.fromisoformat(now)))
"""


def killed(url: str, path: Path, clock: Clock, messages: int, point: str) -> None:
    command = [sys.executable, "-c", SENDER, url, str(path), clock.now.isoformat(), str(messages), point]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def written(path: Path) -> list[int]:
    return sorted(map(int, path.read_text().split()))


def uncertain(database: Database) -> set[int]:
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION, states=[DeliveryState.UNCERTAIN], limit=1000)
    return {row.subscriber_id for row in rows}


@pytest.mark.parametrize("point", ["before writing", "after writing half", "after writing all"])
def test_killed_while_messages_are_on_the_wire(
    database_url: str, database: Database, tmp_path: Path, point: str
) -> None:
    add_edition(database)
    add_readers(database, READERS)
    path, clock, deaths = tmp_path / "wire", Clock(), (3, 23, 41)
    for messages in deaths:
        killed(database_url, path, clock, messages, point)
        clock.forward(timedelta(minutes=5))
    outbox = Outbox(transport=Appender(path), message_settings=SETTINGS, group=GROUP, page=20)
    sent = send(database, EDITION, outbox=outbox, clock=clock)

    unknown = uncertain(database)
    assert sent.record.state is EditionState.SENT
    assert len(set(written(path))) == len(written(path))
    assert set(range(1, READERS + 1)) == set(written(path)) | unknown
    assert len(unknown) == sent.counts.of(DeliveryState.UNCERTAIN) <= 2 * GROUP * len(deaths)
    assert sent.counts.of(DeliveryState.ACCEPTED) == READERS - len(unknown)


RUNNING = """
import sys
from datetime import datetime
from pathlib import Path
from digest.send.outbox import Outbox
from digest.send.send import send
from digest.storage.database import open_database
from tests.send.world import EDITION, SETTINGS, Appender, Clock

url, path, now = sys.argv[1:]
outbox = Outbox(transport=Appender(Path(path)), message_settings=SETTINGS, group=5, page=20)
print("ready", flush=True)
send(open_database(url), EDITION, outbox=outbox, clock=Clock(datetime.fromisoformat(now)))
"""


def test_killed_from_outside_after_so_many_bytes_on_the_wire(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    add_edition(database)
    add_readers(database, READERS)
    path, clock = tmp_path / "wire", Clock()
    path.touch()
    for size in (1, 60, 170):
        command = [sys.executable, "-c", RUNNING, database_url, str(path), clock.now.isoformat()]
        with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            while path.stat().st_size < size and not ended(process, 0.001):
                pass
            process.kill()
        clock.forward(timedelta(minutes=5))
    outbox = Outbox(transport=Appender(path), message_settings=SETTINGS, group=GROUP, page=20)
    sent = send(database, EDITION, outbox=outbox, clock=clock)

    unknown = uncertain(database)
    assert sent.record.state is EditionState.SENT
    assert len(set(written(path))) == len(written(path))
    assert set(range(1, READERS + 1)) == set(written(path)) | unknown
    assert sent.counts.total == READERS
    assert not sent.counts.open


def test_a_sender_restarted_on_the_same_machine_takes_over_at_once(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    add_edition(database)
    add_readers(database, 40)
    killed(database_url, tmp_path / "wire", Clock(), 3, "before writing")
    outbox = Outbox(transport=Appender(tmp_path / "wire"), message_settings=SETTINGS, group=GROUP, page=20)
    sent = send(database, EDITION, outbox=outbox, clock=Clock())
    assert sent.record.state is EditionState.SENT
    assert (sent.counts.of(DeliveryState.ACCEPTED), sent.counts.of(DeliveryState.UNCERTAIN)) == (35, 5)


def test_a_sender_on_another_machine_waits_for_the_lease_and_reports_it(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    add_edition(database)
    add_readers(database, 40)
    killed(database_url, tmp_path / "wire", Clock(), 3, "before writing")
    with database.write() as connection:
        # The killed process had its lease by the database's clock; this test has a clock of its own.
        connection.execute(update(slices).values(owner="elsewhere" + slices.c.owner, moved_at=NOW))
    outbox = Outbox(transport=Appender(tmp_path / "wire"), message_settings=SETTINGS, group=GROUP, page=20)
    sent = send(database, EDITION, outbox=outbox, clock=Clock())
    assert (sent.record.state, sent.next_at) == (EditionState.SENDING, NOW + timedelta(minutes=2))
    assert sent.outlook == "another sender is at work; if it has died, this goes on at 07:02:00 UTC"
    assert sent.counts.of(DeliveryState.WIRE) == 5
    sent = send(database, EDITION, outbox=outbox, clock=Clock(NOW + timedelta(minutes=2)))
    assert sent.record.state is EditionState.SENT
    assert (sent.counts.of(DeliveryState.ACCEPTED), sent.counts.of(DeliveryState.UNCERTAIN)) == (35, 5)


def test_the_file_of_the_database_is_whole_after_a_kill(sqlite: Database, tmp_path: Path) -> None:
    add_edition(sqlite)
    add_readers(sqlite, 30)
    url = sqlite.engine.url.render_as_string()
    killed(url, tmp_path / "wire", Clock(), 12, "after writing half")
    again = open_database(url)
    with again.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    again.close()
