"""The status of the sending limits: how much of each is used, and what is slowed down, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from digest.config import Config
from digest.limits.limits import Meter, Rules, Use, uses
from digest.storage.database import Database
from digest.storage.limits import forget_meters, read_meters


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStatus:
    """The limits of one mail server or group of domains; `share` is its pace, in percent of the full pace."""

    whom: str
    uses: tuple[Use, ...]
    share: int = 100
    slowed_since: datetime | None = None
    reason: str = ""  # the last answer that slowed it down


def limit_statuses(database: Database, config: Config, now: datetime) -> tuple[LimitStatus, ...]:
    """Return the status of all limits: first the server's, then the domains', in the order of the file."""
    configured = config.mail.limits.scopes
    with database.read() as connection:
        meters = read_meters(connection, [rules.scope for rules in configured])
    found = (_status(rules, meters.get(rules.scope, Meter()), now) for rules in configured)
    return tuple(each for each in found if each.uses)


def _status(rules: Rules, meter: Meter, now: datetime) -> LimitStatus:
    whom = ", ".join(rules.names) or rules.scope.removeprefix("server ")
    used, slowdown = uses(rules, meter, now), meter.slowdown
    share = slowdown.share_at(now) if slowdown else 100
    if slowdown is None or share == 100:
        return LimitStatus(whom=whom, uses=used)
    return LimitStatus(whom=whom, uses=used, share=share, slowed_since=slowdown.since, reason=slowdown.reason)


def forget_old_counts(database: Database, now: datetime) -> None:
    """Delete counts that are too old to matter for any limit."""
    with database.write() as connection:
        forget_meters(connection, now)
