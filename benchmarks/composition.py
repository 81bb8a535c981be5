"""Measure the demo's email, of today and of the earlier templates: `python -m benchmarks.composition`.

Chromium measures the pages at 640 and 360 pixels, offline. Heights depend on the fonts of the machine. For
those of a reader with Georgia, give the two files of Gelasio (regular and bold), which has the same metrics:
`--georgia gelasio-400.woff2 gelasio-700.woff2`. The package `@fontsource/gelasio` has them.
"""

from __future__ import annotations

import argparse
import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser

from benchmarks.browser import chromium
from digest.app import open_app
from digest.config import load
from digest.demo.servers import feed_server
from digest.demo.workspace import prepare, with_pictures, write_config
from digest.editions.editions import compose_now
from digest.editions.feeds import collect_due
from digest.model.editions import Edition
from digest.model.messages import ReaderLinks
from digest.model.publication import Style
from digest.model.run_context import RunContext
from digest.render.mail import render_email
from digest.render.preflight import encoded_size
from digest.render.templates import Templates, load_templates

NOW = datetime(2026, 11, 30, 5, tzinfo=UTC)
WIDTHS = (640, 360)
LINKS = ReaderLinks(
    unsubscribe="https://papers.example.org/u/daily/AAAAAAAAAAAM-_rQrunFpfC1YUAR",
    preferences="https://papers.example.org/p/AAAAAAAAAAB1201S8BNRKStNTR2k",
)
_WEIGHTS = (400, 700)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each composition, and the ratios to the earlier email."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--georgia", nargs=2, type=Path, metavar=("REGULAR", "BOLD"), default=())
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder, chromium() as browser:
        edition = demo_edition(Path(folder))
        measure = _Measure(Path(folder), browser, _fonts(options.georgia))
        ours = load_templates()
        print(f"{sum(1 for _ in edition.stories())} stories        px at 640  px at 360  bytes encoded")
        now = measure.line("newspaper", ours, edition)
        for style in (Style.BRIEF, Style.LINKS):
            measure.line(style.value, ours, replace(edition, style=style))
        before = measure.line("earlier", load_templates(ours.defaults / "earlier"), edition)
        ratios = (f"{new / old:10.2f}" for new, old in zip(now, before, strict=True))
        print(f"{'newspaper / earlier':<18}", *ratios)


def demo_edition(folder: Path) -> Edition:
    """Return the daily edition of the demo."""
    workspace = prepare(folder, NOW)
    with (
        feed_server(workspace.feeds) as address,
        open_app(load(write_config(workspace, feeds=address, port=1), {})) as app,
    ):
        collect_due(app.database, app.config, RunContext(clock=lambda: NOW), force=True)
        record = compose_now(app, "daily", NOW).record
        assert record is not None
        return record.edition


class _Measure:
    """Renders an edition and measures it in the browser, with the demo's pictures."""

    def __init__(self, folder: Path, browser: Browser, fonts: str) -> None:
        self._page = folder / "email.html"
        self._browser = browser
        self._fonts = fonts

    def line(self, name: str, templates: Templates, edition: Edition) -> tuple[int, ...]:
        """Print the heights and the size of an email, and return them."""
        web = f"https://papers.example.org/d/daily/{edition.id}"
        html = render_email(templates, edition, LINKS, web_url=web).html
        self._page.write_text(html.replace("</head>", f"{self._fonts}</head>"), encoding="utf-8")
        with_pictures(self._page)
        found = *map(self._height, WIDTHS), encoded_size(html)
        print(f"{name:<18}", *(f"{number:10,}" for number in found))
        return found

    def _height(self, width: int) -> int:
        page = self._browser.new_page(viewport={"width": width, "height": 900})
        page.goto(self._page.as_uri())
        page.evaluate("document.fonts.ready.then(() => 0)")
        height = page.evaluate("document.documentElement.scrollHeight")
        page.close()
        return int(height)


def _fonts(files: Sequence[Path]) -> str:
    """Return the styles that give the files under the name Georgia."""
    faces = (
        f"@font-face {{ font-family: Georgia; font-weight: {weight};"
        f" src: url(data:font/woff2;base64,{base64.b64encode(file.read_bytes()).decode()}) }}"
        for weight, file in zip(_WEIGHTS, files, strict=False)
    )
    return f"<style>{''.join(faces)}</style>"


if __name__ == "__main__":
    main()
