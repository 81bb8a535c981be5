"""Serve the live preview to its designer: one page on loopback that follows every change of a template."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from digest.design.board import SITE, Board, draw, kept_picture, stamp
from digest.design.samples import sample_picture
from digest.model.errors import DigestError
from digest.web.running import quiet_config, running
from digest.web.security.security import SecurityMiddleware

_STATIC = Path(__file__).with_name("static")
_FILES = {"": "text/html", "preview.css": "text/css", "preview.js": "text/javascript"}
_OWN = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# An email in a mail program runs no scripts. Only our own page may contain it, and measure its height.
_FRAMED = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src {images}; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
_IMAGES = "'self' https: http: data:"
# Another site can give its own name our address, and its pages could then read ours.
_HOSTS = ("127.0.0.1", "localhost")
_PORT = 8027
_DIGESTS = 16  # whose boards are kept


@dataclass(slots=True)
class _Live:
    """The board of one digest, which is drawn again when a file has changed. Threads may share it."""

    draw: Callable[[], Board]
    board: Board = field(default_factory=Board)
    lock: Lock = field(default_factory=Lock)

    def look(self) -> Board:
        """Return the board of the moment. With faults, it has the pages and pictures from before."""
        with self.lock:
            if not self.board.stamp or stamp(self.board.watched) != self.board.stamp:
                drawn = self.draw()
                kept = drawn if drawn.pages else self.board
                self.board = replace(drawn, pages=kept.pages, pictures=kept.pictures)
            return self.board

    def seen(self, stamp: str) -> Board:
        """Return the board with this stamp, without looking at the files again, or that of the moment."""
        board = self.board
        return board if stamp and board.stamp == stamp else self.look()


def create_preview(path: Path, environ: Mapping[str, str], clock: Callable[[], datetime]) -> Starlette:
    """Return the application of the live preview of the configuration at `path`."""

    @lru_cache(maxsize=_DIGESTS)
    def live(slug: str) -> _Live:
        return _Live(lambda: draw(path, environ, slug, clock()))

    def state(request: Request) -> Response:
        """Return the board as JSON, or nothing if it is still the one that the page has."""
        board = live(request.query_params.get("digest", "")).look()
        if request.query_params.get("seen") == board.stamp:
            return Response(status_code=204)
        return JSONResponse(asdict(replace(board, pages={}, pictures={}, watched=())))

    def page(request: Request) -> Response:
        """Return one page of the board, with or without images."""
        query = request.query_params
        board = live(query.get("digest", "")).seen(query.get("stamp", ""))
        html = board.pages.get(request.path_params["name"])
        if html is None:
            raise HTTPException(404)
        images = "'none'" if query.get("images") == "off" else _IMAGES
        policy = _FRAMED.format(images=images)
        return _answer(html.encode(), "text/html", policy, {"x-frame-options": "SAMEORIGIN"})

    def picture(request: Request) -> Response:
        """Return a picture of the samples or of the brand, or one that an edition shows."""
        name = request.path_params["name"]
        try:
            body = live("").look().pictures.get(name) or sample_picture(name)
            body = body or kept_picture(path, environ, name)
        except DigestError as error:
            raise HTTPException(404) from error
        # Names change with the pictures, so the many views of a board need each only once.
        kept = {"cache-control": "private, max-age=3600"}
        return _answer(body, "image/png" if name.endswith(".png") else "image/jpeg", _OWN, kept)

    routes = [
        Route("/", _file),
        Route("/state", state),
        Route("/page/{name}", page),
        Route(f"{SITE}/pictures/{{name}}", picture),
        Route(f"{SITE}/brand/{{name}}", picture),
        Route("/{file}", _file),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)
    return Starlette(routes=routes, middleware=[Middleware(SecurityMiddleware), hosts])


@contextmanager
def serving_preview(application: Starlette) -> Iterator[int]:
    """Serve the live preview to this machine alone until the block ends, and yield the port."""
    try:
        listener = socket.create_server((_HOSTS[0], _PORT))
    except OSError:  # another preview has this port
        listener = socket.create_server((_HOSTS[0], 0))
    with listener, running(quiet_config(application, grace=1), listener) as port:
        yield port


def _file(request: Request) -> Response:
    name = request.path_params.get("file", "")
    if name not in _FILES:
        raise HTTPException(404)
    return _answer((_STATIC / (name or "preview.html")).read_bytes(), _FILES[name], _OWN)


def _answer(body: bytes, kind: str, policy: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, media_type=kind, headers={"content-security-policy": policy, **(headers or {})})
