"""A provider of OpenID Connect on loopback, which says of anybody what a test tells it to say."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "newsletter", "a secret: with/odd&letters"
KEY = RSAKey.generate_key(2048, {"kid": "1"})


@dataclass(slots=True)
class Provider:
    """The provider, and what it says. `claims` replace those of an honest answer."""

    issuer: str = ""
    now: int = 0
    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: KEY)
    methods: tuple[str, ...] = ("client_secret_basic",)
    asked: dict[str, str] = field(default_factory=dict)  # the last request for a sign-in
    codes: set[str] = field(default_factory=set)

    def sign_in(self, address: str) -> str:
        """Sign in as a person does, and return the query with which the browser is sent back."""
        self.asked = dict(parse_qsl(urlsplit(address).query))
        self.codes.add("one-code")
        return f"code=one-code&state={self.asked['state']}"

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": list(self.methods),
        }

    def token(self, form: dict[str, list[str]], authorization: str) -> dict[str, Any] | None:
        """Exchange a code, once, for those who prove that they are the client which began."""
        challenge = urlsafe_b64encode(sha256(form["code_verifier"][0].encode()).digest()).decode().rstrip("=")
        given = form.get("client_secret", [""])[0]
        if authorization:
            name, _, given = (unquote(part) for part in b64decode(authorization[6:]).decode().partition(":"))
            assert name == CLIENT
        if form["code"][0] not in self.codes or given != SECRET or challenge != self.asked["code_challenge"]:
            return None
        self.codes.discard(form["code"][0])
        honest = {
            "iss": self.issuer,
            "sub": "248",
            "aud": CLIENT,
            "exp": self.now + 300,
            "iat": self.now,
            "nonce": self.asked["nonce"],
            "email": "Jonas@example.org",
            "email_verified": True,
        }
        claims = {name: value for name, value in (honest | self.claims).items() if value is not None}
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)
        return {"id_token": token, "token_type": "Bearer"}


@contextmanager
def provider() -> Iterator[Provider]:
    """Run a provider until the block ends."""
    known = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pages = {
                "/.well-known/openid-configuration": known.discovery(),
                "/keys": {"keys": [KEY.as_dict(private=False)]},
            }
            self._answer(pages.get(self.path))

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            self._answer(known.token(form, self.headers.get("authorization", "")))

        def _answer(self, body: object) -> None:
            self.send_response(200 if body else 400)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield known
        server.shutdown()
        thread.join()
