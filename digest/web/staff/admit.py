"""Admit each request of the staff or refuse it, and write into the audit trail what it has done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest.editions.editions import digests_named
from digest.model.staff import Person, Right
from digest.staff.account import own_account
from digest.staff.audit import note
from digest.staff.signin import person_of
from digest.web.security.forms import Form, Sent
from digest.web.security.security import host_of
from digest.web.staff.access import ACCESS, Access
from digest.web.staff.context import (
    FactorMissingError,
    RightMissingError,
    SignedOutError,
    StaffContext,
    WholeDesk,
)

log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; frame-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Unlike the readers' pages: a form without an origin is refused, so browsers must tell ours.
_REFERRER = "same-origin"
_CHANGES_NOTHING = ("GET", "HEAD")
# The ends of paths that an open page asks for by itself.
_BY_THEMSELVES = ("/live", "/here", "/findings", "/left")


def admit(request: Request, context: WholeDesk, form: Sent) -> None:
    """Find out who is signed in, and refuse a request without the right for it (a dependency of all routes).

    A person who is limited to some digests is refused if the request names another one, or an edition of
    another one, in its path, its query or its form; all that the route sees is then limited to these digests.

    Raises HTTPException 403 for a form from another site, SignedOutError, RightMissingError and, for pages of
    administrators, FactorMissingError.
    """
    method = "GET" if request.method == "HEAD" else request.method
    access = ACCESS[method, request.scope["route"].path]
    if method not in _CHANGES_NOTHING and not is_own_form(request, context.settings.host):
        log.warning("a form from another site was refused at %s", request.scope["route"].path)
        raise HTTPException(403, "the form came from another site")
    if access.right is None and request.scope["route"].path.startswith("/static/"):
        return
    cookie = request.cookies.get(context.cookie, "")
    used = not asks_by_itself(request)
    found = person_of(context.app.database, cookie, context.clock(), used=used) if cookie else None
    request.state.person, request.state.session = found or (None, None)
    if access.right is None:
        return
    if found is None:
        raise SignedOutError
    _require(request, context, access, form)
    request.state.digests, request.state.audit = found[0].digests, access.audit


def _require(request: Request, context: StaffContext, access: Access, form: Form) -> None:
    """Raise RightMissingError if the person who is signed in may not do what a request asks for."""
    person: Person = request.state.person
    assert access.right is not None
    if not person.may(access.right):
        raise RightMissingError(access.right)
    if access.right is Right.ADMINISTER and _lacks_factor(context, person):
        raise FactorMissingError
    if person.digests is None:
        return
    app = context.app
    for digest in sorted(digests_named(app.database, app.config, _names(request, form))):
        if not person.may(access.right, digest):
            raise RightMissingError(access.right, digest)
    own = any(person.works_on(digest.slug) for digest in app.config.digests)
    if access.everywhere or not (own or request.scope["route"].path.startswith("/account")):
        raise RightMissingError(access.right, everywhere=True)


def _lacks_factor(context: StaffContext, person: Person) -> bool:
    """Tell whether a person must first turn a second factor on; on this machine alone, nobody must."""
    on_this_machine = not context.settings.url.startswith("https:")
    return not on_this_machine and not own_account(context.app.database, person).needs_more_than_a_password


def _names(request: Request, form: Form) -> set[str]:
    """Return all that may be the name of a digest or of an edition in a request."""
    found = [request.path_params.get("edition_id", "")]
    for name in ("digest", "edition"):
        found += [*request.query_params.getlist(name), *form.many(name)]
    return {each.strip() for each in found}


def asks_by_itself(request: Request) -> bool:
    """Tell whether an open page sent a request by itself, so that nobody need be in front of it."""
    path: str = request.scope["route"].path
    return path.endswith(_BY_THEMSELVES) or (request.method == "GET" and "hx-request" in request.headers)


def is_own_form(request: Request, host: str) -> bool:
    """Tell whether a form was sent by one of the staff's own pages; a request that does not tell is refused.

    The staff have cookies, which a browser would also send along with a form of another site.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = host_of(request.headers.get("origin", ""))
    return origin is not None and origin in (host, request.headers.get("host", "").lower())


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
