"""The command subscribers bounces: whose mail came back, and why."""

from __future__ import annotations

import click

from digest.cli import show
from digest.cli.session import Session, json_option, pass_session

_KINDS = ("hard", "soft", "other", "complaint")


@click.command(epilog="Example: digest subscribers bounces --kind complaint")
@click.option("--kind", type=click.Choice(_KINDS), help="Only those of this kind.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
@pass_session
def bounces(session: Session, kind: str | None, limit: int, as_json: bool) -> None:
    """List what came back, the newest first.

    Whose mail it was, why it came back, and whether they are mailed any more. What `digest receive` read,
    and what a server refused while an edition was sent because there is no such mailbox.
    """
    from digest.app.bounces import bounces_listed
    from subscribers.bounces import BounceKind

    with session.app() as app:
        found = bounces_listed(app, kind=BounceKind(kind) if kind else None, limit=limit)
    if as_json:
        show.facts(
            [
                {
                    "at": each.bounce.at,
                    "kind": each.bounce.kind,
                    "address": each.address,
                    "edition": each.bounce.edition or None,
                    "source": each.bounce.source,
                    "reason": each.bounce.reason,
                    "suppressed": each.suppressed,
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            each.bounce.at,
            each.address or "(not on the list)",
            each.bounce.kind,
            "not mailed" if each.suppressed else "mailed",
            each.bounce.reason,
        )
        for each in found
    ]
    show.table(("when (UTC)", "address", "kind", "now", "reason"), rows)
