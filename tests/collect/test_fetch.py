from __future__ import annotations

import gzip
import logging
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx2
import pytest

from digest.collect.fetching.answers import Fetched, FetchFailure, FetchRequest, NotModified, Result
from digest.collect.fetching.connection import Connection
from digest.collect.fetching.fetch import REDIRECTS, fetch_all, next_hop
from digest.collect.fetching.guard import GuardedBackend, GuardedTransport
from digest.model.posts import FetchLimits
from tests.certificates import Certificates
from tests.collect.servers import CHUNK, FEED, Answer, Site, bomb, serving

LIMITS = FetchLimits(allow_hosts=frozenset(["127.0.0.1"]), timeout=10)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def test_a_fetched_feed_comes_with_its_type_and_validators(site: Site) -> None:
    headers = {"content-type": "text/xml", "etag": '"1"', "last-modified": "Sun, 22 Nov 2026 07:00:00 GMT"}
    url = site.put("/feed", Answer(headers=headers))
    assert fetched(url) == Fetched(
        url=url, body=FEED, content_type="text/xml", etag='"1"', last_modified=headers["last-modified"]
    )


def test_a_feed_is_asked_for_only_if_it_has_changed(site: Site) -> None:
    request = FetchRequest(
        feed_id="a", url=site.put("/feed", Answer(headers={"etag": '"1"'})), etag='"1"', last_modified="x"
    )
    assert result(request) == NotModified()
    (_, headers) = site.asked[0]
    assert (headers["if-none-match"], headers["if-modified-since"]) == ('"1"', "x")
    assert headers["user-agent"] == LIMITS.user_agent


def test_a_feed_is_fetched_over_tls_from_a_server_with_a_valid_certificate_and_no_other(
    certificates: Certificates,
) -> None:
    with serving(certificates.context) as site:
        request = FetchRequest(feed_id="a", url=site.put("/feed", Answer(body=FEED + CHUNK * 4)))
        found = [found for _, found in fetch_all([request], LIMITS, transport=trusting(certificates))]
        assert found == [Fetched(url=request.url, body=FEED + CHUNK * 4)]
        assert "certificate is not valid" in failed(request.url).detail
    assert [path for path, _ in site.asked] == ["/feed"]


def test_a_redirect_from_https_to_http_is_followed_but_is_no_move(
    site: Site, certificates: Certificates
) -> None:
    site.put("/feed", Answer())
    with serving(certificates.context) as secure:
        down = FetchRequest(feed_id="a", url=secure.redirect("/down", site.url("/feed"), 301))
        up = FetchRequest(feed_id="b", url=site.redirect("/up", secure.put("/feed", Answer()), 308))
        found = dict(fetch_all([down, up], LIMITS, transport=trusting(certificates)))
    assert found[down] == Fetched(url=site.url("/feed"), body=FEED)
    assert found[up] == Fetched(url=secure.url("/feed"), body=FEED, moved_to=secure.url("/feed"))


def trusting(certificates: Certificates) -> Callable[[FetchLimits], httpx2.AsyncBaseTransport]:
    def transport(limits: FetchLimits) -> httpx2.AsyncBaseTransport:
        tls = partial(ssl.create_default_context, cafile=certificates.ca_file)
        return GuardedTransport(GuardedBackend(limits.allow_hosts), tls=tls)

    return transport


def test_a_packed_feed_is_unpacked(site: Site) -> None:
    url = site.put("/feed", Answer(body=gzip.compress(FEED), headers={"content-encoding": "gzip"}))
    assert fetched(url).body == FEED


@pytest.mark.parametrize(
    "headers", [{}, {"content-encoding": "x-gzip"}, {"content-type": "application/gzip"}], ids=str
)
def test_a_packed_feed_is_unpacked_whatever_the_headers_say(site: Site, headers: dict[str, str]) -> None:
    half = len(FEED) // 2
    members = gzip.compress(FEED[:half]) + gzip.compress(FEED[half:])
    for body in (gzip.compress(FEED), gzip.compress(gzip.compress(FEED)), members):
        assert fetched(site.put("/feed", Answer(body=body, headers=headers))).body == FEED
    cut_off = gzip.compress(FEED)[:-9]
    assert "decompressed" in failed(site.put("/feed", Answer(body=cut_off, headers=headers))).detail
    assert "larger" in failed(site.put("/feed", Answer(body=bomb(200), headers=headers))).detail


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml.gz"
    path.write_bytes(gzip.compress(FEED))
    assert fetched(path.as_uri()).body == FEED


def test_an_answer_that_a_proxy_has_changed_is_read(site: Site) -> None:
    assert fetched(site.put("/feed", Answer(status=203, body=FEED))).body == FEED


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "name and password"),
        (403, "refuses"),
        (404, "nothing at this address"),
        (410, "removed this feed permanently"),
        (500, "(500)"),
    ],
)
def test_a_refusal_is_a_value_that_says_what_to_do(site: Site, status: int, words: str) -> None:
    failure = failed(site.put("/feed", Answer(status=status)))
    assert failure.status == status
    assert words in failure.detail


def test_the_server_may_say_when_to_try_again(site: Site) -> None:
    failure = failed(site.put("/feed", Answer(status=503, headers={"retry-after": "120"})))
    assert failure.retry_after == "120"


def test_a_feed_that_has_moved_for_good_says_where(site: Site) -> None:
    new = site.put("/new", Answer())
    site.redirect("/half", "/new", 308)
    found = fetched(site.redirect("/old", "/half", 301))
    assert (found.url, found.moved_to) == (new, new)


def test_only_the_permanent_beginning_of_a_chain_is_for_good(site: Site) -> None:
    new = site.put("/new", Answer())
    half = site.redirect("/half", "/new", 302)
    assert fetched(site.redirect("/old", "/half", 301)).moved_to == half
    assert fetched(site.redirect("/other", "/old", 307)).moved_to is None
    assert fetched(half).url == new


def test_an_unchanged_feed_may_have_moved_too(site: Site) -> None:
    new = site.put("/new", Answer(headers={"etag": '"1"'}))
    request = FetchRequest(feed_id="a", url=site.redirect("/old", "/new", 301), etag='"1"')
    assert result(request) == NotModified(moved_to=new)


def test_an_endless_redirect_is_given_up(site: Site) -> None:
    assert "redirects more than" in failed(site.redirect("/loop", "/loop")).detail
    assert len(site.asked) == REDIRECTS + 1


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/", "javascript:alert(1)"])
def test_a_redirect_leads_only_to_the_web(site: Site, target: str) -> None:
    assert "Only http and https can be fetched" in failed(site.redirect("/feed", target)).detail


@pytest.mark.parametrize("host", ["ankerstraße.test", "ⓐnkerstraße。test", "i❤.test"])
def test_the_host_that_a_browser_would_open_is_asked_for(site: Site, host: str) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    def transport(limits: FetchLimits) -> httpx2.AsyncBaseTransport:
        backend = GuardedBackend(frozenset(["127.0.0.1", host]), resolve=resolve)
        return GuardedTransport(backend)

    written = site.put("/feed", Answer()).replace("127.0.0.1", host)
    moved = site.redirect("/old", written.encode().decode("latin-1"), 301)  # as it goes over the wire
    requests = [FetchRequest(feed_id=url, url=url) for url in (written, moved)]
    found = dict(fetch_all(requests, LIMITS, transport=transport)).values()
    ascii_name = "xn--i-7iq.test" if "❤" in host else "xn--ankerstrae-e4a.test"
    assert {each.url for each in found if isinstance(each, Fetched)} == {
        site.url("/feed").replace("127.0.0.1", ascii_name)
    }
    assert set(asked) == {"127.0.0.1", ascii_name}


def test_a_redirect_to_no_address_at_all_is_a_failure(site: Site) -> None:
    assert failed(site.redirect("/feed", "http://[")).detail


@pytest.mark.parametrize("port", [0, 99_999])
def test_a_redirect_to_a_port_that_is_none_is_a_failure(site: Site, port: int) -> None:
    target = site.redirect("/feed", f"http://127.0.0.1:{port}/")
    assert failed(target).detail.startswith("This is not a usable web address")


def test_a_redirect_to_a_name_inside_is_refused(site: Site) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1" if host == "127.0.0.1" else "10.0.0.7"]

    def transport(limits: FetchLimits) -> httpx2.AsyncBaseTransport:
        return GuardedTransport(GuardedBackend(limits.allow_hosts, resolve=resolve))

    request = FetchRequest(feed_id="a", url=site.redirect("/feed", "http://intranet.test/admin"))
    ((_, outcome),) = fetch_all([request], LIMITS, transport=transport)
    assert isinstance(outcome, FetchFailure)
    assert outcome.detail.startswith("intranet.test is not a public host")
    assert asked == ["127.0.0.1", "intranet.test"]


def test_loopback_is_refused_unless_it_is_named(site: Site) -> None:
    url = site.put("/feed", Answer())
    assert "allow_hosts" in failed(url, replace(LIMITS, allow_hosts=frozenset())).detail
    assert site.asked == []


def test_name_and_password_go_to_their_own_host_and_nowhere_else(site: Site) -> None:
    with serving() as other:
        target = other.put("/new", Answer())
        site.redirect("/half", target)
        site.redirect("/feed", "/half")
        found = fetched(site.url("/feed").replace("://", "://ada:secret@"))
    assert [headers.get("authorization") for _, headers in site.asked] == ["Basic YWRhOnNlY3JldA=="] * 2
    assert "authorization" not in other.asked[0][1]
    assert found.url == target


@pytest.mark.parametrize(
    ("url", "target", "kept"),
    [
        ("http://ada:x@a.example.org/feed", "https://a.example.org/feed", True),
        ("https://ada:x@a.example.org/feed", "/new", True),
        ("https://ada:x@a.example.org/feed", "http://a.example.org/feed", False),
        ("http://ada:x@a.example.org/feed", "https://b.example.org/feed", False),
        ("http://ada:x@a.example.org/feed", "https://a.example.org:8443/feed", False),
    ],
)
def test_a_password_follows_a_redirect_to_https_but_not_back(url: str, target: str, kept: bool) -> None:
    assert bool(next_hop(httpx2.URL(url), target).userinfo) is kept


def test_no_password_is_shown(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = site.put("/feed", Answer()).replace("://", "://ada:secret@")
    assert "secret" not in fetched(secret).url
    assert "secret" not in failed(secret.replace("/feed", "/none")).detail
    assert "secret" not in failed("http://ada:secret@[::bad/feed").detail
    assert "secret" not in caplog.text
    assert "YWRhOnNlY3JldA" not in caplog.text


@pytest.mark.parametrize("answer", [Answer(silent=True), Answer(dripping=True)])
def test_a_feed_that_falls_silent_is_given_up_in_time(site: Site, answer: Answer) -> None:
    failure = failed(site.put("/feed", answer), replace(LIMITS, timeout=0.3))
    assert "within 0.3 seconds" in failure.detail


def test_three_hundred_megabytes_are_not_read_to_their_end(site: Site) -> None:
    url = site.put("/feed", Answer(body=CHUNK, endless=300_000_000 // len(CHUNK)))
    assert "larger than 1,000,000 bytes" in failed(url, replace(LIMITS, max_bytes=1_000_000)).detail
    assert site.sent < 100_000_000


def test_a_body_that_says_it_is_too_large_is_not_read(site: Site) -> None:
    url = site.put("/feed", Answer(headers={"content-length": "300000000"}))
    assert "larger than" in failed(url).detail


def test_a_packed_body_counts_as_it_unpacks(site: Site) -> None:
    url = site.put("/feed", Answer(body=bomb(200), headers={"content-encoding": "gzip"}))
    assert "larger than 10,000,000 bytes" in failed(url).detail


def test_a_broken_packing_is_a_failure(site: Site) -> None:
    url = site.put("/feed", Answer(body=b"not gzip", headers={"content-encoding": "gzip"}))
    assert "could not be decompressed" in failed(url).detail


def test_a_closed_port_is_a_failure(site: Site) -> None:
    with serving() as closed:
        url = closed.url("/feed")
    assert f"no server answers at port {closed.port}; check the port" in failed(url).detail


def test_a_server_without_tls_is_not_said_to_have_a_bad_certificate(site: Site) -> None:
    url = site.put("/feed", Answer()).replace("http:", "https:")
    assert "try http:// in place of https://" in failed(url).detail


@pytest.mark.parametrize(
    "url", ["gopher://127.0.0.1/", "harbour", "", "http://", "http://exa mple/", "http://exü mple/"]
)
def test_an_address_that_is_none_is_a_failure(url: str) -> None:
    assert "url" in failed(url).detail


def test_many_feeds_are_fetched_at_once_and_a_slow_one_holds_up_nobody(site: Site) -> None:
    slow = FetchRequest(feed_id="slow", url=site.put("/slow", Answer(after=41)))
    site.put("/feed", Answer())
    quick = [FetchRequest(feed_id=str(number), url=site.url("/feed")) for number in range(40)]
    results = dict(fetch_all([slow, *quick], LIMITS))
    assert set(results) == {slow, *quick}
    assert all(isinstance(outcome, Fetched) for outcome in results.values())


def test_closing_early_stops_the_fetches_in_progress(site: Site) -> None:
    site.put("/feed", Answer())
    slow = [FetchRequest(feed_id="slow", url=site.put("/slow", Answer(silent=True)))]
    running = fetch_all([FetchRequest(feed_id="a", url=site.url("/feed")), *slow], LIMITS)
    next(running)
    running.close()
    assert "fetch" not in {thread.name for thread in threading.enumerate()}


def test_nothing_to_fetch_is_nothing() -> None:
    assert list(fetch_all([], LIMITS)) == []


def test_an_error_of_our_own_is_that_feeds_failure(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    address = "http://ada:secret@harbour.example.org/"

    async def broken(*_: object) -> Connection:
        raise KeyError(address)

    def transport(limits: FetchLimits) -> httpx2.AsyncBaseTransport:
        return GuardedTransport(GuardedBackend(limits.allow_hosts, connect=broken))

    ((_, outcome),) = fetch_all(
        [FetchRequest(feed_id="a", url=site.url("/feed"))], LIMITS, transport=transport
    )
    assert isinstance(outcome, FetchFailure)
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text


def test_requests_to_one_host_share_a_connection(site: Site, certificates: Certificates) -> None:
    with serving(certificates.context) as secure:
        for each in (site, secure):
            each.put("/feed", Answer(keep=True, headers={"etag": '"1"'}))
            each.put("/old", Answer(keep=True, status=301, body=b"", headers={"location": "/feed"}))
            each.put("/none", Answer(keep=True, status=404, body=b""))
        urls = [each.url(path) for path in ("/feed", "/old", "/none", "/feed") for each in (site, secure)]
        requests = [FetchRequest(feed_id=url, url=url, etag='"1"') for url in urls]
        found = fetch_all(requests, replace(LIMITS, in_flight=1), transport=trusting(certificates))
        results = [result for _, result in found]
    assert [type(each) for each in results[:4]] == [NotModified] * 4
    assert {each.status for each in results if isinstance(each, FetchFailure)} == {404}
    assert (site.connections, secure.connections) == (1, 1)
    assert len(site.asked) == len(secure.asked) == 5


def test_a_connection_that_the_server_has_closed_is_opened_again(site: Site) -> None:
    url = site.put("/feed", Answer(keep=True, only_first=True))
    requests = [FetchRequest(feed_id=str(number), url=url) for number in range(3)]
    results = [result for _, result in fetch_all(requests, replace(LIMITS, in_flight=1))]
    assert [each.body for each in results if isinstance(each, Fetched)] == [FEED] * 3
    assert site.connections == 3


def test_a_connection_whose_answer_was_given_up_is_not_used_again(site: Site) -> None:
    large = site.put("/large", Answer(keep=True, body=CHUNK * 40))
    urls = [large, site.put("/feed", Answer(keep=True))]
    requests = [FetchRequest(feed_id=url, url=url) for url in urls]
    found = dict(fetch_all(requests, replace(LIMITS, in_flight=1, max_bytes=1000)))
    assert [type(found[request]) for request in requests] == [FetchFailure, Fetched]
    assert site.connections == 2


def test_a_file_is_read_and_known_to_be_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "a feed.xml"
    path.write_bytes(FEED)
    found = fetched(path.as_uri())
    assert found.body == FEED
    assert result(FetchRequest(feed_id="a", url=path.as_uri(), etag=found.etag)) == NotModified()
    path.write_bytes(FEED + b" ")
    assert isinstance(result(FetchRequest(feed_id="a", url=path.as_uri(), etag=found.etag)), Fetched)


def test_a_file_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    large = tmp_path / "large.xml"
    large.write_bytes(FEED)
    assert "does not exist" in failed((tmp_path / "none.xml").as_uri()).detail
    assert "does not exist" in failed((tmp_path / "none").as_uri()).detail
    assert "does not exist" in failed("file:///dev/zero").detail
    assert "larger than" in failed(large.as_uri(), replace(LIMITS, max_bytes=10)).detail


def result(request: FetchRequest, limits: FetchLimits = LIMITS) -> Result:
    ((asked, outcome),) = fetch_all([request], limits)
    assert asked == request
    return outcome


def fetched(url: str) -> Fetched:
    outcome = result(FetchRequest(feed_id="a", url=url))
    assert isinstance(outcome, Fetched)
    return outcome


def failed(url: str, limits: FetchLimits = LIMITS) -> FetchFailure:
    outcome = result(FetchRequest(feed_id="a", url=url), limits)
    assert isinstance(outcome, FetchFailure)
    assert outcome.detail.endswith(".")
    return outcome
