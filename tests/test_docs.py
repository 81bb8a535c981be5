"""What the documents point to is there, and every document can be found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_a_stranger_finds_every_document_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    pages = {str(page.relative_to(ROOT)) for page in PAGES if page.name != "README.md"}
    assert {page for page in pages if f"({page})" not in readme} == set()
