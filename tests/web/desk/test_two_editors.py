"""Two editors work on one edition over HTTP, while connections are cut and sessions end: nothing is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random

from httpx2 import Response
from starlette.testclient import TestClient

from digest.compose.edits.apply import apply
from digest.compose.edits.operations import Edit, Operation, touched
from digest.editions.approval import standing
from digest.editions.edits.edits import picture_of
from digest.message.look import approved_look
from digest.model.editions import EditionState
from digest.model.snapshot import content_hash
from digest.model.staff import Person, Role
from digest.web.desk.editing.forms import Wanted, asked, operations_of
from digest.web.security.forms import Form
from tests.web.desk.drafts import PATH, STORIES, draft, edited, send
from tests.web.desk.test_edition import fields_of, words
from tests.web.staff.newsroom import Newsroom

EDITS, ROUNDS = 200, 3
NAMES = [name for name, *_ in STORIES]


@dataclass(slots=True)
class Colleague:
    """An editor whose page is sometimes out of date, and whose connection and session sometimes end."""

    person: Person
    client: TestClient
    seen: int = 0


def form_of(random: Random, at: int, seen: int) -> dict[str, str]:
    story = random.choice(NAMES)
    text = f"Text {at}"
    fields = random.choice(
        [
            {"do": "rewrite", "story": story, "title": text, "shown_title": ""},
            {"do": "note", "story": story, "text": text},
            {"do": "introduction", "text": text},
            {"move": random.choice(["city", "green", "more"]), "story": story},
            {"do": "drop", "story": story},
            {"do": "restore", "story": story},
            {"do": "lead", "story": story},
        ]
    )
    return {**fields, "seen": str(seen)}


def test_two_hundred_interleaved_edits_lose_nothing(desk: Newsroom) -> None:
    draft(desk)
    random = Random(13)
    people = [desk.person(Role.EDITOR), desk.person(Role.APPROVER)]
    colleagues = [Colleague(person, desk.sign_in(desk.visitor(), person)) for person in people]
    pictures = partial(picture_of, desk.app.database)
    conflicts, saved = 0, list[str]()
    for at in range(EDITS):
        colleague = random.choice(colleagues)
        before = edited(desk)
        if random.random() < 0.4:
            colleague.seen = len(before.edits)  # the page was made again
        fields = form_of(random, at, colleague.seen)
        sent = asked(Form({name: (value,) for name, value in fields.items()}))
        [operation] = operations_of(sent, Wanted(edited=before, picture=pictures))
        if random.random() < 0.1:
            fields = signed_out(desk, colleague, fields)
        answer = colleague.client.post(f"{PATH}/edit", data=fields)
        if random.random() < 0.1 and answer.status_code == 303:
            # The connection was cut before the answer, so the form is sent again.
            answer = colleague.client.post(f"{PATH}/edit", data=fields)
        text = fields.get("title") or fields.get("text") or ""
        if answer.status_code == 409:
            conflicts += 1
            assert clashes(before.edits, operation, colleague), (fields, before.edits[colleague.seen :])
            assert text in words(answer)
            if random.random() < 0.5:
                assert resolved(colleague, answer) == 303
                saved.append(text)
        elif answer.status_code == 303:
            saved.append(text)
        else:
            assert answer.status_code == 422, words(answer)[:300]
            assert "at least one story" in words(answer)
    after = edited(desk)
    assert conflicts >= 8
    assert len(saved) > 120
    texts = {getattr(each.operation, "text", "") for each in after.edits}
    assert {*saved} - {""} <= texts
    assert [each.number for each in after.edits] == list(range(1, len(after.edits) + 1))
    assert content_hash(apply(after.base, after.edits).edition) == after.record.hash
    left = [story.id for story in after.applied.edition.stories()]
    out = [each.story.id for each in after.applied.taken_out]
    assert sorted(left + out) == sorted(NAMES)


def clashes(edits: tuple[Edit, ...], operation: Operation, colleague: Colleague) -> bool:
    """Tell whether somebody else has set the same field since this editor's page was made."""
    return any(
        touched(each.operation) == touched(operation)
        for each in edits[colleague.seen :]
        if each.by != colleague.person.name
    )


def signed_out(desk: Newsroom, colleague: Colleague, fields: dict[str, str]) -> dict[str, str]:
    """End a session while a form is sent; what was written is on the page, and is sent again."""
    colleague.client.cookies.clear()
    answer = colleague.client.post(f"{PATH}/edit", data=fields)
    assert answer.status_code == 401
    desk.sign_in(colleague.client, colleague.person)
    kept = {name.removeprefix("kept:"): value for name, value in fields_of(answer, "Sign in").items()}
    assert {name: kept.get(name) for name in fields} == fields
    return fields


def resolved(colleague: Colleague, answer: Response) -> int:
    return colleague.client.post(f"{PATH}/edit", data=fields_of(answer, "Use mine")).status_code


def test_an_approval_races_an_edit_which_races_the_sending(desk: Newsroom) -> None:
    """Whoever is first, the edition that begins to be sent is the one that was approved."""
    draft(desk)
    maren = [desk.signed_in(Role.APPROVER) for _ in range(2)]
    jonas = desk.signed_in()
    for at in range(ROUNDS):
        look = standing(desk.app, edited(desk).record).hash
        title = {"do": "rewrite", "story": "tram", "title": f"Title {at}", "shown_title": "", "seen": "999"}
        with ThreadPoolExecutor(3) as pool:
            sending = pool.submit(maren[1].post, f"{PATH}/send", data={"hash": look if at else "0" * 64})
            approving = pool.submit(maren[0].post, f"{PATH}/approve", data={"hash": look})
            editing = pool.submit(jonas.post, f"{PATH}/edit", data=title)
        assert {sending.result().status_code, approving.result().status_code} <= {303, 409, 410}
        texts = [getattr(each.operation, "text", "") for each in edited(desk).edits]
        assert (f"Title {at}" in texts) == (editing.result().status_code == 303)
        require_approved_as_it_is(desk)
    if edited(desk).record.state is not EditionState.SENDING:
        look = standing(desk.app, edited(desk).record).hash
        assert maren[1].post(f"{PATH}/send", data={"hash": look}).status_code == 303
    require_approved_as_it_is(desk)
    assert send(jonas, "drop", 999, story="owls").status_code == 410


def require_approved_as_it_is(desk: Newsroom) -> None:
    """Whatever has happened: the edition is its base with its edits, and an approval is of this edition."""
    after = edited(desk)
    assert content_hash(apply(after.base, after.edits).edition) == after.record.hash
    if after.record.state is not EditionState.DRAFT:
        approved = approved_look(desk.app.database, after.record)
        assert approved
        assert approved.snapshot == after.record.hash
