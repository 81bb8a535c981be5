"""Sign what a page hands out and takes back: short-lived, for one use each, with nobody's address in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from subscribers.errors import TokenError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What was signed, and how long ago."""

    values: tuple[str, ...]
    age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """Makes and reads tickets by one secret and one clock."""

    secret: bytes = field(repr=False)
    clock: Callable[[], datetime]

    def make(self, kind: str, *values: str) -> str:
        """Return a URL-safe text that proves we said `values` now, for `kind` and nothing else."""
        return str(self._signer(kind).dumps([self.clock().timestamp(), *values]))

    def read(self, kind: str, text: str, *, life: timedelta) -> Ticket:
        """Return what was signed; raises TokenError (damaged, expired)."""
        try:
            made, *values = self._signer(kind).loads(text)
        except (BadData, ValueError) as error:
            raise TokenError("damaged") from error
        age = timedelta(seconds=self.clock().timestamp() - made)
        if age > life:
            raise TokenError("expired")
        return Ticket(values=tuple(values), age=age)

    def _signer(self, kind: str) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt=f"ticket:{kind}")
