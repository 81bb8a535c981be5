"""A trial of a whole publication: real `digest send` processes are killed, and the ledger is checked."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner, Result
from sqlalchemy import insert

from digest.cli import program
from digest.config import load
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.storage.database import Database, open_database
from digest.storage.editions.records import load_edition
from digest.storage.ledger.outcomes import counts, list_deliveries
from digest.storage.ledger.senders import next_look, owners
from subscribers.store.tables import subscribers, subscriptions
from tests.processes import ended
from tests.scheduler.installation import Place

DIGEST = Path(sys.executable).parent / "digest"
CONNECTIONS, IN_FLIGHT = 3, 8
WINDOW = CONNECTIONS * IN_FLIGHT  # deliveries that can be uncertain after one kill
KILLED = "the sender ended before the server answered"
_PATIENCE = 300  # seconds; a process that takes longer hangs
_MAIL = """
[mail]
transport = "smtp"
host = "127.0.0.1"
port = {port}
security = "none"
connections = 3
timeout = "1s"
"""


@dataclass(slots=True)
class Trial:
    """One edition with many readers, whose senders are interrupted."""

    folder: Path
    url: str
    readers: int
    seed: int = 1
    kills: Counter[signal.Signals] = field(default_factory=Counter)
    interruptions: int = 0  # of another kind; each can leave as many uncertain deliveries
    output: list[str] = field(default_factory=list)  # what each process has printed
    edition: str = ""

    def prepare(self, port: int) -> None:
        """Make the publication, its readers, and an edition that is ready to be sent."""
        place = Place(self.folder)
        place.configure(place.config_path.read_text() + _MAIL.format(port=port))
        place.publish("Ferry", "Lighthouse", "Harbour wall")
        assert self.digest("collect").exit_code == 0  # makes the key of the links, before there are readers
        database = self._database()
        self._subscribe(database)
        database.close()
        assert self.digest("compose", "daily").exit_code == 0
        database = self._database()
        with database.read() as connection:
            self.edition = connection.exec_driver_sql("SELECT id FROM editions").scalar_one()
        database.close()

    def digest(self, *words: str) -> Result:
        """Call a command in this process, which saves the second that each process takes to start."""
        done = CliRunner().invoke(program, words, env=self.environ())
        assert isinstance(done.exception, SystemExit | None), repr(done.exception)
        self.output.append(done.output)
        return done

    def start(self, *words: str, shell: str = "") -> subprocess.Popen[str]:
        """Start a command, or a line for the shell that runs it as "$0" "$@"; its output goes to a file."""
        with (self.folder / "output").open("a") as file:
            command = [*(["sh", "-c", shell] if shell else []), str(DIGEST), *words]
            return subprocess.Popen(command, env=self.environ(), stdout=file, stderr=file, text=True)

    def environ(self) -> dict[str, str]:
        """Return the environment of the processes."""
        config = str(self.folder / "config.toml")
        return {"PATH": os.environ["PATH"], "DIGEST_CONFIG": config, "DIGEST_DATABASE_URL": self.url}

    def interrupt(self, moments: int, arrived: Callable[[], int], *, longest: float) -> None:
        """Start this many senders, and end each at a random moment, by SIGKILL or SIGTERM.

        Three in four are ended at most `longest` seconds after their first message has `arrived`, the
        others at any moment after their start.
        """
        dice = random.Random(self.seed)
        for turn in range(moments):
            before, begun = arrived(), dice.random() < 0.25
            process = self.start(*(("run",) if turn % 3 == 2 else ("send", self.edition)))
            while not begun and arrived() == before and not ended(process, 0.01):
                pass
            if not ended(process, dice.random() * longest):
                number = dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
                process.send_signal(number)
                self.kills[number] += 1
            process.wait(_PATIENCE)
        assert "Traceback" not in (self.folder / "output").read_text()

    def finish(self, tries: int = 12) -> None:
        """Send and retry until the edition is sent."""
        for _ in range(tries):
            self.digest("send", self.edition)
            if self.state() is EditionState.SENT:
                return
            self.digest("retry", self.edition, "--state", "deferred")
            if self.state() is EditionState.SENT:
                return
        raise AssertionError(self.output[-2:])

    def state(self) -> EditionState:
        """Return the state of the edition."""
        database = self._database()
        with database.read() as connection:
            state = load_edition(connection, self.edition).state
        database.close()
        return state

    def verdict(self, accepted: Counter[str], *, connections: int) -> str:
        """Compare the ledger with the messages that the server accepted, and return a summary.

        Each reader has the edition once, or the delivery is uncertain. There is a limit of uncertain
        deliveries for each kill and for each of the `connections`. All counts add up, and the database
        file is not damaged.
        """
        database = self._database()
        with database.read() as connection:
            tally = counts(connection, self.edition)
            rows = list_deliveries(connection, self.edition, limit=self.readers + 1)
            assert owners(connection, self.edition) == ()
            assert next_look(connection, self.edition) is None
            if connection.dialect.name == "sqlite":
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        database.close()
        assert len(rows) == tally.total == self.readers
        assert not tally.open
        allowed = {
            DeliveryState.ACCEPTED: {1},
            DeliveryState.REJECTED: {0},
            DeliveryState.SKIPPED: {0},
            DeliveryState.UNCERTAIN: {0, 1},
        }
        wrong = [
            (row.subscriber_id, row.state, row.reply, accepted[row.address or ""])
            for row in rows
            if accepted[row.address or ""] not in allowed[row.state]
        ]
        assert wrong == []
        uncertain = Counter(row.reply == KILLED for row in rows if row.state is DeliveryState.UNCERTAIN)
        assert uncertain[True] <= WINDOW * (self.kills.total() + self.interruptions), uncertain
        assert uncertain[False] <= IN_FLIGHT * connections, uncertain
        killed = ", ".join(f"{count} by {number.name}" for number, count in sorted(self.kills.items()))
        found = ", ".join(f"{count:,} {state}" for state, count in tally.by_state)
        by_kills, by_connections = uncertain[True], uncertain[False]
        uncertain_by = f"uncertain: {by_kills} by kills, {by_connections} by connections"
        return f"ended {killed or 'none'}: {found}; {uncertain_by}"

    def _database(self) -> Database:
        return open_database(load(self.folder / "config.toml", self.environ()).database_url)

    def _subscribe(self, database: Database) -> None:
        now = datetime(2026, 11, 1, tzinfo=UTC)
        with database.write() as connection:
            numbers = range(1, self.readers + 1)
            connection.execute(insert(subscribers), [_reader(number, now) for number in numbers])
            connection.execute(insert(subscriptions), [_choice(number, now) for number in numbers])


def _reader(number: int, now: datetime) -> dict[str, object]:
    address = f"reader{number}@example.org"
    return {
        "id": number,
        "address": address,
        "folded": address,
        "address_hash": f"hash-{number}",
        "state": "active",
        "language": "en",
        "format": "html",
        "created_at": now,
    }


def _choice(number: int, now: datetime) -> dict[str, object]:
    topics = ("", "green", "-green", "")[number % 4]
    choice = {"subscriber_id": number, "digest": "daily", "state": "active", "topics": topics}
    return {**choice, "changed_at": now}
