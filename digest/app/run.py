"""Do what is due: the verbs in their order, once, however many processes ring at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import partial

from digest.app.begin import begin_digests, local_text, schedule_of
from digest.app.fitness import fits_in_a_mail
from digest.app.policy import Occasions, Step, occasions, ruling
from digest.app.sending import send_edition
from digest.app.watch import Happening, Kind, Watch
from digest.app.wiring import App
from digest.collect.collect import collect
from digest.collect.fetch import fetch_all
from digest.compose.compose import compose
from digest.errors import DigestError, StateError
from digest.model import CollectReport, Composed, Digest, Due, EditionRecord, EditionState
from digest.storage.editions import advance, due_editions, load_edition
from digest.storage.occurrences import (
    claim_occurrence,
    finish_occurrence,
    occurrences_of,
    release_occurrence,
)


def run_due(app: App, watch: Watch) -> None:
    """Do everything that is due at the clock's time and return.

    begin     each digest that is seen for the first time: only what is due from now on counts
    send      the editions frozen before: no slow feed delays them
    collect   the feeds that are due
    compose   each digest whose cutoff has come, claimed by one row for its local date;
              too late after an outage → noted as missed, its posts are carried
    send      the others whose send time has come, as their review policies say
    """
    for happening in begin_digests(app, watch.clock()):
        watch.report(happening)
    frozen = _due(app, watch)
    _send(app, frozen, watch)
    collect_due(app, watch)
    compose_due(app, watch, collect_first=False)
    _send(app, [each for each in _due(app, watch) if each not in frozen], watch)


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
    found = {digest: _occasions(app, digest, watch.clock()) for digest in app.config.digests}
    if collect_first and any(each.compose for each in found.values()):
        collect_due(app, watch)
    fine = True
    for digest, each in found.items():
        if not watch.stop():
            fine &= _guarded(digest.slug, watch, partial(_compose_digest, app, digest, each, watch))
    return fine


def _occasions(app: App, digest: Digest, now: datetime) -> Occasions:
    with app.database.read() as connection:
        known = occurrences_of(connection, schedule_of(digest.slug), until=now + digest.cutoff)
    finished = [occurrence for occurrence in known if occurrence.done]
    if not finished:
        return Occasions()
    done = {occurrence.local_date for occurrence in finished}
    return occasions(digest, after=finished[0].due_at, done=done, now=now)


def _compose_digest(app: App, digest: Digest, found: Occasions, watch: Watch) -> None:
    for due in found.missed:
        _miss(app, digest, due, watch)
    for due in found.compose:
        _compose_one(app, digest, due, watch)


def _miss(app: App, digest: Digest, due: Due, watch: Watch) -> None:
    if not _claim(app, digest, due, watch.clock()):
        return
    _finish(app, digest, due.local_date, "missed", watch.clock())
    detail = (
        f"the edition due {local_text(due.send_at, digest)} was missed; its posts are carried to the next"
    )
    watch.report(Happening(kind=Kind.MISSED, subject=digest.slug, detail=detail))


def _compose_one(app: App, digest: Digest, due: Due, watch: Watch) -> None:
    if not _claim(app, digest, due, watch.clock()):
        return
    composed = _compose(app, digest, due, watch.clock())
    record = composed.record
    _finish(app, digest, due.local_date, record.edition.id if record else composed.reason, watch.clock())
    if record is None:
        watch.report(Happening(kind=Kind.NOTHING, subject=digest.slug, detail=composed.reason))
        return
    stories = sum(1 for _ in record.edition.stories())
    detail = f"{stories} stories, to be sent {local_text(due.send_at, digest)}"
    watch.report(Happening(kind=Kind.COMPOSED, subject=record.edition.id, detail=detail))


def _compose(app: App, digest: Digest, due: Due, now: datetime) -> Composed:
    """Compose, or give the claim back, so that what failed is tried again with the next ring."""
    config = app.config
    try:
        return compose(
            app.database,
            digest,
            site=config.site,
            topics=config.topics,
            feeds=config.feeds,
            due=due,
            now=now,
            fits=partial(fits_in_a_mail, app),
        )
    except DigestError:
        with app.database.write() as connection:
            release_occurrence(connection, schedule_of(digest.slug), local_date=due.local_date)
        raise


def _claim(app: App, digest: Digest, due: Due, now: datetime) -> bool:
    with app.database.write() as connection:
        return claim_occurrence(
            connection, schedule_of(digest.slug), local_date=due.local_date, due_at=due.send_at, now=now
        )


def _finish(app: App, digest: Digest, local_date: date, outcome: str, now: datetime) -> None:
    with app.database.write() as connection:
        finish_occurrence(
            connection, schedule_of(digest.slug), local_date=local_date, outcome=outcome, now=now
        )


# ── send ────────────────────────────────────────────────────────────────────────────────────


def send_due(app: App, watch: Watch, *, only: Callable[[str], bool] = lambda _: True) -> bool:
    """Send the editions whose time has come, of the digests `only` takes; False: one failed.

    An edition that fails does not stop the others.
    """
    return _send(app, [(edition_id, slug) for edition_id, slug in _due(app, watch) if only(slug)], watch)


def _due(app: App, watch: Watch) -> tuple[tuple[str, str], ...]:
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
    digest = next((each for each in app.config.digests if each.slug == record.edition.digest), None)
    ruled = ruling(record, digest, watch.clock())
    if ruled.step is Step.WAIT and ruled.reason:
        watch.report(Happening(kind=Kind.WAITING, subject=edition_id, detail=ruled.reason))
    elif ruled.step is Step.SKIP and _advanced(app, record, EditionState.SKIPPED, ruled.reason, watch):
        watch.report(Happening(kind=Kind.SKIPPED, subject=edition_id, detail=ruled.reason))
    elif ruled.step is Step.SEND and (
        record.state is not EditionState.DRAFT
        or _advanced(app, record, EditionState.APPROVED, "review policy", watch)
    ):
        send_edition(app, edition_id, watch)


def _advanced(app: App, record: EditionRecord, to: EditionState, why: str, watch: Watch) -> bool:
    """Take the step, or say False when another process has taken one since the record was read."""
    with app.database.write() as connection:
        try:
            advance(connection, record.edition.id, to, watch.clock(), reason=why, by=why)
        except StateError:
            return False
    return True


def _guarded(subject: str, watch: Watch, act: Callable[[], None]) -> bool:
    try:
        act()
    except DigestError as error:
        watch.report(Happening(kind=Kind.FAILED, subject=subject, detail=str(error)))
        return False
    return True
