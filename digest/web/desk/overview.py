"""Show all digests on one page: how each next edition stands, what waits, and the coming two weeks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from fastapi import APIRouter, Request, Response

from digest.editions.desk.calendar import Calendar, Day, Skip, calendar_of
from digest.editions.desk.overview import DigestOverview, LastEdition, NextEdition, Overview, overview
from digest.editions.outlook.words import counted, ended, local
from digest.editions.schedules import skip_date, unskip_date
from digest.model.errors import DigestError
from digest.model.posts import PostState
from digest.model.publication import Digest, Review
from digest.model.staff import Person, Right
from digest.monitoring.wording import number_word
from digest.monitoring.workers import scheduler_status
from digest.sources.begin import has_samples, is_empty
from digest.web.security.forms import Form, Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext, name_subject

router = APIRouter()

_NOON, _EVENING = 12, 18
_WEEK = 7  # days
_LONGEST = 200  # characters of a reason
_APPROVAL = {
    Review.SEND: "Not required; sends without it",
    Review.HOLD: "Required; waits until someone approves",
    Review.SKIP: "Required; will not be sent without it",
}


@router.api_route("/desk", methods=["GET", "HEAD"])
def show_overview(request: Request, context: Desk, person: SignedIn) -> Response:
    """Show the overview; on an empty installation, the page that leads to a first digest."""
    if is_empty(context.app.config) and person.may(Right.OPERATE) and context.digests is None:
        return context.redirect("/desk/start")
    query = request.query_params
    asked = SkipForm(
        digest=query.get("skip", ""), date=query.get("date", ""), open="skip" in query, fault="", reason=""
    )
    return _page(request, context, person, asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipForm:
    """The form that skips a date, as it was filled in, with its fault."""

    digest: str
    date: str
    reason: str
    open: bool
    fault: str


@router.post("/desk/skip")
def skip(request: Request, context: Desk, person: SignedIn, form: Sent) -> Response:
    """Skip one date of a digest, with a reason."""
    digest, day = _named(context, form), form.one("date")
    name_subject(request, f"{digest.slug}, {day}")
    reason = " ".join(form.one("reason").split())[:_LONGEST]
    try:
        if not reason:
            raise _RefusedError("Please give a reason, so that your colleagues know why.")
        skip_date(context.app.database, digest, _date(day), f"{person.name}: {reason}", context.clock())
    except DigestError as error:
        refused = SkipForm(digest=digest.slug, date=day, reason=reason, open=True, fault=str(error))
        return _page(request, context, person, refused, status=422)
    return context.redirect("/desk")


@router.post("/desk/unskip")
def unskip(request: Request, context: Desk, form: Sent) -> Response:
    """Take the skip of a date back."""
    digest, day = _named(context, form), form.one("date")
    name_subject(request, f"{digest.slug}, {day}")
    unskip_date(context.app.database, digest, _date(day), context.clock())
    return context.redirect("/desk")


class _RefusedError(DigestError):
    """The form lacks something."""


def _named(context: StaffContext, form: Form) -> Digest:
    return context.app.config.digest(form.one("digest"))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _RefusedError("Please give a date, as in 2026-12-24.") from error


# ── what the page shows ─────────────────────────────────────────────────────────────────────


def _page(
    request: Request, context: StaffContext, person: Person, skip_form: SkipForm, *, status: int = 200
) -> Response:
    now, config = context.clock(), context.app.config
    zone = config.digests[0].zone
    found = overview(context.app, now)
    values = {
        "greeting": greeting(found, person, now, zone),
        "today": f"{_long(local(now, zone))}, {local(now, zone):%H:%M} in {_place(zone)}",
        "failing": _failing(found),
        "scheduler": scheduler_status(context.app.database, zone, now),
        "samples": has_samples(config) and context.digests is None,
        "digests": [_digest_values(each, now) for each in found.digests],
        **_calendar_values(calendar_of(context.app.database, config, zone, now)),
        "choices": [(digest.slug, digest.title) for digest in config.digests],
        "skip_form": skip_form,
    }
    return context.page(request, "overview", values, status=status)


def greeting(found: Overview, person: Person, now: datetime, zone: str) -> str:
    """Return the heading: a greeting by the hour, and how many digests need attention."""
    hour = local(now, zone).hour
    part = "morning" if hour < _NOON else "afternoon" if hour < _EVENING else "evening"
    count = found.attention
    needs = {0: "Nothing needs attention.", 1: "One digest needs attention."}
    return f"Good {part}, {person.first_name}. {needs.get(count, f'{count} digests need attention.')}"


def _failing(found: Overview) -> str:
    count = len(found.failing)
    return f"{number_word(count)} {'feed is' if count == 1 else 'feeds are'} not responding" if count else ""


def _digest_values(each: DigestOverview, now: datetime) -> Mapping[str, object]:
    digest, posts = each.digest, each.posts
    held = posts.of(PostState.HELD)
    oldest = f", the oldest from {_day_words(posts.oldest_at, digest.zone, now)}" if posts.oldest_at else ""
    return {
        "slug": digest.slug,
        "title": digest.title,
        "main": _edition_values(each.editions[0]) if each.editions else None,
        "others": each.editions[1:],
        "damaged": each.damaged,
        "sentence": each.sentence,
        "today": each.today,
        "held": held,
        "held_words": "1 post is" if held == 1 else f"{held:,} posts are",
        "waiting": counted(posts.waiting, "post") if posts.waiting else "",
        "oldest": f"{oldest}; {held:,} of them held" if held else oldest,
        "minimum": digest.minimum,
        "approval": _APPROVAL[digest.review],
        "last": _last_values(each.last, digest.zone, now) if each.last else None,
    }


def _edition_values(edition: NextEdition) -> Mapping[str, object]:
    return {
        "id": edition.id,
        "number": edition.number,
        "noun": edition.noun,
        "sentence": edition.sentence,
        "timeline": edition.timeline,
        "verbs": {step.name: step.value for step in edition.steps},
        "contents": edition.contents,
        "changed": edition.changed,
        "changed_words": f"{counted(edition.changed, 'story', 'stories')} changed",
        "gone": edition.gone,
        "gone_words": f"{counted(edition.gone, 'story', 'stories')} {'is' if edition.gone == 1 else 'are'}",
        "day": edition.day.isoformat() if edition.noun == "edition" else "",
    }


def _last_values(last: LastEdition, zone: str, now: datetime) -> Mapping[str, str]:
    return {
        "id": last.id,
        "day": _day_words(last.dated_at, zone, now),
        "outcome": last.outcome,
        "since": last.since,
    }


def _calendar_values(calendar: Calendar) -> Mapping[str, object]:
    return {
        "weeks": [[_day_values(day) for day in week] for week in calendar.weeks],
        "skips": [_skip_values(skip) for skip in calendar.skips],
    }


def _day_values(day: Day) -> Mapping[str, object]:
    return {
        "weekday": f"{day.day:%a}",
        "number": day.day.day,
        "is_today": day.is_today,
        "entries": day.entries,
    }


def _skip_values(skip: Skip) -> Mapping[str, object]:
    return {
        "digest": skip.digest,
        "title": skip.title,
        "date": skip.day.isoformat(),
        "day": f"{skip.day:%a} {skip.day.day} {skip.day:%B}",
        "why": f"{ended(skip.reason)} {skip.by}".strip()
        if not skip.in_config
        else "It is left out in config.toml.",
        "in_config": skip.in_config,
    }


def _day_words(at: datetime | None, zone: str, now: datetime) -> str:
    assert at is not None
    then, today = local(at, zone).date(), local(now, zone).date()
    days = (today - then).days
    if days <= 1:
        return "today" if days == 0 else "yesterday"
    return f"{then:%A}" if days < _WEEK else f"{then.day} {then:%B}"


def _long(at: datetime) -> str:
    return f"{at:%A} {at.day} {at:%B}"


def _place(zone: str) -> str:
    """Return a time zone as people name it: "Berlin"."""
    return zone.rpartition("/")[2].replace("_", " ")
