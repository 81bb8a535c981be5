"""Pictures are fetched from a server on loopback, inspected, copied, and asked for only once."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageCms
from sqlalchemy import event, func, select, update

from digest.collect.collect import collect
from digest.collect.fetching.answers import Exchange, FetchRequest
from digest.collect.fetching.fetch import fetch_all
from digest.collect.pictures import Ask, PictureRules, decide, settle
from digest.collect.reading.pictures.copies import SQUARE, WIDE, Copies, copies_of
from digest.collect.reading.pictures.reasons import is_ad_format, shape_reason
from digest.collect.sources.ask import Terms
from digest.model.links import picture_url
from digest.model.posts import Candidate, FetchLimits, Image, Inspected, PageFacts, Post
from digest.model.publication import Feed
from digest.render.sample import sample_edition
from digest.storage.database import Database
from digest.storage.editions.drafts import insert_edition
from digest.storage.intake.pictures import (
    forget_pictures,
    named_by_several_pages,
    old_pictures,
    read_copy,
    save_copy,
    save_inspected,
    set_images,
    with_reasons,
)
from digest.storage.intake.save import save_page
from digest.storage.posts import recent_posts
from digest.storage.tables.pictures import picture_copies, pictures
from digest.storage.tables.posts import feeds
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
    assert made.large_size == WIDE
    for body, size in ((made.large, WIDE), (made.small, SQUARE)):
        with Pillow.open(io.BytesIO(body)) as opened:
            assert (opened.format, opened.mode, opened.size) == ("JPEG", "RGB", size)


@given(st.integers(200, 3000), st.integers(100, 3000))
@settings(max_examples=25)
@example(200, 100)
@example(1152, 648)
def test_copies_have_the_shapes_in_which_emails_show_them_and_are_not_enlarged(
    width: int, height: int
) -> None:
    made = copies_of(drawn((width, height)))
    if shape_reason(width, height) or is_ad_format(width, height):
        assert isinstance(made, str)
        return
    assert isinstance(made, Copies)
    large, small = (Pillow.open(io.BytesIO(body)).size for body in (made.large, made.small))
    assert large == made.large_size
    assert abs(large[0] * 9 - large[1] * 16) <= 16
    assert small[0] == small[1] == min(SQUARE[0], width, height)
    assert large[0] >= min(WIDE[0], width, height * 16 // 9) - 1
    assert all(got <= had for got, had in zip(large, (width, height), strict=True))


def test_more_is_cut_off_below_than_above_because_heads_are_above_the_middle() -> None:
    made = copies_of(drawn((600, 1200)))  # black above, white below
    assert isinstance(made, Copies)
    with Pillow.open(io.BytesIO(made.large)) as opened:
        middle = opened.convert("L").resize((1, 1), Pillow.Resampling.BOX).getpixel((0, 0))
    assert isinstance(middle, int | float)
    assert 90 < middle < 110  # 255 × (1/3 of the 862 rows that are cut off + 169) / 1200


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
    assert (turned.width, turned.height, turned.large_size) == (600, 900, (600, 338))
    with Pillow.open(io.BytesIO(turned.large)) as opened:
        assert (dict(opened.getexif()), opened.info.get("icc_profile")) == ({}, None)


def in_mode(mode: str, size: tuple[int, int] = (2000, 1000)) -> bytes:
    """Return a slope from dark to light with pixels of this kind."""
    slope = Pillow.linear_gradient("L").resize(size)
    options: dict[str, object] = {}
    if mode == "I;16":
        picture = slope.convert("I").point(lambda level: level * 256).convert(mode)
    elif mode == "P":
        picture, options = slope.convert(mode), {"transparency": 0}
    else:
        picture = slope.convert(mode)
    file = io.BytesIO()
    picture.save(file, "JPEG" if mode == "CMYK" else "PNG", **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_pixels_of_any_kind_are_scaled_smoothly(mode: str) -> None:
    made = copies_of(in_mode(mode))
    assert isinstance(made, Copies)
    assert (made.width, made.height, made.large_size) == (2000, 1000, WIDE)
    with Pillow.open(io.BytesIO(made.large)) as opened:
        levels = opened.convert("L")
    for share in (0.25, 0.5, 0.75):
        box = (0, int(WIDE[1] * share) - 8, WIDE[0], int(WIDE[1] * share) + 8)
        grey = levels.crop(box).resize((1, 1), Pillow.Resampling.BOX).getpixel((0, 0))
        assert isinstance(grey, int | float)
        assert abs(grey - 255 * share) < 12


def test_a_large_photograph_that_was_turned_is_cut_as_it_was_held() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    made = copies_of(drawn((3600, 2400), exif=exif))
    assert isinstance(made, Copies)
    assert (made.width, made.height, made.large_size) == (2400, 3600, WIDE)


def test_a_picture_of_many_pixels_costs_little_memory() -> None:
    # Decoded, it takes 92 MB, and twice as much while it is scaled.
    code = """
import io, resource, sys
from PIL import Image
from digest.collect.reading.pictures.copies import copies_of
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
before = peak()
print(type(copies_of(sys.stdin.buffer.read())).__name__, peak() - before < 250)
"""
    file = io.BytesIO()
    picture = Pillow.linear_gradient("L").resize((4800, 4800)).convert("RGBA")
    picture.save(file, "PNG", compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", code], input=file.getvalue(), capture_output=True, check=True
    )
    assert done.stdout.split() == [b"Copies", b"True"]


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
        (drawn((6000, 4100), "GIF"), "it has more than 24 million pixels"),
        (drawn((9000, 5000)), "it has more than 40 million pixels"),
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
    key = "https://127.0.0.1/page"  # all spellings of a page are one
    known = {first: bad, second: away, key: Inspected(url=key, checked_at=NOW, leads_to=f"{page}/og.jpg")}
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
    database: Database,
    now: datetime = NOW,
    fetch: Callable[..., object] = fetch_all,
    rules: PictureRules = RULES,
) -> dict[str, Post]:
    ids = [post.id for post in stored(database).values()]
    settle(database, ids, rules, now=now, fetch=fetch)  # type: ignore[arg-type]
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
    assert (image.alt, image.width, image.height) == ("The pier", *WIDE)
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
    assert forgotten(database, NOW + timedelta(days=29)) == 0
    assert forgotten(database, NOW + timedelta(days=31)) == 1


def forgotten(database: Database, now: datetime) -> int:
    with database.read() as connection:
        old = old_pictures(connection, now)
    with database.write() as connection:
        return forget_pictures(connection, old, now)


def test_a_copy_that_an_edition_shows_is_looked_for_once_a_month(database: Database) -> None:
    edition = sample_edition()
    assert edition.lead is not None
    shown, unused = "5" * 64, "6" * 64
    image = Image(url=picture_url(RULES.base_url, shown))
    with database.write() as connection:
        for name in (shown, unused):
            save_copy(connection, name, b"large", b"small", NOW)
        insert_edition(connection, replace(edition, lead=replace(edition.lead, image=image)))
    later = NOW + timedelta(days=31)
    with database.read() as connection:
        old = old_pictures(connection, later)
    assert (set(old.shown), set(old.unused)) == ({shown}, {unused})
    assert forgotten(database, later) == 1
    with database.read() as connection:
        assert old_pictures(connection, later + timedelta(days=29)) == replace(
            old, shown=frozenset(), unused=frozenset()
        )


def test_a_copy_that_is_used_while_it_is_looked_for_stays(database: Database) -> None:
    later = NOW + timedelta(days=31)
    with database.write() as connection:
        save_copy(connection, "5" * 64, b"large", b"small", NOW)
    with database.read() as connection:
        old = old_pictures(connection, later)
    with database.write() as connection:
        set_images(connection, [(a_post(), Image(url=picture_url(RULES.base_url, "5" * 64)))], later)
        assert forget_pictures(connection, old, later) == 0
        assert read_copy(connection, "5" * 64, small=True) == b"small"


def test_a_server_that_is_silent_costs_a_story_its_picture_and_no_more(
    database: Database, site: Site
) -> None:
    url = site.put("/silent.jpg", Answer(silent=True))
    collected(database, site, [{"id": "s", "title": "Silent", "image": url}])
    assert settled(database, fetch=partial(fetch_all, stop=lambda: True))["s"].image is None


class Recorder:
    """A fetcher that keeps what it is asked for, round by round; `stops` makes it stop at once."""

    def __init__(self, *, stops: bool = False) -> None:
        self.rounds: list[tuple[list[FetchRequest], FetchLimits]] = []
        self._stops = stops

    def __call__(self, requests: Iterable[FetchRequest], limits: FetchLimits) -> Iterator[Exchange]:
        asked = list(requests)
        self.rounds.append((asked, limits))
        return fetch_all(asked, limits, stop=lambda: self._stops)

    @property
    def urls(self) -> list[str]:
        return [request.url for asked, _ in self.rounds for request in asked]


def test_nothing_more_is_asked_once_fetching_has_stopped(sqlite: Database, site: Site) -> None:
    items = [{"id": "s", "title": "Stopped", "image": site.url("/a.jpg"), "url": site.url("/a")}]
    collected(sqlite, site, items)
    fetch = Recorder(stops=True)
    settled(sqlite, fetch=fetch)
    assert len(fetch.rounds) == 1


def test_the_fetcher_which_logs_names_of_feeds_gets_no_address(sqlite: Database, site: Site) -> None:
    url = site.put("/secret.jpg?token=tide", Answer(body=drawn()))
    collected(sqlite, site, [{"id": "t", "title": "Token", "image": url}])
    fetch = Recorder()
    assert settled(sqlite, fetch=fetch)["t"].image
    assert [request.feed_id for asked, _ in fetch.rounds for request in asked] == ["127.0.0.1"]


def test_an_internal_host_is_open_only_to_the_feeds_that_are_read_from_it(
    sqlite: Database, site: Site
) -> None:
    inside = site.put("/inside.jpg", Answer(body=drawn()))
    items = [{"id": "i", "title": "Inside", "image": inside, "url": site.url("/page")}]
    collected(sqlite, site, items)
    with sqlite.write() as connection:
        connection.execute(update(feeds).values(url="https://quay.example.org/feed"))
    fetch = Recorder()
    assert settled(sqlite, fetch=fetch)["i"].image is None
    assert fetch.urls == []
    with sqlite.write() as connection:
        connection.execute(update(feeds).values(url=site.url("/feed.json")))
    assert settled(sqlite)["i"].image is not None
    # What is known of it now is of no use to another feed, and redirects lead nowhere else.
    with sqlite.write() as connection:
        connection.execute(update(feeds).values(url="https://quay.example.org/feed"))
    collected_image = settled(sqlite, fetch=fetch)["i"].image
    assert collected_image is None
    assert fetch.urls == []


def test_a_public_address_is_asked_with_all_internal_hosts_closed(sqlite: Database, site: Site) -> None:
    collected(sqlite, site, [{"id": "p", "title": "Public", "image": "http://pictures.quay.news/a.jpg"}])
    with sqlite.write() as connection:
        connection.execute(update(feeds).values(url="https://quay.example.org/feed"))
    fetch = Recorder(stops=True)
    settled(sqlite, fetch=fetch)
    assert [limits.allow_hosts for _, limits in fetch.rounds] == [frozenset()]


def test_without_copies_none_is_stored_and_the_picture_is_asked_again_for_one(
    sqlite: Database, site: Site
) -> None:
    url = site.put("/plain.jpg", Answer(body=drawn((900, 500))))
    collected(sqlite, site, [{"id": "w", "title": "Without", "image": url, "url": site.url("/w")}])
    fetch = Recorder()
    settled(sqlite, fetch=fetch, rules=replace(RULES, copies=False))
    with sqlite.read() as connection:
        assert connection.scalar(select(func.count()).select_from(picture_copies)) == 0
        facts = connection.execute(select(pictures).where(pictures.c.url == url)).one()
    assert (facts.reason, facts.width, facts.shown, facts.copy) == ("", 900, True, None)
    image = settled(sqlite, fetch=fetch)["w"].image
    assert image is not None
    assert image.url.startswith(RULES.base_url)
    assert fetch.urls.count(url) == 2


def test_pages_are_asked_one_of_each_host_at_a_time_and_known_ones_not_again(
    sqlite: Database, site: Site
) -> None:
    head = f'<meta property="og:image" content="{site.put("/known.jpg", Answer(body=drawn()))}">'
    paths = [site.put(f"/{n}", Answer(body=f"<html><head>{head}</head></html>".encode())) for n in range(3)]
    items = [{"id": str(n), "title": f"Story {n}", "url": url} for n, url in enumerate(paths)]
    found = collected(sqlite, site, items)
    with sqlite.write() as connection:
        save_page(connection, PageFacts(), found["0"], NOW)
    fetch = Recorder()
    settled(sqlite, fetch=fetch)
    asked = [[request.url for request in requests] for requests, _ in fetch.rounds]
    assert sorted(asked) == [[paths[1]], [paths[2]]]
    assert {limits.max_bytes for _, limits in fetch.rounds} == {2_000_000}


def test_only_the_named_pictures_are_counted(sqlite: Database) -> None:
    with sqlite.write() as connection:
        for number in range(4):
            leads_to = "https://a.test/site.jpg" if number < 2 else f"https://a.test/{number}.jpg"
            facts = Inspected(url=f"https://a.test/{number}", checked_at=NOW, leads_to=leads_to)
            save_inspected(connection, facts)
        named = {"https://a.test/site.jpg", "https://a.test/2.jpg"}
        assert named_by_several_pages(connection, named) == {"https://a.test/site.jpg"}
        assert named_by_several_pages(connection, {"https://a.test/2.jpg"}) == frozenset()


def test_a_picture_that_stays_is_not_saved_again(sqlite: Database, site: Site) -> None:
    url = site.put("/stays.jpg", Answer(body=drawn((800, 450))))
    collected(sqlite, site, [{"id": "u", "title": "Unchanged", "image": url}])
    settled(sqlite)
    seen: list[str] = []
    event.listen(sqlite.engine, "before_cursor_execute", lambda *found: seen.append(found[2]))
    settled(sqlite)
    assert [each for each in seen if each.startswith("UPDATE posts")] == []
