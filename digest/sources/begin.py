"""Begin a digest in an installation that runs: the feeds of a site, and its topics, go into config.toml."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from digest.collect.discovery.found import Found
from digest.config import Config
from digest.config.edit import Draft, drafted, toml_value
from digest.sources.add import feed_of, plan_feeds
from digest.sources.start import config_for, suggested_title, with_title
from digest.sources.topics import proposed

_SAMPLES = "/samples/"
_ZONE = 'zone = "Europe/Berlin"'  # of the sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The parts of a first digest: the feeds that were found, and the time zone of its schedule.

    Without `topics`, its topics are found in the posts of each day; otherwise these slugs are fixed topics.
    Without a `title`, its name is the one that is suggested for the first feed.
    """

    found: tuple[Found, ...]
    zone: str = "UTC"
    topics: frozenset[str] | None = None
    title: str = ""


def is_empty(config: Config) -> bool:
    """Tell whether an installation has no feed yet, so that there is nothing to show."""
    return not config.feeds


def has_samples(config: Config) -> bool:
    """Tell whether all feeds are the sample feeds that `digest init` writes."""
    return bool(config.feeds) and all(
        feed.url.startswith("file:") and _SAMPLES in feed.url for feed in config.feeds
    )


def begin(config: Config, beginning: Beginning) -> Draft:
    """Decide how config.toml changes if a digest begins with these feeds; nothing is written.

    The sample configuration gets them in place of its sample feeds, and its other settings stay. In any other
    configuration, the first digest gets them besides its own. Raises EditError.
    """
    if has_samples(config):
        with suppress(ValueError):  # the sample is not as it was, so the feeds are added to it
            text = _from_sample(config, beginning)
            return drafted(config.path, lambda _: text)
    wanted = [feed_of(each) for each in beginning.found]
    return plan_feeds(config, wanted, (config.digests[0].slug,)).draft


def _from_sample(config: Config, beginning: Beginning) -> str:
    topics = proposed(beginning.found, config.site)
    text = config.path.read_text(encoding="utf-8-sig")
    changed = config_for(beginning.found, topics, text, keep=beginning.topics)
    if beginning.title:
        digest = config.digests[0]
        suggested = suggested_title(digest.title, beginning.found[0])
        changed = with_title(changed, digest.slug, suggested, beginning.title)
    return changed.replace(_ZONE, f"zone = {toml_value(beginning.zone)}")
