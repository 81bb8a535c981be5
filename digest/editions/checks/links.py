"""Ask where the links of open editions lead, ahead of time, so that nobody waits for an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from digest.collect.fetching.addresses import is_sample
from digest.collect.fetching.links import LinkTerms, ask_links
from digest.config import Config
from digest.model.editions import Edition, Story
from digest.model.links import LinkAnswer, host_of, web_url
from digest.model.run_context import RunContext
from digest.render.preflight.stories import links_of, pictures_of
from digest.storage.database import Database
from digest.storage.intake.links import forget_answers, is_fresh, known_links, save_links

MOST = 300  # links that are asked at once; the others wait for the next time

Ask = Callable[[Iterable[str], LinkTerms, Callable[[LinkAnswer], None]], tuple[LinkAnswer, ...]]
_Progress = Callable[[int, int], None]  # how many links were asked, and how many there are


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCount:
    """How many links and pictures of an edition there are, how many were asked, and when the last one was."""

    total: int
    asked: int
    last_at: datetime | None


def count_links(database: Database, edition: Edition, now: datetime) -> LinkCount:
    """Count the links of an edition that are known."""
    urls = urls_in(edition)
    with database.read() as connection:
        known = known_links(connection, urls, now)
    last_at = max((answer.checked_at for answer in known.values()), default=None)
    return LinkCount(total=len(urls), asked=len(known), last_at=last_at)


def urls_in(edition: Edition) -> tuple[str, ...]:
    """Return the addresses of all links and pictures of an edition, each once."""
    links = (url for url, _, _ in links_of(edition))
    return tuple(dict.fromkeys((*links, *(url for url, _ in pictures_of(edition)))))


def check_links(
    database: Database,
    config: Config,
    editions: Iterable[Edition],
    context: RunContext,
    *,
    ask: Ask = ask_links,
    progress: _Progress = lambda *_: None,
) -> int:
    """Ask the links of editions that are not known yet, save the answers, and return how many were asked.

    Nothing is asked at our own pages and at hosts that exist only in samples. Internal hosts that the
    operator allows are asked only for the posts of feeds that are read from them.
    """
    now, editions = context.clock(), tuple(editions)
    urls = dict.fromkeys(
        url for edition in editions for url in urls_in(edition) if _is_elsewhere(url, config)
    )
    with database.read() as connection:
        known = known_links(connection, urls, now)
    wanted = [url for url in urls if url not in known or not is_fresh(known[url], now)][:MOST]
    allowed = config.limits.allow_hosts
    inside = {url for edition in editions for url in _inside(edition, config)} if allowed else set()
    outside = [url for url in wanted if host_of(url) not in allowed]
    rounds = [(outside, frozenset[str]()), ([url for url in wanted if url in inside], allowed)]
    total, count = sum(len(each) for each, _ in rounds), 0

    def done(_: LinkAnswer) -> None:
        nonlocal count
        count += 1
        progress(count, total)

    for part, hosts in rounds:
        limits = replace(config.limits, allow_hosts=hosts)
        terms = LinkTerms(limits=limits, now=now, stop=context.stop)
        if part and (answers := ask(part, terms, done)):
            with database.write() as connection:
                save_links(connection, answers)
    return count


def forget_old_answers(database: Database, now: datetime) -> None:
    """Remove the answers that are too old to be believed."""
    with database.write() as connection:
        forget_answers(connection, now)


def _is_elsewhere(url: str, config: Config) -> bool:
    """Tell whether a link leads to a page that may exist and is not ours."""
    ours = url.startswith(f"{config.site.base_url.rstrip('/')}/")
    return web_url(url) is not None and not ours and not is_sample(host_of(url))


def _inside(edition: Edition, config: Config) -> set[str]:
    """Return the links to internal hosts that may be asked: those of the feeds that are read from there.

    A feed in a file has no host. It is the operator's, so its posts may name any host that is allowed. So
    may the editors, in their own words.
    """
    hosts = {feed.name: host_of(feed.url) for feed in config.feeds}
    open_to = {story.id: hosts.get(story.source, "") or None for story in edition.stories()}
    foreign = {url for story in edition.stories() for url in _of_others(story, hosts)}
    found = {url for url, place, _ in links_of(edition) if open_to.get(place.story) in (None, host_of(url))}
    found |= {url for url, story in pictures_of(edition) if open_to[story.id] in (None, host_of(url))}
    return found - foreign


def _of_others(story: Story, hosts: dict[str, str]) -> set[str]:
    """Return the links of a story that lead to the pages of others, unless these are feeds on that host."""
    named = [(each.name, each.url) for each in story.also]
    named += [(story.via.name, story.via.url)] if story.via else []
    named += [(each.source, each.url) for each in story.coverage]
    return {url for name, url in named if url and hosts.get(name, "-") not in ("", host_of(url))}
