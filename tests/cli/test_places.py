"""The program works in a C locale, and says in one sentence if a library is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Terminal
from tests.scheduler.installation import Place

DIGEST = Path(sys.executable).parent / "digest"
C_LOCALE = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


def call(*words: str | bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(DIGEST), *words], env=C_LOCALE, capture_output=True, check=False)


def test_arguments_beyond_ascii_work_in_a_c_locale(tmp_path: Path) -> None:
    folder = tmp_path / "früh"
    folder.mkdir()
    place = Place(folder)
    words = ("subscribers", "add", "ada@müller.example", "--source", "Frühlingsfest")
    added = call("--config", str(place.config_path), *words)
    assert (added.returncode, added.stdout, added.stderr) == (0, b"added\n", b"")
    history = call("--config", str(place.config_path), "subscribers", "history", "ada@müller.example")
    assert "Frühlingsfest" in history.stdout.decode()
    unknown = call("--config", str(place.config_path), "compose", "täglich")
    assert unknown.stderr.decode() == "digest: no digest is called 'täglich'; available: daily\n"


def test_an_argument_that_is_not_utf_8_is_refused(terminal: Terminal) -> None:
    words = (b"subscribers", b"add", b"ada@example.org", b"--source", b"Fr\xfchlingsfest")
    refused = call("--config", str(terminal.place.config_path), *words)
    assert refused.returncode == 2
    assert b"'Fr\\xfchlingsfest' is not valid UTF-8" in refused.stderr
    assert terminal.facts("subscribers", "list") == []


def test_postgresql_without_its_library_is_one_sentence(terminal: Terminal) -> None:
    terminal.place.change(
        "[[digest]]", '[database]\nurl = "postgresql://db.example.org/digest"\n\n[[digest]]'
    )
    code = "import sys; sys.modules['psycopg'] = None; from digest.cli import main; main()"
    words = [sys.executable, "-c", code, "--config", str(terminal.place.config_path), "run"]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    needs = "postgresql needs psycopg: pip install 'newsletter-digest[postgresql]'"
    assert (result.returncode, result.stderr) == (1, f"digest: {needs}\n")
