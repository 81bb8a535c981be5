"""Jobs: hints that a verb should be called. The ledger is true, so a job may be lost or done twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from digest.model.errors import DigestError

JOB_VERSION = 1  # raised when a job means something that an earlier program would misunderstand


class JobKind(StrEnum):
    """The kinds of jobs; each is a call of one verb."""

    COLLECT = "collect"  # a feed
    COMPOSE = "compose"  # the edition of a digest and a local date
    GATHER = "gather"  # the editions of a digest, for readers who chose one email a day or a week
    ADDRESS = "address"  # an edition
    SEND = "send"  # a slice of an edition
    FINISH = "finish"  # an edition
    RECEIVE = "receive"  # a mailbox
    CLEAN = "clean"

    @property
    def queue(self) -> str:
        """Return the queue of the jobs of this kind; a node can be dedicated to some queues."""
        return _QUEUES.get(self, self.value)


_QUEUES = {JobKind.GATHER: "compose", JobKind.ADDRESS: "send", JobKind.FINISH: "send"}
QUEUES = tuple(dict.fromkeys(kind.queue for kind in JobKind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. No two jobs of one name wait at the same time.

    `subject` is a feed's name, a digest's slug, an edition's id or a mailbox. `part` is a local date, or the
    number of a slice.
    """

    kind: JobKind
    subject: str = ""
    part: str = ""

    @property
    def name(self) -> str:
        """Return the name, as it is logged: "send daily-2026-11-23 7"."""
        return " ".join(filter(None, (self.kind.value, self.subject, self.part)))


class NewerJobError(DigestError):
    """A job was made by a newer version of the program, and this version does not know what it means."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"a newer version of the program made the job {name!r}, so a newer node does it: update this one"
        )


def job_of(kind: str, values: Mapping[str, Any]) -> Job:
    """Return the job that was stored with these values. Raises NewerJobError."""
    version = values.get("version", JOB_VERSION)
    subject, part = str(values.get("subject", "")), str(values.get("part", ""))
    if not isinstance(version, int) or version > JOB_VERSION or kind not in set(JobKind):
        raise NewerJobError(" ".join(filter(None, (kind, subject, part))))
    return Job(kind=JobKind(kind), subject=subject, part=part)


def values_of(job: Job) -> dict[str, Any]:
    """Return the values to be stored with a job."""
    return {"version": JOB_VERSION, "subject": job.subject, "part": job.part}
