"""A publication under test: feeds on loopback, Postfix's smtp-sink as its mail server, days replayed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from lxml import html
from sqlalchemy import text

from digest.cli import program
from digest.storage.database import open_database
from digest.storage.tables import metadata
from subscribers.model import Choice
from tests.collect.servers import Answer, Site, serving
from tests.smtp.test_transport_real import smtp_sink

DIGEST = Path(sys.executable).with_name("digest")
FEEDS = {
    "Harbour Courier": "digest/demo/feeds/harbour-courier.xml",
    "Field Notes": "digest/demo/feeds/field-notes.xml",
    "The Slow Kitchen": "digest/demo/feeds/the-slow-kitchen.xml",
    "Rail & Road": "digest/demo/feeds/rail-and-road.atom",
    "Quiet Code": "digest/demo/feeds/quiet-code.json",
    "Tide Review": "tests/collect/feeds/tides.rdf",
    "Küstenbote": "tests/acceptance/feeds/kuestenbote.rss",
    "جريدة المرفأ": "tests/acceptance/feeds/marfa.rss",
    "港だより": "tests/acceptance/feeds/minato.atom",
}
CONFIG = """
[site]
name = "The Port Merrow Papers"
base_url = "https://papers.example.org"
postal_address = "3 Cobble Row, Port Merrow"

[[topic]]
slug = "outdoors"
title = "Outdoors"
tags = ["birds", "gardens", "climate", "walking", "garten"]

[[topic]]
slug = "move"
title = "On the move"
tags = ["night trains", "railways", "cycling", "ferries", "harbour", "verkehr"]

[[topic]]
slug = "table"
title = "At the table"
tags = ["bread", "soup", "recipes", "beans"]
quota = 2

[[digest]]
slug = "daily"
title = "Daily"
schedule = "every day at 07:00"
zone = "Europe/Berlin"
from = "Daily <daily@papers.example.org>"
topics = ["outdoors", "move", "table"]
maximum = 200

[[digest]]
slug = "found"
title = "What they wrote about"
schedule = "every day at 18:00"
zone = "Europe/London"
from = "Found <found@papers.example.org>"
maximum = 200

[[digest]]
slug = "weekly"
title = "Weekly"
schedule = "sundays at 09:00"
zone = "America/New_York"
from = "Weekly <weekly@papers.example.org>"
maximum = 200

[collect]
allow_hosts = ["127.0.0.1"]
timeout = "2s"
"""
CHOICES = ("", "outdoors", "move,table", "-outdoors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """An email as smtp-sink received it, with its edition."""

    edition: str
    reader: str
    message: EmailMessage

    def part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert isinstance(body, EmailMessage)
        return str(body.get_content())

    def links_in_html(self, links: Sequence[str]) -> list[str]:
        """Return the `links` that are in the HTML, in its order."""
        found = (str(link.get("href")) for link in html.fromstring(self.part("html")).iter("a"))
        return [link for link in dict.fromkeys(found) if link in links]

    def links_in_text(self, links: Sequence[str]) -> list[str]:
        """Return the `links` that are in the text, in its order."""
        return [link for link in dict.fromkeys(self.part("plain").split()) if link in links]


@dataclass(slots=True)
class Publication:
    """A folder with its configuration, and the actions that tests need."""

    folder: Path
    site: Site
    database_url: str

    def feed(self, name: str, path: str, answer: Answer) -> None:
        """Serve a feed, and name it in the configuration."""
        url = self.site.put(path, answer)
        with self.config.open("a", encoding="utf-8") as file:
            file.write(
                f"\n[[feed]]\nname = {json.dumps(name, ensure_ascii=False)}\nurl = {json.dumps(url)}\n"
            )

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def dump(self) -> Path:
        return self.folder / "emails"

    @contextmanager
    def server(self, *switches: str) -> Iterator[None]:
        """Run a smtp-sink with these switches as the publication's mail server while the block runs."""
        self.dump.mkdir(exist_ok=True)
        with smtp_sink(*switches, "-d", f"{self.dump}/%S.") as server:
            words = re.sub(r"\n\[mail\].*", "", self.config.read_text(encoding="utf-8"), flags=re.DOTALL)
            words += f'\n[mail]\ntransport = "smtp"\nhost = "127.0.0.1"\nport = {server.port}\n'
            self.config.write_text(f'{words}security = "none"\nconnections = 2\n', encoding="utf-8")
            yield

    def call(self, *words: str) -> Result:
        """Call a command in this process."""
        result = CliRunner().invoke(program, ["--config", str(self.config), *words])
        assert result.exit_code == 0, f"{words}: {result.output}\n{result.exception!r}"
        return result

    def facts(self, *words: str) -> Any:
        return json.loads(self.call(*words, "--json").stdout)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        command = [str(DIGEST), "--config", str(self.config), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, now: str) -> list[Email]:
        """Do what is due at this time, and return the emails that the server has received."""
        self.call("run", "--now", now)
        return self.take()

    def take(self) -> list[Email]:
        """Return the emails that the server has received since the last call.

        An email without its last line belongs to a connection that broke; no server delivers it.
        """
        found = []
        for path in sorted(self.dump.iterdir()):
            data = path.read_bytes()
            path.unlink()
            if data.rstrip().endswith(b"--"):
                message = message_from_bytes(data, policy=default)
                assert isinstance(message, EmailMessage)
                edition = str(message["Message-ID"]).strip("<").partition(".")[0]
                found.append(Email(edition=edition, reader=str(message["To"]), message=message))
        return found

    def stories(self, edition: str) -> list[tuple[str, str]]:
        """Return the topics, as in "move,table", and the link of each story, in reading order."""
        content = self.facts("editions", edition)["edition"]
        stories = [content["lead"]] if content["lead"] else []
        for section in content["sections"]:
            stories += section["stories"] + section["more"]
        return [(_topics(story), story["url"]) for story in stories if story["url"]]

    def rows(self) -> dict[str, Counter[str]]:
        """Return every row of every table."""
        database = open_database(self.database_url)
        with database.read() as connection:
            found = {
                table.name: Counter(map(repr, connection.execute(text(f'SELECT * FROM "{table.name}"'))))
                for table in metadata.sorted_tables
            }
        database.close()
        return found


def _topics(story: Mapping[str, Any]) -> str:
    return ",".join([story["topic"], *(claim["topic"] for claim in story["claims"])])


def readers(count: int) -> dict[str, str]:
    """Return readers with the topics of the daily digest that each has chosen."""
    return {f"reader{number:04}@example.org": CHOICES[number % len(CHOICES)] for number in range(count)}


def csv_of(chosen: dict[str, str]) -> str:
    """Return a CSV file of readers of all digests, with a bad line after every twentieth reader."""
    lines = ["email,digest,topics"]
    for number, (address, topics) in enumerate(chosen.items()):
        lines += [f'{address},daily,"{topics}"', f"{address},found,", f"{address},weekly,"]
        if number % 20 == 0:
            lines.append(f"nobody{number}@@example.org,daily,")
    return "\n".join(lines)


def wanted(stories: Sequence[tuple[str, str]], topics: str) -> set[str]:
    """Return the links of the stories with at least one of the chosen topics."""
    choice = Choice.parse(topics)
    return {link for claiming, link in stories if any(map(choice.wants, claiming.split(",")))}


@contextmanager
def publishing(folder: Path, database_url: str, feeds: Mapping[str, str] = FEEDS) -> Iterator[Publication]:
    """Open a publication with these feeds and three digests, without readers."""
    with serving() as site:
        publication = Publication(folder, site, database_url)
        database = f"\n[database]\nurl = {json.dumps(database_url)}\n"
        publication.config.write_text(CONFIG + database, encoding="utf-8")
        for number, (name, path) in enumerate(feeds.items()):
            body = Path(path).read_bytes()
            publication.feed(name, f"/{number}", Answer(body=body, headers={"etag": f'"{number}"'}))
        yield publication


def subscribe(publication: Publication, chosen: dict[str, str], now: str) -> None:
    """Import readers from a file with bad lines, which are reported and stop nothing."""
    path = publication.folder / "readers.csv"
    path.write_text(csv_of(chosen), encoding="utf-8")
    imported = publication.facts(
        "subscribers", "import", str(path), "--source", "May fair", "--yes", "--now", now
    )
    assert len(imported["faults"]) == (len(chosen) + 19) // 20
    assert imported["outcomes"] == {"new": len(chosen), "added": 2 * len(chosen)}
