"""Accounts, and the trail of what was done with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from digest.model.errors import NotFoundError
from digest.model.staff import Person, Right, Role
from digest.staff.audit import note, trail
from digest.staff.passwords import hash_password, is_outdated, is_password, password_fault
from digest.staff.people import (
    LINK_LIFE,
    StaffError,
    account_named,
    add_person,
    change_role,
    fresh_link,
    people,
    people_with,
    remove_person,
)
from digest.staff.signin import person_of_link, use_link
from digest.storage.database import Database

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
GOOD = "ferry lantern marmalade"


def added(database: Database, name: str = "Maren Kolb", role: Role = Role.APPROVER) -> tuple[Person, str]:
    address = f"{name.split()[0].lower()}@example.org"
    return add_person(database, Person(id="", name=name, address=address, role=role), NOW)


def test_only_people_with_a_password_can_do_anything(database: Database) -> None:
    person, token = added(database)
    assert people_with(database, Right.APPROVE) == ()
    use_link(database, token, GOOD, now=NOW)
    assert people_with(database, Right.APPROVE) == (person,)
    assert people_with(database, Right.ADMINISTER) == ()
    remove_person(database, person.id, NOW)
    assert people(database) == ()
    assert people_with(database, Right.LOOK) == ()


def test_a_link_ends_with_its_time_and_with_the_next_link(sqlite: Database) -> None:
    person, token = added(sqlite)
    assert person_of_link(sqlite, token, NOW + LINK_LIFE - timedelta(seconds=1)) == person
    assert person_of_link(sqlite, token, NOW + LINK_LIFE) is None
    newer = fresh_link(sqlite, person.id, NOW)
    assert person_of_link(sqlite, token, NOW) is None
    assert person_of_link(sqlite, newer, NOW) == person


def test_an_address_has_one_account(database: Database) -> None:
    person, _ = added(database)
    with pytest.raises(StaffError, match="has an account already"):
        add_person(database, Person(id="", name="M", address="MAREN@example.org", role=Role.READER), NOW)
    remove_person(database, person.id, NOW)
    with pytest.raises(NotFoundError):
        account_named(database, "maren@example.org")
    again, token = added(database, role=Role.READER)
    assert (again.id, again.role) == (person.id, Role.READER)
    assert person_of_link(database, token, NOW) == again


def test_the_trail_says_who_did_what(database: Database) -> None:
    person, _ = added(database)
    change_role(database, person.id, Role.EDITOR, NOW, by=person)
    note(database, person, "approved an edition", "daily-2026-11-23", NOW)
    told = [(each.name, each.action, each.subject) for each in trail(database)]
    assert told == [
        ("Maren Kolb", "approved an edition", "daily-2026-11-23"),
        ("Maren Kolb", "changed a role from approver to editor", "Maren Kolb"),
        ("the command line", "added a person as approver", "Maren Kolb"),
    ]
    older = trail(database, before=trail(database)[0].id)
    assert [each.action for each in older] == [action for _, action, _ in told[1:]]


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "password12345",
        "Passwort2026!!",
        "qwertyuiop123",
        "aaaaaaaaaaaaa",
        "abcabcabcabc",
        "123456789012",
        "maren kolb 1984",
        "Harbour Digest",
        "1qaz2wsx3edc",
        "asdfqwerzxcv",
        "P@$$w0rd2026",
        "liverpool123",
        "whatever1234",
        "northamerica",
        "x" * 257,
    ],
)
def test_passwords_that_others_would_try_are_refused(password: str) -> None:
    assert password_fault(password, "Maren Kolb", "maren@example.org", "Harbour Digest") is not None


@pytest.mark.parametrize("password", [GOOD, "7f!9k2$8q0z3Lm", "Grüne Tram am Kai", "пароль для редакции"])
def test_other_passwords_are_accepted(password: str) -> None:
    assert password_fault(password, "Maren Kolb", "maren@example.org", "Harbour Digest") is None


def test_a_password_is_known_by_its_hash_alone() -> None:
    hashed = hash_password(GOOD)
    assert hashed != hash_password(GOOD)
    assert is_password(hashed, GOOD)
    assert not is_password(hashed, GOOD + " ")
    assert not is_password(None, "nobody has this password")
    assert is_password(hash_password("Gr\u00fcne Tram am Kai"), "Gru\u0308ne Tram am Kai")
    assert not is_outdated(hashed)


def test_a_person_has_a_first_name_and_initials() -> None:
    for name, first, initials in (
        ("Maren Kolb", "Maren", "MK"),
        ("ada", "ada", "A"),
        ("Ana da Sá", "Ana", "AS"),
    ):
        person = Person(id="1", name=name, address="a@example.org", role=Role.READER)
        assert (person.first_name, person.initials) == (first, initials)
