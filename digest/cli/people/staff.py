"""The command staff: the accounts of editors and operators."""

from __future__ import annotations

from datetime import datetime

import click

from digest.app import App
from digest.cli.terminal import show
from digest.cli.terminal.session import Session, clock_of, json_option, now_option, pass_session
from digest.model.errors import ConfigError
from digest.model.staff import Person, Role
from digest.staff.audit import trail
from digest.staff.people import (
    account_named,
    add_person,
    change_digests,
    change_role,
    fresh_link,
    people,
    remove_person,
)

_ROLES = click.Choice([role.value for role in Role])


@click.group(epilog="Example: digest staff list")
def staff() -> None:
    """Manage the accounts of editors and operators.

    Their pages answer where [staff] in config.toml says so. docs/howto/staff.md explains the roles.
    """


@staff.command(epilog='Example: digest staff add "Maren Kolb" maren@example.org --role approver')
@click.argument("name")
@click.argument("address")
@click.option("--role", type=_ROLES, required=True, help="The role of the person.")
@click.option("--digest", "digests", multiple=True, help="Limit the person to this digest; can be repeated.")
@now_option
@pass_session
def add(
    session: Session, name: str, address: str, role: str, digests: tuple[str, ...], now: datetime | None
) -> None:
    """Add a person, and print a one-time link to set a password.

    Pass the link on to the person. It can be used once, within three days. Without --digest, the person
    works on all digests.
    """
    with session.app() as app:
        base, some = _base(app), frozenset(app.config.digest(slug).slug for slug in digests)
        new = Person(id="", name=name, address=address, role=Role(role), digests=some or None)
        person, token = add_person(app.database, new, clock_of(now)())
        click.echo(f"added {person.name} as {person.role}; this link works once, for three days:")
        click.echo(f"{base}/welcome/{token}")


@staff.command(epilog="Example: digest staff link maren@example.org")
@click.argument("address")
@now_option
@pass_session
def link(session: Session, address: str, now: datetime | None) -> None:
    """Print a new one-time link for a person who has forgotten the password, or lost the first link."""
    with session.app() as app:
        base, account = _base(app), account_named(app.database, address)
        token = fresh_link(app.database, account.person.id, clock_of(now)())
        click.echo(f"{base}/welcome/{token}")


@staff.command(epilog="Example: digest staff role maren@example.org administrator")
@click.argument("address")
@click.argument("role", type=_ROLES)
@now_option
@pass_session
def role(session: Session, address: str, role: str, now: datetime | None) -> None:
    """Give a person another role, which counts from their next request on."""
    with session.app() as app:
        account = account_named(app.database, address)
        person = change_role(app.database, account.person.id, Role(role), clock_of(now)())
    click.echo(f"{person.name} is {person.role} now")


@staff.command(epilog="Example: digest staff digests maren@example.org daily weekend")
@click.argument("address")
@click.argument("digests", nargs=-1)
@click.option("--all", "every", is_flag=True, help="End the limit: the person works on all digests.")
@now_option
@pass_session
def digests(
    session: Session, address: str, digests: tuple[str, ...], every: bool, now: datetime | None
) -> None:
    """Limit a person to some digests, or end the limit.

    Other digests are not shown to the person. This counts from their next request on.
    """
    if every == bool(digests):
        raise click.UsageError("name digests, or use --all")
    with session.app() as app:
        some = None if every else [app.config.digest(slug).slug for slug in digests]
        account = account_named(app.database, address)
        person = change_digests(app.database, account.person.id, some, clock_of(now)())
    click.echo(f"{person.name} works on {_works_on(person)} now")


@staff.command(epilog="Example: digest staff remove maren@example.org")
@click.argument("address")
@now_option
@pass_session
def remove(session: Session, address: str, now: datetime | None) -> None:
    """Remove a person; their sessions and tokens end at once.

    The audit trail keeps what the person has done.
    """
    with session.app() as app:
        account = account_named(app.database, address)
        person = remove_person(app.database, account.person.id, clock_of(now)())
    click.echo(f"removed {person.name}")


@staff.command("list", epilog="Example: digest staff list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List the people, their roles, and when each has signed in last."""
    with session.app() as app:
        found = people(app.database)
    if as_json:
        show.facts(
            [
                {
                    "name": each.person.name,
                    "address": each.person.address,
                    "role": each.person.role,
                    "digests": None if each.person.digests is None else sorted(each.person.digests),
                    "active": each.is_active,
                    "second_factor": each.totp is not None,
                    "signed_in_at": each.signed_in_at,
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            each.person.name,
            each.person.address,
            each.person.role,
            _works_on(each.person),
            "yes" if each.totp else "no",
            each.signed_in_at or ("not yet" if each.is_active else "has not used the link"),
        )
        for each in found
    ]
    show.table(("name", "address", "role", "digests", "second factor", "signed in (UTC)"), rows)


@staff.command(epilog="Example: digest staff audit")
@json_option
@pass_session
def audit(session: Session, as_json: bool) -> None:
    """Show what the staff did last, the newest first."""
    with session.app() as app:
        found = trail(app.database)
    if as_json:
        show.facts(
            [
                {"at": each.at, "name": each.name, "action": each.action, "subject": each.subject}
                for each in found
            ]
        )
        return
    rows = [(each.at, each.name, each.action, each.subject) for each in found]
    show.table(("when (UTC)", "who", "did", "what"), rows)


def _works_on(person: Person) -> str:
    return "all digests" if person.digests is None else ", ".join(sorted(person.digests))


def _base(app: App) -> str:
    settings = app.config.staff
    if settings is None:
        why = "is not set, so nobody can sign in; set it to the address of the staff's pages"
        raise ConfigError((app.config.problem("staff.url", why),))
    return settings.url
