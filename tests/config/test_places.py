from __future__ import annotations

import json
import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.config.lines import Path, line_of, places

TEXT = '''\
# a comment with [brackets] and = signs
"top level" = "x # = [ ]"
[site]
name = """
several "quoted"
lines""""
other = 'a \\ literal' # a comment
when = 1979-05-27 07:32:00
[[digest]]
slug = "one"
feeds = [
  "a", # ]
  "b",
]
at.hour = 7
[digest.inner]
table = { a = 1, b.c = [1, 2] }
[[digest]]
slug = "two"
[[digest.part]]
z = 1
[[digest.part]]
z = 2
'''


def test_every_key_is_found_on_its_line() -> None:
    found = places(TEXT)
    assert {
        ("top level",): 2,
        ("site",): 3,
        ("site", "name"): 4,
        ("site", "other"): 7,
        ("site", "when"): 8,
        ("digest",): 9,
        ("digest", 0): 9,
        ("digest", 0, "slug"): 10,
        ("digest", 0, "feeds", 1): 13,
        ("digest", 0, "at", "hour"): 15,
        ("digest", 0, "inner", "table", "b", "c", 1): 17,
        ("digest", 1): 18,
        ("digest", 1, "slug"): 19,
        ("digest", 1, "part", 1): 22,
        ("digest", 1, "part", 1, "z"): 23,
    }.items() <= found.items()


def test_a_missing_key_has_the_line_of_its_table() -> None:
    found = places(TEXT)
    assert line_of(found, ("digest", 1, "schedule")) == 18
    assert line_of(found, ("mail",)) is None


keys = st.text("abc-_ .\"'#=[]é", min_size=1, max_size=6)
scalars = st.integers() | st.booleans() | st.text("ab\"'#=[]{},\n\\", max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)
tables = st.dictionaries(keys, values, max_size=3)


@settings(deadline=None)
@given(st.dictionaries(keys, tables | st.lists(tables, min_size=1, max_size=3), max_size=4))
def test_the_places_are_the_keys_that_tomllib_reads(document: dict[str, object]) -> None:
    text = "".join(_table(name, table) for name, table in document.items())
    assert set(places(text)) == set(_paths(tomllib.loads(text), ()))


def _table(name: str, table: object) -> str:
    if isinstance(table, list):
        return "".join(f"[[{_quoted(name)}]]\n{_pairs(each)}" for each in table)
    return f"[{_quoted(name)}] # comment\n{_pairs(table)}"


def _pairs(table: object) -> str:
    assert isinstance(table, dict)
    return "".join(f"{_quoted(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[ # comment\n" + "".join(f"{_value(each)},\n" for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _paths(value: object, path: Path) -> list[Path]:
    own = [path] if path else []
    if isinstance(value, dict):
        return own + [each for key, inner in value.items() for each in _paths(inner, (*path, key))]
    if isinstance(value, list):
        return own + [each for index, inner in enumerate(value) for each in _paths(inner, (*path, index))]
    return own
