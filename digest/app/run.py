"""Do what is due: the verbs in their order, once, however many processes ring at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import partial

from digest.app.begin import INSTANT, begin_digests, local_text
from digest.app.composing import compose_rhythm, stories_text
from digest.app.policy import Occasions, Step, occasions, ruling
from digest.app.rhythms import Rhythm, rhythms
from digest.app.sending import send_edition
from digest.app.watch import Happening, Kind, Watch
from digest.app.wiring import App
from digest.collect.collect import collect
from digest.collect.fetch import fetch_all
from digest.errors import DigestError, StateError
from digest.model import CollectReport, Composed, Due, EditionRecord, EditionState
from digest.publication import Digest
from digest.schedule_seen import standing
from digest.send.cancelled import settle_all_cancelled
from digest.storage.editions import due_editions, load_edition
from digest.storage.gatherings import stopped_since
from digest.storage.occurrences import (
    claim_occurrence,
    finish_occurrence,
    occurrences_of,
    release_occurrence,
    undo_occurrence,
)
from digest.storage.schedules import seen_schedules
from digest.storage.steps import advance
from subscribers.model import Frequency


def run_due(app: App, watch: Watch) -> None:
    """Do everything that is due at the clock's time and return.

    begin     each digest that is new, or goes by another schedule: only what is due from now on counts
    send      the editions frozen before: no slow feed delays them
    collect   the feeds that are due
    compose   each digest whose cutoff has come, claimed by one row for its local date;
              too late after an outage → noted as missed, its posts are carried
    send      the others whose send time has come, as their review policies say
    gather    what went out, for readers who chose to be mailed daily or weekly
    send      that too
    """
    for happening in begin_digests(app, watch.clock()):
        watch.report(happening)
    tried = _send_others(app, watch, frozenset())
    collect_due(app, watch)
    compose_due(app, watch, collect_first=False)
    tried = _send_others(app, watch, tried)
    gather_due(app, watch)
    _send_others(app, watch, tried)


def collect_due(app: App, watch: Watch, *, force: bool = False) -> CollectReport:
    """Fetch the feeds that are due, or all of them; what has not answered when we are to stop is left."""
    config = app.config
    return collect(
        app.database,
        config.feeds,
        config.digests,
        limits=config.limits,
        now=watch.clock(),
        force=force,
        report=watch.feed,
        fetch=partial(fetch_all, stop=watch.stop),
    )


# ── compose ─────────────────────────────────────────────────────────────────────────────────


def compose_due(app: App, watch: Watch, *, collect_first: bool = True) -> bool:
    """Compose each digest whose cutoff has come, from feeds asked just before; False: one failed.

    A digest that fails does not stop the others.
    """
    every = [Rhythm(digest=digest) for digest in app.config.digests]
    found = {rhythm: _occasions(app, rhythm, watch.clock()) for rhythm in every}
    if collect_first and any(each.compose for each in found.values()):
        collect_due(app, watch)
    fine = True
    for rhythm, each in found.items():
        if not watch.stop():
            fine &= _guarded(rhythm.digest.slug, watch, partial(_compose, app, rhythm, each, watch))
    return fine


def gather_due(app: App, watch: Watch) -> bool:
    """Compose each gathered edition whose cutoff has come, of what went out so far; False: one failed.

    After an outage it waits for an edition that is late itself, and would be missing.
    """
    fine = True
    for digest in app.config.digests:
        if digest.gather and not watch.stop():
            fine &= _guarded(digest.slug, watch, partial(_gather, app, digest, watch))
    return fine


def _gather(app: App, digest: Digest, watch: Watch) -> None:
    now = watch.clock()
    if _is_late(app, digest, now):
        return
    for rhythm in rhythms(digest):
        if rhythm.frequency is not Frequency.EACH:
            _compose(app, rhythm, _occasions(app, rhythm, now), watch)


def _is_late(app: App, digest: Digest, now: datetime) -> bool:
    """Tell whether an edition that should be on its way by now has still to be composed or to begin."""
    own = _occasions(app, Rhythm(digest=digest), now)
    with app.database.read() as connection:
        ids = [edition_id for edition_id, slug in due_editions(connection, now) if slug == digest.slug]
        due = [load_edition(connection, edition_id) for edition_id in ids]
    begins = [
        each for each in due if each.frequency is Frequency.EACH and each.state is not EditionState.SENDING
    ]
    late = any(each.send_at <= now for each in own.compose)
    return late or any(ruling(each, digest, now).step is Step.SEND for each in begins)


def _occasions(app: App, rhythm: Rhythm, now: datetime) -> Occasions:
    """Find what has come due since the schedule was first seen as it is, and since its last occurrence."""
    with app.database.read() as connection:
        last = standing(seen_schedules(connection).get(rhythm.key, ()), now)
        known = occurrences_of(connection, rhythm.key, until=now + rhythm.digest.cutoff)
    if last is None:
        return Occasions()
    finished = [occurrence for occurrence in known if occurrence.done]
    after = max([last.seen_at - INSTANT, *(occurrence.due_at for occurrence in finished)])
    done = {occurrence.local_date for occurrence in finished}
    return occasions(rhythm.digest, after=after, done=done, now=now)


def _compose(app: App, rhythm: Rhythm, found: Occasions, watch: Watch) -> None:
    for due in found.missed:
        _miss(app, rhythm, due, watch)
    for due in found.compose:
        _compose_one(app, rhythm, due, watch)


def _miss(app: App, rhythm: Rhythm, due: Due, watch: Watch) -> None:
    if not _claim(app, rhythm, due, watch.clock()):
        return
    _finish(app, rhythm, due.local_date, "missed", watch.clock())
    what = "posts are" if rhythm.frequency is Frequency.EACH else "content is"
    at = local_text(due.send_at, rhythm.digest)
    detail = f"the {rhythm.noun} due {at} was missed; its {what} carried to the next"
    watch.report(Happening(kind=Kind.MISSED, subject=rhythm.digest.slug, detail=detail))


def _compose_one(app: App, rhythm: Rhythm, due: Due, watch: Watch) -> None:
    if not _claim(app, rhythm, due, watch.clock()):
        return
    composed = _compose_or_release(app, rhythm, due, watch.clock())
    record = composed.record
    _finish(app, rhythm, due.local_date, record.edition.id if record else composed.reason, watch.clock())
    if record is None:
        watch.report(Happening(kind=Kind.NOTHING, subject=rhythm.digest.slug, detail=composed.reason))
        return
    detail = f"{stories_text(record.edition)}, to be sent {local_text(due.send_at, rhythm.digest)}"
    watch.report(Happening(kind=Kind.COMPOSED, subject=record.edition.id, detail=detail))


def _compose_or_release(app: App, rhythm: Rhythm, due: Due, now: datetime) -> Composed:
    """Compose, or give the claim back, so that what failed is tried again with the next ring."""
    try:
        return compose_rhythm(app, rhythm, due, now)
    except DigestError:
        with app.database.write() as connection:
            release_occurrence(connection, rhythm.key, local_date=due.local_date)
        raise


def _claim(app: App, rhythm: Rhythm, due: Due, now: datetime) -> bool:
    with app.database.write() as connection:
        return claim_occurrence(
            connection, rhythm.key, local_date=due.local_date, due_at=due.send_at, now=now
        )


def _finish(app: App, rhythm: Rhythm, local_date: date, outcome: str, now: datetime) -> None:
    with app.database.write() as connection:
        finish_occurrence(connection, rhythm.key, local_date=local_date, outcome=outcome, now=now)


# ── send ────────────────────────────────────────────────────────────────────────────────────


def send_due(app: App, watch: Watch, *, only: Callable[[str], bool] = lambda _: True) -> bool:
    """Send the editions whose time has come, of the digests `only` takes; False: one failed.

    An edition that fails does not stop the others.
    """
    return _send(app, [(edition_id, slug) for edition_id, slug in _due(app, watch) if only(slug)], watch)


def _send_others(app: App, watch: Watch, tried: frozenset[str]) -> frozenset[str]:
    """Send what is due and was not tried yet, and return all that now was, by id."""
    due = [each for each in _due(app, watch) if each[0] not in tried]
    _send(app, due, watch)
    return tried.union(edition_id for edition_id, _ in due)


def _due(app: App, watch: Watch) -> tuple[tuple[str, str], ...]:
    settle_all_cancelled(app.database, watch.clock())
    with app.database.read() as connection:
        return due_editions(connection, watch.clock())


def _send(app: App, due: Iterable[tuple[str, str]], watch: Watch) -> bool:
    fine = True
    for edition_id, _ in due:
        if not watch.stop():
            fine &= _guarded(edition_id, watch, partial(_follow, app, edition_id, watch))
    return fine


def _follow(app: App, edition_id: str, watch: Watch) -> None:
    """Do with an edition what its digest's policy says; when another process is faster, leave it to it."""
    with app.database.read() as connection:
        record = load_edition(connection, edition_id)
        stopped = stopped_since(connection, edition_id)
    digest = next((each for each in app.config.digests if each.slug == record.edition.digest), None)
    ruled = ruling(record, digest, watch.clock(), stopped=stopped)
    if ruled.step is Step.WAIT and ruled.reason:
        watch.report(Happening(kind=Kind.WAITING, subject=edition_id, detail=ruled.reason))
    elif ruled.step is Step.SKIP and _advanced(
        app, record, EditionState.SKIPPED, ruled.reason, watch, anew=stopped is not None
    ):
        watch.report(Happening(kind=Kind.SKIPPED, subject=edition_id, detail=ruled.reason))
    elif ruled.step is Step.SEND and (
        record.state is not EditionState.DRAFT
        or _advanced(app, record, EditionState.APPROVED, "review policy", watch)
    ):
        send_edition(app, edition_id, watch)


def _advanced(
    app: App, record: EditionRecord, to: EditionState, why: str, watch: Watch, *, anew: bool = False
) -> bool:
    """Take the step, or say False when another process has taken one since the record was read.

    With `anew` its occurrence is open again, and the next ring composes another edition.
    """
    with app.database.write() as connection:
        try:
            advance(connection, record.edition.id, to, watch.clock(), reason=why, by=why)
        except StateError:
            return False
        if anew:
            undo_occurrence(connection, record.edition.id)
    return True


def _guarded(subject: str, watch: Watch, act: Callable[[], None]) -> bool:
    try:
        act()
    except DigestError as error:
        watch.report(Happening(kind=Kind.FAILED, subject=subject, detail=str(error)))
        return False
    return True
