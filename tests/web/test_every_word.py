"""No English is left on pages and emails in other languages: each text is content or in the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from httpx2 import Response

from digest.compose.sections.lexicon import rest_title
from digest.render.languages.dates import appointment, listed, long_date, month_name, weekday_name
from digest.render.languages.languages import languages, words_for
from digest.render.mail import lines
from digest.render.sample import sample_edition
from digest.web.pages.offers import HOURS, zones
from tests.web.site import Site, link_in, text_of
from tests.web.test_archive import publish

CONTENT = (
    *("Harbour Digest", "1 Quay Street, Port Ellery", "Daily", "Weekend", "Around town", "Sea and garden"),
    *(
        "More stories",
        "ada@example.org",
        "eve@example.org",
        "e…@example.org",
        "a…@example.org",
        "daily",
        "weekend",
    ),
    *(name for name in languages().values()),
    *map(rest_title, languages()),
    *HOURS,
    *zones(),
)
_EDGES = " .,:;()·–-="
_READ_ALOUD = ("alt", "aria-label", "title", "placeholder")
_FAULTS: tuple[dict[str, object], ...] = (
    {"address": ""},
    {"address": "a@b@c"},
    {"digest": []},
    {"topics.daily": "x"},
    {"hour": "25"},
)
_META = ("description", "og:title", "og:description")


class Texts(HTMLParser):
    """Collects all texts that a reader sees or hears on a page; inline elements are texts of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._hidden += tag in ("style", "script")
        self.found += [given[name] for name in _READ_ALOUD if given.get(name)]
        if tag == "meta" and (given.get("name") or given.get("property")) in _META:
            self.found.append(given["content"])

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.found.append(" ".join(data.split()))


class Vocabulary:
    """The texts that may appear on a page in one language."""

    def __init__(self, language: str, content: Iterable[str]) -> None:
        said = words_for(language).texts.values()
        self.content = {*CONTENT, *content}
        self.patterns = [re.compile(_pattern(text), re.IGNORECASE) for text in said]
        self.words = set(_calendar(language))

    def knows(self, text: str) -> bool:
        """Tell whether a text is content or translated; filled-in values are checked on their own."""
        text = text.strip(_EDGES)
        if not text or text in self.content or re.fullmatch(r"[\d:.,/ -]+", text):
            return True
        if set(re.findall(r"[^\W\d]+", text)) <= self.words:
            return True
        parts = [part for part in re.split(r" – |\n", text) if part]
        if len(parts) > 1:
            return all(self.knows(part) for part in parts)
        return any(
            all(self.knows(value) for value in found.groups())
            for pattern in self.patterns
            if (found := pattern.fullmatch(text))
        )


def _pattern(text: str) -> str:
    pieces = re.split(r"\{\w+\}", text.strip(_EDGES))
    return "(.+?)".join(re.escape(piece) for piece in pieces)


def _calendar(language: str) -> Iterator[str]:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    days = [start + timedelta(days=each) for each in range(0, 400, 3)]
    texts = [long_date(day.date(), language) for day in days]
    texts += [
        appointment(day, now=now, zone=zone, language=language)
        for day in days[:60]
        for now in (start, start + timedelta(days=90))
        for zone in ("Europe/Berlin", "Europe/Lisbon")
    ]
    texts += [weekday_name(day, language) for day in range(7)]
    texts += [month_name(month, language) for month in range(1, 13)]
    texts.append(listed(["1", "2", "3"], language))
    for text in texts:
        yield from re.findall(r"[^\W\d]+", text)


def visit(place: Site, language: str) -> Iterator[tuple[str, Response]]:
    """Visit every page that a reader can see, with a browser in one language."""
    client = place.client
    client.headers["accept-language"] = language
    yield "empty archive", client.get("/d/weekend")
    publish(place)
    for path in ("/", "/signup/daily", "/d/daily", "/nowhere", "/c/none", "/u/daily/none"):
        yield path, client.get(path)
    for fault in _FAULTS:
        yield f"sign-up {fault}", place.fill_in(fault)
    yield "second page", client.post("/signup", data={"address": "eve@example.org", "digest": "daily"})
    yield "mailbox", place.sign_up(digest=["daily"], hour="08:30", zone="Europe/Lisbon")
    link = link_in(place.emails()[-1], "c")
    yield "confirm", client.get(link)
    yield "elsewhere", client.post(link, headers={"sec-fetch-site": "cross-site"})
    yield "joined", client.post(link)
    place.settle()
    yield "known", place.sign_up(digest=["daily", "weekend"], hour="09:30")
    yield "joined more", client.post(link_in(place.emails()[-1], "c"))
    place.settle()
    preferences, leave = place.preferences_link("eve@example.org"), place.leave_link("eve@example.org")
    yield "preferences", client.get(preferences)
    mine = {"language": language, "format": "html", "zone": ""}
    yield "saved", client.post(preferences, data={**mine, "digest": ["daily", "weekend"]})
    yield "no topic", client.post(preferences, data={**mine, "digest": "daily", "mode.daily": "only"})
    yield "language", client.post(preferences, data={**mine, "digest": "daily", "language": "tlh"})
    for day in ("2027-01-05", "", "2020-01-01", "tomorrow", "2029-01-01"):
        yield f"pause {day}", client.post(f"{preferences}/pause", data={"until": day})
    yield "paused", client.post(f"{preferences}/pause", data={"until": "2026-12-24"})
    yield "bad move", client.post(f"{preferences}/address", data={"address": "eve"})
    yield "move", client.post(f"{preferences}/address", data={"address": "ada@example.org"})
    place.settle()
    for email in place.emails()[-2:]:
        yield "move", client.get(link_in(email, "c"))
        yield "half moved", client.post(link_in(email, "c"))
    preferences, leave = place.preferences_link(), place.leave_link()
    place.clock.forward(days=1)  # more notices are allowed
    yield "data", client.post(f"{preferences}/data")
    place.settle()
    data = link_in(place.emails()[-1], "m")
    yield "data", client.get(data)
    yield "not sure", client.post(f"{data}/erase")
    yield "leave", client.get(leave)
    left = client.post(leave, data={"leave": "yes", "reason": "other"})
    yield "left", left
    ticket = re.findall(r'name="ticket" value="([^"]+)"', left.text)[0]
    yield "back", client.post("/undo", data={"ticket": ticket})
    yield "left all", client.post(f"{preferences}/leave")
    yield "nothing", client.get(preferences)
    yield "erased", client.post(f"{data}/erase", data={"sure": "yes"})
    yield "method", client.put("/signup")
    yield "not a form", client.post("/signup", content=b"x", headers={"content-type": "text/x"})
    yield "expired", _expired(place)
    for _ in range(130):
        often = place.client.post(f"{link}/fresh")
    yield "often", often


def _expired(place: Site) -> Response:
    place.sign_up(address="ada@example.org")
    place.clock.forward(days=3, hours=1)
    return place.client.get(link_in(place.emails()[-1], "c"))


@pytest.mark.parametrize("language", [tag for tag in languages() if tag != "en"])
def test_no_english_is_left_on_any_page_or_in_any_email(quick: Site, language: str) -> None:
    edition = sample_edition()
    vocabulary = Vocabulary(language, (edition.title, lines(edition)[0]))
    untranslated: dict[str, list[str]] = {}
    for name, answer in visit(quick, language):
        assert answer.headers["content-language"] == language, name
        _note(untranslated, vocabulary, name, answer.text)
    for email in quick.emails():
        html, text = email.get_body(("html",)), text_of(email)
        assert html is not None
        _note(untranslated, vocabulary, str(email["Subject"]), str(html.get_content()))
        left = [
            line for line in text.splitlines() if line.strip() and not line.startswith(("https://", "-- "))
        ]
        while left:
            view = (count for count in range(1, len(left) + 1) if vocabulary.knows(" ".join(left[:count])))
            count = next(view, 0)  # the number of lines over which a sentence is wrapped
            if not count:
                untranslated[f"text of {email['Subject']}"] = left
                break
            left = left[count:]
    assert untranslated == {}, untranslated


def test_the_vocabulary_of_a_language_does_not_know_english(quick: Site) -> None:
    vocabulary = Vocabulary("de", ())
    assert vocabulary.knows("Montags bis freitags um 07:00; nächste Ausgabe: Dienstag 07:00, Berlin")
    assert not vocabulary.knows("Weekdays at 07:00; nächste Ausgabe: Dienstag 07:00, Berlin")
    assert not vocabulary.knows("Subscribe")


def _note(untranslated: dict[str, list[str]], vocabulary: Vocabulary, name: str, html: str) -> None:
    texts = Texts()
    texts.feed(html)
    unknown = [text for text in texts.found if not vocabulary.knows(text)]
    if unknown:
        untranslated.setdefault(name, []).extend(unknown)
