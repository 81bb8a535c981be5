"""Tell people from bots and limit the requests of each client, without cookies or third parties.

honeypot filled in ──────────────────────> BOT: gets the usual page, and nothing is done
proof of work, form open for a while ────> PASS
button of the second page ───────────────> PASS, within a lower limit (works without JavaScript)
anything else ───────────────────────────> AGAIN: gets the second page
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from fastapi import HTTPException

from digest.readers.signup import LIMITS
from digest.web.security.forms import Form
from digest.web.security.proof import Proofs
from digest.web.security.security import Client
from digest.web.security.tickets import Tickets
from subscribers.errors import TokenError

HONEYPOT = "website"
_FORM, _SECOND = "form", "second page"
_TOO_FAST = timedelta(seconds=2)  # nobody fills in a form faster
_LIFE = timedelta(hours=4)


class FormVerdict(StrEnum):
    """The decision about a form."""

    PASS = "pass"
    AGAIN = "again"
    BOT = "bot"


@dataclass(frozen=True, slots=True, kw_only=True)
class AbuseGuard:
    """Judges forms. Counts and used tickets are kept in the database, so they hold for all processes."""

    count: Callable[[str, timedelta, datetime], int]  # adds one under a key; returns the count in the window
    tickets: Tickets
    proofs: Proofs
    clock: Callable[[], datetime]

    def ticket(self, *, second: bool = False) -> str:
        """Return a ticket that tells when a form was shown; `second` is for the second page."""
        return self.tickets.make(_SECOND if second else _FORM)

    def judge(self, form: Form, client: Client) -> FormVerdict:
        """Judge a form without mistakes. Raises HTTPException 429 after too many requests of a client."""
        if form.one(HONEYPOT):
            return FormVerdict.BOT
        self.admit(client)
        if self._aged(_SECOND, form.one("ticket")) and self._first_use(form.one("ticket")):
            self._count(f"{client.key}:unproved", LIMITS.unproved)
            return FormVerdict.PASS
        if self.is_proved(form.one("ticket"), form.one("proof")):
            return FormVerdict.PASS
        return FormVerdict.AGAIN

    def admit(self, client: Client) -> None:
        """Count one request of a client. Raises HTTPException 429 when there were too many."""
        self._count(client.key, LIMITS.requests)

    def is_proved(self, ticket: str, solution: str) -> bool:
        """Tell whether a form was open for a while and has a valid proof of work that was not used before."""
        name = self.proofs.check(solution) if self._aged(_FORM, ticket) else None
        return name is not None and self._first_use(name)

    def _aged(self, kind: str, text: str) -> bool:
        try:
            return self.tickets.read(kind, text, life=_LIFE).age >= _TOO_FAST
        except TokenError:
            return False

    def _first_use(self, text: str) -> bool:
        key = f"once:{sha256(text.encode()).hexdigest()[:32]}"
        return self.count(key, LIMITS.window, self.clock()) == 1

    def _count(self, key: str, most: int) -> None:
        window = LIMITS.request_window
        attempts = self.count(key, window, self.clock())
        if attempts > most:
            seconds = str(int(window.total_seconds()))
            raise HTTPException(
                429, "too many requests; try again in an hour", headers={"retry-after": seconds}
            )
