"""A site for tests: invented readers, a clock that tests set, and emails read from a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import unescape
from pathlib import Path

from altcha import Challenge, Payload, solve_challenge
from httpx2 import Response
from starlette.testclient import TestClient

from digest.app import App
from digest.config import load
from digest.model.run_context import RunContext
from digest.readers.notices import send_notices
from digest.readers.subscribers import add_reader, requested
from digest.render.templates import load_templates
from digest.storage.database import Database
from digest.web.app import create_web
from subscribers.model import Consent, Reader
from subscribers.store.mailable import mailable
from subscribers.store.readers import history, reader_at
from subscribers.tokens import address_hash, reader_token

BASE = "https://digest.example.org"
SECRET = b"a secret of the tests, and of nothing else"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday
CONFIG = """
[site]
name = "Harbour Digest"
base_url = "https://digest.example.org"
postal_address = "Harbour Digest\\n1 Quay Street, Port Ellery"

[[topic]]
slug = "city"
title = "Around town"
tags = ["city"]

[[topic]]
slug = "green"
title = "Sea and garden"
tags = ["garden"]

[[digest]]
slug = "daily"
title = "Daily"
schedule = "weekdays at 07:00"
from = "Harbour Digest <daily@digest.example.org>"
zone = "Europe/Berlin"
topics = ["city", "green"]

[[digest]]
slug = "weekend"
title = "Weekend"
schedule = "saturdays at 09:00"
from = "Harbour Digest <weekend@digest.example.org>"
zone = "Europe/Berlin"
"""


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@dataclass(slots=True)
class Site:
    """The pages, with the steps that tests take on them."""

    app: App
    clock: Clock
    folder: Path
    client: TestClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.visitor()

    def visitor(self, address: str = "192.0.2.7") -> TestClient:
        """Return another client, at its own network address."""
        web = create_web(self.app, clock=self.clock, proof_cost=1)
        return TestClient(web, base_url=BASE, client=(address, 50_000), raise_server_exceptions=False)

    def add(self, address: str = "ada@example.org", digests: Sequence[str] = ("daily", "weekend")) -> int:
        """Add a reader to the list, and return their id."""
        requests = [requested(slug, topics="", hour="", zone="") for slug in digests]
        add_reader(self.app, address, requests, source="test", now=self.clock() - timedelta(days=9))
        return self.id_of(address)

    def reader(self, address: str = "ada@example.org") -> Reader:
        with self.app.database.read() as connection:
            return reader_at(connection, address, address_hash(self.app.secret, address))

    def id_of(self, address: str) -> int:
        subscriber = self.reader(address).subscriber
        assert subscriber is not None
        return subscriber.id

    def reads(self, address: str = "ada@example.org") -> set[str]:
        reader = self.reader(address)
        return {each.digest for each in reader.subscriptions if reader.reads(each.digest)}

    def history(self, address: str = "ada@example.org") -> tuple[Consent, ...]:
        with self.app.database.read() as connection:
            return history(connection, self.id_of(address))

    def mailed(self, digest: str = "daily") -> set[str]:
        """Return the addresses that would be sent an edition now."""
        with self.app.database.read() as connection:
            return {row.address for row in connection.execute(mailable(digest, self.clock()))}

    def leave_link(self, address: str = "ada@example.org", digest: str = "daily") -> str:
        return f"/u/{digest}/{reader_token(self.app.secret, self.id_of(address), f'u:{digest}')}"

    def preferences_link(self, address: str = "ada@example.org") -> str:
        return f"/p/{reader_token(self.app.secret, self.id_of(address), 'p')}"

    def settle(self) -> None:
        """Send the notices that are queued."""
        assert send_notices(self.app, RunContext(clock=self.clock))

    def fill_in(
        self,
        fields: Mapping[str, object],
        client: TestClient | None = None,
        page: str = "/signup",
    ) -> Response:
        """Fill in the form as a browser with JavaScript does."""
        client = client or self.client
        html = client.get(page).text
        data = {"address": "eve@example.org", "digest": ["daily"], **hidden(html), "proof": solved(html)}
        self.clock.forward(seconds=5)
        return client.post("/signup", data={**data, **fields})

    def sign_up(
        self, client: TestClient | None = None, *, page: str = "/signup", **fields: object
    ) -> Response:
        """Fill in the form, and send the notices."""
        answer = self.fill_in(fields, client, page)
        self.settle()
        return answer

    def emails(self) -> list[EmailMessage]:
        """Return all emails in the folder, oldest first."""
        paths = sorted(self.folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        found = [message_from_bytes(path.read_bytes(), policy=default) for path in paths]
        return [email for email in found if isinstance(email, EmailMessage)]


def open_site(database: Database, folder: Path, config: str = CONFIG) -> Site:
    """Return a site on a database with tables; emails go into a folder."""
    path = folder / "config.toml"
    path.write_text(config, encoding="utf-8")
    app = App(config=load(path, {}), database=database, templates=load_templates(), secret=SECRET)
    return Site(app=app, clock=Clock(), folder=app.config.mail.folder)


def hidden(html: str) -> dict[str, str]:
    """Return the hidden fields of the form on a page."""
    return {
        name: unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', html)
    }


def solved(html: str) -> str:
    """Return the solution of a page's proof of work."""
    found = re.search(r'data-challenge="([^"]+)"', html)
    assert found
    challenge = Challenge.from_dict(json.loads(unescape(found[1])))
    solution = solve_challenge(challenge)
    assert solution is not None
    return Payload(challenge, solution).to_base64()


def text_of(email: EmailMessage) -> str:
    """Return the plain text of an email."""
    part = email.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link_in(email: EmailMessage, kind: str) -> str:
    """Return the path of the first link of a kind ("c", "p", "m") in an email's text."""
    found = re.search(rf"{re.escape(BASE)}(/{kind}/\S+)", text_of(email))
    assert found, text_of(email)
    return found[1]
