"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check; `ok` is False if the operator has to do something.

    A `warning` may be right, or pass by itself.
    """

    subject: str
    ok: bool
    detail: str
    warning: bool = False
