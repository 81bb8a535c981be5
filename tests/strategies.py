"""Generated values that several suites share: editions from hostile or careless feeds."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from digest.model.editions import Coverage, Edition, Section, Source, Story
from digest.model.posts import Image
from digest.model.publication import Site

_THOROUGH = 1_000  # a profile with more examples than this counts for `few`, too


def few(examples: int, *, most: int = 10_000, shared: bool = False) -> settings:
    """Return settings with few examples, or with those of the profile "thorough", but no more than `most`.

    With `shared`, the examples have a fixture in common, which each of them leaves as it was.
    """
    wanted: int = settings.default.max_examples if settings.default else 0
    known = (HealthCheck.function_scoped_fixture,) if shared else ()
    number = min(wanted, most) if wanted > _THOROUGH else examples
    return settings(max_examples=number, suppress_health_check=known)


SEND_AT = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)

_NASTY = st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7 * 7 }}{% raw %}",
        "Tide\r\nBcc: all@example.org",
        "It\x92s here",
        "مكتبة المرفأ",
        "潮汐表" * 30,
        "👩‍👩‍👧‍👦 family day",
        "\u202egnp.exe",
        "]]><!--[if mso]>",
        "-- ",
        "a" * 300,
    ]
)
_WORDS = st.text(st.characters(codec="utf-8"), max_size=80)
_NAMES = st.text(string.ascii_letters + " -'&", min_size=1, max_size=30).filter(lambda name: name.strip())
texts = st.one_of(_NAMES, _NASTY, _WORDS)
urls = st.one_of(
    st.none(),
    st.integers(min_value=1, max_value=10_000).map(lambda n: f"https://news.example.org/{n}?a=1&b=2"),
    st.sampled_from(
        [
            "javascript:alert(1)",
            "data:text/html,hello",
            "/relative",
            'https://news.example.org/"><b>',
            "https://news.example.org/größe und mehr",
            "http://[broken",
        ]
    ),
)
_SIZES = st.one_of(st.none(), st.integers(min_value=0, max_value=4000))
images = st.builds(
    Image,
    url=st.sampled_from(["https://images.example.org/a.jpg", "http://images.example.org/b.png", "data:,x"]),
    alt=texts,
    width=_SIZES,
    height=_SIZES,
)
sources = st.builds(Source, name=_NAMES, url=urls)
coverage = st.builds(Coverage, post_id=st.uuids().map(str), title=_NAMES, source=_NAMES, url=urls)


@st.composite
def stories(draw: st.DrawFn, topic: str = "coast") -> Story:
    """Make one story; nothing about it is certain but that it has a title."""
    optional: dict[str, Any] = {
        "url": draw(urls),
        "author": draw(st.one_of(st.none(), texts)),
        "published_at": draw(st.one_of(st.none(), st.just(SEND_AT - timedelta(hours=5)))),
        "image": draw(st.one_of(st.none(), images)),
        "also": tuple(draw(st.lists(sources, max_size=2))),
        "coverage": tuple(draw(st.lists(coverage, max_size=2))),
    }
    return Story(
        id=draw(st.uuids()).hex,
        title=draw(_NAMES) + draw(texts),
        blurb=draw(texts),
        source=draw(_NAMES),
        tags=(),
        topic=topic,
        rule="catch-all",
        post_ids=(),
        **optional,
    )


@st.composite
def sections(draw: st.DrawFn, slug: str) -> Section:
    """Make one topic with at least one story, in full or as a headline."""
    return Section(
        slug=slug,
        title=draw(_NAMES),
        stories=tuple(draw(st.lists(stories(slug), min_size=1, max_size=3))),
        more=tuple(draw(st.lists(stories(slug), max_size=2))),
    )


@st.composite
def editions(draw: st.DrawFn) -> Edition:
    """Make an edition with at least one story, in one of several languages and zones."""
    return Edition(
        id="daily-2026-11-22",
        digest="daily",
        title=draw(_NAMES),
        local_date=date(2026, 11, 22),
        zone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"])),
        language=draw(st.sampled_from(["en", "en-GB", "de", "ar", "ja", "zh-Hant", "xx"])),
        cutoff_at=SEND_AT - timedelta(minutes=30),
        send_at=SEND_AT,
        site=Site(
            name=draw(_NAMES), base_url="https://press.example.org", postal_address="1 Quay\nPort Ellery"
        ),
        sender="The Tide <tide@press.example.org>",
        reply_to=None,
        subject_template="{{ lead.title }}",
        preheader_template="{{ titles[1:4] | join(' · ') }}",
        lead=draw(st.one_of(st.none(), stories())),
        sections=tuple(draw(sections(slug)) for slug in draw(st.sampled_from([("a",), ("a", "b", "c")]))),
    )
