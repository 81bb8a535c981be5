"""Admit each request of the staff or refuse it, and write into the audit trail what it has done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest.staff.audit import note
from digest.staff.signin import person_of
from digest.web.staff.access import ACCESS
from digest.web.staff.context import Desk, RightMissingError, SignedOutError, StaffContext

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; frame-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Unlike the readers' pages: a form without an origin is refused, so browsers must tell ours.
_REFERRER = "same-origin"
_CHANGES_NOTHING = ("GET", "HEAD")


def admit(request: Request, context: Desk) -> None:
    """Find out who is signed in, and refuse a request without the right for it (a dependency of all routes).

    Raises HTTPException 403 for a form from another site, SignedOutError and RightMissingError.
    """
    method = "GET" if request.method == "HEAD" else request.method
    access = ACCESS[method, request.scope["route"].path]
    if method not in _CHANGES_NOTHING and not is_own_form(request, context.settings.host):
        raise HTTPException(403, "the form came from another site")
    if access.right is None and request.scope["route"].path.startswith("/static/"):
        return
    cookie = request.cookies.get(context.cookie, "")
    found = person_of(context.app.database, cookie, context.clock()) if cookie else None
    request.state.person, request.state.session = found or (None, None)
    if access.right is None:
        return
    if found is None:
        raise SignedOutError
    if not found[0].may(access.right):
        raise RightMissingError(access.right)
    request.state.audit = access.audit


def is_own_form(request: Request, host: str) -> bool:
    """Tell whether a form was sent by one of the staff's own pages; a request that does not tell is refused.

    The staff have cookies, which a browser would also send along with a form of another site.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin", "null")
    return origin != "null" and urlsplit(origin).netloc.lower() in (
        host,
        request.headers.get("host", "").lower(),
    )


@dataclass(frozen=True, slots=True)
class StaffMiddleware:
    """Wrap the staff's pages: add their headers, and note in the audit trail what has succeeded.

    The note is written before the answer goes out, so nobody is told of an action that left no trace.
    """

    app: ASGIApp
    context: Callable[[], StaffContext]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["state"] = {}

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", POLICY)
                headers.setdefault("referrer-policy", _REFERRER)
                if self.context().settings.url.startswith("https:"):
                    headers.setdefault("strict-transport-security", "max-age=31536000")
                if message["status"] < 400 and scope["state"].get("audit"):
                    await run_sync(self._note, scope)
            await send(message)

        await self.app(scope, receive, answered)

    def _note(self, scope: Scope) -> None:
        context, state = self.context(), scope["state"]
        subject = state.get("subject") or " ".join(map(str, scope.get("path_params", {}).values()))
        note(context.app.database, state["person"], state["audit"], subject, context.clock())
