"""Build the frozen configuration from a checked config.toml, with absolute paths and with enums."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from digest.compose.sections.lexicon import rest_title
from digest.config.brand import BrandParts
from digest.config.shape import (
    DigestShape,
    DomainShape,
    FeedShape,
    GatherShape,
    MailShape,
    RootShape,
    ServerShape,
    SponsorShape,
    StaffShape,
    TopicShape,
)
from digest.config.values import Config, MailSettings, OidcSettings, Setting, StaffSettings, WebSettings
from digest.limits.limits import Limit, Limits, Rules, WarmUp, domain_rules, parse_limit
from digest.model.errors import Problem
from digest.model.links import is_rest
from digest.model.messages import Security, SmtpServer
from digest.model.posts import FetchLimits
from digest.model.publication import (
    Digest,
    Feed,
    Gathering,
    Lead,
    Review,
    Site,
    SourceKind,
    Sponsor,
    Style,
    Topic,
)
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """The values that are not in the file: they come from the environment, or from other files."""

    database_url: str | None
    passwords: tuple[str | None, ...]  # of the mail servers, in the order of the file
    missing_passwords: tuple[Problem, ...]
    brand: BrandParts
    secret: bytes | None
    api_token: bytes | None = None
    oidc_secret: str = ""

    def __repr__(self) -> str:
        return "Outside(…)"


def build(shape: RootShape, path: Path, outside: Outside, settings: tuple[Setting, ...]) -> Config:
    """Build the configuration; `path` is the absolute path of the file."""
    folder = path.parent
    site = shape.site
    return Config(
        path=path,
        site=Site(
            name=site.name,
            base_url=site.base_url,
            postal_address=site.postal_address,
            language=site.language,
            brand=outside.brand.brand,
        ),
        feeds=tuple(_feed(feed, folder) for feed in shape.feed),
        topics=tuple(_topic(topic) for topic in shape.topic),
        digests=tuple(_digest(digest, site.language) for digest in shape.digest),
        mail=_mail(shape.mail, folder, outside),
        database_url=outside.database_url or _beside(shape.database.url, folder),
        has_engine=shape.jobs.engine != "none",
        web=WebSettings(host=shape.web.host, port=shape.web.port),
        staff=_staff(shape.staff, outside.oidc_secret),
        limits=_limits(shape),
        brand_files=outside.brand.files,
        copies=shape.pictures.copies,
        rules_off=tuple(shape.preflight.off.items()),
        templates=_path(site.templates, folder) if site.templates else None,
        secret_file=_path(site.secret_file, folder),
        secret=outside.secret,
        api_token=outside.api_token,
        settings=settings,
    )


def _staff(staff: StaffShape, secret: str) -> StaffSettings | None:
    if staff.url is None:
        return None
    issuer, client = staff.oidc_issuer, staff.oidc_client
    oidc = OidcSettings(issuer=issuer, client=client, secret=secret) if issuer and client else None
    return StaffSettings(url=staff.url, oidc=oidc)


def _feed(feed: FeedShape, folder: Path) -> Feed:
    url = feed.url or _path(str(feed.path), folder).as_uri()
    return Feed(
        name=feed.name,
        url=url,
        source=_source(feed),
        complete=feed.complete,
        link=feed.link or "",
        tags=tuple(feed.tags),
        topics=tuple(feed.topics),
    )


def _source(feed: FeedShape) -> SourceKind:
    """Return the kind of a feed's source; if it is not stated, the address decides."""
    if feed.source:
        return SourceKind(feed.source)
    return SourceKind.WORDPRESS if feed.url and is_rest(feed.url) else SourceKind.FEED


def _topic(topic: TopicShape) -> Topic:
    return Topic(
        slug=topic.slug,
        title=topic.title,
        about=topic.about or "",
        tags=tuple(topic.tags),
        aliases=tuple(topic.aliases.items()),
        keywords=tuple(topic.keywords),
        feeds=tuple(topic.feeds),
        order=topic.order,
        quota=topic.quota,
        colour=topic.colour or "",
    )


def _digest(digest: DigestShape, language: str) -> Digest:
    return Digest(
        slug=digest.slug,
        title=digest.title,
        about=digest.about or "",
        schedule=digest.schedule,
        sender=digest.sender,
        zone=digest.zone,
        feeds=tuple(digest.feeds),
        topics=tuple(digest.topics),
        cutoff=digest.cutoff,
        head_start=digest.head_start or timedelta(0),
        late=digest.late,
        minimum=digest.minimum,
        maximum=digest.maximum,
        max_age=digest.max_age,
        lead=Lead(digest.lead),
        review=Review(digest.review),
        approvals=digest.approvals,
        reply_to=digest.reply_to,
        subject=digest.subject,
        preheader=digest.preheader,
        catch_all=digest.catch_all or rest_title(language),
        gather=tuple(_gather(digest.gather)),
        skip=tuple(sorted(set(digest.skip))),
        style=Style(digest.style),
        introduction=digest.introduction or "",
        signed=digest.signed or "",
        sponsor=_sponsor(digest.sponsor) if digest.sponsor else None,
    )


def _sponsor(sponsor: SponsorShape) -> Sponsor:
    return Sponsor(name=sponsor.name, text=sponsor.text, url=sponsor.url, link=sponsor.link or "")


def _gather(gather: GatherShape) -> Iterator[Gathering]:
    for frequency, schedule in ((Frequency.DAILY, gather.daily), (Frequency.WEEKLY, gather.weekly)):
        if schedule is not None:
            yield Gathering(frequency=frequency, schedule=schedule)


def _servers(mail: MailShape) -> Sequence[ServerShape | MailShape]:
    return mail.server or (mail,)


def _server(server: ServerShape | MailShape, folder: Path, password: str | None) -> SmtpServer:
    return SmtpServer(
        host=server.host or "",
        port=server.port,
        security=Security(server.security),
        user=server.user,
        password=password if server.user else None,
        ca_file=str(_path(server.ca_file, folder)) if server.ca_file else None,
        connections=server.connections,
        timeout=server.timeout.total_seconds(),
        weight=server.weight if isinstance(server, ServerShape) else None,
        require_tls=server.require_tls,
    )


def _mail(mail: MailShape, folder: Path, outside: Outside) -> MailSettings:
    both = zip(_servers(mail), outside.passwords, strict=True)
    servers = tuple(_server(table, folder, password) for table, password in both)
    return MailSettings(
        folder=_path(mail.folder, folder),
        servers=servers if mail.transport == "smtp" else (),
        missing_passwords=outside.missing_passwords,
        bounce_address=mail.bounce_address,
        unsubscribe_address=mail.unsubscribe_address,
        mailbox=_path(mail.mailbox, folder) if mail.mailbox else None,
        ehlo_name=mail.ehlo_name,
        retry_for=mail.retry_for,
        doubt=mail.doubt,
        limits=_sending_limits(mail),
    )


def _sending_limits(mail: MailShape) -> Limits:
    hosts = " ".join(sorted({server.host or "" for server in _servers(mail)}))
    where = f"server {hosts}" if mail.transport == "smtp" else "the folder"
    return Limits(
        server=Rules(scope=where, limits=_parsed(mail.limits), warm_up=_warm_up(mail)),
        domains=tuple(
            domain_rules(*group.names, limits=_parsed(group.limits), warm_up=_warm_up(group))
            for group in mail.domain
        ),
    )


def _parsed(limits: list[str]) -> tuple[Limit, ...]:
    return tuple(map(parse_limit, limits))


def _warm_up(table: MailShape | DomainShape) -> WarmUp | None:
    return WarmUp(table.warm_up_from, tuple(table.warm_up)) if table.warm_up_from else None


def _limits(shape: RootShape) -> FetchLimits:
    collect = shape.collect
    return FetchLimits(
        allow_hosts=frozenset(collect.allow_hosts),
        timeout=collect.timeout.total_seconds(),
        max_bytes=collect.max_bytes,
        max_posts=collect.max_posts,
        in_flight=collect.in_flight,
        user_agent=collect.user_agent,
    )


def _path(written: str, folder: Path) -> Path:
    """Return a path of the file as an absolute path; it is relative to the folder of the file."""
    return folder / Path(written).expanduser()


def _beside(url: str, folder: Path) -> str:
    """Make the path of an SQLite file relative to the configuration, wherever the command is started."""
    match = re.fullmatch(r"sqlite:///([^/:?][^?]*)(\?.*)?", url)
    return f"sqlite:///{folder / match[1]}{match[2] or ''}" if match else url
