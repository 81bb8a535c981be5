"""An operator copies a template, and later versions say what has become of the original."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.config import Config, load
from digest.design.copies import PURPOSES, compare, copies_text, copy_templates, list_templates
from digest.model.errors import ConfigError, NotFoundError
from digest.render.originals.originals import (
    EARLIER,
    CopyState,
    folders_of,
    names_from_earlier,
    own_templates,
    template_names,
    text_at,
)
from digest.render.shipped import shipped
from digest.render.templates import load_templates
from tests.scheduler.installation import CONFIG

OURS = shipped("templates")
STYLES = "mail/_styles.html"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("[site]", '[site]\ntemplates = "own"'), encoding="utf-8")
    return load(path, {})


@pytest.fixture
def own(config: Config) -> Path:
    assert config.templates is not None
    return config.templates


def states(config: Config) -> dict[str, CopyState]:
    return {each.name: each.own.state for each in list_templates(config) if each.own}


def copy(config: Config, *names: str) -> dict[str, bool]:
    assert config.templates is not None
    return {
        path.relative_to(config.templates).as_posix(): written
        for path, written in copy_templates(config, names)
    }


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def recoloured(text: str) -> str:
    return re.sub("#[0-9a-f]{6}", lambda found: f"#{int(found[0][1:], 16) ^ 0x5A5A5A:06x}", text)


def test_every_template_is_listed_with_its_purpose() -> None:
    assert template_names(OURS) == set(PURPOSES)
    assert all(PURPOSES.values())


def test_a_copy_is_the_original_and_is_never_overwritten(config: Config, own: Path) -> None:
    assert copy(config, STYLES, "web/site.css") == {STYLES: True, "web/site.css": True}
    assert (own / STYLES).read_bytes() == (OURS / STYLES).read_bytes()
    (own / STYLES).write_text("mine", encoding="utf-8")
    assert copy(config, STYLES, "mail/_foot.txt") == {STYLES: False, "mail/_foot.txt": True}
    assert (own / STYLES).read_text(encoding="utf-8") == "mine"
    load_templates(own).check_all()  # the kept originals are no templates


def test_a_wrong_name_copies_nothing(config: Config, own: Path) -> None:
    with pytest.raises(NotFoundError, match=r"did you mean 'mail/_styles\.html'"):
        copy(config, "mail/_foot.txt", "mail/_style.html")
    assert not own.exists()


def test_without_a_folder_the_error_says_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    config = load(tmp_path / "config.toml", {})
    with pytest.raises(ConfigError, match='write: templates = "my-templates"'):
        copy_templates(config, [STYLES]).__next__()
    assert {each.own for each in list_templates(config)} == {None}


def test_what_changes_in_the_original_after_the_copy_makes_the_copy_old(config: Config, own: Path) -> None:
    copy(config, STYLES, "mail/_foot.html")
    assert states(config) == {STYLES: CopyState.CURRENT, "mail/_foot.html": CopyState.CURRENT}
    assert copies_text(config) == ""
    change(own / "originals" / STYLES, "margin: 0", "margin: 1px")  # so today's original is another one
    shutil.copy(own / "originals" / STYLES, own / STYLES)
    change(own / STYLES, "{{ sans }}", "Verdana")
    assert states(config)[STYLES] is CopyState.OLD
    assert copies_text(config).startswith(f"{STYLES} is your own copy of an earlier version")
    assert f"digest templates diff {STYLES}" in copies_text(config)
    both, yours, since = compare(config, STYLES)
    assert "+++ " + str(own / STYLES) in both.lines
    assert only_in(yours.lines, "Verdana", "{{ sans }}")
    assert not only_in(yours.lines, "margin: 0", "margin: 1px")
    assert only_in(since.lines, "margin: 0", "margin: 1px")


def only_in(lines: tuple[str, ...], new: str, old: str) -> bool:
    added = " ".join(line for line in lines if line[:1] == "+")
    removed = " ".join(line for line in lines if line[:1] == "-")
    return new in added and old in removed and old not in added


def test_the_change_of_the_original_can_be_applied_to_the_copy(config: Config, own: Path) -> None:
    copy(config, STYLES)
    change(own / "originals" / STYLES, "</style>", "</style>\n<!-- a comment of an earlier version -->")
    shutil.copy(own / "originals" / STYLES, own / STYLES)
    since = "\n".join(compare(config, STYLES)[-1].lines) + "\n"
    subprocess.run(["patch", "-s", str(own / STYLES)], input=since.encode(), check=True)
    assert (own / STYLES).read_bytes() == (OURS / STYLES).read_bytes()


@pytest.mark.parametrize("version", ["", EARLIER])
def test_a_copy_made_by_hand_is_known_by_its_words(config: Config, own: Path, version: str) -> None:
    for name in (names := template_names(OURS / version)):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        text = recoloured((OURS / version / name).read_text(encoding="utf-8"))
        (own / name).write_text(f"{text}<!-- ours -->\n".replace("\n", "\r\n"), encoding="utf-8")
    found = {each.name: each for each in own_templates(own, OURS)}
    for name in names:
        same = text_at(OURS / name) == text_at(OURS / version / name)
        assert found[name].is_old != same, name


def test_a_template_that_was_written_is_no_copy(config: Config, own: Path) -> None:
    (own / "mail").mkdir(parents=True)
    (own / STYLES).write_text("<style>p { color: #222222; margin: 0 }</style>", encoding="utf-8")
    (own / "mail/_greeting.txt").write_text("Good morning", encoding="utf-8")
    assert states(config) == {STYLES: CopyState.WRITTEN, "mail/_greeting.txt": CopyState.ADDED}
    assert copies_text(config) == ""
    (comparison,) = compare(config, STYLES)
    assert comparison.lines


# ── the parts of one email belong to one version ────────────────────────────────────────────


@pytest.fixture
def defaults(tmp_path: Path) -> Path:
    """Give originals that have changed since an earlier version."""
    folder = tmp_path / "defaults"
    for name, text in versions():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def versions() -> Iterator[tuple[str, str]]:
    yield "mail/_styles.html", "p { margin: 0; color: red; font: serif } .fresh { width: 1 }"
    yield "mail/_lead.html", "the lead of today stands at the top of all stories"
    yield "mail/_notice.html", "a notice of today about the account of a reader"
    yield "earlier/mail/_styles.html", "p { margin: 0; color: red; font: sans } .old { height: 2 }"
    yield "earlier/mail/_lead.html", "an earlier lead stood under the list of all headlines"
    yield "earlier/mail/_headline.html", "one line of the list of headlines"
    yield "earlier/mail/_notice.html", "a notice of yesterday about the account of a reader"


def kept_beside(defaults: Path, **own: str) -> frozenset[str]:
    folder = defaults.parent / "own"
    for name, version in own.items():
        target = folder / "mail" / f"_{name}.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(defaults / version / "mail" / f"_{name}.html", target)
    return names_from_earlier(own_templates(folder, defaults), defaults)


def test_an_earlier_copy_keeps_its_whole_email_at_the_earlier_version(defaults: Path) -> None:
    earlier = kept_beside(defaults, styles=EARLIER)
    assert earlier == {"mail/_styles.html", "mail/_lead.html", "mail/_headline.html"}
    own = defaults.parent / "own"
    assert folders_of("mail/_lead.html", own, defaults, earlier) == (own, defaults / EARLIER, defaults)
    assert folders_of("mail/_notice.html", own, defaults, earlier)[1] == defaults


def test_notices_and_copies_of_today_change_nothing_about_the_email(defaults: Path) -> None:
    assert kept_beside(defaults, notice=EARLIER) == frozenset()
    assert kept_beside(defaults, styles="") == frozenset()
    assert kept_beside(defaults, styles=EARLIER, lead="") == frozenset()


def test_a_template_that_is_gone_is_found_in_the_earlier_version(defaults: Path) -> None:
    folders = folders_of("mail/_headline.html", None, defaults, frozenset())
    assert next(each for each in folders if (each / "mail/_headline.html").is_file()) == defaults / EARLIER
    kept_beside(defaults, headline=EARLIER)
    (own,) = own_templates(defaults.parent / "own", defaults)
    assert own.state is CopyState.GONE
