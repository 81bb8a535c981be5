"""The layout of the code: imports only point down, and a newcomer can guess where a rule lives."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted([*ROOT.glob("digest/**/*.py"), *ROOT.glob("subscribers/**/*.py")])

# From the ground up. Each folder is in one line, and a module may import those of its own folder and of
# lower lines. Folders of one line do not import each other. `digest` is the folder of app.py.
LAYERS = (
    "subscribers",
    "subscribers.rules",
    "subscribers.store subscribers.files",
    "digest.model",
    "digest.schedule digest.limits digest.smtp",
    "digest.storage.tables",
    "digest.storage",
    "digest.storage.editions",
    "digest.storage.edits digest.storage.ledger digest.storage.intake digest.storage.migrations",
    "digest.storage.staff digest.storage.desk",
    "digest.engine",
    "digest.collect.fetching digest.collect.wording",
    "digest.render.brand digest.render.originals",
    "digest.render.fragments digest.render.languages digest.render.reading digest.render.writing",
    "digest.collect.reading.pictures",
    "digest.collect.reading",
    "digest.collect.sources",
    "digest.collect.discovery",
    "digest.render",
    "digest.render.preflight",
    "digest.message",
    "digest.compose.edits digest.compose.stories digest.compose.sections digest.send.answers",
    "digest.collect digest.compose digest.send",
    "digest.config",
    "digest.editions.checks",
    "digest.editions digest.sources",
    "digest.editions.outlook",
    "digest.editions.edits",
    "digest.editions.views digest.editions.desk",
    "digest.editions.notices",
    "digest.design",
    "digest.readers digest.staff",
    "digest.monitoring digest.inbound",
    "digest",
    "digest.scheduler digest.web.security",
    "digest.web.staff",
    "digest.web.desk",
    "digest.web.desk.editing",
    "digest.web.pages",
    "digest.web.api",
    "digest.web.ops",
    "digest.web",
    "digest.check digest.demo digest.cli.terminal",
    "digest.cli digest.cli.edits digest.cli.people",
)
HEIGHT = {folder: height for height, line in enumerate(LAYERS) for folder in line.split()}
ENTRY_POINTS = ("digest.cli", "digest.web", "digest.demo", "digest.scheduler.service")

# Each library is imported in one module, so that a change of library touches one file.
ONE_PLACE = {
    "PIL": "digest.collect.reading.pictures.copies digest.render.brand.pictures",
    "feedparser": "digest.collect.reading.parse",
    "httpx2": "digest.collect.fetching",
    "nh3": "digest.collect.reading.clean",
    "lxml": "digest.collect.reading.clean digest.collect.reading.html digest.render.fragments.inline",
    "listparser": "digest.sources.opml",
    "tomlkit": "digest.config.edit",
    "trafilatura": "digest.collect.sources.main_text",
    "frontmatter": "digest.collect.sources.markdown",
    "markdown_it": "digest.collect.sources.markdown digest.render.writing.markdown",
    "yaml": "digest.collect.sources.markdown",
    "premailer": "digest.render.fragments.inline",
    "cssutils": "digest.render.fragments.inline",
    "jinja2": "digest.render.templates digest.render.environment",
    "babel": "digest.render.languages",
    "apscheduler": "digest.scheduler.service",
    "procrastinate": "digest.engine",
    "psycopg": "digest.engine.connector",
    "psycopg_pool": "digest.engine.connector",
    "alembic": "digest.storage.migrate digest.storage.migrations",
    "email_validator": "subscribers.address",
    "idna": "subscribers.hosts",
    "snowballstemmer": "digest.compose.stories.stems",
    "pydantic": "digest.config digest.web.api",
    "fastapi": "digest.web",
    "starlette": "digest.web",
    "uvicorn": "digest.web.running digest.web.serving digest.web.connections",
    "argon2": "digest.staff.passwords",
    "authlib": "digest.staff.oidc",
    "joserfc": "digest.staff.oidc",
    "pyotp": "digest.staff.second_factor",
    "segno": "digest.staff.second_factor",
    "h11": "digest.web.connections digest.collect.fetching.connection",
    "altcha": "digest.web.security.proof",
    "itsdangerous": "digest.web.security.tickets",
    "aiosmtpd": "digest.demo.servers",
    "click": "digest.cli",
    "rich": "digest.cli.terminal.show",
    "sqlalchemy": "subscribers.store digest.storage",
}
# A subject has the same file name in every layer; these are the other names that it once had.
OTHER_NAMES = {
    "signup": "signing_up sign_up registration",
    "unsubscribe": "leave leaving goodbyes goodbye_mail unsubscribing",
    "data": "rights erase export",
    "history": "lives life",
    "imports": "transfer bulk admission importing",
    "bounces": "bounced",
    "moving": "move moves",
    "limits": "limit",
    "editions": "edition",
    "feeds": "feed",
}
SMALL = 60  # lines


def test_imports_only_point_down() -> None:
    upward = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imported(module)
        if folder_of(name) != folder_of(module) and HEIGHT[folder_of(name)] >= HEIGHT[folder_of(module)]
    ]
    assert upward == []


def test_every_folder_is_in_one_layer() -> None:
    assert sorted({folder_of(module) for module in MODULES}) == sorted(
        folder for line in LAYERS for folder in line.split() if folder != "digest.storage.migrations"
    )
    assert Counter(HEIGHT.keys()).most_common(1)[0][1] == 1


def test_no_folder_holds_more_than_twelve_modules() -> None:
    sizes = Counter(folder_of(module) for module in MODULES if not is_package(module))
    assert {folder: size for folder, size in sizes.items() if size > 12} == {}


def test_a_small_module_is_shared_or_wraps_a_library() -> None:
    homes = {home for places in ONE_PLACE.values() for home in places.split()}
    lonely = [
        module
        for module, path in MODULES.items()
        if not is_package(module)
        and len(text_of(path).splitlines()) <= SMALL
        and len(importers()[module]) < 2
        and module not in homes
        and not module.startswith("digest.cli.")  # a command is found by its name
    ]
    assert lonely == []


def test_a_subject_has_the_same_file_name_in_every_layer() -> None:
    other = {name: subject for subject, names in OTHER_NAMES.items() for name in names.split()}
    wrong = {module: other[last] for module in MODULES if (last := module.rpartition(".")[2]) in other}
    assert wrong == {}


def test_public_nouns_of_three_modules_are_in_the_glossary() -> None:
    glossary = text_of(ROOT / "docs/glossary.md").casefold()
    missing = [
        name
        for name, users in sorted(classes_used().items())
        if len(users) >= 3 and words_of(name) not in glossary and f"`{name}`".casefold() not in glossary
    ]
    assert missing == []


def test_nothing_of_ours_is_imported_inside_a_function() -> None:
    """Only a library may be, in the module that wraps it, where most runs can spare it."""
    late = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        for function in ast.walk(parsed(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in names_in(function)
        if name.partition(".")[0] not in ONE_PLACE or not is_at_home(module, name)
    ]
    assert late == []


def test_a_library_is_imported_in_its_one_place() -> None:
    strays = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        for name in names_in(parsed(path))
        if name.partition(".")[0] in ONE_PLACE and not is_at_home(module, name)
    ]
    assert strays == []


def test_entry_points_do_not_reach_past_an_operation_into_the_database() -> None:
    past = [
        f"{module} imports {name}"
        for module in MODULES
        if any(within(module, entry) for entry in ENTRY_POINTS)
        for name in imported(module)
        if within(name, "digest.storage") or within(name, "subscribers.store")
    ]
    assert past == []


def test_operations_do_not_know_the_app() -> None:
    assert [
        module for module in importers()["digest.app"] if HEIGHT[folder_of(module)] < HEIGHT["digest"]
    ] == []


def test_the_rules_name_places_that_exist() -> None:
    homes = {home for places in ONE_PLACE.values() for home in places.split()}
    assert [home for home in homes if not any(within(module, home) for module in KNOWN)] == []


# ── the code, as these tests see it ─────────────────────────────────────────────────────────


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


KNOWN = {name_of(path): path for path in FILES}
MODULES = {name: path for name, path in KNOWN.items() if not name.startswith("digest.storage.migrations")}


def is_package(module: str) -> bool:
    return KNOWN[module].name == "__init__.py"


def folder_of(module: str) -> str:
    return module if is_package(module) else module.rpartition(".")[0]


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def is_at_home(module: str, library: str) -> bool:
    return any(within(module, home) for home in ONE_PLACE[library.partition(".")[0]].split())


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


def names_in(tree: ast.AST) -> Iterator[str]:
    """Yield every name that is imported anywhere below; `from a import b` gives a.b, or a if that is none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in KNOWN else node.module


def imported(module: str) -> set[str]:
    """Return the modules of this project that a module imports."""
    return {name for name in names_in(parsed(KNOWN[module])) if name in MODULES}


@cache
def importers() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        for name in imported(module):
            found[name].add(module)
    return found


def classes_used() -> dict[str, set[str]]:
    """Return the public classes of this project, each with the modules that import it."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        for node in ast.walk(parsed(KNOWN[module])):
            if isinstance(node, ast.ImportFrom) and node.module in MODULES:
                defined = {
                    each.name for each in parsed(KNOWN[node.module]).body if isinstance(each, ast.ClassDef)
                }
                for alias in node.names:
                    if alias.name in defined and not alias.name.startswith("_"):
                        found[alias.name].add(module)
    return found


def words_of(name: str) -> str:
    """Return the words of a class name: "DeliveryState" is "delivery state"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()
