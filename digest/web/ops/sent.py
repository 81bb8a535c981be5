"""Show an edition on its way to its readers: its progress live, its deliveries, and what to do about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup

from digest.editions.editions import (
    cancel,
    find_edition,
    pause_edition,
    reader_count,
    recent_editions,
    resume_edition,
)
from digest.editions.outlook.facts import with_facts
from digest.editions.outlook.phases import Outlook, held_reason
from digest.editions.outlook.timeline import Timeline, timeline
from digest.editions.outlook.words import at_words, clock_words, counted
from digest.editions.send import deliveries_of, try_again
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionRecord, EditionState
from digest.model.staff import Right
from digest.monitoring.progress import Progress, headline, read_domains, read_progress
from digest.web.ops.figures import (
    NAMES,
    Figure,
    StateLine,
    accepted_figure,
    state_lines,
    states_bar,
)
from digest.web.ops.recount import Recount
from digest.web.security.forms import Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext, name_subject

router = APIRouter()

_PAGE = 50
_RECENT = 30
_NAMED = 5  # domains beside the states
_RETRYABLE = (DeliveryState.REJECTED, DeliveryState.UNCERTAIN, DeliveryState.DEFERRED)


def _recount(request: Request) -> Recount:
    recount: Recount = request.app.state.recount
    return recount


Counting = Annotated[Recount, Depends(_recount)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionValues:
    """An edition as the operators' pages show it."""

    record: EditionRecord
    progress: Progress
    sentence: str
    is_live: bool  # it is being sent, so its numbers change
    line: Timeline | None  # from the cutoff to the readers, before it is sent
    pace: str  # "started 07:00 · 18 a second"
    figure: Figure | None

    @property
    def id(self) -> str:
        """Return the id of the edition."""
        return self.record.edition.id

    @property
    def kicker(self) -> str:
        """Return the digest and the date: "Daily · Monday 30 November"."""
        edition = self.record.edition
        return f"{edition.title} · {edition.local_date:%A} {edition.local_date.day} {edition.local_date:%B}"


def values_of(context: StaffContext, recount: Recount, record: EditionRecord) -> EditionValues:
    """Return the values of an edition; its deliveries are counted again only if that is worth it."""
    app, now = context.app, context.clock()
    key = "progress", record.edition.id, record.state
    progress = recount.of(key, lambda: read_progress(app.database, record, now))
    zone, outlook = record.edition.zone, _outlook(context, record, progress)
    return EditionValues(
        record=record,
        progress=progress,
        sentence=headline(progress, outlook, now),
        line=timeline(outlook, now),
        is_live=record.state is EditionState.SENDING and not record.paused_at,
        pace=_pace(context, record, progress),
        figure=accepted_figure(progress.over_time, zone),
    )


def _outlook(context: StaffContext, record: EditionRecord, progress: Progress) -> Outlook:
    app, now = context.app, context.clock()
    digest = app.config.digest_or_none(record.edition.digest)
    readers = reader_count(app, record, now) if record.is_ahead else 0
    found = Outlook(record=record, digest=digest, readers=readers, counts=progress.counts)
    with app.database.read() as connection:
        return with_facts(connection, app.config, found, now)


def _pace(context: StaffContext, record: EditionRecord, progress: Progress) -> str:
    if not record.started_at:
        return ""
    parts = [f"started {at_words(record.started_at, record.edition.zone, context.clock())}"]
    if progress.rate:
        parts.append(f"{progress.rate:,.0f} a second" if progress.rate >= 1 else "less than one a second")
    if record.finished_at:
        took = (record.finished_at - record.started_at).total_seconds()
        parts.append(f"{progress.accepted / max(took, 1):,.0f} a second on average")
    return " · ".join(parts)


# ── pages ───────────────────────────────────────────────────────────────────────────────────


@router.get("/ops/editions")
def editions(request: Request, context: Desk, recount: Counting) -> Response:
    """List the latest editions with their outcomes."""
    found = recent_editions(context.app.database, context.digests, _RECENT)
    shown = [values_of(context, recount, each) for each in found if isinstance(each, EditionRecord)]
    damaged = [each for each in found if not isinstance(each, EditionRecord)]
    return context.page(request, "ops_editions", {"editions": shown, "damaged": damaged})


@router.get("/ops/editions/{edition_id}")
def edition(request: Request, context: Desk, recount: Counting, edition_id: str) -> Response:
    """Show how far an edition is sent."""
    return context.page(request, "ops_edition", _edition_values(context, recount, edition_id))


@router.get("/ops/editions/{edition_id}/progress")
def progress(request: Request, context: Desk, recount: Counting, edition_id: str) -> Response:
    """Return the part of the page that changes while the edition is sent."""
    return context.page(request, "_ops_progress", _edition_values(context, recount, edition_id))


def _edition_values(context: StaffContext, recount: Recount, edition_id: str) -> dict[str, object]:
    record = find_edition(context.app.database, context.app.config, edition_id)
    return dict(zip(("edition", "bar", "lines"), shown(context, recount, record), strict=True))


def shown(
    context: StaffContext, recount: Recount, record: EditionRecord
) -> tuple[EditionValues, Markup, tuple[StateLine, ...]]:
    """Return an edition, the bar of its states, and the lines of its states."""
    values = values_of(context, recount, record)
    return values, states_bar(values.progress.counts), state_lines(record, values.progress)


@router.get("/ops/editions/{edition_id}/domains")
def domains(request: Request, context: Desk, recount: Counting, edition_id: str) -> Response:
    """Count an edition by domain. Counting a large edition takes a second, so this is a page of its own."""
    record = find_edition(context.app.database, context.app.config, edition_id)
    values = values_of(context, recount, record)
    key = "domains", edition_id, record.state
    found, counts = recount.of(key, lambda: read_domains(context.app.database, record))
    is_part = "hx-request" in request.headers
    named = found[:_NAMED] if is_part else found
    shown = {
        "edition": values,
        "domains": named,
        "rest": counts.total - sum(each.total for each in named),
        "rest_accepted": counts.of(DeliveryState.ACCEPTED) - sum(each.accepted for each in named),
    }
    part = "_ops_domains" if is_part else "ops_domains"
    return context.page(request, part, shown)


@router.get("/ops/editions/{edition_id}/cancel")
def ask_cancel(request: Request, context: Desk, recount: Counting, edition_id: str) -> Response:
    """Ask before the rest of an edition is cancelled."""
    return context.page(request, "ops_cancel", _edition_values(context, recount, edition_id))


@router.get("/ops/deliveries")
def deliveries(
    request: Request,
    context: Desk,
    person: SignedIn,
    recount: Counting,
    edition: str,
    state: str = "",
    code: str = "",
    domain: str = "",
    after: int = 0,
    queued: int | None = None,
) -> Response:
    """List the deliveries of an edition; only operators see the addresses."""
    record = find_edition(context.app.database, context.app.config, edition)
    states = [each for each in DeliveryState if each == state]
    number = int(code) if code.isascii() and code.isdecimal() and len(code) == 3 else None
    found = deliveries_of(
        context.app.database,
        record.edition.id,
        states,
        code=number,
        domain=domain or None,
        after=after,
        limit=_PAGE + 1,
    )
    zone, now = record.edition.zone, context.clock()
    values = {
        "edition": values_of(context, recount, record),
        "found": found[:_PAGE],
        "next": found[_PAGE - 1].subscriber_id if len(found) > _PAGE else None,
        "state": states[0] if states else "",
        "code": number or "",
        "domain": domain,
        "names": NAMES,
        "retryable": _RETRYABLE,
        "with_addresses": person.may(Right.OPERATE),
        "when": lambda at: clock_words(at, zone, now),
        "said": _queued_text(queued),
    }
    return context.page(request, "ops_deliveries", values)


def _queued_text(queued: int | None) -> str:
    if queued is None:
        return ""
    if not queued:
        return "Nothing was queued again, because these deliveries have changed meanwhile."
    verb = "is" if queued == 1 else "are"
    return f"{counted(queued, 'delivery', 'deliveries')} {verb} queued again and sent with the next run."


# ── actions ─────────────────────────────────────────────────────────────────────────────────


@router.post("/ops/editions/{edition_id}/pause")
def pause(context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Pause an edition; senders that are at work take no more of it."""
    reason, now = held_reason(person.name, ""), context.clock()
    pause_edition(context.app.database, edition_id, reason=reason, now=now, by=person.name)
    return context.redirect(f"/ops/editions/{edition_id}")


@router.post("/ops/editions/{edition_id}/resume")
def resume(context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Let a paused edition go on with the next run."""
    resume_edition(context.app.database, edition_id, context.clock(), by=person.name)
    context.wake()
    return context.redirect(f"/ops/editions/{edition_id}")


@router.post("/ops/editions/{edition_id}/cancel")
def cancel_rest(context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Cancel what has not been sent of an edition."""
    reason, now = f"by {person.name}", context.clock()
    cancel(context.app.database, edition_id, reason=reason, now=now, by=person.name)
    return context.redirect(f"/ops/editions/{edition_id}")


@router.post("/ops/retry")
def retry(request: Request, context: Desk, form: Sent) -> Response:
    """Queue failed deliveries again: one, or all of a kind."""
    record = find_edition(context.app.database, context.app.config, form.one("edition"))
    name_subject(request, record.edition.id)
    chosen = [each for each in _RETRYABLE if each == form.one("state")]
    code, reader, domain = form.one("code"), form.one("reader"), form.one("domain")
    count = try_again(
        context.app.database,
        record.edition.id,
        chosen,
        now=context.clock(),
        code=int(code) if code.isdecimal() else None,
        domain=domain or None,
        only=int(reader) if reader.isdecimal() else None,
    )
    context.wake()
    state = f"&state={chosen[0]}" if chosen else ""
    return context.redirect(f"/ops/deliveries?edition={record.edition.id}{state}&queued={count}")
