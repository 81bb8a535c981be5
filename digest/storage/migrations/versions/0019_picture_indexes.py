"""Find old copies and facts of pictures, and the pages that name a picture, by an index."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    for name in ("checked_at", "leads_to"):
        op.create_index(f"ix_pictures_{name}", "pictures", [name])
    op.create_index("ix_picture_copies_made_at", "picture_copies", ["made_at"])
