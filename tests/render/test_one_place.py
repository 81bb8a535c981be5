"""Colours, fonts and sizes of text are defined in digest.render.brand, and templates only name them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from digest.render.templates import load_templates

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = load_templates().defaults
NAMES = sorted(
    path.relative_to(OURS).as_posix()
    for folder in ("mail", "web")
    for path in OURS.glob(f"{folder}/**/*")
    if path.suffix in (".html", ".css", ".js", ".svg")
)
KEYWORDS = "black|white|red|blue|green|gray|grey|silver|yellow|orange|purple|navy|teal"
COLOUR = re.compile(
    r"(?<![&\w])#(?:[0-9a-f]{6}|[0-9a-f]{3})\b|\b(?:rgb|hsl|oklch)a?\("
    rf"|(?:color|background|border|fill|stroke)[\w-]*\s*[:=]\s*[^;{{]*\b(?:{KEYWORDS})\b",
    re.IGNORECASE,
)
FONT = re.compile(r"font-family:\s*(?!\{\{|var\()\S|\b(?:Georgia|Helvetica|Arial|Times|serif)\b(?!\s*[:}])")
SIZE = re.compile(r"font-size:\s*(?!\{\{|var\(|inherit)[\d.]|font:\s*(?:bold\s+)?[\d.]")


def literals(text: str) -> list[str]:
    """Return the colours, fonts and sizes that are written in a template outside its expressions."""
    text = re.sub(r"\{\{.*?\}\}|\{#.*?#\}|\{%.*?%\}", "{{}}", text, flags=re.DOTALL)
    # An empty row of a certain height needs a size, and shows no text.
    text = re.sub(r"font-size:\d+px;line-height:\d+px\">&nbsp;", "", text)
    text = re.sub(r"--[\w-]+", "--name", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    return [found[0] for rule in (COLOUR, FONT, SIZE) for found in rule.finditer(text)]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_writes_no_colour_font_or_size_of_its_own(name: str) -> None:
    assert literals((OURS / name).read_text(encoding="utf-8")) == []


def test_the_program_writes_no_styles_outside_the_one_place() -> None:
    homes = ("brand/", "reading/styles.py")  # the second reads the styles of operators' templates
    render = ROOT / "digest/render"
    paths = [path for path in render.glob("**/*.py") if not str(path.relative_to(render)).startswith(homes)]
    found = {path.name: re.findall(r"color:\s*#|font-\w+:\s*[A-Z\d]", path.read_text()) for path in paths}
    assert {name: styles for name, styles in found.items() if styles} == {}


@pytest.mark.parametrize(
    "text",
    [
        ".a { color: #1d1b18; }",
        '<td bgcolor="#fffefb">',
        ".a { background: white; }",
        ".a { font-family: Georgia, serif; }",
        ".a { font: bold 0.9rem/1.5 var(--sans); }",
        '<p style="font-size:24px">',
        '<rect fill="red"/>',
    ],
)
def test_this_test_sees_what_it_should(text: str) -> None:
    assert literals(text)
