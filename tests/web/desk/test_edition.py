"""The desk's page of an edition, with every edit and every step, by plain forms."""

from __future__ import annotations

import re
from html import unescape

import pytest
from httpx2 import Response
from sqlalchemy import update

from digest.compose.edits.operations import Drop, Rewrite
from digest.editions.approval import standing
from digest.editions.editions import approve
from digest.model.editions import EditionState
from digest.model.staff import Role
from digest.storage.tables.posts import posts
from tests.web.desk.drafts import EDITION, PATH, draft, edited, order, send, titles
from tests.web.staff.newsroom import NAMES, Newsroom

EDITOR, APPROVER, READER = NAMES[Role.EDITOR], NAMES[Role.APPROVER], NAMES[Role.READER]


def words(answer: Response) -> str:
    """Return the text of a page, without its markup."""
    text = re.sub(r"<[^>]+>", " ", re.sub(r"</?(?:b|a|i|bdi|mark)\b[^>]*>", "", answer.text))
    return re.sub(r"\s+", " ", unescape(text))


def look(desk: Newsroom) -> str:
    return standing(desk.app, edited(desk).record).hash


@pytest.fixture
def draft_desk(desk: Newsroom) -> Newsroom:
    draft(desk)
    return desk


def test_the_page_says_what_happens_and_why_each_story_stands_where_it_stands(draft_desk: Newsroom) -> None:
    page = draft_desk.signed_in(Role.APPROVER).get(PATH)
    text = words(page)
    assert page.status_code == 200
    assert "Draft. Sends automatically at 07:00, in 24 minutes, to 3 readers." in text
    assert "Tram opens on Quay Street The Tram Times, 04:30 · placed by tag: city" in text
    assert "1 Around town Rename “Around town” 2 stories · 3 readers" in text
    assert f"Approve {look(draft_desk)[:4]} {look(draft_desk)[4:8]}" in text
    assert 'style="' not in page.text
    assert draft_desk.signed_in().get("/desk/daily").headers["location"] == PATH


def test_every_edit_is_a_form(draft_desk: Newsroom) -> None:
    client = draft_desk.signed_in()
    for fields in (
        {"do": "drop", "story": "choir"},
        {"do": "defer", "story": "owls", "until": "2026-11-25"},
        {"do": "restore", "story": "owls"},
        {"move": "green", "story": "library"},
        {"do": "move", "story": "library", "topic": "green", "before": "apples"},
        {"do": "down", "story": "library"},
        {"do": "up", "story": "seagrass"},
        {"do": "lead", "story": "tram"},
        {"do": "note", "story": "apples", "text": "Ask the *orchard*."},
        {"do": "introduction", "text": "Good morning.\r\nThe ferry is back."},
        {"do": "subject", "text": "A calm Monday"},
        {"do": "preheader", "text": "And apples"},
        {"do": "heading", "topic": "green", "text": "Orchards"},
        {"do": "sponsor", "name": "Quay Books", "text": "Maps", "url": "https://books.example.org/"},
        {"do": "picture", "story": "tram", "url": ""},
        {"do": "add", "title": "The night bus at a glance", "topic": "city", "url": "https://bus.example.org/"},
        {"do": "merge", "story": "seagrass", "into": "apples"},
        {"do": "rewrite", "story": "tram", "title": "The  tram\r\nopens", "shown_title": "Tram opens"},
    ):  # fmt: skip
        answer = send(client, seen=99, **fields)
        assert (answer.status_code, fields) == (303, fields)
    found = edited(draft_desk).applied.edition
    assert order(draft_desk, "green") == ["apples", "library"]
    assert "The night bus at a glance" in titles(draft_desk)
    assert found.lead
    assert (found.lead.title, found.lead.image) == ("The tram opens", None)
    assert (found.introduction, found.subject_template) == (
        "Good morning.\nThe ferry is back.",
        "A calm Monday",
    )
    assert found.sponsor
    assert found.sponsor.name == "Quay Books"
    assert "Choir seeks six tenors" not in titles(draft_desk)
    page = words(client.get(PATH))
    assert "Orchards" in page
    assert f"moved from Around town by {EDITOR}" in page
    assert f"headline rewritten by {EDITOR}" in page
    assert f"Note from {EDITOR}: Ask the *orchard*." in page
    assert f"Taken out: 1 Choir seeks six tenors Harbour News · dropped by {EDITOR} Restore" in page


def test_the_last_change_can_be_undone_and_redone_from_the_page(draft_desk: Newsroom) -> None:
    client = draft_desk.signed_in()
    send(client, "drop", 0, story="tram")
    page = client.get(PATH)
    assert f"{EDITOR} dropped “Tram opens on Quay Street”." in words(page)
    assert 'name="undo" value="1"' in page.text
    send(client, seen=1, undo="1")
    page = client.get(PATH)
    assert "Tram opens on Quay Street" in titles(draft_desk)
    assert 'name="redo" value="2"' in page.text
    send(client, seen=2, redo="2")
    assert "Tram opens on Quay Street" not in titles(draft_desk)
    assert f"{EDITOR} redid: dropped “Tram opens on Quay Street”." in words(client.get(PATH))


def test_each_form_opens_in_place_with_the_words_of_the_source_beside_it(draft_desk: Newsroom) -> None:
    client = draft_desk.signed_in()
    send(client, "rewrite", 0, story="tram", title="Trams for all", shown_title="Tram opens on Quay Street")
    with draft_desk.app.database.write() as connection:
        new = {"title": "Tram opens on Harbour Street", "pictures": [PICTURE]}
        connection.execute(update(posts).where(posts.c.id == "tram").values(new))
    page = client.get(f"{PATH}?edit=tram")
    assert "Trams for all</textarea>" in page.text
    assert "Tram opens on <mark>Harbour </mark>Street" in page.text
    assert "Changed at the source since cutoff" in words(client.get(PATH))
    send(client, seen=1, do="rewrite", story="tram", use="title", source_title="Tram opens on Harbour Street",
         title="Trams for all", shown_title="Trams for all")  # fmt: skip
    assert "Tram opens on Harbour Street" in titles(draft_desk)
    pictures = client.get(f"{PATH}?picture=tram").text
    assert "https://images.example.org/tram.jpg" in pictures
    send(client, "picture", 2, story="tram", url="https://images.example.org/tram.jpg")
    image = next(each for each in edited(draft_desk).applied.edition.stories() if each.id == "tram").image
    assert image
    assert image.url == "https://images.example.org/tram.jpg"
    for query in ("note=owls", "heading=green", "words=introduction", "words=add", "words=sponsor"):
        assert '<button class="main" name="do"' in client.get(f"{PATH}?{query}").text


PICTURE = {"url": "https://images.example.org/tram.jpg", "alt": "A tram", "width": 640, "height": 360,
           "convert": False, "reason": ""}  # fmt: skip


def test_two_texts_for_one_headline_are_shown_side_by_side_and_none_is_lost(draft_desk: Newsroom) -> None:
    jonas, maren = draft_desk.signed_in(), draft_desk.signed_in(Role.APPROVER)
    shown = "Tram opens on Quay Street"
    send(jonas, "rewrite", 0, story="tram", title="No cars, but trams", shown_title=shown)
    draft_desk.clock.forward(seconds=20)
    blurb = {"blurb": "It starts in May.", "shown_blurb": "A calm day."}
    answer = send(maren, "rewrite", 0, story="tram", title="Trams at last", shown_title=shown, **blurb)
    assert answer.status_code == 409
    text = words(answer)
    assert f"{EDITOR} changed the headline of “Tram opens on Quay Street” 20 seconds ago" in text
    assert "No cars, but trams" in text
    assert "Trams at last" in text
    # The other part of the form is saved all the same.
    [story] = [each for each in edited(draft_desk).applied.edition.stories() if each.id == "tram"]
    assert (story.title, story.blurb) == ("No cars, but trams", "It starts in May.")
    mine = fields_of(answer, "Use mine")
    assert maren.post(f"{PATH}/edit", data=mine).status_code == 303
    assert "Trams at last" in titles(draft_desk)
    assert "Keep Jonas’s" in text
    # The same person's own edits, for example from keys in quick succession, are no conflict.
    assert send(maren, "note", 0, story="tram", text="One").status_code == 303
    assert send(maren, "note", 0, story="tram", text="Two").status_code == 303
    assert send(jonas, "note", 0, story="tram", text="Three").status_code == 409


def fields_of(answer: Response, button: str) -> dict[str, str]:
    """Return the hidden fields of the form with a button."""
    form = next(each for each in re.findall(r"<form.*?</form>", answer.text, re.DOTALL) if button in each)
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    return {name: unescape(value) for name, value in found}


def test_an_edit_that_comes_too_late_says_when_sending_began_and_keeps_the_text(draft_desk: Newsroom) -> None:
    client = draft_desk.signed_in(Role.APPROVER)
    client.post(f"{PATH}/send", data={"hash": look(draft_desk)})
    draft_desk.clock.forward(seconds=9)
    answer = send(client, "note", 0, story="tram", text="My long note")
    assert answer.status_code == 410
    assert "Sending began at 06:36:00, so this edit came too late." in words(answer)
    assert "My long note</textarea>" in answer.text
    assert "Pause sending" in answer.text
    assert client.post(f"{PATH}/hold", data={}).status_code == 303
    assert edited(draft_desk).record.reason == f"by {APPROVER}"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"do": "drop", "story": "gone"}, "the story is not in the edition any more"),
        ({"do": "heading", "topic": "green", "text": ""}, "a heading cannot be empty"),
        (
            {"do": "sponsor", "name": "Quay Books", "text": "Maps", "url": "ftp://x"},
            "a link that begins with",
        ),
        ({"do": "defer", "story": "owls", "until": "soon"}, "'soon' is not a date"),
        ({"do": "subject", "text": "{{ nobody }}"}, "This was not done"),
        ({"do": "redo", "redo": ""}, "there is nothing to redo"),
        ({"do": "dance"}, "the form does not say what to do"),
    ],
)
def test_a_refused_form_says_why_and_keeps_the_text(
    draft_desk: Newsroom, fields: dict[str, str], said: str
) -> None:
    answer = send(draft_desk.signed_in(), seen=0, **fields)
    assert answer.status_code == 422
    assert said in words(answer)
    assert fields.get("text", "") in unescape(answer.text)
    assert edited(draft_desk).edits == ()


def test_the_last_story_cannot_be_dropped(draft_desk: Newsroom) -> None:
    client = draft_desk.signed_in()
    answers = [send(client, "drop", 99, story=story.id) for story in edited(draft_desk).base.stories()]
    assert [each.status_code for each in answers] == [303] * 6 + [422]
    assert "An edition needs at least one story." in words(answers[-1])


def test_an_approval_needs_the_hash_that_the_page_showed(draft_desk: Newsroom) -> None:
    maren, jonas = draft_desk.signed_in(Role.APPROVER), draft_desk.signed_in()
    question = maren.get(f"{PATH}/approve")
    seen = fields_of(question, "Approve")["hash"]
    assert "Sends automatically at 07:00, in 24 minutes, to 3 readers." in words(question)
    assert "7 stories, templates and fixed words" in words(question)
    assert maren.post(f"{PATH}/approve", data={}).status_code == 422
    send(jonas, "drop", 0, story="tram")
    late = maren.post(f"{PATH}/approve", data={"hash": seen})
    assert late.status_code == 409
    assert "the edition has changed since your page showed it" in words(late)
    assert edited(draft_desk).record.state is EditionState.DRAFT
    assert maren.post(f"{PATH}/approve", data={"hash": look(draft_desk)}).status_code == 303
    record = edited(draft_desk).record
    assert (record.state, record.approved_by, record.look) == (
        EditionState.APPROVED,
        APPROVER,
        look(draft_desk),
    )
    assert f"Approved by {APPROVER.split()[0]} at 06:36" in words(maren.get(PATH))
    assert maren.post(f"{PATH}/unapprove", data={}).status_code == 303
    assert edited(draft_desk).record.state is EditionState.DRAFT


def test_an_edition_is_held_resumed_and_cancelled(draft_desk: Newsroom) -> None:
    reader, jonas = draft_desk.signed_in(Role.READER), draft_desk.signed_in()
    assert reader.post(f"{PATH}/hold", data={"reason": "Wait for the ruling."}).status_code == 303
    assert f"Held by {READER.split()[0]} at 06:36: “Wait for the ruling.”" in words(jonas.get(PATH))
    assert reader.post(f"{PATH}/resume", data={}).status_code == 403
    assert jonas.post(f"{PATH}/resume", data={}).status_code == 303
    twice = jonas.post(f"{PATH}/resume", data={})
    assert (twice.status_code, "somebody else has taken another step" in words(twice)) == (409, True)
    assert "Its stories wait for the next one." in words(jonas.get(f"{PATH}/cancel"))
    assert jonas.post(f"{PATH}/cancel", data={}).status_code == 303
    assert edited(draft_desk).record.state is EditionState.CANCELLED
    assert jonas.post(f"{PATH}/cancel", data={}).status_code == 410


def test_sending_now_addresses_the_readers_with_the_approved_look(draft_desk: Newsroom) -> None:
    client = draft_desk.signed_in(Role.APPROVER)
    assert "Send to 3 readers now" in words(client.get(f"{PATH}/send"))
    assert client.post(f"{PATH}/send", data={"hash": "0" * 64}).status_code == 409
    before = look(draft_desk)
    assert client.post(f"{PATH}/send", data={"hash": before}).status_code == 303
    record = edited(draft_desk).record
    assert (record.state, record.look, record.approved_by) == (EditionState.SENDING, before, APPROVER)
    assert "Sending: 0 of 3 delivered" in words(client.get(PATH))


def test_a_test_goes_to_oneself_and_to_others_only_with_the_right(draft_desk: Newsroom) -> None:
    jonas, operator = draft_desk.signed_in(), draft_desk.signed_in(Role.OPERATOR)
    assert jonas.post(f"{PATH}/test", data={}).status_code == 303
    [email] = draft_desk.site.emails()
    assert (email["To"], str(email["Subject"])[:6]) == ("jonas@example.org", "[Test]")
    refused = jonas.post(f"{PATH}/test", data={"address": "zoe@example.org"})
    assert refused.status_code == 403
    assert NAMES[Role.OPERATOR] in words(refused)
    assert operator.post(f"{PATH}/test", data={"address": "zoe@example.org"}).status_code == 303
    assert operator.post(f"{PATH}/test", data={"address": "nobody"}).status_code == 422
    assert edited(draft_desk).edits == ()


def test_somebody_who_may_only_look_sees_no_form_and_is_told_who_may_edit(draft_desk: Newsroom) -> None:
    reader = draft_desk.signed_in(Role.READER)
    draft_desk.person(Role.EDITOR)
    page = reader.get(f"{PATH}?edit=tram")
    assert 'name="do"' not in page.text
    assert "You can read and comment here. To edit, you need another role: Jonas can edit." in words(page)
    assert send(reader, "drop", 0, story="tram").status_code == 403
    assert edited(draft_desk).edits == ()


def test_what_a_feed_says_is_text_and_never_markup(draft_desk: Newsroom) -> None:
    evil = '"><script>alert(1)</script>'
    client = draft_desk.signed_in()
    for do in ("note", "introduction", "heading", "subject"):
        send(client, do, 99, story="tram", topic="city", text=evil)
    send(client, "rewrite", 99, story="tram", title=evil, blurb=evil)
    clash = send(draft_desk.signed_in(Role.APPROVER), "rewrite", 0, story="tram", title=evil + "2")
    pages = [client.get(f"{PATH}?{query}") for query in ("", "edit=tram", "note=tram", "words=introduction")]
    assert clash.status_code == 409
    assert [each.text.count("<script>alert") for each in (*pages, clash)] == [0] * 5


def test_who_is_here_is_shown_for_a_minute(draft_desk: Newsroom) -> None:
    jonas, maren = draft_desk.signed_in(), draft_desk.signed_in(Role.APPROVER)
    assert jonas.post(f"{PATH}/here", data={"place": "green", "unsaved": "1"}).status_code == 204
    assert f"{EDITOR} is in “Sea and garden” and has text that is not saved" in words(maren.get(PATH))
    assert "Sea and garden Rename “Sea and garden” Jonas is here" in words(maren.get(PATH))
    assert f"{EDITOR} is in" not in words(jonas.get(PATH))
    assert "is here" not in words(jonas.get(PATH))
    assert f"{EDITOR} is in “Sea and garden”" in words(maren.get(f"{PATH}/approve"))
    draft_desk.clock.forward(seconds=61)
    assert f"{EDITOR} is in" not in words(maren.get(PATH))


def test_a_refresh_keeps_the_edits(draft_desk: Newsroom) -> None:
    client = draft_desk.signed_in()
    send(client, "drop", 0, story="tram")
    approve(draft_desk.app, EDITION, by="Ines", now=draft_desk.clock())
    answer = client.post(f"{PATH}/refresh", data={})
    assert answer.status_code == 303
    assert [type(each.operation) for each in edited(draft_desk).edits] == [Drop]
    assert "Tram opens on Quay Street" not in titles(draft_desk)


def test_the_changes_at_the_sources_are_taken_in(draft_desk: Newsroom) -> None:
    client = draft_desk.signed_in()
    send(client, "rewrite", 0, story="owls", title="Owls!", shown_title="Owls at dusk")
    with draft_desk.app.database.write() as connection:
        for name in ("tram", "owls"):
            connection.execute(update(posts).where(posts.c.id == name).values(title=f"New {name}"))
        connection.execute(update(posts).where(posts.c.id == "choir").values(missed=2))
    text = words(client.get(PATH))
    assert "3 stories need attention: one has changed at its source, one has changed at its source" in text
    assert "No longer in its feed as of" in text
    assert client.post(f"{PATH}/correct", data={}).status_code == 303
    assert "New tram" in titles(draft_desk)
    assert "Owls!" in titles(draft_desk)
    assert "Choir seeks six tenors" not in titles(draft_desk)
    [rewrite] = edited(draft_desk).edits
    assert isinstance(rewrite.operation, Rewrite)
    assert f"Its publisher has changed the headline that {EDITOR} rewrote." in words(client.get(PATH))
