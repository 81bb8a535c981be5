"""Put the parts together in one place: from the configuration to the adapters the verbs are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from digest.app.secret import load_secret
from digest.config import Config
from digest.model import Edition, Mail, ReaderLinks, Transport
from digest.render.templates import Templates, load_templates
from digest.send.folder import FolderTransport
from digest.send.letters import Render, Stationery
from digest.send.outbox import Outbox
from digest.send.retries import Doubt, RetryRules
from digest.send.transport import SmtpTransport
from digest.storage.database import Database, open_database
from digest.storage.migrate import migrate
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """What every command and page works with."""

    config: Config
    database: Database
    templates: Templates
    secret: bytes = field(repr=False)

    def stationery(self) -> Stationery:
        """Return what letters are made with: the templates, the key to links, where answers go."""
        mail = self.config.mail
        return Stationery(
            render=self._typesetter(),
            secret=self.secret,
            bounce_address=mail.bounce_address,
            unsubscribe_address=mail.unsubscribe_address,
        )

    def render(self, edition: Edition, links: ReaderLinks, language: str = "") -> Mail:
        """Return the mail of an edition for a reader of `language`, which leads to its web copy."""
        from digest.render.mail import render_mail  # half a second's import, for those who render alone

        web_url = _web_url(edition)
        return render_mail(self.templates, edition, links, web_url=web_url, language=language)

    def _typesetter(self) -> Render:
        """Return what renders the many mails of an edition, loaded with the first of them."""

        @cache
        def typesetter() -> Render:
            from digest.render.typesetter import Typesetter

            return Typesetter(self.templates, _web_url)

        return lambda edition, links, language: typesetter()(edition, links, language)

    def transport(self) -> Transport:
        """Return a fresh way out for letters: the mail servers, or the folder when there is none."""
        mail = self.config.mail
        return self._smtp() if mail.servers else FolderTransport(mail.folder)

    def outbox(self) -> Outbox:
        """Return all that sending needs; groups are as large as the servers' lines can take at once."""
        mail = self.config.mail
        rules = RetryRules(lifetime=mail.retry_for, doubt=Doubt(mail.doubt))
        if not mail.servers:
            transport: Transport = FolderTransport(mail.folder)
            return Outbox(
                transport=transport,
                stationery=self.stationery(),
                rules=rules,
                limits=mail.limits,
                offers=self.offers(),
            )
        smtp = self._smtp()
        return Outbox(
            transport=smtp,
            stationery=self.stationery(),
            rules=rules,
            limits=mail.limits,
            offers=self.offers(),
            group=max(1, smtp.window),
            room=lambda: smtp.room,
        )

    def offers(self) -> dict[str, frozenset[Frequency]]:
        """Return what readers of each digest may choose besides each edition."""
        return {digest.slug: digest.frequencies for digest in self.config.digests}

    def _smtp(self) -> SmtpTransport:
        mail = self.config.mail
        return SmtpTransport(mail.servers, ehlo_name=mail.ehlo_name)


def _web_url(edition: Edition) -> str:
    return f"{edition.site.base_url}/d/{edition.digest}/{edition.id}"


@contextmanager
def open_app(config: Config) -> Iterator[App]:
    """Give the parts that `config` describes, with the database brought to this version, and close them.

    Raises DatabaseError, TemplateError, SecretError.
    """
    templates = load_templates(config.templates)
    secret = config.secret or load_secret(config.secret_file)
    database = open_database(config.database_url)
    try:
        migrate(database)
        yield App(config=config, database=database, templates=templates, secret=secret)
    finally:
        database.close()
