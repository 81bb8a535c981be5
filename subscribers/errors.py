"""Everything that can fail in `subscribers`, as one tree; each error carries its subject.

SubscribersError
├── AddressError    the text is not a usable address
├── TokenError      a link is damaged, expired or meant for something else
└── ChoiceError     a preference that is not offered (zone, hour, topic, digest)
"""

from __future__ import annotations

from collections.abc import Iterable


class SubscribersError(Exception):
    """The root of what a reader or an operator can mend; its text is one plain sentence."""


class AddressError(SubscribersError):
    """The text given is not an address that can be mailed; `reason` says why, without it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"this is no address that can be mailed: {reason}; write it as name@example.org")


class TokenError(SubscribersError):
    """A signed link cannot be used; `reason` is one of damaged, expired, used."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"this link is {reason}")


class ChoiceError(SubscribersError):
    """A choice that does not exist; `field` names it, `reason` is one of a few fixed sentences.

    `known` is what could have been chosen. The text and `advice` tell it, for who knows the names.
    """

    def __init__(self, field: str, reason: str, *, known: Iterable[str] = ()) -> None:
        self.field = field
        self.reason = reason
        among = ", ".join(known)
        self.advice = f"{reason}; choose among {among}" if among else reason
        super().__init__(f"{field}: {self.advice}")
