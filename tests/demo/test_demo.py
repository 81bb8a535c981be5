from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import httpx2
import pytest

from digest.demo.newsroom import newsroom
from digest.demo.run import Summary, run
from digest.model.deliveries import Counts
from digest.model.editions import EditionState
from digest.model.posts import FeedReport
from digest.web.trial import trial

NOW = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
NEW_POST = """<item><title>A bench for everyone</title><link>https://harbour-courier.example.org/bench/</link>
<guid isPermaLink="false">bench</guid><category>Harbour</category>
<description>The new bench on the quay looks at the sea.</description></item>"""


class Recorded:
    """Records the progress of the demo."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.feeds: list[FeedReport] = []

    def step(self, title: str) -> None:
        self.lines.append(title)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def feed(self, report: FeedReport) -> None:
        self.feeds.append(report)

    def progress(self, edition_id: str, counts: Counts) -> None:
        self.lines.append(f"{edition_id}: {counts.total}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def test_every_reader_gets_one_email_of_each_digest_they_chose(folder: Path) -> None:
    first, _ = demonstrate(folder)
    readers = sorted((to, title) for to, title, _ in map(read, first.emails))
    assert readers == [
        ("ada@readers.test", "The Morning Paper"),
        ("ada@readers.test", "The Port Merrow Papers"),
        ("bela@readers.test", "The Morning Paper"),
        ("cleo@readers.test", "The Morning Paper"),
        ("dario@readers.test", "The Morning Paper"),
        ("edda@readers.test", "The Morning Paper"),
        ("finn@readers.test", "The Port Merrow Papers"),
        ("greta@readers.test", "The Morning Paper"),
        ("greta@readers.test", "The Port Merrow Papers"),
    ]


def test_all_feeds_are_read_and_a_story_of_two_feeds_appears_once(folder: Path) -> None:
    first, shown = demonstrate(folder)
    assert [(report.status, report.new) for report in shown.feeds] == [("ok", 6)] * 5
    (text,) = [body for to, title, body in map(read, first.emails) if (to, title) == ADAS_MORNING]
    assert text.casefold().count("night train returns to port merrow\n") <= 1
    assert "Also in" in text


def test_an_email_contains_only_the_topics_its_reader_chose(folder: Path) -> None:
    first, _ = demonstrate(folder)
    (text,) = [body for to, _, body in map(read, first.emails) if to == "bela@readers.test"]
    assert "Outdoors" in text
    assert "Craft and code" not in text


def test_a_reader_who_chose_german_gets_the_same_stories_with_german_words(folder: Path) -> None:
    first, _ = demonstrate(folder)
    (text,) = [body for to, title, body in map(read, first.emails) if (to, title) == GRETAS_MORNING]
    assert "Freitag, 20. November 2026" in text
    assert "Abbestellen:" in text
    assert "Unsubscribe" not in text
    assert "Night train returns to Port Merrow" in text


def test_a_second_run_sends_nothing(folder: Path) -> None:
    demonstrate(folder)
    second, shown = demonstrate(folder, hours=1)
    assert (second.emails, second.editions) == ((), ())
    assert "The Morning Paper: there are no new posts" in shown.lines


def test_only_a_new_post_is_mailed(folder: Path) -> None:
    first, _ = demonstrate(folder)
    feed = first.workspace.feeds / "harbour-courier.xml"
    feed.write_text(feed.read_text("utf-8").replace("<item>", f"{NEW_POST}<item>", 1), "utf-8")
    second, _ = demonstrate(folder, hours=24)
    (text,) = [body for to, title, body in map(read, second.emails) if (to, title) == ADAS_MORNING]
    assert "A bench for everyone" in text
    assert "Night train" not in text


def test_the_previews_show_pictures_from_this_machine(folder: Path) -> None:
    first, _ = demonstrate(folder)
    page = next(path for path in first.pages if path.suffix == ".html")
    text = page.read_text("utf-8")
    assert "pictures.example.org" not in text
    assert (page.parent / "pictures" / "night-train.jpg").is_file()
    assert 'src="pictures/night-train.jpg"' in text


def test_the_newsroom_stays_open_with_a_draft_and_links_that_sign_in_once(folder: Path) -> None:
    (folder / "before").mkdir(parents=True)  # it begins anew
    with (
        newsroom(folder, Recorded(), lambda: datetime.now(UTC)) as opened,
        trial(opened.app, opened.people, lambda: None) as links,
    ):
        assert not (folder / "before").exists()
        draft = opened.draft
        assert draft.state is EditionState.DRAFT
        assert timedelta(minutes=29) < draft.edition.send_at - datetime.now(UTC) <= timedelta(minutes=31)
        images = [story.image for story in draft.edition.stories() if story.image]
        assert images
        assert all(image.url.startswith(opened.url) for image in images)  # our own copies
        assert len(list(opened.mail.glob("*.eml"))) == 3  # an edition of the other digest
        for person, link in zip(opened.people, links, strict=True):
            with httpx2.Client() as browser:
                desk = browser.get(link, follow_redirects=True)
                assert str(desk.url) == f"{opened.url}/team/desk"
                assert person.name in desk.text
                assert draft.edition.title in desk.text
                assert browser.get(f"{opened.url}/").status_code == 200
            with httpx2.Client() as stranger:
                assert stranger.get(link).status_code == 404
                assert stranger.get(f"{opened.url}/team/desk").status_code == 303


ADAS_MORNING = ("ada@readers.test", "The Morning Paper")
GRETAS_MORNING = ("greta@readers.test", "The Morning Paper")


def demonstrate(folder: Path, *, hours: int = 0) -> tuple[Summary, Recorded]:
    shown = Recorded()
    return run(folder, shown, lambda: NOW + timedelta(hours=hours)), shown


def read(path: Path) -> tuple[str, str, str]:
    message = message_from_bytes(path.read_bytes(), policy=default)
    body = message.get_body(("plain",))
    assert body is not None
    return str(message["To"]), str(message["From"]).partition(" <")[0].strip('"'), body.get_content()
