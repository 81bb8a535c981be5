"""Describe the digests on offer for forms, and read the choices from a filled-in form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import available_timezones

from digest.app import App
from digest.editions.archive import newest_edition_path
from digest.message.reader_links import archive_url
from digest.model.publication import CATCH_ALL, Digest
from digest.readers.descriptions import cadence_text, next_text, settled_ahead
from digest.render.languages.languages import Words
from digest.sources.topics import found_topics
from digest.web.security.forms import Form
from subscribers.errors import ChoiceError
from subscribers.model import Choice, Frequency, Preferences, parse_hour, parse_zone
from subscribers.rules.decisions import SubscriptionRequest

HOURS = tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A digest on offer, as forms show it."""

    slug: str
    title: str
    about: str  # a sentence that describes it; may be empty
    rhythm: str  # "Weekdays at 07:00"
    next: str
    topics: tuple[tuple[str, str, str], ...]  # slug, title, about; empty if no topic was found yet
    frequencies: tuple[tuple[str, str], ...]  # value and label; empty if there is no choice
    last: str | None  # the path of the latest edition
    archive: str


def offers(app: App, say: Words, now: datetime) -> tuple[Offer, ...]:
    """Return every digest on offer, in the order of the configuration."""
    settled = settled_ahead(app.database, now)

    def next_of(digest: Digest) -> str:
        return next_text(digest, Preferences(), say, now, settled=settled)

    return tuple(
        _offer(app, digest, say, next_of(digest), topics_of(app, digest, now))
        for digest in app.config.digests
    )


def _offer(
    app: App, digest: Digest, say: Words, next_edition: str, topics: tuple[tuple[str, str, str], ...]
) -> Offer:
    return Offer(
        slug=digest.slug,
        title=digest.title,
        about=digest.about,
        rhythm=cadence_text(digest, Preferences(), say),
        next=next_edition,
        topics=topics,
        frequencies=frequencies_of(digest, say),
        last=newest_edition_path(app.database, digest.slug),
        archive=archive_url(app.config.site.base_url, digest.slug),
    )


def topics_of(app: App, digest: Digest, now: datetime) -> tuple[tuple[str, str, str], ...]:
    """Return the topics that readers of a digest can choose: slug, title and description (may be empty).

    In a digest that lists none, these are the topics that were found lately.
    """
    known = {topic.slug: (topic.slug, topic.title, topic.about) for topic in app.config.topics}
    topics = [known[slug] for slug in digest.topics]
    if not digest.topics:
        topics = [(slug, title, "") for slug, title in found_topics(app.database, digest.slug, now)]
    return (*topics, (CATCH_ALL, digest.catch_all, "")) if topics else ()


def frequencies(digest: Digest) -> list[Frequency]:
    """Return the frequencies that readers of a digest can choose, `each` first."""
    return [each for each in Frequency if each is Frequency.EACH or each in digest.frequencies]


def frequencies_of(digest: Digest, say: Words) -> tuple[tuple[str, str], ...]:
    """Return the frequencies a form offers: value and label; nothing if the digest offers no choice."""
    names = {
        Frequency.EACH: say("Each edition"),
        Frequency.DAILY: say("Once a day"),
        Frequency.WEEKLY: say("Once a week"),
    }
    if not digest.gather:
        return ()
    return tuple(
        (each, f"{names[each]} · {cadence_text(digest, Preferences(frequency=each), say)}")
        for each in frequencies(digest)
    )


def frequency_in(form: Form, slug: str) -> Frequency:
    """Return the frequency a form chooses for a digest. The caller checks that the digest offers it."""
    value = form.one(f"frequency.{slug}") or Frequency.EACH.value
    if value not in set(Frequency):
        raise ChoiceError("frequency", "this choice is not offered")
    return Frequency(value)


def requests_in(form: Form) -> tuple[SubscriptionRequest, ...]:
    """Return the subscription requests of a sign-up form. A digest without ticked topics means all topics.

    Raises ChoiceError with the name of the field.
    """
    hour, zone = parse_hour(form.one("hour")), parse_zone(form.one("zone"))
    return tuple(
        SubscriptionRequest(
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
    """Return the time zones that forms offer: UTC and places, no abbreviations."""
    return tuple(sorted(zone for zone in available_timezones() if _is_place(zone)))


def _is_place(zone: str) -> bool:
    area = zone.partition("/")[0]
    return zone == "UTC" or area in {
        *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe"),
        *("Indian", "Pacific"),
    }
