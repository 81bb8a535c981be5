"""Print the results of commands: tables that fit the terminal, JSON for programs, bars for long work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from digest.model.deliveries import Counts, DeliveryState

if TYPE_CHECKING:
    from digest.render.preflight import Finding

_EMPTY = "–"
_UNLIMITED = 100_000  # columns


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is: text from feeds is never read as markup."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Print a table as wide as the terminal; the columns in `right` hold numbers.

    In a pipe or a file, each row is one line, however long, so that grep and awk can be used.
    """
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        grid.add_column(title, justify="right" if title in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(" ".join(cell(value).splitlines()) or " ") for value in row))
    screen = console()
    if not screen.is_terminal:
        screen.width = _UNLIMITED
    with screen.capture() as printed:
        screen.print(grid)
    for line in printed.get().splitlines():
        click.echo(line.rstrip())


def cell(value: object) -> str:
    """Return a value as text for a table."""
    if value is None or value == "":
        return _EMPTY
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, (list, tuple, frozenset)):
        return ", ".join(map(str, value)) or _EMPTY
    return str(value)


def local(instant: datetime, zone: str) -> str:
    """Return an instant as text, in the local time of a zone."""
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


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: "1 email", "1,200 emails"."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def counts_text(counts: Counts) -> str:
    """Return counts as text: "980 accepted, 12 deferred"."""
    return ", ".join(f"{count:,} {state}" for state, count in counts.by_state if count) or "no readers"


def counts_facts(counts: Counts) -> dict[str, int]:
    """Return counts as a mapping for JSON."""
    by_state: Iterable[tuple[DeliveryState, int]] = counts.by_state
    return {"total": counts.total, **{str(state): count for state, count in by_state}}


class Bar:
    """A progress bar on stderr; without a terminal it shows nothing."""

    def __init__(self, move: Any) -> None:
        self._move = move

    def to(self, done: int, total: int | None = None) -> None:
        """Show how much of the work is done; without a total, show only that it continues."""
        if self._move is not None:
            self._move(completed=done, total=total)


@contextmanager
def bar(title: str) -> Iterator[Bar]:
    """Show a progress bar while the block runs."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield Bar(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield Bar(partial(progress.update, task))


# ── editions ────────────────────────────────────────────────────────────────────────────────


def goes_to(readers: int) -> str:
    """Return to how many readers an edition goes, in words."""
    return f"goes to {counted(readers, 'reader')}"


def findings(found: Iterable[Finding]) -> None:
    """Print the findings of a preflight as errors are printed."""
    for finding in found:
        click.echo(f"{finding.level}: {finding.message}", err=True)


def changes(edition_id: str, found: Sequence[str], *, err: bool = False) -> None:
    """Print what has changed since an edition was composed, and the command that takes it over."""
    for change in found:
        click.echo(change, err=err)
    if found:
        click.echo(f"to take this into the edition: digest correct {edition_id}", err=err)
