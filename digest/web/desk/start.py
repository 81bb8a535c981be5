"""Lead from the address of a site to the first digest: find its feeds, write config.toml, and compose."""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from digest.app import App
from digest.collect.discovery.find import REQUESTS, find_feeds
from digest.collect.discovery.found import Found, Search
from digest.editions.compose import picture_time
from digest.editions.desk.posts import drop_feeds
from digest.editions.editions import compose_now
from digest.editions.feeds import collect_found
from digest.editions.outlook.words import counted, span_words
from digest.editions.schedules import begin_digests
from digest.model.errors import DigestError, NotFoundError
from digest.model.links import public_url, without_secrets
from digest.model.posts import FeedReport
from digest.model.run_context import RunContext
from digest.sources.add import newest_posts, problems_of
from digest.sources.begin import Beginning, begin, has_samples, is_empty
from digest.sources.start import suggested_title
from digest.sources.topics import proposed
from digest.web.security.forms import Form, Sent
from digest.web.staff.context import Desk, StaffContext, name_subject

log = logging.getLogger(__name__)
router = APIRouter()

_KEPT = 20  # searches and beginnings
_LONGEST = 300  # characters of an address
_SHOWN = 8  # topics
_TITLE = 60  # characters
_FEEDS = 12  # that can be chosen
_RECENT = timedelta(minutes=10)  # documents of a search are as good as new for this time
_PICTURE_SECONDS = 12  # a newcomer waits for them; without them, a story shows what its feed states


@dataclass(slots=True)
class Job:
    """One search for feeds, and the digest that is made of them. A thread of its own works on it."""

    address: str
    asked: int = 0  # documents
    search: Search | None = None
    searched_at: datetime | None = None
    seconds: float = 0.0
    steps: list[str] = field(default_factory=list)
    is_making: bool = False
    doing: str = "The configuration is written."
    pictures_at: datetime | None = None  # since when pictures are looked for
    edition_id: str = ""
    fault: str = ""
    idle: Event = field(default_factory=Event)  # nobody works on it

    @property
    def is_busy(self) -> bool:
        """Tell whether somebody works on it, so that the page should be looked at again."""
        return not self.idle.is_set()


class Jobs:
    """The jobs of this process, the latest few; all requests share them."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = Lock()

    def add(self, job: Job) -> str:
        """Keep a job, and return its name, which nobody can guess."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._jobs[name] = job
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)
        return name

    def get(self, name: str) -> Job:
        """Return a job. Raises NotFoundError if this process does not know it, or not any more."""
        with self._lock:
            job = self._jobs.get(name)
        if job is None:
            raise NotFoundError("search", name)
        return job

    def begin_making(self, job: Job) -> bool:
        """Mark a job as being worked on; False if it is already."""
        with self._lock:
            begins = not job.is_making and not job.edition_id
            job.is_making = job.is_making or begins
            return begins


# They outlive a reload of the configuration, which gives the pages another context.
JOBS = Jobs()


# ── find ────────────────────────────────────────────────────────────────────────────────────


@router.api_route("/desk/start", methods=["GET", "HEAD"])
def show_start(request: Request, context: Desk) -> Response:
    """Ask for the address of a site."""
    return _page(request, context, None)


@router.post("/desk/start")
def find(request: Request, context: Desk, form: Sent) -> Response:
    """Begin to search a site for its feeds."""
    address = form.one("address")[:_LONGEST]
    if not address:
        refused = Job(address="", fault="Please enter the address of your site.")
        refused.idle.set()
        return _page(request, context, refused, 422)
    name_subject(request, without_secrets(address))
    job = Job(address=address)
    name = JOBS.add(job)
    _in_background(job, lambda: _search(context.app, job, context.clock))
    return context.redirect(f"/desk/start/{name}")


def _search(app: App, job: Job, clock: Callable[[], datetime]) -> None:
    began = clock()

    def asked(count: int) -> None:
        job.asked = count

    found = find_feeds(job.address, app.config.limits, began, asked=asked)
    job.seconds = (clock() - began).total_seconds()
    job.fault = without_secrets(found.failure) if not found.feeds else ""
    job.search, job.searched_at = found, clock()


@router.api_route("/desk/start/{job}", methods=["GET", "HEAD"])
def show_job(request: Request, context: Desk, job: str) -> Response:
    """Show how far a search is, what it has found, and how far the digest is."""
    return _page(request, context, JOBS.get(job), name=job)


# ── make ────────────────────────────────────────────────────────────────────────────────────


@router.post("/desk/start/{job}")
def make(request: Request, context: Desk, form: Sent, job: str) -> Response:
    """Write the chosen feeds into config.toml, and begin to make the first edition."""
    known = JOBS.get(job)
    beginning = _beginning(context, known, form)
    if beginning is None:
        known.fault = "Please choose at least one feed."
        return _page(request, context, known, 422, name=job)
    known.fault = ""
    if JOBS.begin_making(known):
        name_subject(request, ", ".join(feed.title for feed in beginning.found))
        _in_background(known, lambda: _make(context, known, beginning))
    return context.redirect(f"/desk/start/{job}")


def _beginning(context: StaffContext, job: Job, form: Form) -> Beginning | None:
    feeds = job.search.feeds if job.search else ()
    chosen = [feeds[int(each)] for each in form.many("feed") if each.isdecimal() and int(each) < len(feeds)]
    if not chosen:
        return None
    offered, kept = set(form.many("offered")), frozenset(form.many("topic"))
    zone = form.one("zone")
    # With all topics as they were found, they are found anew each day.
    topics = kept if kept and kept != offered else None
    # A name that nobody has changed follows the language of the feeds that are chosen.
    shown = suggested_title(context.app.config.digests[0].title, feeds[0])
    title = " ".join(form.one("title")[:_TITLE].split())
    return Beginning(
        found=tuple(chosen),
        zone=zone if _is_zone(zone) else "UTC",
        topics=topics,
        title=title if title != shown else "",
    )


def _is_zone(name: str) -> bool:
    with suppress(ValueError, OSError):
        return bool(ZoneInfo(name).key)
    return False


def _make(context: StaffContext, job: Job, beginning: Beginning) -> None:
    """Make the first edition.

    write      config.toml, as `digest init --from` and `digest feeds add` do
    reload     the configuration, in the program that serves the pages
    collect    the feeds, from what the search has fetched if that was a moment ago
    compose    an edition for the next date, which is a draft
    """
    begin(context.app.config, beginning).write()
    job.steps.append("config.toml is written.")
    before = {feed.name for feed in context.app.config.feeds}
    job.doing = "The feeds are read."
    app = context.reload()
    gone = before - {feed.name for feed in app.config.feeds}
    drop_feeds(
        app.database, app.config, gone, context.clock()
    )  # posts of the samples, if they were collected
    begin_digests(app.database, app.config, context.clock())
    report = RunContext(clock=context.clock, feed=lambda each: job.steps.append(_collected(each)))
    is_recent = job.searched_at is not None and context.clock() - job.searched_at < _RECENT
    at_hand = beginning.found if is_recent else ()
    collected = collect_found(app.database, app.config, at_hand, report).feeds
    if any(each.dropped for each in collected) and not any(each.new for each in collected):
        job.steps.append("No post is from the last seven days, so your digest begins with the newest ones.")
    job.doing, job.pictures_at = "The pictures of the stories are looked for.", context.clock()
    stop = picture_time(seconds=_PICTURE_SECONDS)
    composed = compose_now(app, app.config.digests[0].slug, context.clock(), stop=stop)
    if composed.record is None:
        job.fault = f"There is no edition yet: {composed.reason}."
    else:
        job.edition_id = composed.record.edition.id
        job.steps.append("The first edition is composed.")


def _collected(report: FeedReport) -> str:
    if report.new:
        return f"{report.feed}: {counted(report.new, 'post')}."
    return f"{report.feed}: {report.detail or 'no posts.'}"


def _in_background(job: Job, work: Callable[[], None]) -> None:
    def guarded() -> None:
        try:
            work()
        except DigestError as error:
            job.fault = without_secrets(str(error))
        except Exception:
            log.exception("beginning a digest failed")
            job.fault = "Something went wrong on our side. It is in the log."
        finally:
            job.is_making = False
            job.idle.set()

    job.idle.clear()
    Thread(target=guarded, daemon=True).start()


# ── what the page shows ─────────────────────────────────────────────────────────────────────


def _page(
    request: Request, context: StaffContext, job: Job | None, status: int = 200, *, name: str = ""
) -> Response:
    config, now = context.app.config, context.clock()
    feeds = job.search.feeds if job and job.search else ()
    values = {
        "job": job,
        "path": f"{context.root}/desk/start/{name}",
        "address": job.address if job else "",
        "most": REQUESTS,
        "pictures": _picture_time(job, now),
        "is_empty": is_empty(config) or has_samples(config),
        "schedule": config.digests[0].schedule,
        "title": suggested_title(config.digests[0].title, feeds[0]) if feeds else "",
        "longest": _TITLE,
        "samples": has_samples(config),
        "feeds": [_feed_values(each, feeds[0], now) for each in feeds[:_FEEDS]],
        "found_in": span_words(context.clock() - now) if job is None else _seconds(job.seconds),
        "notes": [without_secrets(each) for each in job.search.notes] if job and job.search else (),
        **_topic_values(feeds, context),
    }
    return context.page(request, "start", values, status=status)


def _picture_time(job: Job | None, now: datetime) -> tuple[int, int] | None:
    """Return for how many seconds pictures are looked for already, and for how many at most."""
    if job is None or job.pictures_at is None:
        return None
    return min(_PICTURE_SECONDS, (now - job.pictures_at).seconds), _PICTURE_SECONDS


def _seconds(seconds: float) -> str:
    return counted(max(1, round(seconds)), "second")


def _feed_values(found: Found, first: Found, now: datetime) -> Mapping[str, object]:
    tags = {tag for post in found.posts for tag in post.tags}
    newest = next((post.published_at for post in newest_posts(found, 1) if post.published_at), None)
    latest = f", the latest {span_words(now - newest)} old" if newest and newest <= now else ""
    known = {post.url for post in first.posts}
    inside = found is not first and found.posts and all(post.url in known for post in found.posts)
    posts = counted(len(found.posts), "post")
    about = f"{posts}{', all of them also in the first feed' if inside else latest}"
    return {
        "title": found.title,
        "url": public_url(found.url),
        "comments": found.comments,
        "about": f"{about}; {counted(len(tags), 'tag')}." if tags else f"{about}.",
        "problems": [f"Note: {each}." for each in problems_of(found, now)] if not found.comments else (),
        "titles": [post.title for post in newest_posts(found, 3)],
        "can_use": not found.comments or first.comments,  # feeds of comments come last
        "checked": found is first and not found.comments,
    }


def _topic_values(feeds: tuple[Found, ...], context: StaffContext) -> Mapping[str, object]:
    if not feeds:
        return {"topics": (), "placed": 0, "all_posts": 0}
    report = proposed(feeds[:1], context.app.config.site)
    topics = report.topics[:_SHOWN]
    return {
        "topics": [
            {"slug": each.slug, "title": each.title, "stories": each.stories, "fixed": bool(each.setting)}
            for each in topics
        ],
        "placed": sum(topic.stories for topic in topics),
        "all_posts": sum(topic.stories for topic in report.topics) + report.unplaced,
    }
