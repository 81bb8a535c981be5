"""Tell people from bots, and count how often somebody asks, without a cookie and without a third party.

honeypot filled ─────────────────────────> BOT: told what everybody is told, and nothing is done
proof of work, form open for a while ────> PASS
neither, but the second page's button ───> PASS, within a narrower limit (no script needed)
anything else ───────────────────────────> AGAIN: shown the second page
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from fastapi import HTTPException

from digest.app.signing_up import LIMITS
from digest.storage.database import Database
from digest.web.forms import Form
from digest.web.proof import Proofs
from digest.web.security import Client
from digest.web.tickets import Tickets
from subscribers.errors import TokenError
from subscribers.pending import count_attempt

HONEYPOT = "website"
_FORM, _SECOND = "form", "second page"
_TOO_FAST = timedelta(seconds=2)  # nobody fills in a form in less
_LIFE = timedelta(hours=4)


class Verdict(StrEnum):
    """Who filled in a form, as far as we can tell."""

    PASS = "pass"
    AGAIN = "again"
    BOT = "bot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Judges forms. What was used once and who asked how often is kept in the database, for all processes."""

    database: Database
    tickets: Tickets
    proofs: Proofs
    clock: Callable[[], datetime]

    def ticket(self, *, second: bool = False) -> str:
        """Return what a form carries, to tell when it was shown; `second` is for the second page."""
        return self.tickets.make(_SECOND if second else _FORM)

    def judge(self, form: Form, client: Client) -> Verdict:
        """Judge a form that is otherwise in order; raises HTTPException 429 when a client asks too often."""
        if form.one(HONEYPOT):
            return Verdict.BOT
        self.admit(client)
        if self._aged(_SECOND, form.one("ticket")) and self._first_use(form.one("ticket")):
            self._count(f"{client.key}:unproved", LIMITS.unproved)
            return Verdict.PASS
        if self.worked(form.one("ticket"), form.one("proof")):
            return Verdict.PASS
        return Verdict.AGAIN

    def admit(self, client: Client) -> None:
        """Count one more request of a client; raises HTTPException 429 when there were too many."""
        self._count(client.key, LIMITS.requests)

    def admit_mail(self, address_hash: str) -> None:
        """Count one more mail to an address; raises HTTPException 429 when there were too many."""
        self._count(f"data:{address_hash}", LIMITS.mails)

    def worked(self, ticket: str, solution: str) -> bool:
        """Tell whether a form was open for a while and its work is done, shown for the first time."""
        name = self.proofs.check(solution) if self._aged(_FORM, ticket) else None
        return name is not None and self._first_use(name)

    def _aged(self, kind: str, text: str) -> bool:
        try:
            return self.tickets.read(kind, text, life=_LIFE).age >= _TOO_FAST
        except TokenError:
            return False

    def _first_use(self, text: str) -> bool:
        key = f"once:{sha256(text.encode()).hexdigest()[:32]}"
        with self.database.write() as connection:
            return count_attempt(connection, key, window=LIMITS.window, now=self.clock()) == 1

    def _count(self, key: str, most: int) -> None:
        window, now = LIMITS.request_window, self.clock()
        with self.database.write() as connection:
            attempts = count_attempt(connection, key, window=window, now=now)
        if attempts > most:
            seconds = str(int(window.total_seconds()))
            raise HTTPException(429, "too often", headers={"retry-after": seconds})
