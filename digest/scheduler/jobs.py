"""Do a job: call the verb that it names. The verbs know nothing of jobs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from threading import Lock

from digest.app import App
from digest.editions.clocks import check_clock
from digest.editions.feeds import collect_feed
from digest.editions.send import address_edition, finish_edition
from digest.inbound.inbox import receive_all
from digest.model.editions import EditionRecord
from digest.model.messages import Message, Receipt, Transport
from digest.model.run_context import RunContext, utc_now
from digest.schedule.jobs import Job, JobKind
from digest.scheduler.composing import compose_digest, gather_digest
from digest.scheduler.reconcile import slice_job
from digest.scheduler.run import clean_up
from digest.scheduler.sending import follow, noting_trouble
from digest.send.run import Ready
from digest.send.send import ready, send_slice
from digest.storage.database import Connection
from digest.storage.editions.records import load_edition
from digest.storage.ledger.deliveries import is_going
from digest.storage.ledger.senders import next_look

_EDITIONS = 4  # whose emails are kept at the same time


class Handled:
    """How many messages this process has handled."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = Lock()

    def add(self, number: int) -> None:
        """Count messages of one of several threads."""
        with self._lock:
            self.count += number

    def counting(self, transport: Transport) -> Transport:
        """Return a transport that counts."""
        return _Counting(transport, self)


class _Counting(Transport):
    def __init__(self, transport: Transport, handled: Handled) -> None:
        self._transport, self._handled = transport, handled

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        with closing(self._transport.carry(groups)) as answers:
            for receipts in answers:
                self._handled.add(len(receipts))
                yield receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Does jobs, in any number of threads. `lines` is how many there are."""

    app: App
    context: RunContext
    lines: int
    handled: Handled = field(default_factory=Handled)
    _ready: OrderedDict[str, Ready] = field(default_factory=OrderedDict)  # by edition, the latest last
    _lock: Lock = field(default_factory=Lock)

    def do(self, job: Job) -> None:
        """Call the verb. Raises DigestError, and NotFoundError if what the job names was erased."""
        verbs: dict[JobKind, Callable[[Job], None]] = {
            JobKind.COLLECT: self._collect,
            JobKind.COMPOSE: self._compose,
            JobKind.GATHER: self._gather,
            JobKind.ADDRESS: self._address,
            JobKind.SEND: self._send,
            JobKind.FINISH: self._finish,
            JobKind.RECEIVE: self._receive,
            JobKind.CLEAN: self._clean,
        }
        if not self.context.stop():
            verbs[job.kind](job)

    def _collect(self, job: Job) -> None:
        collect_feed(self.app.database, self.app.config, job.subject, self.context)

    def _compose(self, job: Job) -> None:
        compose_digest(self.app, job.subject, date.fromisoformat(job.part), self.context)

    def _gather(self, job: Job) -> None:
        gather_digest(self.app, job.subject, self.context)

    def _address(self, job: Job) -> None:
        follow(self.app, job.subject, self.context, begin=self._begin)

    def _begin(self, app: App, record: EditionRecord, context: RunContext) -> None:
        """Address an edition, with a job for each slice in the same transaction."""
        edition_id = record.edition.id

        def addressed(connection: Connection, numbers: Sequence[int]) -> None:
            slices = [slice_job(edition_id, number) for number in numbers]
            app.defer(connection, slices or [Job(kind=JobKind.FINISH, subject=edition_id)])

        with noting_trouble(app, edition_id, context):
            address_edition(app, edition_id, context, addressed)

    def _send(self, job: Job) -> None:
        edition_id, database = job.subject, self.app.database
        check_clock(database, utc_now())
        edition = self._ready_edition(edition_id)
        if edition is None:
            return
        outbox = self.app.outbox(self.lines)
        outbox = replace(outbox, transport=self.handled.counting(outbox.transport))
        with noting_trouble(self.app, edition_id, self.context):
            send_slice(
                database,
                replace(edition, outbox=outbox),
                int(job.part),
                clock=self.context.clock,
                stop=self.context.stop,
            )
        with database.read() as connection:
            is_over = next_look(connection, edition_id) is None
        if is_over:
            with database.write() as connection:
                self.app.defer(connection, [Job(kind=JobKind.FINISH, subject=edition_id)])

    def _ready_edition(self, edition_id: str) -> Ready | None:
        """Return an edition with the emails rendered for its earlier slices; None if it is not being sent."""
        with self.app.database.read() as connection:
            if not is_going(connection, edition_id):
                load_edition(connection, edition_id)  # raises NotFoundError
                return None
        # Other lines wait here while one renders, so no transaction is open.
        with self._lock:
            found = self._ready.pop(edition_id, None)
            if found is None:
                with self.app.database.read() as connection:
                    record = load_edition(connection, edition_id)
                found = ready(self.app.database, record, self.app.outbox(self.lines))
            self._ready[edition_id] = found
            while len(self._ready) > _EDITIONS:
                self._ready.popitem(last=False)
        return found

    def _finish(self, job: Job) -> None:
        finish_edition(self.app, job.subject, self.context)

    def _receive(self, job: Job) -> None:
        receive_all(self.app, Path(job.subject), self.context)

    def _clean(self, _job: Job) -> None:
        clean_up(self.app, self.context.clock())
