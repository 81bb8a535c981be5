from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.collect.discovery.found import Found
from digest.collect.reading.prose import feed_line
from digest.config import load
from digest.config.validate import faults
from digest.model.shipped import shipped
from digest.sources.start import SampleError, config_for, write_config

TIDE = Found(url="https://tide.test/feed/", title="Tide & Times", posts=(), language="de-AT")


def test_the_configuration_of_a_site_has_its_feeds_name_and_language(tmp_path: Path) -> None:
    other = Found(url="https://tide.test/sport/feed/", title="Tide & Times", posts=())
    config = load(write_config(tmp_path / "new", [TIDE, other]), {})
    assert [(feed.name, feed.url) for feed in config.feeds] == [
        ("Tide & Times", TIDE.url),
        ("Tide & Times (tide.test)", other.url),
    ]
    assert (config.site.name, config.site.language) == ("Tide & Times", "de-AT")
    assert (config.topics, {digest.topics for digest in config.digests}) == ((), {()})
    assert config.digests[0].sender == "Tide & Times <daily@digest.example.org>"


def test_its_comments_are_those_of_the_sample() -> None:
    sample, text = shipped("config.toml").read_text("utf-8"), config_for([TIDE])
    for key in ("keywords = [", "topics = ["):
        line = next(line for line in sample.splitlines() if line.startswith(key))
        assert f"\n#{line}\n" in text
    kept = [line for line in sample.splitlines() if line.startswith("# ") and "sample feeds" not in line]
    assert [line for line in kept if line not in text] == []


@settings(max_examples=30)
@given(st.lists(st.text(min_size=1).map(feed_line).filter(bool), min_size=1, max_size=3), st.text(max_size=5))
def test_any_name_gives_a_valid_configuration(names: Sequence[str], language: str) -> None:
    found = [
        Found(url=f"https://tide.test/{number}", title=name, posts=(), language=language)
        for number, name in enumerate(names)
    ]
    raw = tomllib.loads(config_for(found))
    assert faults(raw) == []
    assert raw["site"]["name"] == raw["feed"][0]["name"] == names[0]


def test_a_configuration_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine")
    with pytest.raises(SampleError, match="exists already; to add feeds to it: digest --config"):
        write_config(tmp_path, [TIDE])
    assert (tmp_path / "config.toml").read_text() == "mine"
