"""Begin a publication: write the sample files, or a configuration for the feeds of a site."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from digest.collect.discovery.found import Found
from digest.collect.judge import FIRST_LOOK
from digest.config.edit import feed_block, toml_value
from digest.config.parsers import language
from digest.model.errors import DigestError
from digest.model.publication import Feed, Site
from digest.render.languages.languages import words_for
from digest.render.shipped import shipped
from digest.sources.add import feed_of, with_free_names
from digest.sources.topics import FoundTopic, TopicReport, proposed

CONFIG = "config.toml"
_SAMPLES = (CONFIG, "samples/harbour-gazette.xml", "samples/orchard-notes.json")
_COMMENTS_FROM = 43  # the column of the comments in the sample configuration
_TOPICS = 8
_DIGESTS = {"daily": "Daily", "weekend": "Weekend"}  # of the sample, with their names
_FOUND = (
    "# Without topics here, they are the publishers' own sections. To change them, write topics of your own:"
)
_SLUG = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_TOPICS_OF_SAMPLE = re.compile(r"^\[\[topic\]\].*?(?=^# ── digests)", re.DOTALL | re.MULTILINE)
_PLAIN_NAME = re.compile(r"\w[\w '&-]*")  # may stand before an address without quotation marks


class SampleError(DigestError):
    """A sample file cannot be written."""


def write_samples(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Write each sample file under `folder` and yield its path, with False if the file existed already.

    Raises SampleError if the folder or a file cannot be made.
    """
    for name in _SAMPLES:
        yield folder / name, _written(folder / name, shipped(name).read_bytes())


def write_config(folder: Path, found: Sequence[Found]) -> tuple[Path, TopicReport]:
    """Write a configuration for the feeds of a site; return its path, and the topics found in their posts.

    Raises SampleError if it cannot be written, or if there is one already.
    """
    path = folder / CONFIG
    site = Site(name=found[0].title, base_url="", postal_address="", language=_language(found[0]))
    topics = proposed(found, site)
    if not _written(path, config_for(found, topics).encode()):
        require_none(path)
    return path, topics


def require_none(path: Path) -> None:
    """Raise SampleError if there is a configuration already."""
    if path.exists():
        advice = f"to add feeds to it: digest --config {path} feeds add ADDRESS"
        raise SampleError(f"{path}: exists already; {advice}")


def is_quiet(found: Iterable[Found], now: datetime) -> bool:
    """Return whether the feeds have no post that the first look at them would take."""
    dates = [post.published_at for feed in found for post in feed.posts]
    return not any(date is None or date >= now - FIRST_LOOK for date in dates)


# The address of the staff's pages, if it is in force and on this machine.
_LOOPBACK = re.compile(r'^url = "(http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?)/', re.MULTILINE)


def config_for(
    found: Sequence[Found], topics: TopicReport, sample: str = "", *, keep: Collection[str] | None = None
) -> str:
    """Return the sample configuration with these feeds, and with the name and language of the first.

    The topics are those that are found in the posts from day to day. The ones of today stand there as
    comments, ready to be changed; with `keep`, the topics with these slugs are written as fixed ones.
    `sample` is the sample as it stands in an installation. Raises ValueError if it has been changed too much.
    Its digests get names in the language of the first feed, unless somebody has renamed them.
    """
    text, first = sample or shipped(CONFIG).read_text(encoding="utf-8"), found[0]
    for (slug, old), new in zip(_DIGESTS.items(), _names(first), strict=True):
        text = with_title(text, slug, old, new)
    feeds = with_free_names(map(feed_of, found))
    own = [each for each in topics.topics[:_TOPICS] if each.setting and (keep is None or each.slug in keep)]
    mark = "#" if keep is None or not own else ""
    slugs = topic_slugs(own) or ["city", "green"]
    for pattern, new in (
        ("two sample feeds beside it", "the feeds of a site"),
        (r'^name = "Harbour Digest" +', _line("name", first.title)),
        (r"^\[\[feed\]\].*?(?=^# ── topics)", "\n".join(map(_block, feeds)) + "\n"),
        (r'^topics = \["city", "green"\] *', _line(f"{mark}topics", slugs)),
        (r'^(?=about = "The day around the harbour)', "#"),
    ):
        text = _replaced(text, pattern, new)
    if here := _LOOPBACK.search(text):
        # Until the pages have a public address, pictures are shown from this one.
        text = _replaced(text, r'^base_url = "[^"]*" *', _line("base_url", here[1]))
    if first.language and _language(first) != "en":
        text = _replaced(text, r'^#language = "en" +', _line("language", first.language))
    text = re.sub(
        r'from = "Harbour Digest (<[^">]*>)"',
        lambda found: f"from = {toml_value(f'{_sender_name(first.title)} {found[1]}')}",
        text,
    )
    text = text.replace('#feeds = ["Harbour Gazette"]', f"#feeds = {toml_value([feeds[0].name])}")
    return _TOPICS_OF_SAMPLE.sub(
        lambda sample: topic_blocks(own, mark) if own else _as_comment(sample[0]), text
    )


def suggested_title(title: str, found: Found) -> str:
    """Return the name of the first digest if it begins with this feed: in its language, or as it is now."""
    return _names(found)[0] if title == _DIGESTS["daily"] else title


def with_title(text: str, slug: str, old: str, new: str) -> str:
    """Return a configuration with another name for the digest `slug`, if it has the `old` one."""
    line = rf'^(slug = "{slug}"[^\n]*\n)title = {re.escape(toml_value(old))}( *)'
    changed, count = re.subn(line, lambda found: _renamed(found, new), text, count=1, flags=re.MULTILINE)
    told = f"edition of {toml_value(old)} now"
    return changed.replace(told, f"edition of {toml_value(new)} now") if count else text


def _renamed(found: re.Match[str], title: str) -> str:
    line = _line("title", title)
    return f"{found[1]}{line if found[2] else line.rstrip()}"


def _names(found: Found) -> tuple[str, str]:
    """Return the names of the two digests of the sample, in the language of a feed."""
    say = words_for(_language(found))
    return say("Daily"), say("Weekend")


def _sender_name(title: str) -> str:
    """Return a name as it stands before an address, in quotation marks if it needs them (RFC 5322, 3.2.4)."""
    if _PLAIN_NAME.fullmatch(title):
        return title
    escaped = re.sub(r'([\\"])', r"\\\1", title)
    return f'"{escaped}"'


def _as_comment(topics: str) -> str:
    lines = [f"#{line.removeprefix('#')}" if line else "" for line in topics.splitlines()]
    return "\n".join([_FOUND, "", *lines, ""])


def topic_slugs(found: Sequence[FoundTopic]) -> list[str]:
    """Return the slugs of topics as `topic_blocks` writes them."""
    return [_slug(number, each) for number, each in enumerate(found, start=1)]


def topic_blocks(found: Sequence[FoundTopic], mark: str = "") -> str:
    """Return [[topic]] tables that claim the same stories as these topics; `mark` begins each line."""
    blocks = (
        (
            "[[topic]]",
            f"slug = {toml_value(_slug(number, each))}",
            f"title = {toml_value(each.title)}",
            *each.setting.replace("], feeds = ", "]\nfeeds = ").splitlines(),
        )
        for number, each in enumerate(found, start=1)
    )
    written = ("\n".join(f"{mark}{line}" for line in block) for block in blocks)
    return "\n\n".join([*([_FOUND] if mark else []), *written, ""])


def _slug(number: int, topic: FoundTopic) -> str:
    return topic.slug if re.fullmatch(_SLUG, topic.slug) else f"topic-{number}"


def _block(feed: Feed) -> str:
    comments = {
        "name": "# the source that readers see",
        "url": "# RSS, Atom, RDF or JSON Feed",
        "source": "# what is at this address: a feed, a WordPress site or a page without a feed",
        "#tags": "# added to every post of this feed",
        "#topics": "# these topics take every post of this feed",
    }
    lines = (*feed_block(feed).splitlines(), '#tags = ["local"]', '#topics = ["city"]')
    rows = (
        f"{line:{_COMMENTS_FROM - 1}} {comments.get(line.partition(' ')[0], '')}".rstrip() for line in lines
    )
    return "".join(f"{row}\n" for row in rows)


def _line(key: str, value: str | list[str]) -> str:
    """Return a line as far as its comment."""
    return f"{f'{key} = {toml_value(value)}':{_COMMENTS_FROM - 1}} "


def _replaced(text: str, pattern: str, new: str) -> str:
    changed, count = re.subn(pattern, lambda _: new, text, count=1, flags=re.DOTALL | re.MULTILINE)
    if count != 1:
        raise ValueError(f"the sample configuration has been changed: {pattern!r} is not in it")
    return changed


def _language(feed: Found) -> str:
    try:
        return language(feed.language or "en")
    except ValueError:
        return "en"


def _written(target: Path, content: bytes) -> bool:
    """Write a new file; return False if there is one already."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    except OSError as error:
        raise SampleError(f"{target}: cannot be written: {error.strerror}") from error
    return True
