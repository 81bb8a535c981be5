"""Set up Jinja2: where templates are read from, what they may use, and how unknown names are explained."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.bccache import Bucket
from jinja2.compiler import CodeGenerator, Frame
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from digest.model.errors import hint
from digest.render.fragments.parts import PARTS, Parts
from digest.render.levels import beginning
from digest.render.writing.text import direction_of, shorten, underline, wrap

# When styles are inlined, cssutils would fetch the target of @import over the network.
_IMPORT = re.compile(r"@import", re.IGNORECASE)
_KEPT = 200  # compiled templates


def environment_of(loader: jinja2.BaseLoader) -> jinja2.Environment:
    """Return the environment of all templates of emails and pages."""
    environment = _Environment(
        loader=loader,
        undefined=_Undefined,
        autoescape=jinja2.select_autoescape(("html",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        bytecode_cache=_COMPILED,
    )
    environment.filters |= {"shorten": shorten, "underline": underline, "wrap": wrap, "part": _part}
    environment.filters |= {"direction_of": direction_of, "sentences": beginning}
    return environment


def line_environment() -> jinja2.Environment:
    """Return the environment of the lines in config.toml, which are not trusted like files."""
    return _Sandbox(undefined=_Undefined, autoescape=False)


def from_folders(folders: Callable[[str], Sequence[Path]]) -> jinja2.BaseLoader:
    """Return a loader that reads each template from the first of its `folders(name)` that has it."""
    return _Loader(folders)


def from_sources(sources: Mapping[str, str], path_of: Callable[[str], str]) -> jinja2.BaseLoader:
    """Return a loader of templates whose sources are known; `path_of` names their files in errors."""
    return jinja2.FunctionLoader(
        lambda name: (sources[name], path_of(name), lambda: True) if name in sources else None
    )


@jinja2.pass_context
def _part(context: jinja2.runtime.Context, name: str, **own: object) -> str:
    parts: Parts | None = context.parent.get(PARTS)
    if parts is None:
        raise jinja2.TemplateRuntimeError('"part" does not work here; add "with context" to the import')
    return parts(name, own)


class _Undefined(jinja2.StrictUndefined):
    """An unknown name; the error's message suggests the nearest known name."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        owner, name = self._undefined_obj, str(self._undefined_name)
        if owner is missing:
            return self._undefined_hint or f"there is no {name!r}"
        return f"there is no {name!r} here{hint(name, _fields(owner))}"


class _Loader(jinja2.BaseLoader):
    """Reads a template from the first folder that has it; refuses @import, which would use the network."""

    def __init__(self, folders: Callable[[str], Sequence[Path]]) -> None:
        self._folders = folders

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        files = jinja2.FileSystemLoader(self._folders(template))
        source, path, uptodate = files.get_source(environment, template)
        found = _IMPORT.search(source)
        if found:
            line = source.count("\n", 0, found.start()) + 1
            raise jinja2.TemplateSyntaxError(
                "@import is not allowed; write the styles into the template", line, template, path
            )
        return source, path, uptodate


class _Generator(CodeGenerator):
    """Generates code that writes HTML parts without escaping them.

    Parts are already HTML, so escaping would only copy them, which takes time. If a later jinja2 does not
    call this method any more, parts are copied again, and nothing else changes.
    """

    def _output_child_pre(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        if frame.eval_ctx.autoescape and not frame.eval_ctx.volatile and _is_html_part(node):
            self.write("(")
        else:
            super()._output_child_pre(node, frame, finalize)


def _is_html_part(node: nodes.Expr) -> bool:
    """Return whether an expression looks like `"mail/_section.html" | part(…)`."""
    name = node.node if isinstance(node, nodes.Filter) and node.name == "part" else None
    return isinstance(name, nodes.Const) and str(name.value).endswith(".html")


class _Compiled(jinja2.BytecodeCache):
    """Keeps compiled templates for all environments of this process, because compiling takes 40 ms each.

    A template is compiled again if its source or its file has changed.
    """

    def __init__(self) -> None:
        self._code: OrderedDict[tuple[str, str], CodeType] = OrderedDict()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the code of the bucket's template, if it is kept."""
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of the bucket's template; the oldest is forgotten."""
        assert bucket.code is not None
        self._code[bucket.key, bucket.checksum] = bucket.code
        if len(self._code) > _KEPT:
            self._code.popitem(last=False)


_COMPILED = _Compiled()


# The parts of lines that cost next to nothing. Loops, and texts that are multiplied, padded or joined again
# and again, could take all of a server's time and memory with one line of 60 characters.
_PLAIN = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr),
    *(nodes.Getitem, nodes.Slice, nodes.Neg, nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not),
)
_MOST_PARTS = 100
_SHORT = frozenset(
    ["capitalize", "count", "d", "default", "first", "last", "length", "lower", "title", "trim", "upper"]
)


def is_plain_line(text: str) -> bool:
    """Tell whether a line shows only values, so that it may come from somebody without the server's files.

    Raises TemplateError of Jinja2 if it is no line at all.
    """
    try:
        found = list(islice(line_environment().parse(text).find_all(nodes.Node), _MOST_PARTS + 1))
    except RecursionError:  # hundreds of brackets
        return False
    return len(found) <= _MOST_PARTS and all(map(_is_plain, found))


def _is_plain(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Filter):
        joins = node.name == "join" and isinstance(node.node, nodes.Name | nodes.Getitem)
        return (joins and _are_texts(node.args)) or node.name in _SHORT
    return isinstance(node, _PLAIN)


def _are_texts(arguments: Sequence[nodes.Expr]) -> bool:
    return all(isinstance(each, nodes.Const) for each in arguments)


class _Environment(jinja2.Environment):
    """Gives templates Jinja2's functions in a plain dict, because its ChainMap is slow to read."""

    code_generator_class = _Generator

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return {**self.globals, **(d or {})}


class _Sandbox(_Environment, SandboxedEnvironment):
    """Renders lines of config.toml without access to the internals of Python objects."""


def _fields(owner: object) -> list[str]:
    return [field.name for field in fields(owner)] if is_dataclass(owner) else []
