"""The configuration as frozen values, which the rest of the program reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from digest.limits.limits import Limits
from digest.model.errors import ConfigError, NotFoundError, Problem
from digest.model.messages import SmtpServer
from digest.model.posts import FetchLimits
from digest.model.publication import Digest, Feed, Site, Topic
from digest.render.brand.pictures import BrandFile


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """How messages are delivered: to the servers, or into `folder` if there is no server."""

    folder: Path
    servers: tuple[SmtpServer, ...] = ()
    missing_passwords: tuple[Problem, ...] = ()  # of servers; whatever sends calls `require_passwords`
    bounce_address: str | None = None  # the envelope sender; default: the digest's sender
    unsubscribe_address: str | None = None  # for unsubscribe requests by mail; default: they are not offered
    mailbox: Path | None = None  # a Maildir in which requests and bounces arrive
    ehlo_name: str | None = None  # our name in EHLO; default: this machine's name
    retry_for: timedelta = timedelta(hours=24)  # how long deferred messages are tried again
    doubt: str = "hold"  # or "resend": for messages in flight when the connection broke
    limits: Limits = field(default_factory=Limits)

    def require_passwords(self) -> None:
        """Raise ConfigError if the password of a mail server is missing; call it before something is sent."""
        if self.missing_passwords:
            raise ConfigError(self.missing_passwords)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The address at which the pages are served."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """The provider by which the staff may sign in, and how it knows us."""

    issuer: str
    client: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSettings:
    """Where the pages of editors and operators answer: at a host or under a path of their own."""

    url: str
    oidc: OidcSettings | None = None

    @property
    def host(self) -> str:
        """Return the host of the address, with its port if it has one."""
        return urlsplit(self.url).netloc.lower()

    @property
    def path(self) -> str:
        """Return the path of the address: empty, or "/team"."""
        return urlsplit(self.url).path


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key with its value, or "(hidden)" for a secret; `source` is file:line, a variable, or default."""

    key: str
    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole of config.toml, checked; paths are absolute."""

    path: Path
    site: Site
    feeds: tuple[Feed, ...]
    topics: tuple[Topic, ...]
    digests: tuple[Digest, ...]
    mail: MailSettings
    database_url: str = field(repr=False)
    has_engine: bool  # nodes do the work, by jobs; otherwise each firing does it in its own process
    web: WebSettings
    limits: FetchLimits
    brand_files: tuple[tuple[str, BrandFile], ...] = field(repr=False)  # by their keys in [brand]
    copies: bool  # of pictures; without them, emails link to the originals
    rules_off: tuple[tuple[str, str], ...]  # of the preflight, each with the reason
    templates: Path | None  # the operator's own folder, which comes before ours
    secret_file: Path
    secret: bytes | None = field(repr=False)  # from the environment; None: it is in `secret_file`
    settings: tuple[Setting, ...] = field(repr=False)
    staff: StaffSettings | None = None  # None: there are no pages for the staff
    api_token: bytes | None = field(default=None, repr=False)  # gives access to the staff's part of the API

    def problem(self, key: str, message: str) -> Problem:
        """Return a problem with a key, at its line in the file if it has one."""
        sources = (setting.source for setting in self.settings if setting.key == key)
        line = next(sources, "").rpartition(":")[2]
        number = int(line) if line.isdecimal() else None
        return Problem(file=str(self.path), line=number, key=key, message=message)

    def digest(self, slug: str) -> Digest:
        """Return a digest by its slug; raises NotFoundError, which lists the digests that exist."""
        if digest := self.digest_or_none(slug):
            return digest
        raise NotFoundError("digest", slug, tuple(digest.slug for digest in self.digests))

    def digest_or_none(self, slug: str) -> Digest | None:
        """Return a digest by its slug; None if it is no longer configured, although it has editions."""
        return next((digest for digest in self.digests if digest.slug == slug), None)
