"""A real browser without a network: images come from here, and everything else is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="675">'
    '<rect fill="#7788aa" width="1200" height="675"/></svg>'
)


class Reader:
    """Opens pages as a reader would: at a width, in light or dark, with images or without."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.asked: list[str] = []  # every address the pages wanted

    @contextmanager
    def read(
        self, html: str, *, width: int = 640, scheme: Literal["light", "dark"] = "light", images: bool = True
    ) -> Iterator[Page]:
        def answer(route: Route) -> None:
            self.asked.append(route.request.url)
            if images and route.request.resource_type == "image":
                route.fulfill(body=_PICTURE, content_type="image/svg+xml")
            else:
                route.abort()

        context = self._browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.route("**/*", answer)
        page.set_content(html)
        yield page
        context.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Give Debian's Chromium, to one module: while it runs, this thread can run no event loop of its own."""
    assert CHROMIUM.exists(), "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def reader(chromium: Browser) -> Reader:
    return Reader(chromium)
