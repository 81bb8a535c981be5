"""Pages in Chromium, with and without JavaScript, in two widths, checked by axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from digest.config.values import WebSettings
from digest.model.publication import Gathering
from digest.readers.signup import LIMITS
from digest.render.languages.languages import words_for
from digest.web.serving import serving
from subscribers.model import Frequency
from tests.accessibility import faults_of
from tests.render.conftest import Reader
from tests.web.site import Site, link_in
from tests.web.test_archive import publish

SMALL_TEXT = """() => [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.offsetParent)
    .filter(e => parseFloat(getComputedStyle(e).fontSize) < 14)
    .map(e => e.textContent)"""

Scheme = Literal["light", "dark"]


class Visit:
    """A browser that visits the pages."""

    def __init__(self, browser: Browser, place: Site, port: int) -> None:
        self.browser, self.place, self.base = browser, place, f"http://127.0.0.1:{port}"
        self.asked: list[str] = []
        self.said: list[str] = []

    @contextmanager
    def open(
        self, path: str, *, width: int = 1000, scheme: Scheme = "light", script: bool = True
    ) -> Iterator[Page]:
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=script,
            timezone_id="Europe/Lisbon",
        )
        page = context.new_page()
        page.route("https://**/*", lambda route: route.abort())
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.goto(self.base + path)
        yield page
        context.close()


@pytest.fixture
def visit(chromium: Browser, quick: Site) -> Iterator[Visit]:
    quick.app = replace(
        quick.app, config=replace(quick.app.config, web=WebSettings(host="127.0.0.1", port=0))
    )
    with serving(quick.app, clock=quick.clock) as port:
        yield Visit(chromium, quick, port)


def pages(place: Site) -> dict[str, str]:
    """Return the paths of all pages, each with a name."""
    place.add()
    place.sign_up()
    return {
        "all": "/",
        "one": "/signup/daily",
        "leave": place.leave_link(),
        "confirm": link_in(place.emails()[0], "c"),
        "preferences": place.preferences_link(),
        "data": _data_link(place),
        "archive": "/d/daily",
        "empty archive": "/d/weekend",
        "edition": f"/d/daily/{publish(place).id}",
        "nowhere": "/nowhere",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000])
def test_every_page_is_accessible(visit: Visit, width: int, scheme: Scheme) -> None:
    faults = {}
    found = pages(visit.place)
    with visit.open("/", width=width, scheme=scheme) as page:  # one, because each needs a process of Chromium
        for name, path in found.items():
            page.goto(visit.base + path)
            for details in page.locator("details").all():
                details.evaluate("element => { element.open = true }")
            wide = page.evaluate("document.documentElement.scrollWidth") > width
            faults[name] = (faults_of(page), wide, page.evaluate(SMALL_TEXT))
    assert faults == dict.fromkeys(faults, ([], False, []))


def test_pages_load_nothing_from_third_parties_and_break_no_policy(visit: Visit) -> None:
    for path in pages(visit.place).values():
        with visit.open(path) as page:
            page.wait_for_load_state("load")
            assert page.context.cookies() == []
    pictures = "https://images.example.org/"  # an edition loads the pictures of its feeds
    assert all(url.startswith((visit.base, pictures)) for url in visit.asked)
    assert [line for line in visit.said if "Failed to load resource" not in line] == []


def test_a_reader_signs_up_with_javascript(visit: Visit) -> None:
    with visit.open("/signup/daily", width=360) as page:
        page.get_by_label("Your email address").fill("eve@example.org")
        visit.place.clock.forward(seconds=9)
        page.get_by_role("button", name="Subscribe").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox", timeout=20_000)
    [email] = emails_of(visit)
    with visit.open(link_in(email, "c")) as page:
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your subscription is confirmed")
    subscription = visit.place.reader("eve@example.org").subscription("daily")
    assert subscription is not None
    assert subscription.preferences.zone == "Europe/Lisbon"


def test_a_reader_signs_up_without_javascript(visit: Visit) -> None:
    with visit.open("/", script=False) as page:
        page.get_by_label("Your email address").fill("eve@example.org")
        page.get_by_role("button", name="Subscribe").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
        visit.place.clock.forward(seconds=9)
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox")
    [email] = emails_of(visit)
    with visit.open(link_in(email, "c"), script=False) as page:
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your subscription is confirmed")


def test_a_reader_unsubscribes_and_undoes_it_by_keyboard(visit: Visit) -> None:
    visit.place.add()
    with visit.open(visit.place.leave_link(), script=False) as page:
        page.get_by_label("Would you like to tell us why?").select_option("Too many emails")
        page.get_by_role("button", name="Unsubscribe").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("You have unsubscribed")
        assert visit.place.reads() == {"weekend"}
        page.get_by_role("button", name="Undo").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Welcome back")
    assert visit.place.reads() == {"daily", "weekend"}


def emails_of(visit: Visit) -> list[Any]:
    """Send what the pages have queued, and return all emails."""
    visit.place.settle()
    return visit.place.emails()


# The colours are the same in every language, so dark mode is looked at in one.
SPOKEN: list[tuple[str, Scheme]] = [
    ("en", "light"),
    ("en", "dark"),
    ("de", "light"),
    ("es", "light"),
    ("ar", "light"),
]


@pytest.mark.parametrize(("language", "scheme"), SPOKEN)
def test_every_email_is_accessible(visit: Visit, language: str, scheme: Scheme) -> None:
    emails = every_email(visit.place, language)
    assert len(emails) == 5
    with Reader(visit.browser).read("", width=360, scheme=scheme) as page:
        for email in emails:
            part = email.get_body(("html",))
            assert part is not None
            page.set_content(str(part.get_content()))
            assert page.locator("html").get_attribute("lang") == language
            for width in (360, 640):
                page.set_viewport_size({"width": width, "height": 900})
                assert faults_of(page) == [], email["Subject"]
                assert page.evaluate("document.documentElement.scrollWidth") <= width


def every_email(place: Site, language: str) -> list[EmailMessage]:
    """Return an email of each kind: confirmation, welcome, both for a change of address, link to data."""
    place.client.headers["accept-language"] = language
    place.sign_up()
    place.client.post(link_in(place.emails()[0], "c"))
    place.settle()
    preferences = place.preferences_link("eve@example.org")
    place.client.post(f"{preferences}/address", data={"address": "eve.new@example.org"})
    place.settle()
    place.client.post(f"{preferences}/data")
    place.settle()
    return place.emails()


def _data_link(place: Site) -> str:
    place.client.post(f"{place.preferences_link()}/data")
    place.settle()
    return link_in(place.emails()[-1], "m")


HOST = """<!DOCTYPE html><html lang="{language}"><head><title>A blog</title></head><body><h1>A blog</h1>
<p>An article.</p><script src="{base}/static/embed.js" data-digest="{digest}" async></script></body></html>"""
POLICY = "default-src 'none'; script-src {base}; connect-src {base}"


@contextmanager
def open_blog(visit: Visit, digest: str = "daily", language: str = "en") -> Iterator[Page]:
    """Open a page of another site with the embedded form, under a content policy as strict as ours."""

    html = HOST.format(base=visit.base, digest=digest, language=language)

    class Blog(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-security-policy", POLICY.format(base=visit.base))
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Blog) as server:
        Thread(target=server.serve_forever).start()
        context = visit.browser.new_context(viewport={"width": 360, "height": 700})
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/article")
        yield page
        context.close()
        server.shutdown()


def test_the_embedded_form_signs_up_without_leaving_the_page(visit: Visit) -> None:
    with open_blog(visit) as page:
        page.get_by_label("Your email address").fill("nobody")
        visit.place.clock.forward(seconds=9)
        page.get_by_role("button", name="Subscribe to Daily").click()
        expect(page.get_by_role("alert")).to_have_text("the address has no @", timeout=20_000)
        page.get_by_label("Your email address").fill("eve@example.org")
        page.get_by_role("button", name="Subscribe to Daily").click()
        expect(page.get_by_role("status")).to_contain_text("Check your inbox", timeout=20_000)
        assert page.url.endswith("/article")
        assert page.context.cookies() == []
    [email] = emails_of(visit)
    assert email["To"] == "eve@example.org"


def test_the_embedded_form_explains_mistakes_in_the_language_of_its_page(visit: Visit) -> None:
    with open_blog(visit, language="de-AT") as page:
        page.get_by_label("Ihre E-Mail-Adresse").fill("nobody")
        visit.place.clock.forward(seconds=9)
        press = page.get_by_role("button", name="Daily")
        press.click()
        expect(page.get_by_role("alert")).to_have_text(
            words_for("de")("the address has no @"), timeout=20_000
        )
        for _ in range(LIMITS.requests + 1):
            page.request.post(f"{visit.base}/c/none/fresh")
        page.get_by_label("Ihre E-Mail-Adresse").fill("eve@example.org")
        press.click()
        expect(page.get_by_role("alert")).to_contain_text(
            "Zu viele Anfragen. Bitte versuchen Sie es in einer Stunde", timeout=20_000
        )


def test_an_embedded_form_that_cannot_load_becomes_a_link(visit: Visit) -> None:
    with open_blog(visit, "nightly") as page:
        expect(page.get_by_role("link")).to_have_attribute("href", f"{visit.base}/signup/nightly")


def test_a_plain_form_on_another_site_works_without_javascript(visit: Visit) -> None:
    context = visit.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    html = (
        f'<html lang="en"><form action="{visit.base}/signup" method="post"><label>Your email'
        '<input type="email" name="address" required></label><input type="hidden" name="digest"'
        ' value="daily"><button>Subscribe</button></form></html>'
    )
    page.route("http://blog.test/**", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("http://blog.test/")
    page.get_by_label("Your email").fill("eve@example.org")
    page.get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
    visit.place.clock.forward(seconds=9)
    page.get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your inbox")
    context.close()


@pytest.mark.parametrize("language", ["de", "es", "ar"])
def test_pages_are_accessible_in_every_language(visit: Visit, language: str) -> None:
    faults = {}
    found = pages(visit.place)
    with visit.open("/", width=360) as page:
        for path in (found[name] for name in ("all", "one", "leave", "preferences", "archive")):
            page.goto(f"{visit.base}{path}?language={language}")
            assert page.locator("html").get_attribute("lang") == language
            wide = page.evaluate("document.documentElement.scrollWidth") > 360
            faults[path] = (faults_of(page), wide)
    assert faults == dict.fromkeys(faults, ([], False))


def pages_after_buttons(visit: Visit, page: Page, language: str) -> Iterator[str]:
    """Visit the pages after a button and the error pages; yield the name of each page."""

    def see(path: str) -> None:
        page.goto(f"{visit.base}{path}?language={language}")

    def press(form: str = "form") -> None:
        with (
            page.expect_navigation()
        ):  # until the page and its styles are loaded; a click alone does not wait
            page.locator(f"{form} button[type=submit]").first.click()

    place = visit.place
    place.add()
    place.sign_up(language=language)
    link = link_in(place.emails()[0], "c")
    see("/nowhere")
    yield "nowhere"
    see("/u/daily/damaged")
    yield "a damaged link"
    see("/signup")
    page.locator("#address").fill("nobody")
    place.clock.forward(seconds=9)
    press()
    yield "a mistake in the form"
    see(link)
    press()
    yield "confirmed"
    see(link)
    yield "a used link"
    see(place.leave_link())
    press()
    yield "unsubscribed"
    press()
    yield "undone"
    see(place.preferences_link())
    page.locator("#address").fill("nobody")
    press("form[action*='/address']")
    yield "a mistake in the preferences"
    see(_data_link(place))
    page.locator("#sure").check()
    press()
    yield "erased"
    place.sign_up(address="bob@example.org", language=language)
    place.clock.forward(days=3, hours=1)
    see(link_in(place.emails()[-1], "c"))
    yield "an expired link"
    for _ in range(LIMITS.requests + 1):
        page.request.post(f"{visit.base}/c/none/fresh")
    press()
    yield "too many requests"


@pytest.mark.parametrize(("language", "scheme"), SPOKEN)
def test_pages_after_a_button_are_accessible_in_every_language(
    visit: Visit, language: str, scheme: Scheme
) -> None:
    faults, seen = {}, []
    with visit.open("/", scheme=scheme) as page:
        for name in pages_after_buttons(visit, page, language):
            seen.append(page.locator("h1").inner_text())
            assert page.locator("html").get_attribute("lang") == language, name
            for width in (360, 640):
                page.set_viewport_size({"width": width, "height": 900})
                wide = page.evaluate("document.documentElement.scrollWidth") > width
                faults[name, width] = (faults_of(page), wide, page.evaluate(SMALL_TEXT))
    assert faults == dict.fromkeys(faults, ([], False, []))
    assert len(set(seen)) == 11, seen


def test_headings_are_aligned_right_in_a_right_to_left_language(visit: Visit) -> None:
    visit.place.add()
    edges = "elements => elements.map(e => { const r = document.createRange(); r.selectNodeContents(e);"
    edges += " return [r.getBoundingClientRect().right, e.getBoundingClientRect().right].map(Math.round) })"
    with visit.open(f"{visit.place.preferences_link()}?language=ar", width=360) as page:
        found = page.locator("main h2").evaluate_all(edges)
    assert len(found) > 3
    assert all(text == box for text, box in found), found


def test_a_mistake_is_marked_in_its_colour_and_opens_nothing_else(visit: Visit) -> None:
    gathered = replace(
        visit.place.app.config.digests[0],
        gather=(Gathering(frequency=Frequency.WEEKLY, schedule="sundays at 08:00"),),
    )
    digests = (gathered, *visit.place.app.config.digests[1:])
    place = replace(visit.place)
    place.app = replace(place.app, config=replace(place.app.config, digests=digests))
    with serving(place.app, clock=place.clock) as port, Visit(visit.browser, place, port).open("/") as page:
        page.locator("#address").fill("nobody")
        page.get_by_role("button", name="Subscribe").click()
        field = page.locator("#address[aria-invalid]")
        expect(field).to_have_css("border-top-color", "rgb(163, 33, 27)", timeout=20_000)
        expect(page.locator("details")).to_have_count(3)
        expect(page.locator("details[open]")).to_have_count(0)
