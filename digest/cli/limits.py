"""The command that shows the sending limits."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from digest.cli import show
from digest.cli.session import Session, clock_of, json_option, now_option, pass_session

if TYPE_CHECKING:
    from digest.app.limits import Standing


@click.command(epilog="Example: digest limits")
@now_option
@json_option
@pass_session
def limits(session: Session, now: datetime | None, as_json: bool) -> None:
    """Show how the sending limits stand.

    What is used of each, and when a letter may go again where it is used up. Then who is slowed because
    a mail server asked for less, and by which answer.
    """
    from digest.app.limits import standings

    with session.app() as app:
        found = standings(app, clock_of(now)())
    if as_json:
        show.facts({"limits": found})
    elif not found:
        click.echo("nothing is limited; limits stand in config.toml under [mail]")
    else:
        _show(found)


def _show(found: tuple[Standing, ...]) -> None:
    rows = [
        (standing.whom if place == 0 else " ", use.limit, use.used, use.next_at)
        for standing in found
        for place, use in enumerate(standing.uses)
    ]
    show.table(("to", "limit", "used", "next"), rows, right=("used",))
    for standing in found:
        if standing.slowed_since:
            since = show.cell(standing.slowed_since)
            click.echo(
                f"{standing.whom}: slowed since {since} UTC, now at {standing.share} %: {standing.reason}"
            )


COMMANDS: tuple[click.Command, ...] = (limits,)
