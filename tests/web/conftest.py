"""Pages on a real database: one fixture on both engines, one on SQLite for what does not touch SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.storage.database import Database
from tests.render.conftest import chromium as chromium
from tests.web.parlour import Parlour, parlour


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Parlour:
    return parlour(database, tmp_path)


@pytest.fixture
def quick(sqlite: Database, tmp_path: Path) -> Parlour:
    return parlour(sqlite, tmp_path)
