"""Serve all pages for a trial on this machine, with links that sign people of the staff in, once each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from anyio.to_thread import run_sync
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from digest.app import App
from digest.model.run_context import utc_now
from digest.model.staff import Person
from digest.staff.signin import LIFE, Visitor, begin_session
from digest.web.serving import serving
from digest.web.staff.context import cookie_name

_ENTER = "/enter/"
_VISITOR = Visitor(key="trial", browser="a link of the demo")


@contextmanager
def trial(app: App, people: Sequence[Person], wake: Callable[[], None]) -> Iterator[tuple[str, ...]]:
    """Serve the pages at [web] until the block ends, and give a link for each person.

    A link signs its person in without a password, and can be used once. Real publications have no such
    links: this is for an invented staff on loopback.
    """
    settings = app.config.staff
    assert settings is not None, "without [staff] there are no pages to sign in to"
    tokens = {secrets.token_urlsafe(24): person for person in people}
    with serving(app, wake=wake, behind=partial(_SignIn, app=app, tokens=dict(tokens))):
        yield tuple(f"{settings.url}{_ENTER}{token}" for token in tokens)


class _SignIn:
    """Wrap the pages: a link of the trial begins a session and leads to the desk."""

    def __init__(self, pages: ASGIApp, *, app: App, tokens: dict[str, Person]) -> None:
        self._pages, self._app, self._tokens = pages, app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through, or answer it."""
        assert self._app.config.staff is not None
        prefix = f"{self._app.config.staff.path}{_ENTER}"
        is_link = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(prefix)
        person = self._tokens.pop(scope["path"].removeprefix(prefix), None) if is_link else None
        pages = self._pages if person is None else await run_sync(self._enter, person)
        await pages(scope, receive, send)

    def _enter(self, person: Person) -> Response:
        settings = self._app.config.staff
        assert settings is not None
        cookie = begin_session(self._app.database, person.id, _VISITOR, utc_now())
        headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
        answer = RedirectResponse(f"{settings.path}/desk", status_code=303, headers=headers)
        answer.set_cookie(
            cookie_name(settings),
            cookie,
            max_age=int(LIFE.total_seconds()),
            path=settings.path or "/",
            httponly=True,
            samesite="lax",
        )
        return answer
