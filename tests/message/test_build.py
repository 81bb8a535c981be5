from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.message.build import MessageBuilder, MessageSettings, dated_at
from digest.model.deliveries import Recipient
from digest.model.editions import Edition, EditionRecord, EditionState
from digest.model.messages import Email, Message, ReaderLinks
from subscribers.tokens import read_token
from tests.send.world import NOW, SECRET, SETTINGS, edition, read, render

ANA = Recipient(12, "ana@example.org")


WITH_INBOX = replace(SETTINGS, unsubscribe_address="leave@news.example.org")


def in_hexadecimal(token: str) -> str:
    return urlsafe_b64decode(token).hex()


def record(made: Edition | None = None, **changes: object) -> EditionRecord:
    fresh = EditionRecord(edition=made or edition(), hash="a" * 64, state=EditionState.APPROVED)
    return replace(fresh, **changes)  # type: ignore[arg-type]  # changes are named freely


def message(
    reader: Recipient = ANA,
    *,
    made: EditionRecord | None = None,
    message_settings: MessageSettings = SETTINGS,
) -> Message:
    written = MessageBuilder(made or record(), message_settings).message(reader)
    assert written is not None
    return written


class Counting:
    """Renders as usual, and counts the renderings."""

    def __init__(self) -> None:
        self.chosen: list[tuple[str, ...]] = []
        self.languages: list[str] = []

    def __call__(self, chosen: Edition, links: ReaderLinks, language: str) -> Email:
        self.chosen.append(tuple(section.slug for section in chosen.sections))
        self.languages.append(language)
        return render(chosen, links, language)


def test_every_header_of_the_checklist_is_there_once() -> None:
    parsed = read(message(message_settings=WITH_INBOX).data)
    token = str(parsed["List-Unsubscribe"]).partition(">")[0].rpartition("/")[2]
    assert read_token(SECRET, token, "u:daily") == 12
    assert {
        name: str(value) for name, value in parsed.items() if name not in ("Message-ID", "Feedback-ID")
    } == {
        "From": "The Daily <daily@news.example.org>",
        "To": "ana@example.org",
        "Reply-To": "Desk <desk@news.example.org>",
        "Subject": "What climate brings",
        "Date": "Sun, 22 Nov 2026 07:00:00 +0000",
        "List-Id": "The Daily <daily.news.example.org>",
        "List-Unsubscribe": f"<https://news.example.org/u/daily/{token}>,"
        f" <mailto:leave+{in_hexadecimal(token)}@news.example.org?subject=unsubscribe%20{token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Archive": "<https://news.example.org/d/daily>",
        "List-Help": "<mailto:desk@news.example.org?subject=help>",
        "Precedence": "bulk",
        "MIME-Version": "1.0",
        "Content-Type": parsed["Content-Type"],
    }
    assert len(parsed.keys()) == len({name.lower() for name in parsed})


def unsubscribe_field(configured: str | None, reader: Recipient = ANA) -> str:
    """Return the raw lines of the field."""
    data = message(reader, message_settings=replace(SETTINGS, unsubscribe_address=configured)).data.decode()
    return data.partition("List-Unsubscribe: ")[2].partition("\r\nList-Unsubscribe-Post: ")[0]


def test_without_an_inbox_that_is_read_only_one_click_is_offered() -> None:
    field = unsubscribe_field(None)
    assert re.fullmatch(r"<https://news\.example\.org/u/daily/[\w-]{28}>", field)
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in message().data.decode()


@pytest.mark.parametrize(
    ("configured", "address"),
    [
        ("leave@news.example.org", "leave+HEX@news.example.org"),
        ("leave-{token}@news.example.org", "leave-HEX@news.example.org"),
        ("desk+leave+{token}@news.example.org", "desk+leave+HEX@news.example.org"),
        ("{token}@leave.example.org", "HEX@leave.example.org"),
        ("desk+leave@news.example.org", "desk+leave@news.example.org"),
        ("r&d?@news.example.org", "r%26d%3F+HEX@news.example.org"),
    ],
)
def test_the_address_for_unsubscribe_requests_has_the_token_of_its_reader(
    configured: str, address: str
) -> None:
    one_click, mailto = unsubscribe_field(configured).split(",\r\n ")
    token = one_click.removesuffix(">").rpartition("/")[2]
    written = address.replace("HEX", in_hexadecimal(token))
    assert mailto == f"<mailto:{written}?subject=unsubscribe%20{token}>"
    assert read_token(SECRET, token, "u:daily") == 12
    assert len(written.partition("@")[0]) <= 64


def test_the_header_that_mail_programs_parse_is_folded_between_its_links() -> None:
    lines = unsubscribe_field("leave@news.example.org").split("\r\n")
    assert [(line[:2].strip()[0], line.count("<"), line.count(">")) for line in lines] == [("<", 1, 1)] * 2
    assert max(map(len, lines)) < 998


def test_the_links_in_both_parts_are_the_readers_own() -> None:
    plain, rich = read(message().data).iter_parts()
    text, html = plain.get_payload(decode=True), rich.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert isinstance(html, bytes)
    leave, choose = (line.rpartition("/")[2] for line in text.decode().splitlines()[-2:])
    assert (read_token(SECRET, leave, "u:daily"), read_token(SECRET, choose, "p")) == (12, 12)
    assert f'href="https://news.example.org/u/daily/{leave}"' in html.decode()


def test_the_same_reader_gets_the_same_bytes_each_time() -> None:
    assert message() == message()


def test_two_readers_of_one_choice_differ_only_in_their_own_fields() -> None:
    ana, ben = message(), message(Recipient(13, "ben@example.org"))
    assert ana.data != ben.data
    assert len(ana.data) == len(ben.data)
    assert read(ana.data)["Message-ID"] != read(ben.data)["Message-ID"]


def test_the_message_id_has_the_edition_and_the_readers_token() -> None:
    (field,) = [line for line in message().data.split(b"\r\n") if line.startswith(b"Message-ID:")]
    found = re.fullmatch(rb"Message-ID: <daily-2026-11-22\.([0-9a-f]{42})@news\.example\.org>", field)
    assert found
    assert message().sender == f"bounces+{found[1].decode()}@news.example.org"


def test_the_return_path_is_the_readers_own_and_ignores_case() -> None:
    token = message().sender.removeprefix("bounces+").removesuffix("@news.example.org")
    assert token == token.lower()
    assert read_token(SECRET, urlsafe_b64encode(bytes.fromhex(token)).decode(), "b") == 12


@pytest.mark.parametrize(
    ("configured", "sender"), [(None, "daily@news.example.org"), ("bounces@news.example.org",) * 2]
)
def test_without_a_token_in_it_the_return_path_is_the_same_for_all(
    configured: str | None, sender: str
) -> None:
    assert message(message_settings=replace(SETTINGS, bounce_address=configured)).sender == sender


def test_a_reader_of_text_gets_only_the_text() -> None:
    parsed = read(message(ANA._replace(format="text")).data)
    assert parsed.get_content_type() == "text/plain"
    assert "What climate brings" in parsed.get_content()


def test_choices_with_the_same_topics_share_one_rendering() -> None:
    counting = Counting()
    builder = MessageBuilder(record(), replace(SETTINGS, render=counting))
    for variant in ("", "climate,space,sport", "-politics", "climate,space", "-sport", "climate,space,food"):
        assert builder.message(ANA._replace(variant=variant))
    assert counting.chosen == [("climate", "space", "sport"), ("climate", "space")]


def test_each_language_has_its_own_email() -> None:
    german, own = message(ANA._replace(language="de")), message()
    assert "\r\nde\r\n" in german.data.decode("ascii")
    assert "\r\nde\r\n" not in own.data.decode("ascii")
    assert message(ANA._replace(language="de")) == german


def test_languages_with_the_same_texts_share_one_rendering() -> None:
    counting = Counting()
    builder = MessageBuilder(record(), replace(SETTINGS, render=counting))
    for language in ("", "en", "en-GB", "fi", "tlh", "de", "de-AT", "DE"):
        for form in ("html", "text", "html"):
            assert builder.message(ANA._replace(language=language, format=form))
    assert counting.languages == ["en", "en", "de", "de"]


def test_the_order_of_readers_changes_nothing() -> None:
    readers = [ANA._replace(language=language) for language in ("", "en", "en-GB", "fi", "de", "de-AT")]
    forward, backward = MessageBuilder(record(), SETTINGS), MessageBuilder(record(), SETTINGS)
    made = [forward.message(reader) for reader in readers]
    assert [backward.message(reader) for reader in reversed(readers)] == made[::-1]
    assert len(set(made)) == 2


def test_a_choice_that_leaves_nothing_gets_no_message() -> None:
    builder = MessageBuilder(record(), SETTINGS)
    assert builder.topics_for("food") == ()
    assert builder.message(ANA._replace(variant="food")) is None


def test_the_topic_of_a_lead_without_a_section_can_be_chosen() -> None:
    whole = edition()
    lead = replace(next(whole.stories()), topic="harbour", title="The lead")
    builder = MessageBuilder(record(replace(whole, lead=lead)), SETTINGS)
    written = builder.message(ANA._replace(variant="harbour"))
    assert written
    assert read(written.data)["Subject"] == "The lead"


def test_the_cache_is_bounded_and_evicts_the_least_recently_used() -> None:
    counting = Counting()
    builder = MessageBuilder(record(), replace(SETTINGS, render=counting, cache_bytes=4_600))
    for variant in ("climate", "space", "climate", "sport", "climate", "space"):
        builder.message(ANA._replace(variant=variant))
    assert counting.chosen.count(("climate",)) == 1
    assert counting.chosen.count(("space",)) == 2


def test_messages_are_dated_at_the_send_time_unless_they_go_out_early_or_much_later() -> None:
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
def test_a_copy_for_a_readers_hour_is_dated_at_that_hour(
    hour: str, zone: str, started_at: datetime, date: str
) -> None:
    copy = message(ANA._replace(hour=hour, zone=zone), made=record(started_at=started_at))
    assert read(copy.data)["Date"] == date


LONG = "https://news.example.org/" + "a" * 300


def test_a_long_address_of_the_site_stays_whole_in_the_headers() -> None:
    whole = edition()
    long = replace(whole, site=replace(whole.site, base_url=LONG))
    data = message(made=record(long)).data
    assert f"List-Unsubscribe: <{LONG}/u/daily/".encode() in data
    assert b"=?" not in data.partition(b"\r\nList-Unsubscribe")[2].partition(b"\r\n\r\n")[0]


@given(title=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_title_of_a_digest_changes_its_list_id_or_adds_a_header(title: str) -> None:
    data = message(made=record(edition(title=title))).data
    head = data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    (found,) = [line for line in head.split(b"\r\n") if line.startswith(b"List-Id:")]
    assert found.endswith(b" <daily.news.example.org>")
    assert head.count(b"\r\n") == message().data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").count(
        b"\r\n"
    )
