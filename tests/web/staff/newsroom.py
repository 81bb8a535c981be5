"""A newsroom for tests: the staff's pages, with people of each role who are signed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.testclient import TestClient

from digest.app import App
from digest.model.staff import Person, Role
from digest.staff.people import add_person
from digest.staff.second_factor import sealed
from digest.staff.signin import Visitor, begin_session
from digest.storage.database import Database
from digest.storage.staff.people import change_account
from digest.web.app import create_web
from tests.web.site import CONFIG, Clock, Site, open_site

DESK = "https://desk.example.org"
PASSWORD = "ferry lantern marmalade"
# Its argon2 hash. It saves the tests the time that a hash takes.
HASHED = "$argon2id$v=19$m=19456,t=2,p=1$lTWzl/JbQrlIzIrVf3s8kA$7e9JjgCcRcoQ4I8a6ey6SKW+2re+90mI/XzkILq4pBg"
NAMES = {
    Role.READER: "Ada Lind",
    Role.EDITOR: "Jonas Wieck",
    Role.APPROVER: "Maren Kolb",
    Role.OPERATOR: "Tomas Hale",
    Role.ADMINISTRATOR: "Ines Duarte",
}


@dataclass(slots=True)
class Newsroom:
    """The staff's pages at DESK, beside the readers' pages of `site`."""

    site: Site
    base: str = DESK
    cookie: str = "__Host-desk"
    people: dict[str, Person] = field(default_factory=dict)
    web: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.web = create_web(self.app, clock=self.clock, proof_cost=1)

    @property
    def app(self) -> App:
        return self.site.app

    @property
    def clock(self) -> Clock:
        return self.site.clock

    def visitor(self, address: str = "192.0.2.9") -> TestClient:
        """Return the browser of somebody who is not signed in. It says that its forms come from our pages."""
        client = TestClient(
            self.web,
            base_url=self.base,
            client=(address, 50_000),
            raise_server_exceptions=False,
            follow_redirects=False,
        )
        client.headers["sec-fetch-site"] = "same-origin"
        return client

    def person(self, role: Role = Role.EDITOR, name: str = "") -> Person:
        """Return a person with a role; the same name is always the same person."""
        name = name or NAMES[role]
        if name not in self.people:
            address = f"{name.split()[0].lower()}@example.org"
            new = Person(id="", name=name, address=address, role=role)
            person, _ = add_person(self.app.database, new, self.clock())
            with self.app.database.write() as connection:
                change_account(connection, person.id, password=HASHED, link=None, totp=self._factor(role))
            self.people[name] = person
        return self.people[name]

    def _factor(self, role: Role) -> str | None:
        """Return the second factor that administrators need, except on this machine."""
        needed = role is Role.ADMINISTRATOR and self.base.startswith("https:")
        return sealed(self.app.secret, "JBSWY3DPEHPK3PXP") if needed else None

    def signed_in(self, role: Role = Role.EDITOR, name: str = "") -> TestClient:
        """Return the browser of a person with a role, who is signed in."""
        client = self.visitor()
        return self.sign_in(client, self.person(role, name))

    def sign_in(self, client: TestClient, person: Person) -> TestClient:
        """Give a browser a new session of a person."""
        cookie = begin_session(self.app.database, person.id, Visitor(key="test"), self.clock())
        client.cookies.set(self.cookie, cookie, domain=str(urlsplit(self.base).hostname), path="/")
        return client


def open_newsroom(database: Database, folder: Path, config: str = CONFIG, url: str = DESK) -> Newsroom:
    """Return a newsroom on a database with tables; a configuration without [staff] gets one with `url`."""
    if "[staff]" not in config:
        config += f'\n[staff]\nurl = "{url}"\n'
    return Newsroom(open_site(database, folder, config))
