"""Check everything that a publication needs before it is used; each finding says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname
from zoneinfo import ZoneInfo

from digest.app import signing_key
from digest.check.brand import brand_facts, brand_remarks
from digest.check.editions import emails_of, known_topics, own_topics, samples_of
from digest.check.feeds import ask, claimed
from digest.check.findings import Finding
from digest.check.samples import notice_samples, page_samples
from digest.check.server import node_findings, server_findings
from digest.config import Config, load
from digest.design.copies import copies_text
from digest.editions.clocks import ahead_text, check_clock
from digest.editions.schedules import next_time
from digest.engine.schema import ensure_tables
from digest.message.folder import check_folder
from digest.message.reader_links import with_token
from digest.model.editions import Edition
from digest.model.errors import ClockError, ConfigError, DatabaseError, DigestError
from digest.model.run_context import utc_now
from digest.render.languages.cadences import describe
from digest.render.preflight import Level
from digest.render.templates import load_templates
from digest.schedule.cadence import cadences
from digest.schedule.schedule import SKIP_REASON, skipped_dates
from digest.schedule.text import parse_schedule
from digest.smtp.transport import check_server
from digest.storage.database import Database, open_database
from digest.storage.editions.lists import damaged_editions
from digest.storage.editions.slugs import left_behind
from digest.storage.migrate import migrate
from subscribers.model import Frequency

_ADVICE = (
    "if you changed its slug, move everything with `digest rename {slug} NEW`, or put the slug back; if the"
    " digest has ended, cancel its editions and remove its readers"
)


def check_all(path: Path, environ: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """Yield a finding for each check. If the configuration is wrong, nothing else is checked."""
    try:
        config = load(path, environ)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(subject="configuration", ok=False, detail=str(problem))
        return
    yield Finding(subject="configuration", ok=True, detail=f"{path} has no errors")
    yield from (Finding(subject="brand", ok=True, detail=each) for each in brand_facts(config))
    yield from (
        Finding(subject="brand", ok=True, detail=each, warning=True) for each in brand_remarks(config)
    )
    yield from _digests(config, now)
    yield from _clock(config, now)
    yield from _feeds(config, now)
    yield Finding(
        subject="unsubscribe by mail", ok=True, detail=_unsubscribe(config.mail.unsubscribe_address)
    )
    yield from _left_behind(config)
    for subject, look in (
        ("templates", check_templates),
        ("secret", _secret),
        ("database", _database),
        *([("engine", _engine)] if config.has_engine else []),
        ("mail", _mail),
    ):
        try:
            yield Finding(subject=subject, ok=True, detail=look(config))
        except DigestError as error:
            yield Finding(subject=subject, ok=False, detail=str(error))
    yield from _server(config)
    if old := copies_text(config):
        yield Finding(subject="templates", ok=True, warning=True, detail=old)
    yield from _emails(config, now)


def _emails(config: Config, now: datetime) -> Iterator[Finding]:
    """Check the emails of each digest with the same preflight that runs before an edition is sent."""
    try:
        templates = load_templates(config.templates)
        with _opened(config) as database:
            for digest in config.digests:
                subject = f"emails of {digest.slug}"
                found = emails_of(templates, database, config, digest, now)
                for each in found:
                    blocks = each.level is Level.BLOCK
                    yield Finding(subject=subject, ok=not blocks, detail=each.message, warning=not blocks)
                if not found:
                    detail = "they are complete and can be read on a phone, in light and in dark mode"
                    yield Finding(subject=subject, ok=True, detail=detail)
    except DigestError:  # reported by the checks of the templates and of the database
        return


def _clock(config: Config, now: datetime) -> Iterator[Finding]:
    try:
        with _opened(config) as database:
            check_clock(database, utc_now())
            ahead = ahead_text(database, now)
    except ClockError as error:
        yield Finding(subject="clock", ok=False, detail=str(error))
        return
    except DatabaseError:  # reported by the check of the database
        return
    if ahead:
        advice = "if the clock is right, `digest run` releases what these rows hold up"
        yield Finding(subject="clock", ok=False, detail=f"{ahead}; {advice}")


def _next_times(config: Config, now: datetime) -> Mapping[str, datetime]:
    """Return when each cadence is next due; without a database, no date has an edition yet."""
    every = [cadence for digest in config.digests for cadence in cadences(digest)]
    try:
        with _opened(config) as database:
            return {cadence.key: next_time(database, cadence, now) for cadence in every}
    except DatabaseError:  # reported by the check of the database
        return {cadence.key: next(cadence.coming(now)).send_at for cadence in every}


def _digests(config: Config, now: datetime) -> Iterator[Finding]:
    next_times = _next_times(config, now)
    for cadence in (cadence for digest in config.digests for cadence in cadences(digest)):
        digest, gathered = cadence.digest, cadence.frequency is not Frequency.EACH
        schedule = parse_schedule(digest.schedule)
        due = next_times[cadence.key].astimezone(ZoneInfo(digest.zone))
        detail = f"{describe(schedule)} ({digest.zone}); next on {due:%a %d %b %Y at %H:%M}"
        if skipped := skipped_dates(digest, schedule, after=now):
            detail += f"; not on {', '.join(map(str, skipped))} ({SKIP_REASON})"
        if schedule.skips_months:
            detail += (
                '; shorter months have no edition: for one in every month, write "last day of the month"'
            )
        subject = f"digest {digest.slug}{f', {cadence.frequency}' if gathered else ''}"
        yield Finding(subject=subject, ok=True, detail=detail)


def _left_behind(config: Config) -> Iterator[Finding]:
    try:
        with _opened(config) as database, database.read() as connection:
            found = left_behind(connection, [digest.slug for digest in config.digests])
    except DatabaseError:  # reported by the check of the database
        return
    for each in found:
        advice = _ADVICE.format(slug=each.slug)
        detail = f"it is not in config.toml, but the database has {each.text()}: {advice}"
        # Posts alone harm nobody: they are what is left of a digest that has ended.
        ok = not each.subscriptions and not each.editions
        yield Finding(subject=f"digest {each.slug}", ok=ok, detail=detail)


def _feeds(config: Config, now: datetime) -> Iterator[Finding]:
    if not config.feeds:
        detail = "no feed is configured: add a [[feed]] with a url or a path"
        yield Finding(subject="feeds", ok=False, detail=detail)
    there = []
    for feed in config.feeds:
        parts = urlsplit(feed.url)
        if parts.scheme == "file" and not Path(url2pathname(parts.path)).exists():
            detail = f"the file or folder {unquote(parts.path)} does not exist"
            yield Finding(subject=f"feed {feed.name}", ok=False, detail=detail)
        else:
            there.append(feed)
    answers = ask(config, there, now)
    for each in answers:
        yield Finding(
            subject=f"feed {each.feed.name}", ok=True, detail=each.detail, warning=bool(each.failure)
        )
    total = sum(len(each.posts) for each in answers)
    for slug, count in claimed(answers, config).items() if total else ():
        detail = f"{count:,} of the {total:,} posts in the feeds match its rule"
        yield Finding(subject=f"topic {slug}", ok=True, detail=detail, warning=not count)


def _unsubscribe(address: str | None) -> str:
    if not address:
        return "only one click is offered; set mail.unsubscribe_address if digest receive reads an inbox"
    written = with_token(address, "{token}")
    where = f"to {written}" if "{token}" in written else f"to {written}, with the token in the subject alone"
    return f"requests go {where}; digest receive must read this mail"


def check_templates(config: Config) -> str:
    """Render every template with samples, and return a sentence. Raises TemplateError."""
    samples = (*notice_samples(config.site), *page_samples())
    load_templates(config.templates).check_all(samples, _edition_samples(config))
    own = f"; those in {config.templates} replace the default ones" if config.templates else ""
    return f"all can be rendered{own}"


def _edition_samples(config: Config) -> tuple[Edition, ...]:
    try:
        with _opened(config) as database:
            known = [known_topics(database, config, digest) for digest in config.digests]
    except DatabaseError:  # reported by the check of the database
        known = [own_topics(config, digest) for digest in config.digests]
    pairs = zip(config.digests, known, strict=True)
    return tuple(each for digest, topics in pairs for each in samples_of(config, digest, topics))


def _secret(config: Config) -> str:
    try:
        with _opened(config) as database:
            signing_key(config, database)
    except DatabaseError as error:
        raise DatabaseError("it cannot be compared with the earlier one without the database") from error
    if config.secret:
        return "it comes from DIGEST_SECRET"
    return f"it is in {config.secret_file}; keep it as long as the list"


def _database(config: Config) -> str:
    with _opened(config) as database:
        with database.read() as connection:
            damaged = damaged_editions(connection)
        if damaged:
            found = "; ".join(f"edition {each.id} is damaged: {each.damage}" for each in damaged)
            raise DatabaseError(f"{found}. Restore the database from a backup; until then it is left out")
        return "it can be used, and its tables have this version"


def _engine(config: Config) -> str:
    with _opened(config) as database:
        ensure_tables(database)
        return "its tables have this version"


def _server(config: Config) -> Iterator[Finding]:
    try:
        with _opened(config) as database:
            yield from server_findings(database)
            if config.has_engine:
                yield from node_findings(database)
    except DatabaseError:  # reported by the check of the database
        return


@contextmanager
def _opened(config: Config) -> Iterator[Database]:
    database = open_database(config.database_url)
    try:
        migrate(database)
        yield database
    finally:
        database.close()


def _mail(config: Config) -> str:
    mail = config.mail
    mail.require_passwords()
    if mail.servers:
        return "; ".join(fact for server in mail.servers for fact in check_server(server, mail.ehlo_name))
    return check_folder(mail.folder)
