"""Programs of the staff: what a token lets them do with editions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from httpx2 import Response

from digest.model.staff import Right, Role
from digest.staff.audit import trail
from digest.staff.people import remove_person
from digest.staff.tokens import make_token
from digest.storage.database import Database
from tests.web.desk.newsroom import Desk, open_desk

EDITION = "daily-2026-11-23"
HOLD = f"/desk/editions/{EDITION}/hold"
APPROVE = f"/desk/editions/{EDITION}/approve"
SKIP = "/desk/digests/daily/skip"


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Desk:
    """A desk with a draft."""
    room = open_desk(database, tmp_path)
    room.publish("Ferry returns", "Tram line opens")
    room.run("22 20:00")
    room.run("23 06:40")
    return room


def call(room: Desk, token: str, method: str, path: str, body: object = None) -> Response:
    headers = {"authorization": f"Bearer {token}"}
    return room.newsroom.site.client.request(method, f"/api/v1{path}", json=body, headers=headers)


def token_of(room: Desk, *scopes: Right, role: Role = Role.APPROVER) -> str:
    person, clock = room.newsroom.person(role), room.newsroom.clock
    return make_token(room.newsroom.app.database, person, "a script", scopes, timedelta(days=30), clock())


def test_a_program_reads_approves_and_holds_what_its_person_may(room: Desk) -> None:
    token = token_of(room, Right.LOOK, Right.APPROVE, Right.EDIT)
    [listed] = call(room, token, "GET", "/desk/editions?digest=daily").json()
    assert (listed["id"], listed["state"], listed["held"]) == (EDITION, "draft", False)
    seen = call(room, token, "GET", f"/desk/editions/{EDITION}").json()
    assert [(each["level"], each["rule"]) for each in seen["findings"]] == [("warn", "empty_choice")]
    assert call(room, token, "POST", APPROVE, {"hash": "0" * 64}).status_code == 409
    assert call(room, token, "POST", APPROVE, {"hash": seen["hash"][:12]}).status_code == 422
    approved = call(room, token, "POST", APPROVE, {"hash": seen["hash"]}).json()
    assert (approved["state"], approved["approved_by"]) == ("approved", "Maren Kolb")
    assert call(room, token, "POST", APPROVE, {"hash": seen["hash"]}).status_code == 409
    held = call(room, token, "POST", HOLD, {"reason": "wait for the court"}).json()
    assert (held["held"], held["reason"]) == (True, "Maren Kolb: wait for the court")
    skipped = call(room, token, "POST", SKIP, {"day": "2026-11-24", "reason": "a holiday"}).json()
    assert skipped == {"digest": "daily", "day": "2026-11-24", "edition": None}
    assert call(room, token, "POST", SKIP, {"day": "2020-01-01", "reason": "a holiday"}).status_code == 409
    told = [(each.name, each.action, each.subject) for each in trail(room.newsroom.app.database)][:3]
    assert told == [
        ("Maren Kolb", "skipped a date by the API", "daily, 2026-11-24"),
        ("Maren Kolb", "held an edition by the API", EDITION),
        ("Maren Kolb", "approved an edition by the API", EDITION),
    ]


CALLS: tuple[tuple[str, str, object, Right], ...] = (
    ("GET", "/desk/editions", None, Right.LOOK),
    ("GET", f"/desk/editions/{EDITION}", None, Right.LOOK),
    ("POST", HOLD, {"reason": "wait"}, Right.LOOK),
    ("POST", APPROVE, {"hash": "0" * 64}, Right.APPROVE),
    ("POST", SKIP, {"day": "2026-11-24", "reason": "a holiday"}, Right.EDIT),
    ("GET", "/subscribers", None, Right.OPERATE),
    ("GET", "/subscribers/1", None, Right.OPERATE),
    ("DELETE", "/subscribers/1", None, Right.OPERATE),
)


def statuses(room: Desk, token: str) -> Collection[tuple[int, Right]]:
    return {(call(room, token, method, path, body).status_code, right) for method, path, body, right in CALLS}


def test_each_call_needs_its_right(room: Desk) -> None:
    for right in (Right.LOOK, Right.EDIT, Right.APPROVE, Right.OPERATE):
        token = token_of(room, right, role=Role.ADMINISTRATOR)
        for status, needed in statuses(room, token):
            assert (status == 403) == (needed is not right), (status, needed, right)


def test_a_token_ends_with_its_time_and_with_its_person(room: Desk) -> None:
    newsroom = room.newsroom
    one, other = token_of(room, Right.LOOK), token_of(room, Right.LOOK, role=Role.EDITOR)
    remove_person(newsroom.app.database, newsroom.person(Role.EDITOR).id, newsroom.clock())
    assert {status for status, _ in statuses(room, other)} == {401}
    newsroom.clock.forward(days=30)
    assert {status for status, _ in statuses(room, one)} == {401}
    assert {status for status, _ in statuses(room, "")} == {401}
