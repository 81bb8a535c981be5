"""Run by alembic for each upgrade, on the connection that `digest.storage.migrate` gives it."""

from __future__ import annotations

from alembic import context

from digest.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
