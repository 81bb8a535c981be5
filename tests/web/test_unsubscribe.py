"""Unsubscribing: one click as in RFC 8058, the page, and undo."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscribers.model import ConsentAction
from subscribers.tokens import reader_token
from tests.web.site import SECRET, Site

CLICK = {"List-Unsubscribe": "One-Click"}
BUTTON = {"leave": "yes"}


def test_one_click_unsubscribes_a_reader_from_one_digest(place: Site) -> None:
    place.add()
    answer = place.client.post(place.leave_link(), data=CLICK)
    assert answer.status_code == 200
    assert place.reads() == {"weekend"}
    assert place.mailed("daily") == set()
    assert place.history()[-1].act is ConsentAction.LEFT
    assert place.history()[-1].origin.source == "one-click"


def test_one_click_works_in_the_other_encoding(place: Site) -> None:
    place.add()
    body = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert place.client.post(place.leave_link(), content=body, headers=headers).status_code == 200
    assert place.reads() == {"weekend"}


def test_one_click_needs_no_page_of_ours(quick: Site) -> None:
    quick.add()
    headers = {"origin": "https://mail.example.org", "sec-fetch-site": "cross-site"}
    answer = quick.client.post(quick.leave_link(), data=CLICK, headers=headers)
    assert answer.status_code == 200
    assert not answer.history
    assert "set-cookie" not in answer.headers
    assert quick.reads() == {"weekend"}


def test_several_clicks_count_as_one(place: Site) -> None:
    place.add()
    link = place.leave_link()
    for _ in range(3):
        assert place.client.post(link, data=CLICK).status_code == 200
    assert [each.act for each in place.history()].count(ConsentAction.LEFT) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_only_a_post_changes_anything(quick: Site, method: str) -> None:
    quick.add()
    for _ in range(3):
        answer = quick.client.request(method, quick.leave_link())
        assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
    assert quick.reads() == {"daily", "weekend"}
    assert quick.history()[-1].act is ConsentAction.ADDED


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"List-Unsubscribe": "Two-Clicks"},
        {"leave": "all"},
        {"scope": "all"},
        {"scope": "digest"},
        {"list-unsubscribe": "One-Click"},
    ],
)
def test_a_post_without_the_right_field_changes_nothing(quick: Site, data: dict[str, str]) -> None:
    quick.add()
    assert quick.client.post(quick.leave_link(), data=data).status_code == 400
    assert quick.reads() == {"daily", "weekend"}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(position=st.integers(0, 27), bit=st.integers(0, 6))
def test_a_link_with_a_flipped_bit_unsubscribes_nobody(quick: Site, position: int, bit: int) -> None:
    if quick.reader().subscriber is None:
        quick.add()
    path, _, token = quick.leave_link().rpartition("/")
    flipped = quote(chr(ord(token[position]) ^ 1 << bit), safe="")
    wrong = token[:position] + flipped + token[position + 1 :]
    answer = quick.client.post(f"{path}/{wrong}", data=CLICK)
    assert 400 <= answer.status_code < 500
    assert quick.reads() == {"daily", "weekend"}


def test_a_link_works_only_for_its_own_digest_and_purpose(quick: Site) -> None:
    number = quick.add()
    for purpose in ("u:weekend", "p", "b", "u:"):
        token = reader_token(SECRET, number, purpose)
        assert quick.client.post(f"/u/daily/{token}", data=CLICK).status_code == 404
    assert quick.reads() == {"daily", "weekend"}


def test_a_link_of_an_unknown_reader_changes_nothing_and_looks_the_same(quick: Site) -> None:
    quick.add()
    token = reader_token(SECRET, 0, "u:daily")
    assert quick.client.get(f"/u/daily/{token}").status_code == 200
    assert quick.client.post(f"/u/daily/{token}", data=CLICK).status_code == 200
    assert quick.mailed() == {"ada@example.org"}


def test_the_page_unsubscribes_from_its_digest_and_says_how_to_end_more(place: Site) -> None:
    place.add()
    page = place.client.get(place.leave_link()).text
    assert "This link is only for Daily. To unsubscribe from everything" in page
    assert "“Change your preferences”" in page
    assert "Weekend" not in page
    assert place.client.post(place.leave_link(), data={**BUTTON, "reason": "too many"}).status_code == 200
    assert place.reads() == {"weekend"}
    assert place.history()[-1].detail["reason"] == "too many"


NAMES = st.sampled_from(
    ("leave", "scope", "digest", "everything", "slug", "reason", "List-Unsubscribe", "ticket", "token")
)
SAID = st.sampled_from(
    ("yes", "all", "weekend", "daily", "daily,weekend", "everything", "One-Click", "*", "", "too many")
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(fields=st.lists(st.tuples(NAMES, SAID), max_size=8), more=st.binary(max_size=40))
def test_no_post_to_the_link_of_a_digest_ends_another(
    quick: Site, fields: list[tuple[str, str]], more: bytes
) -> None:
    if quick.reader().subscriber is None:
        quick.add()
    for digests in ("?digest=weekend&scope=all", ""):
        body = urlencode(fields).encode() + b"&" + more
        headers = {"content-type": "application/x-www-form-urlencoded"}
        page = quick.client.post(quick.leave_link() + digests, content=body, headers=headers)
        assert "weekend" in quick.reads()
        assert "daily" not in quick.reads() or page.is_client_error
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
    if ticket:
        quick.client.post("/undo", data={"ticket": ticket[1]})
    assert "weekend" in quick.reads()


def test_unsubscribing_can_be_undone_for_a_day_on_the_page_that_confirmed_it(place: Site) -> None:
    place.add()
    page = place.client.post(place.leave_link(), data=BUTTON)
    assert place.reads() == {"weekend"}
    assert place.client.post("/undo", data={"ticket": ticket_in(page.text)}).status_code == 200
    assert place.reads() == {"daily", "weekend"}
    assert place.history()[-1].act is ConsentAction.CAME_BACK


def test_unsubscribing_cannot_be_undone_after_a_day(quick: Site) -> None:
    quick.add()
    page = quick.client.post(quick.leave_link(), data=BUTTON)
    quick.clock.forward(days=1, seconds=1)
    assert quick.client.post("/undo", data={"ticket": ticket_in(page.text)}).status_code == 410
    assert quick.reads() == {"weekend"}


@pytest.mark.parametrize("ticket", ["", "x", "WzEsIjEiLCIiXQ.AAAA", "é" * 50])
def test_a_made_up_ticket_restores_nothing(quick: Site, ticket: str) -> None:
    quick.add()
    quick.client.post(quick.leave_link(), data=CLICK)
    assert quick.client.post("/undo", data={"ticket": ticket}).status_code == 404
    assert quick.reads() == {"weekend"}


def test_a_page_of_another_site_cannot_press_our_buttons(quick: Site) -> None:
    quick.add()
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example.org"}):
        answer = quick.client.post(quick.leave_link(), data=BUTTON, headers=headers)
        assert answer.status_code == 403
    assert quick.reads() == {"daily", "weekend"}
    for headers in (
        {"sec-fetch-site": "same-origin", "origin": "null"},
        {"origin": "https://digest.example.org"},
    ):
        assert quick.client.post(quick.leave_link(), data=BUTTON, headers=headers).is_success


def test_pages_have_security_headers_and_contain_no_address(quick: Site) -> None:
    quick.add()
    answer = quick.client.get(quick.leave_link())
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert "ada" not in answer.text
    assert not re.search(r"<style|style=|<script>|\son\w+=", answer.text)
    assert 'name="robots" content="noindex"' in answer.text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"leave=yes&leave=yes", "application/x-www-form-urlencoded", 400),
        (b"leave=yes&reason=%00", "application/x-www-form-urlencoded", 400),
        (b"leave=yes&reason=%FF%FE", "application/x-www-form-urlencoded", 400),
        (b"leave=yes&reason=" + b"a" * 5_000, "application/x-www-form-urlencoded", 400),
        (b"a" * 1_000_000, "application/x-www-form-urlencoded", 413),
        (b"leave=yes", "multipart/form-data", 400),
        (b"leave=yes", "multipart/form-data; boundary=\xff", 400),
        (b'{"leave": "yes"}', "application/json", 415),
        (b"leave=yes", "text/plain", 415),
        (
            b'--b\r\nContent-Disposition: form-data; name="leave"; filename="a"\r\n\r\nyes\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            400,
        ),
    ],
)
def test_hostile_forms_change_nothing(quick: Site, content: bytes, kind: str, status: int) -> None:
    quick.add()
    answer = quick.client.post(
        quick.leave_link(), content=content, headers={b"content-type": kind.encode("latin-1")}
    )
    assert answer.status_code == status
    assert quick.reads() == {"daily", "weekend"}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=300), multipart=st.booleans())
def test_no_form_breaks_the_unsubscribe_page(quick: Site, content: bytes, multipart: bool) -> None:
    if quick.reader().subscriber is None:
        quick.add()
    kind = "multipart/form-data; boundary=b" if multipart else "application/x-www-form-urlencoded"
    answer = quick.client.post(quick.leave_link(), content=content, headers={"content-type": kind})
    assert answer.status_code in (400, 403, 413, 415)


def test_a_body_without_a_length_is_cut_off(quick: Site) -> None:
    quick.add()
    endless = (b"a" * 10_000 for _ in range(100))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert quick.client.post(quick.leave_link(), content=endless, headers=headers).status_code == 413


def test_a_missing_page_is_answered_with_a_page(quick: Site) -> None:
    answer = quick.client.get("/nowhere")
    assert answer.status_code == 404
    assert "<h1" in answer.text
    assert quick.client.get("/static/..%2f..%2fconfig.toml").status_code == 404
    assert quick.client.get("/static/site.css").headers["content-type"].startswith("text/css")


def ticket_in(html: str) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', html)
    assert found
    return found[1]
