"""Define the tables, one module a subject; `metadata` has all of them, and those of readers."""

from digest.storage.tables import (  # noqa: F401 - each module adds its tables to the metadata
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
from subscribers.store.tables import metadata as metadata
