"""Change a reader's address, after both the old and the new address have confirmed it."""

from __future__ import annotations

import secrets
from datetime import datetime

from digest.config import Config
from digest.config.parts import Parts
from digest.message.reader_links import confirmation_url
from digest.model.messages import Message
from digest.readers.notices import sender_for, subscriber_of, write_message
from digest.readers.signup import LIMITS
from digest.render.languages.languages import words_for
from digest.render.notices import Notice
from digest.render.templates import Templates
from digest.storage.database import Database
from subscribers.address import parse_address
from subscribers.model import Origin, Reader
from subscribers.rules.decisions import Refused
from subscribers.rules.moving import Moved
from subscribers.store import operations
from subscribers.store.operations import MoveRequest
from subscribers.tokens import address_hash, confirmation_token, token_hash


def ask_move(
    parts: Parts, reader: Reader, address: str, *, origin: Origin, now: datetime
) -> tuple[Message, ...]:
    """Record the request for another address; return the messages to both addresses. Raises AddressError.

    Call it after the answer has been sent, because its duration reveals which addresses are on the list.
    """
    new = parse_address(address)
    tokens = [confirmation_token(secrets.token_bytes(24)) for _ in range(2)]
    request = MoveRequest(
        address=new,
        address_hash=address_hash(parts.secret, new.folded),
        old_token_hash=token_hash(tokens[0]),
        new_token_hash=token_hash(tokens[1]),
        origin=origin,
    )
    with parts.database.write() as connection:
        move = operations.ask_move(connection, subscriber_of(reader).id, request, limits=LIMITS, now=now)
    subscriber = subscriber_of(reader)
    messages = []
    if move.to_old is not None:
        messages.append(
            _move_message(
                parts.config, parts.templates, reader, subscriber.address, tokens[0], now, new=False
            )
        )
    if move.to_new is not None:
        messages.append(
            _move_message(parts.config, parts.templates, reader, new.address, tokens[1], now, new=True)
        )
    return tuple(messages)


def confirm_move(database: Database, token: str, *, origin: Origin, now: datetime) -> Moved | Refused:
    """Confirm a change of address from one address; the second confirmation makes the change."""
    with database.write() as connection:
        return operations.confirm_move(connection, token_hash(token), origin=origin, now=now)


def _move_message(
    config: Config, templates: Templates, reader: Reader, to: str, token: str, now: datetime, *, new: bool
) -> Message:
    say = words_for(subscriber_of(reader).language)
    values = {
        "link": confirmation_url(config.site.base_url, token),
        "new": new,
        "days": LIMITS.link_life.days,
    }
    notice = Notice(name="move", subject=say("Please confirm your change of address"), values=values)
    return write_message(
        config, templates, notice, to=to, digest=sender_for(config, reader), say=say, now=now
    )
