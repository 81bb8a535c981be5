"""The package imports no network, parser or template library, and nothing of `digest`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import subscribers

HOUSE = Path(subscribers.__file__).parent
FORBIDDEN = (
    "digest",
    "jinja2",
    "httpx2",
    "httpcore2",
    "feedparser",
    "lxml",
    "nh3",
    "premailer",
    "dns",
    "http.client",
    "urllib.request",
    "smtplib",
)


def test_importing_the_whole_package_loads_no_forbidden_module() -> None:
    paths = [path.relative_to(HOUSE.parent).with_suffix("") for path in HOUSE.rglob("*.py")]
    modules = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "subscribers.store.operations" in loaded
    assert [name for name in FORBIDDEN if name in loaded] == []


FOREIGN = (
    "sqlalchemy",
    "datetime.now",
    "import time",
    "import random",
    "import secrets",
    "import os",
    "logging",
)
PURE = sorted(path for path in HOUSE.rglob("*.py") if "store" not in path.parts)


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_a_decision_knows_no_database_clock_chance_or_environment(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert [word for word in FOREIGN if word in source] == []
