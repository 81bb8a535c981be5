"""According to the data of caniemail.com, mail programs support the features that the email needs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from digest.model.messages import ReaderLinks
from digest.render.mail import render_email
from digest.render.preflight.support import GRACEFUL, features
from digest.render.sample import sample_edition
from digest.render.templates import load_templates
from tests.render.reading import Page

FEATURES = features()
LINKS = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK", preferences="PREFERENCES_LINK")
HTML = render_email(load_templates(), sample_edition(), LINKS, web_url="https://press.example.org/d/a/b").html

# Features that some mail programs lack, and why the email works without them.
SPARE = {
    **GRACEFUL,
    "html-aria-label": "names the whole email; its h1 does too",
    "html-body": "its background is on the first table too",
}
# Parts of a property that the data counts under its whole.
WHOLE = re.compile(r"^(border|padding|margin)-(top|bottom|left|right)$")
# So old that the data does not list them, or read by Outlook alone.
TIMELESS = {"color", "font-family", "mso-hide", "-webkit-text-size-adjust", "-ms-text-size-adjust"}
TAGS = {
    "ul": "html-lists",
    "li": "html-lists",
    "h1": "html-h1-h6",
    "h2": "html-h1-h6",
    "h3": "html-h1-h6",
    "tr": "html-table",
    "td": "html-table",
}
OLD_TAGS = {"html", "head", "title", "a", "br", "em", "meta"}
ATTRIBUTES = ("align", "valign", "width", "height", "cellpadding", "cellspacing", "role", "dir", "lang")


def properties() -> Iterator[str]:
    for _, attributes in Page(HTML).elements:
        for declaration in filter(None, (attributes.get("style") or "").split(";")):
            yield declaration.split(":")[0].strip()


def relied_on() -> set[str]:
    names = {WHOLE.sub(r"\1", name) for name in properties()} - TIMELESS
    tags = {tag for tag, _ in Page(HTML).elements} - OLD_TAGS
    used = {attribute for _, attributes in Page(HTML).elements for attribute in attributes}
    return (
        {f"css-{name}" for name in names}
        | {TAGS.get(tag, f"html-{tag}") for tag in tags}
        | {f"html-{name}" for name in (*ATTRIBUTES, "aria-label") if name in used}
    )


@pytest.mark.parametrize("feature", sorted(relied_on()))
def test_inlined_properties_work_in_every_client_or_are_optional(feature: str) -> None:
    lacking = {client for client, answer in FEATURES[feature].items() if answer.startswith("n")}
    assert not lacking or feature in SPARE


def test_every_optional_property_is_really_used() -> None:
    assert set(SPARE) - {"css-min-width"} <= relied_on()


@pytest.mark.parametrize(
    "feature", ["css-display-flex", "css-display-grid", "css-variables", "css-border-radius", "css-rgba"]
)
def test_properties_unknown_to_outlook_are_not_used(feature: str) -> None:
    assert FEATURES[feature]["outlook.windows"].startswith("n")
    words = {"css-display-flex": r"flex", "css-display-grid": r"grid", "css-variables": r"var\(|--\w"}
    word = words.get(feature, feature.removeprefix("css-"))
    styles = " ".join(attributes.get("style") or "" for _, attributes in Page(HTML).elements)
    assert not re.search(word, styles)


def test_the_style_block_that_gmail_should_read_has_nothing_it_cannot() -> None:
    """Gmail drops a whole block over one rule it does not know, so widths stand apart from the rest."""
    head = HTML.split("</head>")[0]
    blocks = re.findall(r"<style>(.*?)</style>", head.split("<![endif]-->")[1], re.DOTALL)
    widths = blocks[0]
    assert set(re.findall(r"@media \(([a-z-]+):", widths)) == {"min-width", "max-width"}
    assert not re.search(r"\[|:root|:hover|prefers-", widths)
    assert any("prefers-color-scheme" in block for block in blocks[1:])
