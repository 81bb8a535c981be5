"""What a form offers of each digest, and what a filled-in form wishes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import available_timezones

from digest.app.notices import next_text, page_url, rhythm_text
from digest.app.reading import newest_edition_path
from digest.app.times import settled_ahead
from digest.app.wiring import App
from digest.compose.topics import CATCH_ALL
from digest.publication import Digest
from digest.render.languages import Words
from digest.web.forms import Form
from subscribers.decisions import Wish
from subscribers.errors import ChoiceError
from subscribers.model import Choice, Frequency, Preferences, parse_hour, parse_zone

HOURS = tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A digest as a form shows it."""

    slug: str
    title: str
    about: str  # what it is, in a sentence; may be empty
    rhythm: str  # "Weekdays at 07:00"
    next: str
    topics: tuple[tuple[str, str, str], ...]  # slug, title, about; none where topics are found as it goes
    frequencies: tuple[tuple[str, str], ...]  # value and label; none where there is nothing to choose
    last: str | None  # the path of the newest edition
    archive: str


def offers(app: App, say: Words, now: datetime) -> tuple[Offer, ...]:
    """Return every digest that can be subscribed to, in the order of the configuration."""
    settled = settled_ahead(app, now)

    def next_of(digest: Digest) -> str:
        return next_text(digest, Preferences(), say, now, settled=settled)

    return tuple(_offer(app, digest, say, next_of(digest)) for digest in app.config.digests)


def _offer(app: App, digest: Digest, say: Words, coming: str) -> Offer:
    return Offer(
        slug=digest.slug,
        title=digest.title,
        about=digest.about,
        rhythm=rhythm_text(digest, Preferences(), say),
        next=coming,
        topics=topics_of(app, digest),
        frequencies=frequencies_of(digest, say),
        last=newest_edition_path(app, digest.slug),
        archive=page_url(app, "d", digest.slug),
    )


def sample_offer() -> Offer:
    """Return an invented offer: to check templates with."""
    return Offer(
        slug="daily",
        title="Daily",
        about="The day in five minutes",
        rhythm="Every day at 07:00",
        next="Tuesday 07:00",
        topics=(("city", "Around town", "Council and trams"),),
        frequencies=(("each", "Each edition"), ("weekly", "Once a week")),
        last="/d/daily/x",
        archive="https://news.example.org/d/daily",
    )


def topics_of(app: App, digest: Digest) -> tuple[tuple[str, str, str], ...]:
    """Return the topics a reader of a digest can choose: slug, title, and what it is about, if said."""
    known = {topic.slug: (topic.slug, topic.title, topic.about) for topic in app.config.topics}
    if not digest.topics:
        return ()
    return (*(known[slug] for slug in digest.topics), (CATCH_ALL, digest.catch_all, ""))


def frequencies(digest: Digest) -> list[Frequency]:
    """Return what a reader of a digest can choose, each edition first."""
    return [each for each in Frequency if each is Frequency.EACH or each in digest.frequencies]


def frequencies_of(digest: Digest, say: Words) -> tuple[tuple[str, str], ...]:
    """Return how often a digest can reach a reader: value and label; nothing where it cannot be chosen."""
    names = {
        Frequency.EACH: say("Each edition"),
        Frequency.DAILY: say("Once a day"),
        Frequency.WEEKLY: say("Once a week"),
    }
    if not digest.gather:
        return ()
    return tuple(
        (each, f"{names[each]} · {rhythm_text(digest, Preferences(frequency=each), say)}")
        for each in frequencies(digest)
    )


def frequency_in(form: Form, slug: str) -> Frequency:
    """Return the frequency a form has for a digest; whether that is offered is for the caller."""
    value = form.one(f"frequency.{slug}") or Frequency.EACH.value
    if value not in set(Frequency):
        raise ChoiceError("frequency", "it is not offered")
    return Frequency(value)


def wishes_in(form: Form) -> tuple[Wish, ...]:
    """Return what a sign-up form wishes: ticked topics are the ones to have, none ticked means all.

    Raises ChoiceError, naming the field.
    """
    hour, zone = parse_hour(form.one("hour")), parse_zone(form.one("zone"))
    return tuple(
        Wish(
            digest=slug,
            preferences=Preferences(
                topics=Choice(include=frozenset(form.many(f"topics.{slug}"))),
                hour=hour,
                zone=zone,
                frequency=frequency_in(form, slug),
            ),
        )
        for slug in dict.fromkeys(form.many("digest"))
    )


@cache
def zones() -> tuple[str, ...]:
    """Return the time zones to choose from: places, not abbreviations."""
    return tuple(sorted(zone for zone in available_timezones() if _is_place(zone)))


def _is_place(zone: str) -> bool:
    area = zone.partition("/")[0]
    return zone == "UTC" or area in {
        *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe"),
        *("Indian", "Pacific"),
    }
