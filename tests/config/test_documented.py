from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from digest.config import load
from digest.config.shape import keys, repeated, tables

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
SAMPLE = (ROOT / "config.toml").read_text(encoding="utf-8")


ELSE = {("feed", "path"), ("feed", "link"), ("mail", "server")}  # cannot be combined with other examples


def heading(table: str) -> str:
    return f"[[{table}]]" if repeated(table) else f"[{table}]"


def section(table: str) -> str:
    """Return the documentation of one table."""
    _, found, rest = DOCS.partition(f"\n## {heading(table)}\n")
    assert found, f"{heading(table)} has no section"
    return rest.partition("\n## ")[0]


@pytest.mark.parametrize("table", tables())
def test_every_key_is_documented_and_no_other(table: str) -> None:
    documented = re.findall(r"^\| `([a-z_]+)` \|", section(table), re.MULTILINE)
    assert documented == list(keys(tables()[table]))


@pytest.mark.parametrize("table", tables())
def test_every_documented_example_is_accepted(table: str, tmp_path: Path) -> None:
    examples = re.findall(
        r"^\| `([a-z_]+)` \|[^|]*\|[^|]*(?:\\\|[^|]*)*\| `(.+?)` \|", section(table), re.MULTILINE
    )
    assert len(examples) == len(keys(tables()[table]))
    chosen = {key: value for key, value in examples if (table, key) not in ELSE}
    written = "\n".join(f"{key} = {value}" for key, value in chosen.items())
    (tmp_path / "data").mkdir()
    for name in ("smtp-password", "oidc-secret"):
        (tmp_path / "data" / name).write_text("hush")
    for name in ("logo.png", "logo-dark.png", "header.jpg"):
        Image.new("RGB", (1280, 320), "teal").save(tmp_path / name)
    text = _without(_base(table), table) + f"\n{heading(table)}\n{written}\n"
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    load(tmp_path / "config.toml", {})


@pytest.mark.parametrize("table", tables())
def test_every_key_is_in_the_sample_with_a_comment(table: str) -> None:
    lines = SAMPLE.partition(f"\n{heading(table)}\n")[2].partition("\n[")[0]
    explained = set(re.findall(r"^#?([a-z_]+) = .*?\s#\s\S", lines, re.MULTILINE))
    assert set(keys(tables()[table])) - explained == set()


def _base(table: str) -> str:
    """Return a small configuration that contains everything the examples refer to."""
    feed = '[[feed]]\nname = "Harbour Gazette"\npath = "feeds/gazette.xml"\n'
    topics = '[[topic]]\nslug = "city"\ntitle = "City"\n[[topic]]\nslug = "green"\ntitle = "Green"\n'
    site = '[site]\nname = "a"\nbase_url = "https://a.example.org"\npostal_address = "b"\n'
    digest = '[[digest]]\nslug = "d"\ntitle = "D"\nschedule = "daily at 7"\nfrom = "d@example.org"\n'
    staff = '[staff]\nurl = "https://desk.example.org"\n'
    database = '[database]\nurl = "postgresql://digest@db.example.org/digest"\n'  # nodes need it
    parts = {
        "database": database,
        "feed": feed,
        "topic": topics,
        "site": site,
        "digest": digest,
        "staff": staff,
    }
    if table == "topic":
        parts["topic"] = ""
    return "\n".join(parts.values())


def _without(text: str, table: str) -> str:
    """Remove a table that may appear only once, or whose names would be used twice."""
    parts = re.split(r"(?m)^(?=\[)", text)
    return "".join(part for part in parts if not part.startswith(heading(table)))
