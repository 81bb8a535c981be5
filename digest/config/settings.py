"""List every key with its value and the source of the value; secrets are never in the list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from digest.config import lines as places
from digest.config.shape import RootShape, Shape, keys
from digest.config.values import Setting
from digest.model.links import without_secrets

_HIDDEN = "(hidden)"
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def settings(
    shape: RootShape, found: dict[places.Path, int], *, path: Path, variables: Mapping[str, str]
) -> tuple[Setting, ...]:
    """Return the settings in the order of the file's tables.

    `variables` maps each key that comes from the environment to the name of its variable.
    """
    origin = _Origin(found=found, path=path, variables=variables)
    listed = list(_table(shape, (), origin))
    known = {setting.key for setting in listed}
    outside = [
        Setting(key=key, value=_HIDDEN, source=f"variable {name}")
        for key, name in variables.items()
        if key not in known
    ]
    return tuple(listed + outside)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    found: dict[places.Path, int]
    path: Path
    variables: Mapping[str, str]

    def of(self, place: places.Path) -> str:
        key = _dotted(place)
        if key in self.variables:
            return f"variable {self.variables[key]}"
        return f"{self.path.name}:{self.found[place]}" if place in self.found else "default"


def _table(table: Shape, place: places.Path, origin: _Origin) -> Iterator[Setting]:
    for key, field in keys(type(table)).items():
        yield from _value(getattr(table, field), (*place, key), origin)


def _value(value: object, place: places.Path, origin: _Origin) -> Iterator[Setting]:
    if isinstance(value, Shape):
        yield from _table(value, place, origin)
    elif isinstance(value, list) and value and isinstance(value[0], Shape):
        for index, table in enumerate(value):
            yield from _value(table, (*place, index), origin)
    elif value is not None and len(place) > 1:
        key = _dotted(place)
        shown = _HIDDEN if key in origin.variables else _shown(value)
        yield Setting(key=key, value=shown, source=origin.of(place))


def _dotted(place: places.Path) -> str:
    """Return a place as text, counting from one: "digest[1].slug"."""
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place]
    return "".join(parts).lstrip(".")


def _shown(value: object) -> str:
    if isinstance(value, timedelta):
        return f'"{duration_text(value)}"'
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list) and value and all(isinstance(each, date) for each in value):
        return f"[{', '.join(each.isoformat() for each in value)}]"
    return without_secrets(json.dumps(value, ensure_ascii=False))


def duration_text(value: timedelta) -> str:
    """Return a length of time as config.toml accepts it: "1h 30m"."""
    seconds, parts = int(value.total_seconds()), []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
