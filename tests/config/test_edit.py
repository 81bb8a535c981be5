from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.config.edit import drafted, feed_block, with_feeds, with_feeds_of_digest
from digest.model.errors import EditError
from digest.model.publication import Feed
from digest.render.shipped import shipped

HARBOUR = Feed(name="Harbour", url="https://harbour.test/feed/")
SAMPLE = shipped("config.toml").read_text(encoding="utf-8")

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=30).filter(
    str.strip
)
feeds = st.builds(
    Feed,
    name=names,
    url=st.integers(0, 999).map(lambda number: f"https://harbour.test/{number}/?a='\"\\&b=#x"),
    tags=st.lists(names, max_size=2).map(tuple),
)
_comments = st.sampled_from(
    ["", "\n", "# a [[feed]] in a comment\n", "\n# the sea = [1]\n\n", "  # indented\n"]
)
_tails = st.sampled_from(["\n", " # 'said' \"so\"\n", '\n#tags = ["x"]\n', "\n\n#topics = []\n\n"])
_FEEDS = (
    '[[feed]]\nname = "Tide"\nurl = "https://tide.test/"',
    (
        "[[ feed ]]\nname = '''Tide\n[[feed]]'''\nurl = \"https://tide.test/\"\n"
        'tags = [\n  "a", # ]\n  "b"\n]'
    ),
    '[[feed]]\nname = "Tide"\n[feed.more]\nx = { y = 1 }',
)
_ARRAYS = (
    "feed = []",
    "feed = [ ] # none",
    "feed = [ { name = 'Tide' } ]",
    "feed = [\n{ name = 'T' }, # [\n { name = 'U' },\n]",
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Draw a TOML text with feeds in tables, in an array, or nowhere, between comments and other tables."""
    kind = draw(st.sampled_from(["tables", "array", "none"]))
    parts = [draw(_comments)]
    if kind == "array":
        parts += [draw(st.sampled_from(_ARRAYS)), draw(_tails)]
    parts += ['[site]\nname = "Port # [[feed]]"', draw(_tails), draw(_comments)]
    for block in draw(st.lists(st.sampled_from(_FEEDS), min_size=1, max_size=3)) if kind == "tables" else ():
        parts += [block, draw(_tails), draw(_comments)]
    parts += ["[[digest]]\nslug = 'daily'", draw(_tails)]
    text = "".join(parts)
    text = text.rstrip("\n") if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@settings(max_examples=80)
@given(texts(), st.lists(feeds, min_size=1, max_size=3))
def test_feeds_are_added_and_every_other_byte_is_kept(text: str, more: list[Feed]) -> None:
    changed = with_feeds(text, more)
    before, after = tomllib.loads(text), tomllib.loads(changed)
    added = after["feed"][len(before.get("feed", [])) :]
    assert [(each["name"], each["url"], tuple(each.get("tags", ()))) for each in added] == [
        (each.name, each.url, each.tags) for each in more
    ]
    assert after | {"feed": before.get("feed", [])} == before | {"feed": before.get("feed", [])}
    grown = len(changed) - len(text)
    places = (
        place
        for place in range(len(text) + 1)
        if text[:place] + changed[place : place + grown] + text[place:] == changed
    )
    assert next(places, None) is not None
    assert "\r\n" not in text or "\n" not in changed.replace("\r\n", "")


@settings(max_examples=40)
@given(
    st.lists(names, min_size=1, max_size=3),
    st.lists(names, min_size=1, max_size=2),
    st.sampled_from(range(4)),
)
def test_names_are_added_to_the_list_of_a_digest(there: list[str], more: list[str], style: int) -> None:
    written = [feed_block(Feed(name=name, url="")).splitlines()[1].partition(" = ")[2] for name in there]
    array = (
        f"[{', '.join(written)}]",
        f"[ # the feeds\n  {f', # ]{chr(10)}  '.join(written)},\n] # [",
        f"[\n  {f'{chr(10)}  ,'.join(written)} # last\n]",
        f"[{','.join(written)},]",
    )[style]
    text = f"[[digest]]\nfeeds = ['x']\n[[digest]]\nfeeds = {array}\n"
    changed = with_feeds_of_digest(text, 1, more)
    assert tomllib.loads(changed)["digest"] == [{"feeds": ["x"]}, {"feeds": [*there, *more]}]
    assert changed.startswith(text[: text.index(array)])


def test_a_feed_follows_the_last_one_and_its_comments() -> None:
    block = feed_block(HARBOUR)
    assert f'tags = ["garden"]\n\n{block}\n\n# ── topics' in with_feeds(SAMPLE, [HARBOUR])
    below = '[[feed]]\nname = "A"\n#tags = ["a"]\n\n[site]\n'
    assert with_feeds(below, [HARBOUR]) == f'[[feed]]\nname = "A"\n#tags = ["a"]\n\n{block}\n\n[site]\n'
    above = '[[feed]]\nname = "A"\n# the site\n[site]\n'
    assert with_feeds(above, [HARBOUR]) == f'[[feed]]\nname = "A"\n\n{block}\n# the site\n[site]\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(SAMPLE, encoding="utf-8")
    return path


def adding(text: str) -> str:
    return with_feeds(text, [HARBOUR])


def test_the_file_is_replaced_as_a_whole_with_its_mode_behind_its_link(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    drafted(link, adding).write()
    assert link.is_symlink()
    assert path.read_bytes() == b"\xef\xbb\xbf" + adding(SAMPLE).encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [path, link]


def test_a_file_that_somebody_else_has_changed_is_left_alone(path: Path) -> None:
    draft = drafted(path, adding)
    path.write_text(SAMPLE + "# mine\n", encoding="utf-8")
    with pytest.raises(EditError, match=r"changed by someone else meanwhile; .*; nothing was written"):
        draft.write()
    assert path.read_text(encoding="utf-8") == SAMPLE + "# mine\n"


def test_a_change_that_would_be_wrong_is_not_made(path: Path) -> None:
    twice = Feed(name="Orchard Notes", url="https://harbour.test/")
    with pytest.raises(EditError, match="'Orchard Notes' is already used by another"):
        drafted(path, lambda text: with_feeds(text, [twice]))
    path.write_bytes(b"\xff")
    with pytest.raises(EditError):
        drafted(path, adding)
