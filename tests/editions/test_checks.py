"""What the preflight knows is read from the database, and was asked before."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from digest.collect.fetching.links import LinkTerms
from digest.compose.edits.operations import Introduce
from digest.editions.checks.known import known_about
from digest.editions.checks.links import check_links, forget_old_answers
from digest.editions.checks.spam import spam_report
from digest.editions.editions import approve, find_edition
from digest.editions.edits.edits import Editor, edit
from digest.editions.preflight import check_ahead, inspection_of
from digest.model.errors import ConfigError, PreflightError
from digest.model.links import LinkAnswer
from digest.model.run_context import RunContext
from digest.render.preflight.rules import RULES
from tests.scheduler.installation import Place, at

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.publish("The ferry is back", published="22 12:00")
    place.publish("A quiet day", published="22 11:00", feed="orchard")
    place.run("23 06:30")
    return place


class Asked:
    """Answers every link in the same way, and remembers what it was asked."""

    def __init__(self, problem: str = "") -> None:
        self.problem = problem
        self.urls: list[str] = []
        self.open: list[frozenset[str]] = []

    def __call__(
        self, urls: Iterable[str], terms: LinkTerms, done: Callable[[LinkAnswer], None]
    ) -> tuple[LinkAnswer, ...]:
        answers = [LinkAnswer(url=url, checked_at=terms.now, problem=self.problem) for url in urls]
        self.urls += [each.url for each in answers]
        self.open.append(terms.limits.allow_hosts)
        for each in answers:
            done(each)
        return tuple(answers)


def context(now: datetime) -> RunContext:
    return RunContext(clock=lambda: now)


def test_a_link_is_asked_again_only_after_a_while_and_a_dead_one_is_a_warning(place: Place) -> None:

    words = (
        "See [the quay](https://quay.press/1), [us](https://digest.example.org/a) and [x](https://x.test/)."
    )
    with place.app() as app:
        now, ask = at("23 06:31"), Asked("there is nothing at its address (404)")
        steps = list[tuple[int, int]]()
        edition_id = find_edition(app.database, app.config, "daily").edition.id
        edit(app.database, edition_id, [Introduce(text=words)], Editor(name="Ana", seen=0, now=now))
        record = find_edition(app.database, app.config, "daily")
        count = check_links(
            app.database,
            app.config,
            [record.edition],
            context(now),
            ask=ask,
            progress=lambda done, total: steps.append((done, total)),
        )
        assert count == 1
        assert (ask.urls, steps) == (["https://quay.press/1"], [(1, 1)])
        for hours, times in ((5, 1), (7, 2)):
            later = context(now + timedelta(hours=hours))
            check_links(app.database, app.config, [record.edition], later, ask=ask)
            assert len(ask.urls) == times
        (found,) = inspection_of(app, record, now + timedelta(hours=7)).findings
        assert found.message == "Link https://quay.press/1: there is nothing at its address (404)."
        assert found.place.text(record.edition) == "the introduction"
        check_ahead(app, context(now + timedelta(hours=7)))  # everything is known, so nobody is asked
        forget_old_answers(app.database, now + timedelta(days=3))
        assert known_about(app.database, app.config, record, now).links == {}


def test_an_internal_host_is_asked_only_for_the_feed_that_is_read_from_it(place: Place) -> None:
    with place.app() as app:
        record = find_edition(app.database, app.config, "daily")
        story = next(record.edition.stories())
        inside = replace(story, url="http://127.0.0.1:9/a", source="Harbour Gazette")
        foreign = replace(story, id="other", url="http://127.0.0.1:9/b", source="Elsewhere")
        edition = replace(record.edition, lead=inside, sections=())
        limits = replace(app.config.limits, allow_hosts=frozenset({"127.0.0.1"}))
        other = replace(app.config.feeds[0], name="Elsewhere", url="https://elsewhere.press/feed")
        config = replace(app.config, limits=limits, feeds=(*app.config.feeds, other))
        ask = Asked()
        second = replace(edition, lead=foreign)
        check_links(app.database, config, [edition, second], context(at("23 06:31")), ask=ask)
        assert (ask.urls, ask.open) == (["http://127.0.0.1:9/a"], [frozenset({"127.0.0.1"})])


def test_an_edition_is_compared_with_the_one_before_and_its_readers_are_counted(place: Place) -> None:
    place.subscribe("ada", topics="green")
    place.subscribe("ben", "cem")
    with place.app() as app:
        record = find_edition(app.database, app.config, "daily")
        known = known_about(app.database, app.config, record, at("23 06:31"))
        assert (known.last_subject, known.feeds) == ("", 2)
        assert known.readers == {"green": 1, "": 2}
    place.run("23 07:00")
    place.publish("The ferry is back!", published="23 12:00")
    place.run("24 06:30")
    with place.app() as app:
        record = find_edition(app.database, app.config, "daily")
        known = known_about(app.database, app.config, record, at("24 06:31"))
        assert known.last_subject in ("The ferry is back", "A quiet day")


def test_an_error_blocks_the_approval_and_a_rule_that_is_off_does_not(place: Place) -> None:
    with place.app() as app:
        edition_id = find_edition(app.database, app.config, "daily").edition.id
        now = at("23 06:31")
        edit(
            app.database,
            edition_id,
            [Introduce(text="Hello {{ name }}!")],
            Editor(name="Ana", seen=0, now=now),
        )
        with pytest.raises(PreflightError, match="is an expression without a value"):
            approve(app, edition_id, by="Ana", now=now)
    place.change("[[digest]]", '[preflight]\noff = { unresolved = "we write about templates" }\n\n[[digest]]')
    with place.app() as app:
        record, _ = approve(app, edition_id, by="Ana", now=now)
        assert record.approved_by == "Ana"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("subject_lang", "there is no rule 'subject_lang'; did you mean 'subject_long'?"),
        ("unsubscribe", "'unsubscribe' cannot be turned off, because no email may lack it"),
    ],
)
def test_a_rule_that_cannot_be_off_is_refused_with_its_line(place: Place, name: str, said: str) -> None:
    place.change("[[digest]]", f'[preflight]\noff = {{ {name} = "why not" }}\n\n[[digest]]')
    with pytest.raises(ConfigError) as refused, place.app():
        pass
    (problem,) = refused.value.problems
    assert (problem.message, problem.line is not None) == (said, True)


def test_the_guide_lists_every_rule_with_its_level() -> None:
    guide = (ROOT / "docs/howto/preflight.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in guide.splitlines() if line.startswith("| `")]
    levels = {"block": "error", "warn": "warning"}
    assert [(row[0], row[1], row[3]) for row in rows] == [
        (f"| `{rule.name}`", levels[rule.level], f"{rule.fix} |") for rule in RULES.values()
    ]


# ── SpamAssassin ────────────────────────────────────────────────────────────────────────────

REPORT = b"""SPAMD/1.1 0 EX_OK\r
Content-length: 9\r
Spam: False ; 1.2 / 5.0\r
\r
Content analysis details:   (1.2 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
-1.0 ALL_TRUSTED            Passed through trusted hosts only via SMTP
 2.2 HTML_IMAGE_ONLY_04     BODY: HTML: images with 0-400 bytes of words
"""


def test_a_server_of_spamassassin_is_asked_and_its_report_is_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = bytearray()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                while part := connection.recv(4_096):
                    heard.extend(part)
                connection.sendall(REPORT)

        thread = threading.Thread(target=answer)
        thread.start()
        report = spam_report(b"Subject: x\r\n\r\nHello\r\n", server=server.getsockname(), program=False)
        thread.join()
    assert heard.startswith(b"REPORT SPAMC/1.5\r\nContent-length: 21\r\n\r\nSubject")
    assert report is not None
    assert report.score == 1.2
    assert report.rules == (("ALL_TRUSTED", -1.0), ("HTML_IMAGE_ONLY_04", 2.2))


def test_without_spamassassin_there_is_no_report() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()
    assert spam_report(b"Hello", server=closed, program=False) is None
