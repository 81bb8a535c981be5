"""What the package must not know: network, parsers, templates, and the product above it."""

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


def test_importing_the_whole_package_loads_nothing_it_must_not_know() -> None:
    modules = [f"subscribers.{path.stem}" for path in HOUSE.glob("*.py") if path.stem != "__init__"]
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "subscribers.acts" in loaded
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
PURE = (
    "address",
    "admission",
    "bounce_mail",
    "bounces",
    "changes",
    "csvlines",
    "decisions",
    "errors",
    "goodbye_mail",
    "hosts",
    "leaving",
    "local_hours",
    "model",
    "moving",
    "signup",
    "text",
    "tokens",
    "transfer",
)


@pytest.mark.parametrize("name", PURE)
def test_a_decision_knows_no_database_clock_chance_or_environment(name: str) -> None:
    source = (HOUSE / f"{name}.py").read_text()
    assert [word for word in FOREIGN if word in source] == []
