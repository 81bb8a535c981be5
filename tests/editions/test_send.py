from __future__ import annotations

from pathlib import Path

import pytest

from digest.editions.editions import cancel, compose_now, find_edition, pause_edition
from digest.editions.send import send_by_hand
from digest.model.deliveries import Counts
from digest.model.editions import EditionState
from digest.model.errors import StateError
from digest.model.run_context import RunContext
from digest.scheduler.run import run_due
from tests.scheduler.installation import Place, at

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
        with pytest.raises(StateError, match="is approved and paused"):
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
