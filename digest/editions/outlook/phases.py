"""Decide in which phase an edition is, and which steps can be taken with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from digest.model.deliveries import Counts
from digest.model.editions import EditionRecord, EditionState
from digest.model.publication import Digest, Review
from digest.schedule.policy import UNSAVED, EditionStep, review_of, ruling
from digest.schedule.staff_notices import Copies, readers_begin_at

_SOON = timedelta(minutes=1)  # so long, nobody calls an edition delayed
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


class DeskStep(StrEnum):
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
    copies: Sequence[Copies] = ()  # those of the staff so far, oldest first
    trouble: str = ""  # why the last attempt to send it failed: "the mail server does not answer"

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
        """Return when the staff got their copies, or will get them; None if they have no head start."""
        if self.copies:
            return self.copies[0].at
        ahead = self.digest.head_start if self.digest else None
        return self.record.edition.send_at - ahead if ahead else None

    @property
    def readers_at(self) -> datetime:
        """Return when the readers' copies begin; after the send time if the staff got theirs late."""
        if not self.copies or self.digest is None:
            return self.record.edition.send_at
        return readers_begin_at(self.record, self.digest, self.copies)

    @property
    def due_since(self) -> datetime:
        """Return since when the edition should be on its way, if it is going to be sent."""
        return max(self.readers_at, self.record.approved_at or self.readers_at)

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
    if outlook.copies and now < outlook.readers_at and _will_be_sent(outlook):
        return Phase.STAFF
    if _is_delayed(outlook, now):
        return Phase.DELAYED
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


def _is_delayed(outlook: Outlook, now: datetime) -> bool:
    late = outlook.trouble or now >= outlook.due_since + _SOON
    is_due = outlook.record.edition.send_at <= now
    return bool(is_due and late and ruling(outlook.record, outlook.digest, now).step is EditionStep.SEND)


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


def possible_steps(outlook: Outlook, now: datetime) -> tuple[DeskStep, ...]:
    """Return the steps that can be taken with an edition, the main one first."""
    return _POSSIBLE[phase_of(outlook, now)]


_AHEAD = (DeskStep.SEND, DeskStep.SKIP, DeskStep.CANCEL)
_POSSIBLE: dict[Phase, tuple[DeskStep, ...]] = {
    Phase.DRAFT: (DeskStep.APPROVE, DeskStep.TEST, DeskStep.HOLD, *_AHEAD),
    Phase.VOID: (DeskStep.APPROVE, DeskStep.TEST, DeskStep.HOLD, *_AHEAD),
    Phase.APPROVED: (DeskStep.WITHDRAW, DeskStep.TEST, DeskStep.HOLD, *_AHEAD),
    Phase.HELD: (DeskStep.RESUME, DeskStep.TEST, DeskStep.SKIP, DeskStep.CANCEL),
    Phase.WRITING: (DeskStep.SEND, DeskStep.HOLD, DeskStep.CANCEL),
    Phase.STAFF: (DeskStep.STOP, DeskStep.CANCEL),
    Phase.DELAYED: (DeskStep.HOLD, DeskStep.CANCEL),
    Phase.SENDING: (DeskStep.PAUSE, DeskStep.CANCEL_REST),
    Phase.PAUSED: (DeskStep.RESUME, DeskStep.CANCEL_REST),
    Phase.SENT: (),
    Phase.SKIPPED: (),
    Phase.CANCELLED: (),
}
