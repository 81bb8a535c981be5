"""Texts travel compressed, unless another site could learn something from the length of an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from digest.web.security.security import CompressionMiddleware

PAGE = "<p>The tide turns at six.</p>" * 100


def page(_request: Request) -> Response:
    return HTMLResponse(PAGE)


def picture(_request: Request) -> Response:
    return Response(bytes(5_000), media_type="image/jpeg")


def live(_request: Request) -> Response:
    async def beats() -> AsyncIterator[str]:
        for beat in range(3):
            yield f"data: {beat}\n\n"

    return StreamingResponse(beats(), media_type="text/event-stream")


def asked(path: str, **headers: str) -> Response:
    routes = [Route(f"/{each.__name__}", each) for each in (page, picture, live)]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with TestClient(CompressionMiddleware(Starlette(routes=routes))) as browser:
        return browser.get(path, headers={"accept-encoding": "gzip", **named})  # type: ignore[return-value]  # it has what a response has


def is_packed(path: str = "/page", **headers: str) -> bool:
    return asked(path, **headers).headers.get("content-encoding") == "gzip"


def test_a_page_travels_compressed_and_arrives_whole() -> None:
    found = asked("/page")
    assert int(found.headers["content-length"]) < len(PAGE) / 10
    assert found.headers["vary"] == "Accept-Encoding"
    assert found.text == PAGE  # type: ignore[attr-defined]  # of the test client's answer


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_page_for_somebody_who_is_signed_in_is_compressed_when_they_ask_for_it(site: str) -> None:
    assert is_packed(cookie="desk=x", sec_fetch_site=site)


@pytest.mark.parametrize("site", [{"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {}])
def test_it_is_not_compressed_when_another_site_may_have_asked(site: dict[str, str]) -> None:
    assert not is_packed(cookie="desk=x", **site)
    assert is_packed(**site), "nobody is signed in, so the page is the same for everybody"


def test_pictures_and_live_answers_are_not_compressed() -> None:
    assert not is_packed("/picture")
    assert not is_packed("/live")
    assert not is_packed(accept_encoding="identity")
