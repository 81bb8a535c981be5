"""Show operators on one page what goes on: sending, feeds, schedules, readers, returned mail, limits."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from digest.config import Config
from digest.editions.editions import recent_editions
from digest.editions.feeds import list_posts
from digest.editions.limits import limit_statuses
from digest.editions.outlook.words import at_words, clock_words
from digest.editions.schedules import next_times
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionRecord, EditionState
from digest.model.nodes import Work
from digest.model.staff import Right
from digest.monitoring.feeds import (
    Health,
    feed_health,
    feeds_health,
    fetch_soon,
    heading,
    names_text,
)
from digest.monitoring.nodes import node_statuses, summary
from digest.monitoring.progress import editions_ahead, editions_going
from digest.monitoring.readers import read_growth, read_weeks
from digest.monitoring.schedules import schedules_status
from digest.monitoring.workers import notices_text, scheduler_status, senders_at_work
from digest.readers.notices import latest_notices
from digest.web.ops.figures import (
    changes_figure,
    complaints_figure,
    posts_figure,
    readers_figure,
    returned,
)
from digest.web.ops.recount import Recount
from digest.web.ops.sent import Counting, shown, values_of
from digest.web.security.forms import Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext, name_subject

router = APIRouter()

_LATEST, _RECENT = 3, 9  # editions that are shown, and those that are looked at for them
_TROUBLED = 8  # feeds
_POSTS = 20
_NOTICES = 100
_MARKS = {Health.GOOD: "✓", Health.WARN: "!", Health.FAULT: "✕"}


def zone_of(config: Config) -> str:
    """Return the time zone of the operators' pages: that of the first digest."""
    return config.digests[0].zone if config.digests else "UTC"


@router.get("/ops")
def ops(request: Request, context: Desk, recount: Counting) -> Response:
    """Show everything on one page."""
    app, now, zone = context.app, context.clock(), zone_of(context.app.config)
    feeds = feeds_health(app.database, app.config, now, zone)
    latest = recent_editions(app.database, context.digests, _RECENT)
    going = [each for each in editions_going(app.database) if context.shows(each.edition.digest)]
    ahead = [each for each in editions_ahead(app.database, now) if context.shows(each.edition.digest)]
    ids = {each.edition.id for each in going}
    coming = sorted(next_times(app.database, app.config, now).items(), key=lambda each: each[1])
    troubled = [each for each in feeds if each.health is not Health.GOOD]
    notices, needs_somebody = notices_text(app.database)
    values = {
        "going": [shown(context, recount, each) for each in going],
        "ahead": [values_of(context, recount, each) for each in ahead],
        "latest": [
            values_of(context, recount, each)
            for each in latest
            if isinstance(each, EditionRecord)
            and not each.is_ahead
            and each.state is not EditionState.SENDING
        ][:_LATEST],
        "coming": [
            (app.config.digest(slug).title, at_words(at, app.config.digest(slug).zone, now))
            for slug, at in coming[:1]
        ],
        "feeds_heading": heading(feeds),
        "troubled": troubled[:_TROUBLED],
        "more_troubled": len(troubled) - _TROUBLED,
        "fine": names_text([each for each in feeds if each.health is Health.GOOD]),
        "fine_count": sum(each.health is Health.GOOD for each in feeds),
        "marks": _MARKS,
        "schedules": schedules_status(app.database, app.config, now),
        "limits": limit_statuses(app.database, app.config, now),
        "scheduler": scheduler_status(app.database, zone, now),
        **_nodes(context, ids),
        "senders": [
            each
            for each in senders_at_work(app.database)
            if each.edition_id in ids or context.digests is None
        ],
        "notices": notices,
        "notices_need": needs_somebody,
        "zone": zone,
        "when": lambda at: clock_words(at, zone, now),
        "path": quote,
    }
    return context.page(request, "ops", values | _readers(context, recount))


def _nodes(context: StaffContext, ids: Collection[str]) -> dict[str, object]:
    """Return the nodes; people who work on some digests see the work on these and their feeds alone."""
    config = context.app.config
    own = {*ids, *(each.slug for each in config.digests), *(each.name for each in config.feeds)}

    def shows(work: Work) -> bool:
        return context.digests is None or bool({work.subject, work.subject.rpartition(" ")[0]} & own)

    found = node_statuses(context.app.database, shows=shows)
    has_engine = config.has_engine
    return {
        "has_engine": has_engine,
        "nodes": found,
        "nodes_text": summary(found, has_engine=has_engine),
        "no_node": all(each.known.is_silent for each in found),
    }


def _readers(context: StaffContext, recount: Recount) -> dict[str, object]:
    database, now = context.app.database, context.clock()
    growth = recount.of("growth", lambda: read_growth(database, now))
    weeks = recount.of("weeks", lambda: read_weeks(database, now))
    return {
        "growth": growth,
        "change": growth.readers[-1] - growth.readers[0],
        "joined": sum(growth.joined),
        "left": sum(growth.left),
        "removed": sum(growth.suppressed),
        "readers_figure": readers_figure(growth),
        "changes_figure": changes_figure(growth),
        "returned": returned(weeks),
        "complaints_figure": complaints_figure(weeks),
    }


@router.get("/ops/readers")
def readers(request: Request, context: Desk, recount: Counting) -> Response:
    """Show how the list grows and shrinks, and what comes back."""
    return context.page(request, "ops_readers", _readers(context, recount))


@router.get("/ops/feeds")
def feeds(request: Request, context: Desk) -> Response:
    """List all feeds with their health."""
    app, now, zone = context.app, context.clock(), zone_of(context.app.config)
    found = feeds_health(app.database, app.config, now, zone)
    values = {"feeds": found, "heading": heading(found), "marks": _MARKS, "zone": zone, "path": quote}
    return context.page(request, "ops_feeds", values)


@router.get("/ops/feeds/{name:path}")
def feed(request: Request, context: Desk, name: str, asked: bool = False) -> Response:
    """Show one feed: its health, its posts of thirty days, and the latest of them."""
    app, now, zone = context.app, context.clock(), zone_of(context.app.config)
    found = feed_health(app.database, app.config, name, now, zone)
    posts = list_posts(app.database, app.config, _POSTS, feed=name, digest=None, state=None)
    values = {
        "feed": found,
        "marks": _MARKS,
        "figure": posts_figure(found.by_day, now),
        "posts": posts,
        "shows": context.shows,
        "zone": zone,
        "when": lambda at: clock_words(at, zone, now),
        "said": f"{name} is due now, and is fetched within a minute." if asked else "",
    }
    return context.page(request, "ops_feed", values)


@router.post("/ops/fetch")
def fetch(request: Request, context: Desk, form: Sent) -> Response:
    """Let a feed be fetched at the next look."""
    name = form.one("feed")
    name_subject(request, name)
    fetch_soon(context.app.database, context.app.config, name, context.clock())
    return context.redirect(f"/ops/feeds/{quote(name)}?asked=true")


@router.get("/ops/schedules")
def schedules(request: Request, context: Desk) -> Response:
    """Show the dates of every digest: those of 30 days and the next 14, and why some were skipped."""
    app, now = context.app, context.clock()
    return context.page(
        request, "ops_schedules", {"schedules": schedules_status(app.database, app.config, now)}
    )


@router.get("/ops/notices")
def notices(request: Request, context: Desk, person: SignedIn, state: str = "") -> Response:
    """List the latest messages about accounts; only operators see the addresses."""
    app, now, zone = context.app, context.clock(), zone_of(context.app.config)
    chosen = [each for each in DeliveryState if each == state]
    values = {
        "found": latest_notices(app.database, chosen, _NOTICES),
        "state": chosen[0] if chosen else "",
        # The messages are about readers of any digest.
        "with_addresses": person.may(Right.OPERATE) and person.digests is None,
        "when": lambda at: clock_words(at, zone, now),
    }
    return context.page(request, "ops_notices", values)
