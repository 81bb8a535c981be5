"""A small publication with a staff; all its messages go to a reply server on loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from urllib.parse import urlsplit

from digest.app import App
from digest.editions.notices.links import Asked, asked
from digest.message.staff_links import SIGNED, LinkPurpose
from digest.model.editions import EditionRecord
from digest.model.run_context import RunContext, RunEvent
from digest.model.staff import Person, Role
from digest.scheduler.run import run_due
from digest.storage.editions.records import load_edition
from digest.storage.staff.people import add_account, change_account
from tests.scheduler.installation import CONFIG, Place, at
from tests.smtp.reply_server import ReplyServer

MAIL = """
[staff]
url = "https://desk.example.org"

[mail]
transport = "smtp"
host = "127.0.0.1"
port = {port}
security = "none"
"""
FOOT = "mail/_foot.txt"
EDITION = "daily-2026-11-23"
_SIGNED = re.compile(rf"https://desk\.example\.org/{SIGNED}/\w+/[\w-]+")


@dataclass(slots=True)
class Newsroom:
    """A place with a staff, and the messages that its server has taken since they were read last."""

    place: Place
    server: ReplyServer
    app: App  # stays open, because opening it compiles all templates
    read: int = 0

    def run(self, now: str) -> list[str]:
        """Do what is due at this time, and return the events as text."""
        events: list[RunEvent] = []
        run_due(self.app, RunContext(clock=lambda: at(now), report=events.append))
        return [str(each) for each in events]

    def hire(self, name: str, role: Role = Role.APPROVER, now: str = "22 12:00") -> None:
        """Add a person who can sign in, with an address of the staff."""
        person = Person(id=name.lower(), name=name, address=f"{name.lower()}@staff.test", role=role)
        with self.app.database.write() as connection:
            add_account(connection, person, person.address, at(now))
            change_account(connection, person.id, password="x")

    def choose(self, name: str, notices: str) -> None:
        """Let a person choose the digests that they are told about."""
        with self.app.database.write() as connection:
            change_account(connection, name.lower(), notices=notices)

    def write_foot(self, line: str) -> None:
        """Write the publication's own foot of the text: the present one with a line added."""
        ours = (self.app.templates.defaults / FOOT).read_text(encoding="utf-8")
        (self.place.folder / "own" / FOOT).write_text(f"{ours}{line}\n", encoding="utf-8")

    def mail(self) -> list[tuple[str, EmailMessage]]:
        """Return the new messages and the first parts of their recipients' addresses, sorted."""
        new = self.server.accepted[self.read :]
        self.read += len(new)
        found = [(to.partition("@")[0], message_from_bytes(data, policy=default)) for _, to, data in new]
        return sorted(((to, each) for to, each in found if isinstance(each, EmailMessage)), key=_by)

    def told(self) -> list[tuple[str, str]]:
        """Return the new messages as names and subjects."""
        return [(to, str(message["Subject"])) for to, message in self.mail()]

    def record(self, edition_id: str = EDITION) -> EditionRecord:
        with self.app.database.read() as connection:
            return load_edition(connection, edition_id)

    def asked(self, url: str, now: str) -> Asked:
        """Return what a signed link asks for."""
        _, purpose, token = urlsplit(url).path.strip("/").split("/")
        return asked(self.app, LinkPurpose(purpose), token, at(now))


def newsrooms(place: Place, *, digest: str = "") -> Iterator[Newsroom]:
    """Yield a newsroom while its server runs; `digest` are more lines of its digest's table."""
    with ReplyServer() as server:
        (place.folder / "own/mail").mkdir(parents=True, exist_ok=True)
        config = CONFIG.replace("[site]", '[site]\ntemplates = "own"')
        place.configure(config + digest + MAIL.format(port=server.port))
        with place.app() as app:
            yield Newsroom(place, server, app)


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def html_of(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def links_in(message: EmailMessage) -> dict[str, str]:
    """Return the signed links of a message by their purposes; text and HTML must have the same."""
    found = {_purpose(url): url for url in _SIGNED.findall(text_of(message))}
    assert set(_SIGNED.findall(html_of(message))) == set(found.values())
    return found


def _purpose(url: str) -> str:
    return urlsplit(url).path.split("/")[2]


def _by(found: tuple[str, EmailMessage]) -> tuple[str, str]:
    return found[0], str(found[1]["Subject"])
