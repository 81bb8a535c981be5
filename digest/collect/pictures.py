"""The verb settle: pictures that feeds offer → fetched, inspected, copied → one picture for each post."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from digest.collect.fetching.addresses import leads_inside
from digest.collect.fetching.answers import Exchange, Fetched, FetchFailure, FetchRequest, Result
from digest.collect.fetching.fetch import fetch_all
from digest.collect.reading.images import WARNED, candidates, image_of
from digest.collect.reading.parse import Document
from digest.collect.reading.pictures.copies import Copies, copies_of
from digest.collect.sources.page import page_pictures
from digest.model.links import host_of, is_copy, picture_url
from digest.model.posts import Candidate, FetchLimits, Image, Inspected, Post
from digest.storage.database import Database
from digest.storage.intake.pictures import (
    inspected,
    named_by_several_pages,
    posts_with_ids,
    save_copy,
    save_inspected,
    set_image,
)

Fetch = Callable[[Iterable[FetchRequest], FetchLimits], Iterator[Exchange]]
TIMEOUT = 10.0  # seconds for one picture or page
MAX_BYTES = 8_000_000
_STEPS = 5  # addresses that are asked for one post, one after the other
_MISSING = frozenset([404, 410])
_RESERVED = re.compile(r"(.*\.)?(example\.(com|net|org)|example|test|invalid)")  # RFC 2606


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRules:
    """Where copies are served, and whether there are any: without, emails link to the originals."""

    base_url: str
    copies: bool
    limits: FetchLimits


@dataclass(frozen=True, slots=True)
class Ask:
    """An address that must be asked before the picture of a post is settled: of a picture, or of its page."""

    url: str
    is_page: bool = False


def settle(
    database: Database,
    post_ids: Sequence[str],
    rules: PictureRules,
    *,
    now: datetime,
    fetch: Fetch = fetch_all,
) -> None:
    """Settle the pictures of posts: the best candidate that is really a picture becomes the post's picture.

        up to five times:
            decide      for each post: its picture, or none, or the address to ask next
            fetch       these addresses, many at once, with no transaction open
            inspect     type, true size, colours; make the copies
            save        what was found, so that no address is asked twice
        set the picture of each post; where an address was not reached in time, that which the feed states

    A failure costs a story its picture at most. If `fetch` stops early, the rest is decided by what is known.
    """
    timeout, most = min(TIMEOUT, rules.limits.timeout), min(MAX_BYTES, rules.limits.max_bytes)
    limits = replace(rules.limits, timeout=timeout, max_bytes=most)
    with database.read() as connection:
        posts = posts_with_ids(connection, post_ids)
    for _ in range(_STEPS):
        decided = _decisions(database, posts, rules, now)
        asks = {each.url: each for each in decided.values() if isinstance(each, Ask)}
        if not asks:
            break
        requests = [FetchRequest(feed_id=url, url=url, page=ask.is_page) for url, ask in asks.items()]
        for request, result in fetch(requests, limits):
            _save(database, asks[request.url], result, now)
    decided = _decisions(database, posts, rules, now)
    with database.write() as connection:
        for post in posts:
            outcome = decided[post.id]
            image = image_of(_offered(post)) if isinstance(outcome, Ask) else outcome
            set_image(connection, post, image, now)


def decide(
    post: Post, known: Mapping[str, Inspected], rules: PictureRules, sites: frozenset[str] = frozenset()
) -> Image | Ask | None:
    """Return the picture of a post by what is known, or the address to ask next, or None: it has no picture.

    `sites` are the pictures that several pages name; they are those of a site, not of a post.
    """
    if post.image and not post.pictures and is_copy(post.image.url, rules.base_url):
        return post.image  # it was settled for an earlier plan
    for candidate in (each for each in _offered(post) if not each.reason):
        if candidate.url not in known and _may_ask(candidate.url, rules):
            return Ask(candidate.url)
        if image := _shown(candidate, known.get(candidate.url), rules):
            return image
    warned = any(each.reason == WARNED for each in post.pictures)
    if warned or post.url is None or not _may_ask(post.url, rules):
        return None
    page = known.get(post.url)
    if page is None:
        return Ask(post.url, is_page=True)
    named = page.leads_to
    if not named or named in sites or named in {each.url for each in post.pictures if each.reason}:
        return None
    if named not in known and _may_ask(named, rules):
        return Ask(named)
    return _shown(Candidate(url=named, convert=True), known.get(named), rules)


def _offered(post: Post) -> tuple[Candidate, ...]:
    """Return the candidates of a post; posts from before there were several have only their picture."""
    if post.pictures or post.image is None:
        return post.pictures
    return (Candidate(**asdict(post.image)),)


def _may_ask(url: str, rules: PictureRules) -> bool:
    """Return whether an address may be asked: samples use names that exist nowhere, and need no network."""
    host = host_of(url)
    return host in rules.limits.allow_hosts or not _RESERVED.fullmatch(host)


def _shown(candidate: Candidate, facts: Inspected | None, rules: PictureRules) -> Image | None:
    if facts is None or not facts.answered:
        # It may be there for readers, so what the feed says of it is believed.
        return image_of([candidate])
    if facts.reason or not facts.copy:
        return None
    if rules.copies:
        url = picture_url(rules.base_url, facts.copy)
        return Image(url=url, alt=candidate.alt, width=facts.copy_width, height=facts.copy_height)
    if not facts.shown or leads_inside(candidate.url):
        return None
    return Image(url=candidate.url, alt=candidate.alt, width=facts.width, height=facts.height)


def _decisions(
    database: Database, posts: Sequence[Post], rules: PictureRules, now: datetime
) -> dict[str, Image | Ask | None]:
    urls = {each.url for post in posts for each in _offered(post)} | {post.url for post in posts if post.url}
    with database.read() as connection:
        known = inspected(connection, urls, now)
        named = {each.leads_to for each in known.values() if each.leads_to}
        known |= inspected(connection, named, now)
        sites = named_by_several_pages(connection)
    return {post.id: decide(post, known, rules, sites) for post in posts}


def _save(database: Database, ask: Ask, result: Result, now: datetime) -> None:
    try:
        facts, copies = inspect(ask, result, now)
    except Exception as error:
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("%s: %s while inspecting\n%s", host_of(ask.url), type(error).__name__, place)
        facts, copies = Inspected(url=ask.url, checked_at=now, answered=False), None
    with database.write() as connection:
        if copies:
            save_copy(connection, copies.hash, copies.large, copies.small, now)
        save_inspected(connection, facts)


def inspect(ask: Ask, result: Result, now: datetime) -> tuple[Inspected, Copies | None]:
    """Return what an answer says about an address, with the copies of the picture if it is a usable one."""
    facts = Inspected(url=ask.url, checked_at=now)
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
