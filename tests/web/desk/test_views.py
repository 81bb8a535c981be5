"""Editors see the email as it is sent, in every view and as anybody gets it."""

from __future__ import annotations

import re

from digest.compose.edits.operations import Drop
from digest.editions.approval import standing
from digest.editions.archive import read_edition_by_id
from digest.editions.editions import approve
from digest.editions.send import send_edition
from digest.editions.views.readers import read_audience
from digest.model.editions import EditionRecord
from digest.model.run_context import RunContext
from digest.model.staff import Role
from digest.staff.audit import trail
from digest.storage.editions.records import load_edition
from tests.web.desk.sample_draft import DRAFT, change, put_reader
from tests.web.staff.newsroom import Newsroom
from tests.web.test_archive import publish

MAIL, PREVIEW = f"/desk/{DRAFT}/mail", f"/desk/{DRAFT}/preview"


def without_tokens(html: str) -> str:
    return re.sub(r"(/u/daily/|/p/)[\w-]{28}", r"\1TOKEN", html)


def test_the_frame_has_the_bytes_that_are_sent_except_for_the_fields_of_the_reader(drafted: Newsroom) -> None:
    put_reader(drafted, "ada@example.org")
    put_reader(drafted, "ben@example.org", topics="coast", language="de")
    put_reader(drafted, "cid@example.org", format="text")
    editor = drafted.signed_in(Role.EDITOR)
    shown = {"ada": editor.get(MAIL).text}
    shown["ben"] = editor.get(MAIL, params={"topics": "coast", "language": "de"}).text
    found = editor.post(PREVIEW, data={"address": "Ben@example.org"}).headers["location"]
    token = found.partition("reader=")[2]
    assert "example.org" not in found
    assert editor.get(MAIL, params={"reader": token}).text == shown["ben"]
    raw = editor.get(MAIL, params={"reader": token, "as": "raw"}).text
    assert "To: ben@example.org" in raw
    approve(drafted.app, DRAFT, by="Maren", now=drafted.clock())
    send_edition(drafted.app, DRAFT, RunContext(clock=drafted.clock))
    sent = {str(email["To"]).partition("@")[0]: email for email in drafted.site.emails()}
    assert sorted(sent) == ["ada", "ben", "cid"]
    for name, html in shown.items():
        body = sent[name].get_body(("html",))
        assert body is not None
        wire = str(body.get_content())
        assert without_tokens(wire) == without_tokens(html)
        assert wire != html  # nobody on the desk gets the links of a reader
    text = sent["cid"].get_body(("plain",))
    assert text is not None
    plain = editor.get(MAIL, params={"as": "text"}).text
    assert without_tokens(str(text.get_content())) == without_tokens(plain)


def test_the_frame_is_shut_in_and_shows_each_view(drafted: Newsroom) -> None:
    editor = drafted.signed_in(Role.READER)
    plain = editor.get(MAIL)
    policy = plain.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith("frame-ancestors 'self'; sandbox")
    assert "script-src" not in policy
    assert plain.headers["x-frame-options"] == "SAMEORIGIN"
    bare = editor.get(MAIL, params={"images": "off"})
    assert "img-src 'none'" in bare.headers["content-security-policy"]
    assert re.findall(r"\s(?:src|srcset|background)=", bare.text) == []
    assert bare.text.replace("data-src", "src").replace("data-background", "background") == plain.text
    assert "prefers-color-scheme" in plain.text
    for scheme in ("light", "dark", "forced"):
        assert "prefers-color-scheme" not in editor.get(MAIL, params={"scheme": scheme}).text
    assert "invert(" in editor.get(MAIL, params={"scheme": "forced"}).text
    assert "<html" in editor.get(MAIL, params={"as": "web"}).text
    download = editor.get(MAIL, params={"as": "eml"})
    assert download.headers["content-disposition"] == f'attachment; filename="{DRAFT}.eml"'
    assert download.headers["content-type"] == "message/rfc822"
    nothing = editor.get(MAIL, params={"topics": "islands"})
    assert nothing.headers["content-type"] == "text/plain; charset=utf-8"
    assert "no story in the topics" in nothing.text
    for wrong in ({"as": "odd"}, {"topics": "coast,-town"}, {"reader": "x" * 28}):
        assert editor.get(MAIL, params=wrong).status_code in (403, 404, 422)


def test_only_those_with_the_right_look_at_the_email_of_a_reader(drafted: Newsroom) -> None:
    put_reader(drafted, "ada@example.org", topics="town")
    looking, editor = drafted.signed_in(Role.READER), drafted.signed_in(Role.EDITOR)
    assert looking.post(PREVIEW, data={"address": "ada@example.org"}).status_code == 403
    assert "email address" not in looking.get(PREVIEW).text
    path = editor.post(PREVIEW, data={"address": "ada@example.org", "beside": "1"}).headers["location"]
    assert editor.get(path).status_code == 200
    assert looking.get(path).status_code == 403
    assert editor.post(PREVIEW, data={"address": "eve@example.org"}).status_code == 422
    [entry] = [each for each in trail(drafted.app.database) if each.action == "looked at a reader's email"]
    assert entry.subject == DRAFT


def test_the_hash_on_the_page_is_that_of_the_archive(drafted: Newsroom) -> None:
    put_reader(drafted, "ada@example.org")
    publish(drafted.site, number=1)
    editor = drafted.signed_in(Role.EDITOR)
    page = editor.get(PREVIEW)
    stood = standing(drafted.app, record(drafted))
    assert f'id="hash">{stood.hash}<' in page.text
    assert f'id="snapshot">{record(drafted).hash}<' in page.text
    assert page.text.count("<iframe") == 7
    assert page.text.count("<pre") == 2
    beside = editor.get(PREVIEW, params={"beside": "1"})
    assert beside.text.count("<iframe") == 14
    assert editor.get(PREVIEW, params={"view": "dark"}).text.count("<iframe") == 1
    approve(drafted.app, DRAFT, by="Maren", now=drafted.clock(), reviewed=stood.hash)
    send_edition(drafted.app, DRAFT, RunContext(clock=drafted.clock))
    archived = read_edition_by_id(drafted.app.database, DRAFT)
    assert archived.look == stood.hash
    assert f'id="hash">{archived.look}<' in editor.get(PREVIEW).text


def record(desk: Newsroom) -> EditionRecord:
    with desk.app.database.read() as connection:
        return load_edition(connection, DRAFT)


def test_readers_are_counted_by_what_they_get_and_by_why_they_get_nothing(drafted: Newsroom) -> None:
    for number in range(3):
        put_reader(drafted, f"all{number}@example.org")
    put_reader(drafted, "one@example.org", topics="coast", format="text")
    put_reader(drafted, "two@example.org", topics="-coast", hour="09:00")
    put_reader(drafted, "late@example.org", state="pending")
    with drafted.app.database.read() as connection:
        found = read_audience(drafted.app, load_edition(connection, DRAFT), drafted.clock())
    assert [(row.title, row.readers, row.stories) for row in found.rows] == [
        ("All topics", 3, 11),
        ("All but Coast & sea", 1, 5),
        ("Coast & sea", 1, 6),
    ]
    assert all(row.size > 5_000 for row in found.rows)
    assert found.rows[0].size > found.rows[1].size
    assert (found.html, found.text, found.own_hour, found.served) == (4, 1, 1, 5)
    assert found.unserved == (("not confirmed yet", 1),)
    change(drafted, *(Drop(story=story) for story in ("bakery", "library", "arabic", "bridge", "minutes")))
    with drafted.app.database.read() as connection:
        found = read_audience(drafted.app, load_edition(connection, DRAFT), drafted.clock())
    assert [(row.title, row.readers) for row in found.rows] == [("All topics", 4)]
    assert [(row.title, row.readers) for row in found.nothing] == [("All but Coast & sea", 1)]
    assert found.without == 1
