"""Feeds that fail, lie and attack, beside good feeds: only the good content is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from lxml import html

from tests.acceptance.publication import Email, Publication, publishing, readers, subscribe
from tests.collect.servers import CHUNK, Answer, bomb

START, SENT = "2026-11-20T12:00Z", "2026-11-21T06:00Z"
ONCE = ("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "MIME-Version")
ATTACK = "<img src=x onerror=alert(1)><script>alert(2)</script><p onclick=x()>A story of the quay.</p>"
CONTROLS = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]")


def rss(*items: str) -> Answer:
    body = f"<rss version='2.0'><channel><title>H</title>{''.join(items)}</channel></rss>"
    return Answer(body=body.encode())


def item(title: str, number: int = 1, date: str = "", guid: str = "") -> str:
    return (
        f"<item><guid isPermaLink='false'>{guid or number}</guid><title>{escape(title)}</title>"
        f"<link>https://odd.example.org/{number}</link>{f'<pubDate>{date}</pubDate>' if date else ''}"
        f"<description>{escape(ATTACK)}</description></item>"
    )


BROKEN = {
    "500": (Answer(status=500), "failed"),
    "404": (Answer(status=404), "failed"),
    "410": (Answer(status=410), "gone"),
    "silent": (Answer(silent=True), "failed"),
    "dripping": (Answer(dripping=True), "failed"),
    "300 MB": (Answer(body=CHUNK, endless=4_600), "failed"),
    "bomb": (Answer(body=bomb(300), headers={"content-encoding": "gzip"}), "failed"),
    "page": (Answer(body=b"<!doctype html><html><h1>Hello</h1></html>"), "failed"),
    "loop": (Answer(status=302, headers={"location": "/loop"}), "failed"),
    "inside": (Answer(status=302, headers={"location": "http://169.254.169.254/"}), "failed"),
    "bad xml": (Answer(body=b"<rss><channel><item><title>Broken & <item></rss>"), "failed"),
    "unusable": (rss("<item/>", "<item/>"), "failed"),
}
ODD = {
    "no dates": rss(item("Undated", 1), item("Undated too", 2)),
    "dates": rss(
        item("Long ago", 3, "Thu, 01 Jan 1970 00:00:00 GMT"),
        item("Far ahead", 4, "Thu, 31 Dec 2099 23:59:59 GMT"),
    ),
    "same ids": rss(item("First", 5, guid="same"), item("Second", 6, guid="same")),
}
TITLES = {
    "script": ("<script>alert(1)</script>Market opens", "Market opens"),
    "line ends": ("Tide\r\nBcc: all@example.org\r\n\r\nBody", "Tide Bcc: all@example.org Body"),
    "emoji": (
        "\U0001f6a2 Ships \U0001f469\u200d\U0001f680 and stars",
        "\U0001f6a2 Ships \U0001f469\u200d\U0001f680 and stars",
    ),
    "right to left": (
        "\u0645\u0631\u062d\u0628\u0627 \u202egnp.exe",
        "\u0645\u0631\u062d\u0628\u0627 gnp.exe",
    ),
    "template": ("{{ 7 * 7 }} {% raw %}", "{{ 7 * 7 }} {% raw %}"),
    "encoded word": ("=?utf-8?q?Free_money?=", "=?utf-8?q?Free_money?="),
}


@pytest.fixture
def publication(tmp_path: Path) -> Iterator[Publication]:
    with publishing(tmp_path, f"sqlite:///{tmp_path / 'digest.db'}") as found:
        yield found


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Publication]:
    with publishing(tmp_path, f"sqlite:///{tmp_path / 'digest.db'}", feeds={}) as found:
        yield found


def test_feeds_that_fail_are_reported_and_the_others_are_sent(
    publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    for name, (answer, _) in BROKEN.items():
        publication.feed(name, "/loop" if name == "loop" else f"/{name.replace(' ', '-')}", answer)
    for name, answer in ODD.items():
        publication.feed(name, f"/{name.replace(' ', '-')}", answer)
    chosen = dict.fromkeys(readers(12), "")
    subscribe(publication, chosen, START)
    with publication.server():
        publication.call("run", "--now", START)
        health = {feed["name"]: feed["status"] for feed in publication.facts("feeds")}
        emails = publication.run(SENT)

    assert {name: health[name] for name in BROKEN} == {name: status for name, (_, status) in BROKEN.items()}
    assert {status for name, status in health.items() if name not in BROKEN} <= {"ok", "unchanged"}
    assert sorted(mail.reader for mail in emails) == sorted(chosen)
    links = {link for _, link in publication.stories("daily")}
    assert links >= {f"https://odd.example.org/{number}" for number in range(1, 7)}
    assert len({link.split("/")[2] for link in links}) == 10  # nine good feeds and the odd ones
    check_harmless(emails[0])
    assert not CONTROLS.search(caplog.text)


@pytest.mark.parametrize(("title", "subject"), TITLES.values(), ids=TITLES)
def test_a_hostile_title_becomes_a_harmless_subject(empty: Publication, title: str, subject: str) -> None:
    mail = only_email(empty, title)
    assert str(mail.message["Subject"]) == subject
    assert subject in " ".join(mail.part("plain").split())


def test_a_title_of_500_characters_is_cut(empty: Publication) -> None:
    subject = str(only_email(empty, "x" * 500).message["Subject"])
    assert len(subject) < 300
    assert subject.endswith("\u2026")


def only_email(publication: Publication, title: str) -> Email:
    """Publish one post with this title, and return its email."""
    body = rss(item("TITLE")).body.replace(b"TITLE", f"<![CDATA[{title}]]>".encode())
    publication.feed("Odd", "/odd", Answer(body=body))
    subscribe(publication, dict.fromkeys(readers(1), ""), START)
    with publication.server():
        publication.call("run", "--now", START)
        (mail,) = publication.run(SENT)
    check_harmless(mail)
    return mail


def check_harmless(mail: Email) -> None:
    """Check that a feed has brought nothing harmful into the headers, the HTML or the text."""
    assert not mail.message.defects
    assert not {"Bcc", "Cc"} & set(mail.message.keys())
    assert all(len(mail.message.get_all(name) or ()) == 1 for name in ONCE)
    assert not any(CONTROLS.search(str(value)) for value in mail.message.values())
    assert not CONTROLS.search(mail.part("plain").replace("\r", ""))
    page = html.fromstring(mail.part("html"))
    assert not page.xpath("//script | //iframe | //form | //*[@onerror or @onclick or @onload]")
    assert all(str(link).startswith(("https://", "http://", "mailto:")) for link in page.xpath("//a/@href"))
