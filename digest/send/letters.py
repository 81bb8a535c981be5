"""Turn a frozen edition into letters: a mail for each choice of topics and language, then readers' copies."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from urllib.parse import quote, urlsplit

from digest.compose.edition import choose
from digest.model import Edition, EditionRecord, Letter, Mail, ReaderLinks
from digest.render.spoken import spoken
from digest.schedule import instant_of
from digest.send.headers import phrase, wire_address
from digest.send.message import Addressee, Compiled, Envelope, Fields, Mould, fill, placeholders
from subscribers.local_hours import copy_due_at
from subscribers.model import Choice, Format
from subscribers.tokens import sealer, spelled

Render = Callable[[Edition, ReaderLinks, str], Mail]  # what is left of an edition; the language spoken

NOTHING_CHOSEN = "nothing in the chosen topics"
_LATE = timedelta(hours=1)
_PLAIN = re.compile(r"[^a-z0-9.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stationery:
    """What every letter of this publisher is made with."""

    render: Render
    secret: bytes
    bounce_address: str | None = None  # "bounces+{token}@news.example.org"; None: the digest's sender
    unsubscribe_address: str | None = None  # takes goodbyes by mail; None: where replies go
    cache_bytes: int = 64_000_000  # of compiled mails kept; the least used go first


_Wish = tuple[str, str, str]  # a reader's choice of topics, form and language


class Press:
    """Make the letters of one edition: a render for each choice of topics, form and language, then joins."""

    def __init__(self, record: EditionRecord, stationery: Stationery) -> None:
        self._edition = record.edition
        self._stationery = stationery
        self._words = placeholders(record.hash)
        envelope = _envelope(record, stationery, self._words)
        self._mould = Mould(envelope, self._words, whole=stationery.cache_bytes // 64)
        self._links = ReaderLinks(
            unsubscribe=unsubscribe_url(record.edition, self._words.unsubscribe),
            preferences=preferences_url(record.edition, self._words.preferences),
        )
        self._topics = _topics(record.edition)
        sender = wire_address(parseaddr(record.edition.sender)[1])
        self._id_begin = f"{_ascii(record.edition.id)}.".encode("ascii")
        self._id_end = f"@{sender.rpartition('@')[2]}".encode("ascii")
        self._return_path = stationery.bounce_address or sender
        self._leaving = sealer(stationery.secret, f"u:{record.edition.digest}")
        self._choosing = sealer(stationery.secret, "p")
        self._bouncing = sealer(stationery.secret, "b")
        self._dated_at = dated_at(record)
        self._begin_at = min(record.edition.send_at, record.started_at or record.edition.send_at)
        self._dates: dict[tuple[str | None, str | None], bytes] = {}  # by hour and zone
        self._left: dict[str, tuple[str, ...]] = {}  # of the topics, by choice
        self._kinds: dict[_Wish, str] = {}
        self._kept: OrderedDict[str, Compiled] = OrderedDict()  # by kind, the least used first
        self._ready: dict[_Wish, Compiled] = {}  # the same at hand, while there is room for all

    @property
    def kept_bytes(self) -> int:
        """Return how much the compiled mails that are kept take in memory, about."""
        return self._mould.size

    def topics_for(self, variant: str) -> tuple[str, ...]:
        """Return what a choice of topics leaves of this edition: equal answers tell the same stories.

        Empty when it leaves nothing.
        """
        if variant not in self._left:
            choice = Choice.parse(variant)
            self._left[variant] = tuple(slug for slug in self._topics if choice.wants(slug))
        return self._left[variant]

    def letter(self, reader: Addressee) -> Letter | None:
        """Return a reader's letter, or None when nothing in the edition is among the chosen topics.

        The same reader gets the same bytes each time. Raises ValueError, without the address, for one
        that cannot be written.
        """
        subscriber_id, address, variant, form, _tries, language, hour, zone = reader
        wish = variant, form, language
        compiled = self._ready.get(wish) or self._compiled(wish)
        if compiled is None:
            return None
        address = wire_address(address)
        # In hexadecimal, for mail servers change the case of letters. It stands in the return path, and with
        # the edition's id in the Message-ID, which is so the same for every try, cannot be guessed, and tells
        # a report with nothing else of the mail which delivery it is about.
        token = self._bouncing(subscriber_id).hex()
        values = (
            address.encode("ascii"),
            self._id_begin + token.encode("ascii") + self._id_end,
            spelled(self._leaving(subscriber_id)),
            spelled(self._choosing(subscriber_id)),
            self._dates.get((hour, zone)) or self._date(hour, zone),
        )
        return_path = self._return_path.replace("{token}", token)
        return Letter(subscriber_id, return_path, address, *fill(compiled, values), compiled.plain)

    def _date(self, hour: str | None, zone: str | None) -> bytes:
        """Return the date of a copy: when it is due, at the soonest when the edition goes out."""
        due_at = copy_due_at(self._begin_at, hour, zone or self._edition.zone, instant_of=instant_of)
        date = format_datetime(max(due_at, self._dated_at)).encode("ascii")
        return self._dates.setdefault((hour, zone), date)

    def _compiled(self, wish: _Wish) -> Compiled | None:
        kind = self._kinds.get(wish)
        if kind is None:
            kind = self._kinds[wish] = self._kind(wish)
        if not kind:
            return None
        compiled = self._kept.get(kind)
        if compiled is None:
            compiled = self._keep(kind, self._compile(wish))
        else:
            self._kept.move_to_end(kind)
        if 2 * self.kept_bytes < self._stationery.cache_bytes:
            self._ready[wish] = compiled
        else:  # from here on it matters which are used
            self._ready.clear()
        return compiled

    def _kind(self, wish: _Wish) -> str:
        """Return a name for all that get the same mail; empty when they get none."""
        variant, form, language = wish
        topics = self.topics_for(variant)
        return f"{form} {self._spoken(language)} {topics}" if topics else ""

    def _spoken(self, language: str) -> str:
        return spoken(language, self._edition.language)

    def _keep(self, kind: str, compiled: Compiled) -> Compiled:
        self._kept[kind] = compiled
        while self.kept_bytes > self._stationery.cache_bytes and len(self._kept) > 1:
            self._mould.melt(self._kept.popitem(last=False)[1])
        return compiled

    def _compile(self, wish: _Wish) -> Compiled:
        variant, form, language = wish
        chosen = choose(self._edition, Choice.parse(variant))
        if chosen is None:
            raise AssertionError(f"the topics {variant!r} leave nothing of {self._edition.id}")
        mail = self._stationery.render(chosen, self._links, self._spoken(language))
        return self._mould.cast(replace(mail, html_pieces=()) if form == Format.TEXT else mail)


def unsubscribe_url(edition: Edition, token: str) -> str:
    """Return the link by which a reader leaves this digest, also with one click (RFC 8058)."""
    return f"{edition.site.base_url}/u/{quote(edition.digest)}/{token}"


def preferences_url(edition: Edition, token: str) -> str:
    """Return the link to a reader's own preferences."""
    return f"{edition.site.base_url}/p/{token}"


def dated_at(record: EditionRecord) -> datetime:
    """Return the date of an edition's mails, the same for all tries; a copy due later has a later one.

    It is the send time, as in every preview; an edition that left early, or over an hour late, has the
    time its sending began, for a mail dated ahead or long ago is suspected, and sorted to the wrong place.
    """
    send_at = record.edition.send_at
    began_at = record.started_at or send_at
    return send_at if send_at <= began_at <= send_at + _LATE else began_at


def _topics(edition: Edition) -> tuple[str, ...]:
    slugs = [section.slug for section in edition.sections]
    if edition.lead and edition.lead.topic not in slugs:
        slugs.append(edition.lead.topic)
    return tuple(slugs)


def _envelope(record: EditionRecord, stationery: Stationery, words: Fields) -> Envelope:
    edition = record.edition
    sender = wire_address(parseaddr(edition.sender)[1])
    replies = wire_address(parseaddr(edition.reply_to)[1]) if edition.reply_to else sender
    goodbyes = stationery.unsubscribe_address or replies
    return Envelope(
        sender=edition.sender,
        recipient=words.recipient,
        message_id=words.message_id,
        date=words.date,
        reply_to=edition.reply_to,
        more=_list_fields(edition, words, goodbyes=goodbyes, replies=replies),
    )


def _list_fields(edition: Edition, words: Fields, *, goodbyes: str, replies: str) -> tuple[str, ...]:
    """Return the fields by which mail programs know a list (RFC 2369, 2919, 8058), never as encoded words."""
    host = urlsplit(edition.site.base_url).hostname or "localhost"
    name = f"{_ascii(edition.digest)}.{_ascii(host)}"
    mailto = f"mailto:{quote(goodbyes, safe='@+')}?subject=unsubscribe%20{words.unsubscribe}"
    publisher = sha256(host.encode()).hexdigest()[:12]
    return (
        f"List-Id: {phrase(edition.title, len('List-Id: '))}\r\n <{name}>",
        f"List-Unsubscribe: <{unsubscribe_url(edition, words.unsubscribe)}>,\r\n <{mailto}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        f"List-Archive: <{edition.site.base_url}/d/{quote(edition.digest)}>",
        f"List-Help: <mailto:{quote(replies, safe='@+')}?subject=help>",
        "Precedence: bulk",
        f"Feedback-ID: {_ascii(edition.id)}:{_ascii(edition.digest)}:digest:{publisher}",
    )


def _ascii(text: str) -> str:
    """Return a slug or host fit for an identifier in a header."""
    if not text.isascii():
        text = text.encode("punycode").decode("ascii")
    return _PLAIN.sub("-", text.lower())
