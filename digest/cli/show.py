"""Print what commands found: tables that fit the terminal, JSON for programs, bars for long work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from rich.console import Console

    from digest.model import Counts, DeliveryState

_EMPTY = "–"


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is: what feeds bring in is never read as markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Print a table as wide as the terminal, 80 columns where there is none; `right` names numbers."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        grid.add_column(title, justify="right" if title in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell(value)) for value in row))
    screen = console()
    with screen.capture() as printed:
        screen.print(grid)
    for line in printed.get().splitlines():
        click.echo(line.rstrip())


def cell(value: object) -> str:
    """Write one value for people."""
    if value is None or value == "":
        return _EMPTY
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, (list, tuple, frozenset)):
        return ", ".join(map(str, value)) or _EMPTY
    return str(value)


def local(instant: datetime, zone: str) -> str:
    """Write an instant on the clocks of a zone."""
    return f"{instant.astimezone(ZoneInfo(zone)):%a %d %b %Y %H:%M} ({zone})"


def facts(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    return str(value)


def counts_text(counts: Counts) -> str:
    """Write counts in words: "980 accepted, 12 deferred"."""
    return ", ".join(f"{count:,} {state}" for state, count in counts.by_state if count) or "no readers"


def counts_facts(counts: Counts) -> dict[str, int]:
    """Return counts for JSON."""
    by_state: Iterable[tuple[DeliveryState, int]] = counts.by_state
    return {"total": counts.total, **{str(state): count for state, count in by_state}}


class Bar:
    """A progress bar on stderr; without a terminal it says nothing."""

    def __init__(self, move: Any) -> None:
        self._move = move

    def to(self, done: int, total: int | None = None) -> None:
        """Show how much of the work is done; without a total, only that it goes on."""
        if self._move is not None:
            self._move(completed=done, total=total)


@contextmanager
def bar(title: str) -> Iterator[Bar]:
    """Give a progress bar for the time of a long piece of work."""
    from functools import partial

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    screen = console(stderr=True)
    if not screen.is_terminal:
        yield Bar(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield Bar(partial(progress.update, task))
