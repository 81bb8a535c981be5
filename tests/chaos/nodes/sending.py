"""An edition on its way to many readers, sent by several nodes: real processes, which a trial disturbs."""

from __future__ import annotations

import logging
import mmap
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from sqlalchemy import text

from benchmarks import sinks
from digest.app import open_app
from digest.config import load
from digest.editions.editions import compose_now
from digest.editions.feeds import collect_due
from digest.editions.send import send_edition
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.model.errors import OutageError
from digest.model.run_context import RunContext, utc_now
from digest.storage.database import Database, open_database
from digest.storage.editions.records import load_edition
from digest.storage.ledger.outcomes import counts
from digest.storage.ledger.senders import owners
from tests.chaos.nodes.cluster import DURABLE, FAST, Cluster, Server, new_primary, with_standby
from tests.chaos.nodes.forwarders import Forwarders
from tests.chaos.nodes.network import Cable, Namespaces, Network, address_of, are_permitted
from tests.chaos.trial import DIGEST, IN_FLIGHT
from tests.scheduler.installation import Place

log = logging.getLogger(__name__)

_MAIL = """
[mail]
transport = "smtp"
host = "{host}"
port = {port}
security = "none"
connections = {connections}
timeout = "{timeout}"
doubt = "{doubt}"

[jobs]
engine = "procrastinate"
"""
_READERS = """
INSERT INTO subscribers (id, address, folded, address_hash, state, language, format, created_at)
SELECT n, 'reader' || n || '@example.org', 'reader' || n || '@example.org', 'hash-' || n, 'active', 'en',
 'html', now() FROM generate_series(1, {readers}) AS n
"""
_CHOICES = """
INSERT INTO subscriptions (subscriber_id, digest, state, topics, changed_at)
SELECT n, 'daily', 'active', '', now() FROM generate_series(1, {readers}) AS n
"""
DEV = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
_IN_DOUBT = text("SELECT subscriber_id FROM deliveries WHERE edition_id = :edition AND state = 'uncertain'")
_AT_WORK = text("SELECT owner FROM slices WHERE owner IS NOT NULL AND moved_at > :since")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many readers and nodes there are, and how long the mail server takes to answer."""

    readers: int
    nodes: int = 3
    lines: int = 1  # of each node
    connections: int = 2  # of each node, shared by its lines
    pause: int = 20  # milliseconds before the mail server answers
    timeout: str = "10s"  # of a line that waits for an answer
    doubt: str = "hold"  # "resend": messages without an answer go again

    @property
    def window(self) -> int:
        """Return how many messages one node can have on the wire."""
        return max(self.connections, self.lines) * IN_FLIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How many readers got the message, and how many are in doubt."""

    state: EditionState
    doubled: int  # readers whose message was accepted more than once
    missed: int  # readers who got no message and are not in doubt
    in_doubt: int
    in_doubt_accepted: int  # those of them who have got the message
    seconds: float  # until the edition was sent


@dataclass(slots=True)
class Node:
    """One `digest work`, with the processes below it."""

    number: int
    process: subprocess.Popen[str]
    log: Path

    def pids(self) -> list[int]:
        """Return the running processes: the supervisor first, then those that it has started."""
        found = [self.process.pid]
        for pid in found:
            with suppress(OSError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
                found += [int(child) for child in children.split()]
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes, as if it came over the whole machine."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


class Sending:
    """A publication whose edition is being sent, inside a `with` block."""

    def __init__(
        self,
        folder: Path,
        place: Server | Cluster,
        plan: Plan,
        *,
        network: Network | None = None,
    ) -> None:
        self.folder, self.place, self.plan, self.network = folder, place, plan, network
        self.nodes: dict[int, Node] = {}
        self.history: list[tuple[float, int]] = []  # how many readers were reached, and when
        self._began: float = 0
        self._over = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self._tally = self._open_tally()
            self._port, self.hurry = self._start_sink()
            if self.network:
                self.network.lead_to(Cable.MAIL, [self._port])
                self.network.lead_to(Cable.DATABASE, self.place.ports)
            self.database = open_database(self.place.url)
            self._stack.callback(self.database.close)
            self._prepare()
            self._stack.callback(self._end_nodes)
            watch = threading.Thread(target=self._watch)
            self._stack.callback(watch.join)
            self._stack.callback(self._over.set)
            watch.start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # ── nodes ───────────────────────────────────────────────────────────────────────────────

    def start_nodes(self) -> None:
        """Start all nodes."""
        for number in range(self.plan.nodes):
            self.start_node(number)
        self._began = time.monotonic()

    def start_node(self, number: int, extra: Mapping[str, str] | None = None) -> None:
        """Start a node, with variables of its own in its environment."""
        self._configure(number)
        inside = self.network.at_node(number) if self.network else []
        log = self.folder / f"node-{number}.log"
        with log.open("a") as said:
            process = subprocess.Popen(
                [*inside, str(DIGEST), "work", "--lines", str(self.plan.lines)],
                env={**self._environ(number), **(extra or {})},
                stdout=said,
                stderr=said,
                text=True,
            )
        self.nodes[number] = Node(number, process, log)

    def at_work(self, since: float) -> set[int]:
        """Return the nodes that have written to a slice since a moment; none if the database is away."""
        ago = f"{time.monotonic() - since:.3f} s"
        try:
            with self.database.read() as connection:
                query = text("SELECT clock_timestamp() - CAST(:ago AS interval)")
                moment = connection.execute(query, {"ago": ago}).scalar_one()
                names = connection.scalars(_AT_WORK, {"since": moment}).all()
        except OutageError:
            return set()
        pids = {int(name.rsplit(":", 5)[3]) for name in names}
        return {number for number, node in self.nodes.items() if pids.intersection(node.pids())}

    # ── waiting ─────────────────────────────────────────────────────────────────────────────

    @property
    def reached(self) -> int:
        """Return how many readers have got their message."""
        return self.plan.readers + 1 - self._tally[:].count(0)

    def until(self, condition: Callable[[], bool], seconds: float = 400) -> float:
        """Wait for a condition, and return how many seconds that took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                raise AssertionError(f"not after {seconds:.0f} s: {self.situation()}")
            self._over.wait(0.02)
        return time.monotonic() - began

    def until_reached(self, readers: int) -> None:
        """Wait until so many readers have got their message."""
        self.until(lambda: self.reached >= readers)

    def until_all_work(self, since: float, these: Collection[int] = ()) -> float:
        """Wait until each node, or each of `these`, has sent since a moment; return the seconds it took."""
        wanted, done = set(these or self.nodes), self.plan.readers
        self.until(lambda: self.at_work(since) >= wanted or self.reached == done)
        assert self.reached < done, "the edition was sent too early"
        return time.monotonic() - since

    def until_sent(self, seconds: float = 900) -> float:
        """Wait until the edition is sent, and return how many seconds after the start that was."""
        self.until(lambda: self.state() is EditionState.SENT, seconds)
        return time.monotonic() - self._began

    def went_on(self, since: float) -> float:
        """Return how many seconds after a moment the next reader was reached."""
        before = max((count for at, count in self.history if at <= since), default=0)

        def more() -> float:
            return next((at for at, count in self.history if at > since and count > before), since)

        self.until(lambda: more() > since)
        return more() - since

    def rate_between(self, first: int, last: int) -> float:
        """Return how many readers were reached a second, from the first until the last of these counts."""
        begun, ended = (next(each for each in self.history if each[1] >= count) for count in (first, last))
        return (ended[1] - begun[1]) / (ended[0] - begun[0])

    def state(self) -> EditionState | None:
        """Return the state of the edition; None if the database is away."""
        try:
            with self.database.read() as connection:
                return load_edition(connection, self.edition).state
        except OutageError:
            return None

    def situation(self) -> str:
        """Describe what goes on, for a message about a failure."""
        logs = [f"node {node.number}:\n{node.log.read_text()[-3000:]}" for node in self.nodes.values()]
        return "\n".join([f"{self.reached:,} of {self.plan.readers:,} readers, {self.state()}", *logs])

    def verdict(self, seconds: float) -> Verdict:
        """Compare the ledger with the messages that the server has accepted."""
        with self.database.read() as connection:
            tally = counts(connection, self.edition)
            uncertain = set(connection.scalars(_IN_DOUBT, {"edition": self.edition}))
            assert owners(connection, self.edition) == ()
            state = load_edition(connection, self.edition).state
        settled = tally.of(DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)
        assert settled == tally.total == self.plan.readers, tally
        times = Counter(self._tally[reader] for reader in uncertain)
        taken = bytes(self._tally[1:])
        return Verdict(
            state=state,
            doubled=sum(1 for each in taken if each > 1),
            missed=sum(1 for at, each in enumerate(taken, 1) if not each and at not in uncertain),
            in_doubt=len(uncertain),
            in_doubt_accepted=len(uncertain) - times[0],
            seconds=seconds,
        )

    # ────────────────────────────────────────────────────────────────────────────────────────

    def _open_tally(self) -> mmap.mmap:
        path = self.folder / "tally"
        path.write_bytes(bytes(self.plan.readers + 1))
        file = self._stack.enter_context(path.open("rb"))
        return self._stack.enter_context(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))

    def _start_sink(self) -> tuple[int, Callable[[], None]]:
        program = sinks.build(self.folder)
        counting = sinks.Counting(
            file=self.folder / "tally",
            pause=self.plan.pause,
            address="0.0.0.0" if self.network and self.network.at_the_hub else "127.0.0.1",
            inside=self.network.at_the_hub if self.network else (),
        )
        return self._stack.enter_context(sinks.counting_sink(program, counting))

    def _prepare(self) -> None:
        """Make the publication, its readers, and an edition that is addressed to them."""
        place = Place(self.folder)
        place.publish("Ferry", "Lighthouse", "Harbour wall")
        self._configure(0)
        config = load(self._config(0), {**self._environ(0), "DIGEST_DATABASE_URL": self.place.url})
        context = RunContext()
        with open_app(config) as app:
            self._subscribe(app.database)
            collect_due(app.database, app.config, context)
            composed = compose_now(app, "daily", utc_now())
            assert composed.record, composed.reason
            self.edition = composed.record.edition.id
            send_edition(app, self.edition, replace(context, stop=lambda: True))

    def _subscribe(self, database: Database) -> None:
        with database.write() as connection:
            for statement in (_READERS, _CHOICES):
                connection.execute(text(statement.format(readers=self.plan.readers)))

    def _configure(self, number: int) -> None:
        mail = _MAIL.format(
            host=address_of(number, Cable.MAIL) if self.network else "127.0.0.1",
            port=self._port,
            connections=self.plan.connections,
            timeout=self.plan.timeout,
            doubt=self.plan.doubt,
        )
        self._config(number).write_text((self.folder / "config.toml").read_text() + mail)

    def _config(self, number: int) -> Path:
        return self.folder / f"node-{number}.toml"

    def _environ(self, number: int) -> dict[str, str]:
        address = address_of(number, Cable.DATABASE) if self.network else "127.0.0.1"
        url = self.place.url_at(address)
        config = str(self._config(number))
        return {"PATH": os.environ["PATH"], "DIGEST_CONFIG": config, "DIGEST_DATABASE_URL": url} | DEV

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.history.append((time.monotonic(), self.reached))

    def _end_nodes(self) -> None:
        for node in self.nodes.values():
            node.signal(signal.SIGCONT)
            node.signal(signal.SIGKILL)
            node.process.wait()


def _cables(nodes: int) -> AbstractContextManager[Network]:
    permitted = are_permitted()
    log.info("nodes are cut off by %s", "network namespaces" if permitted else "forwarders on loopback")
    return Namespaces(nodes) if permitted else Forwarders(nodes)


@contextmanager
def staged(
    plan: Plan, *, standby: bool = False, cuts: bool = False, durable: bool = False
) -> Iterator[Sending]:
    """Yield an edition that is ready to be sent, with a database of its own.

    The database has a `standby`, and with `cuts` each node is in a network of its own. A `durable` database
    waits for the disk, as it should.
    """
    with ExitStack() as stack:
        network = stack.enter_context(_cables(plan.nodes + 1)) if cuts else None  # one node may be added
        inside = network.at_the_hub if network else ()
        primary = stack.enter_context(new_primary(DURABLE if durable else FAST, inside=inside))
        place = stack.enter_context(with_standby(primary)) if standby else primary
        folder = stack.enter_context(TemporaryDirectory(prefix="nodes-"))
        yield stack.enter_context(Sending(Path(folder), place, plan, network=network))
