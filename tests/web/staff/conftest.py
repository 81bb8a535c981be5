"""Newsrooms on a real database: `newsroom` on both engines, `desk` only on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.storage.database import Database
from tests.web.staff.newsroom import Newsroom, open_newsroom


@pytest.fixture
def newsroom(database: Database, tmp_path: Path) -> Newsroom:
    return open_newsroom(database, tmp_path)


@pytest.fixture
def desk(sqlite: Database, tmp_path: Path) -> Newsroom:
    return open_newsroom(sqlite, tmp_path)
