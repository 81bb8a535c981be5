"""Sign people in by OpenID Connect (Core 1.0): the code flow with PKCE, at the provider in [staff]."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from digest.collect.fetching.answers import Fetched, FetchRequest
from digest.collect.fetching.fetch import fetch_all
from digest.config import OidcSettings
from digest.model.errors import DigestError
from digest.model.posts import FetchLimits
from digest.staff.audit import record
from digest.staff.signin import Welcome, welcome_of
from digest.storage.database import Connection, Database
from digest.storage.staff import people as stored
from digest.storage.staff.people import Account
from subscribers.address import parse_address
from subscribers.errors import AddressError
from subscribers.store.confirmations import count_attempt
from subscribers.tokens import token_hash

# Only signatures that a key of the provider makes; "none" and those by shared secrets are refused.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_USED_UP = timedelta(days=1)  # longer than a browser keeps an attempt
_LEEWAY = 60  # seconds by which clocks may differ
_SECONDS = 10.0
_MAX_BYTES = 500_000


class ProviderError(DigestError):
    """The provider cannot be used, or its answer proves nothing; the text has no secrets in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sign-in on its way: what its browser keeps, and what the provider must send back."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person as the provider knows them; `address` is "" unless the provider has verified it."""

    subject: str
    address: str = field(repr=False)


def begin(settings: OidcSettings, limits: FetchLimits, back: str) -> tuple[str, Attempt]:
    """Return the address at the provider to which a browser is sent, and the attempt.

    Raises ProviderError.
    """
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    attempt = Attempt(
        state=secrets.token_urlsafe(24), nonce=secrets.token_urlsafe(24), verifier=secrets.token_urlsafe(48)
    )
    address = prepare_grant_uri(
        _endpoint(_discovered(settings, limits), "authorization_endpoint"),
        client_id=settings.client,
        response_type="code",
        redirect_uri=back,
        scope="openid email",
        state=attempt.state,
        nonce=attempt.nonce,
        code_challenge=create_s256_code_challenge(attempt.verifier),
        code_challenge_method="S256",
    )
    return str(address), attempt


def finish(
    settings: OidcSettings, limits: FetchLimits, back: str, attempt: Attempt, *, code: str, now: datetime
) -> Identity:
    """Exchange a code for the provider's word about a person, and check it. Raises ProviderError."""
    known = _discovered(settings, limits)
    answer = _exchanged(
        settings, limits, known, {"code": code, "redirect_uri": back, "verifier": attempt.verifier}
    )
    keys = _document(limits, settings, _endpoint(known, "jwks_uri"))
    claims = _checked(settings, answer, keys, nonce=attempt.nonce, now=now)
    verified = claims.get("email_verified") in (True, "true")
    address = claims.get("email") if verified else ""
    return Identity(
        subject=f"{settings.issuer} {claims['sub']}", address=address if isinstance(address, str) else ""
    )


def is_same(state: str, attempt: Attempt) -> bool:
    """Tell whether an answer of the provider belongs to an attempt of this browser."""
    return hmac.compare_digest(state.encode(errors="replace"), attempt.state.encode())


def is_first(database: Database, attempt: Attempt, now: datetime) -> bool:
    """Use an attempt up; return False if it was used already, so that nobody can send an answer twice."""
    with database.write() as connection:
        key = f"staff:oidc:state:{token_hash(attempt.state)}"
        return count_attempt(connection, key, window=_USED_UP, now=now) == 1


def welcomed(database: Database, identity: Identity, now: datetime) -> Welcome | None:
    """Return the person whose identity this is; None if the staff has nobody like this.

    At the first time, the verified address finds the account. From then on, only the subject counts.
    """
    with database.write() as connection:
        account = stored.account_by_subject(connection, identity.subject) or _linked(
            connection, identity, now
        )
    return welcome_of(account) if account and account.is_active else None


def _linked(connection: Connection, identity: Identity, now: datetime) -> Account | None:
    try:
        folded = parse_address(identity.address).folded
    except AddressError:
        return None
    account = stored.account_at(connection, folded)
    if account is None or account.removed_at is not None or account.subject is not None:
        return None
    stored.change_account(connection, account.person.id, subject=identity.subject, link=None, link_until=None)
    record(connection, account.person, "signed in by OpenID Connect for the first time", "", now)
    return replace(account, subject=identity.subject)


def _discovered(settings: OidcSettings, limits: FetchLimits) -> Mapping[str, Any]:
    """Return what the provider says about itself (OpenID Connect Discovery 1.0)."""
    known = _document(limits, settings, f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")
    if known.get("issuer") != settings.issuer:
        raise ProviderError(f"{settings.issuer} says that it is another provider; correct oidc_issuer")
    return known


def _endpoint(known: Mapping[str, Any], name: str) -> str:
    address = known.get(name)
    if not isinstance(address, str) or urlsplit(address).scheme not in ("http", "https"):
        raise ProviderError(f"the provider does not say its {name}")
    return address


def _exchanged(
    settings: OidcSettings, limits: FetchLimits, known: Mapping[str, Any], given: Mapping[str, str]
) -> Mapping[str, Any]:
    fields = {
        "grant_type": "authorization_code",
        "code": given["code"],
        "redirect_uri": given["redirect_uri"],
        "code_verifier": given["verifier"],
        "client_id": settings.client,
    }
    address = _endpoint(known, "token_endpoint")
    if "client_secret_post" in (known.get("token_endpoint_auth_methods_supported") or ()):
        fields["client_secret"] = settings.secret
    else:  # the name and the password of HTTP, which are encoded once more (RFC 6749, 2.3.1)
        name, password = (quote(quote(each, safe=""), safe="") for each in (settings.client, settings.secret))
        address = address.replace("://", f"://{name}:{password}@", 1)
    return _document(limits, settings, address, urlencode(fields).encode())


def _checked(
    settings: OidcSettings, answer: Mapping[str, Any], keys: Any, *, nonce: str, now: datetime
) -> Mapping[str, Any]:
    """Return the claims of the ID token, which was signed by the provider, for us, just now."""
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        token = jwt.decode(
            str(answer.get("id_token", "")),
            KeySet.import_key_set(keys),
            algorithms=_ALGORITHMS,
        )
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": settings.issuer},
                "aud": {"essential": True, "value": settings.client},
            },
            params={
                "nonce": nonce,
                "client_id": settings.client,
                "access_token": answer.get("access_token"),
            },
        )
        claims.validate(int(now.timestamp()), _LEEWAY)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderError(f"the provider's ID token is not valid: {type(error).__name__}") from error
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise ProviderError("the provider's ID token names nobody")
    return dict(claims)


def _document(
    limits: FetchLimits, settings: OidcSettings, address: str, form: bytes | None = None
) -> Mapping[str, Any]:
    """Return a JSON object of the provider. The host of the issuer is trusted, others must be public."""
    allowed = limits.allow_hosts | {urlsplit(settings.issuer).hostname or ""}
    few = replace(limits, allow_hosts=allowed, timeout=_SECONDS, max_bytes=_MAX_BYTES)
    request = FetchRequest(feed_id="the provider", url=address, form=form, answer=True)
    [(_, result)] = fetch_all([request], few)
    if not isinstance(result, Fetched):
        detail = getattr(result, "detail", "it has no answer")
        raise ProviderError(f"the provider {settings.issuer} does not answer as it should: {detail}")
    try:
        found = json.loads(result.body)
    except ValueError as error:
        raise ProviderError(
            f"the provider {settings.issuer} answers with something else than JSON"
        ) from error
    if not isinstance(found, dict):
        raise ProviderError(f"the provider {settings.issuer} answers with something else than an object")
    return found
