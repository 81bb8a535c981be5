"""Change a reader's address, after both the old and the new address have confirmed it."""

from __future__ import annotations

from datetime import datetime

from digest.config.parts import Parts
from digest.readers.preferences import subscriber_of
from digest.readers.signup import LIMITS
from digest.storage.database import Database
from subscribers.address import parse_address
from subscribers.model import Origin, Reader
from subscribers.rules.decisions import Refused
from subscribers.rules.moving import Moved, MoveRequest
from subscribers.store import moving
from subscribers.tokens import address_hash, token_hash


def ask_move(parts: Parts, reader: Reader, address: str, *, origin: Origin, now: datetime) -> None:
    """Record the request for another address, and queue the messages to both addresses.

    Raises AddressError.
    """
    new = parse_address(address)
    request = MoveRequest(address=new, address_hash=address_hash(parts.secret, new.folded), origin=origin)
    with parts.database.write() as connection:
        moving.ask_move(
            connection, subscriber_of(reader).id, request, secret=parts.secret, limits=LIMITS, now=now
        )


def confirm_move(database: Database, token: str, *, origin: Origin, now: datetime) -> Moved | Refused:
    """Confirm a change of address from one address; the second confirmation makes the change."""
    with database.write() as connection:
        return moving.confirm_move(connection, token_hash(token), origin=origin, now=now)
