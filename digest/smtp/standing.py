"""Remember what one mail server has answered lately, so that each answer is judged beside the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from subscribers.rules.answers import Answer, Cause, Others, cause_of


class Standing:
    """The answers of one server in one run. `rows` holds the domains that were told to wait."""

    def __init__(self, elsewhere: Callable[[], bool] = lambda: False) -> None:
        self.rows: dict[str, tuple[int, int]] = {}  # domain → such answers; `_accepted` at the first
        self.ever = False  # the server has accepted a message
        self.alone = False  # the server gets one connection, so it cannot want fewer
        self.elsewhere = elsewhere  # tells whether another server is there to take our messages
        self._accepted = 0  # messages, while a domain was in `rows`

    def judge(self, answer: Answer, recipient: str) -> Cause:
        """Return the cause of an answer to a message, by what this server has answered to others."""
        domain = _domain(recipient)
        alike, accepted = self.rows.get(domain, (0, self._accepted))
        others = Others(
            alike=alike + 1,
            accepted=self._accepted - accepted,
            domains=len(self.rows.keys() | {domain}),
            ever=self.ever,
            elsewhere=self.elsewhere(),
        )
        cause = cause_of(replace(answer, others=others))
        if cause is Cause.CONNECTIONS and self.alone:
            return Cause.RATE
        if cause in (Cause.DOMAIN, Cause.RATE, Cause.UNSURE):
            self.rows[domain] = alike + 1, accepted
        return cause

    def hear(self, recipient: str) -> None:
        """Note that a message was accepted; needed only while there are `rows`."""
        self._accepted += 1
        self.rows.pop(_domain(recipient), None)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
