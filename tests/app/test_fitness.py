from __future__ import annotations

from pathlib import Path

import pytest

from digest.app.editions import approve, cancel, find_edition
from digest.app.fitness import UnfitError
from tests.app.place import Place, at

# Blurbs and sources make about a kilobyte and a half a story: a hundred of them are too much for one mail.
MANY = tuple(f"The {number}th walk along the harbour, told by those who took it" for number in range(100))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.change('title = "Daily"', 'title = "Daily"\nmaximum = 200')
    place.publish(*MANY)
    place.subscribe("ada")
    return place


def test_an_edition_that_would_be_cut_off_is_not_sent_and_it_is_said_why(place: Place) -> None:
    happenings = place.run("23 07:00")
    assert "must not go as it is: The HTML takes" in happenings[-1]
    assert "lower `maximum`" in happenings[-1]
    assert place.mails() == {}


def test_an_edition_that_would_be_cut_off_cannot_be_approved(place: Place) -> None:
    place.run("23 06:30")
    with place.app() as app, pytest.raises(UnfitError, match="lower `maximum`"):
        approve(app, find_edition(app, "daily").edition.id, by="an editor", now=at("23 06:45"))


def test_once_cancelled_its_posts_come_in_an_edition_that_fits(place: Place) -> None:
    place.run("23 07:00")
    with place.app() as app:
        cancel(app, find_edition(app, "daily").edition.id, reason="too long", now=at("23 07:10"))
    place.change("maximum = 200", "maximum = 20")
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    assert place.mails()["ada"].count("along the harbour") >= 20
