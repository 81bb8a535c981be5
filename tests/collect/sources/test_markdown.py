from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.collect.collect import collect
from digest.collect.fetching.answers import Fetched, FetchFailure, FetchRequest, NotModified
from digest.collect.fetching.fetch import read_file
from digest.collect.fetching.folder import LARGEST, File, Folder
from digest.collect.reading.entry import FeedSource
from digest.collect.reading.parse import Parsed, cleaned
from digest.collect.sources.ask import Terms
from digest.collect.sources.markdown import read_markdown
from digest.model.posts import FeedReport, FetchLimits, Image, Post
from digest.model.publication import Digest, Feed
from digest.storage.database import Database

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
LINK = "https://harbour.example.org/{year}/{slug}/"
DAILY = Digest(slug="daily", title="Daily", schedule="daily at 07:00", sender="News <news@example.org>")

JEKYLL = """---
layout: post
title:  "The pier: open again"
date:   2026-11-21 18:30:00 +0100
categories: town harbour
tags: [Pier, Café]
image: /files/pier.jpg
---
{% include note.html %}
The *old* pier has opened after two years of work. It is [longer](/pier) than before.
"""
HUGO = """+++
title = "A new ferry"
date = 2026-11-20T09:00:00+01:00
lastmod = 2026-11-21
draft = false
categories = ["Transport"]
tags = ["Ferry", "Port"]
authors = ["Ada Quill", "Dana Fox"]
url = "/ferry/"
+++
{{< figure src="x.jpg" >}}
The ferry *Lantern* sails from Monday. Tickets cost as much as before.
"""
ASTRO = """---
title: No more fog
pubDate: 'Nov 19 2026'
description: "The fog horn is silent & that is < good."
author: {name: Cleo Ray}
heroImage: {src: "https://files.example.org/fog.png", alt: "The horn"}
canonicalURL: ignored
canonical_url: https://elsewhere.example.org/fog
---
Text.
"""
PELICAN = """Title: Market day
Date: 2026-11-18 10:20
Category: Town
Tags: market, fish
Authors: Ada Quill
Slug: market

The market opens at eight. Bring a basket.
"""


def read(name: str, text: str | bytes, link: str = LINK) -> tuple[Post, ...]:
    data = text.encode() if isinstance(text, str) else text
    return parsed(Folder(files=(File(name=name, data=data),)), link).posts


def parsed(folder: Folder, link: str = LINK) -> Parsed:
    found = cleaned(read_markdown(folder, link, NOW), FeedSource(feed_id="a", now=NOW))
    assert isinstance(found, Parsed)
    return found


def test_a_post_of_jekyll_is_read() -> None:
    (post,) = read("_posts/2026-11-21-the-pier.md", JEKYLL)
    assert (post.title, post.key) == ("The pier: open again", "_posts/2026-11-21-the-pier.md")
    assert post.blurb == "The old pier has opened after two years of work. It is longer than before."
    assert post.published_at == datetime(2026, 11, 21, 17, 30, tzinfo=UTC)
    assert post.tags == ("town", "harbour", "Pier", "Café")
    assert post.url == "https://harbour.example.org/2026/the-pier/"
    assert post.image == Image(url="https://harbour.example.org/files/pier.jpg")


def test_a_page_bundle_of_hugo_is_read() -> None:
    (post,) = read("transport/ferry/index.md", HUGO)
    assert (post.title, post.author) == ("A new ferry", "Ada Quill, Dana Fox")
    assert post.blurb == "The ferry Lantern sails from Monday. Tickets cost as much as before."
    assert post.published_at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert post.tags == ("Transport", "Ferry", "Port")
    assert post.url == "https://harbour.example.org/ferry/"


def test_a_post_of_astro_is_read() -> None:
    (post,) = read("no-more-fog.md", ASTRO)
    assert (post.title, post.author) == ("No more fog", "Cleo Ray")
    assert post.blurb == "The fog horn is silent & that is < good."
    assert post.published_at == datetime(2026, 11, 19, tzinfo=UTC)
    assert post.url == "https://elsewhere.example.org/fog"
    assert post.image == Image(url="https://files.example.org/fog.png", alt="The horn")


def test_a_post_of_pelican_is_read() -> None:
    (post,) = read("market.md", PELICAN, link="https://harbour.example.org/{path}.html")
    assert (post.title, post.author, post.tags) == ("Market day", "Ada Quill", ("Town", "market", "fish"))
    assert post.blurb == "The market opens at eight. Bring a basket."
    assert post.url == "https://harbour.example.org/market.html"


def test_without_a_pattern_for_links_a_post_has_only_a_link_that_it_states() -> None:
    assert read("2026-11-21-the-pier.md", JEKYLL, link="")[0].url is None
    assert read("fog.md", ASTRO, link="")[0].url == "https://elsewhere.example.org/fog"


@pytest.mark.parametrize(
    "head", ["draft: true", "published: false", "status: draft", "eleventyExcludeFromCollections: true"]
)
def test_a_draft_is_not_a_post(head: str) -> None:
    assert read("fog.md", f"---\ntitle: Fog\n{head}\n---\nText.") == ()
    assert read("fog.md", "+++\ntitle = 'Fog'\ndraft = true\n+++\nText.") == ()


@pytest.mark.parametrize("text", ["# Read me\n\nThis is a folder.", "", "Note: all is well\n\nText.", "---"])
def test_a_file_without_front_matter_is_not_a_post(text: str) -> None:
    assert read("README.md", text) == ()


def test_words_that_yaml_would_turn_into_other_values_stay_words() -> None:
    (post,) = read("n.md", "---\ntitle: No\ntags: [on, off]\ndate: 2026-13-45\n---\n")
    assert (post.title, post.tags, post.published_at) == ("No", ("on", "off"), None)


def test_a_title_is_plain_text_and_may_be_the_first_heading() -> None:
    titles = ("A *new* `ferry` & 2 < 3", "The ferry_of_the_year", "2 * 3 * 4")
    found = [read("a.md", f"---\ntitle: '{title}'\n---\nText.")[0].title for title in titles]
    assert found == ["A new ferry & 2 < 3", "The ferry_of_the_year", "2 * 3 * 4"]
    (post,) = read("a.md", "---\ntags: [a]\n---\n\n# High **water**\n\nIt comes at noon.")
    assert (post.title, post.blurb) == ("High water", "It comes at noon.")


def test_a_post_with_a_later_date_waits() -> None:
    folder = Folder(files=(File(name="a.md", data=b"---\ntitle: A\ndate: 2026-11-22 08:00\n---\n"),))
    assert (parsed(folder).posts, parsed(folder).later) == ((), True)
    later = read_markdown(folder, LINK, NOW + timedelta(hours=1))
    assert (len(later.entries), later.later) == (1, False)


# ── hostile files ───────────────────────────────────────────────────────────────────────────

BOMB = "---\na: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "---\na: &a {k: v}\n" + "".join(
    f"{new}: &{new}\n  <<: [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"---\ntitle: [\n---\n", "front matter"),
        (b"---\ntitle: " + b"[" * 9_000 + b"]" * 9_000 + b"\n---\n", "front matter"),
        (b"---\ntitle: !!python/object/apply:os.getcwd []\n---\n", ""),
        (b"---\ntitle: Fog\n", "front matter"),
        (b"---\n" + b"a: b\n" * 9_000 + b"---\n", "front matter"),
        (b"+++\ntitle = \n+++\n", "front matter"),
        (b"---\ntitle: Fog\n---\n\x00\x01\x02", "UTF-8"),
        (b"\xff\xd8\xff\xe0" * 100, "UTF-8"),
        (f"{BOMB}tags: *i\ntitle: Fog\n---\n".encode(), ""),
        (f"{MERGES}title: Fog\n---\n".encode(), ""),
    ],
)
def test_a_hostile_file_is_skipped_and_the_others_are_read(data: bytes, reason: str) -> None:
    good = File(name="pier.md", data=JEKYLL.encode())
    found = parsed(Folder(files=(File(name="bad.md", data=data), good)))
    assert "The pier: open again" in [post.title for post in found.posts]
    assert len(found.posts) <= 2
    assert bool(found.skipped) == bool(reason)
    assert all(each.startswith("bad.md ") and reason in each for each in found.skipped)


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"---\n", b"+++\n", b"Title: "]), st.binary(max_size=50)
)
@settings(max_examples=60, deadline=None)
def test_no_file_is_too_strange(head: bytes, mark: bytes, body: bytes) -> None:
    assert (
        len(
            read_markdown(Folder(files=(File(name="a.md", data=mark + head + mark + body),)), "", NOW).entries
        )
        < 2
    )


# ── folders ─────────────────────────────────────────────────────────────────────────────────


def fetched(folder: Path, limits: FetchLimits, etag: str | None = None) -> object:
    return read_file(FetchRequest(feed_id="a", url=folder.as_uri(), etag=etag), limits)


def names(folder: Path, limits: FetchLimits) -> Iterator[str]:
    found = fetched(folder, limits)
    assert isinstance(found, Fetched), found
    assert found.folder
    yield from (file.name for file in found.folder.files)
    yield from found.folder.skipped


def write(folder: Path, name: str, day: int = 1) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\ntitle: {path.stem}\ndate: 2026-11-{day:02}\n---\nText.\n")
    return path


def test_a_folder_leads_nowhere_else_and_holds_only_posts(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", "secret.md")
    inside = tmp_path / "posts"
    for name in ("a.md", "b/index.md", "2026-11-09-c.markdown"):
        write(inside, name)
    for name in (".git/d.md", "_index.md", "_drafts/e.md", "f.txt"):
        write(inside, name)
    (inside / "link.md").symlink_to(outside)
    (inside / "links").symlink_to(outside.parent)
    os.mkfifo(inside / "pipe.md")
    assert sorted(names(inside, FetchLimits())) == ["2026-11-09-c.markdown", "a.md", "b/index.md"]


def test_the_newest_files_are_read_within_the_limits(tmp_path: Path) -> None:
    for day in range(1, 7):
        write(tmp_path, f"{day}.md", day)
    (tmp_path / "huge.md").write_bytes(b" " * (LARGEST + 1))
    limits = FetchLimits(max_posts=3)
    assert list(names(tmp_path, limits)) == ["6.md", "5.md", "4.md", "huge.md is larger than 1,000,000 bytes"]
    size = (tmp_path / "6.md").stat().st_size
    assert list(names(tmp_path, replace(limits, max_bytes=size)))[0:1] == ["6.md"]
    assert (
        list(names(tmp_path, replace(limits, max_bytes=size)))[-1]
        == "5.md and older files are over max_bytes"
    )


def test_every_date_that_is_read_decides_which_files_are_the_newest(tmp_path: Path) -> None:
    write(tmp_path, "old.md", 1)
    for key in ("date", "pubDate", "publishDate", "published", "published_at", "created"):
        (tmp_path / "new.md").write_text(f"---\ntitle: New\n{key}: 2026-11-09\n---\nText, {key}.\n")
        assert next(names(tmp_path, FetchLimits(max_posts=1))) == "new.md"


def test_a_folder_without_posts_says_so(tmp_path: Path) -> None:
    found = fetched(tmp_path, FetchLimits())
    assert isinstance(found, FetchFailure)
    assert "holds no Markdown file" in found.detail


def test_a_folder_is_collected_like_any_feed(sqlite: Database, tmp_path: Path) -> None:
    feed = Feed(name="Posts", url=tmp_path.as_uri(), link=LINK)

    def run(hours: int) -> FeedReport:
        now = NOW + timedelta(hours=hours)
        return collect(sqlite, [feed], [DAILY], Terms(limits=FetchLimits(), now=now), force=True).feeds[0]

    write(tmp_path, "a.md", 20)
    (tmp_path / "broken.md").write_bytes(b"---\n[\n---\n")
    first = run(0)
    assert (first.new, first.skipped) == (1, 1)
    assert first.detail == "Left out: broken.md has front matter that cannot be read."
    assert run(0).detail == first.detail
    (tmp_path / "broken.md").unlink()
    run(0)
    assert run(1).status == "unchanged"
    write(tmp_path, "b.md", 21)
    write(tmp_path, "later.md", 23)
    assert [run(2).new, run(3).new, run(17).new, run(18).status] == [1, 0, 1, "unchanged"]
    (tmp_path / "b.md").rename(tmp_path / "b-renamed.md")
    assert (run(19).new, run(20).status) == (0, "unchanged")
    state = fetched(tmp_path, FetchLimits())
    assert isinstance(state, Fetched)
    assert isinstance(fetched(tmp_path, FetchLimits(), state.etag), NotModified)
