"""Preferences by signed link, without a password: digests, topics, times, format, pause and address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from digest.message.reader_links import PREFERENCES, preferences_url
from digest.model.publication import Digest
from digest.readers.descriptions import next_text, settled_ahead
from digest.readers.moving import ask_move
from digest.readers.preferences import pause_until, reader_by_link, save_choices
from digest.readers.subscribers import check_frequencies
from digest.readers.unsubscribe import Unsubscribed
from digest.render.languages.dates import long_date
from digest.render.languages.languages import Words, languages
from digest.web.pages.context import Context, WebContext
from digest.web.pages.offers import HOURS, frequencies_of, frequency_in, topics_of, zones
from digest.web.pages.unsubscribe import reasons, unsubscribed_page
from digest.web.security.forms import Form, Sent
from digest.web.security.security import own_page
from subscribers.address import parse_address
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
from subscribers.rules.decisions import SubscriptionRequest

router = APIRouter(include_in_schema=False)

_YEARS = range(2000, 9000)  # outside this range, converting between time zones may overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One digest on the page, with this reader's choices."""

    slug: str
    title: str
    reads: bool
    next: str
    mode: str  # "all", "only" or "without"
    topics: tuple[tuple[str, str, str, bool], ...]  # slug, title, about, ticked
    hour: str
    frequency: str
    frequencies: tuple[tuple[str, str], ...]  # value and label; empty if there is no choice


@router.api_route(f"/{PREFERENCES}/{{token}}", methods=["GET", "HEAD"])
def show(request: Request, context: Context, token: str) -> Response:
    """Show a reader's choices, and when the next edition comes."""
    return _page(request, context, token)


@router.post(f"/{PREFERENCES}/{{token}}", dependencies=[Depends(own_page)])
def save(request: Request, context: Context, form: Sent, token: str) -> Response:
    """Save digests, topics, hours, zone, language and format, and unsubscribe from unticked digests.

    When no digest is ticked, the reader is unsubscribed from everything and gets a page where this can be
    undone.
    """
    reader = reader_by_link(context.app.database, context.app.secret, token)
    try:
        zone = parse_zone(form.one("zone"))
        requests = [_requested(reader, form, slug, zone) for slug in dict.fromkeys(form.many("digest"))]
        check_frequencies(
            context.app.config,
            [requested for requested in requests if form.has(f"frequency.{requested.digest}")],
        )
        save_choices(
            context.app.database,
            context.app.config,
            reader,
            requests,
            language=_language(form),
            form=parse_format(form.one("format")) or Format.HTML,
            origin=_origin(context, request),
            now=context.clock(),
        )
    except ChoiceError as error:
        return _page(request, context, token, faults={error.field: error.reason})
    ended = tuple(each.digest for each in reader.subscriptions if reader.reads(each.digest))
    if reader.subscriber is not None and ended and not requests:
        return unsubscribed_page(
            request, context, Unsubscribed(subscriber_id=reader.subscriber.id, digests=ended)
        )
    return _page(request, context, token, done="saved")


@router.post(f"/{PREFERENCES}/{{token}}/pause", dependencies=[Depends(own_page)])
def pause(request: Request, context: Context, form: Sent, token: str) -> Response:
    """Pause all emails until a day, or resume them when the form names no day."""
    reader = reader_by_link(context.app.database, context.app.secret, token)
    day = form.one("until")
    try:
        until = _day(day) if day else None
        zone = _zone(context, reader)
        pause_until(
            context.app.database, reader, until, zone, origin=_origin(context, request), now=context.clock()
        )
    except ChoiceError as error:
        return _page(request, context, token, faults={"until": error.reason})
    return _page(request, context, token, done="paused" if day else "resumed")


@router.post(f"/{PREFERENCES}/{{token}}/address", dependencies=[Depends(own_page)])
def move(request: Request, context: Context, form: Sent, token: str) -> Response:
    """Send a confirmation link to the old and the new address. The page is the same for every address."""
    reader = reader_by_link(context.app.database, context.app.secret, token)
    address = form.one("address")
    try:
        parse_address(address)
    except AddressError as error:
        return _page(request, context, token, faults={"address": error.reason})
    context.guard.admit(context.client(request))
    origin = _origin(context, request)
    ask_move(context.app, reader, address, origin=origin, now=context.clock())
    context.wake()
    return _page(request, context, token, done="asked")


def _page(
    request: Request, context: WebContext, token: str, *, done: str = "", faults: dict[str, str] | None = None
) -> Response:
    reader = reader_by_link(context.app.database, context.app.secret, token)
    subscriber = reader.subscriber
    assert subscriber is not None, "reader_by_link returns readers with a subscriber"
    say = context.words(request, subscriber.language)
    now = context.clock()
    paused = max((each.paused_until for each in reader.subscriptions if each.paused_until), default=now)
    zone = _zone(context, reader)
    values = {
        "action": preferences_url(context.root, token),
        "active": subscriber.state is SubscriberState.ACTIVE and reader.suppression is None,
        "address": masked(subscriber.address),
        "shown": [_shown(context, reader, digest, say, now) for digest in context.app.config.digests],
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
    return context.page("preferences", say, values, status=422 if faults else 200)


def masked(address: str) -> str:
    """Return an address that its owner recognises and the recipient of a forwarded email does not learn."""
    return f"{address[:1]}…@{address.rpartition('@')[2]}"


def _shown(context: WebContext, reader: Reader, digest: Digest, say: Words, now: datetime) -> Shown:
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
            settled=settled_ahead(context.app.database, now),
        ),
        mode="only" if preferences.topics.include else "without" if preferences.topics.exclude else "all",
        topics=tuple((*topic, topic[0] in named) for topic in _topics(context, digest, named, now)),
        hour=preferences.hour or "",
        frequency=preferences.frequency,
        frequencies=frequencies_of(digest, say),
    )


def _topics(
    context: WebContext, digest: Digest, chosen: frozenset[str], now: datetime
) -> tuple[tuple[str, str, str], ...]:
    """Return the topics of a digest, and those that the reader chose when they were still found in it."""
    topics = topics_of(context.app, digest, now)
    gone = sorted(chosen - {slug for slug, _, _ in topics}) if not digest.topics else []
    return (*topics, *((slug, slug.replace("-", " ").capitalize(), "") for slug in gone))


def _requested(reader: Reader, form: Form, slug: str, zone: str | None) -> SubscriptionRequest:
    subscription = reader.subscription(slug)
    before = subscription.preferences if subscription else Preferences()
    return SubscriptionRequest(
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
            raise ChoiceError("topics", "select at least one topic, or choose all topics")
        case "without":
            return Choice(exclude=topics)
        case "all":
            return Choice()
    return before  # the form shows no topics for a digest in which none was found yet


def _language(form: Form) -> str:
    language = form.one("language")
    if language not in languages():
        raise ChoiceError("language", "this choice is not offered")
    return language


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ChoiceError("until", "write the date as 2026-12-31") from error
    if day.year not in _YEARS:
        raise ChoiceError("until", "choose a day in the future")
    return day


def _chosen_zone(reader: Reader) -> str | None:
    return next((each.preferences.zone for each in reader.subscriptions if each.preferences.zone), None)


def _zone(context: WebContext, reader: Reader) -> str:
    digests = context.app.config.digests
    return _chosen_zone(reader) or (digests[0].zone if digests else "UTC")


def _origin(context: WebContext, request: Request) -> Origin:
    return Origin(source="preferences", client=context.client(request).shown)


def _done(say: Words, done: str) -> str:
    texts = {
        "": "",
        "saved": say("Your preferences have been saved."),
        "paused": say("Your emails are paused and will resume automatically."),
        "resumed": say("Your emails are no longer paused."),
        "asked": say(
            "If we can send email to them, both addresses get a message with a link. The change takes effect "
            "once both have confirmed it."
        ),
    }
    if done not in texts:
        raise HTTPException(400)
    return texts[done]
