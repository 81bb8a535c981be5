"""All errors of `subscribers`, as one tree; each error names its subject.

SubscribersError
├── AddressError    the text is not a usable address
├── TokenError      a link is damaged, expired or made for another purpose
└── ChoiceError     a preference does not exist or is not offered (zone, hour, topic, digest)
"""

from __future__ import annotations

from collections.abc import Iterable


class SubscribersError(Exception):
    """The root of all errors that a reader or an operator can fix; its text is one plain sentence."""


class AddressError(SubscribersError):
    """A text is not a usable email address; `reason` says why and does not quote the text."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"this is not a usable email address: {reason}; write it as name@example.org")


class TokenError(SubscribersError):
    """A signed link cannot be used; `reason` is "damaged", "expired" or "used"."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"this link is {reason}")


class ChoiceError(SubscribersError):
    """A choice does not exist; `field` names it, and `reason` is one of a few fixed sentences.

    `known` lists what can be chosen. `advice` is the reason followed by this list.
    """

    def __init__(self, field: str, reason: str, *, known: Iterable[str] = ()) -> None:
        self.field = field
        self.reason = reason
        offered = ", ".join(known)
        self.advice = f"{reason}; choose from {offered}" if offered else reason
        super().__init__(f"{field}: {self.advice}")
