"""The overview of the desk as its people use it: sentences, flags, buttons by right, skips, and posts."""

from __future__ import annotations

import re
from html import unescape

from httpx2 import Response

from digest.editions.edits.desk import be_present
from digest.model.staff import Role
from tests.web.desk.newsroom import Desk

MONDAY = "daily-2026-11-23"


def text_of(answer: Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def with_draft(room: Desk) -> None:
    room.subscribe("ada", "ben")
    room.publish("Ferry returns", "Tram opens", "Owls & <b>dusk</b>")
    room.publish("Apples", feed="orchard")
    room.run("22 20:00")
    room.run("23 06:30")
    room.newsroom.clock.forward(minutes=6)


def test_the_desk_greets_and_says_how_each_digest_stands(room: Desk) -> None:
    with_draft(room)
    client = room.newsroom.signed_in(Role.APPROVER)
    page = client.get("/desk")
    said = text_of(page)
    assert "Good morning, Maren. Nothing needs attention." in said
    assert "Daily · edition 1 Draft. Sends automatically at 07:00, in 24 minutes, to 2 readers." in said
    assert 'aria-label="Cutoff was at 06:30. It is now 06:36. Readers’ copies go out at 07:00."' in page.text
    assert "Collects posts until Saturday 08:30, then needs approval by 09:00" in said
    assert f'href="/desk/{MONDAY}/approve"' in page.text
    scripts = re.findall(r"<script.*?</script>", page.text, re.DOTALL | re.IGNORECASE)
    assert [each.partition("?")[0] for each in scripts] == ['<script src="/static/session.js']
    assert "style=" not in page.text


def test_the_second_line_says_when_the_scheduler_ran_and_whether_a_feed_is_down(room: Desk) -> None:
    client = room.newsroom.signed_in(Role.APPROVER)
    assert "The scheduler has not run yet, so nothing is composed or sent." in text_of(client.get("/desk"))
    with_draft(room)
    client = room.newsroom.signed_in(Role.APPROVER)
    assert "06:36 in UTC · scheduler ran 6 minutes ago" in text_of(client.get("/desk"))
    (room.feeds.folder / "orchard.json").unlink()
    room.run("23 06:45")
    page = client.get("/desk")
    assert "06:45 in UTC · scheduler ran just now · one feed is not responding" in text_of(page)
    assert 'href="/ops/feeds">one feed' in page.text
    assert "The scheduler ran just now." in text_of(client.get("/ops"))
    room.newsroom.clock.forward(minutes=20)
    for path in ("/desk", "/ops"):
        assert "The scheduler has not run since 06:45, so nothing" in text_of(client.get(path))


def test_why_an_edition_does_not_go_out_stands_in_its_sentence_until_it_does(room: Desk) -> None:
    with_draft(room)
    client = room.newsroom.signed_in(Role.APPROVER)
    outbox = room.feeds.folder / "data/mail"
    outbox.parent.mkdir(exist_ok=True)
    outbox.write_text("A file is in the way.", encoding="utf-8")
    room.run("23 07:00")
    why = "Sending: 0 of 2 delivered."
    for path in ("/desk", f"/desk/{MONDAY}"):
        assert re.search(rf"{why} .*: cannot be made: File exists\.", text_of(client.get(path)))
    outbox.unlink()
    room.run("23 07:01")
    assert "2 of 2 delivered by 07:01" in text_of(client.get("/desk"))


def test_a_wait_for_unsaved_text_is_shown_with_its_end_wherever_the_edition_is(room: Desk) -> None:
    with_draft(room)
    client = room.newsroom.signed_in(Role.APPROVER)
    room.newsroom.clock.forward(minutes=23)
    jonas, database = room.newsroom.person(Role.EDITOR), room.newsroom.app.database
    room.run("23 06:59")
    be_present(database, MONDAY, jonas, room.newsroom.clock(), place="", unsaved=True)
    room.newsroom.clock.forward(minutes=1)
    room.run("23 07:00")
    for path in ("/desk", f"/desk/{MONDAY}", "/ops"):
        page = client.get(path)
        said = "Jonas has unsaved edits. Waiting until 07:03, 3 minutes more, then sending without them."
        assert said in text_of(page).replace(" ,", ","), path
        assert "It is now 07:00. Readers’ copies go out at 07:03." in page.text, path


def test_a_change_at_the_source_is_flagged_and_needs_attention(room: Desk) -> None:
    with_draft(room)
    room.feeds.items["gazette"][0]["title"] = "Owls at dawn"
    del room.feeds.items["gazette"][1]
    room.feeds.write("gazette")
    room.run("23 06:40")
    room.run("23 06:45")
    said = text_of(room.newsroom.signed_in().get("/desk"))
    assert "1 story changed at the source since cutoff." in said
    assert "One digest needs attention." in said


def test_each_person_sees_the_buttons_of_their_rights(room: Desk) -> None:
    with_draft(room)
    reader = room.newsroom.signed_in(Role.READER).get("/desk").text
    assert "Hold" in reader  # anybody may stop an edition
    assert "Approve…" not in reader
    assert "Skip a date" not in reader
    editor = room.newsroom.signed_in(Role.EDITOR).get("/desk").text
    assert "Approve…" not in editor
    assert "Skip a date" in editor


def test_a_date_is_skipped_with_a_reason_and_the_skip_is_undone(room: Desk) -> None:
    with_draft(room)
    client = room.newsroom.signed_in(Role.EDITOR)
    form = {"digest": "daily", "date": "2026-11-25", "reason": "Harbour <i>Day</i>"}
    assert client.post("/desk/skip", data=form).status_code == 303
    page = client.get("/desk")
    assert "Wed 25 November: no Daily. Harbour <i>Day</i>. Jonas Wieck" in text_of(page)
    assert "<i>" not in page.text
    assert 'class="off"' in page.text
    assert client.post("/desk/unskip", data=form).status_code == 303
    assert "25 November: no Daily" not in text_of(client.get("/desk"))
    again = client.post("/desk/unskip", data=form)
    assert (again.status_code, "nobody has skipped that date" in text_of(again)) == (422, True)


def test_a_skip_that_cannot_be_says_why_and_keeps_what_was_written(room: Desk) -> None:
    with_draft(room)
    client = room.newsroom.signed_in(Role.EDITOR)
    for wrong, why in (
        ({"date": "2026-11-25", "reason": ""}, "Please give a reason"),
        ({"date": "soon", "reason": "Storm"}, "Please give a date"),
        ({"digest": "weekend", "date": "2026-11-25", "reason": "Storm"}, "no edition is due then"),
    ):
        answer = client.post("/desk/skip", data={"digest": "daily", **wrong})
        assert answer.status_code == 422
        assert why in text_of(answer)
        assert f'value="{wrong["date"]}"' in answer.text
    reader = room.newsroom.signed_in(Role.READER)
    whole = {"digest": "daily", "date": "2026-11-25", "reason": "Storm"}
    assert reader.post("/desk/skip", data=whole).status_code == 403


def test_posts_are_listed_searched_and_decided_about(room: Desk) -> None:
    with_draft(room)
    room.publish("Pool closes early", "Market opens late", "=cmd()")
    room.run("23 06:45")
    client = room.newsroom.signed_in(Role.EDITOR)
    page = client.get("/desk/posts")
    said = text_of(page)
    assert "3 posts wait for a later edition of Daily." in said
    assert "in the next edition; no topic claims it" in said
    assert "Pool closes early" in text_of(client.get("/desk/posts?q=pool"))
    assert "Market opens late" not in text_of(client.get("/desk/posts?q=pool"))
    assert "No topic (3)" in text_of(page)
    unclaimed = text_of(client.get("/desk/posts?topic=-&q=market"))
    assert ("Market opens late" in unclaimed, "Pool closes early" in unclaimed) == (True, False)
    assert "No post is found." in text_of(client.get("/desk/posts?topic=green"))
    ids = re.findall(r'name="post" value="([^"]+)"', page.text)
    form = {"digest": "daily", "state": "waiting", "what": "drop", "post": ids[:2]}
    answer = client.post("/desk/posts", data=form)
    assert answer.status_code == 303
    assert "2 posts dropped." in text_of(client.get(answer.headers["location"]))
    at = re.search(r'name="at" value="([^"]+)"', client.get(answer.headers["location"]).text)
    assert at
    undo = client.post("/desk/posts", data={"digest": "daily", "what": "undo", "at": at.group(1)})
    assert "2 posts waiting again." in text_of(client.get(undo.headers["location"]))
    assert client.post("/desk/posts", data={"digest": "daily", "what": "undo", "at": "x"}).status_code == 404
    client.post("/desk/posts", data=form)
    dropped = client.get("/desk/posts?state=dropped")
    assert "dropped by Jonas Wieck" in text_of(dropped)
    nothing = client.post("/desk/posts", data={**form, "post": []})
    assert (nothing.status_code, "No post is selected" in text_of(nothing)) == (422, True)
    later = client.post("/desk/posts", data={**form, "what": "defer", "post": ids[2:], "until": "2026-11-20"})
    assert "after today and within a year" in text_of(later)
    assert client.get("/desk/posts?digest=nothing").status_code == 404
    assert client.get("/desk/posts?page=999999&state=bad&seen=x&done=drop-<script>").status_code == 200


def test_held_posts_are_let_in_with_one_button(room: Desk) -> None:
    with_draft(room)
    room.publish(*(f"Harbour story {number}" for number in range(8)), published="20 10:00")
    room.run("23 06:45")
    client = room.newsroom.signed_in(Role.EDITOR)
    assert "Posts 8 held" in text_of(client.get("/desk"))
    assert "8 posts are held as possible repeats." in text_of(client.get("/desk"))
    assert "8 posts of Harbour Gazette are held as possible repeats." in text_of(client.get("/desk/posts"))
    form = {"digest": "daily", "state": "held", "held": "Harbour Gazette", "what": "keep"}
    answer = client.post("/desk/posts", data=form)
    assert "8 posts waiting for the next edition." in text_of(client.get(answer.headers["location"]))
