"""Nothing that feeds, editors, readers or the staff write becomes markup of the staff's pages."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from digest.model.staff import Role
from digest.render.sample import sample_edition
from digest.storage.editions.drafts import insert_edition
from tests.web.staff.newsroom import Newsroom

EVIL = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7 * 7 }}"
WORDS = (
    "title",
    "blurb",
    "author",
    "feed",
    "note",
    "tags",
    "reason",
    "alt",
    "name",
    "text",
    "source",
    "rule",
)
DRAFT = "daily-draft"
PAGES = (
    *(f"/desk/{DRAFT}", f"/desk/{DRAFT}/history", f"/desk/{DRAFT}/comments"),
    *("/staff", "/staff/audit", "/account"),
)


def test_no_text_becomes_markup(desk: Newsroom) -> None:
    edition = replace(poisoned(sample_edition()), id=DRAFT, digest="daily", site=desk.app.config.site)
    at = desk.clock()
    with desk.app.database.write() as connection:
        insert_edition(connection, replace(edition, cutoff_at=at, send_at=at))
    browser = desk.signed_in(Role.ADMINISTRATOR, "Eve <img src=x onerror=alert(1)><script>alert(2)</script>")
    story = next(edition.stories()).id
    for path, form in (
        (f"/desk/{DRAFT}/comments", {"text": EVIL, "story": story}),
        (f"/desk/{DRAFT}/edit", {"do": "note", "story": story, "text": EVIL, "seen": "0"}),
        (f"/desk/{DRAFT}/edit", {"do": "introduction", "text": EVIL, "seen": "1"}),
        (f"/desk/{DRAFT}/edit", {"do": "subject", "text": EVIL.replace("{", "("), "seen": "2"}),
        (f"/desk/{DRAFT}/hold", {"reason": EVIL}),
        ("/desk/skip", {"digest": "daily", "date": "2026-11-25", "reason": EVIL}),
        ("/desk/posts", {"digest": "daily", "what": EVIL, "post": EVIL, "q": EVIL}),
        ("/login", {"address": EVIL, "password": EVIL, "then": f"/{EVIL}"}),
        ("/staff", {"name": EVIL, "address": EVIL, "role": EVIL}),
        ("/account/tokens", {"name": EVIL, "scope": "look", "days": "30", "present": EVIL}),
    ):
        require_plain(path, browser.post(path, data=form).text)
    query = dict.fromkeys(("q", "then", "edition", "feed", "state", "person", "show", "from", "skip"), EVIL)
    for path in PAGES:
        html = browser.get(path, params=query).text
        require_plain(path, html)
        assert "&lt;img src=x" in html, f"{path} shows the text"


def require_plain(path: str, html: str) -> None:
    for mark in ("<img src=x", "<script>alert"):
        assert mark not in html, f"{path}: {html[max(html.index(mark) - 200, 0) : html.index(mark) + 40]}"


def poisoned(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        return f"{value} {EVIL}" if name in WORDS else value
    if isinstance(value, tuple):
        return tuple(poisoned(each, name) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in fields(value) if each.init]
        return replace(value, **{each: poisoned(getattr(value, each), each) for each in names})
    return value
