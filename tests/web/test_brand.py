"""Pages and the sign-up form on other sites have the publisher's colours and logo."""

from __future__ import annotations

import re

from PIL import Image

from digest.app import reopen_app
from digest.config import load
from digest.editions.archive import forget_unused_pictures
from tests.web.site import CONFIG, Site
from tests.web.test_archive import publish

BRAND = """
[brand]
preset = "cool"
logo = "logo.png"
logo_dark = "night.png"
"""


def branded(place: Site, brand: str = BRAND, colour: str = "white") -> Site:
    """Return the site after its operator has put two logos beside the file and changed it."""
    for name in ("logo.png", "night.png"):
        picture = Image.new("RGBA", (480, 96))
        picture.paste(colour, (20, 20, 200, 80))
        picture.save(place.app.config.path.parent / name)
    path = place.app.config.path
    path.write_text(CONFIG + brand, encoding="utf-8")
    place.app = reopen_app(load(path, {}), place.app)
    place.client = place.visitor()
    return place


def logos(html: str) -> list[str]:
    return re.findall(r"https://digest\.example\.org(/brand/[0-9a-f]{64}\.png)", html)


def test_pages_show_both_logos_and_use_the_colours(quick: Site) -> None:
    page = branded(quick).client.get("/").text
    dark, light = logos(page)
    assert f'<source srcset="https://digest.example.org{dark}" media="(prefers-color-scheme: dark)">' in page
    for logo in (light, dark):
        answer = quick.client.get(logo)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert light != dark
    sheet = quick.client.get("/static/site.css").text
    assert "--accent: #0b6470;" in sheet
    assert "--band: #0b4f59;" in sheet
    assert "#0b6470" in quick.client.get("/static/icon.svg").text
    assert "#12242a" in quick.client.get("/api/v1/form?digest=daily").json()["style"]


def test_pages_notices_and_web_copies_link_to_the_privacy_policy_and_the_legal_notice(quick: Site) -> None:
    links = """privacy_url = "https://www.example.org/privacy"
imprint_url = "https://www.example.org/imprint"
links = [{ name = "Radio", url = "https://radio.example.org/" }]
"""
    branded(quick, BRAND + links).sign_up(language="de")
    edition = publish(quick)
    pages = [quick.client.get(path).text for path in ("/?language=de", f"/d/daily/{edition.id}?language=de")]
    for page in pages:
        assert '<a href="https://www.example.org/privacy">Datenschutz</a>' in page
        assert '<a href="https://www.example.org/imprint">Impressum</a>' in page
        assert re.search('<a href="https://radio.example.org/"><[^>]+>Radio<', page)
    bodies = [quick.emails()[-1].get_body((kind,)) for kind in ("html", "plain")]
    for body in bodies:
        assert body
        assert "https://www.example.org/privacy" in body.get_content()
        assert "Impressum" in body.get_content()


def test_there_is_nothing_at_other_addresses_of_logos(quick: Site) -> None:
    for name in ("5" * 64 + ".png", "logo.png", "5" * 64 + ".svg", "..%2Fconfig.toml"):
        assert quick.client.get(f"/brand/{name}").status_code == 404


def test_an_old_edition_keeps_its_logo_and_its_colours_when_the_brand_changes(place: Site) -> None:
    branded(place)
    old = publish(place)
    page = place.client.get(f"/d/daily/{old.id}").text
    branded(place, BRAND.replace("cool", "plain"), "black")
    forget_unused_pictures(place.app.database, place.clock.forward(days=400))
    now = place.client.get(f"/d/daily/{old.id}").text
    assert logos(now) == logos(page) != logos(place.client.get("/").text)
    assert place.client.get(logos(page)[0]).status_code == 200
    (sheet,) = re.findall(r'<link rel="stylesheet" href="([^"]+)">', now)
    assert "--accent: #0b6470;" in place.client.get(sheet).text
    assert "--accent: #1d4fc4;" in place.client.get("/static/site.css").text


def test_notices_have_the_logo(quick: Site) -> None:
    branded(quick).sign_up()
    email = quick.emails()[-1]
    body = email.get_body(("html",))
    assert body
    html = body.get_content()
    light, dark = logos(html)
    assert quick.client.get(light).status_code == quick.client.get(dark).status_code == 200
    assert 'bgcolor="#0b4f59"' in html
