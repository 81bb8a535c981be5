"""Send the editions whose time has come, as the review policies of their digests say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from digest.app import App
from digest.editions.edits.desk import writer_of
from digest.editions.notices.queue import held_back_until
from digest.editions.schedules import local_text
from digest.editions.send import send_edition
from digest.model.editions import EditionRecord, EditionState, StepCause
from digest.model.errors import DigestError, OutageError, PreflightError, StateError
from digest.model.publication import Digest
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.monitoring.progress import keep_tallies
from digest.schedule.policy import EditionStep, ruling
from digest.scheduler.reporting import guarded
from digest.storage.editions.due import due_editions
from digest.storage.editions.gatherings import stopped_since
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance_seen
from digest.storage.ledger.cancelled import settle_all_cancelled
from digest.storage.occurrences import undo_occurrence
from digest.storage.reports import end_trouble, note_trouble

Begin = Callable[[App, EditionRecord, RunContext], None]  # does what follows if an edition should be sent


def send_due(
    app: App, context: RunContext, *, only: Callable[[str], bool] = lambda _: True, begin: Begin | None = None
) -> bool:
    """Send the editions whose time has come, of the digests that `only` accepts; False if one failed.

    An edition that fails does not stop the others. With `begin`, this is called instead of sending one.
    """
    due = [(edition_id, slug) for edition_id, slug in _due(app, context) if only(slug)]
    return _send(app, due, context, begin or _send_here)


def send_others(app: App, context: RunContext, tried: frozenset[str]) -> frozenset[str]:
    """Send the due editions that were not tried yet, and return the ids of all that have now been tried."""
    due = [each for each in _due(app, context) if each[0] not in tried]
    _send(app, due, context, _send_here)
    return tried.union(edition_id for edition_id, _ in due)


def _due(app: App, context: RunContext) -> tuple[tuple[str, str], ...]:
    settle_all_cancelled(app.database, context.clock())
    with app.database.read() as connection:
        return due_editions(connection, context.clock())


def _send(app: App, due: Iterable[tuple[str, str]], context: RunContext, begin: Begin) -> bool:
    fine, tried = True, False
    for edition_id, _ in due:
        if not context.stop():
            tried = True
            fine &= guarded(edition_id, context, partial(follow, app, edition_id, context, begin))
    if tried:
        keep_tallies(app.database, context.clock())
    return fine


def follow(app: App, edition_id: str, context: RunContext, begin: Begin) -> None:
    """Do with an edition what its digest's policy says, unless another process is faster.

    Call `begin` if it should be sent. Raises NotFoundError, and what `begin` raises.
    """
    with app.database.read() as connection:
        record = load_edition(connection, edition_id)
        stopped = stopped_since(connection, edition_id)
    digest = app.config.digest_or_none(record.edition.digest)
    now = context.clock()
    writer = writer_of(app.database, edition_id, now) if record.state is EditionState.DRAFT else ""
    ruled = ruling(record, digest, now, stopped=stopped, writer=writer)
    if ruled.step is EditionStep.WAIT and ruled.reason:
        context.report(RunEvent(kind=EventKind.WAITING, subject=edition_id, detail=ruled.reason))
    elif ruled.step is EditionStep.SKIP and _skipped(
        app, record, ruled.reason, context, anew=stopped is not None
    ):
        context.report(RunEvent(kind=EventKind.SKIPPED, subject=edition_id, detail=ruled.reason))
    elif ruled.step is EditionStep.SEND and not _goes_to_staff_first(app, record, digest, context):
        begin(app, record, context)


def _send_here(app: App, record: EditionRecord, context: RunContext) -> None:
    with noting_trouble(app, record.edition.id, context):
        send_edition(app, record.edition.id, context)


@contextmanager
def noting_trouble(app: App, edition_id: str, context: RunContext) -> Iterator[None]:
    """If sending an edition fails, keep the reason for the pages and the messages to the staff."""
    try:
        yield
    except OutageError:
        raise
    except DigestError as error:
        with app.database.write() as connection:
            note_trouble(connection, edition_id, context.clock(), _trouble_text(error))
        raise
    with app.database.write() as connection:
        end_trouble(connection, edition_id)


def _trouble_text(error: DigestError) -> str:
    if isinstance(error, PreflightError):
        return f"it cannot be sent as it is: {' '.join(error.reasons)}"
    return str(error)


def _goes_to_staff_first(app: App, record: EditionRecord, digest: Digest | None, context: RunContext) -> bool:
    """Tell whether the readers' copies of an edition wait, because the staff's copies have a head start."""
    if digest is None or not record.is_ahead:
        return False
    begins_at = held_back_until(app.database, app.config, record, digest)
    if begins_at is None or begins_at <= context.clock():
        return False
    detail = f"the staff gets its copies first; readers get theirs {local_text(begins_at, digest)}"
    context.report(RunEvent(kind=EventKind.WAITING, subject=record.edition.id, detail=detail))
    return True


def _skipped(app: App, record: EditionRecord, why: str, context: RunContext, *, anew: bool) -> bool:
    """Skip an edition; False if another process has changed the edition since the record was read.

    With `anew`, the edition's date is open again, and the next run composes another edition.
    """
    with app.database.write() as connection:
        try:
            advance_seen(connection, record, EditionState.SKIPPED, StepCause(at=context.clock(), why=why))
        except StateError:
            return False
        if anew:
            undo_occurrence(connection, record.edition.id)
    return True
