from __future__ import annotations

import re
from pathlib import Path

import pytest

from digest.model.errors import TemplateError
from digest.render.sample import sample_edition, short_edition
from digest.render.templates import MAIL_TEXT, check_line, load_templates, render_line
from digest.render.view import line_values


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def fault_of(folder: Path) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        load_templates(folder).check_all()
    return caught.value


def test_our_own_templates_are_sound() -> None:
    load_templates().check_all()


def test_an_operators_file_replaces_ours_and_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path, MAIL_TEXT, "Good morning from {{ title }}\n")
    templates = load_templates(tmp_path)
    templates.check_all()
    assert templates.render(MAIL_TEXT, {"title": "The Tide"}) == "Good morning from The Tide\n"


def test_an_operators_file_may_include_one_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, "mail/_greeting.txt", "Good morning\n")
    write(tmp_path, MAIL_TEXT, '{% include "mail/_greeting.txt" %}\n{{ title }}\n')
    load_templates(tmp_path).check_all()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="folder of templates does not exist"):
        load_templates(tmp_path / "none")


def test_a_syntax_error_is_reported_with_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, MAIL_TEXT, "one\ntwo {{ title\n")
    fault = fault_of(tmp_path)
    assert fault.template == str(path)
    assert fault.line in (2, 3)


def test_a_wrong_name_is_reported_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, MAIL_TEXT, "one\n{{ titel }}\n")
    assert str(fault_of(tmp_path)) == f"{path}:2: there is no 'titel' here; did you mean 'title'?"


def test_a_wrong_name_in_a_branch_never_taken_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, MAIL_TEXT, "{% if count == 12345 %}\n{{ unsubscribes }}\n{% endif %}\n")
    assert (
        str(fault_of(tmp_path)) == f"{path}:2: there is no 'unsubscribes' here; did you mean 'unsubscribe'?"
    )


def test_a_name_set_within_a_branch_is_known_there(tmp_path: Path) -> None:
    write(tmp_path, MAIL_TEXT, "{% if count %}{% set words = title %}{{ words }}{% endif %}\n")
    load_templates(tmp_path).check_all()


def test_a_wrong_field_is_reported_with_line_and_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, MAIL_TEXT, "\n\n{% for s in sections %}\n{{ s.titles }}\n{% endfor %}\n")
    assert str(fault_of(tmp_path)) == f"{path}:4: there is no 'titles' here; did you mean 'title'?"


def test_a_template_that_only_fails_without_a_lead_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, MAIL_TEXT, "{{ lead.title }}\n")
    fault = fault_of(tmp_path)
    assert (fault.template, fault.line) == (str(path), 1)


def test_a_wrong_sum_is_a_fault_of_the_template_too(tmp_path: Path) -> None:
    path = write(tmp_path, MAIL_TEXT, "\n{{ title + 1 }}\n")
    fault = fault_of(tmp_path)
    assert (fault.template, fault.line) == (str(path), 2)


@pytest.mark.parametrize("rule", ["@import url(https://styles.example.org/x.css);", "@IMPORT 'x.css';"])
def test_a_style_that_would_be_fetched_is_refused_with_its_line(tmp_path: Path, rule: str) -> None:
    path = write(tmp_path, "mail/edition.html", f"<html>\n<style>\n{rule}\n</style></html>")
    fault = fault_of(tmp_path)
    assert (fault.template, fault.line) == (str(path), 3)
    assert "@import" in str(fault)


def test_a_file_that_overrides_nothing_is_refused_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "mail/editon.html", "x")
    assert "did you mean 'mail/edition.html'?" in str(fault_of(tmp_path))


def test_an_include_that_is_not_there_is_named(tmp_path: Path) -> None:
    write(tmp_path, MAIL_TEXT, '{% include "mail/_gone.txt" %}')
    assert "there is no template 'mail/_gone.txt'" in str(fault_of(tmp_path))


def test_bytes_that_are_no_text_are_a_fault_of_the_template(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / MAIL_TEXT).write_bytes(b"\xff\xfe\x00")
    assert fault_of(tmp_path).template == str(tmp_path / MAIL_TEXT)


def test_only_html_is_escaped(tmp_path: Path) -> None:
    write(tmp_path, "mail/edition.html", "{{ title }}")
    write(tmp_path, MAIL_TEXT, "{{ title }}")
    templates = load_templates(tmp_path)
    assert templates.render("mail/edition.html", {"title": "<b>"}) == "&lt;b&gt;"
    assert templates.render(MAIL_TEXT, {"title": "<b>"}) == "<b>"


def test_a_line_is_filled_and_cut_at_a_word() -> None:
    values = line_values(sample_edition())
    assert values is not None
    assert render_line("{{ title }}: {{ count }} stories", values) == "The Evening Tide: 11 stories"
    subject = render_line("{{ titles | join(' ') }}", values)
    assert len(subject) <= 150
    assert re.search(r"\w…$", subject)


def test_a_line_is_one_line() -> None:
    values = line_values(short_edition())
    assert values is not None
    assert render_line("{{ title }}\r\nBcc: x\x92\n", values) == "The Evening Tide Bcc: x"


@pytest.mark.parametrize(
    "line",
    ["{{ lead.title }}", "{{ titles[1:4] | join(' · ') }}", "{{ title }}, {{ date }}", "Plain words", ""],
)
def test_a_sound_line_has_nothing_wrong(line: str) -> None:
    assert check_line(line) is None


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("{{ leed.title }}", "there is no 'leed' here; did you mean 'lead'?"),
        ("{{ lead.titel }}", "there is no 'titel' here; did you mean 'title'?"),
        ("{{ titles[3] }}", "there is no '3' here"),
        ("{{ title", "unexpected end of template"),
        ("{{ title.__class__.__mro__ }}", "there is no '__class__' here"),
    ],
)
def test_the_error_of_a_line_is_reported(line: str, wrong: str) -> None:
    assert wrong in (check_line(line) or "nothing")
