from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.collect.reading.entry import Entry, FeedSource, clean_post
from digest.collect.reading.identity import own_key, without_doubles
from digest.model.posts import Post

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
DAY = timedelta(days=1)
PIER = Entry(
    id="tag:harbour,1",
    link="https://harbour.example.org/2026/pier/",
    title="The old pier opens",
    summary="<p>Boats may land again from Monday on.</p>",
    published_at=NOW,
)
PAGE = replace(PIER, id="")  # its link is its only identifier


def test_an_entry_that_stands_in_a_document_twice_is_one_post() -> None:
    again = cleaned(replace(PIER, title="The pier opens"))
    assert without_doubles([cleaned(PIER), cleaned(PIER), again]) == (cleaned(PIER),)


@pytest.mark.parametrize(
    "other",
    [
        replace(PIER, link="https://harbour.example.org/2026/quay/"),
        replace(PIER, title="The new quay closes", summary="<p>For the whole winter.</p>"),
        replace(PIER, summary="<p>For the whole winter.</p>", published_at=NOW - DAY),
        replace(PIER, title="The new quay closes", published_at=NOW - DAY),
    ],
)
def test_different_entries_with_one_id_are_different_posts(other: Entry) -> None:
    assert len(without_doubles([cleaned(PIER), cleaned(other)])) == 2
    assert own_key(cleaned(PIER)) != own_key(cleaned(other))


@pytest.mark.parametrize(
    "other", [replace(PAGE, title="The new quay closes"), replace(PAGE, published_at=NOW - DAY)]
)
def test_different_entries_with_one_link_and_no_id_are_different_posts(other: Entry) -> None:
    assert len(without_doubles([cleaned(PAGE), cleaned(other)])) == 2
    assert own_key(cleaned(PAGE)) != own_key(cleaned(other))


def cleaned(entry: Entry) -> Post:
    post = clean_post(entry, FeedSource(feed_id="harbour", now=NOW))
    assert post is not None
    return post
