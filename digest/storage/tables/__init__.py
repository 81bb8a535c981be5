"""Define the tables, one module a subject; `metadata` has all of them, and those of readers."""

from digest.storage.tables import (
    deliveries,
    desk,
    editions,
    links,
    nodes,
    pictures,
    posts,
    schedules,
    staff,
)
from subscribers.store.tables import metadata

# Each module adds its tables to the metadata when it is imported.
__all__ = [
    "deliveries",
    "desk",
    "editions",
    "links",
    "metadata",
    "nodes",
    "pictures",
    "posts",
    "schedules",
    "staff",
]
