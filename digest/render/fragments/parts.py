"""Render the parts of an edition's emails, each only once for all choices of topics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import is_dataclass

from markupsafe import Markup

_IMMUTABLE = (str, int, float, type(None))
_KEPT = 10_000


class Parts:
    """The filter `part`: it renders another template, once for the same values.

    A part sees only the values that all emails of the edition share, and the values that it is called with.
    So its result depends on nothing else, whatever an operator writes into it.
    """

    def __init__(
        self,
        render: Callable[[str, Mapping[str, object]], str],
        values: Mapping[str, object],
        *,
        of_a_choice: Collection[str],
    ) -> None:
        self._render = render
        self._shared = {name: value for name, value in values.items() if name not in of_a_choice}
        self._shared[PARTS] = self
        self._made: dict[tuple[object, ...], tuple[str, Mapping[str, object]]] = {}
        self.texts: set[str] = set()  # the results of all parts that are given values

    def __call__(self, name: str, own: Mapping[str, object]) -> str:
        """Return the template called `name` ("mail/_section.html") rendered with its `own` values."""
        key = (name, *own, *map(id, own.values())) if own else (name,)
        made = self._made.get(key)
        return made[0] if made else self._make(key, name, own)

    def _make(self, key: tuple[object, ...], name: str, own: Mapping[str, object]) -> str:
        text = self._render(name, {**self._shared, **own})
        text = Markup(text) if name.endswith(".html") else text
        if not all(map(_is_immutable, own.values())):  # a template could change a mutable value
            return text
        if len(self._made) >= _KEPT:
            self._made.clear()
            self.texts.clear()
        self._made[key] = text, own  # `own` is kept, because otherwise new values could get the same ids
        if own:
            self.texts.add(text)
        return text


PARTS = "parts of the mail"  # the name of the Parts among a template's values; templates cannot write it


def _is_immutable(value: object) -> bool:
    """Return whether an object can never change its value, as a frozen dataclass."""
    if isinstance(value, _IMMUTABLE):
        return True
    return is_dataclass(value) and vars(type(value))["__dataclass_params__"].frozen is True
