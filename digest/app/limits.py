"""How the sending limits stand: what is used of each, and who is slowed because of which answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from digest.app.wiring import App
from digest.send.limits import Meter, Rules, Use, domain_rules, slowed_since, uses
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
    """Return what is configured, in the order of the file, then the other domains that are slowed."""
    limits = app.config.mail.limits
    configured = {rules.scope: rules for rules in (limits.server, *limits.domains)}
    with app.database.read() as connection:
        meters = read_meters(connection, list(configured), slowed_since=slowed_since(now))
    others = {
        scope: domain_rules(scope.removeprefix("domain "))
        for scope in sorted(meters.keys() - configured.keys())
        if scope.startswith("domain ")
    }
    found = (
        _standing(rules, meters.get(scope, Meter()), now) for scope, rules in (configured | others).items()
    )
    return tuple(each for each in found if each.uses)


def _standing(rules: Rules, meter: Meter, now: datetime) -> Standing:
    whom = ", ".join(rules.names) or rules.scope.removeprefix("server ")
    used, brake = uses(rules, meter, now), meter.brake
    share = brake.share_at(now) if brake else 100
    if brake is None or share == 100:
        return Standing(whom=whom, uses=used)
    return Standing(whom=whom, uses=used, share=share, slowed_since=brake.since, reason=brake.reason)
