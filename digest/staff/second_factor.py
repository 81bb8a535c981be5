"""The second factor: codes of an app (TOTP, RFC 6238), and recovery codes for a day without the phone."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from datetime import datetime, timedelta
from hashlib import sha256

import pyotp
import segno

from digest.editions.notices.account import tell_person
from digest.model.staff import Person
from digest.schedule.staff_notices import StaffNoticeKind
from digest.staff.audit import record
from digest.staff.signin import browser_words
from digest.storage.database import Connection, Database
from digest.storage.staff import people as stored
from digest.storage.staff import sessions
from digest.storage.staff.people import Account
from digest.storage.staff.sessions import StaffSession
from subscribers.store.confirmations import count_attempt

STEP = timedelta(seconds=30)
_AROUND = (0, -1, 1)  # steps: a phone's clock may be a little off
_SECRET_BYTES = 20
_NONCE = 16
RECOVERY_CODES = 10
_CODE_BYTES = 10  # 80 bits, which are 16 letters and digits
ATTEMPTS, WINDOW = 10, timedelta(minutes=15)


def new_secret() -> str:
    """Return a new secret for an app, in base 32."""
    return b32encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def qr_code(secret: str, person: Person, issuer: str) -> str:
    """Return the QR code that an app scans, as an SVG element."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=person.address, issuer_name=issuer)
    return str(segno.make(uri, error="m", micro=False).svg_inline(scale=5, light="#fff", border=4))


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the step of time that a code belongs to, or None if it is wrong."""
    current, totp = int(now.timestamp() // STEP.total_seconds()), pyotp.TOTP(secret)
    given = "".join(code.split()).encode(errors="replace")
    matches = [
        current + away
        for away in _AROUND
        if hmac.compare_digest(totp.generate_otp(current + away).encode(), given)
    ]
    return matches[0] if matches else None


def turn_on(
    database: Database,
    key: bytes,
    person: Person,
    secret: str,
    code: str,
    *,
    session: StaffSession,
    now: datetime,
) -> tuple[str, ...] | None:
    """Turn the second factor on if the code shows that the app has the secret; return recovery codes.

    The other sessions, which were begun without it, end, and an email tells the person.

    Each recovery code can be used once instead of a code; they are shown now and never again. Returns None
    if the code is wrong.
    """
    step = step_of(secret, code, now)
    if step is None:
        return None
    codes = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
    values = {
        "totp": sealed(key, secret),
        "totp_step": step,
        "recovery": [_hashed(key, each) for each in codes],
    }
    with database.write() as connection:
        stored.change_account(connection, person.id, **values)
        sessions.end_sessions(connection, person.id, keep=session.hash)
        record(connection, person, "turned a second factor on", person.name, now)
        if account := stored.account_of(connection, person.id):
            tell_person(connection, key, account, StaffNoticeKind.FACTOR_ON, browser_words(session), now)
    return codes


def turn_off(
    database: Database, key: bytes, person_id: str, now: datetime, *, by: Person, session: StaffSession
) -> None:
    """Turn the second factor of a person off; an email tells the person who did it, or in which browser."""
    how = browser_words(session) if by.id == person_id else f"by {by.name}"
    with database.write() as connection:
        account = stored.account_of(connection, person_id)
        if account is not None and account.totp is not None:
            stored.change_account(connection, person_id, totp=None, recovery=[])
            record(connection, by, "turned a second factor off", account.person.name, now)
            tell_person(connection, key, account, StaffNoticeKind.FACTOR_OFF, how, now)


def is_code(database: Database, key: bytes, person_id: str, code: str, now: datetime) -> bool:
    """Tell whether a code of the app, or a recovery code, is right, and use it up.

    Too many attempts in a quarter of an hour make every code wrong.
    """
    with database.write() as connection:
        if count_attempt(connection, f"staff:code:{person_id}", window=WINDOW, now=now) > ATTEMPTS:
            return False
        account = stored.lock_account(connection, person_id)
        if account is None or account.totp is None:
            return False
        step = step_of(opened(key, account.totp), code, now)
        if step is not None:
            return stored.use_totp_step(connection, person_id, step)
        return _use_recovery(connection, account, _hashed(key, code), now)


def sealed(key: bytes, secret: str) -> str:
    """Return a secret as the database keeps it, which is useless without the key of the installation."""
    nonce = secrets.token_bytes(_NONCE)
    return (nonce + _masked(key, nonce, secret.encode("ascii"))).hex()


def opened(key: bytes, kept: str) -> str:
    """Return a secret that was `sealed` with the same key."""
    both = bytes.fromhex(kept)
    return _masked(key, both[:_NONCE], both[_NONCE:]).decode("ascii", "replace")


def _masked(key: bytes, nonce: bytes, text: bytes) -> bytes:
    """Return a text XORed with a pad that only the key gives; each nonce has its own pad."""
    pad = hmac.digest(key, b"second factor\0" + nonce, "sha256")
    assert len(text) <= len(pad)
    return bytes(a ^ b for a, b in zip(text, pad, strict=False))


def _use_recovery(connection: Connection, account: Account, hashed: str, now: datetime) -> bool:
    if hashed not in account.recovery:
        return False
    left = [each for each in account.recovery if each != hashed]
    stored.change_account(connection, account.person.id, recovery=left)
    record(connection, account.person, f"used a recovery code; {len(left)} are left", "", now)
    return True


def _recovery_code() -> str:
    letters = b32encode(secrets.token_bytes(_CODE_BYTES)).decode("ascii").lower()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def _hashed(key: bytes, code: str) -> str:
    """Return the keyed hash of a recovery code, however it was typed."""
    plain = "".join(char for char in code.casefold() if char.isalnum())
    return hmac.new(key, b"recovery\0" + plain.encode(errors="replace"), sha256).hexdigest()
