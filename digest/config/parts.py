"""The parts of the program that most operations use; the App has them all."""

from __future__ import annotations

from typing import Protocol

from digest.config.values import Config
from digest.render.templates import Templates
from digest.storage.database import Database


class Parts(Protocol):
    """The parts that sign-ups, imports and notices need. An operation that needs fewer takes fewer."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    @property
    def database(self) -> Database:
        """The database, with the tables of this version."""

    @property
    def templates(self) -> Templates:
        """The operator's templates and ours."""

    @property
    def secret(self) -> bytes:
        """The key that signs the links of readers."""
