"""Pictures are fetched from a server on loopback, inspected, copied, and asked for only once."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from digest.collect.collect import collect
from digest.collect.fetching.fetch import fetch_all
from digest.collect.pictures import Ask, PictureRules, decide, settle
from digest.collect.reading.pictures.copies import LARGE, SMALL, Copies, copies_of
from digest.collect.sources.ask import Terms
from digest.model.posts import Candidate, FetchLimits, Image, Inspected, Post
from digest.model.publication import Feed
from digest.storage.database import Database
from digest.storage.intake.pictures import forget_pictures, read_copy, with_reasons
from digest.storage.posts import recent_posts
from tests.collect.servers import Answer, Site, serving

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
LIMITS = FetchLimits(allow_hosts=frozenset(["127.0.0.1"]), timeout=5)
RULES = PictureRules(base_url="https://digest.example.org", copies=True, limits=LIMITS)


def drawn(size: tuple[int, int] = (900, 600), kind: str = "JPEG", **options: object) -> bytes:
    """Return a picture of a slope from dark to light."""
    mode = "RGBA" if kind in ("PNG", "WEBP") else "RGB"
    picture = Pillow.linear_gradient("L").resize(size).convert(mode)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as running:
        yield running


# ── what is made of the bytes ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_a_picture_of_any_kind_becomes_two_small_jpegs(kind: str) -> None:
    made = copies_of(drawn((1200, 800), kind))
    assert isinstance(made, Copies)
    assert (made.width, made.height, made.is_shown) == (1200, 800, kind in ("JPEG", "PNG", "GIF"))
    assert made.large_size == (LARGE[0], 789)
    for body, size in ((made.large, (LARGE[0], 789)), (made.small, (SMALL[0], 160))):
        with Pillow.open(io.BytesIO(body)) as opened:
            assert (opened.format, opened.mode, opened.size) == ("JPEG", "RGB", size)


def test_a_small_picture_is_not_enlarged() -> None:
    made = copies_of(drawn((300, 200)))
    assert isinstance(made, Copies)
    assert made.large_size == (300, 200)


def test_a_transparent_picture_stands_on_white_and_a_photograph_as_it_was_held() -> None:
    picture = Pillow.new("RGBA", (400, 300), (0, 0, 0, 0))
    picture.paste((200, 0, 0, 255), (0, 0, 200, 300))
    file = io.BytesIO()
    picture.save(file, "PNG")
    made = copies_of(file.getvalue())
    assert isinstance(made, Copies)
    with Pillow.open(io.BytesIO(made.large)) as opened:
        corner = opened.getpixel((390, 10))
    assert corner == (255, 255, 255)
    exif = Pillow.Exif()
    exif[0x0112] = 6  # the camera was turned
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    turned = copies_of(drawn((900, 600), exif=exif, icc_profile=profile))
    assert isinstance(turned, Copies)
    assert (turned.width, turned.height, turned.large_size) == (600, 900, (600, 900))
    with Pillow.open(io.BytesIO(turned.large)) as opened:
        assert (dict(opened.getexif()), opened.info.get("icc_profile")) == ({}, None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it cannot be read as a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "it cannot be read as a picture"),
        (drawn()[:3000], "it cannot be read as a picture"),
        (drawn((1, 1)), "it is a tracking pixel"),
        (drawn((120, 90)), "it is too small (120 × 90 pixels)"),
        (drawn((728, 90)), "it is a strip of 728 × 90 pixels"),
        (drawn((970, 250)), "it is an advertisement"),
        (drawn((300, 900)), "it is 300 × 900 pixels, too tall for an email"),
        (drawn((9000, 5000), "GIF"), "it has more than 40 million pixels"),
    ],
)
def test_what_cannot_be_a_storys_picture_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    assert copies_of(body) == reason


def test_a_placeholder_of_one_colour_is_refused() -> None:
    file = io.BytesIO()
    Pillow.new("RGB", (800, 500), "lightgrey").save(file, "PNG")
    assert copies_of(file.getvalue()) == "it has only one colour"


# ── the decision ────────────────────────────────────────────────────────────────────────────


def a_post(**fields: object) -> Post:
    post = Post(id="1", feed_id="f", key="1", title="T", blurb="", first_seen_at=NOW, fingerprint="")
    return replace(post, **fields)  # type: ignore[arg-type]


def test_candidates_are_asked_one_after_the_other_then_the_page() -> None:
    first, second, page = (f"http://127.0.0.1/{name}" for name in ("a.jpg", "b.webp", "page"))
    offered = (Candidate(url=first), Candidate(url=second, convert=True), Candidate(url="x", reason="small"))
    post = a_post(url=page, pictures=offered)
    bad = Inspected(url=first, checked_at=NOW, reason="it is not there (404)")
    assert decide(post, {}, RULES) == Ask(first)
    assert decide(post, {first: bad}, RULES) == Ask(second)
    away = Inspected(url=second, checked_at=NOW, answered=False)
    assert decide(post, {first: bad, second: away}, RULES) == Ask(page, is_page=True)
    known = {first: bad, second: away, page: Inspected(url=page, checked_at=NOW, leads_to=f"{page}/og.jpg")}
    assert decide(post, known, RULES) == Ask(f"{page}/og.jpg")
    assert decide(post, known, RULES, frozenset([f"{page}/og.jpg"])) is None  # that of the site


def test_without_an_answer_the_feed_is_believed_and_samples_are_not_asked() -> None:
    url = "https://images.example.org/pier.jpg"
    post = a_post(url="https://harbour.test/1", pictures=(Candidate(url=url, width=640),))
    assert decide(post, {}, RULES) == Image(url=url, width=640)
    assert decide(replace(post, pictures=()), {}, RULES) is None


def test_without_copies_emails_link_to_what_mail_programs_can_show() -> None:
    url = "https://pictures.harbour.news/pier"
    facts = Inspected(url=url, checked_at=NOW, width=900, height=600, shown=True, copy="0" * 64)
    post, rules = a_post(pictures=(Candidate(url=url, alt="The pier"),)), replace(RULES, copies=False)
    assert decide(post, {url: facts}, rules) == Image(url=url, alt="The pier", width=900, height=600)
    assert decide(post, {url: replace(facts, shown=False)}, rules) is None


# ── from feed to copy ───────────────────────────────────────────────────────────────────────


def collected(database: Database, site: Site, items: Sequence[dict[str, str]]) -> dict[str, Post]:
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Harbour", "items": items})
    feed = Feed(name="Harbour", url=site.put("/feed.json", Answer(body=body.encode())))
    collect(database, [feed], [], Terms(limits=LIMITS, now=NOW))
    return stored(database)


def stored(database: Database) -> dict[str, Post]:
    with database.read() as connection:
        return {row.post.key: row.post for row in recent_posts(connection, 50)}


def settled(
    database: Database, now: datetime = NOW, fetch: Callable[..., object] = fetch_all
) -> dict[str, Post]:
    ids = [post.id for post in stored(database).values()]
    settle(database, ids, RULES, now=now, fetch=fetch)  # type: ignore[arg-type]
    return stored(database)


def test_the_best_candidate_that_is_really_a_picture_is_copied(database: Database, site: Site) -> None:
    tiny = site.put("/tiny.jpg", Answer(body=drawn((90, 60))))
    pier = site.put("/pier.webp", Answer(body=drawn((1600, 1000), "WEBP")))
    head = f'<meta property="og:image" content="{site.put("/og.jpg", Answer(body=drawn()))}">'
    page = site.put("/page", Answer(body=f"<html><head>{head}</head></html>".encode()))
    items = [
        {"id": "a", "title": "A", "image": tiny, "content_html": f'<img src="{pier}" alt="The pier">'},
        {"id": "b", "title": "B", "url": page, "content_text": "A page with a picture for previews."},
        {"id": "c", "title": "C", "image": site.url("/gone.jpg")},
    ]
    assert {key: post.image for key, post in collected(database, site, items).items()} == dict.fromkeys("abc")
    found = settled(database)
    image = found["a"].image
    assert image is not None
    assert (image.alt, image.width, image.height) == ("The pier", LARGE[0], 740)
    assert image.url.startswith("https://digest.example.org/pictures/")
    assert found["b"].image is not None
    assert found["c"].image is None
    name = image.url.rpartition("/")[2].removesuffix(".jpg")
    with database.read() as connection:
        large, small = (read_copy(connection, name, small=small) for small in (False, True))
    assert large is not None
    assert small is not None
    assert len(small) < len(large)
    with database.read() as connection:
        rows = with_reasons(connection, recent_posts(connection, 50))
    assert {each.reason for row in rows for each in row.post.pictures if each.reason} == {
        "it is too small (90 × 60 pixels)",
        "it is not there (404)",
    }
    # Nothing is asked again, by this edition or the next, and another look at the feed changes nothing.
    asked = len(site.asked)
    assert settled(database, NOW + timedelta(days=1)) == found
    assert len(site.asked) == asked
    items[0]["title"] = "A, corrected"
    assert collected(database, site, items)["a"].image == image


def test_copies_that_no_edition_shows_are_deleted_after_a_month(database: Database, site: Site) -> None:
    url = site.put("/kept.png", Answer(body=drawn((640, 400), "PNG")))
    collected(database, site, [{"id": "k", "title": "Kept", "image": url}])
    settled(database)
    with database.write() as connection:
        assert forget_pictures(connection, NOW + timedelta(days=29)) == 0
        assert forget_pictures(connection, NOW + timedelta(days=31)) == 1


def test_a_server_that_is_silent_costs_a_story_its_picture_and_no_more(
    database: Database, site: Site
) -> None:
    url = site.put("/silent.jpg", Answer(silent=True))
    collected(database, site, [{"id": "s", "title": "Silent", "image": url}])
    assert settled(database, fetch=partial(fetch_all, stop=lambda: True))["s"].image is None
