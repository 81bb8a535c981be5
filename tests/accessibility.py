"""The judgement of axe-core on a page in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_AXE = Path(__file__).resolve().parent / "vendor/axe-core/axe.min.js"
# The faults are picked in the page, because all that axe reports of what is right is megabytes long.
_RUN = """iframes => axe.run({iframes: iframes, rules: {'target-size': {enabled: true}}}).then(
    found => found.violations.map(fault => [fault.id, fault.nodes.map(node => node.html)]))"""

Fault = tuple[str, list[str]]


def faults_of(page: Page, *, iframes: bool = True) -> list[Fault]:
    """Return every rule of axe-core that a page breaks, with where; best practices and target sizes count."""
    if not page.evaluate("'axe' in window"):  # half a megabyte, once for each page
        page.evaluate(_AXE.read_text(encoding="utf-8"))
    return [(rule, elements) for rule, elements in page.evaluate(_RUN, iframes)]
