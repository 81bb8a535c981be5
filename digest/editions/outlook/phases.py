"""Decide in which phase an edition is, and which steps can be taken with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from digest.model.deliveries import Counts
from digest.model.editions import EditionRecord, EditionState
from digest.model.publication import Digest, Review
from digest.schedule.policy import UNSAVED, EditionStep, review_of, ruling

HELD_BY = "by "  # the reason of a pause begins so if a person at the desk has paused the edition


class Phase(StrEnum):
    """The phases of an edition, as people at the desk see them."""

    DRAFT = "draft"
    VOID = "no longer approved"
    APPROVED = "approved"
    HELD = "held"
    WRITING = "waiting for unsaved edits"
    STAFF = "staff copies sent"
    DELAYED = "delayed"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Verb(StrEnum):
    """The steps that somebody can take with an edition; the value is the name of the button."""

    APPROVE = "Approve…"
    WITHDRAW = "Withdraw approval"
    TEST = "Send test"
    HOLD = "Hold"
    RESUME = "Resume"
    SEND = "Send now…"
    SKIP = "Skip…"
    PAUSE = "Pause"
    STOP = "Stop"
    CANCEL = "Cancel edition…"
    CANCEL_REST = "Cancel the rest…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The facts about an edition that its sentence and its timeline need, at one moment."""

    record: EditionRecord
    digest: Digest | None  # None: it is not in config.toml any more
    readers: int = 0  # who would get it now
    counts: Counts = field(default_factory=lambda: Counts(by_state=()))  # of its deliveries
    bounced: int = 0
    writer: str = ""  # a person with unsaved text, for whom the sending waits until `waits_until`
    given: tuple[str, ...] = ()  # who has approved a draft that needs more persons
    missing: int = 0  # persons who must still approve a draft
    trouble: str = ""  # why sending has not begun or does not go on: "the mail server does not answer"

    @property
    def zone(self) -> str:
        """Return the time zone of the edition's times."""
        return self.record.edition.zone

    @property
    def waits_until(self) -> datetime:
        """Return until when the edition waits for text that is not saved."""
        return self.record.edition.send_at + UNSAVED

    @property
    def staff_at(self) -> datetime | None:
        """Return when the staff get their copies; None if they have no head start."""
        ahead = self.digest.head_start if self.digest else None
        return self.record.edition.send_at - ahead if ahead else None

    @property
    def sends_by_itself(self) -> bool:
        """Tell whether the edition is sent at its send time although nobody has approved it."""
        return self.digest is not None and review_of(self.record, self.digest) is Review.SEND


def phase_of(outlook: Outlook, now: datetime) -> Phase:
    """Return the phase of an edition."""
    record = outlook.record
    over = {
        EditionState.SENT: Phase.SENT,
        EditionState.SKIPPED: Phase.SKIPPED,
        EditionState.CANCELLED: Phase.CANCELLED,
    }
    if record.state in over:
        return over[record.state]
    if record.state is EditionState.SENDING:
        return Phase.PAUSED if record.paused_at else Phase.SENDING
    if record.paused_at:
        return Phase.HELD
    if _waits_for_a_writer(outlook, now):
        return Phase.WRITING
    if record.edition.send_at <= now and ruling(record, outlook.digest, now).step is EditionStep.SEND:
        return Phase.DELAYED
    if outlook.staff_at and outlook.staff_at <= now < record.edition.send_at and _will_be_sent(outlook):
        return Phase.STAFF
    if record.state is EditionState.APPROVED:
        return Phase.APPROVED
    return Phase.VOID if record.voided_at else Phase.DRAFT


def _waits_for_a_writer(outlook: Outlook, now: datetime) -> bool:
    return (
        outlook.writer != ""
        and outlook.record.state is EditionState.DRAFT
        and outlook.sends_by_itself
        and outlook.record.edition.send_at <= now < outlook.waits_until
    )


def _will_be_sent(outlook: Outlook) -> bool:
    return outlook.record.state is EditionState.APPROVED or outlook.sends_by_itself


def held_reason(by: str, why: str) -> str:
    """Return the reason of a pause by a person, as the edition keeps it."""
    return f"{HELD_BY}{by}: {why}" if why else f"{HELD_BY}{by}"


def hold_of(reason: str) -> tuple[str, str]:
    """Return who has paused an edition, and why; a pause from the command line names nobody."""
    if not reason.startswith(HELD_BY):
        return "", reason
    by, _, why = reason.removeprefix(HELD_BY).partition(": ")
    return by, why


def verbs(outlook: Outlook, now: datetime) -> tuple[Verb, ...]:
    """Return the steps that can be taken with an edition, the main one first."""
    return _VERBS[phase_of(outlook, now)]


_AHEAD = (Verb.SEND, Verb.SKIP, Verb.CANCEL)
_VERBS: dict[Phase, tuple[Verb, ...]] = {
    Phase.DRAFT: (Verb.APPROVE, Verb.TEST, Verb.HOLD, *_AHEAD),
    Phase.VOID: (Verb.APPROVE, Verb.TEST, Verb.HOLD, *_AHEAD),
    Phase.APPROVED: (Verb.WITHDRAW, Verb.TEST, Verb.HOLD, *_AHEAD),
    Phase.HELD: (Verb.RESUME, Verb.TEST, Verb.SKIP, Verb.CANCEL),
    Phase.WRITING: (Verb.SEND, Verb.HOLD, Verb.CANCEL),
    Phase.STAFF: (Verb.STOP, Verb.CANCEL),
    Phase.DELAYED: (Verb.HOLD, Verb.CANCEL),
    Phase.SENDING: (Verb.PAUSE, Verb.CANCEL_REST),
    Phase.PAUSED: (Verb.RESUME, Verb.CANCEL_REST),
    Phase.SENT: (),
    Phase.SKIPPED: (),
    Phase.CANCELLED: (),
}
