"""A digest that needs two approvals: the desk says who has given one, and how many are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.editions.approval import standing
from digest.model.editions import EditionState
from digest.model.staff import Role
from digest.storage.database import Database
from tests.web.desk.drafts import PATH, draft, edited, send
from tests.web.desk.test_edition import words
from tests.web.site import CONFIG
from tests.web.staff.newsroom import Newsroom, open_newsroom

TWO = CONFIG.replace('zone = "Europe/Berlin"', 'zone = "Europe/Berlin"\napprovals = 2', 1)
PERSONS = "2 persons must approve this version."


@pytest.fixture
def desk(sqlite: Database, tmp_path: Path) -> Newsroom:
    found = open_newsroom(sqlite, tmp_path, TWO)
    draft(found)
    return found


def test_the_question_says_who_has_approved_and_whose_approval_is_missing(desk: Newsroom) -> None:
    maren, ines = desk.signed_in(Role.APPROVER), desk.signed_in(Role.ADMINISTRATOR)
    reviewed = {"hash": standing(desk.app, edited(desk).record).hash}
    asked = words(maren.get(f"{PATH}/approve"))
    assert f"{PERSONS} Nobody has yet; after you, 1 more person must do so too." in asked
    first = maren.post(f"{PATH}/approve", data=reviewed)
    said = words(maren.get(first.headers["location"]))
    assert "Your approval is kept. Another person must approve this version too." in said
    assert "to 3 readers. Maren Kolb has approved it, and 1 approval is missing." in said
    assert "Withdraw approval" in said
    assert f"{PERSONS} You have, and 1 other person must do so too." in words(maren.get(f"{PATH}/approve"))
    assert "Maren Kolb has approved it, and 1 approval is missing." in words(maren.get("/desk"))
    assert f"{PERSONS} Maren Kolb has; yours is the last." in words(ines.get(f"{PATH}/approve"))
    assert ines.post(f"{PATH}/approve", data=reviewed).status_code == 303
    assert "Approved by Maren and Ines at 06:36." in words(ines.get(PATH))


def test_one_of_two_persons_can_take_an_approval_back_and_can_not_send_alone(desk: Newsroom) -> None:
    maren = desk.signed_in(Role.APPROVER)
    reviewed = {"hash": standing(desk.app, edited(desk).record).hash}
    assert "It can be sent when all of them have approved it." in words(maren.get(f"{PATH}/send"))
    alone = maren.post(f"{PATH}/send", data=reviewed)
    assert (alone.status_code, "This is not sent yet. Your approval is kept." in words(alone)) == (409, True)
    assert maren.post(f"{PATH}/unapprove", data={}).status_code == 303
    assert "Nobody has yet" in words(maren.get(f"{PATH}/approve"))
    maren.post(f"{PATH}/approve", data=reviewed)
    send(desk.signed_in(), "drop", 0, story="owls")
    assert "Nobody has yet" in words(maren.get(f"{PATH}/approve"))
    assert edited(desk).record.state is EditionState.DRAFT
