"""Every text of pages and emails has a translation in every language, with the same placeholders."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.render.languages.languages import languages, words_for
from subscribers.address import parse_address
from subscribers.errors import AddressError

ROOT = Path(__file__).resolve().parent.parent.parent
OTHERS = [tag for tag in languages() if tag != "en"]
# Mistakes in a form whose texts contain a number.
NUMBERED = ("at most 100 topics can be named", "a pause lasts at most 366 days")
BAD = (
    *("", "eve", "a@b@c", "a b@example.org", "<a@example.org>", "é@example.org", ".a@example.org"),
    *("a@nowhere", f"{'a' * 250}@example.org"),
)


def texts() -> set[str]:
    """Return every text that needs a translation."""
    return {*_in_templates(), *_in_code(), *_refusals(), *NUMBERED, *(_reason(text) for text in BAD)}


def _in_templates() -> Iterator[str]:
    for path in sorted(ROOT.glob("templates/*/*")):
        if path.suffix in (".html", ".txt"):
            yield from re.findall(r'say\("([^"]+)"', path.read_text(encoding="utf-8"))


def _in_code() -> Iterator[str]:
    for path in sorted(ROOT.glob("digest/**/*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
        said = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "say"]
        yield from (str(text.value) for text in said if isinstance(text, ast.Constant))


def _refusals() -> Iterator[str]:
    """Yield the texts of ChoiceError, which are not written inside a call of say()."""
    for path in sorted([*ROOT.glob("subscribers/**/*.py"), *ROOT.glob("digest/web/**/*.py")]):
        if path.name == "imports.py" or path.parent.name == "files":  # shown to operators, in English only
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) > 1]
        made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "ChoiceError"]
        yield from (str(call.args[1].value) for call in made if isinstance(call.args[1], ast.Constant))


def _reason(text: str) -> str:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    return caught.value.reason


def test_the_promised_languages_are_available() -> None:
    assert set(languages()) == {"en", "de", "es", "ar"}
    assert words_for("ar").direction == "rtl"
    assert words_for("de-AT").language == "de"
    assert words_for("tlh").language == "en"
    assert len(texts()) > 150


@pytest.mark.parametrize("tag", OTHERS)
def test_no_text_is_missing(tag: str) -> None:
    assert {text for text in texts() if text not in words_for(tag).texts} == set()


@pytest.mark.parametrize("tag", OTHERS)
def test_no_text_is_left_over(tag: str) -> None:
    assert set(words_for(tag).texts) - texts() == set()


@pytest.mark.parametrize("tag", OTHERS)
def test_every_translation_has_the_placeholders_of_its_english_text(tag: str) -> None:
    names = {
        text: (re.findall(r"{\w+}", text), re.findall(r"{\w+}", said))
        for text, said in words_for(tag).texts.items()
    }
    assert {text for text, (there, here) in names.items() if sorted(there) != sorted(here)} == set()
