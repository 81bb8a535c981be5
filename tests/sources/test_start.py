from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.collect.discovery.found import Found
from digest.collect.reading.prose import feed_line
from digest.config import load
from digest.config.validate import faults
from digest.model.posts import Post
from digest.render.shipped import shipped
from digest.sources.start import SampleError, config_for, is_quiet, write_config
from digest.sources.topics import TopicReport

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
TIDE = Found(url="https://tide.test/feed/", title="Tide & Times", posts=(), language="de-AT")


def test_while_the_staffs_pages_are_on_this_machine_links_and_pictures_are_too() -> None:
    sample = (
        shipped("config.toml")
        .read_text("utf-8")
        .replace('#url = "http://127.0.0.1:8000/team"', 'url = "http://127.0.0.1:8123/team"')
    )
    raw = tomllib.loads(config_for([TIDE], TopicReport(topics=()), sample))
    assert raw["site"]["base_url"] == "http://127.0.0.1:8123"
    assert tomllib.loads(config_for([TIDE], TopicReport(topics=())))["site"]["base_url"].startswith(
        "https://"
    )


def test_the_configuration_of_a_site_has_its_feeds_name_and_language(tmp_path: Path) -> None:
    other = Found(url="https://tide.test/sport/feed/", title="Tide & Times", posts=())
    config = load(write_config(tmp_path / "new", [TIDE, other])[0], {})
    assert [(feed.name, feed.url) for feed in config.feeds] == [
        ("Tide & Times", TIDE.url),
        ("Tide & Times (tide.test)", other.url),
    ]
    assert (config.site.name, config.site.language) == ("Tide & Times", "de-AT")
    assert (config.topics, {digest.topics for digest in config.digests}) == ((), {()})
    assert config.digests[0].sender == "Tide & Times <daily@digest.example.org>"


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("de-AT", ("Der Tag", "Das Wochenende")),
        ("es", ("Boletín diario", "Boletín del fin de semana")),
        ("ar", ("النشرة اليومية", "نشرة نهاية الأسبوع")),
        ("en-GB", ("Daily", "Weekend")),
        ("fr", ("Daily", "Weekend")),  # its fixed words are English, too
        (None, ("Daily", "Weekend")),
    ],
)
def test_the_digests_have_names_in_the_language_of_the_site(
    language: str | None, names: tuple[str, str]
) -> None:
    found, topics = [replace(TIDE, language=language)], TopicReport(topics=())
    text = config_for(found, topics)
    raw = tomllib.loads(text)
    assert tuple(each["title"] for each in raw["digest"]) == names
    assert f'the next edition of "{names[0]}" now' in text
    assert [each["slug"] for each in raw["digest"]] == ["daily", "weekend"], "links stay as they are"
    own = shipped("config.toml").read_text("utf-8").replace('title = "Daily"', 'title = "Tide \\"today\\""')
    kept = tomllib.loads(config_for(found, topics, own))["digest"]
    assert [each["title"] for each in kept] == ['Tide "today"', names[1]]


def test_its_comments_are_those_of_the_sample() -> None:
    sample, text = shipped("config.toml").read_text("utf-8"), config_for([TIDE], TopicReport(topics=()))
    line = next(line for line in sample.splitlines() if line.startswith("keywords = ["))
    assert f"\n#{line}\n" in text
    kept = [
        line
        for line in sample.splitlines()
        if line.startswith("# ") and "sample feeds" not in line and '"Daily"' not in line
    ]
    assert [line for line in kept if line not in text] == []


def test_topics_of_the_posts_stand_there_as_comments_that_can_be_used(tmp_path: Path) -> None:
    tags = [
        ("City", "Trams"),
        ("City", "Quay"),
        ("Sport", "Rowing"),
        ("Sport", "Trams"),
        ("Kultur", "Quay"),
    ] * 4
    posts = tuple(
        Post(
            id=str(number), feed_id="", key="", title=f"Number {number} is new", blurb="It has come.",
            first_seen_at=NOW, published_at=NOW, fingerprint="", tags=pair,
        )
        for number, pair in enumerate(tags)
    )  # fmt: skip
    path, report = write_config(tmp_path, [replace(TIDE, posts=posts)])
    assert [each.title for each in report.topics] == ["City", "Sport", "Kultur"]
    after = [is_quiet([replace(TIDE, posts=posts)], NOW + timedelta(days=days)) for days in (7, 8)]
    assert after == [False, True]
    text = path.read_text("utf-8")
    start, end = text.index("#[[topic]]"), text.index("# ── digests")
    used = text[:start] + text[start:end].replace("\n#", "\n").lstrip("#") + text[end:]
    path.write_text(used.replace('#topics = ["city', 'topics = ["city'), encoding="utf-8")
    config = load(path, {})
    assert [(topic.title, topic.tags) for topic in config.topics] == [
        ("City", ("City",)),
        ("Sport", ("Sport",)),
        ("Kultur", ("Kultur",)),
    ]
    assert config.digests[0].topics == ("city", "sport", "kultur")


@settings(max_examples=30)
@given(st.lists(st.text(min_size=1).map(feed_line).filter(bool), min_size=1, max_size=3), st.text(max_size=5))
def test_any_name_gives_a_valid_configuration(names: Sequence[str], language: str) -> None:
    found = [
        Found(url=f"https://tide.test/{number}", title=name, posts=(), language=language)
        for number, name in enumerate(names)
    ]
    raw = tomllib.loads(config_for(found, TopicReport(topics=())))
    assert faults(raw) == []
    assert raw["site"]["name"] == raw["feed"][0]["name"] == names[0]
    assert parseaddr(raw["digest"][0]["from"]) == (names[0], "daily@digest.example.org")


def test_a_sender_is_named_as_the_site_whatever_stands_in_its_name() -> None:
    title = 'The "Quay" Post – news, tides'
    text = config_for([replace(TIDE, title=title)], TopicReport(topics=()))
    assert parseaddr(tomllib.loads(text)["digest"][0]["from"])[0] == title
    assert "Harbour Digest <" not in text
    assert "Harbour Gazette" not in text


def test_a_configuration_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine")
    with pytest.raises(SampleError, match="exists already; to add feeds to it: digest --config"):
        write_config(tmp_path, [TIDE])
    assert (tmp_path / "config.toml").read_text() == "mine"
