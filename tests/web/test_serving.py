"""Pages over real HTTP on loopback, as `digest serve` serves them."""

from __future__ import annotations

import http.client
import logging
from dataclasses import replace

import pytest

from digest.config.values import WebSettings
from digest.web.serving import WebError, serving
from subscribers.store.tables import attempts
from tests.web.site import Site


def on_loopback(place: Site, port: int = 0) -> Site:
    place.app = replace(
        place.app, config=replace(place.app.config, web=WebSettings(host="127.0.0.1", port=port))
    )
    return place


def test_a_reader_unsubscribes_over_http(quick: Site, caplog: pytest.LogCaptureFixture) -> None:
    quick.add()
    link = quick.leave_link()
    with caplog.at_level(logging.DEBUG), serving(on_loopback(quick).app) as port:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        line.request("GET", link)
        page = line.getresponse()
        assert page.status == 200
        assert b"Unsubscribe from Daily?" in page.read()
        body = "List-Unsubscribe=One-Click"
        line.request("POST", link, body, {"content-type": "application/x-www-form-urlencoded"})
        assert line.getresponse().status == 200
        line.close()
    assert quick.reads() == {"weekend"}
    assert link.rpartition("/")[2] not in caplog.text


def test_two_servers_cannot_share_a_port(quick: Site) -> None:
    with serving(on_loopback(quick).app) as port:
        twin = on_loopback(quick, port).app
        with pytest.raises(WebError, match=r"web.port: 127.0.0.1"), serving(twin):
            raise AssertionError("both have it")


def test_when_a_page_fails_the_log_has_its_place_and_no_address(
    quick: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with quick.app.database.write() as connection:
        attempts.drop(connection)
    with caplog.at_level(logging.DEBUG), serving(on_loopback(quick).app) as port:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        body = "address=eve%40example.org&digest=daily"
        line.request("POST", "/signup", body, {"content-type": "application/x-www-form-urlencoded"})
        answer = line.getresponse()
        assert answer.status == 500
        assert b"The error is on our side" in answer.read()
        line.close()
    assert "a page failed: " in caplog.text
    assert "example.org" not in caplog.text
