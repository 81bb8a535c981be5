"""The configuration in force, as frozen values: what the rest of the program reads of config.toml."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from digest.errors import NotFoundError
from digest.model import FetchLimits, SmtpServer
from digest.publication import Digest, Feed, Site, Topic
from digest.send.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """Where letters go: into `folder` when there is no server."""

    folder: Path
    servers: tuple[SmtpServer, ...] = ()
    bounce_address: str | None = None  # envelope sender, where bounces come back; else the digest's sender
    unsubscribe_address: str | None = None  # takes goodbyes by mail; else where replies go
    ehlo_name: str | None = None  # what we call ourselves to a server; else this machine's name
    retry_for: timedelta = timedelta(hours=24)  # how long refused-for-now letters are tried again
    doubt: str = "hold"  # or "resend": letters that were on the wire when the line broke
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where the pages are served."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key in force, secrets hidden; `source` is file:line, a variable, or default."""

    key: str
    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All of config.toml, checked. Paths are absolute."""

    path: Path
    site: Site
    feeds: tuple[Feed, ...]
    topics: tuple[Topic, ...]
    digests: tuple[Digest, ...]
    mail: MailSettings
    database_url: str = field(repr=False)
    web: WebSettings
    limits: FetchLimits
    templates: Path | None  # a folder of the operator's own, before ours
    secret_file: Path
    secret: bytes | None = field(repr=False)  # from the environment; else it is in `secret_file`
    settings: tuple[Setting, ...] = field(repr=False)
    api_token: bytes | None = field(default=None, repr=False)  # opens the staff's parts of the API

    def digest(self, slug: str) -> Digest:
        """Return a digest by its slug; raises NotFoundError, naming those there are."""
        for digest in self.digests:
            if digest.slug == slug:
                return digest
        raise NotFoundError("digest", slug, tuple(digest.slug for digest in self.digests))
