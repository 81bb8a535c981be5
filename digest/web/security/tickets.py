"""Sign the short-lived tickets that pages hand out and take back; they never contain an address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from subscribers.errors import TokenError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The values of a ticket, and its age."""

    values: tuple[str, ...]
    age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """Makes and reads tickets with one secret and one clock."""

    secret: bytes = field(repr=False)
    clock: Callable[[], datetime]

    def make(self, kind: str, *values: str) -> str:
        """Return a URL-safe ticket with `values`, signed now and valid only for `kind`."""
        return str(self._signer(kind).dumps([self.clock().timestamp(), *values]))

    def read(self, kind: str, text: str, *, life: timedelta) -> Ticket:
        """Return the ticket in `text`, at most `life` old. Raises TokenError (damaged, expired)."""
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
