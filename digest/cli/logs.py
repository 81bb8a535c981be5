"""Where log lines go: to stderr; all that is done when asked for, else only faults of our own."""

from __future__ import annotations

import logging

_CHATTY = ("apscheduler", "alembic", "httpx2", "httpcore2")
_HANDLER = logging.StreamHandler()


def log_faults() -> None:
    """Show errors alone, for commands say themselves what failed."""
    _HANDLER.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    _HANDLER.setLevel(logging.ERROR)
    logging.getLogger().addHandler(_HANDLER)


def log_everything() -> None:
    """Show what is done, a line each."""
    _HANDLER.setLevel(logging.INFO)
    logging.getLogger().setLevel(logging.INFO)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
