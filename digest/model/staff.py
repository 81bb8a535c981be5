"""The people who work on digests: their roles, and the rights that each role has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Right(StrEnum):
    """A permission; each page of the staff and each request needs one of them."""

    LOOK = "look"  # see everything, comment, send a test to oneself, stop an edition
    EDIT = "edit"  # edit and refresh an edition, skip a date
    APPROVE = "approve"  # approve an edition, send it now
    OPERATE = "operate"  # pause and retry, feeds, tests to others
    ADMINISTER = "administer"  # people, roles, the audit trail


class Role(StrEnum):
    """The role of a person, from the fewest rights to all of them."""

    READER = "reader"
    EDITOR = "editor"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


# An operator keeps the machine running and edits in an emergency. The approval is the desk's alone.
_RIGHTS = {
    Role.READER: frozenset({Right.LOOK}),
    Role.EDITOR: frozenset({Right.LOOK, Right.EDIT}),
    Role.APPROVER: frozenset({Right.LOOK, Right.EDIT, Right.APPROVE}),
    Role.OPERATOR: frozenset({Right.LOOK, Right.EDIT, Right.OPERATE}),
    Role.ADMINISTRATOR: frozenset(Right),
}


def rights_of(role: Role) -> frozenset[Right]:
    """Return the rights of a role."""
    return _RIGHTS[role]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account for the staff's pages.

    `digests` are the slugs of those that the person works on; None stands for all, also for later ones.
    """

    id: str
    name: str
    address: str
    role: Role
    digests: frozenset[str] | None = None

    def may(self, right: Right, digest: str = "") -> bool:
        """Tell whether the person's role has a right, and whether the person works on `digest`, if given."""
        return right in rights_of(self.role) and (not digest or self.works_on(digest))

    def works_on(self, digest: str) -> bool:
        """Tell whether a digest is one of the person's; others are not shown to the person."""
        return self.digests is None or digest in self.digests

    @property
    def first_name(self) -> str:
        """Return the name by which the pages speak of the person."""
        return self.name.split()[0]

    @property
    def initials(self) -> str:
        """Return one or two letters that stand for the person where there is no room for a name."""
        words = self.name.split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()
