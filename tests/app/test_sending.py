from __future__ import annotations

from pathlib import Path

import pytest

from digest.app import Watch
from digest.app.editions import cancel, compose_now, find_edition, pause_edition
from digest.app.run import run_due
from digest.app.sending import send_by_hand
from digest.errors import StateError
from digest.model import Counts, EditionState
from tests.app.place import Place, at

NOON = at("22 12:00")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.publish("Ferry returns")
    place.subscribe("ada", "bob")
    with place.app() as app:
        run_due(app, Watch(clock=lambda: NOON))
        compose_now(app, "daily", NOON)
    return place


def test_of_two_who_send_a_draft_by_hand_neither_is_refused_and_each_reader_has_one_mail(
    place: Place,
) -> None:
    with place.app() as app:
        draft = find_edition(app, "daily")
        both = [send_by_hand(app, draft, Watch(clock=lambda: NOON)) for _ in range(2)]
    assert [sent.record.state for sent in both] == [EditionState.SENT, EditionState.SENT]
    assert set(place.mails()) == {"ada", "bob"}


def test_a_draft_that_was_stopped_meanwhile_is_not_sent(place: Place) -> None:
    with place.app() as app:
        draft = find_edition(app, "daily")
        pause_edition(app, draft.edition.id, reason="wrong lead", now=NOON)
        with pytest.raises(StateError, match="is approved and paused"):
            send_by_hand(app, draft, Watch(clock=lambda: NOON))
        cancel(app, draft.edition.id, reason="wrong lead", now=NOON)
        with pytest.raises(StateError, match="is cancelled"):
            send_by_hand(app, draft, Watch(clock=lambda: NOON))
    assert place.mails() == {}


def test_one_that_is_cancelled_while_it_goes_is_told_as_cancelled(place: Place) -> None:
    said: list[str] = []
    with place.app() as app, place.app() as elsewhere:
        draft = find_edition(app, "daily")

        def cancel_it(edition_id: str, _: Counts) -> None:
            cancel(elsewhere, edition_id, reason="wrong lead", now=NOON)

        watch = Watch(clock=lambda: NOON, progress=cancel_it, report=lambda each: said.append(str(each)))
        send_by_hand(app, draft, watch)
    assert said == [f"{draft.edition.id}: cancelled: 2 accepted"]
