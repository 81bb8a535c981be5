"""Copies of pictures are served at addresses made from their content, and emails show the size they need."""

from __future__ import annotations

from dataclasses import replace

from digest.model.links import is_copy, picture_url, small_picture_url
from digest.model.messages import ReaderLinks
from digest.model.posts import Image
from digest.render.mail import render_email
from digest.render.sample import sample_edition
from digest.storage.intake.pictures import save_copy
from tests.web.site import BASE, Site

NAME = "5" * 64


def test_a_copy_is_served_and_may_be_kept_for_ever(place: Site) -> None:
    with place.app.database.write() as connection:
        save_copy(connection, NAME, b"a large one", b"a small one", place.clock())
    large = picture_url(BASE, NAME)
    for url, body in ((large, b"a large one"), (small_picture_url(large, BASE), b"a small one")):
        answer = place.client.get(url.removeprefix(BASE))
        assert (answer.status_code, answer.content) == (200, body)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        head = place.client.head(url.removeprefix(BASE))
        assert (head.status_code, head.content) == (200, b"")


def test_only_addresses_under_the_base_url_are_those_of_copies() -> None:
    url = picture_url("https://digest.example.org/", NAME)
    assert is_copy(url, "https://digest.example.org")
    foreign = (
        picture_url("https://digest.example.org.quay.test", NAME),
        picture_url("https://digest.example.org/elsewhere", NAME),
        small_picture_url(url, "https://digest.example.org"),
    )
    for each in foreign:
        assert not is_copy(each, "https://digest.example.org")
        assert small_picture_url(each, "https://digest.example.org") == each


def test_there_is_nothing_at_any_other_address(place: Site) -> None:
    for name in (f"{NAME}.jpg", f"{NAME}.png", "pier.jpg", f"{NAME}-small.jpg"):
        answer = place.client.get(f"/pictures/{name}")
        assert answer.status_code == 404
        assert "Page not found" in answer.text


def test_an_email_shows_the_large_copy_for_its_lead_and_small_ones_for_the_others(quick: Site) -> None:
    edition = sample_edition()
    assert edition.lead is not None
    url = picture_url(BASE, NAME)
    copy = Image(url=url, alt="The pier", width=1152, height=648)
    section = edition.sections[0]
    stories = tuple(replace(story, image=copy) for story in section.stories)
    sections = (replace(section, stories=stories), *edition.sections[1:])
    edition = replace(
        edition,
        site=replace(edition.site, base_url=BASE),
        lead=replace(edition.lead, image=copy),
        sections=sections,
    )
    links = ReaderLinks(
        unsubscribe="https://digest.example.org/u/x", preferences="https://digest.example.org/p/x"
    )
    html = render_email(quick.app.templates, edition, links, web_url=None).html
    assert f'src="{url}" width="576" height="324"' in html
    assert f'src="{url}" width="260" height="146"' in html, "a feature"
    assert f'src="{small_picture_url(url, BASE)}" width="96" height="96"' in html
