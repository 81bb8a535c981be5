"""Turn a frozen edition into messages: an email for each choice of topics and language, then each copy."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from threading import Lock
from urllib.parse import quote, urlsplit

from digest.message.compile import Compiled, Envelope, Fields, MessageCompiler, fill, placeholders
from digest.message.headers import phrase, wire_address
from digest.message.reader_links import (
    FOR_BOUNCES,
    FOR_PREFERENCES,
    archive_url,
    for_unsubscribing,
    preferences_url,
    signup_url,
    unsubscribe_url,
    with_token,
)
from digest.model.deliveries import Recipient
from digest.model.editions import Edition, EditionRecord
from digest.model.errors import PreflightError
from digest.model.messages import Email, Message, ReaderLinks
from digest.model.snapshot import choose, headings_of
from digest.render.languages.languages import spoken
from digest.render.mail import mark_as_test
from digest.render.reading.footer import Footer
from digest.schedule.local_hours import copy_due_at
from digest.schedule.schedule import instant_of
from subscribers.model import Choice, Format
from subscribers.tokens import sealer, spelled

Render = Callable[[Edition, ReaderLinks, str], Email]  # the chosen part of an edition; links; language

NOTHING_CHOSEN = "nothing in the chosen topics"
_LATE = timedelta(hours=1)
_PLAIN = re.compile(r"[^a-z0-9.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSettings:
    """The settings for all messages of this publisher."""

    render: Render
    secret: bytes
    bounce_address: str | None = None  # "bounces+{token}@news.example.org"; None: the digest's sender
    unsubscribe_address: str | None = None  # takes unsubscribe requests by email; None: no such offer
    only_shown: bool = False  # a preview is not sent, so it may lack what no message may lack
    test: str | None = None  # the id of a test message, which is marked as one; None: it is for readers
    cache_bytes: int = 64_000_000  # of compiled emails; the least recently used are evicted first


def rendered_by(message_settings: MessageSettings, render: Callable[[], Render]) -> MessageSettings:
    """Return settings whose emails are rendered by the result of `render`, which is called when needed."""
    made: list[Render] = []

    def later(edition: Edition, links: ReaderLinks, language: str) -> Email:
        if not made:
            made.append(render())
        return made[0](edition, links, language)

    return replace(message_settings, render=later)


_Preferences = tuple[str, str, str]  # a reader's choice of topics, format and language


class MessageBuilder:
    """Makes the messages of one edition: one rendering for each choice of topics, format and language.

    Several threads may use one builder.
    """

    def __init__(self, record: EditionRecord, message_settings: MessageSettings) -> None:
        self._edition = record.edition
        self._message_settings = message_settings
        self._words = placeholders(record.hash)
        envelope = _envelope(record, message_settings, self._words)
        self._compiler = MessageCompiler(envelope, self._words, whole=message_settings.cache_bytes // 64)
        self._links = ReaderLinks(
            unsubscribe=unsubscribe_url(
                record.edition.site.base_url, record.edition.digest, self._words.unsubscribe
            ),
            preferences=preferences_url(record.edition.site.base_url, self._words.preferences),
            subscribe=signup_url(record.edition.site.base_url, record.edition.digest),
        )
        self._topics = tuple(heading.slug for heading in headings_of(record.edition))
        self._footer = Footer(self._links.unsubscribe, record.edition.site.postal_address)
        sender = wire_address(parseaddr(record.edition.sender)[1])
        # Mail programs show only one of two messages with the same Message-ID, so each test has its own.
        begin = f"test-{message_settings.test}" if message_settings.test else _ascii(record.edition.id)
        self._id_begin = f"{begin}.".encode("ascii")
        self._id_end = f"@{sender.rpartition('@')[2]}".encode("ascii")
        self._return_path = message_settings.bounce_address or sender
        self._unsubscribe_seal = sealer(message_settings.secret, for_unsubscribing(record.edition.digest))
        self._preferences_seal = sealer(message_settings.secret, FOR_PREFERENCES)
        self._bounce_seal = sealer(message_settings.secret, FOR_BOUNCES)
        self._dated_at = dated_at(record)
        # An edition that is sent by hand before its send time begins when it is sent.
        self._begin_at = min(record.edition.send_at, record.started_at or record.edition.send_at)
        self._dates: dict[tuple[str | None, str | None], bytes] = {}  # by hour and zone
        self._topics_left: dict[str, tuple[str, ...]] = {}  # by choice
        self._kinds: dict[_Preferences, str] = {}
        self._kept: OrderedDict[str, Compiled] = OrderedDict()  # by kind, least recently used first
        self._ready: dict[_Preferences, Compiled] = {}  # a faster look-up, while all emails fit in the cache
        self._lock = Lock()  # for all that an email is compiled with, and `_kept`

    @property
    def kept_bytes(self) -> int:
        """Return roughly how many bytes of memory the compiled emails take."""
        return self._compiler.size

    def topics_for(self, variant: str) -> tuple[str, ...]:
        """Return the topics of this edition that a choice wants; empty if it wants none of them.

        Two choices with the same result get the same stories.
        """
        if variant not in self._topics_left:
            choice = Choice.parse(variant)
            self._topics_left[variant] = tuple(slug for slug in self._topics if choice.wants(slug))
        return self._topics_left[variant]

    def message(self, reader: Recipient) -> Message | None:
        """Return a reader's message, or None if the edition has nothing in the chosen topics.

        The same reader gets the same bytes each time. Raises ValueError, without the address in its text, if
        the address cannot be written, and PreflightError if the email has no link to unsubscribe or no postal
        address.
        """
        subscriber_id, address, variant, form, _tries, language, hour, zone = reader
        preferences = variant, form, language
        compiled = self._ready.get(preferences) or self._compiled(preferences)
        if compiled is None:
            return None
        address = wire_address(address)
        # The token is hexadecimal, because mail servers change the case of letters. It is part of the return
        # path and of the Message-ID. So the Message-ID is the same for every try, cannot be guessed, and
        # identifies the delivery in a bounce report that returns nothing else of the message.
        token = self._bounce_seal(subscriber_id).hex()
        unsubscribe = self._unsubscribe_seal(subscriber_id)
        values = (
            address.encode("ascii"),
            self._id_begin + token.encode("ascii") + self._id_end,
            spelled(unsubscribe),
            spelled(self._preferences_seal(subscriber_id)),
            self._dates.get((hour, zone)) or self._date(hour, zone),
            unsubscribe.hex().encode("ascii"),
        )
        return_path = self._return_path.replace("{token}", token)
        return Message(subscriber_id, return_path, address, *fill(compiled, values), compiled.plain)

    def _date(self, hour: str | None, zone: str | None) -> bytes:
        """Return the date of a copy: when it is due, but not before the edition's own date."""
        due_at = copy_due_at(self._begin_at, hour, zone or self._edition.zone, instant_of=instant_of)
        date = format_datetime(max(due_at, self._dated_at)).encode("ascii")
        return self._dates.setdefault((hour, zone), date)

    def _compiled(self, preferences: _Preferences) -> Compiled | None:
        with self._lock:
            return self._kept_or_compiled(preferences)

    def _kept_or_compiled(self, preferences: _Preferences) -> Compiled | None:
        kind = self._kinds.get(preferences)
        if kind is None:
            kind = self._kinds[preferences] = self._kind(preferences)
        if not kind:
            return None
        compiled = self._kept.get(kind)
        if compiled is None:
            compiled = self._keep(kind, self._compile(preferences))
        else:
            self._kept.move_to_end(kind)
        if 2 * self.kept_bytes < self._message_settings.cache_bytes:
            self._ready[preferences] = compiled
        else:
            # Near the limit, each use must be seen by `_kept`, because the least recently used are evicted.
            self._ready.clear()
        return compiled

    def _kind(self, preferences: _Preferences) -> str:
        """Return a key that is equal for all preferences with the same email; empty if there is no email."""
        variant, form, language = preferences
        topics = self.topics_for(variant)
        return f"{form} {self._spoken(language)} {topics}" if topics else ""

    def _spoken(self, language: str) -> str:
        return spoken(language, self._edition.language)

    def _keep(self, kind: str, compiled: Compiled) -> Compiled:
        self._kept[kind] = compiled
        while self.kept_bytes > self._message_settings.cache_bytes and len(self._kept) > 1:
            self._compiler.evict(self._kept.popitem(last=False)[1])
        return compiled

    def _compile(self, preferences: _Preferences) -> Compiled:
        variant, form, language = preferences
        chosen = choose(self._edition, Choice.parse(variant))
        if chosen is None:
            raise AssertionError(f"the topics {variant!r} leave nothing of {self._edition.id}")
        email = self._message_settings.render(chosen, self._links, self._spoken(language))
        if self._message_settings.test:
            email = mark_as_test(email, self._edition.site.brand, self._spoken(language))
        if form == Format.TEXT:
            email = replace(email, html_pieces=())
        if not self._message_settings.only_shown and (missing := self._footer.missing(email)):
            raise PreflightError(self._edition.id, missing)
        return self._compiler.compile(email)


def dated_at(record: EditionRecord) -> datetime:
    """Return the date of an edition's messages, the same for all tries; a copy that is due later has its own.

    The date is the send time, as in every preview. If the edition began to go out before that, or more than
    an hour after it, the date is the time when sending began.
    """
    # Spam filters suspect a message that is dated ahead or long ago, and mail programs sort it to the wrong
    # place.
    send_at = record.edition.send_at
    began_at = record.started_at or send_at
    return send_at if send_at <= began_at <= send_at + _LATE else began_at


def _envelope(record: EditionRecord, message_settings: MessageSettings, words: Fields) -> Envelope:
    edition = record.edition
    sender = wire_address(parseaddr(edition.sender)[1])
    replies = wire_address(parseaddr(edition.reply_to)[1]) if edition.reply_to else sender
    return Envelope(
        sender=edition.sender,
        recipient=words.recipient,
        message_id=words.message_id,
        date=words.date,
        reply_to=edition.reply_to,
        more=(
            *_list_fields(edition, words, message_settings.unsubscribe_address, replies=replies),
            *(["X-Test-Message: yes"] if message_settings.test else []),
        ),
    )


def _list_fields(
    edition: Edition, words: Fields, unsubscribe_address: str | None, *, replies: str
) -> tuple[str, ...]:
    """Return the fields that describe the list to mail programs (RFC 2369, 2919, 8058)."""
    host = urlsplit(edition.site.base_url).hostname or "localhost"
    name = f"{_ascii(edition.digest)}.{_ascii(host)}"
    one_click = unsubscribe_url(edition.site.base_url, edition.digest, words.unsubscribe)
    # A mail program prefers the first link that it supports. Without an address that is read, there is no
    # second link, because a request that nobody reads is worse than none.
    mailto = f",\r\n <{_mailto(unsubscribe_address, words)}>" if unsubscribe_address else ""
    publisher = sha256(host.encode()).hexdigest()[:12]
    return (
        f"List-Id: {phrase(edition.title, len('List-Id: '))}\r\n <{name}>",
        f"List-Unsubscribe: <{one_click}>{mailto}",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        f"List-Archive: <{archive_url(edition.site.base_url, edition.digest)}>",
        f"List-Help: <mailto:{quote(replies, safe='@+')}?subject=help>",
        "Precedence: bulk",
        f"Feedback-ID: {_ascii(edition.id)}:{_ascii(edition.digest)}:digest:{publisher}",
    )


def _mailto(unsubscribe_address: str, words: Fields) -> str:
    """Return the link for an unsubscribe request by email, with the reader's token in address and subject.

    A mail program may leave the subject out, and a server may remove the token from the address.
    """
    address = quote(with_token(unsubscribe_address, words.mailbox_token), safe="@+")
    return f"mailto:{address}?subject=unsubscribe%20{words.unsubscribe}"


def _ascii(text: str) -> str:
    """Return a slug or host as an ASCII identifier for a header, so that it never needs encoded words."""
    if not text.isascii():
        text = text.encode("punycode").decode("ascii")
    return _PLAIN.sub("-", text.lower())
