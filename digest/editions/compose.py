"""Compose an edition of a digest from posts, or from editions: gathered ones, or ones that wait together."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

from digest.collect.fetching.fetch import fetch_all
from digest.collect.pictures import PictureRules, settle
from digest.compose.compose import compose, planned_posts
from digest.compose.gather import GatherInput, compose_gathered
from digest.compose.merge import Merged, MergeInput, merge, waiting_editions
from digest.compose.plan import PlanInput
from digest.config.parts import Parts
from digest.editions.parts import EditionParts
from digest.editions.preflight import fits_in_an_email
from digest.editions.schedules import INSTANT
from digest.model.editions import Composed, Due, Edition, EditionRecord
from digest.model.errors import DigestError
from digest.model.run_context import RunContext
from digest.render.languages.languages import Words, words_for
from digest.schedule.cadence import Cadence
from digest.schedule.seen import offered_since
from digest.storage.database import Database
from digest.storage.occurrences import seen_schedules
from subscribers.model import Frequency

PICTURE_SECONDS = 60.0  # for all pictures of the editions that are composed in one run
_PLANS = 3

log = logging.getLogger(__name__)


def compose_cadence(
    parts: EditionParts, cadence: Cadence, due: Due, context: RunContext, *, once: bool = False
) -> Composed:
    """Compose the edition of a cadence that is `due`, as a draft. Raises TemplateError, DatabaseError.

    With `once`, a day whose edition has been sent since the cutoff gets no other. When `context.stop` returns
    True, no more pictures are fetched; see `picture_time`.
    """
    config, fits, now = parts.config, partial(fits_in_an_email, parts.render), context.clock()
    if cadence.frequency is Frequency.EACH:
        plan_input = PlanInput(
            digest=cadence.digest, site=config.site, due=due, topics=config.topics, feeds=config.feeds
        )
        settle_pictures(parts, plan_input, context, now)
        return compose(parts.database, plan_input, now=now, fits=fits, once=once)
    gather_input = GatherInput(
        digest=cadence.digest,
        site=config.site,
        due=due,
        frequency=cadence.frequency,
        title=_title(cadence, words_for(config.site.language)),
        topics=config.topics,
    )
    return compose_gathered(
        parts.database, gather_input, since=_since(parts.database, cadence, due, now), fits=fits, once=once
    )


def picture_time(
    stop: Callable[[], bool] = lambda: False, seconds: float = PICTURE_SECONDS
) -> Callable[[], bool]:
    """Return a function that tells whether to stop fetching pictures: `stop` says so, or the time is over."""
    end = monotonic() + seconds
    return lambda: stop() or monotonic() >= end


def settle_pictures(parts: Parts, plan_input: PlanInput, context: RunContext, now: datetime) -> None:
    """Settle the pictures of the posts that an edition would use now, until `context.stop` returns True.

    A picture that falls away may change the plan, so it is made again; what is then new is settled too.
    """
    settled: set[str] = set()
    for _ in range(_PLANS):
        new = [each for each in planned_posts(parts.database, plan_input, now) if each not in settled]
        if not new:
            return
        settle_posts(parts, new, context.stop, now)
        settled.update(new)


def settle_posts(parts: Parts, post_ids: Sequence[str], stop: Callable[[], bool], now: datetime) -> None:
    """Settle the pictures of posts; an error costs no edition. Raises DatabaseError."""
    config = parts.config
    rules = PictureRules(base_url=config.site.base_url, copies=config.copies, limits=config.limits)
    try:
        settle(parts.database, post_ids, rules, now=now, fetch=partial(fetch_all, stop=stop))
    except DigestError:
        raise
    except Exception as error:
        # The error's message is not logged, because it may quote an address with its token.
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("%s while settling pictures\n%s", type(error).__name__, place)


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


def waiting_together(database: Database, slug: str, now: datetime) -> tuple[EditionRecord, ...]:
    """Return the editions that `merge_waiting` merges, oldest first; none if there are fewer than two."""
    with database.read() as connection:
        found = waiting_editions(connection, slug, now)
    return found if len(found) > 1 else ()


def merge_waiting(parts: EditionParts, slug: str, now: datetime) -> Merged:
    """Merge the editions of a digest that wait past their send time into one draft.

    Raises NotFoundError for an unknown digest, and MergeError if there are fewer than two such editions, or
    if one of them has changed or has begun to be sent meanwhile. Nothing has changed then.
    """
    digest, config = parts.config.digest(slug), parts.config
    with parts.database.read() as connection:
        waiting = waiting_editions(connection, slug, now)
    merge_input = MergeInput(waiting=waiting, digest=digest, site=config.site, topics=config.topics)
    return merge(parts.database, merge_input, now=now, fits=partial(fits_in_an_email, parts.render))


def merge_offer(slug: str, count: int) -> str:
    """Return the sentences that offer to merge the editions that wait."""
    return f"so each reader would get {count} messages at once. To send them as one: digest merge {slug}"


def stories_text(edition: Edition) -> str:
    """Return the number of stories in an edition as text: "1 story", "12 stories"."""
    count = sum(1 for _ in edition.stories())
    return f"{count:,} {'story' if count == 1 else 'stories'}"
