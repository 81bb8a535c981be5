"""After an edition is sent, editors put corrections on its web copy; its hash stays."""

from __future__ import annotations

from digest.editions.approval import standing
from digest.editions.archive import corrections_of
from digest.model.staff import Role
from tests.web.desk.drafts import EDITION, PATH, draft, edited
from tests.web.desk.test_edition import words
from tests.web.staff.newsroom import Newsroom


def test_a_dated_correction_stands_on_the_web_copy_and_the_hash_stays(desk: Newsroom) -> None:
    draft(desk)
    maren, jonas, reader = desk.signed_in(Role.APPROVER), desk.signed_in(), desk.signed_in(Role.READER)
    text = {"text": "The ferry leaves at *nine*, not at eight."}
    assert jonas.post(f"{PATH}/correction", data=text).status_code == 409
    assert "Correct web copy" not in words(jonas.get(PATH))
    look = standing(desk.app, edited(desk).record).hash
    maren.post(f"{PATH}/send", data={"hash": look})
    before = edited(desk).record
    assert "Correct web copy" in words(jonas.get(PATH))
    assert "so does its hash" in words(jonas.get(f"{PATH}/correction"))
    assert jonas.post(f"{PATH}/correction", data=text).headers["location"] == f"{PATH}?done=correction"
    assert "Corrections of the web copy Jonas Wieck, 06:36 The ferry leaves at *nine*" in words(
        jonas.get(PATH)
    )
    assert "leaves at <em>nine</em>" in desk.site.visitor().get(f"/d/daily/{EDITION}").text
    assert "corrected the web copy: The ferry leaves at" in words(jonas.get(f"{PATH}/history"))
    assert (edited(desk).record.hash, edited(desk).record.look) == (before.hash, before.look)
    assert jonas.post(f"{PATH}/correction", data={"text": " "}).status_code == 422
    assert reader.post(f"{PATH}/correction", data=text).status_code == 403
    assert len(corrections_of(desk.app.database, EDITION)) == 1
