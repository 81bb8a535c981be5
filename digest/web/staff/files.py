"""Serve the files of the staff's pages: their styles, scripts and icon, under names that change with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from digest.model.publication import Site
from digest.render.shipped import shipped
from digest.render.templates import Templates
from digest.render.values import brand_values

router = APIRouter(include_in_schema=False)

_HTMX = Path(__file__).parent.with_name("static") / "htmx"
_DESK = "web/desk"
_STYLES, _SCRIPT, _ICON = "text/css", "text/javascript", "image/svg+xml"
_FOREVER = "public, max-age=31536000, immutable"
_HOUR = "public, max-age=3600"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffFile:
    """One file as it is served."""

    kind: str
    body: bytes

    @property
    def version(self) -> str:
        """Return a short hash of the content."""
        return sha256(self.body).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffFiles:
    """The files of the staff's pages, which a server reads once. `root` is the prefix of every path."""

    root: str
    files: Mapping[str, StaffFile]

    def url(self, name: str) -> str:
        """Return the address of a file; it changes with the content, so browsers may keep the file."""
        return f"{self.root}/static/{name}?v={self.files[name].version}"


def staff_files(templates: Templates, site: Site, root: str) -> StaffFiles:
    """Read the files, and fill in the colours of the brand."""
    values = {"brand": brand_values(site)}
    desk = shipped("templates") / _DESK
    paths = {path.name: path for path in desk.glob("*.js")}
    paths |= {"htmx.js": _HTMX / "htmx.min.js", "hx-sse.js": _HTMX / "hx-sse.min.js"}
    files = {name: StaffFile(kind=_SCRIPT, body=path.read_bytes()) for name, path in paths.items()}
    for name, template, kind in (
        ("staff.css", f"{_DESK}/staff.css", _STYLES),
        ("icon.svg", "web/static/icon.svg", _ICON),
    ):
        files[name] = StaffFile(kind=kind, body=templates.render(template, values).encode())
    return StaffFiles(root=root, files=files)


def _files(request: Request) -> StaffFiles:
    files: StaffFiles = request.app.state.files
    return files


@router.api_route("/static/{name}", methods=["GET", "HEAD"])
def staff_static(request: Request, name: str, files: Annotated[StaffFiles, Depends(_files)]) -> Response:
    """Return one of the files; any other name is 404."""
    found = files.files.get(name)
    if found is None:
        raise HTTPException(404)
    etag = f'"{found.version}"'
    kept = _FOREVER if request.query_params.get("v") == found.version else _HOUR
    headers = {"cache-control": kept, "etag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=found.kind, headers=headers)
