"""Tell who calls the staff's part of the API, and with which rights, by the token of the request."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from digest.editions.editions import digests_named
from digest.model.staff import Person, Right
from digest.staff.audit import note
from digest.staff.tokens import person_of_token
from digest.web.api import shapes
from digest.web.pages.context import Context, WebContext

log = logging.getLogger(__name__)

CLOSED: dict[int | str, dict[str, Any]] = {code: {"model": shapes.Problem} for code in (401, 403)}

_bearer = HTTPBearer(auto_error=False, description="A token of a person, or the token in DIGEST_API_TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The person whose token a request has; None for the token in DIGEST_API_TOKEN."""

    person: Person | None
    rights: frozenset[Right]

    @property
    def name(self) -> str:
        """Return the name that editions keep."""
        return self.person.name if self.person else "the API"

    @property
    def digests(self) -> frozenset[str] | None:
        """Return the digests that the caller works on; None stands for all."""
        return self.person.digests if self.person else None

    def note(self, context: WebContext, action: str, subject: str = "") -> None:
        """Write into the audit trail what the caller did. A person's token stands for the person."""
        note(context.app.database, self.person, f"{action} by the API", subject, context.clock())


def needs(right: Right, *, everywhere: bool = False) -> Callable[..., Caller]:
    """Return a dependency that gives the caller: 401 without a valid token, 403 without the right.

    `everywhere` is for requests that concern all digests. Others are refused if they name a digest, or an
    edition of a digest, on which the person does not work.
    """

    def caller(
        request: Request,
        context: Context,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
    ) -> Caller:
        found = _caller(context, given.credentials if given else "")
        if found is None:
            raise HTTPException(401, "the token is missing or wrong", headers={"www-authenticate": "Bearer"})
        if right not in found.rights:
            log.warning("a token of %s lacks the right to %s", found.name, right)
            raise HTTPException(403, f"the token does not give the right to {right}")
        for digest in _foreign(request, context, found, everywhere=everywhere):
            raise HTTPException(403, f"the token does not give the right to {right} for {digest}")
        return found

    return caller


def _foreign(request: Request, context: WebContext, caller: Caller, *, everywhere: bool) -> list[str]:
    """Return the digests that a request is about, and on which the caller's person does not work."""
    if caller.digests is None:
        return []
    if everywhere:
        return ["all digests"]
    names = {*request.path_params.values(), *request.query_params.getlist("digest")}
    about = digests_named(context.app.database, context.app.config, names)
    return sorted(about - caller.digests)


def _caller(context: WebContext, token: str) -> Caller | None:
    of_list = context.app.config.api_token
    if of_list is not None and hmac.compare_digest(token.encode(errors="replace"), of_list):
        return Caller(person=None, rights=frozenset({Right.OPERATE}))
    found = person_of_token(context.app.database, token, context.clock()) if token else None
    return Caller(person=found[0], rights=found[1]) if found else None
