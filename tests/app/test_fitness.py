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


@pytest.fixture
def bloated(place: Place) -> Place:
    """A publication whose own template alone is more than mail programs show."""
    own = place.folder / "own" / "mail"
    own.mkdir(parents=True)
    (own / "edition.html").write_text(
        "<html><body><p>" + "Harbour. " * 20_000 + "</p></body></html>", "utf-8"
    )
    place.change("[site]", '[site]\ntemplates = "own"')
    return place


def test_what_does_not_fit_into_one_mail_is_carried_to_the_next(place: Place) -> None:
    assert place.run("23 07:00")[-1] == "daily-2026-11-23: sent: 1 accepted"
    first = _titles(place)
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    second = _titles(place)
    assert second
    assert sorted(first + second) == sorted(MANY)


def test_an_edition_that_cannot_be_made_to_fit_is_not_sent_and_it_is_said_why(bloated: Place) -> None:
    happenings = bloated.run("23 07:00")
    assert "must not go as it is: The HTML takes" in happenings[-1]
    assert bloated.mails() == {}


def test_an_edition_that_cannot_be_made_to_fit_cannot_be_approved(bloated: Place) -> None:
    bloated.run("23 06:30")
    with bloated.app() as app, pytest.raises(UnfitError, match="Gmail would cut it off"):
        approve(app, find_edition(app, "daily").edition.id, by="an editor", now=at("23 06:45"))


def test_an_edition_too_long_in_one_of_its_readers_languages_cannot_be_approved(bloated: Place) -> None:
    page = "<html><body><p>{{ 'مرفأ' * (9_000 if language == 'ar' else 1) }}</p></body></html>"
    (bloated.folder / "own/mail/edition.html").write_text(page, "utf-8")
    bloated.run("23 06:30")
    with bloated.app() as app, pytest.raises(UnfitError, match="Gmail would cut it off"):
        approve(app, find_edition(app, "daily").edition.id, by="an editor", now=at("23 06:45"))


def test_once_cancelled_and_mended_its_posts_come_in_the_next(bloated: Place) -> None:
    bloated.run("23 07:00")
    with bloated.app() as app:
        cancel(app, find_edition(app, "daily").edition.id, reason="too long", now=at("23 07:10"))
    bloated.change('templates = "own"\n', "")
    assert bloated.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    assert len(_titles(bloated)) > 20


def _titles(place: Place) -> list[str]:
    text = " ".join(place.mails()["ada"].split())
    return [title for title in MANY if f"{title} " in text]
