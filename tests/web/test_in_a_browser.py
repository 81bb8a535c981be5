"""Pages as Chromium shows them: with a script and without, judged by axe-core, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from digest.app.signing_up import LIMITS
from digest.config.values import WebSettings
from digest.publication import Gathering
from digest.render.languages import words_for
from digest.web.serving import serving
from subscribers.model import Frequency
from tests.render.conftest import Reader
from tests.web.parlour import Parlour, link_in
from tests.web.test_archive import publish

AXE = (Path(__file__).resolve().parent.parent / "vendor/axe-core/axe.min.js").read_text(encoding="utf-8")
SMALL_TEXT = """() => [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.offsetParent)
    .filter(e => parseFloat(getComputedStyle(e).fontSize) < 14)
    .map(e => e.textContent)"""

Scheme = Literal["light", "dark"]


class Visit:
    """A reader with a browser in front of the pages."""

    def __init__(self, browser: Browser, place: Parlour, port: int) -> None:
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

    def violations(self, page: Page) -> list[tuple[str, list[str]]]:
        if not page.evaluate("'axe' in window"):  # half a megabyte, once for each page
            page.evaluate(AXE)
        result: dict[str, Any] = page.evaluate("axe.run({rules: {'target-size': {enabled: true}}})")
        return [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in result["violations"]]


@pytest.fixture
def visit(chromium: Browser, quick: Parlour) -> Iterator[Visit]:
    quick.app = replace(
        quick.app, config=replace(quick.app.config, web=WebSettings(host="127.0.0.1", port=0))
    )
    with serving(quick.app, clock=quick.clock) as port:
        yield Visit(chromium, quick, port)


def pages(place: Parlour) -> dict[str, str]:
    """Return every page a reader meets, by a name."""
    place.add()
    place.sign_up()
    return {
        "all": "/",
        "one": "/signup/daily",
        "leave": place.leave_link(),
        "confirm": link_in(place.mails()[0], "c"),
        "preferences": place.preferences_link(),
        "data": _data_link(place),
        "archive": "/d/daily",
        "empty archive": "/d/weekend",
        "edition": f"/d/daily/{publish(place).id}",
        "nowhere": "/nowhere",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000])
def test_no_page_breaks_a_rule_of_accessibility(visit: Visit, width: int, scheme: Scheme) -> None:
    faults = {}
    for name, path in pages(visit.place).items():
        with visit.open(path, width=width, scheme=scheme) as page:
            for details in page.locator("details").all():
                details.evaluate("element => { element.open = true }")
            wide = page.evaluate("document.documentElement.scrollWidth") > width
            faults[name] = (visit.violations(page), wide, page.evaluate(SMALL_TEXT))
    assert faults == dict.fromkeys(faults, ([], False, []))


def test_pages_ask_nobody_else_for_anything_and_break_no_policy(visit: Visit) -> None:
    for path in pages(visit.place).values():
        with visit.open(path) as page:
            page.wait_for_load_state("load")
            assert page.context.cookies() == []
    pictures = "https://images.example.org/"  # of an edition, from where its feeds have them
    assert all(url.startswith((visit.base, pictures)) for url in visit.asked)
    assert [line for line in visit.said if "Failed to load resource" not in line] == []


def test_a_reader_signs_up_with_a_script(visit: Visit) -> None:
    with visit.open("/signup/daily", width=360) as page:
        page.get_by_label("Your email address").fill("eve@example.org")
        visit.place.clock.forward(seconds=9)
        page.get_by_role("button", name="Subscribe").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox", timeout=20_000)
    [mail] = mails_of(visit)
    with visit.open(link_in(mail, "c")) as page:
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You are on the list")
    subscription = visit.place.reader("eve@example.org").subscription("daily")
    assert subscription is not None
    assert subscription.preferences.zone == "Europe/Lisbon"


def test_a_reader_signs_up_without_a_script(visit: Visit) -> None:
    with visit.open("/", script=False) as page:
        page.get_by_label("Your email address").fill("eve@example.org")
        page.get_by_role("button", name="Subscribe").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
        visit.place.clock.forward(seconds=9)
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
    [mail] = mails_of(visit)
    with visit.open(link_in(mail, "c"), script=False) as page:
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You are on the list")


def test_a_reader_leaves_and_takes_it_back_by_keyboard(visit: Visit) -> None:
    visit.place.add()
    with visit.open(visit.place.leave_link(), script=False) as page:
        page.get_by_label("Would you tell us why?").select_option("Too many mails")
        page.get_by_role("button", name="Leave").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("You have left")
        assert visit.place.reads() == {"weekend"}
        page.get_by_role("button", name="Take it back").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Welcome back")
    assert visit.place.reads() == {"daily", "weekend"}


def mails_of(visit: Visit) -> list[Any]:
    """Return the mails there are when the first has come."""
    with visit.open("/") as page:
        for _ in range(100):
            if visit.place.mails():
                break
            page.wait_for_timeout(50)
    return visit.place.mails()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "de", "es", "ar"])
def test_no_mail_breaks_a_rule_of_accessibility(visit: Visit, language: str, scheme: Scheme) -> None:
    mails = every_mail(visit.place, language)
    assert len(mails) == 5
    for mail in mails:
        part = mail.get_body(("html",))
        assert part is not None
        with Reader(visit.browser).read(str(part.get_content()), width=360, scheme=scheme) as page:
            assert page.locator("html").get_attribute("lang") == language
            for width in (360, 640):
                page.set_viewport_size({"width": width, "height": 900})
                assert visit.violations(page) == [], mail["Subject"]
                assert page.evaluate("document.documentElement.scrollWidth") <= width


def every_mail(place: Parlour, language: str) -> list[EmailMessage]:
    """Return a mail of each kind: to confirm, to welcome, for both ends of a move, with a link to data."""
    place.client.headers["accept-language"] = language
    place.sign_up()
    place.client.post(link_in(place.mails()[0], "c"))
    place.settle()
    preferences = place.preferences_link("eve@example.org")
    place.client.post(f"{preferences}/address", data={"address": "eve.new@example.org"})
    place.settle()
    place.client.post(f"{preferences}/data")
    place.settle()
    return place.mails()


def _data_link(place: Parlour) -> str:
    place.client.post(f"{place.preferences_link()}/data")
    place.settle()
    return link_in(place.mails()[-1], "m")


HOST = """<!DOCTYPE html><html lang="{language}"><head><title>A blog</title></head><body><h1>A blog</h1>
<p>An article.</p><script src="{base}/static/embed.js" data-digest="{digest}" async></script></body></html>"""
POLICY = "default-src 'none'; script-src {base}; connect-src {base}"


@contextmanager
def open_blog(visit: Visit, digest: str = "daily", language: str = "en") -> Iterator[Page]:
    """Open a page of somebody else, under a policy as strict as ours, with the one line in it."""

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


def test_the_one_line_form_signs_up_without_leaving_the_page(visit: Visit) -> None:
    with open_blog(visit) as page:
        page.get_by_label("Your email address").fill("nobody")
        visit.place.clock.forward(seconds=9)
        page.get_by_role("button", name="Subscribe to Daily").click()
        expect(page.get_by_role("alert")).to_have_text("there is no @ in it", timeout=20_000)
        page.get_by_label("Your email address").fill("eve@example.org")
        page.get_by_role("button", name="Subscribe to Daily").click()
        expect(page.get_by_role("status")).to_contain_text("Look into your mailbox", timeout=20_000)
        assert page.url.endswith("/article")
        assert page.context.cookies() == []
    [mail] = mails_of(visit)
    assert mail["To"] == "eve@example.org"


def test_the_one_line_form_says_in_the_language_of_its_page_what_is_wrong(visit: Visit) -> None:
    with open_blog(visit, language="de-AT") as page:
        page.get_by_label("Ihre E-Mail-Adresse").fill("nobody")
        visit.place.clock.forward(seconds=9)
        press = page.get_by_role("button", name="Daily")
        press.click()
        expect(page.get_by_role("alert")).to_have_text(words_for("de")("there is no @ in it"), timeout=20_000)
        for _ in range(LIMITS.requests + 1):
            page.request.post(f"{visit.base}/c/none/fresh")
        page.get_by_label("Ihre E-Mail-Adresse").fill("eve@example.org")
        press.click()
        expect(page.get_by_role("alert")).to_contain_text("Das war zu oft. Bitte warten Sie", timeout=20_000)


def test_where_the_one_line_form_cannot_be_it_is_a_link(visit: Visit) -> None:
    with open_blog(visit, "nightly") as page:
        expect(page.get_by_role("link")).to_have_attribute("href", f"{visit.base}/signup/nightly")


def test_the_plain_form_on_another_site_works_without_a_script(visit: Visit) -> None:
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
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
    context.close()


@pytest.mark.parametrize("language", ["de", "es", "ar"])
def test_pages_are_sound_in_every_language(visit: Visit, language: str) -> None:
    faults = {}
    found = pages(visit.place)
    for path in (found[name] for name in ("all", "one", "leave", "preferences", "archive")):
        with visit.open(f"{path}?language={language}", width=360) as page:
            assert page.locator("html").get_attribute("lang") == language
            wide = page.evaluate("document.documentElement.scrollWidth") > 360
            faults[path] = (visit.violations(page), wide)
    assert faults == dict.fromkeys(faults, ([], False))


def moments(visit: Visit, page: Page, language: str) -> Iterator[str]:
    """Walk through what comes after a button, and through what goes wrong; yield the name of each page."""

    def see(path: str) -> None:
        page.goto(f"{visit.base}{path}?language={language}")

    def press(form: str = "form") -> None:
        with page.expect_navigation():  # whole, with its styles: a click alone waits for the first byte
            page.locator(f"{form} button[type=submit]").first.click()

    place = visit.place
    place.add()
    place.sign_up(language=language)
    link = link_in(place.mails()[0], "c")
    see("/nowhere")
    yield "nowhere"
    see("/u/daily/damaged")
    yield "a damaged link"
    see("/signup")
    page.locator("#address").fill("nobody")
    place.clock.forward(seconds=9)
    press()
    yield "a fault in the form"
    see(link)
    press()
    yield "confirmed"
    see(link)
    yield "a used link"
    see(place.leave_link())
    press()
    yield "left"
    press()
    yield "back"
    see(place.preferences_link())
    page.locator("#address").fill("nobody")
    press("form[action*='/address']")
    yield "a fault in the preferences"
    see(_data_link(place))
    page.locator("#sure").check()
    press()
    yield "forgotten"
    place.sign_up(address="bob@example.org", language=language)
    place.clock.forward(days=3, hours=1)
    see(link_in(place.mails()[-1], "c"))
    yield "a link that has run out"
    for _ in range(LIMITS.requests + 1):
        page.request.post(f"{visit.base}/c/none/fresh")
    press()
    yield "too many requests"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "de", "es", "ar"])
def test_what_comes_after_a_button_is_sound_in_every_language(
    visit: Visit, language: str, scheme: Scheme
) -> None:
    faults, seen = {}, []
    with visit.open("/", scheme=scheme) as page:
        for name in moments(visit, page, language):
            seen.append(page.locator("h1").inner_text())
            assert page.locator("html").get_attribute("lang") == language, name
            for width in (360, 640):
                page.set_viewport_size({"width": width, "height": 900})
                wide = page.evaluate("document.documentElement.scrollWidth") > width
                faults[name, width] = (visit.violations(page), wide, page.evaluate(SMALL_TEXT))
    assert faults == dict.fromkeys(faults, ([], False, []))
    assert len(set(seen)) == 11, seen


def test_in_a_language_from_the_right_headings_stand_at_the_right(visit: Visit) -> None:
    visit.place.add()
    edges = "elements => elements.map(e => { const r = document.createRange(); r.selectNodeContents(e);"
    edges += " return [r.getBoundingClientRect().right, e.getBoundingClientRect().right].map(Math.round) })"
    with visit.open(f"{visit.place.preferences_link()}?language=ar", width=360) as page:
        found = page.locator("main h2").evaluate_all(edges)
    assert len(found) > 3
    assert all(text == box for text, box in found), found


def test_a_fault_is_marked_in_its_colour_and_opens_nothing_else(visit: Visit) -> None:
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
