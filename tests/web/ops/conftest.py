"""The newsroom of the staff's pages, for the pages of operators."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.storage.database import Database
from tests.web.staff.newsroom import Newsroom, open_newsroom


@pytest.fixture
def desk(sqlite: Database, tmp_path: Path) -> Newsroom:
    return open_newsroom(sqlite, tmp_path)
