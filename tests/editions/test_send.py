from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from digest.app import App
from digest.editions.editions import cancel, compose_now, find_edition, pause_edition
from digest.editions.send import send_by_hand, send_test
from digest.model.deliveries import Counts
from digest.model.editions import EditionState
from digest.model.errors import StateError
from digest.model.messages import Outcome
from digest.model.run_context import RunContext, RunEvent
from digest.scheduler.run import run_due
from digest.send.outbox import Outbox
from tests.scheduler.installation import Place, at
from tests.send.world import Recorder

NOON = at("22 12:00")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.publish("Ferry returns")
    place.subscribe("ada", "bob")
    with place.app() as app:
        run_due(app, RunContext(clock=lambda: NOON))
        compose_now(app, "daily", NOON)
    return place


def test_two_people_may_send_a_draft_by_hand_and_each_reader_gets_one_email(
    place: Place,
) -> None:
    with place.app() as app:
        draft = find_edition(app.database, app.config, "daily")
        both = [send_by_hand(app, draft, RunContext(clock=lambda: NOON)) for _ in range(2)]
    assert [sent.record.state for sent in both] == [EditionState.SENT, EditionState.SENT]
    assert set(place.emails()) == {"ada", "bob"}


def test_a_draft_that_was_paused_or_cancelled_meanwhile_is_not_sent(place: Place) -> None:
    with place.app() as app:
        draft = find_edition(app.database, app.config, "daily")
        pause_edition(app.database, draft.edition.id, reason="wrong lead", now=NOON)
        with pytest.raises(StateError, match="is a draft and paused"):
            send_by_hand(app, draft, RunContext(clock=lambda: NOON))
        cancel(app.database, draft.edition.id, reason="wrong lead", now=NOON)
        with pytest.raises(StateError, match="is cancelled"):
            send_by_hand(app, draft, RunContext(clock=lambda: NOON))
    assert place.emails() == {}


def test_an_edition_cancelled_during_sending_is_reported_as_cancelled(place: Place) -> None:
    said: list[str] = []
    with place.app() as app, place.app() as elsewhere:
        draft = find_edition(app.database, app.config, "daily")

        def cancel_it(edition_id: str, _: Counts) -> None:
            cancel(elsewhere.database, edition_id, reason="wrong lead", now=NOON)

        context = RunContext(
            clock=lambda: NOON, progress=cancel_it, report=lambda each: said.append(str(each))
        )
        send_by_hand(app, draft, context)
    assert said == [f"{draft.edition.id}: cancelled: 2 accepted"]


@pytest.mark.parametrize(
    ("language", "mark", "line"),
    [
        ("en", "[Test] ", "This is a test message."),
        ("de-AT", "[Test] ", "Dies ist eine Testnachricht."),
        ("es", "[Prueba] ", "Este es un mensaje de prueba."),
        ("ar", "[اختبار] ", "هذه رسالة تجريبية."),
    ],
)
def test_a_test_message_is_marked_in_its_subject_its_first_line_and_a_header(
    tmp_path: Path, language: str, mark: str, line: str
) -> None:
    place = Place(tmp_path)
    place.change("[site]", f'[site]\nlanguage = "{language}"')
    place.publish("Ferry returns")
    place.subscribe("ada")
    place.run("23 06:30")
    for _ in range(2):
        with place.app() as app:
            send_test(app, find_edition(app.database, app.config, "daily"), "ada@example.org")
    first, second = _messages(place)
    assert str(first["Subject"]) == f"{mark}Ferry returns"
    assert first["X-Test-Message"] == "yes"
    for kind in ("plain", "html"):
        body = first.get_body((kind,))
        assert body is not None
        text = str(body.get_content())
        above, _, _ = text[max(0, text.find("<body")) :].partition("Ferry returns")
        assert above.count(line) == 1
    assert first["Message-ID"] != second["Message-ID"], "a mail program would hide the second"
    assert place.run("23 07:00")[-1] == "daily-2026-11-23: sent: 1 accepted", "a test does not count"


def test_a_message_to_a_reader_has_no_mark(place: Place) -> None:
    with place.app() as app:
        send_by_hand(app, find_edition(app.database, app.config, "daily"), RunContext(clock=lambda: NOON))
    assert {each["X-Test-Message"] for each in _messages(place)} == {None}
    assert {str(each["Subject"]) for each in _messages(place)} == {"Ferry returns"}


class Refused(App):
    """The parts of the program, with a mail server that refuses every message."""

    def outbox(self, lines: int = 1) -> Outbox:
        return replace(App.outbox(self), transport=Recorder(lambda _message: Outcome.REJECTED))


def test_a_run_in_which_the_program_pauses_an_edition_says_so_and_counts_as_failed(place: Place) -> None:
    place.subscribe(*(f"reader{number}" for number in range(50)))
    events: list[RunEvent] = []
    with place.app() as app:
        refused = Refused(
            config=app.config, database=app.database, templates=app.templates, secret=app.secret
        )
        run_due(refused, RunContext(clock=lambda: at("23 07:00"), report=events.append))
    (paused,) = [event for event in events if event.kind.needs_somebody]
    assert str(paused).startswith("daily-2026-11-23: paused: ")
    assert "digest resume daily-2026-11-23" in paused.detail


def _messages(place: Place) -> list[EmailMessage]:
    files = sorted((place.folder / "data/mail").glob("*.eml"))
    return [message_from_bytes(path.read_bytes(), policy=default) for path in files]
