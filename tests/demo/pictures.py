"""Take the README's pictures of the desk, in the demo's newsroom: `python -m tests.demo.pictures`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from digest.demo.newsroom import newsroom
from digest.model.deliveries import Counts
from digest.model.posts import FeedReport
from digest.model.run_context import utc_now
from digest.storage.reports import note_run
from digest.web.trial import trial
from tests.render.conftest import ARGUMENTS, CHROMIUM

PICTURES = Path(__file__).parents[2] / "docs/pictures"
_COLOURS = 128
# name → width, height, dark, and the page; each is taken by another person
_SHOTS = (
    ("desk", 1280, 900, False, "/desk/{edition}"),
    ("desk-phone-dark", 390, 844, True, "/desk/{edition}"),
    ("desk-overview", 1280, 900, False, "/desk"),
)


class _Silent:
    def step(self, title: str) -> None: ...
    def line(self, text: str) -> None: ...
    def feed(self, report: FeedReport) -> None: ...
    def progress(self, edition_id: str, counts: Counts) -> None: ...


def main() -> None:
    """Write the pictures into docs/pictures."""
    with (
        TemporaryDirectory() as folder,
        newsroom(Path(folder, "open"), _Silent(), utc_now) as opened,
        trial(opened.app, opened.people, lambda: None) as links,
        sync_playwright() as playwright,
    ):
        with opened.app.database.write() as connection:
            note_run(connection, utc_now())  # as the scheduler of `digest demo --serve` does
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for link, (name, width, height, dark, path) in zip(links, _SHOTS, strict=True):
            address = opened.url + "/team" + path.format(edition=opened.draft.edition.id)
            shot = _shot(browser, link, address, (width, height), dark=dark)
            shot.quantize(_COLOURS).save(PICTURES / f"{name}.png", optimize=True)
        browser.close()


def _shot(browser: Browser, link: str, address: str, size: tuple[int, int], *, dark: bool) -> Image.Image:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(link)
    page.goto(address)
    page.wait_for_load_state("load")
    for frame in page.frames[1:]:
        frame.wait_for_load_state("load")
    page.wait_for_timeout(2_000)  # for pictures that are loaded late; the page listens, so it is never idle
    taken = Image.open(BytesIO(page.screenshot()))
    context.close()
    return taken.convert("RGB")


if __name__ == "__main__":
    main()
