"""Sites on a real database: `place` on both engines, `quick` only on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.storage.database import Database
from tests.render.conftest import chromium as chromium
from tests.web.site import Site, open_site


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Site:
    return open_site(database, tmp_path)


@pytest.fixture
def quick(sqlite: Database, tmp_path: Path) -> Site:
    return open_site(sqlite, tmp_path)
