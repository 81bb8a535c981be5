from __future__ import annotations

from pathlib import Path

import pytest

from digest.editions.editions import approve, cancel, find_edition
from digest.model.errors import PreflightError
from tests.scheduler.installation import Place, at

# As a headline with its source, a story takes about half a kilobyte: two hundred are too much for one email.
MANY = tuple(f"The {number}th walk along the harbour, told by those who took it" for number in range(220))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.change('title = "Daily"', 'title = "Daily"\nmaximum = 400')
    place.publish(*MANY, published="22 12:00")
    place.subscribe("ada")
    return place


@pytest.fixture
def bloated(place: Place) -> Place:
    """Return a publication whose own template alone is larger than mail programs show."""
    own = place.folder / "own" / "mail"
    own.mkdir(parents=True)
    (own / "edition.html").write_text(
        "<html><body><p>" + "Harbour. " * 20_000 + "</p></body></html>", "utf-8"
    )
    place.change("[site]", '[site]\ntemplates = "own"')
    return place


def test_posts_that_do_not_fit_into_one_email_are_carried_over(place: Place) -> None:
    assert place.run("23 07:00")[-1] == "daily-2026-11-23: sent: 1 accepted"
    first = _titles(place)
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    second = _titles(place)
    assert second
    assert sorted(first + second) == sorted(MANY)


def test_an_edition_that_cannot_be_made_to_fit_is_not_sent_and_the_reason_is_reported(bloated: Place) -> None:
    events = bloated.run("23 07:00")
    assert "cannot be sent as it is: The HTML has" in events[-1]
    assert bloated.emails() == {}


def test_an_edition_that_cannot_be_made_to_fit_cannot_be_approved(bloated: Place) -> None:
    bloated.run("23 06:30")
    with bloated.app() as app, pytest.raises(PreflightError, match="Gmail would clip it"):
        approve(
            app,
            find_edition(app.database, app.config, "daily").edition.id,
            by="an editor",
            now=at("23 06:45"),
        )


def test_an_edition_that_is_too_long_in_one_language_cannot_be_approved(bloated: Place) -> None:
    page = "<html><body><p>{{ 'مرفأ' * (9_000 if language == 'ar' else 1) }}</p></body></html>"
    (bloated.folder / "own/mail/edition.html").write_text(page, "utf-8")
    bloated.run("23 06:30")
    with bloated.app() as app, pytest.raises(PreflightError, match="Gmail would clip it"):
        approve(
            app,
            find_edition(app.database, app.config, "daily").edition.id,
            by="an editor",
            now=at("23 06:45"),
        )


def test_the_posts_of_a_cancelled_edition_are_in_the_next_one(bloated: Place) -> None:
    bloated.run("23 07:00")
    with bloated.app() as app:
        cancel(
            app.database,
            find_edition(app.database, app.config, "daily").edition.id,
            reason="too long",
            now=at("23 07:10"),
        )
    bloated.change('templates = "own"\n', "")
    assert bloated.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    assert len(_titles(bloated)) > 20


def _titles(place: Place) -> list[str]:
    text = " ".join(place.emails()["ada"].split())
    return [title for title in MANY if f"{title} " in text]
