"""Prepare the statements that run for each group of messages: compile once, then give the driver the text.

The driver takes 2 µs to run a statement that it knows; SQLAlchemy adds 15 to 30 µs each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Dialect,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

_Processors = Mapping[str, Callable[[Any], Any]]


class Prepared:
    """A statement whose values are given by name each time it is run. A transaction must have begun."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}  # by dialect

    def run(self, connection: Connection, values: Mapping[str, object]) -> DBAPICursor:
        """Run the statement and return the driver's cursor. Raises the driver's own errors."""
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self._statement, dialect)
        cursor = connection.connection.cursor()
        cursor.execute(compiled.text, compiled.bound(values))
        return cursor

    def rows(self, connection: Connection, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """Run the statement and return all rows, with values as the driver gives them."""
        return self.run(connection, values).fetchall()


class _Compiled(NamedTuple):
    text: str
    constants: Mapping[str, object]
    processors: _Processors  # for values that the driver does not take as they are
    order: tuple[str, ...] | None  # names in order, if the driver takes values by position

    def bound(self, values: Mapping[str, object]) -> Any:
        bound = {**self.constants, **values}
        for name, process in self.processors.items():
            bound[name] = process(bound[name])
        return bound if self.order is None else [bound[name] for name in self.order]


def _compile(statement: ClauseElement, dialect: Dialect) -> _Compiled:
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    constants, processors = {}, {}
    for name, parameter in compiled.binds.items():
        process = parameter.type.dialect_impl(dialect).bind_processor(dialect)
        if not parameter.required:
            constants[name] = process(parameter.value) if process else parameter.value
        elif process:
            processors[name] = process
    order = tuple(compiled.positiontup) if compiled.positional and compiled.positiontup else None
    return _Compiled(compiled.string, constants, processors, order)


# ── lists of ids ────────────────────────────────────────────────────────────────────────────


def among(connection: Connection, column: ColumnElement[Any], ids: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition that a column is in a list of ids, for a statement that is run once."""
    dialect = connection.dialect.name
    return listed(dialect, column, bindparam("ids", id_list(dialect, ids), unique=True))


def listed(dialect: str, column: ColumnElement[Any], ids: BindParameter[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is in a list; the list is one parameter, in the form of `id_list`.

    A parameter for each id would cost more than running the statement.
    """
    if dialect == "postgresql":
        return column == func.any(cast(ids, ARRAY(BigInteger)))
    return column.in_(select(func.json_each(ids).table_valued("value").c.value))


def id_list(dialect: str, ids: Iterable[int]) -> object:
    """Return ids as the value of a parameter for `listed`."""
    # The text of a Python list of integers is JSON, and takes a third of the time that `json.dumps` takes.
    return list(ids) if dialect == "postgresql" else str(list(ids))
