"""Look at everything a publication needs before it is needed: each finding says what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname
from zoneinfo import ZoneInfo

from digest.app import preferences, signing_up
from digest.app.rhythms import rhythms
from digest.app.secret import load_secret
from digest.config import Config, load
from digest.errors import ConfigError, DigestError
from digest.publication import Site
from digest.render.languages import words_for
from digest.render.notices import notice_values
from digest.render.rhythm import describe
from digest.render.templates import Sample, load_templates
from digest.schedule import next_due
from digest.schedule_text import parse_schedule
from digest.send.transport import check_server
from digest.storage.database import open_database
from digest.storage.migrate import migrate
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `ok` is False when somebody has to do something."""

    subject: str
    ok: bool
    detail: str


def check_all(
    path: Path, environ: Mapping[str, str], now: datetime, *, pages: Iterable[Sample] = ()
) -> Iterator[Finding]:
    """Yield what was found, wrong or not. Without a good configuration nothing else is looked at.

    `pages` are the templates of web pages with values such as they are given.
    """
    try:
        config = load(path, environ)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(subject="configuration", ok=False, detail=str(problem))
        return
    yield Finding(subject="configuration", ok=True, detail=f"{path} has no mistakes")
    yield from _digests(config, now)
    yield from _feeds(config)
    for subject, look in (
        ("templates", partial(_templates, pages)),
        ("secret", _secret),
        ("database", _database),
        ("mail", _mail),
    ):
        try:
            yield Finding(subject=subject, ok=True, detail=look(config))
        except DigestError as error:
            yield Finding(subject=subject, ok=False, detail=str(error))


def _digests(config: Config, now: datetime) -> Iterator[Finding]:
    for rhythm in (rhythm for digest in config.digests for rhythm in rhythms(digest)):
        digest, gathered = rhythm.digest, rhythm.frequency is not Frequency.EACH
        schedule = parse_schedule(digest.schedule)
        due = next_due(schedule, digest.zone, now)[1].astimezone(ZoneInfo(digest.zone))
        detail = f"{describe(schedule)} ({digest.zone}); next on {due:%a %d %b %Y at %H:%M}"
        subject = f"digest {digest.slug}{f', {rhythm.frequency}' if gathered else ''}"
        yield Finding(subject=subject, ok=True, detail=detail)


def _feeds(config: Config) -> Iterator[Finding]:
    if not config.feeds:
        yield Finding(subject="feeds", ok=False, detail="there are none: add a [[feed]] with a url or a path")
    for feed in config.feeds:
        parts = urlsplit(feed.url)
        if parts.scheme == "file" and not Path(url2pathname(parts.path)).is_file():
            detail = f"there is no file {unquote(parts.path)}"
            yield Finding(subject=f"feed {feed.name}", ok=False, detail=detail)


def _templates(pages: Iterable[Sample], config: Config) -> str:
    load_templates(config.templates).check_all((*notice_samples(config.site), *pages))
    return f"all can be filled{f', those in {config.templates} before ours' if config.templates else ''}"


def notice_samples(site: Site) -> Iterator[Sample]:
    """Yield the templates of all mails that are no editions, with values such as they are given."""
    say = words_for(site.language)
    for notice in (*signing_up.samples(), *preferences.samples()):
        for kind in ("html", "txt"):
            yield f"mail/{notice.name}.{kind}", notice_values(notice, site, say)


def _secret(config: Config) -> str:
    if config.secret:
        return "comes from DIGEST_SECRET"
    load_secret(config.secret_file)
    return f"is in {config.secret_file}; keep it as long as the list"


def _database(config: Config) -> str:
    database = open_database(config.database_url)
    try:
        migrate(database)
    finally:
        database.close()
    return "can be used, and its tables are of this version"


def _mail(config: Config) -> str:
    mail = config.mail
    if mail.servers:
        return "; ".join(fact for server in mail.servers for fact in check_server(server, mail.ehlo_name))
    try:
        mail.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=mail.folder):
            return f"letters are written into {mail.folder}; nobody is mailed"
    except OSError as error:
        raise DigestError(f"{mail.folder} cannot be written to: {error.strerror}") from error
