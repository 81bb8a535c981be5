"""An edition is sent exactly as it was approved: with its stories, its templates and its fixed words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from digest.app import App
from digest.compose.edits.operations import Introduce
from digest.editions.approval import (
    ApprovedAlreadyError,
    ReviewError,
    VoidError,
    approvals_missing,
    approvals_of,
    approve_look,
    standing,
    unapprove,
)
from digest.editions.editions import approve, find_edition
from digest.editions.edits.edits import Editor, edit, read_edits
from digest.editions.send import send_by_hand
from digest.message.look import approved_look, differences, look_at, look_from
from digest.model.editions import EditionRecord, EditionState, StepCause
from digest.model.errors import StateError
from digest.model.run_context import RunContext
from digest.readers.subscribers import add_reader, requested
from digest.render.templates import load_templates
from digest.send.send import send
from digest.storage.editions.steps import advance, advance_seen
from digest.storage.tables.editions import looks, template_sources
from tests.scheduler.installation import Place, at

EDITION = "daily-2026-11-23"
OURS = load_templates().defaults
FOOT = "mail/_foot.txt"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.publish("Ferry returns", "Tram")
    place.subscribe("ada", "bob")
    (place.folder / "own/mail").mkdir(parents=True)
    place.change("[site]", '[site]\ntemplates = "own"')
    place.run("23 06:30")
    return place


def change(place: Place, name: str = FOOT, line: str = "Boats for hire, all summer.") -> None:
    """Write an operator's own template: the present one with a line added."""
    own = place.folder / "own" / name
    source = (own if own.exists() else OURS / name).read_text(encoding="utf-8")
    own.write_text(f"{source}{line}\n", encoding="utf-8")


def restore(place: Place, name: str = FOOT) -> None:
    (place.folder / "own" / name).unlink()


def edition(app: App) -> EditionRecord:
    return find_edition(app.database, app.config, EDITION)


def approved(place: Place, now: str = "23 06:40") -> str:
    """Approve the edition as it is, and return the hash."""
    with place.app() as app:
        record, _ = approve(app, EDITION, by="Ines", now=at(now))
    assert record.look is not None
    return record.look


@pytest.mark.parametrize("review", ["hold", "skip"])
def test_an_approval_is_void_if_a_template_was_changed_after_it(place: Place, review: str) -> None:
    place.change("schedule =", f'review = "{review}"\nschedule =')
    approved(place)
    change(place)
    said = place.run("23 07:00")[-1]
    assert f"{EDITION}: failed: {EDITION} is not sent and is a draft again" in said
    assert f"its approval is void: {FOOT} changed after Ines had approved it" in said
    assert place.emails() == {}
    with place.app() as app:
        record = edition(app)
    assert (record.state, record.approved_by, record.look) == (EditionState.DRAFT, None, None)
    assert f"approval, because {FOOT} changed after Ines had approved it" in place.run("23 07:05")[-1]
    approved(place, "23 07:10")
    assert place.run("23 07:15")[-1] == f"{EDITION}: sent: 2 accepted"
    assert all("Boats for hire" in text for text in place.emails().values())


def test_with_skip_an_edition_whose_approval_is_void_waits_as_long_as_it_may_be_late(
    place: Place,
) -> None:
    place.change("schedule =", 'review = "skip"\nschedule =')
    approved(place)
    change(place)
    place.run("23 07:00")
    assert "waits for a new approval" in place.run("23 10:59")[-1]
    assert f"{EDITION}: skipped: nobody approved it" in place.run("23 11:01")[0]


def test_a_change_that_is_undone_before_the_send_time_leaves_the_approval_as_it_is(place: Place) -> None:
    place.change("schedule =", 'review = "hold"\nschedule =')
    seen = approved(place)
    change(place)
    with place.app() as app:
        assert standing(app, edition(app)).changes == (FOOT,)
    restore(place)
    assert place.run("23 07:00")[-1] == f"{EDITION}: sent: 2 accepted"
    with place.app() as app:
        assert edition(app).look == seen


def test_if_no_approval_is_needed_a_change_is_reported_and_the_edition_is_sent(place: Place) -> None:
    approved(place)
    change(place)
    told, sent = place.run("23 07:00")
    assert told.startswith(
        f"{EDITION}: differs: {FOOT} changed after Ines had approved it; it is sent all the"
    )
    assert sent == f"{EDITION}: sent: 2 accepted"
    with place.app() as app:
        assert edition(app).approved_by == "review policy"


def test_a_change_that_takes_away_the_foot_is_not_reported_as_sent(place: Place) -> None:
    approved(place)
    (place.folder / "own" / FOOT).write_text("See you tomorrow.\n", encoding="utf-8")
    (told,) = place.run("23 07:00")
    assert told.startswith(f"{EDITION}: failed: {EDITION} cannot be sent as it is: ")
    assert place.emails() == {}


def test_an_edition_sent_by_hand_is_sent_only_as_it_was_approved(place: Place) -> None:
    place.change("schedule =", 'review = "hold"\nschedule =')
    approved(place)
    change(place)
    with place.app() as app, pytest.raises(VoidError, match="approval is void"):
        send_by_hand(app, edition(app), RunContext(clock=lambda: at("23 06:50")))
    assert place.emails() == {}


def test_changed_words_of_the_program_count_like_changed_templates(place: Place) -> None:
    place.change("schedule =", 'review = "hold"\nschedule =')
    with place.app() as app:
        look, _ = look_at(app.templates, edition(app))
        german = look.words["de"]
        earlier = replace(german, phrases=replace(german.phrases, unsubscribe="Abmelden"))
        older = replace(look, words={**look.words, "de": earlier})
        approve_look(app.database, edition(app), older, by="Ines", now=at("23 06:40"))
    assert "void: the words in 'de' changed after Ines had approved it" in place.run("23 07:00")[-1]


def test_an_approval_of_an_earlier_version_covers_nothing(place: Place) -> None:
    place.change("schedule =", 'review = "hold"\nschedule =')
    with place.app() as app, app.database.write() as connection:
        advance(connection, EDITION, EditionState.APPROVED, StepCause(at=at("23 06:40"), by="Ines"))
    assert "void: the version of the program changed" in place.run("23 07:00")[-1]


def test_every_template_of_the_edition_is_covered_and_no_other(place: Place) -> None:
    with place.app() as app:
        before, _ = look_at(app.templates, edition(app))
        for path in sorted(OURS.glob("*/*.*")):
            name = path.relative_to(OURS).as_posix()
            (place.folder / "own" / name).parent.mkdir(exist_ok=True)
            change(place, name, "{# a remark #}")
            now, _ = look_at(app.templates, edition(app))
            assert differences(before, now) == ((name,) if name in before.templates else ())
            restore(place, name)
    names = set(before.templates)
    assert {"mail/edition.html", "mail/edition.txt", "mail/_styles.html", "mail/_marks.html", FOOT} <= names
    assert not {"mail/welcome.html", "mail/_notice.txt", "web/edition.html"} & names


def test_a_template_with_a_computed_name_covers_all_templates_of_emails(place: Place) -> None:
    change(place, FOOT, '{% include "mail/_" ~ "by_hand.txt" %}')
    (place.folder / "own/mail/_by_hand.txt").write_text("By hand.\n", encoding="utf-8")
    with place.app() as app:
        look, _ = look_at(app.templates, edition(app))
    assert {"mail/_by_hand.txt", "mail/welcome.html"} <= set(look.templates)


def test_a_look_that_is_kept_is_the_same_when_it_is_read_again(place: Place) -> None:
    approved(place)
    with place.app() as app:
        look, _ = look_at(app.templates, edition(app))
        assert look_from(look.kept()) == look == approved_look(app.database, edition(app))


# ── an edition that has begun ───────────────────────────────────────────────────────────────


def late_reader(place: Place, name: str, hour: str, language: str = "") -> None:
    with place.app() as app:
        asked = [requested("daily", topics="", hour=hour, zone="")]
        add_reader(app, f"{name}@example.org", asked, source="test", now=at("22 12:00"))


def test_all_readers_of_an_edition_get_the_same_words_whatever_changes_while_it_is_sent(place: Place) -> None:
    for number in range(1, 6):
        late_reader(place, f"late{number}", f"{7 + 3 * number}:30")
    place.run("23 07:00")
    texts = [text.replace("\n", " ") for text in place.emails().values()]
    assert len(texts) == 2
    own = place.folder / "own/mail"
    # Each time, another process with another template or another site goes on with the edition.
    harms: tuple[Callable[[], object], ...] = (
        lambda: change(place),
        lambda: change(place, "mail/_masthead.txt"),
        lambda: place.change("1 Quay Street", "2 Market Square"),
        lambda: (own / "_foot.txt").write_text("BUY OUR BOATS\n", encoding="utf-8"),
        lambda: (own / "edition.txt").write_text("{{ nonsense }}\n", encoding="utf-8"),
    )
    for number, harm in enumerate(harms, 1):
        harm()
        said = place.run(f"23 {7 + 3 * number}:30")
        assert said[0].startswith(f"{EDITION}: "), said
        (text,) = place.emails().values()
        texts.append(text.replace("\n", " "))
    without_links = {" ".join(word for word in text.split() if "://" not in word) for text in texts}
    assert len(without_links) == 1
    assert len(texts) == 7


def test_words_that_were_approved_are_used_although_the_program_has_others(place: Place) -> None:
    with place.app() as app:
        look, _ = look_at(app.templates, edition(app))
        words = look.words["en"]
        phrases = replace(words.phrases, unsubscribe="Leave us")
        earlier = replace(words, date="the day of the ferry", phrases=phrases)
        older = replace(look, words={"en": earlier})
        record = approve_look(app.database, edition(app), older, by="Ines", now=at("23 06:40"))
        send(app.database, EDITION, outbox=app.outbox(), clock=lambda: at("23 07:00"), seen=record)
    assert all("Leave us:" in text and "the day of the ferry" in text for text in place.emails().values())


def test_identical_templates_are_stored_once(place: Place) -> None:
    approved(place)
    with place.app() as app, app.database.read() as connection:
        first = connection.scalar(select(func.count()).select_from(template_sources))
    place.run("23 07:00")
    place.publish("Lighthouse")
    place.run("24 07:00")
    with place.app() as app, app.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(template_sources)) == first
        assert connection.scalar(select(func.count()).select_from(looks)) == 2


# ── the hash that was reviewed ──────────────────────────────────────────────────────────────


def test_an_edition_is_approved_only_with_the_hash_that_was_reviewed(place: Place) -> None:
    with place.app() as app:
        shown = standing(app, edition(app)).hash
    change(place)
    with place.app() as app:
        for wrong in (shown, shown[:8], "0" * 64, standing(app, edition(app)).hash[:7], "ferry"):
            with pytest.raises(ReviewError, match=f"{EDITION} is not approved: its hash is"):
                approve(app, EDITION, by="Ines", now=at("23 06:40"), reviewed=wrong)
            assert edition(app).state is EditionState.DRAFT
        now = standing(app, edition(app)).hash
        approve(app, EDITION, by="Ines", now=at("23 06:40"), reviewed=now[:8].upper())
        assert edition(app).look == now


def test_an_approved_edition_is_approved_again_only_if_it_has_changed(place: Place) -> None:
    first = approved(place)
    with place.app() as app, pytest.raises(StateError, match="does not need approval any more"):
        approve(app, EDITION, by="Jonas", now=at("23 06:45"))
    change(place)
    assert approved(place, "23 06:50") != first
    assert place.run("23 07:00") == [f"{EDITION}: sent: 2 accepted"]


# ── one statement begins ────────────────────────────────────────────────────────────────────


def test_an_edition_approved_again_between_the_look_and_the_first_statement_does_not_begin(
    place: Place,
) -> None:
    approved(place)
    with place.app() as app, place.app() as elsewhere:
        seen = edition(app)
        change(place)
        approve(elsewhere, EDITION, by="Jonas", now=at("23 06:50"))
        with app.database.write() as connection, pytest.raises(StateError, match="changed meanwhile"):
            advance_seen(connection, seen, EditionState.SENDING, StepCause(at=at("23 07:00")))
        assert edition(app).state is EditionState.APPROVED


SENDER = """
import sys
from datetime import datetime
from pathlib import Path
from digest.app import open_app
from digest.config import load
from digest.editions.send import send_edition
from digest.model.run_context import RunContext
now = datetime.fromisoformat("2026-11-23T07:00+00:00")
with open_app(load(Path(sys.argv[1]), {})) as app:
    print("ready", flush=True)
    sys.stdin.readline()
    send_edition(app, sys.argv[2], RunContext(clock=lambda: now))
"""


def test_two_processes_that_begin_at_once_send_one_edition_with_one_look(place: Place) -> None:
    approved(place)
    command = [sys.executable, "-c", SENDER, str(place.config_path), EDITION]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for each in processes:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in processes:
        each.communicate(timeout=60)
    assert [each.returncode for each in processes] == [0, 0]
    assert sorted(place.emails()) == ["ada", "bob"]


# ── two persons ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def careful(place: Place) -> Place:
    """Give a publication in which two persons must approve each edition."""
    place.change("schedule =", 'approvals = 2\nreview = "hold"\nschedule =')
    return place


def said_to_approve(app: App, by: str, reviewed: str = "") -> EditionRecord:
    return approve(app, EDITION, by=by, now=at("23 06:40"), reviewed=reviewed)[0]


def persons(app: App) -> tuple[list[str], int]:
    """Return who has approved the edition, and how many persons are missing."""
    given = approvals_of(app.database, EDITION)
    return [each.by for each in given], approvals_missing(app.config, edition(app), given)


def test_an_edition_is_approved_when_two_persons_have_approved_the_same_hash(careful: Place) -> None:
    with careful.app() as app:
        first = said_to_approve(app, "Ines")
        assert (first.state, persons(app)) == (EditionState.DRAFT, (["Ines"], 1))
        with pytest.raises(ApprovedAlreadyError, match="needs the approvals of 2 persons"):
            said_to_approve(app, "ines")
        with pytest.raises(StateError):
            send_by_hand(app, edition(app), RunContext(clock=lambda: at("23 06:45")))
    assert careful.run("23 07:00")[-1].endswith("waits for approval")
    with careful.app() as app:
        reviewed = approvals_of(app.database, EDITION)[0].look or ""
        second = said_to_approve(app, "Jonas", reviewed)
        assert (second.state, second.approved_by, second.look) == (
            EditionState.APPROVED,
            "Ines and Jonas",
            reviewed,
        )
    assert careful.run("23 07:05") == [f"{EDITION}: sent: 2 accepted"]


def test_any_change_makes_the_approvals_of_both_persons_void(careful: Place) -> None:
    with careful.app() as app:
        for approvers in (["Ines"], ["Ines", "Jonas"]):
            for by in approvers:
                said_to_approve(app, by)
            seen = len(read_edits(app.database, EDITION).edits)
            text = Introduce(text=f"Good morning, {seen}.")
            record = edit(
                app.database, EDITION, [text], Editor(name="Maren", seen=seen, now=at("23 06:41"))
            ).record
            assert (record.state, persons(app)) == (EditionState.DRAFT, ([], 2))
            assert record.reason.startswith("Maren has edited it since it was approved")
        said_to_approve(app, "Ines")
    change(careful)
    with careful.app() as app:
        # Another template is another hash, so the first approval does not count for it.
        assert said_to_approve(app, "Jonas").state is EditionState.DRAFT
        assert persons(app) == (["Jonas"], 1)
        unapprove(app.database, EDITION, by="Jonas", now=at("23 06:42"))
        assert persons(app) == ([], 2)
        with pytest.raises(StateError, match="cannot be unapproved"):
            unapprove(app.database, EDITION, by="Jonas", now=at("23 06:43"))
