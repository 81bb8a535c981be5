"""The desk of a small publication on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.storage.database import Database
from tests.web.desk.newsroom import Desk, open_desk
from tests.web.staff.conftest import desk as desk
from tests.web.staff.conftest import newsroom as newsroom


@pytest.fixture
def room(sqlite: Database, tmp_path: Path) -> Desk:
    return open_desk(sqlite, tmp_path)
