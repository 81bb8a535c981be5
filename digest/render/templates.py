"""Load and check the templates, with an operator's own before the defaults, and explain their errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from traceback import walk_tb

import jinja2
from jinja2 import meta, nodes

from digest.model.editions import Edition
from digest.model.errors import TemplateError, hint
from digest.model.messages import ReaderLinks
from digest.render.environment import (
    environment_of,
    from_folders,
    from_sources,
    is_plain_line,
    line_environment,
)
from digest.render.fragments.parts import PARTS, Parts
from digest.render.originals.originals import (
    STAFF,
    folders_of,
    names_from_earlier,
    own_templates,
    template_names,
)
from digest.render.sample import sample_edition, short_edition
from digest.render.shipped import shipped
from digest.render.values import OF_A_CHOICE, LineValues, PageLinks, as_mapping
from digest.render.view import EditionView, email_values, line_values, page_values
from digest.render.writing.text import shorten

Sample = tuple[str, Mapping[str, object]]  # the name of a template, and values for it

MAIL_HTML = "mail/edition.html"
MAIL_TEXT = "mail/edition.txt"
PAGE = "web/edition.html"
SUBJECT_LENGTH = 150
PREHEADER_LENGTH = 200

# Expressions in a template can raise these errors, besides jinja2's own.
_FAULTS = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_LINES = line_environment()
_PARSER = environment_of(from_folders(lambda _: ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """The templates: each file comes from `override` if it is there, and otherwise from `defaults`.

    `earlier` names those that are taken from an earlier version, because the operator's own fit no other.
    """

    defaults: Path
    override: Path | None
    environment: jinja2.Environment
    earlier: frozenset[str] = frozenset()

    def render(self, name: str, values: Mapping[str, object]) -> str:
        """Return the template called `name` ("mail/edition.html") rendered with `values`.

        Raises TemplateError with the file, the line, and the nearest known name.
        """
        return "".join(self.stream(name, values))

    def stream(self, name: str, values: Mapping[str, object]) -> list[str]:
        """Return the result of `render` as a list of texts, in order: the template's own texts and values."""
        if PARTS not in values:
            values = {**values, PARTS: Parts(self.render, values, of_a_choice=OF_A_CHOICE)}
        try:
            return list(self.environment.get_template(name).generate(values))
        except _FAULTS as error:
            raise self._explain(error, name, values) from error

    def check_all(self, samples: Iterable[Sample] = (), editions: Sequence[Edition] = ()) -> None:
        """Compile all templates and render `editions` and `samples`; raises the first TemplateError.

        Without editions, a long and a short sample are rendered.
        """
        for name in sorted(template_names(self.defaults)):
            self._compile(name, None)
        for name, values in (*_of_editions(editions or (sample_edition(), short_edition())), *samples):
            checked = {**values, PARTS: Parts(self._checked, values, of_a_choice=OF_A_CHOICE)}
            self._checked(name, checked)
        self._refuse_strays()

    def sources(self, *names: str) -> dict[str, str]:
        """Return the sources of these templates and of all that they may use, as they are on the disk now.

        If a template computes the name of another one, all templates of emails count as used. Raises
        TemplateError.
        """
        found: dict[str, str] = {}
        wanted = [*names]
        while wanted:
            name = wanted.pop()
            source = None if name in found else self._source(name)
            if source is not None:
                found[name] = source
                wanted += self._used_by(name, source)
        return dict(sorted(found.items()))

    def own(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of the templates that the operator has replaced or added."""
        return tuple(name for name in names if self.override and (self.override / name).is_file())

    def frozen(self, sources: Mapping[str, str]) -> Templates:
        """Return templates that are made from `sources` only, whatever is on the disk."""
        return replace(self, environment=environment_of(from_sources(sources, self._path)))

    def _source(self, name: str) -> str | None:
        """Return the source of a template; None if there is no such file, which may not matter."""
        assert self.environment.loader is not None
        try:
            return self.environment.loader.get_source(self.environment, name)[0]
        except jinja2.TemplateNotFound:
            return None
        except (jinja2.TemplateError, OSError, ValueError) as error:
            raise self._explain(error, name, {}) from error

    def _used_by(self, name: str, source: str) -> Iterator[str]:
        """Yield the names of the templates that a template includes, imports, extends or has as a part."""
        try:
            for used in _outline(source, name).uses:
                yield from [used] if used is not None else self._mail_names()
        except jinja2.TemplateSyntaxError as error:
            raise self._explain(error, name, {}) from error

    def _mail_names(self) -> list[str]:
        found = {name for folder in self._folders("") for name in template_names(folder)}
        return sorted(name for name in found if name.startswith("mail/"))

    def _checked(self, name: str, values: Mapping[str, object]) -> str:
        for each in self._with_layouts(name):
            self._compile(each, values)
        return self.render(name, values)

    def _with_layouts(self, name: str) -> Iterator[str]:
        """Yield a template and the templates that it extends; these see the same values."""
        yield name
        for layout in self._outline(name).extends:
            yield from self._with_layouts(layout)

    def _compile(self, name: str, values: Mapping[str, object] | None) -> None:
        try:
            self.environment.get_template(name)
            if values is not None:
                self._refuse_unknown(name, values)
        except _FAULTS as error:
            raise self._explain(error, name, values or {}) from error

    def _refuse_unknown(self, name: str, values: Mapping[str, object]) -> None:
        """Raise TemplateError for an unknown name, even in a branch that the samples do not reach."""
        known = {*values, *self.environment.globals}
        for used, line in self._outline(name).undeclared:
            if used not in known:
                raise TemplateError(self._path(name), _no_name(used, values), line)

    def _outline(self, name: str) -> _Outline:
        assert self.environment.loader is not None
        source, _, _ = self.environment.loader.get_source(self.environment, name)
        return _outline(source, name)

    def _refuse_strays(self) -> None:
        """Raise TemplateError for a file that overrides no template."""
        if self.override is None:
            return
        for place in STAFF:
            if (self.override / place).exists():
                what = "emails" if place.startswith("mail/") else "pages"
                raise TemplateError(str(self.override / place), f"the {what} of the staff cannot be replaced")
        # Such a file is usually a typo. Names that begin with "_" are allowed, because other templates may
        # include these files.
        known = template_names(self.defaults)
        for name in sorted(template_names(self.override) - known):
            if not Path(name).name.startswith("_"):
                message = f"this file overrides no template{hint(name, known)}"
                raise TemplateError(str(self.override / name), message)

    def _path(self, name: str) -> str:
        paths = (folder / name for folder in self._folders(name))
        return str(next((path for path in paths if path.is_file()), name))

    def _folders(self, name: str) -> tuple[Path, ...]:
        return folders_of(name, self.override, self.defaults, self.earlier)

    def _explain(self, error: Exception, name: str, values: Mapping[str, object]) -> TemplateError:
        if isinstance(error, jinja2.TemplateNotFound):
            return TemplateError(self._path(name), f"there is no template {error.name!r}")
        if isinstance(error, jinja2.TemplateSyntaxError):
            return TemplateError(
                self._path(error.name or name), error.message or "syntax error", error.lineno
            )
        file, line = self._place(error) or (self._path(name), None)
        return TemplateError(file, _plainly(error, values), line)

    def _place(self, error: Exception) -> tuple[str, int] | None:
        """Return the innermost template file and line in the error's traceback."""
        ours = self._folders("")
        places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
        found = [place for place in places if any(Path(place[0]).is_relative_to(folder) for folder in ours)]
        return found[-1] if found else None


def load_templates(override: Path | None = None) -> Templates:
    """Return the templates; each file in `override` replaces the default file with the same name.

    Files are read when they are first used; `check_all` finds every error before that. Raises TemplateError
    if `override` is not a folder.
    """
    if override is not None and not override.is_dir():
        raise TemplateError(str(override), "the folder of templates does not exist")
    defaults = shipped("templates")
    earlier = names_from_earlier(own_templates(override, defaults), defaults)
    loader = from_folders(lambda name: folders_of(name, override, defaults, earlier))
    return Templates(
        defaults=defaults, override=override, environment=environment_of(loader), earlier=earlier
    )


def render_line(text: str, values: LineValues, *, limit: int = SUBJECT_LENGTH) -> str:
    """Return a subject or preheader template of config.toml rendered with `values`, as one clean line.

    Raises TemplateError, with `text` as its template.
    """
    names = as_mapping(values)
    try:
        return shorten(_line(text).render(names), limit)
    except _FAULTS as error:
        raise TemplateError(repr(shorten(text, 60)), _plainly(error, names)) from error


@lru_cache(maxsize=64)
def _line(text: str) -> jinja2.Template:
    return _LINES.from_string(text)


def check_line(text: str) -> str | None:
    """Return the error of a subject or preheader template, or None; it is tried with two sample editions."""
    try:
        for edition in (sample_edition(), short_edition()):
            values = line_values(edition)
            assert values is not None
            render_line(text, values)
    except TemplateError as error:
        return str(error)
    return None


def check_written_line(text: str) -> str | None:
    """Do the same for a line that somebody has written on the desk, which may show nothing but values."""
    try:
        if not is_plain_line(text):
            return "a line shows values such as {{ lead.title }}, without loops and calculations"
    except jinja2.TemplateError:
        pass  # `check_line` finds and words it
    return check_line(text)


def _of_editions(editions: Sequence[Edition]) -> Iterator[tuple[str, dict[str, object]]]:
    links = PageLinks(
        web="https://news.example.org/d/x",
        archive="https://news.example.org/d",
        subscribe="https://news.example.org/signup",
        feed="https://news.example.org/d/feed.atom",
    )
    reader = ReaderLinks(
        unsubscribe="https://news.example.org/u",
        preferences="https://news.example.org/p",
        subscribe="https://news.example.org/signup/x",
    )
    for edition in editions:
        view = EditionView(edition)
        for name in (MAIL_HTML, MAIL_TEXT):
            yield name, email_values(edition, view, reader, subject="Subject", preheader="", web=links.web)
        yield PAGE, page_values(edition, view, links, subject="Subject", preheader="")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outline:
    """The names in the source of a template: of templates that it uses and extends, and of values."""

    uses: tuple[str | None, ...]  # None stands for a name that it computes
    extends: tuple[str, ...]
    undeclared: tuple[tuple[str, int], ...]  # each with its line


@lru_cache(maxsize=256)  # every look at an edition asks, and parsing all templates of an email takes 0.2 s
def _outline(source: str, name: str) -> _Outline:
    tree = _PARSER.parse(source, name)
    parts = (node.node for node in tree.find_all(nodes.Filter) if node.name == "part")
    named = [str(node.value) if isinstance(node, nodes.Const) else None for node in parts]
    layouts = (node.template for node in tree.find_all(nodes.Extends))
    names = list(tree.find_all(nodes.Name))
    # jinja2 also reports names that are set in only one branch. Such names may be used.
    made = {*(node.name for node in names if node.ctx == "store"), *_imported(tree)}
    unknown = meta.find_undeclared_variables(tree) - made
    return _Outline(
        uses=(*meta.find_referenced_templates(tree), *named),
        extends=tuple(str(each.value) for each in layouts if isinstance(each, nodes.Const)),
        undeclared=tuple((node.name, node.lineno) for node in names if node.name in unknown),
    )


def _imported(tree: nodes.Template) -> Iterator[str]:
    """Yield the names that a template imports; the blocks of its layout see these names too."""
    for node in tree.find_all(nodes.FromImport):
        yield from (name if isinstance(name, str) else name[1] for name in node.names)
    yield from (node.target for node in tree.find_all(nodes.Import))


def _plainly(error: Exception, values: Mapping[str, object]) -> str:
    """Return an error's message for the author of the template."""
    message = str(error) or type(error).__name__
    name = re.fullmatch(r"there is no '(\w+)'", message)
    return _no_name(name[1], values) if name else message


def _no_name(name: str, values: Mapping[str, object]) -> str:
    return f"there is no {name!r} here{hint(name, [each for each in values if each != PARTS])}"
