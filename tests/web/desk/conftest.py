"""Desks on SQLite: a small publication with feeds, and a draft of the sample edition."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.storage.database import Database
from tests.web.desk.newsroom import Desk, open_desk
from tests.web.desk.sample_draft import put_draft
from tests.web.site import CONFIG
from tests.web.staff.conftest import desk as desk
from tests.web.staff.conftest import newsroom as newsroom
from tests.web.staff.newsroom import Newsroom, open_newsroom

TOPICS = CONFIG.replace('"city"', '"coast"').replace('"green"', '"town"')


@pytest.fixture
def room(sqlite: Database, tmp_path: Path) -> Desk:
    return open_desk(sqlite, tmp_path)


@pytest.fixture
def drafted(sqlite: Database, tmp_path: Path) -> Newsroom:
    """Give a newsroom with the draft `daily-draft`."""
    found = open_newsroom(sqlite, tmp_path, TOPICS)
    put_draft(found)
    return found
