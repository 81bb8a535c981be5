"""The commands about templates, called as a designer would call them."""

from __future__ import annotations

import shutil

from tests.cli.conftest import Terminal

STYLES = "mail/_styles.html"


def test_a_template_is_copied_changed_compared_and_reported_when_it_is_old(terminal: Terminal) -> None:
    assert 'write: templates = "my-templates"' in terminal.says("templates", "copy", STYLES, fails=1)
    terminal.place.change("[site]", '[site]\ntemplates = "own"')
    own = terminal.place.folder / "own"
    assert f"wrote {own / STYLES}" in terminal.says("templates", "copy", STYLES)
    assert "which exists already" in terminal.says("templates", "copy", STYLES, fails=1)
    assert "they are the same" in terminal.says("templates", "diff", STYLES)
    kept = own / "originals" / STYLES
    kept.write_text(f"{kept.read_text('utf-8')}<!-- an earlier version -->\n", encoding="utf-8")
    shutil.copy(kept, own / STYLES)
    assert f"\n{STYLES} is your own copy of an earlier version" in terminal.says("templates", "list")
    facts = {each["name"]: each["own"] for each in terminal.facts("templates", "list")}
    assert facts[STYLES] == "old"
    assert facts["mail/_foot.html"] is None
    assert f"warn   templates: {STYLES} is your own copy of an earlier version" in terminal.says("check")
