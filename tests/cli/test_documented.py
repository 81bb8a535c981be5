from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tests.cli.test_program import COMMANDS

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_documented_with_its_help_example_and_options(words: tuple[str, ...]) -> None:
    name = f"digest {' '.join(words)}"
    _, found, rest = DOCS.partition(f"\n### {name}\n")
    assert found
    section = re.split(r"\n##", rest)[0]
    command = COMMANDS[words]
    assert str(command.epilog).removeprefix("Example: ") in section
    options = {param.opts[-1] for param in command.params if isinstance(param, click.Option)}
    documented = set(re.findall(r"^\| `(?:-\w, )?(--[a-z-]+)", section, re.MULTILINE))
    assert documented == options
    assert plain(str(command.help)) in plain(section)
    for param in command.params:
        if isinstance(param, click.Option):
            assert plain(str(param.help)) in plain(section)


def plain(text: str) -> str:
    """Return a text on one line, without repeated spaces."""
    return " ".join(text.split())


def test_every_documented_command_exists() -> None:
    documented = set(re.findall(r"^### digest (.+)$", DOCS, re.MULTILINE))
    assert documented == {" ".join(words) for words in COMMANDS}
