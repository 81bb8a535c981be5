"""How the sending limits stand: what is used of each, and who is slowed because of which answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from digest.app.wiring import App
from digest.send.limits import Meter, Rules, Use, uses
from digest.storage.limits import read_meters


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The limits of one mail server or group of domains; `share` is the percentage of its pace it has."""

    whom: str
    uses: tuple[Use, ...]
    share: int = 100
    slowed_since: datetime | None = None
    reason: str = ""  # the answer that slowed it last


def standings(app: App, now: datetime) -> tuple[Standing, ...]:
    """Return how each limit that is in force stands: the server's, then the domains', as in the file."""
    configured = app.config.mail.limits.scopes
    with app.database.read() as connection:
        meters = read_meters(connection, [rules.scope for rules in configured])
    found = (_standing(rules, meters.get(rules.scope, Meter()), now) for rules in configured)
    return tuple(each for each in found if each.uses)


def _standing(rules: Rules, meter: Meter, now: datetime) -> Standing:
    whom = ", ".join(rules.names) or rules.scope.removeprefix("server ")
    used, brake = uses(rules, meter, now), meter.brake
    share = brake.share_at(now) if brake else 100
    if brake is None or share == 100:
        return Standing(whom=whom, uses=used)
    return Standing(whom=whom, uses=used, share=share, slowed_since=brake.since, reason=brake.reason)
