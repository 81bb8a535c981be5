"""Find out what the columns of a file are: the address, what a reader chose, and who may be mailed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from subscribers.errors import ChoiceError
from subscribers.files.csv_lines import Record, Remark
from subscribers.files.formats import GENERIC, ListFormat, recognise
from subscribers.files.states import StateRule, may_be_a_state, plain_name
from subscribers.rules.imports import EntryState
from subscribers.text import one_line

_NAME = 40  # characters of the name of a column that are shown
_VALUES, _VALUE = 3, 20  # of a column that is not understood, so many values are shown, and so much of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The settings for reading one file."""

    digests: tuple[str, ...] = ()  # for lines that name no digest
    offered: Mapping[str, frozenset[str] | None] | None = None  # as in `check_requests`; None: not checked
    smtputf8: bool = False
    ignored: frozenset[str] = frozenset()  # columns that are not read, as `plain_name` writes them
    tags: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)  # see `parse_tags`
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """The reason why a file is not read: a column may say who must not be mailed, and is not understood."""

    line: int
    column: str
    values: tuple[str, ...]  # a few of its values; never an address

    def __str__(self) -> str:
        seen = f" (values seen: {', '.join(self.values)})" if self.values else ""
        return (
            f"the column {self.column!r}{seen} may say who must not be mailed, and it is not understood; "
            "rename it to status and write active or unsubscribed in it, or add "
            f"--ignore {self.column!r} if it says nothing of the kind"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a file: the positions of each field in a record, the most telling first."""

    format: ListFormat
    places: Mapping[str, tuple[int, ...]]
    names: tuple[str, ...]  # as they may be shown
    states: tuple[tuple[int, StateRule], ...] = ()
    doubtful: tuple[int, ...] = ()  # columns that look like states and are not understood
    remarks: tuple[Remark, ...] = ()
    unnamed: bool = False  # the first line does not name the columns; it is an entry

    def text(self, record: Record, name: str) -> str:
        """Return the first cell of a field that is not empty."""
        places = self.places.get(name, ())
        return next((record.cells[at] for at in places if at < len(record.cells) and record.cells[at]), "")

    def state_of(self, record: Record) -> tuple[EntryState, bool]:
        """Return the most restrictive state that a line names, and whether it is for all digests.

        Raises ChoiceError, with the name of the column, if a value is not understood.
        """
        found = [(self.format.always, False)]
        for index, rule in self.states:
            state = rule.state_of(record.cells[index] if index < len(record.cells) else "")
            if state is None:
                raise ChoiceError(self.names[index], "the state is not known; write active or unsubscribed")
            found.append((state, rule.everywhere))
        worst = max(found)
        # Programs write all cells. If one is missing or there is one more, the cell with the state may be
        # another one.
        if (
            worst[0] is EntryState.ACTIVE
            and self.format is not GENERIC
            and len(record.cells) != len(self.names)
        ):
            raise ChoiceError("", "the line does not have as many cells as there are columns")
        return worst


def read_header(record: Record, reading: Reading) -> Columns | None:
    """Return the columns that the first line of a file names.

    If it contains an address instead, the file has no names, and only addresses are read. The result is None
    if there is no column with addresses.
    """
    found = recognise(record.cells, reading.file_name)
    names = tuple(_shown(cell, index) for index, cell in enumerate(record.cells))
    plain = tuple(plain_name(cell) for cell in record.cells)
    places = _places(found, plain, reading)
    if "address" not in places:
        return None if places else _unnamed(record, names)
    open_columns = [index for index, name in enumerate(plain) if name not in reading.ignored]
    rules = {index: rule for index in open_columns if (rule := found.rule_of(plain[index])) is not None}
    used = {index for indices in places.values() for index in indices} | set(rules)
    rest = [index for index in open_columns if index not in used]
    doubtful = tuple(
        index for index in rest if plain[index] not in found.harmless and may_be_a_state(record.cells[index])
    )
    return Columns(
        format=found,
        places=places,
        names=names,
        states=tuple(rules.items()),
        doubtful=doubtful,
        remarks=tuple(_remarks(record.line, found, [names[i] for i in range(len(names)) if i not in used])),
    )


def _places(found: ListFormat, plain: tuple[str, ...], reading: Reading) -> dict[str, tuple[int, ...]]:
    places: dict[str, tuple[int, ...]] = {}
    for name, aliases in found.columns.items():
        if name == "tags" and not reading.tags:
            continue
        ranked = [plain.index(alias) for alias in aliases if alias in plain and alias not in reading.ignored]
        if name == "address":
            ranked = ranked[:1]
        elif found is GENERIC and name not in ("confirmed_at", "client"):
            ranked = sorted(ranked)[:1]  # the first column of the file, and the others are not used
        if ranked:
            places[name] = tuple(ranked)
    return places


def _remarks(line: int, found: ListFormat, unused: list[str]) -> list[Remark]:
    texts = []
    if found.name:
        texts.append(f"the file is an export of {found.name}")
    if found.advice:
        texts.append(found.advice)
    if unused:
        texts.append(f"these columns are not used: {', '.join(unused)}")
    return [Remark(line, text) for text in texts]


def _unnamed(record: Record, names: tuple[str, ...]) -> Columns | None:
    index = next((index for index, cell in enumerate(record.cells) if "@" in cell), None)
    if index is None:
        return None
    text = f"the first line does not name the columns; column {index + 1} is used as the address"
    remark = Remark(record.line, text)
    return Columns(format=GENERIC, places={"address": (index,)}, names=names, remarks=(remark,), unnamed=True)


def _shown(cell: str, index: int) -> str:
    return f"column {index + 1}" if "@" in cell or not cell else one_line(cell)[:_NAME]


class Doubts:
    """Collects a few values of each column that is not understood, for the sentence to the operator."""

    def __init__(self, columns: Columns, line: int) -> None:
        self._columns, self._line = columns, line
        self._values: dict[int, dict[str, None]] = {index: {} for index in columns.doubtful}

    def see(self, record: Record) -> None:
        """Look at one line."""
        for index, values in self._values.items():
            cell = one_line(record.cells[index]) if index < len(record.cells) else ""
            if cell and "@" not in cell and len(values) < _VALUES:
                values[cell if len(cell) <= _VALUE else f"{cell[:_VALUE]}…"] = None

    def stops(self) -> list[Stop]:
        """Return one reason for each column."""
        names = self._columns.names
        return [Stop(self._line, names[index], tuple(values)) for index, values in self._values.items()]
