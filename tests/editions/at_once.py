"""One of two processes that work on an edition: `python -m tests.editions.at_once URL EDITION edit STORY`.

The other one approves what it sees, and begins to send it: `… URL EDITION send`.
"""

from __future__ import annotations

import sys

from digest.compose.edits.operations import Part, Rewrite
from digest.editions.edits.edits import Editor, edit, read_edits
from digest.model.editions import EditionState, StepCause
from digest.model.errors import StateError
from digest.storage.database import Database, open_database
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance_seen
from tests.compose.samples import NOW

_EDITS, _TIMES = 40, 400  # at most; each process comes to its end


def edit_often(database: Database, edition_id: str, story: str) -> None:
    """Rewrite a headline again and again, until the edition is being sent."""
    for number in range(_EDITS):
        seen = len(read_edits(database, edition_id).edits)
        new = Rewrite(story=story, part=Part.TITLE, text=f"Headline {number}")
        try:
            edit(database, edition_id, [new], Editor(name="Maren", seen=seen, now=NOW))
        except StateError:
            return


def approve_and_send(database: Database, edition_id: str) -> None:
    """Approve what is there and begin to send it; try again if it was edited meanwhile."""
    for _ in range(_TIMES):
        with database.read() as connection:
            record = load_edition(connection, edition_id)
        try:
            with database.write() as connection:
                step, look = EditionState.APPROVED, record.hash
                record = advance_seen(connection, record, step, StepCause(at=NOW, by="Ines", look=look))
            with database.write() as connection:
                advance_seen(connection, record, EditionState.SENDING, StepCause(at=NOW))
        except StateError:
            continue
        return


if __name__ == "__main__":
    opened = open_database(sys.argv[1])
    if sys.argv[3] == "edit":
        edit_often(opened, sys.argv[2], sys.argv[4])
    else:
        approve_and_send(opened, sys.argv[2])
    opened.close()
