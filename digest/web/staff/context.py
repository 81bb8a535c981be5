"""Give the staff's pages what they share: the app, the clock, the person who is signed in, and rendering."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from digest.app import App
from digest.collect.intake import takes
from digest.config import StaffSettings
from digest.editions.desk.overview import held_posts
from digest.model.staff import Person, Right, rights_of
from digest.render.values import brand_values, site_values
from digest.staff.signin import Visitor, time_left
from digest.web.security.security import client_of
from digest.web.security.tickets import Tickets
from digest.web.staff.access import ACCESS

# The pages that every other page leads to, for those who may see them.
_NAV = (("/desk", "Desk"), ("/desk/posts", "Posts"), ("/ops", "Operations"), ("/staff", "Staff"))
_ACCOUNT = "/account"


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """A link in the head of each page. `note` stands beside it: "8 held"."""

    title: str
    path: str
    current: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffContext:
    """The parts of the program that the staff's pages use. A server has one, and its threads share it."""

    app: App
    settings: StaffSettings
    clock: Callable[[], datetime]
    wake: Callable[[], None]  # sends what is queued at once, if this process sends anything
    tickets: Tickets
    file: Callable[[str], str]  # the address of a stylesheet or a script
    reload: Callable[[], App]  # reads config.toml again, and returns the app that it describes
    digests: frozenset[str] | None = None  # of the person who asks; None: all of them

    @property
    def root(self) -> str:
        """Return the prefix of every path: empty, or the path of [staff] `url`."""
        return self.settings.path

    @property
    def cookie(self) -> str:
        """Return the name of the cookie."""
        return cookie_name(self.settings)

    def limited_to(self, digests: frozenset[str] | None) -> StaffContext:
        """Return what somebody sees who works on some digests: these, and the feeds that they take."""
        if digests is None:
            return self
        config = self.app.config
        own = tuple(digest for digest in config.digests if digest.slug in digests)
        feeds = tuple(feed for feed in config.feeds if any(takes(digest, feed) for digest in own))
        app = replace(self.app, config=replace(config, digests=own, feeds=feeds))
        return replace(self, app=app, digests=digests)

    def shows(self, digest: str) -> bool:
        """Tell whether the person who asks works on a digest."""
        return self.digests is None or digest in self.digests

    def visitor(self, request: Request) -> Visitor:
        """Return who has sent a request, as far as it tells."""
        client = client_of(request.client.host if request.client else None, self.app.secret)
        browser = _browser(request.headers.get("user-agent", ""))
        return Visitor(key=client.key, client=client.shown, browser=browser)

    def page(
        self,
        request: Request,
        name: str,
        values: Mapping[str, object],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Render the template `web/desk/{name}.html` with `values` and the values that all pages share."""
        html = self.app.templates.render(f"web/desk/{name}.html", {**self.shared(request), **values})
        return HTMLResponse(html, status_code=status, headers=dict(headers or {}))

    def shared(self, request: Request) -> dict[str, object]:
        """Return the values that the templates of all pages of the staff share."""
        person: Person | None = getattr(request.state, "person", None)
        session = getattr(request.state, "session", None)
        return {
            "person": person,
            "session_left": time_left(session, self.clock()) if session else None,
            "rights": frozenset(rights_of(person.role)) if person else frozenset(),
            "nav": _nav(person, self.path(request), self._notes(person)),
            "site": site_values(self.app.config.site),
            "brand": brand_values(self.app.config.site),
            "root": self.root,
            "now": self.clock(),
            "file": self.file,
            "when": self.when,
        }

    def _notes(self, person: Person | None) -> dict[str, str]:
        """Return what stands beside the links to pages, by their paths."""
        if person is None:
            return {}
        slugs = [each.slug for each in self.app.config.digests if person.works_on(each.slug)]
        held = held_posts(self.app.database, slugs)
        return {"/desk/posts": f"{held} held"} if held else {}

    @property
    def zone(self) -> str:
        """Return the time zone of the desk, which is that of the first digest."""
        return next((digest.zone for digest in self.app.config.digests), "UTC")

    def when(self, instant: datetime) -> str:
        """Return an instant as the staff's lists show it, in the zone of the desk: "30 Nov, 06:36"."""
        local, now = (each.astimezone(ZoneInfo(self.zone)) for each in (instant, self.clock()))
        year = f" {local.year}" if local.year != now.year else ""
        return f"{local.day} {local:%b}{year}, {local:%H:%M}"

    def path(self, request: Request) -> str:
        """Return the path of a request, without the prefix."""
        path: str = request.scope["path"]
        return path.removeprefix(request.scope["root_path"]) or "/"

    def redirect(self, path: str) -> RedirectResponse:
        """Return an answer that leads to another page of the staff after a form."""
        return RedirectResponse(f"{self.root}{path}", status_code=303)

    def home(self, person: Person | None) -> str:
        """Return the path of the page to begin with."""
        return next((item.path for item in _nav(person, "", {})), _ACCOUNT)


def cookie_name(settings: StaffSettings) -> str:
    """Return the name of the cookie of a session. Browsers accept these prefixes only from https."""
    if not settings.url.startswith("https:"):
        return "desk"
    return "__Secure-desk" if settings.path else "__Host-desk"


def name_subject(request: Request, subject: str) -> None:
    """Say what the audit trail names as the subject of this request, instead of the parts of its path."""
    request.state.subject = subject


def _nav(person: Person | None, path: str, notes: Mapping[str, str]) -> tuple[NavItem, ...]:
    shown = [(title, to) for to, title in _NAV if person is not None and _may(person, to)]
    here = max((to for _, to in shown if path == to or path.startswith(f"{to}/")), key=len, default="")
    return tuple(
        NavItem(title=title, path=to, current=to == here, note=notes.get(to, "")) for title, to in shown
    )


def _may(person: Person, path: str) -> bool:
    access = ACCESS.get(("GET", path))
    return access is not None and (access.right is None or person.may(access.right))


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def _browser(agent: str) -> str:
    """Return the name of a browser for the person who looks at the list: "Firefox on Linux"."""
    names = [next((name for mark, name in table if mark in agent), "") for table in (_BROWSERS, _SYSTEMS)]
    return " on ".join(filter(None, names)) or "another program"


def _context(request: Request) -> StaffContext:
    context: StaffContext = request.app.state.context
    return context


def _own(request: Request) -> StaffContext:
    return _context(request).limited_to(getattr(request.state, "digests", None))


def _signed_in(request: Request) -> Person:
    person: Person | None = request.state.person
    assert person is not None, "a route that needs a right has a person"
    return person


WholeDesk = Annotated[StaffContext, Depends(_context)]
Desk = Annotated[StaffContext, Depends(_own)]  # limited to the digests of the person who asks
SignedIn = Annotated[Person, Depends(_signed_in)]


class SignedOutError(Exception):
    """The request needs somebody who is signed in."""


class FactorMissingError(Exception):
    """The page is of administrators, and a password alone would sign the person in."""


class RightMissingError(Exception):
    """The person who is signed in lacks the right for the request.

    `digest` is set if it is lacking for this digest only; `everywhere` if the request concerns all digests.
    """

    def __init__(self, right: Right, digest: str = "", *, everywhere: bool = False) -> None:
        self.right, self.digest, self.everywhere = right, digest, everywhere
        super().__init__(right)
