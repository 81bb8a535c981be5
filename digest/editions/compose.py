"""Compose an edition of a digest from posts, or a gathered edition from editions that were sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from digest.compose.compose import compose
from digest.compose.gather import GatherInput, compose_gathered
from digest.compose.plan import PlanInput
from digest.editions.parts import EditionParts
from digest.editions.preflight import fits_in_an_email
from digest.editions.schedules import INSTANT
from digest.model.editions import Composed, Due, Edition
from digest.render.languages.languages import Words, words_for
from digest.schedule.cadence import Cadence
from digest.schedule.seen import offered_since
from digest.storage.database import Database
from digest.storage.occurrences import seen_schedules
from subscribers.model import Frequency


def compose_cadence(parts: EditionParts, cadence: Cadence, due: Due, now: datetime) -> Composed:
    """Compose the edition of a cadence that is `due`, as a draft. Raises TemplateError, DatabaseError."""
    config, fits = parts.config, partial(fits_in_an_email, parts.render)
    if cadence.frequency is Frequency.EACH:
        plan_input = PlanInput(
            digest=cadence.digest, site=config.site, due=due, topics=config.topics, feeds=config.feeds
        )
        return compose(parts.database, plan_input, now=now, fits=fits)
    gather_input = GatherInput(
        digest=cadence.digest,
        site=config.site,
        due=due,
        frequency=cadence.frequency,
        title=_title(cadence, words_for(config.site.language)),
        topics=config.topics,
    )
    return compose_gathered(
        parts.database, gather_input, since=_since(parts.database, cadence, due, now), fits=fits
    )


def _title(cadence: Cadence, say: Words) -> str:
    titles: dict[Frequency, Callable[[], str]] = {
        Frequency.DAILY: lambda: say("The day in {title}", title=cadence.digest.title),
        Frequency.WEEKLY: lambda: say("The week in {title}", title=cadence.digest.title),
    }
    return titles[cadence.frequency]()


def _since(database: Database, cadence: Cadence, due: Due, now: datetime) -> datetime:
    """Return the time from which editions are gathered: the last date before the frequency was offered.

    The first gathered edition therefore holds a whole week, and never the years before it.
    """
    with database.read() as connection:
        seen = seen_schedules(connection).get(cadence.key, ())
    before = _last_due(cadence, due.send_at - INSTANT)
    first = offered_since(seen, now)
    return min(_last_due(cadence, first), before) if first else before


def _last_due(cadence: Cadence, at: datetime) -> datetime:
    """Return the last send time at or before an instant; if there was none, the time a day before it."""
    return cadence.last_send_at(at) or at - timedelta(days=1)


def stories_text(edition: Edition) -> str:
    """Return the number of stories in an edition as text: "1 story", "12 stories"."""
    count = sum(1 for _ in edition.stories())
    return f"{count:,} {'story' if count == 1 else 'stories'}"
