"""Serve the few files pages need: styles, scripts and an icon, an operator's own before ours."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from digest.web.reception import Desk

router = APIRouter(include_in_schema=False)

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {
    "site.css": "web/site.css",
    "pages.css": "web/pages.css",
    "icon.svg": "web/static/icon.svg",
    "signup.js": "web/static/signup.js",
    "proof.js": "web/static/proof.js",
    "embed.js": "web/static/embed.js",
}
_HOUR = "public, max-age=3600"
# The form on other sites loads these two.
_ANYWHERE = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}


@router.api_route("/static/{name}", methods=["GET", "HEAD"])
def static(request: Request, desk: Desk, name: str) -> Response:
    """Return one of the files named here, and no other."""
    if name not in _FILES:
        raise HTTPException(404)
    body = _find(desk.app.templates.override, desk.app.templates.defaults, _FILES[name]).read_bytes()
    etag = f'"{sha256(body).hexdigest()[:20]}"'
    headers = {"cache-control": _HOUR, "etag": etag}
    if name in ("embed.js", "proof.js"):
        headers |= _ANYWHERE
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=_TYPES[Path(name).suffix], headers=headers)


def _find(override: Path | None, defaults: Path, name: str) -> Path:
    if override is not None and (override / name).is_file():
        return override / name
    return defaults / name
