"""Turn a frozen edition into letters: which mail a choice of topics gets, and each reader's copy of it."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from hashlib import sha256
from urllib.parse import quote, urlsplit

from digest.compose.edition import choose
from digest.model import Edition, EditionRecord, Letter, Mail, ReaderLinks
from digest.send.headers import phrase, wire_address
from digest.send.message import Addressee, Compiled, Envelope, Fields, Mould, fill, placeholders
from subscribers.model import Choice, Format
from subscribers.tokens import reader_seal, reader_token

Render = Callable[[Edition, ReaderLinks], Mail]

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


class Press:
    """Make the letters of one edition: a render for each choice of topics, a join for each reader."""

    def __init__(self, record: EditionRecord, stationery: Stationery) -> None:
        self._edition = record.edition
        self._stationery = stationery
        self._words = placeholders(record.hash)
        self._mould = Mould(_envelope(record, stationery, self._words), self._words)
        self._topics = _topics(record.edition)
        sender = wire_address(parseaddr(record.edition.sender)[1])
        self._message_id = f"{_ascii(record.edition.id)}.{{token}}@{sender.rpartition('@')[2]}"
        self._leaving = f"u:{record.edition.digest}"  # what an unsubscribe token is for
        self._return_path = stationery.bounce_address or sender
        self._keys: dict[str, tuple[str, ...]] = {}
        self._kept: OrderedDict[tuple[tuple[str, ...], bool], Compiled] = OrderedDict()

    @property
    def kept_bytes(self) -> int:
        """Return how much the compiled mails that are kept take in memory, about."""
        return self._mould.size

    def topics_for(self, variant: str) -> tuple[str, ...]:
        """Return what a choice of topics leaves of this edition: equal answers get the same mail.

        Empty when it leaves nothing.
        """
        if variant not in self._keys:
            choice = Choice.parse(variant)
            self._keys[variant] = tuple(slug for slug in self._topics if choice.wants(slug))
        return self._keys[variant]

    def letter(self, reader: Addressee) -> Letter | None:
        """Return a reader's letter, or None when nothing in the edition is among the chosen topics.

        The same reader gets the same bytes each time. Raises ValueError, without the address, for one
        that cannot be written.
        """
        if not self.topics_for(reader.variant):
            return None
        compiled = self._compiled(reader.variant, reader.format == Format.TEXT)
        secret, subscriber_id = self._stationery.secret, reader.subscriber_id
        address = wire_address(reader.address)
        token = bounce_token(secret, subscriber_id)
        fields = Fields(
            recipient=address,
            message_id=self._message_id.replace("{token}", token),
            unsubscribe=reader_token(secret, subscriber_id, self._leaving),
            preferences=reader_token(secret, subscriber_id, "p"),
        )
        return_path = self._return_path.replace("{token}", token)
        return Letter(subscriber_id, return_path, address, fill(compiled, fields))

    def _compiled(self, variant: str, text_only: bool) -> Compiled:
        key = self.topics_for(variant), text_only
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        compiled = self._compile(variant, text_only)
        self._kept[key] = compiled
        while self.kept_bytes > self._stationery.cache_bytes and len(self._kept) > 1:
            self._mould.melt(self._kept.popitem(last=False)[1])
        return compiled

    def _compile(self, variant: str, text_only: bool) -> Compiled:
        chosen = choose(self._edition, Choice.parse(variant))
        if chosen is None:
            raise AssertionError(f"the topics {variant!r} leave nothing of {self._edition.id}")
        links = ReaderLinks(
            unsubscribe=unsubscribe_url(self._edition, self._words.unsubscribe),
            preferences=preferences_url(self._edition, self._words.preferences),
        )
        mail = self._stationery.render(chosen, links)
        return self._mould.cast(replace(mail, html="") if text_only else mail)


def bounce_token(secret: bytes, subscriber_id: int) -> str:
    """Return a reader token (purpose "b") as 42 hexadecimal digits: mail servers change the case of letters.

    It stands in the return path, and with the edition's id in the Message-ID, which is so the same for
    every try, cannot be guessed, and tells a report with nothing else of the mail which delivery it is about.

    `urlsafe_b64encode(bytes.fromhex(…))` is what `subscribers.tokens.read_token` reads.
    """
    return reader_seal(secret, subscriber_id, "b").hex()


def unsubscribe_url(edition: Edition, token: str) -> str:
    """Return the link by which a reader leaves this digest, also with one click (RFC 8058)."""
    return f"{edition.site.base_url}/u/{quote(edition.digest)}/{token}"


def preferences_url(edition: Edition, token: str) -> str:
    """Return the link to a reader's own preferences."""
    return f"{edition.site.base_url}/p/{token}"


def dated_at(record: EditionRecord) -> datetime:
    """Return the date of an edition's mails, the same for all readers and all tries.

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
        date=dated_at(record),
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
