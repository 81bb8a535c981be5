"""The verb settle: pictures that feeds offer → fetched, inspected, copied → one picture for each post."""

from __future__ import annotations

import logging
import traceback
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from digest.collect.complete import one_of_each_host, page_limits
from digest.collect.fetching.addresses import is_sample, leads_inside
from digest.collect.fetching.answers import Fetched, FetchFailure, FetchRequest, Result
from digest.collect.fetching.fetch import fetch_all
from digest.collect.reading.images import WARNED, candidates, image_of
from digest.collect.reading.parse import Document
from digest.collect.reading.pictures.copies import Copies, copies_of
from digest.collect.sources.ask import Fetch, Terms
from digest.collect.sources.page import page_pictures
from digest.model.links import canonical_url, host_of, is_copy, picture_url
from digest.model.posts import Candidate, FetchLimits, Image, Inspected, PageFacts, Post
from digest.storage.database import Database
from digest.storage.feeds import feed_rows
from digest.storage.intake.decide import posts_by_id
from digest.storage.intake.pictures import (
    inspected,
    named_by_several_pages,
    save_copy,
    save_inspected,
    set_images,
)
from digest.storage.intake.stored import known_pages

TIMEOUT = 10.0  # seconds for one picture
MAX_BYTES = 8_000_000
_STEPS = 5  # addresses that are asked for one post, one after the other
_MISSING = frozenset([404, 410])


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRules:
    """The address under which copies are served. If `copies` is false, emails link to the originals.

    `closed` are internal hosts that the operator allows, but for the posts of other feeds.
    """

    base_url: str
    copies: bool
    limits: FetchLimits
    closed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ask:
    """An address that must be asked before the picture of a post is settled: of a picture, or of its page."""

    url: str
    is_page: bool = False

    @property
    def key(self) -> str:
        """Return the address by which the answer is remembered; spellings of a page's address share it."""
        return canonical_url(self.url) if self.is_page else self.url


_Jobs = Sequence[tuple[Post, PictureRules]]


def settle(
    database: Database,
    post_ids: Sequence[str],
    rules: PictureRules,
    *,
    now: datetime,
    fetch: Fetch = fetch_all,
) -> None:
    """Settle the pictures of posts: the best candidate that is really a picture becomes the post's picture.

        up to five times, unless `fetch` stops early:
            decide      for each post: its picture, or none, or the address to ask next
            fetch       these addresses with no transaction open: pictures at once, one page of each host
            inspect     type, true size, colours; make the copies
            save        what was found, so that no address is asked twice
        set the picture of each post; one whose address was not asked in time has that which the feed states

    An address that fails costs a story its picture at most. An error in this program is raised.
    """
    jobs = _jobs(database, post_ids, rules)
    for _ in range(_STEPS):
        rounds = _rounds(jobs, _decisions(database, jobs, now))
        terms = [(asks, Terms(limits=limits, now=now, fetch=fetch)) for limits, asks in rounds]
        # `all` ends with the first round in which `fetch` stops early.
        if not terms or not all(_ask(database, asks, each, rules.copies) for asks, each in terms):
            break
    decided = _decisions(database, jobs, now)
    found = [(post, decided[post.id]) for post, _ in jobs]
    images = [(post, image_of(_offered(post)) if isinstance(each, Ask) else each) for post, each in found]
    with database.write() as connection:
        set_images(connection, images, now)


def _jobs(database: Database, post_ids: Sequence[str], rules: PictureRules) -> _Jobs:
    """Return the posts with their rules: an internal host is open only to the feeds that are read from it."""
    with database.read() as connection:
        found = posts_by_id(connection, post_ids)
        feeds = {row.id: host_of(row.url) for row in feed_rows(connection)}
    posts = [found[each].post for each in post_ids if each in found]
    # A feed in a file has no host. It is the operator's, so its posts belong to the host of their pages.
    return [(post, _own_rules(rules, feeds.get(post.feed_id) or host_of(post.url or ""))) for post in posts]


def _own_rules(rules: PictureRules, host: str) -> PictureRules:
    own = frozenset(each for each in rules.limits.allow_hosts if each.lower() == host)
    limits = replace(rules.limits, allow_hosts=own)
    return replace(rules, limits=limits, closed=rules.limits.allow_hosts - own)


def _rounds(
    jobs: _Jobs, decided: Mapping[str, Image | Ask | None]
) -> Iterator[tuple[FetchLimits, Sequence[Ask]]]:
    """Yield the addresses that are asked at once, with their limits: pictures, and pages, one of each host.

    An address that posts of several feeds name is asked with the fewest internal hosts.
    """
    groups: defaultdict[FetchLimits, dict[str, Ask]] = defaultdict(dict)
    for post, rules in sorted(jobs, key=lambda job: len(job[1].limits.allow_hosts)):
        ask = decided[post.id]
        if isinstance(ask, Ask) and not any(ask.key in group for group in groups.values()):
            groups[rules.limits][ask.key] = ask
    for limits, asks in groups.items():
        if pictures := [ask for ask in asks.values() if not ask.is_page]:
            timeout, most = min(TIMEOUT, limits.timeout), min(MAX_BYTES, limits.max_bytes)
            yield replace(limits, timeout=timeout, max_bytes=most), pictures
        for urls in one_of_each_host(ask.url for ask in asks.values() if ask.is_page):
            yield page_limits(limits), [Ask(url, is_page=True) for url in urls]


def _ask(database: Database, asks: Sequence[Ask], terms: Terms, copies: bool) -> bool:
    """Ask addresses and save what is found; return whether all were asked before `fetch` stopped."""
    by_url = {ask.url: ask for ask in asks}
    # The fetcher may log the name of a feed, and addresses may hold tokens.
    requests = [FetchRequest(feed_id=host_of(ask.url), url=ask.url, page=ask.is_page) for ask in asks]
    count = 0
    for request, result in terms.fetch(requests, terms.limits):
        facts, made = _inspected(by_url[request.url], result, terms.now)
        _save(database, facts, made if copies else None)
        count += 1
    return count == len(requests)


def decide(
    post: Post, known: Mapping[str, Inspected], rules: PictureRules, sites: frozenset[str] = frozenset()
) -> Image | Ask | None:
    """Return the picture of a post by what is known, or the address to ask next, or None: it has no picture.

    `sites` are the pictures that several pages name; they are those of a site, not of a post.
    """
    if post.image and not post.pictures and is_copy(post.image.url, rules.base_url):
        return post.image  # it was settled for an earlier plan
    for candidate in (each for each in _offered(post) if not each.reason):
        facts = _facts(candidate.url, known, rules)
        if facts is None and _may_ask(candidate.url, rules):
            return Ask(candidate.url)
        if image := _shown(candidate, facts, rules):
            return image
    warned = any(each.reason == WARNED for each in post.pictures)
    if warned or post.url is None or not _may_ask(post.url, rules):
        return None
    ask = Ask(post.url, is_page=True)
    page = known.get(ask.key)
    if page is None:
        return ask
    named = page.leads_to
    if not named or named in sites or named in {each.url for each in post.pictures if each.reason}:
        return None
    facts = _facts(named, known, rules)
    if facts is None and _may_ask(named, rules):
        return Ask(named)
    return _shown(Candidate(url=named, convert=True), facts, rules)


def _offered(post: Post) -> tuple[Candidate, ...]:
    """Return the candidates of a post; posts from before there were several have only their picture."""
    if post.pictures or post.image is None:
        return post.pictures
    return (Candidate(**asdict(post.image)),)


def _may_ask(url: str, rules: PictureRules) -> bool:
    """Return whether an address may be asked: samples use names that exist nowhere, and need no network."""
    host = host_of(url)
    if host in rules.closed:
        return False
    return host in rules.limits.allow_hosts or not is_sample(host)


def _facts(url: str, known: Mapping[str, Inspected], rules: PictureRules) -> Inspected | None:
    """Return what is known of a picture; None if its copy is missing, or its host is closed to the post."""
    facts = known.get(url)
    if facts is None or host_of(url) in rules.closed:
        return None
    return None if rules.copies and facts.width and not facts.copy else facts


def _shown(candidate: Candidate, facts: Inspected | None, rules: PictureRules) -> Image | None:
    if facts is None or not facts.answered:
        # It may be there for readers, so what the feed says of it is believed.
        return image_of([candidate])
    if facts.reason:
        return None
    if rules.copies:
        if not facts.copy:
            return None
        url = picture_url(rules.base_url, facts.copy)
        return Image(url=url, alt=candidate.alt, width=facts.copy_width, height=facts.copy_height)
    if not facts.shown or leads_inside(candidate.url):
        return None
    return Image(url=candidate.url, alt=candidate.alt, width=facts.width, height=facts.height)


def _decisions(database: Database, jobs: _Jobs, now: datetime) -> dict[str, Image | Ask | None]:
    pages = {post.url for post, _ in jobs if post.url}
    urls = {each.url for post, _ in jobs for each in _offered(post)} | set(map(canonical_url, pages))
    with database.read() as connection:
        completed = known_pages(connection, pages)
        known = {canonical_url(url): _as_inspected(url, page, now) for url, page in completed.items()}
        known |= inspected(connection, urls, now)
        named = {each.leads_to for each in known.values() if each.leads_to}
        known |= inspected(connection, named, now)
        sites = named_by_several_pages(connection, named)
    return {post.id: decide(post, known, rules, sites) for post, rules in jobs}


def _as_inspected(url: str, page: PageFacts, now: datetime) -> Inspected:
    """Return what is known of a page that was fetched to complete its post."""
    named = next((each.url for each in page.pictures if not each.reason), None)
    return Inspected(url=canonical_url(url), checked_at=now, leads_to=named)


def _inspected(ask: Ask, result: Result, now: datetime) -> tuple[Inspected, Copies | None]:
    try:
        return inspect(ask, result, now)
    except Exception as error:
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("%s: %s while inspecting\n%s", host_of(ask.url), type(error).__name__, place)
        return Inspected(url=ask.key, checked_at=now, answered=False), None


def _save(database: Database, facts: Inspected, copies: Copies | None) -> None:
    with database.write() as connection:
        if copies:
            save_copy(connection, copies.hash, copies.large, copies.small, facts.checked_at)
        else:
            facts = replace(facts, copy=None, copy_width=None, copy_height=None)
        save_inspected(connection, facts)


def inspect(ask: Ask, result: Result, now: datetime) -> tuple[Inspected, Copies | None]:
    """Return what an answer says about an address, with the copies of the picture if it is a usable one."""
    facts = Inspected(url=ask.key, checked_at=now)
    if isinstance(result, FetchFailure) and result.status in _MISSING:
        return replace(facts, reason=f"it is not there ({result.status})"), None
    if not isinstance(result, Fetched):
        return replace(facts, answered=False), None
    if ask.is_page:
        page = Document(body=result.body, url=result.url, content_type=result.content_type)
        found = candidates([page_pictures(page)], result.url)
        named = next((each.url for each in found if not each.reason), "")
        return replace(facts, leads_to=named or None), None
    copies = copies_of(result.body)
    if isinstance(copies, str):
        return replace(facts, reason=copies), None
    size = copies.large_size
    return replace(
        facts,
        width=copies.width,
        height=copies.height,
        shown=copies.is_shown,
        copy=copies.hash,
        copy_width=size[0],
        copy_height=size[1],
    ), copies
