"""Pages over real HTTP on loopback, as `digest serve` serves them."""

from __future__ import annotations

import http.client
import logging
from dataclasses import replace

import pytest

from digest.config.values import WebSettings
from digest.web.serving import WebError, serving
from subscribers.tables import attempts
from tests.web.parlour import Parlour


def on_loopback(place: Parlour, port: int = 0) -> Parlour:
    place.app = replace(
        place.app, config=replace(place.app.config, web=WebSettings(host="127.0.0.1", port=port))
    )
    return place


def test_a_reader_leaves_over_http(quick: Parlour, caplog: pytest.LogCaptureFixture) -> None:
    quick.add()
    link = quick.leave_link()
    with caplog.at_level(logging.DEBUG), serving(on_loopback(quick).app) as port:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        line.request("GET", link)
        page = line.getresponse()
        assert page.status == 200
        assert b"Leave Daily?" in page.read()
        body = "List-Unsubscribe=One-Click"
        line.request("POST", link, body, {"content-type": "application/x-www-form-urlencoded"})
        assert line.getresponse().status == 200
        line.close()
    assert quick.reads() == {"weekend"}
    assert link.rpartition("/")[2] not in caplog.text


def test_two_servers_cannot_have_one_port(quick: Parlour) -> None:
    with serving(on_loopback(quick).app) as port:
        twin = on_loopback(quick, port).app
        with pytest.raises(WebError, match=r"\[web\] 127.0.0.1"), serving(twin):
            raise AssertionError("both have it")


def test_when_a_page_fails_the_log_has_its_place_and_no_address(
    quick: Parlour, caplog: pytest.LogCaptureFixture
) -> None:
    with quick.app.database.write() as connection:
        attempts.drop(connection)
    with caplog.at_level(logging.DEBUG), serving(on_loopback(quick).app) as port:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        body = "address=eve%40example.org&digest=daily"
        line.request("POST", "/signup", body, {"content-type": "application/x-www-form-urlencoded"})
        answer = line.getresponse()
        assert answer.status == 500
        assert b"The mistake is ours" in answer.read()
        line.close()
    assert "a page failed: " in caplog.text
    assert "example.org" not in caplog.text
