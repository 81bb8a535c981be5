from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from digest.cli import program
from digest.cli.setup import init_from
from digest.model.posts import FetchLimits
from tests.cli.conftest import Terminal
from tests.collect.servers import Answer, Site, serving

PROGRAM = (sys.executable, "-c", "from digest.cli import main; main()")


@pytest.fixture
def site(terminal: Terminal) -> Iterator[Site]:
    """Serve a site with two feeds and one of comments; the publication may read it."""
    terminal.place.change("[site]", '[collect]\nallow_hosts = ["127.0.0.1"]\n\n[site]')
    kinds = "".join(
        f'<link rel="alternate" type="application/rss+xml" href="/{name}/feed/">' for name in FEEDS
    )
    with serving() as site:
        site.put("/", Answer(body=f"<html><head>{kinds}</head></html>".encode()))
        for name, title in FEEDS.items():
            site.put(f"/{name}/feed/", Answer(body=feed(title, name)))
        yield site


FEEDS = {"news": "Port News", "sport": "Port Sport", "comments": "Comments for Port News"}


def feed(title: str, name: str) -> bytes:
    items = "".join(
        f"<item><title>{name} {number}</title><link>/{name}/{number}</link><category>City</category>"
        f"<pubDate>Sun, 22 Nov 2026 0{number}:00:00 GMT</pubDate><description>It ran.</description></item>"
        for number in range(5)
    )
    return f'<rss version="2.0"><channel><title>{title}</title>{items}</channel></rss>'.encode()


def feeds_of(terminal: Terminal) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(terminal.place.config_path.read_text("utf-8"))["feed"]
    return found


def test_a_feed_is_shown_and_added(terminal: Terminal, site: Site) -> None:
    url = site.url("/news/feed/")
    said = terminal.says("feeds", "add", url.removeprefix("http://"))
    assert (
        f"1. Port News: {url}\n   2026-11-22  news 4\n   2026-11-22  news 3\n   2026-11-22  news 2\n" in said
    )
    assert "news 1" not in said
    assert f'added to config.toml:\n\n[[feed]]\nname = "Port News"\nurl = "{url}"\n' in said
    assert "taken by daily\nto fetch the posts: digest collect\ntopics in the posts: City (5)\n" in said
    assert feeds_of(terminal)[-1] == {"name": "Port News", "url": url}
    assert "Port News is in the configuration already" in terminal.says("feeds", "add", url)
    assert "Port News" in terminal.says("collect")


def test_a_dry_run_writes_nothing_and_a_password_is_never_shown(terminal: Terminal, site: Site) -> None:
    before = terminal.place.config_path.read_bytes()
    site.put("/news/feed/?token=abcdef", Answer(body=feed("Port News", "news")))
    secret = site.url("/news/feed/?token=abcdef").replace("//", "//ann:hu@sh@")
    said = terminal.says("feeds", "add", secret, "--dry-run")
    assert "would be added to config.toml" in said
    assert terminal.place.config_path.read_bytes() == before
    said += terminal.says("feeds", "add", secret) + terminal.says("config") + terminal.says("feeds")
    assert feeds_of(terminal)[-1]["url"] == secret
    assert not [word for word in ("hu@", "sh@", "abcdef") if word in said]


def test_where_nobody_can_be_asked_the_feeds_of_a_site_are_listed(terminal: Terminal, site: Site) -> None:
    said = terminal.call("feeds", "add", site.url("/"), fails=2)
    assert [line for line in said.stdout.splitlines() if line[:2] in ("1.", "2.", "3.", "4.")] == [
        f"1. Port News: {site.url('/news/feed/')}",
        f"2. Port Sport: {site.url('/sport/feed/')}",
        f"3. Comments for Port News: {site.url('/comments/feed/')}",
    ]
    assert said.stderr == "digest: there are several feeds; to choose one: digest feeds add ITS-ADDRESS\n"
    assert len(feeds_of(terminal)) == 2


def test_the_command_asks_on_a_terminal_which_feeds_are_meant(terminal: Terminal, site: Site) -> None:
    ours, theirs = pty.openpty()
    words = ["--config", str(terminal.place.config_path), "feeds", "add", site.url("/")]
    with subprocess.Popen(
        [*PROGRAM, *words], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        os.write(ours, b"7\n2 1\n")
        out, error = (each.decode() for each in running.communicate(timeout=60))
    os.close(ours)
    os.close(theirs)
    assert "write numbers from 1 to 3" in out + error
    assert running.returncode == 0, error
    assert [each["name"] for each in feeds_of(terminal)[2:]] == ["Port Sport", "Port News"]


def test_a_site_without_a_feed_is_one_plain_line(terminal: Terminal, site: Site, tmp_path: Path) -> None:
    said = terminal.call("feeds", "add", site.url("/nowhere.html?key=abc"), fails=2)
    assert said.stderr.startswith("note: There is nothing at http://127.0.0.1:")
    assert "abc" not in said.output
    del site.answers["/"]
    said = terminal.call("feeds", "add", site.url("/"), fails=1)
    advice = "There is nothing at this address (404); check the address."
    assert said.stderr == f"digest: 127.0.0.1: {advice}\n"


OPML = """<opml version="2.0"><body><outline text="Sea">
<outline type="rss" text="Tide" xmlUrl="https://tide.test/feed/?token=abcdef"/></outline>
<outline type="rss" text="Bad" xmlUrl="gopher://tide.test/"/></body></opml>"""


def test_a_list_of_feeds_is_imported_and_exported(terminal: Terminal) -> None:
    before = terminal.place.config_path.read_bytes()
    said = terminal.says("feeds", "import", "-", "--dry-run", stdin=OPML)
    assert "1 would be added, 1 left out\n" in said
    assert "digest: Bad: its address is not a web address" in said
    assert terminal.place.config_path.read_bytes() == before
    said = terminal.says("feeds", "import", "-", stdin=OPML)
    assert "1 added, 1 left out\ntaken by daily\n" in said
    url = "https://tide.test/feed/?token=abcdef"
    assert feeds_of(terminal)[-1] == {"name": "Tide", "url": url, "tags": ["Sea"]}
    assert "1 in the configuration already" in (again := terminal.says("feeds", "import", "-", stdin=OPML))
    written = terminal.call("feeds", "export")
    assert 'text="Tide"' in written.stdout
    assert "note: Harbour Gazette is on this machine, so it is left out" in written.stderr
    assert "note: the address of Tide is written without its password or token" in written.stderr
    assert "abcdef" not in said + again + written.output
    assert "1 in the configuration already" not in terminal.says("feeds", "import", "-", stdin=written.stdout)


def test_a_file_without_feeds_is_one_plain_line(terminal: Terminal) -> None:
    said = terminal.call("feeds", "import", "-", fails=1, stdin="<html></html>").stderr
    assert said == "digest: This is not an OPML file; export the list of feeds from your program as OPML.\n"


def test_a_publication_begins_with_the_address_of_a_site(
    terminal: Terminal, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new"
    init_from(folder, site.url("/news/feed/"), FetchLimits(allow_hosts=frozenset(["127.0.0.1"])))
    assert f"Next: cd {folder} && digest collect && digest compose daily" in capsys.readouterr().out
    path = folder / "config.toml"
    path.write_text(path.read_text("utf-8").replace("#allow_hosts", "allow_hosts"), encoding="utf-8")

    def call(*words: str) -> str:
        result = CliRunner().invoke(program, ["--config", str(path), *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert "Port News  ok        5" in call("collect", "--now", "2026-11-23T06:00")
    assert "5 stories" in call("compose", "daily", "--now", "2026-11-23T06:00")
    call("preview", "daily", "--out", str(tmp_path / "look"))
    said = terminal.call("init", str(folder), "--from", "www.example.org", fails=1).stderr
    assert "exists already; to add feeds to it: digest --config" in said
