from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Edition, EditionRecord, EditionState, Letter, Mail, ReaderLinks
from digest.send.letters import Press, Stationery, dated_at
from digest.send.message import Addressee
from subscribers.tokens import read_token
from tests.send.world import NOW, SECRET, STATIONERY, edition, read, render

ANA = Addressee(12, "ana@example.org")


def record(made: Edition | None = None, **changes: object) -> EditionRecord:
    fresh = EditionRecord(edition=made or edition(), hash="a" * 64, state=EditionState.APPROVED)
    return replace(fresh, **changes)  # type: ignore[arg-type]  # changes are named freely


def letter(
    reader: Addressee = ANA, *, made: EditionRecord | None = None, stationery: Stationery = STATIONERY
) -> Letter:
    written = Press(made or record(), stationery).letter(reader)
    assert written is not None
    return written


class Counting:
    """Render as usual and count how often."""

    def __init__(self) -> None:
        self.chosen: list[tuple[str, ...]] = []
        self.languages: list[str] = []

    def __call__(self, chosen: Edition, links: ReaderLinks, language: str) -> Mail:
        self.chosen.append(tuple(section.slug for section in chosen.sections))
        self.languages.append(language)
        return render(chosen, links, language)


def test_every_header_of_the_checklist_is_there_once() -> None:
    message = read(letter().data)
    token = str(message["List-Unsubscribe"]).partition(">")[0].rpartition("/")[2]
    assert read_token(SECRET, token, "u:daily") == 12
    assert {
        name: str(value) for name, value in message.items() if name not in ("Message-ID", "Feedback-ID")
    } == {
        "From": "The Daily <daily@news.example.org>",
        "To": "ana@example.org",
        "Reply-To": "Desk <desk@news.example.org>",
        "Subject": "What climate brings",
        "Date": "Sun, 22 Nov 2026 07:00:00 +0000",
        "List-Id": "The Daily <daily.news.example.org>",
        "List-Unsubscribe": f"<https://news.example.org/u/daily/{token}>,"
        f" <mailto:desk@news.example.org?subject=unsubscribe%20{token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Archive": "<https://news.example.org/d/daily>",
        "List-Help": "<mailto:desk@news.example.org?subject=help>",
        "Precedence": "bulk",
        "MIME-Version": "1.0",
        "Content-Type": message["Content-Type"],
    }
    assert len(message.keys()) == len({name.lower() for name in message})


def test_the_links_in_both_parts_are_the_readers_own() -> None:
    plain, rich = read(letter().data).iter_parts()
    text, html = plain.get_payload(decode=True), rich.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert isinstance(html, bytes)
    leave, choose = (line.rpartition("/")[2] for line in text.decode().splitlines()[-2:])
    assert (read_token(SECRET, leave, "u:daily"), read_token(SECRET, choose, "p")) == (12, 12)
    assert f'href="https://news.example.org/u/daily/{leave}"' in html.decode()


def test_the_same_reader_gets_the_same_bytes_each_time() -> None:
    assert letter() == letter()


def test_two_readers_of_one_choice_differ_only_in_their_own_fields() -> None:
    ana, ben = letter(), letter(Addressee(13, "ben@example.org"))
    assert ana.data != ben.data
    assert len(ana.data) == len(ben.data)
    assert read(ana.data)["Message-ID"] != read(ben.data)["Message-ID"]


def test_the_message_id_names_the_edition_and_by_its_token_the_reader() -> None:
    (field,) = [line for line in letter().data.split(b"\r\n") if line.startswith(b"Message-ID:")]
    found = re.fullmatch(rb"Message-ID: <daily-2026-11-22\.([0-9a-f]{42})@news\.example\.org>", field)
    assert found
    assert letter().sender == f"bounces+{found[1].decode()}@news.example.org"


def test_the_return_path_is_the_readers_own_in_letters_whose_case_does_not_matter() -> None:
    token = letter().sender.removeprefix("bounces+").removesuffix("@news.example.org")
    assert token == token.lower()
    assert read_token(SECRET, urlsafe_b64encode(bytes.fromhex(token)).decode(), "b") == 12


@pytest.mark.parametrize(
    ("configured", "sender"), [(None, "daily@news.example.org"), ("bounces@news.example.org",) * 2]
)
def test_without_a_token_in_it_the_return_path_is_the_same_for_all(
    configured: str | None, sender: str
) -> None:
    assert letter(stationery=replace(STATIONERY, bounce_address=configured)).sender == sender


def test_a_reader_of_text_gets_the_text_alone() -> None:
    message = read(letter(ANA._replace(format="text")).data)
    assert message.get_content_type() == "text/plain"
    assert "What climate brings" in message.get_content()


def test_choices_that_come_to_the_same_share_one_render() -> None:
    counting = Counting()
    press = Press(record(), replace(STATIONERY, render=counting))
    for variant in ("", "climate,space,sport", "-politics", "climate,space", "-sport", "climate,space,food"):
        assert press.letter(ANA._replace(variant=variant))
    assert counting.chosen == [("climate", "space", "sport"), ("climate", "space")]


def test_each_language_has_its_own_letter() -> None:
    german, own = letter(ANA._replace(language="de")), letter()
    assert "\r\nde\r\n" in german.data.decode("ascii")
    assert "\r\nde\r\n" not in own.data.decode("ascii")
    assert letter(ANA._replace(language="de")) == german


def test_languages_that_come_to_the_same_share_one_render() -> None:
    counting = Counting()
    press = Press(record(), replace(STATIONERY, render=counting))
    for language in ("", "en", "en-GB", "fi", "tlh", "de", "de-AT", "DE"):
        for form in ("html", "text", "html"):
            assert press.letter(ANA._replace(language=language, format=form))
    assert counting.languages == ["en", "en", "de", "de"]


def test_whose_letter_is_made_first_changes_nothing() -> None:
    readers = [ANA._replace(language=language) for language in ("", "en", "en-GB", "fi", "de", "de-AT")]
    forward, backward = Press(record(), STATIONERY), Press(record(), STATIONERY)
    made = [forward.letter(reader) for reader in readers]
    assert [backward.letter(reader) for reader in reversed(readers)] == made[::-1]
    assert len(set(made)) == 2


def test_a_choice_that_leaves_nothing_gets_no_letter() -> None:
    press = Press(record(), STATIONERY)
    assert press.topics_for("food") == ()
    assert press.letter(ANA._replace(variant="food")) is None


def test_the_topic_of_a_lead_without_a_section_can_be_chosen() -> None:
    whole = edition()
    lead = replace(next(whole.stories()), topic="harbour", title="The lead")
    press = Press(record(replace(whole, lead=lead)), STATIONERY)
    written = press.letter(ANA._replace(variant="harbour"))
    assert written
    assert read(written.data)["Subject"] == "The lead"


def test_compiled_mails_kept_are_bounded_and_the_least_used_goes_first() -> None:
    counting = Counting()
    press = Press(record(), replace(STATIONERY, render=counting, cache_bytes=4_000))
    for variant in ("climate", "space", "climate", "sport", "climate", "space"):
        press.letter(ANA._replace(variant=variant))
    assert counting.chosen.count(("climate",)) == 1
    assert counting.chosen.count(("space",)) == 2


def test_mails_are_dated_at_the_send_time_unless_they_left_early_or_much_later() -> None:
    assert dated_at(record()) == NOW
    assert dated_at(record(started_at=NOW + timedelta(minutes=59))) == NOW
    for span in (timedelta(hours=3), timedelta(hours=-3)):
        assert dated_at(record(started_at=NOW + span)) == NOW + span


@pytest.mark.parametrize(
    ("hour", "zone", "started_at", "date"),
    [
        ("17:00", "America/New_York", NOW, "Sun, 22 Nov 2026 22:00:00 +0000"),
        ("06:00", "Europe/Berlin", NOW, "Mon, 23 Nov 2026 05:00:00 +0000"),
        ("07:00", "UTC", NOW, "Sun, 22 Nov 2026 07:00:00 +0000"),
        ("08:00", "UTC", NOW + timedelta(hours=3), "Sun, 22 Nov 2026 10:00:00 +0000"),
        ("12:00", "UTC", NOW - timedelta(hours=3), "Sun, 22 Nov 2026 12:00:00 +0000"),
    ],
)
def test_a_copy_for_an_hour_of_the_reader_is_dated_at_that_hour(
    hour: str, zone: str, started_at: datetime, date: str
) -> None:
    copy = letter(ANA._replace(hour=hour, zone=zone), made=record(started_at=started_at))
    assert read(copy.data)["Date"] == date


LONG = "https://news.example.org/" + "a" * 300


def test_a_long_address_of_the_site_stays_whole_in_the_headers() -> None:
    whole = edition()
    long = replace(whole, site=replace(whole.site, base_url=LONG))
    data = letter(made=record(long)).data
    assert f"List-Unsubscribe: <{LONG}/u/daily/".encode() in data
    assert b"=?" not in data.partition(b"\r\nList-Unsubscribe")[2].partition(b"\r\n\r\n")[0]


@given(title=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_title_of_a_digest_changes_its_list_id_or_adds_a_header(title: str) -> None:
    data = letter(made=record(edition(title=title))).data
    head = data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    (found,) = [line for line in head.split(b"\r\n") if line.startswith(b"List-Id:")]
    assert found.endswith(b" <daily.news.example.org>")
    assert head.count(b"\r\n") == letter().data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").count(
        b"\r\n"
    )
