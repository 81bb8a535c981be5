"""Links are asked politely, and an answer that may concern only programs says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import httpx2
import pytest

from digest.collect.fetching.guard import GuardedBackend, GuardedTransport
from digest.collect.fetching.links import PAUSE, LinkTerms, ask_links
from digest.model.links import LinkAnswer
from digest.model.posts import FetchLimits
from tests.collect.servers import Answer, Site, serving

NOW = datetime(2026, 11, 23, 6, 31, tzinfo=UTC)
HERE = FetchLimits(allow_hosts=frozenset({"127.0.0.1"}))


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def asked(
    urls: Sequence[str], limits: FetchLimits = HERE, *, transport: object = None
) -> tuple[dict[str, LinkAnswer], list[float]]:
    """Return the answers by address, and the pauses that were made."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    more = {"transport": transport} if transport else {}
    terms = LinkTerms(limits=limits, now=NOW, sleep=sleep, **more)  # type: ignore[arg-type]
    done: list[LinkAnswer] = []
    answers = ask_links(urls, terms, done.append)
    assert len(answers) == len(done) == len(set(urls))
    return {each.url: each for each in answers}, pauses


def test_each_kind_of_answer_says_what_a_reader_would_find(site: Site) -> None:
    fine = site.put("/fine", Answer())
    shy = site.put("/shy", Answer(no_head=True))
    moved = site.redirect("/moved", "/fine")
    away = site.redirect("/away", "ftp://files.example.org/")
    loop = site.redirect("/loop", "/loop")
    statuses = {status: site.put(f"/{status}", Answer(status=status)) for status in (403, 404, 410, 500, 503)}
    found, pauses = asked([fine, shy, moved, away, loop, *statuses.values()])
    said = {url: (each.problem, each.leads_to, each.answered) for url, each in found.items()}
    assert said == {
        fine: ("", "", True),
        shy: ("", "", True),
        moved: ("", fine, True),
        away: ("there is nothing at its address (404)", "", True),
        loop: ("it redirects more than 8 times", "", True),
        statuses[403]: ("", "", False),
        statuses[404]: ("there is nothing at its address (404)", "", True),
        statuses[410]: ("its page was removed (410)", "", True),
        statuses[500]: ("its server answers with an error (500)", "", True),
        statuses[503]: ("", "", False),
    }
    assert "/fine" not in [path for path, _ in site.asked]  # HEAD was enough
    requests = len(site.heads) + len(site.asked)
    # They are a second apart. The first needs no pause, and neither does one after a request that was slow.
    assert requests - 4 <= len(pauses) <= requests - 1
    assert all(0 < pause <= PAUSE for pause in pauses)


def test_an_internal_host_is_refused_also_behind_a_redirect(site: Site) -> None:
    inside = site.put("/inside", Answer())
    found, _ = asked([inside, "http://localhost:1/"], FetchLimits())
    assert {each.problem for each in found.values()} == {"its host is not public, so readers cannot open it"}
    assert site.heads == []


def names(*known: str) -> object:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if host not in known:
            raise OSError("unknown")
        return ["127.0.0.1"]

    def transport(limits: FetchLimits) -> httpx2.AsyncBaseTransport:
        return GuardedTransport(GuardedBackend(frozenset(known), resolve=resolve))

    return transport


def test_a_host_that_does_not_exist_is_told_unless_no_host_can_be_found(site: Site) -> None:
    site.put("/", Answer())
    here = f"http://press.test:{site.port}/"
    found, _ = asked([here, "http://gone.test/"], transport=names("press.test"))
    assert found["http://gone.test/"].problem == "no host has its name"
    offline, _ = asked([here, "http://gone.test/"], transport=names())
    assert {(each.problem, each.answered) for each in offline.values()} == {("", False)}


def test_asking_ends_when_it_is_told_to_stop(site: Site) -> None:
    url = site.put("/", Answer())
    assert ask_links([url], LinkTerms(limits=HERE, now=NOW, stop=lambda: True)) == ()
