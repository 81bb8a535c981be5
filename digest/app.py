"""Build the parts of the program from the configuration, in one place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from digest.config import Config
from digest.config.secret import load_secret, require_same
from digest.engine.jobs import defer
from digest.engine.schema import ensure_tables
from digest.message.build import MessageSettings, Render
from digest.message.folder import FolderTransport
from digest.message.look import look_from, renderer_of, web_copy_url
from digest.model.editions import Edition
from digest.model.errors import ConfigError
from digest.model.messages import Email, ReaderLinks, Transport
from digest.render.edition_renderer import EditionRenderer
from digest.render.mail import render_email
from digest.render.templates import Templates, load_templates
from digest.schedule.jobs import Job
from digest.send.answers.retries import Doubt, RetryRules
from digest.send.outbox import Outbox
from digest.smtp.transport import SmtpTransport
from digest.storage.database import Connection, Database, open_database
from digest.storage.fingerprints import fingerprint, has_readers, known_fingerprint, note_fingerprint
from digest.storage.intake.pictures import brand_file_names, save_brand_file
from digest.storage.ledger.looks import KeptLook
from digest.storage.migrate import migrate
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The parts of the program, which every command and page uses."""

    config: Config
    database: Database
    templates: Templates
    secret: bytes = field(repr=False)

    def message_settings(self) -> MessageSettings:
        """Return the settings for building messages: templates, key for links, return addresses."""
        mail = self.config.mail
        return MessageSettings(
            render=EditionRenderer(self.templates, web_copy_url),
            secret=self.secret,
            bounce_address=mail.bounce_address,
            unsubscribe_address=mail.unsubscribe_address,
        )

    def render(self, edition: Edition, links: ReaderLinks, language: str = "") -> Email:
        """Return the email of an edition for a reader of `language`; it links to the web archive."""
        web_url = web_copy_url(edition)
        return render_email(self.templates, edition, links, web_url=web_url, language=language)

    def renderer(self, kept: KeptLook) -> Render:
        """Return a function that renders an edition with the templates and words of its look."""
        return renderer_of(self.templates, look_from(kept))

    def transport(self) -> Transport:
        """Return a new transport: the mail servers, or the folder if there are none.

        Raises ConfigError if the password of a server is missing.
        """
        mail = self.config.mail
        mail.require_passwords()
        return self._smtp() if mail.servers else FolderTransport(mail.folder)

    def outbox(self, lines: int = 1) -> Outbox:
        """Return everything that sending needs; a group is as large as the connections can take at once.

        Of several `lines` that send at the same time, each has its share of the connections, but at least
        one. Raises ConfigError if the password of a server is missing.
        """
        mail = self.config.mail
        mail.require_passwords()
        outbox = Outbox(
            transport=FolderTransport(mail.folder),
            message_settings=self.message_settings(),
            renderer=self.renderer,
            rules=RetryRules(lifetime=mail.retry_for, doubt=Doubt(mail.doubt)),
            limits=mail.limits,
            offers=self.offers(),
        )
        if not mail.servers:
            return outbox
        smtp = self._smtp(lines)
        return replace(outbox, transport=smtp, group=max(1, smtp.window), room=lambda: smtp.room)

    def offers(self) -> dict[str, frozenset[Frequency]]:
        """Return the frequencies that readers of each digest may choose besides each edition."""
        return {digest.slug: digest.frequencies for digest in self.config.digests}

    def _smtp(self, lines: int = 1) -> SmtpTransport:
        mail = self.config.mail
        servers = [replace(each, connections=max(each.connections // lines, 1)) for each in mail.servers]
        return SmtpTransport(servers, ehlo_name=mail.ehlo_name)

    def defer(self, connection: Connection, jobs: Sequence[Job], *, unless_running: bool = False) -> int:
        """Store jobs that nodes will do, when the transaction is committed; return how many are new.

        A job that waits already, or `unless_running` is done now, is not stored again. Only for an
        installation with an engine.
        """
        return defer(connection, jobs, unless_running=unless_running)


@contextmanager
def open_app(config: Config, *, connections: int | None = None) -> Iterator[App]:
    """Open the parts that `config` describes, with a migrated database, and close them at the end.

    So many `connections` to PostgreSQL are open at most. Raises DatabaseError, TemplateError, SecretError.
    """
    templates = load_templates(config.templates)
    database = open_database(config.database_url, connections=connections)
    try:
        migrate(database)
        if config.has_engine:
            ensure_tables(database)
        secret = signing_key(config, database)
        _keep_brand_files(config, database)
        yield App(config=config, database=database, templates=templates, secret=secret)
    finally:
        database.close()


def reopen_app(config: Config, app: App) -> App:
    """Return the parts that a changed `config` describes; they share the database with `app`.

    Raises ConfigError, TemplateError, SecretError, DatabaseError; `app` can then be used as before.
    """
    if config.database_url != app.config.database_url:
        message = "the database cannot be changed while the program runs; restart it"
        raise ConfigError((config.problem("database.url", message),))
    config.mail.require_passwords()
    templates = load_templates(config.templates)
    secret = signing_key(config, app.database)
    _keep_brand_files(config, app.database)
    if config.has_engine:
        ensure_tables(app.database)
    return App(config=config, database=app.database, templates=templates, secret=secret)


def _keep_brand_files(config: Config, database: Database) -> None:
    """Save the logo and the header picture, so that each edition keeps those it was approved with."""
    files = {file.picture.name: file.body for _, file in config.brand_files}
    if files:
        with database.read() as connection:
            new = files.keys() - brand_file_names(connection)
        if new:
            with database.write() as connection:
                for name in sorted(new):
                    save_brand_file(connection, name, files[name])


def signing_key(config: Config, database: Database) -> bytes:
    """Return the key that signs readers' links, and make it if the installation is new.

    The database keeps a fingerprint of the first key. Raises SecretError if the key is missing or is another
    one although the database has a fingerprint or readers: a new key would make all earlier links useless.
    """
    with database.read() as connection:
        known = known_fingerprint(connection)
        new = known is None and not has_readers(connection)
    secret = config.secret or load_secret(config.secret_file, make=new)
    if known is None:
        with database.write() as connection:
            known = note_fingerprint(connection, fingerprint(secret))
    require_same(secret, known, "DIGEST_SECRET" if config.secret else str(config.secret_file))
    return secret
