"""Find everything that is wrong in a config.toml that has been parsed, and say it in plain words.

A fault is the path of a key and one sentence. Shape and references are both looked at in the raw
values, so that one mistake does not hide another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from digest.config.places import Path
from digest.config.shape import RootShape, keys, tables
from digest.nearest import hint
from digest.render.templates import check_line

Fault = tuple[Path, str]
Raw = dict[str, Any]

_PLAIN = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": 'must be a table: { name = "value" }',
}


def faults(raw: Raw) -> list[Fault]:
    """Return every fault in the values of a config.toml, in no special order."""
    rules = (_shape, _repeats, _references, _feeds, _digests, _mail)
    return [fault for rule in rules for fault in rule(raw)]


# ── single keys ─────────────────────────────────────────────────────────────────────────────


def _shape(raw: Raw) -> Iterator[Fault]:
    try:
        RootShape.model_validate(raw)
    except ValidationError as error:
        for detail in error.errors():
            yield detail["loc"], _message(detail)


def _message(detail: ErrorDetails) -> str:
    kind, path, context = detail["type"], detail["loc"], detail.get("ctx", {})
    name = str(path[-1])
    special: dict[str, Callable[[], str]] = {
        "extra_forbidden": lambda: f"unknown key {name!r}{hint(name, _known(path[:-1]))}",
        "missing": lambda: f"[{name}] is missing" if len(path) == 1 else f"{name!r} is missing",
        "literal_error": lambda: _none_of(detail["input"], context["expected"]),
        "list_type": lambda: _not_a_list(path, detail["input"]),
        "model_type": lambda: _not_a_table(path, detail["input"]),
        "value_error": lambda: str(context["error"]),
        "greater_than_equal": lambda: f"must be at least {context['ge']}",
        "less_than_equal": lambda: f"must be at most {context['le']}",
    }
    return special[kind]() if kind in special else _PLAIN.get(kind, detail["msg"])


def _known(table: Path) -> list[str]:
    return list(keys(tables()[str(table[0])])) if table else list(tables())


def _none_of(value: object, expected: str) -> str:
    words = expected.replace(" or ", ", ").replace("'", "").split(", ")
    close = hint(str(value), words)
    return f"must be {expected}, not {value!r}" + (close if "did you mean" in close else "")


def _not_a_list(path: Path, value: object) -> str:
    if len(path) == 1 and isinstance(value, dict):
        return f"write [[{path[0]}]] with double brackets, once for each {path[0]}"
    return 'must be a list: ["one", "two"]'


def _not_a_table(path: Path, value: object) -> str:
    if isinstance(value, list):
        return f"write [{path[0]}] with single brackets, once"
    return f"must be a table: [{path[0]}]"


# ── keys that speak of each other ───────────────────────────────────────────────────────────


def _repeats(raw: Raw) -> Iterator[Fault]:
    for table, key in (
        ("feed", "name"),
        ("feed", "url"),
        ("feed", "path"),
        ("topic", "slug"),
        ("digest", "slug"),
    ):
        seen: set[str] = set()
        for index, value in _values(raw, table, key):
            if value in seen:
                yield (table, index, key), f"{value!r} is already taken by another [[{table}]]"
            seen.add(value)


def _references(raw: Raw) -> Iterator[Fault]:
    names = {"feed": _names(raw, "feed", "name"), "topic": _names(raw, "topic", "slug")}
    for table, key, target in (
        ("feed", "topics", "topic"),
        ("topic", "feeds", "feed"),
        ("digest", "feeds", "feed"),
        ("digest", "topics", "topic"),
    ):
        for index, row in _rows(raw, table):
            for place, value in enumerate(_list(row.get(key))):
                if isinstance(value, str) and value not in names[target]:
                    message = f"there is no [[{target}]] {value!r}{hint(value, names[target])}"
                    yield (table, index, key, place), message


def _feeds(raw: Raw) -> Iterator[Fault]:
    for index, row in _rows(raw, "feed"):
        if "url" in row and "path" in row:
            yield ("feed", index, "path"), "there is a 'url' too: give one of the two"
        if "url" not in row and "path" not in row:
            yield ("feed", index), "give 'url', or 'path' for a file"


def _digests(raw: Raw) -> Iterator[Fault]:
    if not _list(raw.get("digest")) and not isinstance(raw.get("digest"), dict):
        yield ("digest",), "there is no [[digest]]: describe at least one"
    for index, row in _rows(raw, "digest"):
        minimum, maximum = row.get("minimum", 1), row.get("maximum", 30)
        if isinstance(minimum, int) and isinstance(maximum, int) and minimum > maximum:
            key = "minimum" if "minimum" in row else "maximum"
            yield ("digest", index, key), f"minimum {minimum} is more than maximum {maximum}"
        for key in ("subject", "preheader"):
            if isinstance(row.get(key), str) and (wrong := check_line(row[key])):
                yield ("digest", index, key), wrong


def _mail(raw: Raw) -> Iterator[Fault]:
    mail = raw.get("mail")
    if isinstance(mail, dict):
        if mail.get("transport") == "smtp" and "host" not in mail:
            yield ("mail",), "transport is 'smtp' and 'host' is missing"
        if "password_file" in mail and "user" not in mail:
            yield ("mail", "password_file"), "there is a password and no 'user'"


def _rows(raw: Raw, table: str) -> Iterator[tuple[int, Raw]]:
    for index, row in enumerate(_list(raw.get(table))):
        if isinstance(row, dict):
            yield index, row


def _values(raw: Raw, table: str, key: str) -> Iterator[tuple[int, str]]:
    for index, row in _rows(raw, table):
        if isinstance(value := row.get(key), str):
            yield index, value.strip()


def _names(raw: Raw, table: str, key: str) -> list[str]:
    return [value for _, value in _values(raw, table, key)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
