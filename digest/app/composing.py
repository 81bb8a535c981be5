"""Compose an edition of a digest: its own from posts, or a gathered one from editions that went out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from digest.app.begin import INSTANT
from digest.app.fitness import fits_in_a_mail
from digest.app.rhythms import Rhythm
from digest.app.wiring import App
from digest.compose.compose import compose
from digest.compose.gather import Order
from digest.compose.gathered import compose_gathered
from digest.compose.plan import Brief
from digest.model import Composed, Due, Edition
from digest.render.languages import Words, words_for
from digest.schedule import ScheduleError, previous_due
from digest.schedule_seen import offered_since
from digest.schedule_text import parse_schedule
from digest.storage.schedules import seen_schedules
from subscribers.model import Frequency


def compose_rhythm(app: App, rhythm: Rhythm, due: Due, now: datetime) -> Composed:
    """Compose the edition of a rhythm that is `due`, as a draft. Raises TemplateError, DatabaseError."""
    config, fits = app.config, partial(fits_in_a_mail, app)
    if rhythm.frequency is Frequency.EACH:
        brief = Brief(
            digest=rhythm.digest, site=config.site, due=due, topics=config.topics, feeds=config.feeds
        )
        return compose(app.database, brief, now=now, fits=fits)
    order = Order(
        digest=rhythm.digest,
        site=config.site,
        due=due,
        frequency=rhythm.frequency,
        title=_title(rhythm, words_for(config.site.language)),
        topics=config.topics,
    )
    return compose_gathered(app.database, order, since=_since(app, rhythm, due, now), fits=fits)


def _title(rhythm: Rhythm, say: Words) -> str:
    titles: dict[Frequency, Callable[[], str]] = {
        Frequency.DAILY: lambda: say("The day in {title}", title=rhythm.digest.title),
        Frequency.WEEKLY: lambda: say("The week in {title}", title=rhythm.digest.title),
    }
    return titles[rhythm.frequency]()


def _since(app: App, rhythm: Rhythm, due: Due, now: datetime) -> datetime:
    """Return from when on what went out is gathered: the last date before the frequency was first offered.

    So its first edition holds a whole week, and never the years before.
    """
    with app.database.read() as connection:
        seen = seen_schedules(connection).get(rhythm.key, ())
    before = _last_due(rhythm, due.send_at - INSTANT)
    first = offered_since(seen, now)
    return min(_last_due(rhythm, first), before) if first else before


def _last_due(rhythm: Rhythm, at: datetime) -> datetime:
    """Return the last date at or before an instant; a day before it when there was none."""
    try:
        return previous_due(parse_schedule(rhythm.digest.schedule), rhythm.digest.zone, at)[1]
    except ScheduleError:
        return at - timedelta(days=1)


def stories_text(edition: Edition) -> str:
    """Count the stories of an edition in words: "1 story", "12 stories"."""
    count = sum(1 for _ in edition.stories())
    return f"{count:,} {'story' if count == 1 else 'stories'}"
