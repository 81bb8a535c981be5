"""The command subscribers history: what an operator answers when a reader asks how they got on the list."""

from __future__ import annotations

import click

from digest.cli import show
from digest.cli.session import Session, json_option, pass_session


@click.command(epilog="Example: digest subscribers history ada@example.org")
@click.argument("address")
@json_option
@pass_session
def history(session: Session, address: str, as_json: bool) -> None:
    """Show all that happened to one reader.

    When they signed up and confirmed, from where and to which words, what they changed, and which mails
    were sent to them, the oldest first. After erasure nothing is left to show.
    """
    from digest.app.lives import life_of

    with session.app() as app:
        reader, events = life_of(app, address)
    assert reader.subscriber is not None, "life_of gives none without"
    if as_json:
        show.facts({"address": reader.subscriber.address, "state": reader.subscriber.state, "events": events})
        return
    rows = [(event.at, event.what, event.source, event.detail) for event in events]
    show.table(("when (UTC)", "what", "source or edition", "evidence"), rows)
