"""Render the parts of an edition's mails: each once, however many choices of topics have it in theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from markupsafe import Markup

from digest.render.values import ChoiceValues, ImageValues, SectionValues, SourceValues, StoryValues

# What differs between two choices of topics: a part is handed what it needs of it.
_OF_A_CHOICE = frozenset(ChoiceValues.__annotations__)
# Of these, the same object is the same value for good. What a template can change is never kept.
_LASTING = (str, int, float, type(None), StoryValues, SectionValues, ImageValues, SourceValues)
_KEPT = 10_000


class Parts:
    """What is behind the filter `part`: it renders a template of its own, once for the same values.

    A part sees what all mails of the edition share and the values it is called with, and nothing else.
    So what it comes to depends on nothing else, whatever an operator writes into it.
    """

    def __init__(
        self, render: Callable[[str, Mapping[str, object]], str], values: Mapping[str, object]
    ) -> None:
        self._render = render
        self._shared = {name: value for name, value in values.items() if name not in _OF_A_CHOICE}
        self._shared[PARTS] = self
        self._made: dict[tuple[object, ...], tuple[str, Mapping[str, object]]] = {}
        self.texts: set[str] = set()  # all that parts with values of their own came to

    def __call__(self, name: str, own: Mapping[str, object]) -> str:
        """Return the template called `name` ("mail/_section.html") filled with `own` values by name."""
        key = (name, *own, *map(id, own.values())) if own else (name,)
        made = self._made.get(key)
        return made[0] if made else self._make(key, name, own)

    def _make(self, key: tuple[object, ...], name: str, own: Mapping[str, object]) -> str:
        text = self._render(name, {**self._shared, **own})
        text = Markup(text) if name.endswith(".html") else text
        if not all(isinstance(value, _LASTING) for value in own.values()):
            return text
        if len(self._made) >= _KEPT:
            self._made.clear()
            self.texts.clear()
        self._made[key] = text, own  # `own`, lest other values get its ids
        if own:
            self.texts.add(text)
        return text


PARTS = "parts of the mail"  # the name of the Parts among the values of a template: none that it can write
