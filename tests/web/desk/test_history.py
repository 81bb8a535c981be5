"""The history of an edition, its comments, and its lines in inboxes, as pages."""

from __future__ import annotations

from html import escape

from digest.compose.edits.operations import Drop, Note, Part, Rewrite
from digest.editions.edits.edits import read_edits
from digest.editions.views.history import read_history
from digest.model.staff import Role
from digest.staff.audit import trail
from tests.web.desk.sample_draft import DRAFT, change
from tests.web.staff.newsroom import Newsroom

PATH = f"/desk/{DRAFT}"
XSS = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def test_the_history_compares_versions_and_undoes_single_edits(drafted: Newsroom) -> None:
    change(drafted, Drop(story="minutes"))
    change(drafted, Rewrite(story="lead", part=Part.TITLE, text=f"Night ferry {XSS}"), by="Jonas Wieck")
    editor = drafted.signed_in(Role.EDITOR)
    page = editor.get(f"{PATH}/history").text
    assert XSS not in page
    assert "The headline of “The night ferry returns" in page
    assert "was taken out." in page
    assert page.count(">Undo<") == 2
    assert drafted.signed_in(Role.READER).get(f"{PATH}/history").text.count(">Undo<") == 0
    first, *_, last = reversed(read_history(drafted.app.database, DRAFT).versions)
    same = editor.get(f"{PATH}/history", params={"from": last.hash, "to": last.hash[:8]}).text
    assert "The stories and their words are the same." in same
    assert "The templates and fixed words are the same." in same
    assert "no version with one of these hashes" in editor.get(f"{PATH}/history?from=12345678").text
    for _ in range(2):  # the second press of the button does nothing
        answer = editor.post(f"{PATH}/history", data={"number": "1", "seen": "2"})
        assert answer.headers["location"] == f"{PATH}/history"
    edited = read_edits(drafted.app.database, DRAFT)
    assert [edit.by for edit in edited.edits] == ["Maren Kolb", "Jonas Wieck", "Jonas Wieck"]
    assert "minutes" in {story.id for story in edited.applied.edition.stories()}
    assert editor.post(f"{PATH}/history", data={"number": "9"}).status_code == 404
    assert first.hash


def test_an_undo_that_meets_a_conflict_shows_both_texts_and_can_be_done_all_the_same(
    drafted: Newsroom,
) -> None:
    change(drafted, Rewrite(story="lead", part=Part.TITLE, text="Ferry at night"), by="Jonas Wieck")
    change(drafted, Rewrite(story="lead", part=Part.TITLE, text="Ferry at dawn"))
    editor = drafted.signed_in(Role.EDITOR)
    clash = editor.post(f"{PATH}/history", data={"number": "1", "seen": "1"})
    assert clash.status_code == 409
    assert "Maren Kolb changed the headline of “" in clash.text
    assert "nothing was undone" in clash.text
    assert "Keep Maren’s" in clash.text
    assert "Take this back: Jonas Wieck changed the headline of " in clash.text
    assert 'name="number" value="1"><input type="hidden" name="seen" value="2"' in clash.text
    assert len(read_edits(drafted.app.database, DRAFT).edits) == 2
    assert editor.post(f"{PATH}/history", data={"number": "1", "seen": "2"}).status_code == 303
    assert len(read_edits(drafted.app.database, DRAFT).edits) == 3
    editor.post(f"{PATH}/cancel", data={"reason": "A day off"})
    late = editor.post(f"{PATH}/history", data={"number": "2", "seen": "3"})
    assert (late.status_code, "History of this edition" in late.text) == (410, True)
    assert "This was not done: edition daily-draft is cancelled" in late.text


def test_comments_are_shown_as_they_were_written_and_answered(drafted: Newsroom) -> None:
    change(drafted, Note(story="lead", text=XSS))
    reader, editor = drafted.signed_in(Role.READER), drafted.signed_in(Role.EDITOR)
    snapshot = read_edits(drafted.app.database, DRAFT).record.hash
    story = {"story": "lead", "text": f"Is this right?\n{XSS}"}
    assert reader.post(f"{PATH}/comments", data=story).headers["location"] == f"{PATH}/comments?story=lead#c1"
    editor.post(f"{PATH}/comments", data={"answers": "1", "text": "It is."})
    editor.post(f"{PATH}/comments", data={"text": "A good morning."})
    page = reader.get(f"{PATH}/comments").text
    assert XSS not in page
    assert escape(XSS) in page
    assert page.index("Ada Lind") < page.index("Jonas Wieck") < page.index("A good morning.")
    assert "A good morning." not in reader.get(f"{PATH}/comments?story=lead").text
    assert reader.get(f"{PATH}/comments?story=none").status_code == 404
    for wrong in ({"text": " "}, {"text": "?", "story": "none"}, {"text": "?", "answers": "7"}):
        assert reader.post(f"{PATH}/comments", data=wrong).status_code in (404, 422)
    long = reader.post(f"{PATH}/comments", data={"text": "calm " * 500}).text
    assert "was not saved: a comment has between 1 and 2,000 characters" in long
    assert "calm calm" in long  # what was written is not lost
    assert read_edits(drafted.app.database, DRAFT).record.hash == snapshot
    assert [entry.action for entry in trail(drafted.app.database)].count("commented") == 3


def test_the_inbox_line_follows_what_is_typed_and_is_saved(drafted: Newsroom) -> None:
    editor = drafted.signed_in(Role.EDITOR)
    typed = {"subject": "Ferries <b>again</b>", "preheader": "{{ titles | length }} stories"}
    part = editor.get(f"{PATH}/lines", params=typed).text
    assert part.startswith('<div id="lines"')
    assert "Ferries &lt;b&gt;again&lt;/b&gt;" in part
    assert "11 stories" in part
    assert "cannot be used" in editor.get(f"{PATH}/lines", params={"subject": "{{ nothing.here }}"}).text
    endless = {
        "subject": "{% for each in range(9999) %}{% for each in range(9999) %}{% endfor %}{% endfor %}"
    }
    assert "without loops" in editor.get(f"{PATH}/lines", params=endless).text
    lines = {"do": "lines", "show": "inbox", "shown_subject": "Ferries", "shown_preheader": ""}
    saved = editor.post(f"{PATH}/edit", data={**lines, **typed, "seen": "0"})
    assert saved.headers["location"] == f"{PATH}?show=inbox"
    edition = read_edits(drafted.app.database, DRAFT).applied.edition
    assert (edition.subject_template, edition.preheader_template) == tuple(typed.values())
    shown = {f"shown_{name}": text for name, text in typed.items()}
    editor.post(f"{PATH}/edit", data={**lines, **typed, **shown, "seen": "2"})  # nothing has changed
    editor.post(f"{PATH}/edit", data={**lines, **typed, "default": "subject", "seen": "2"})
    edited = read_edits(drafted.app.database, DRAFT)
    assert len(edited.edits) == 3
    assert edited.applied.edition.subject_template == edited.base.subject_template
    # Somebody else has written both lines meanwhile: nothing of the other person's form is lost.
    theirs = {"subject": "Boats all night", "preheader": "And nuts"}
    clash = drafted.signed_in(Role.APPROVER).post(f"{PATH}/edit", data={**lines, **theirs, "seen": "0"})
    assert clash.status_code == 409
    assert "Use mine" in clash.text
    assert clash.text.count("Boats all night") > 0 < clash.text.count("And nuts")
    assert read_edits(drafted.app.database, DRAFT).record.hash == edited.record.hash


def test_the_history_tells_who_held_an_edition_and_who_sent_tests_of_it(drafted: Newsroom) -> None:
    editor = drafted.signed_in(Role.EDITOR)
    editor.post(f"{PATH}/hold", data={"reason": "Wait for the port."})
    editor.post(f"{PATH}/resume")
    editor.post(f"{PATH}/test", data={"topics": "coast", "language": "de"})
    lines = read_history(drafted.app.database, DRAFT).lines
    assert [f"{line.by} {line.text}".strip() for line in lines] == [
        "Jonas Wieck sent a test, as a reader of Coast & sea, in Deutsch",
        "Jonas Wieck resumed it",
        "Jonas Wieck held it: Wait for the port.",
        "Composed at the cutoff: 11 stories.",
    ]
    [email] = drafted.site.emails()
    assert email["To"] == "jonas@example.org"
    assert email["Content-Language"] == "en-GB, de"
    assert str(email["Subject"]).startswith("[")
