"""The sample values match the real ones, and checking with them finds mistakes in operators' templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path

import pytest

from digest.check.samples import notice_samples, page_samples
from digest.model.errors import TemplateError
from digest.render.sample import sample_edition
from digest.render.templates import Sample, Templates, load_templates
from tests.web.site import Site
from tests.web.test_every_word import visit

OURS = load_templates().defaults
PAGES = sorted(path.name for path in OURS.glob("web/[!_]*.html") if path.name != "edition.html")
NOTICES = ("confirm", "welcome", "move", "data")
ASIDE = ("say", "faults", "parts of the mail")


def samples() -> Iterator[Sample]:
    yield from notice_samples(sample_edition().site)
    yield from page_samples()


def fault_of(folder: Path, name: str, old: str, new: str) -> str:
    """Return the error in our template after `old` is replaced by `new`."""
    text = (OURS / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).parent.mkdir()
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        load_templates(folder).check_all(samples())
    return str(caught.value).removeprefix(f"{folder}/")


@pytest.mark.parametrize("name", PAGES)
def test_a_wrong_name_on_a_page_is_found_with_its_line(tmp_path: Path, name: str) -> None:
    block = "{% block main %}\n"
    line = (OURS / "web" / name).read_text(encoding="utf-8").partition(block)[0].count("\n") + 2
    said = fault_of(tmp_path, f"web/{name}", block, f"{block}{{{{ lanuage }}}}\n")
    assert said.startswith(f"web/{name}:{line}: there is no 'lanuage' here; did you mean 'language'?")


@pytest.mark.parametrize("name", NOTICES)
@pytest.mark.parametrize("kind", ["html", "txt"])
def test_a_wrong_name_in_a_notice_is_found_with_its_line(tmp_path: Path, name: str, kind: str) -> None:
    block = "{% block before %}\n"
    said = fault_of(tmp_path, f"mail/{name}.{kind}", block, f"{block}{{{{ sight.name }}}}\n")
    assert said.startswith(f"mail/{name}.{kind}:3: there is no 'sight' here; did you mean 'site'?")


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("web/_layout.html", "{{ site.name }}", "{{ site.nam }}", "did you mean 'name'?"),
        (
            "web/_layout.html",
            "{% if choices %}",
            "{% if 0 %}{{ sites }}{% endif %}{% if choices %}",
            "'site'?",
        ),
        ("web/signup.html", "one.rhythm", "one.rythm", "there is no 'rythm' here; did you mean 'rhythm'?"),
        ("web/preferences.html", "each.frequency %}", "each.frequenci %}", "did you mean 'frequencies'?"),
        ("web/confirm.html", "each.next", "each.nxt", "there is no 'nxt' here"),
        ("web/message.html", "link.label", "link.lable", "did you mean 'label'?"),
        ("mail/_notice.txt", "in site.postal_address", "in site.adress", "there is no 'adress' here"),
    ],
)
def test_a_wrong_nested_field_is_found(tmp_path: Path, name: str, old: str, new: str, said: str) -> None:
    assert said in fault_of(tmp_path, name, old, new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording(Templates):
    """Templates that record the values they get."""

    given: list[Sample] = field(default_factory=list)

    def render(self, name: str, values: Mapping[str, object]) -> str:
        self.given.append((name, values))
        return Templates.render(self, name, values)


def names(value: object) -> Iterator[str]:
    """Yield the names in a value, nested names with dots; for our own classes, the name of the class."""
    if isinstance(value, Mapping):
        for name, own in value.items():
            if name not in ASIDE:
                yield str(name)
                yield from (f"{name}.{each}" for each in names(own))
    elif isinstance(value, list | tuple):
        yield from (name for each in value for name in names(each))
    elif is_dataclass(value):
        yield type(value).__name__


def by_template(found: list[Sample]) -> dict[str, set[str]]:
    return {
        name: {each for same, values in found if same == name for each in names(values)} for name, _ in found
    }


def test_templates_are_checked_with_the_values_they_get(quick: Site) -> None:
    templates = load_templates()
    recording = Recording(defaults=templates.defaults, override=None, environment=templates.environment)
    quick.app = replace(quick.app, templates=recording)
    quick.client = quick.visitor()
    list(visit(quick, "en"))
    for path in ("/static/site.css", "/static/pages.css", "/static/icon.svg", "/api/v1/form?digest=daily"):
        quick.client.get(path)
    checked, given = by_template(list(samples())), by_template(recording.given)
    assert {f"web/{name}" for name in PAGES} <= set(given)
    assert {name: given[name] for name in checked} == checked
