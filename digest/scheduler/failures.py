"""Report the failure of one digest or edition, so that it does not stop the others."""

from __future__ import annotations

from collections.abc import Callable

from digest.model.errors import DigestError, OutageError
from digest.model.run_context import EventKind, RunContext, RunEvent


def guarded(subject: str, context: RunContext, action: Callable[[], None]) -> bool:
    """Take an action for a digest or an edition; report its failure, and return False.

    An outage of the database is raised, because it is not the fault of the digest or the edition.
    """
    try:
        action()
    except OutageError:
        raise
    except DigestError as error:
        context.report(RunEvent(kind=EventKind.FAILED, subject=subject, detail=str(error)))
        return False
    return True
