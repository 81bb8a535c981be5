"""The facts that the preflight needs besides an edition: the last subject, links, readers, spam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from digest.model.links import LinkAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class SpamReport:
    """The score that SpamAssassin gives to a message, and the rules that made it worse, with their points."""

    score: float
    rules: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The facts that the database has about an edition; an empty value means that there are none.

    `readers` are counted by choice of topics, `links` are by address, and `lost` are pictures of ours that
    are not kept any more.
    """

    off: Mapping[str, str] = field(default_factory=dict)  # rules, each with the reason
    feeds: int = 0  # that the digest takes
    last_subject: str = ""
    links: Mapping[str, LinkAnswer] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    readers: Mapping[str, int] = field(default_factory=dict)
    languages: frozenset[str] = frozenset()  # of these readers
    spam: SpamReport | None = None
