"""Preferences by signed link, without a password: what comes, when, how, where to, or not for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from digest.app.goodbyes import Goodbye
from digest.app.notices import next_text
from digest.app.preferences import ask_move, pause_until, reader_by_link, save_choices
from digest.app.readers import check_frequencies
from digest.app.times import settled_ahead
from digest.publication import Digest
from digest.render.dates import long_date
from digest.render.languages import Words, languages
from digest.render.templates import Sample
from digest.web.choosing import HOURS, frequencies_of, frequency_in, topics_of, zones
from digest.web.forms import Form, Sent
from digest.web.leave import left_page, reasons
from digest.web.reception import Desk, Reception
from digest.web.security import own_page
from subscribers.address import parse_address
from subscribers.decisions import Wish
from subscribers.errors import AddressError, ChoiceError
from subscribers.model import (
    Choice,
    Format,
    Origin,
    Preferences,
    Reader,
    SubscriberState,
    parse_format,
    parse_hour,
    parse_zone,
)

router = APIRouter(include_in_schema=False)

_YEARS = range(2000, 9000)  # beyond them an instant in a zone may not be a date any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One digest on the page: what this reader has chosen of it."""

    slug: str
    title: str
    reads: bool
    next: str
    mode: str  # "all", "only" or "without"
    topics: tuple[tuple[str, str, str, bool], ...]  # slug, title, about, ticked
    hour: str
    frequency: str
    frequencies: tuple[tuple[str, str], ...]  # value and label; none where there is nothing to choose


@router.api_route("/p/{token}", methods=["GET", "HEAD"])
def show(request: Request, desk: Desk, token: str) -> Response:
    """Show what a reader has chosen, and what it means: when the next mail comes."""
    return _page(request, desk, token)


@router.post("/p/{token}", dependencies=[Depends(own_page)])
def save(request: Request, desk: Desk, form: Sent, token: str) -> Response:
    """Set digests, topics, hour, zone, language and format; a digest that is not ticked is left.

    When none is, everything is left, and the page that says so has a way back.
    """
    reader = reader_by_link(desk.app, token)
    try:
        zone = parse_zone(form.one("zone"))
        wishes = [_wish(reader, form, slug, zone) for slug in dict.fromkeys(form.many("digest"))]
        check_frequencies(desk.app.config, [wish for wish in wishes if form.has(f"frequency.{wish.digest}")])
        save_choices(
            desk.app,
            reader,
            wishes,
            language=_language(form),
            form=parse_format(form.one("format")) or Format.HTML,
            origin=_origin(desk, request),
            now=desk.clock(),
        )
    except ChoiceError as error:
        return _page(request, desk, token, faults={error.field: error.reason})
    ended = tuple(each.digest for each in reader.subscriptions if reader.reads(each.digest))
    if reader.subscriber is not None and ended and not wishes:
        return left_page(request, desk, Goodbye(subscriber_id=reader.subscriber.id, digests=ended))
    return _page(request, desk, token, done="saved")


@router.post("/p/{token}/pause", dependencies=[Depends(own_page)])
def pause(request: Request, desk: Desk, form: Sent, token: str) -> Response:
    """Send nothing until a day, or go on at once when no day is named."""
    reader = reader_by_link(desk.app, token)
    day = form.one("until")
    try:
        until = _day(day) if day else None
        zone = _zone(desk, reader)
        pause_until(desk.app, reader, until, zone, origin=_origin(desk, request), now=desk.clock())
    except ChoiceError as error:
        return _page(request, desk, token, faults={"until": error.reason})
    return _page(request, desk, token, done="paused" if day else "resumed")


@router.post("/p/{token}/address", dependencies=[Depends(own_page)])
def move(request: Request, desk: Desk, form: Sent, token: str) -> Response:
    """Ask both ends, the old address and the new one, whether mail shall go to the new one."""
    reader = reader_by_link(desk.app, token)
    address = form.one("address")
    try:
        parse_address(address)
    except AddressError as error:
        return _page(request, desk, token, faults={"address": error.reason})
    desk.gate.admit(desk.client(request))
    origin = _origin(desk, request)
    desk.later(partial(ask_move, desk.app, reader, address, origin=origin, now=desk.clock()))
    return _page(request, desk, token, done="asked")


def _page(
    request: Request, desk: Reception, token: str, *, done: str = "", faults: dict[str, str] | None = None
) -> Response:
    reader = reader_by_link(desk.app, token)
    subscriber = reader.subscriber
    assert subscriber is not None, "reader_by_link gives none without"
    say = desk.words(request, subscriber.language)
    now = desk.clock()
    paused = max((each.paused_until for each in reader.subscriptions if each.paused_until), default=now)
    zone = _zone(desk, reader)
    values = {
        "action": f"{desk.root}/p/{token}",
        "active": subscriber.state is SubscriberState.ACTIVE and reader.suppression is None,
        "address": masked(subscriber.address),
        "shown": [_shown(desk, reader, digest, say, now) for digest in desk.app.config.digests],
        "paused": long_date(paused.astimezone(ZoneInfo(zone)).date(), say.language) if paused > now else "",
        "tomorrow": now.astimezone(ZoneInfo(zone)).date().isoformat(),
        "zone": _chosen_zone(reader) or "",
        "own_zone": zone,
        "zones": zones(),
        "hours": HOURS,
        "format": subscriber.format,
        "languages": tuple(languages().items()),
        "done": _done(say, done),
        "faults": {field: say(reason) for field, reason in (faults or {}).items()},
        "reasons": reasons(say),
    }
    return desk.page("preferences", say, values, status=422 if faults else 200)


def samples() -> Iterator[Sample]:
    """Yield the page of preferences with invented values: to check templates with."""
    shown = Shown(
        slug="daily",
        title="Daily",
        reads=True,
        next="Tuesday 07:00",
        mode="only",
        topics=(("city", "Around town", "Council and trams", True),),
        hour="07:10",
        frequency="each",
        frequencies=(("each", "Each edition"), ("weekly", "Once a week")),
    )
    values = {
        "action": "/p/x",
        "address": "r…@example.org",
        "shown": [shown],
        "paused": "Monday",
        "tomorrow": "2026-11-24",
        "zone": "",
        "own_zone": "UTC",
        "zones": zones()[:1],
        "hours": HOURS,
        "format": Format.HTML,
        "languages": tuple(languages().items()),
        "reasons": (("other", "Something else"),),
    }
    faults = dict.fromkeys(("topics", "zone", "language", "frequency", "until", "address"), "Fault.")
    for active in (True, False):
        yield "web/preferences.html", {**values, "active": active, "done": "Saved.", "faults": {}}
    yield "web/preferences.html", {**values, "active": True, "done": "", "faults": faults}


def masked(address: str) -> str:
    """Return an address so that its owner knows it, and who was forwarded the mail does not learn it."""
    return f"{address[:1]}…@{address.rpartition('@')[2]}"


def _shown(desk: Reception, reader: Reader, digest: Digest, say: Words, now: datetime) -> Shown:
    subscription = reader.subscription(digest.slug)
    preferences = subscription.preferences if subscription else Preferences()
    reads = reader.reads(digest.slug)
    paused = subscription.paused_until if subscription else None
    since = subscription.changed_at if subscription else None
    named = preferences.topics.include | preferences.topics.exclude
    return Shown(
        slug=digest.slug,
        title=digest.title,
        reads=reads,
        next=next_text(
            digest,
            preferences,
            say,
            now,
            after=paused,
            since=since,
            settled=settled_ahead(desk.app, now),
        ),
        mode="only" if preferences.topics.include else "without" if preferences.topics.exclude else "all",
        topics=tuple((*topic, topic[0] in named) for topic in topics_of(desk.app, digest)),
        hour=preferences.hour or "",
        frequency=preferences.frequency,
        frequencies=frequencies_of(digest, say),
    )


def _wish(reader: Reader, form: Form, slug: str, zone: str | None) -> Wish:
    subscription = reader.subscription(slug)
    before = subscription.preferences if subscription else Preferences()
    return Wish(
        digest=slug,
        preferences=Preferences(
            topics=_choice(form, slug, before.topics),
            hour=parse_hour(form.one(f"hour.{slug}")),
            zone=zone,
            frequency=frequency_in(form, slug) if form.has(f"frequency.{slug}") else before.frequency,
        ),
    )


def _choice(form: Form, slug: str, before: Choice) -> Choice:
    topics = frozenset(form.many(f"topics.{slug}"))
    match form.one(f"mode.{slug}"):
        case "only" if topics:
            return Choice(include=topics)
        case "only":
            raise ChoiceError("topics", "tick at least one topic, or choose everything")
        case "without":
            return Choice(exclude=topics)
        case "all":
            return Choice()
    return before  # a digest whose topics are found as it goes shows none to choose


def _language(form: Form) -> str:
    language = form.one("language")
    if language not in languages():
        raise ChoiceError("language", "it is not offered")
    return language


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ChoiceError("until", "write the day as 2026-12-31") from error
    if day.year not in _YEARS:
        raise ChoiceError("until", "choose a day to come")
    return day


def _chosen_zone(reader: Reader) -> str | None:
    return next((each.preferences.zone for each in reader.subscriptions if each.preferences.zone), None)


def _zone(desk: Reception, reader: Reader) -> str:
    digests = desk.app.config.digests
    return _chosen_zone(reader) or (digests[0].zone if digests else "UTC")


def _origin(desk: Reception, request: Request) -> Origin:
    return Origin(source="preferences", client=desk.client(request).shown)


def _done(say: Words, done: str) -> str:
    said = {
        "": "",
        "saved": say("Saved. It holds from now on."),
        "paused": say("Nothing comes until then. You need not do anything more."),
        "resumed": say("It goes on from now."),
        "asked": say("We have sent a link to both addresses. It happens when both have been followed."),
    }
    if done not in said:
        raise HTTPException(400)
    return said[done]
