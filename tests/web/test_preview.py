"""The live preview follows every change of a template or of config.toml, on this machine alone."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from digest.config import load
from digest.design.copies import copy_templates
from digest.web.preview import create_preview, serving_preview
from tests.scheduler.installation import Place, at

FOOT = "mail/_foot.html"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a publication with a template of its own."""
    place = Place(tmp_path)
    place.change("[site]", '[site]\ntemplates = "own"')
    list(copy_templates(load(place.config_path, {}), [FOOT]))
    return place


@pytest.fixture
def designer(place: Place) -> TestClient:
    preview = create_preview(place.config_path, {}, lambda: at("22 12:00"))
    return TestClient(preview, base_url="http://127.0.0.1:8027")


def state(designer: TestClient, **query: str) -> Any:
    answer = designer.get("/state", params=query)
    return answer.json() if answer.status_code == 200 else answer.status_code


def rewrite(place: Place, old: str, new: str) -> None:
    path = place.folder / "own" / FOOT
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_every_sample_is_there_wide_and_narrow_in_light_and_dark(designer: TestClient) -> None:
    board = state(designer)
    rows = {row["name"]: row for row in board["rows"]}
    assert [*rows] == ["many", "few", "one", "rtl", "bare", "web", "text"]
    assert [frame["title"] for frame in rows["many"]["frames"]] == [
        "640 light", "360 light", "640 dark", "360 dark",
    ]  # fmt: skip
    assert [row["findings"] for row in board["rows"]] == [[]] * len(rows)
    for row in board["rows"]:
        for frame in row["frames"]:
            answer = designer.get(f"/page/{frame['page']}")
            assert answer.status_code == 200
            assert "prefers-color-scheme" not in answer.text
            assert "script-src" not in answer.headers["content-security-policy"]
    many = designer.get("/page/many.light").text
    assert len(set(re.findall(r"https://news\.example\.org/2026/(\d+)", many))) == 28
    assert 'dir="rtl"' in designer.get("/page/rtl.light").text
    assert "img-src 'none'" in designer.get("/page/many.dark?images=off").headers["content-security-policy"]
    pictures = set(re.findall(r'src="(/site/pictures/[^"]+)"', many))
    assert len(pictures) > 10
    for picture in sorted(pictures)[:2]:
        assert designer.get(picture).content.startswith(b"\xff\xd8")
    assert designer.get("/site/pictures/none.jpg").status_code == 404


def test_the_next_edition_is_shown_if_posts_wait_for_it(place: Place, designer: TestClient) -> None:
    place.publish("Ferry", "Tram")
    place.run("22 12:00")
    row = state(designer)["rows"][0]
    assert row["name"] == "next"
    assert row["title"] == "Next edition, as it would be now: daily-2026-11-23"
    assert "Ferry" in designer.get("/page/next.text").text


def test_a_change_gives_a_new_board_and_mistakes_are_shown_until_they_are_mended(
    place: Place, designer: TestClient
) -> None:
    first = state(designer)
    assert state(designer, seen=first["stamp"]) == 204
    rewrite(place, "</p>", "<br>Boats for hire.</p>")
    second = state(designer, seen=first["stamp"])
    assert "Boats for hire." in designer.get("/page/few.light").text
    rewrite(place, "Boats for hire.", "{{ boat }}")
    (fault,) = state(designer, seen=second["stamp"])["faults"]
    line = fault["line"]
    assert fault["place"] == f"{place.folder / 'own' / FOOT}:{line}"
    assert fault["message"].startswith("there is no 'boat' here")
    assert "{{ boat }}" in dict(fault["around"])[line]
    assert "Boats for hire." in designer.get("/page/few.light").text  # the last one that could be rendered
    rewrite(place, "{{ boat }}", "Ships for hire.")
    assert state(designer)["faults"] == []
    place.change('title = "Daily"', 'titel = "Daily"')
    (fault, *_) = state(designer)["faults"]
    assert fault["place"].startswith(f"{place.config_path}:")
    place.change('titel = "Daily"', 'title = "Evening"')
    assert state(designer)["title"] == "Evening"


def test_a_logo_is_shown_and_a_broken_one_is_reported_until_it_is_replaced(
    place: Place, designer: TestClient
) -> None:
    logo = place.folder / "logo.png"
    place.change("[site]", '[brand]\nlogo = "logo.png"\n\n[site]')
    logo.write_bytes(b"no picture")
    (fault,) = state(designer)["faults"]
    assert fault["place"] == f"{place.config_path}:3"
    Image.new("RGB", (400, 100), "#0b4f59").save(logo)
    assert state(designer)["faults"] == []
    (address,) = set(re.findall(r'src="(/site/brand/[^"]+)"', designer.get("/page/one.web.light").text))
    picture = designer.get(address)
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


def test_no_other_site_can_read_it(designer: TestClient) -> None:
    assert designer.get("/", headers={"host": "evil.example.org"}).status_code == 400
    assert designer.get("/state", headers={"host": "127.0.0.1.example.org:8027"}).status_code == 400
    own = designer.get("/")
    assert "frame-ancestors 'none'" in own.headers["content-security-policy"]
    assert designer.get("/page/many.light").headers["x-frame-options"] == "SAMEORIGIN"
    assert designer.get("/preview.html").status_code == 404
    assert designer.get("/page/../preview.py").status_code == 404


@contextmanager
def opened(chromium: Browser, port: int) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/#few")
    yield page
    context.close()


def test_the_page_in_a_browser_shows_what_was_saved_and_what_is_wrong(
    chromium: Browser, place: Place
) -> None:
    preview = create_preview(place.config_path, {}, lambda: at("22 12:00"))
    with serving_preview(preview) as port, opened(chromium, port) as page:
        frame = page.frame_locator("iframe").first
        expect(frame.locator("h1")).to_have_text("Daily", timeout=30_000)
        place.change('title = "Daily"', 'title = "The Evening Tide"')
        expect(frame.locator("h1")).to_have_text("The Evening Tide", timeout=30_000)
        heights = page.locator(".sheet").evaluate_all("sheets => sheets.map(each => each.clientHeight)")
        assert len(heights) == 4
        assert min(heights) > 600  # the whole email, not a window
        rewrite(place, "</p>", "{{ boat }}</p>")
        expect(page.locator(".fault h2").first).to_contain_text(f"{FOOT}:", timeout=30_000)
        expect(page.locator("#status")).to_have_class("wrong")
        rewrite(place, "{{ boat }}</p>", "</p>")
        expect(page.locator(".fault")).to_have_count(0, timeout=30_000)


def test_ctrl_c_ends_the_command(place: Place) -> None:
    digest = Path(sys.executable).parent / "digest"
    command = [str(digest), "--config", str(place.config_path), "preview", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
