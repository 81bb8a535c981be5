"""The files of the staff's pages: complete, in the colours of the brand, and kept until they change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from digest.model.errors import TemplateError
from digest.model.publication import Brand, Site
from digest.render.templates import load_templates
from digest.render.values import brand_values
from digest.web.staff import files

SITE = Site(name="The Lantern", base_url="https://lantern.test", postal_address="1 Quay Street")


def client(site: Site = SITE) -> TestClient:
    app = FastAPI()
    app.state.files = files.staff_files(load_templates(), site, "")
    app.include_router(files.router)
    return TestClient(app)


def address(name: str, site: Site = SITE) -> str:
    return files.staff_files(load_templates(), site, "/team").url(name)


def test_a_file_is_kept_for_a_year_under_its_own_version_and_an_hour_under_any_other() -> None:
    url = address("staff.css").removeprefix("/team")
    with client() as browser:
        named, plain = browser.get(url), browser.get("/static/staff.css?v=0")
        assert "immutable" in named.headers["cache-control"]
        assert plain.headers["cache-control"] == "public, max-age=3600"
        again = browser.get(url, headers={"if-none-match": named.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert browser.get("/static/README.md").status_code == 404


def test_the_colours_are_those_of_the_brand_and_change_the_address() -> None:
    other = Site(name="B", base_url="https://b.test", postal_address="C", brand=Brand(accent="#0b6470"))
    with client(other) as browser:
        styles = browser.get("/static/staff.css").text
    assert "--accent: #0b6470" in styles
    assert address("staff.css") != address("staff.css", other)
    assert address("htmx.js") == address("htmx.js", other)


def test_every_class_of_the_layout_and_its_parts_is_in_the_styles() -> None:
    styles = load_templates().render("web/desk/staff.css", {"brand": brand_values(SITE)})
    assert "{" in styles
    assert styles.count("{") == styles.count("}")
    for part in ("bar", "clock", "tabs", "story", "flag", "fold", "acts", "menu", "dialog", "edit", "notice"):
        assert re.search(rf"\.{part}\b", styles), part
    for part in ("status", "facts", "days", "cards", "chips", "join", "card", "save", "chart"):
        assert re.search(rf"\.{part}\b", styles), part


def test_nobody_replaces_a_page_of_the_staff(tmp_path: Path) -> None:
    own = tmp_path / "web/desk"
    own.mkdir(parents=True)
    (own / "staff.css").write_text("body { display: none; }", encoding="utf-8")
    templates = load_templates(tmp_path)
    assert "--accent" in templates.render("web/desk/staff.css", {"brand": brand_values(SITE)})
    with pytest.raises(TemplateError, match="the pages of the staff cannot be replaced"):
        templates.check_all()
