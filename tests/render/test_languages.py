"""Every text of pages and mails is there in every language, with the same names to fill in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.render.languages import languages, words_for
from subscribers.address import parse_address
from subscribers.errors import AddressError

ROOT = Path(__file__).resolve().parent.parent.parent
OTHERS = [tag for tag in languages() if tag != "en"]
# What the list answers to a form with a number in it.
NUMBERED = ("at most 100 can be named", "a pause lasts at most 366 days")
BAD = (
    *("", "eve", "a@b@c", "a b@example.org", "<a@example.org>", "é@example.org", ".a@example.org"),
    *("a@nowhere", f"{'a' * 250}@example.org"),
)


def texts() -> set[str]:
    """Return every text that is said somewhere."""
    return {*_in_templates(), *_in_code(), *_refusals(), *NUMBERED, *(_reason(text) for text in BAD)}


def _in_templates() -> Iterator[str]:
    for path in sorted(ROOT.glob("templates/*/*")):
        if path.suffix in (".html", ".txt"):
            yield from re.findall(r'say\("([^"]+)"', path.read_text(encoding="utf-8"))


def _in_code() -> Iterator[str]:
    for path in sorted(ROOT.glob("digest/*/*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
        said = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "say"]
        yield from (str(text.value) for text in said if isinstance(text, ast.Constant))


def _refusals() -> Iterator[str]:
    """Find what the list answers to a form, which stands in `subscribers` and not beside a call of say()."""
    operators = {"admission.py", "transfer.py", "bulk.py"}
    for path in sorted([*ROOT.glob("subscribers/*.py"), *ROOT.glob("digest/web/*.py")]):
        if path.name in operators:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) > 1]
        made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "ChoiceError"]
        yield from (str(call.args[1].value) for call in made if isinstance(call.args[1], ast.Constant))


def _reason(text: str) -> str:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    return caught.value.reason


def test_there_are_the_languages_that_were_promised() -> None:
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
def test_every_text_has_the_names_of_its_english_one(tag: str) -> None:
    names = {
        text: (re.findall(r"{\w+}", text), re.findall(r"{\w+}", said))
        for text, said in words_for(tag).texts.items()
    }
    assert {text for text, (there, here) in names.items() if sorted(there) != sorted(here)} == set()
