"""Say which right each page and each request of the staff needs, in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from digest.model.staff import Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The right that a route needs, and the words of the audit trail when a request has succeeded.

    Without a right, the route is open to everybody. `audit` is in the past tense: "approved an edition". It
    is "" if the trail need not know, or if the operation writes into the trail itself.
    """

    right: Right | None
    everywhere: bool = False  # it concerns all digests, so that nobody who is limited to some may use it
    audit: str | None = None  # only for requests that change something


OPEN = Access(right=None)
LOOK = Access(right=Right.LOOK)
ADMINISTER = Access(right=Right.ADMINISTER)


def _edit(audit: str) -> Access:
    return Access(right=Right.EDIT, audit=audit)


def _begin(audit: str | None = None) -> Access:
    return Access(right=Right.OPERATE, everywhere=True, audit=audit)


# (method, path of the route) → access. `create_staff` refuses a route that is not here, and a line without
# a route. Each POST says what it writes into the audit trail.
ACCESS: Mapping[tuple[str, str], Access] = {
    # Signing in and out
    ("GET", "/"): OPEN,
    ("GET", "/static/{name}"): OPEN,
    ("GET", "/login"): OPEN,
    ("POST", "/login"): Access(right=None, audit=""),
    ("POST", "/logout"): Access(right=None, audit=""),
    ("GET", "/login/left"): OPEN,
    ("POST", "/login/stay"): Access(right=None, audit=""),
    ("GET", "/welcome/{token}"): OPEN,
    ("POST", "/login/code"): Access(right=None, audit=""),
    ("GET", "/login/oidc"): OPEN,
    ("GET", "/login/oidc/back"): OPEN,
    ("POST", "/welcome/{token}"): Access(right=None, audit=""),
    # The overview of the desk, and posts
    ("GET", "/desk"): LOOK,
    ("POST", "/desk/skip"): _edit("skipped a date"),
    ("POST", "/desk/unskip"): _edit("took the skip of a date back"),
    ("GET", "/desk/posts"): LOOK,
    ("POST", "/desk/posts"): _edit("decided about posts"),
    ("GET", "/desk/start"): _begin(),
    ("POST", "/desk/start"): _begin("searched a site for feeds"),
    ("GET", "/desk/start/{job}"): _begin(),
    ("POST", "/desk/start/{job}"): _begin("added feeds and began a digest"),
    # One's own account; the operations write into the trail themselves
    ("GET", "/account"): LOOK,
    ("POST", "/account/password"): Access(right=Right.LOOK, audit=""),
    ("GET", "/account/second-factor"): LOOK,
    ("POST", "/account/second-factor"): Access(right=Right.LOOK, audit=""),
    ("POST", "/account/second-factor/off"): Access(right=Right.LOOK, audit=""),
    ("POST", "/account/sessions/end"): Access(right=Right.LOOK, audit=""),
    ("POST", "/account/sessions/{name}/end"): Access(right=Right.LOOK, audit=""),
    ("POST", "/account/tokens"): Access(right=Right.LOOK, audit=""),
    ("POST", "/account/tokens/{name}/revoke"): Access(right=Right.LOOK, audit=""),
    # People and the audit trail; the operations write into the trail themselves
    ("GET", "/staff"): ADMINISTER,
    ("POST", "/staff"): Access(right=Right.ADMINISTER, audit=""),
    ("POST", "/staff/{person_id}/link"): Access(right=Right.ADMINISTER, audit=""),
    ("POST", "/staff/{person_id}/role"): Access(right=Right.ADMINISTER, audit=""),
    ("GET", "/staff/{person_id}/digests"): ADMINISTER,
    ("POST", "/staff/{person_id}/digests"): Access(right=Right.ADMINISTER, audit=""),
    ("POST", "/staff/{person_id}/second-factor/off"): Access(right=Right.ADMINISTER, audit=""),
    ("GET", "/staff/{person_id}/remove"): ADMINISTER,
    ("POST", "/staff/{person_id}/remove"): Access(right=Right.ADMINISTER, audit=""),
    ("GET", "/staff/audit"): ADMINISTER,
    # Operations. Anybody may stop an edition.
    ("GET", "/ops"): LOOK,
    ("GET", "/ops/readers"): LOOK,
    ("GET", "/ops/feeds"): LOOK,
    ("GET", "/ops/feeds/{name:path}"): LOOK,
    ("POST", "/ops/fetch"): Access(right=Right.OPERATE, audit="asked for a feed"),
    ("GET", "/ops/schedules"): LOOK,
    ("GET", "/ops/notices"): LOOK,
    ("GET", "/ops/editions"): LOOK,
    ("GET", "/ops/editions/{edition_id}"): LOOK,
    ("GET", "/ops/editions/{edition_id}/progress"): LOOK,
    ("GET", "/ops/editions/{edition_id}/domains"): LOOK,
    ("POST", "/ops/editions/{edition_id}/pause"): Access(right=Right.LOOK, audit="paused an edition"),
    ("POST", "/ops/editions/{edition_id}/resume"): Access(right=Right.OPERATE, audit="resumed an edition"),
    ("GET", "/ops/editions/{edition_id}/cancel"): Access(right=Right.OPERATE),
    ("POST", "/ops/editions/{edition_id}/cancel"): Access(
        right=Right.OPERATE, audit="cancelled the rest of an edition"
    ),
    ("GET", "/ops/deliveries"): LOOK,
    ("POST", "/ops/retry"): Access(right=Right.OPERATE, audit="queued deliveries again"),
    # Emails to the staff. A signed link names its person, whose right is checked with it.
    ("GET", "/signed/{purpose}/{token}"): OPEN,
    ("POST", "/signed/{purpose}/{token}"): Access(right=None, audit=""),
    ("GET", "/account/notices"): LOOK,
    ("POST", "/account/notices"): Access(right=Right.LOOK, audit=""),
    # One edition. Its list of edits says who changed what, and anybody may hold it.
    ("GET", "/desk/{edition_id}"): LOOK,
    ("GET", "/desk/{edition_id}/live"): LOOK,
    ("POST", "/desk/{edition_id}/here"): Access(right=Right.LOOK, audit=""),
    ("GET", "/desk/pictures/{name}"): LOOK,
    ("POST", "/desk/{edition_id}/edit"): Access(right=Right.EDIT, audit=""),
    ("POST", "/desk/{edition_id}/refresh"): Access(right=Right.EDIT, audit="planned an edition again"),
    ("POST", "/desk/{edition_id}/correct"): Access(right=Right.EDIT, audit="corrected an edition"),
    ("GET", "/desk/{edition_id}/test"): LOOK,
    ("POST", "/desk/{edition_id}/test"): Access(right=Right.LOOK, audit="sent a test of an edition"),
    ("GET", "/desk/{edition_id}/approve"): Access(right=Right.APPROVE),
    ("POST", "/desk/{edition_id}/approve"): Access(right=Right.APPROVE, audit="approved an edition"),
    ("POST", "/desk/{edition_id}/unapprove"): Access(right=Right.APPROVE, audit="took an approval back"),
    ("POST", "/desk/{edition_id}/hold"): Access(right=Right.LOOK, audit="held an edition"),
    ("POST", "/desk/{edition_id}/resume"): Access(right=Right.EDIT, audit="resumed an edition"),
    ("GET", "/desk/{edition_id}/send"): Access(right=Right.APPROVE),
    ("POST", "/desk/{edition_id}/send"): Access(right=Right.APPROVE, audit="sent an edition before its time"),
    ("GET", "/desk/{edition_id}/cancel"): Access(right=Right.EDIT),
    ("POST", "/desk/{edition_id}/cancel"): Access(right=Right.EDIT, audit="cancelled an edition"),
    ("GET", "/desk/{edition_id}/correction"): Access(right=Right.EDIT),
    ("POST", "/desk/{edition_id}/correction"): _edit("corrected the web copy of an edition"),
    # Looking at an edition: its email, its views, its history, its comments
    ("GET", "/desk/{edition_id}/mail"): LOOK,
    ("GET", "/desk/{edition_id}/lines"): LOOK,
    ("GET", "/desk/{edition_id}/findings"): LOOK,
    ("GET", "/desk/{edition_id}/preview"): LOOK,
    ("POST", "/desk/{edition_id}/preview"): Access(right=Right.LOOK, audit=""),
    ("GET", "/desk/{edition_id}/history"): LOOK,
    ("POST", "/desk/{edition_id}/history"): Access(right=Right.EDIT, audit="undid an edit"),
    ("GET", "/desk/{edition_id}/comments"): LOOK,
    ("POST", "/desk/{edition_id}/comments"): Access(right=Right.LOOK, audit="commented"),
}


def faults_of(routes: Iterable[tuple[str, str]]) -> list[str]:
    """Return what is wrong with the table for these routes: nothing, if each has its line."""
    known = set(routes)
    faults = [f"{method} {path} has no line in ACCESS" for method, path in sorted(known - ACCESS.keys())]
    faults += [
        f"ACCESS has {method} {path}, but there is no such route" for method, path in ACCESS.keys() - known
    ]
    faults += [
        f"{method} {path} does not say what the audit trail says"
        for (method, path), access in ACCESS.items()
        if method != "GET" and access.audit is None
    ]
    return faults
