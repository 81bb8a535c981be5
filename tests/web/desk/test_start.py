"""An empty installation leads from the address of a site to a draft of its own digest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from digest.config import load
from digest.editions.editions import compose_now
from digest.model.staff import Role
from digest.render.shipped import shipped
from digest.sources.start import write_samples
from digest.storage.database import Database
from digest.storage.editions.lists import last_edition
from digest.web.desk.start import JOBS
from tests.collect.servers import Answer, Site, serving
from tests.web.desk.newsroom import Desk, open_desk
from tests.web.desk.test_overview import text_of
from tests.web.staff.newsroom import Newsroom

EMPTY = """
[site]
name = "Quay Notes"
base_url = "https://quay.example.org"
postal_address = "2 Quay Street"

[collect]
allow_hosts = ["127.0.0.1"]

[[digest]]
slug = "daily"
title = "Daily"
schedule = "every day at 07:00"
from = "Quay <daily@quay.example.org>"
"""
SECTIONS = ("Harbour", "Council", "Culture")
TITLES = (
    "Ferry runs at night", "Budget is balanced", "Choir sings outdoors", "Crane becomes lookout",
    "Mayor opens library", "Painter shows sketches", "Pilots find roster", "Benches are repaired",
    "Cinema turns ninety", "Tug arrives early", "Parking costs less", "Orchestra tunes up",
)  # fmt: skip


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a site whose page names a feed of twelve posts in three sections."""
    with serving() as site:
        page = b'<title>Quay</title><link rel="alternate" type="application/feed+json" href="/posts.json">'
        site.put("/", Answer(body=page, headers={"content-type": "text/html"}))
        items = [
            {
                "id": str(number),
                "url": site.url(f"/posts/{number}"),
                "title": TITLES[number],
                "content_text": f"All there is to know about number {number}. It was a calm day.",
                "tags": [SECTIONS[number % 3]],
                "date_published": f"2026-11-22T{number + 6:02}:00:00Z",
            }
            for number in range(12)
        ]
        feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Quay <i>Notes</i>", "items": items}
        body = json.dumps(feed).encode()
        site.put("/posts.json", Answer(body=body, headers={"content-type": "application/feed+json"}))
        yield site


def empty(database: Database, folder: Path, config: str = EMPTY) -> Desk:
    return open_desk(database, folder, config)


def found(client: TestClient, address: str) -> str:
    """Search a site, and return the path of the page that shows what was found."""
    answer = client.post("/desk/start", data={"address": address})
    assert answer.status_code == 303
    path = answer.headers["location"]
    assert JOBS.get(path.rpartition("/")[2]).idle.wait(20)
    return path


def made(client: TestClient, path: str, **form: object) -> str:
    """Make a digest of what was found, and return the page."""
    assert client.post(path, data=form).status_code == 303
    assert JOBS.get(path.rpartition("/")[2]).idle.wait(20)
    return client.get(path).text


def test_an_empty_installation_gets_a_digest_of_its_own_site(
    sqlite: Database, tmp_path: Path, site: Site
) -> None:
    room = empty(sqlite, tmp_path)
    client = room.newsroom.signed_in(Role.OPERATOR)
    assert client.get("/desk").headers["location"] == "/desk/start"
    assert "In a minute you’ll see your own digest" in text_of(client.get("/desk/start"))
    path = found(client, site.url("/"))
    page = client.get(path)
    said = text_of(page)
    assert "12 posts, the latest 3 hours old; 3 tags." in said
    assert "3 topics cover 12 of 12 posts" in said
    assert "<i>" not in page.text
    after = made(client, path, feed="0")
    assert "Your digest is ready." in after
    config = load(tmp_path / "config.toml", {})
    assert [feed.url for feed in config.feeds] == [site.url("/posts.json")]
    assert config.path.read_text(encoding="utf-8").startswith(EMPTY.rstrip())
    shown = re.search(r'href="/desk/(daily-[^"]+)"', after)
    assert shown
    room.newsroom.site.app = replace(room.newsroom.app, config=config)
    desk = text_of(Newsroom(room.newsroom.site).signed_in(Role.OPERATOR, "Eva Brandt").get("/desk"))
    assert "Draft. Sends automatically tomorrow at 07:00" in desk
    assert re.search(r"\d+ stories in 3 topics", desk), desk


@pytest.mark.parametrize(("minutes", "times"), [(9, 1), (11, 2)])
def test_a_feed_that_was_found_a_moment_ago_is_not_fetched_again(
    sqlite: Database, tmp_path: Path, site: Site, minutes: int, times: int
) -> None:
    room = empty(sqlite, tmp_path)
    client = room.newsroom.signed_in(Role.OPERATOR)
    path = found(client, site.url("/"))
    room.newsroom.clock.forward(minutes=minutes)
    assert "Your digest is ready." in made(client, path, feed="0")
    asked = [path for path, _ in site.asked]
    assert (asked.count("/posts.json"), asked.count("/")) == (times, 1)


@pytest.mark.parametrize("fixed", [False, True])
def test_the_sample_gives_way_to_the_site_and_its_other_settings_stay(
    sqlite: Database, tmp_path: Path, site: Site, *, fixed: bool
) -> None:
    list(write_samples(tmp_path))
    text = shipped("config.toml").read_text(encoding="utf-8")
    text = text.replace('#allow_hosts = ["127.0.0.1"]', 'allow_hosts = ["127.0.0.1"]')
    text = text.replace('#url = "http://127.0.0.1:8000/team"', 'url = "https://desk.example.org"')
    room = empty(sqlite, tmp_path, text.replace('"2h"', '"3h"'))
    client = room.newsroom.signed_in(Role.OPERATOR)
    assert "This is the sample." in text_of(client.get("/desk"))
    room.run("22 20:00")
    assert "No post waits" not in text_of(client.get("/desk/posts"))
    path = found(client, site.url("/"))
    offered = re.findall(r'name="offered" value="([^"]+)"', client.get(path).text)
    chosen = offered[:2] if fixed else offered
    after = made(client, path, feed="0", zone="Europe/Lisbon", offered=offered, topic=chosen)
    assert "Your digest is ready." in after
    config = load(tmp_path / "config.toml", {})
    assert [feed.name for feed in config.feeds] == ["Quay Notes"]
    assert config.site.name == "Quay Notes"
    assert [str(digest.cutoff) for digest in config.digests] == ["0:30:00", "3:00:00"]
    assert config.staff is not None
    dropped = text_of(client.get("/desk/posts?state=dropped&digest=weekend"))
    assert "its feed is not in this digest any more" in dropped
    assert {digest.zone for digest in config.digests} == {"Europe/Lisbon"}
    assert [topic.slug for topic in config.topics] == (chosen if fixed else [])
    assert config.digests[0].topics == tuple(chosen if fixed else ())


@pytest.mark.parametrize(
    ("language", "typed", "title"),
    [
        ("de-DE", None, "Der Tag"),
        ("de-DE", ' Moin  "Kiel" ', 'Moin "Kiel"'),
        ("en", "Quay daily", "Quay daily"),
    ],
)
def test_the_name_of_the_digest_is_suggested_in_its_language_and_can_be_changed(
    sqlite: Database, tmp_path: Path, site: Site, language: str, typed: str | None, title: str
) -> None:
    posts = site.answers["/posts.json"]
    posts.body = json.dumps({**json.loads(posts.body), "language": language}).encode()
    list(write_samples(tmp_path))
    text = (tmp_path / "config.toml").read_text(encoding="utf-8")
    text = text.replace('#allow_hosts = ["127.0.0.1"]', 'allow_hosts = ["127.0.0.1"]')
    text = text.replace('#url = "http://127.0.0.1:8000/team"', 'url = "https://desk.example.org"')
    room = empty(sqlite, tmp_path, text)
    client = room.newsroom.signed_in(Role.OPERATOR)
    path = found(client, site.url("/"))
    shown = re.search(r'name="title" value="([^"]*)"', client.get(path).text)
    assert shown
    assert shown[1] == ("Der Tag" if language == "de-DE" else "Daily")
    made(client, path, feed="0", title=shown[1] if typed is None else typed)
    config = load(tmp_path / "config.toml", {})
    assert (config.site.language, config.digests[0].title, config.digests[0].slug) == (
        language,
        title,
        "daily",
    )


def test_a_site_without_a_post_for_a_month_begins_with_its_newest_ones(
    sqlite: Database, tmp_path: Path, site: Site
) -> None:
    posts = site.answers["/posts.json"]
    posts.body = posts.body.replace(b"2026-11-22", b"2026-10-05")
    room = empty(sqlite, tmp_path)
    client = room.newsroom.signed_in(Role.OPERATOR)
    path = found(client, site.url("/"))
    after = made(client, path, feed="0")
    assert "Your digest is ready." in after
    assert JOBS.get(path.rpartition("/")[2]).steps[2].startswith("No post is from the last seven days")
    app, now = room.newsroom.app, room.newsroom.clock()
    again = compose_now(replace(app, config=load(tmp_path / "config.toml", {})), "daily", now)
    assert again.record is None  # the rest of the archive is not mailed
    with sqlite.read() as connection:
        record = last_edition(connection, "daily")
    assert record is not None
    newest = sorted(TITLES[2:])
    assert sorted(story.title for story in record.edition.stories()) == newest


def test_what_cannot_be_found_or_chosen_is_said(sqlite: Database, tmp_path: Path, site: Site) -> None:
    client = empty(sqlite, tmp_path).newsroom.signed_in(Role.OPERATOR)
    assert "Please enter the address" in text_of(client.post("/desk/start", data={"address": " "}))
    nothing = text_of(client.get(found(client, "http://10.0.0.1/")))
    assert "10.0.0.1" in nothing
    path = found(client, site.url("/"))
    for wrong in ({}, {"feed": "7"}, {"feed": "x"}):
        answer = client.post(path, data=wrong)
        assert (answer.status_code, "choose at least one feed" in text_of(answer)) == (422, True)
    assert client.get("/desk/start/unknown").status_code == 404
    before = (tmp_path / "config.toml").read_bytes()
    (tmp_path / "config.toml").write_bytes(before + b"[digest]\n")
    assert "Your digest is ready." not in made(client, path, feed="0")
    assert (tmp_path / "config.toml").read_bytes() == before + b"[digest]\n"


def test_only_operators_begin_a_digest(sqlite: Database, tmp_path: Path) -> None:
    room = empty(sqlite, tmp_path)
    editor = room.newsroom.signed_in(Role.EDITOR)
    assert editor.get("/desk/start").status_code == 403
    assert "Collects posts until" in text_of(editor.get("/desk"))
