"""The command line, called as a person would call it, on a small publication."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from digest.cli import program
from tests.scheduler.installation import Place


@dataclass(slots=True)
class Terminal:
    """Calls commands on one publication."""

    place: Place
    environ: dict[str, str] = field(default_factory=dict)  # set while a command runs

    def call(self, *words: str, fails: int = 0, stdin: str | None = None) -> Result:
        """Call a command and expect this exit code."""
        words_of_call = ["--config", str(self.place.config_path), *words]
        result = CliRunner().invoke(program, words_of_call, input=stdin, env=self.environ)
        assert result.exit_code == fails, f"{words}: {result.output}\n{result.exception!r}"
        return result

    def says(self, *words: str, fails: int = 0, stdin: str | None = None) -> str:
        """Call a command and return all that it prints."""
        return self.call(*words, fails=fails, stdin=stdin).output

    def facts(self, *words: str, fails: int = 0, stdin: str | None = None) -> Any:
        """Call a command with --json and return what it prints."""
        return json.loads(self.call(*words, "--json", fails=fails, stdin=stdin).stdout)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def terminal(place: Place) -> Terminal:
    return Terminal(place)
