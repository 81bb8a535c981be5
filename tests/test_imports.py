"""The direction of imports: down only, and each library in its one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted([*ROOT.glob("digest/**/*.py"), *ROOT.glob("subscribers/**/*.py")])

# From the ground up. A module may import those of lower layers and of its own.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("subscribers",),
    ("digest", "digest.model", "digest.publication", "digest.errors", "digest.tags", "digest.links"),
    (
        "digest.schedule",
        "digest.schedule_text",
        "digest.schedule_seen",
        "digest.standing",
        "digest.collect.addresses",
        "digest.collect.parse",
        "digest.collect.jsonfeed",
        "digest.collect.clean",
        "digest.collect.entry",
        "digest.collect.identity",
        "digest.collect.images",
        "digest.collect.noise",
        "digest.collect.outline",
        "digest.collect.prose",
        "digest.collect.health",
        "digest.compose.words",
        "digest.compose.headings",
        "digest.compose.plan",
        "digest.compose.stories",
        "digest.compose.topics",
        "digest.compose.discover",
        "digest.compose.edition",
        "digest.render.preflight",
        "digest.render.text",
        "digest.send.message",
        "digest.send.headers",
        "digest.send.quoted",
        "digest.send.smtp",
        "digest.send.replies",
        "digest.send.faults",
        "digest.send.extensions",
        "digest.send.pipeline",
        "digest.send.relay",
        "digest.send.retries",
        "digest.send.waiting",
        "digest.send.buckets",
        "digest.send.limits",
        "digest.send.lanes",
    ),
    (
        "digest.render",
        "digest.storage",
        "digest.collect.fetch",
        "digest.collect.guard",
        "digest.send.line",
        "digest.send.pool",
        "digest.send.transport",
    ),
    ("digest.collect", "digest.compose", "digest.send"),
    ("digest.config",),
    ("digest.app",),
    ("digest.cli", "digest.web", "digest.scheduler", "digest.worker", "digest.demo"),
)
VERBS = ("digest.collect", "digest.compose", "digest.send")
PURE = LAYERS[2]

# What only one module may import, so that a change of library touches one file.
ONE_PLACE = {
    "feedparser": {"digest.collect.parse"},
    "httpx2": {"digest.collect.fetch", "digest.collect.guard"},
    "httpcore2": {"digest.collect.guard"},
    "nh3": {"digest.collect.clean"},
    "lxml": {"digest.collect.clean", "digest.render.inline"},
    "premailer": {"digest.render.inline"},
    "cssutils": {"digest.render.inline"},
    "jinja2": {"digest.render.templates"},
    "babel": {"digest.render.dates", "digest.render.languages"},
    "apscheduler": {"digest.scheduler"},
    "alembic": {"digest.storage.upgrade", "digest.storage.migrations"},
    "email_validator": {"subscribers.address"},
    "idna": {"subscribers.hosts"},
    "pydantic": {"digest.config", "digest.web"},
    "fastapi": {"digest.web"},
    "starlette": {"digest.web"},
    "uvicorn": {"digest.web.serving"},
    "altcha": {"digest.web.proof"},
    "itsdangerous": {"digest.web.tickets"},
    "aiosmtpd": {"digest.demo"},
    "click": {"digest.cli"},
    "rich": {"digest.cli"},
    "sqlalchemy": {
        "subscribers.upsert",
        "digest.storage",
        "subscribers.tables",
        "subscribers.store",
        "subscribers.record",
        "subscribers.bounced",
        "subscribers.pending",
    },
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    module = name_of(path)
    upward = [name for name in ours(path) if layer(name) > layer(module)]
    assert upward == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_verbs_do_not_import_each_other(path: Path) -> None:
    verb = next((verb for verb in VERBS if within(name_of(path), verb)), None)
    others = [
        name
        for name in ours(path)
        if any(within(name, other) for other in VERBS if other != verb) and name not in PURE
    ]
    assert verb is None or others == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_library_is_imported_in_its_one_place(path: Path) -> None:
    module = name_of(path)
    strays = [
        name
        for name in imports(path)
        for library, homes in ONE_PLACE.items()
        if within(name, library) and not any(within(module, home) for home in homes)
    ]
    assert strays == []


def test_the_rules_speak_of_modules_that_exist() -> None:
    known = {name_of(path) for path in MODULES}
    named = {name for names in LAYERS for name in names} | {
        home for homes in ONE_PLACE.values() for home in homes
    }
    assert {name for name in named if not any(within(module, name) for module in known)} == {"digest.worker"}


def layer(name: str) -> int:
    """Return how high a module stands; the most specific entry counts."""
    fits = [
        (len(entry), height) for height, names in enumerate(LAYERS) for entry in names if within(name, entry)
    ]
    return max(fits)[1]


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def ours(path: Path) -> list[str]:
    """Return the modules of this project that a file imports, the deepest name that is a module."""
    known = {name_of(path) for path in MODULES}
    return [name for name in imports(path) if name in known]


def imports(path: Path) -> Iterator[str]:
    """Yield every name a file imports, inside functions too; `from a import b` gives a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
