"""Preferences by signed link: what a reader chooses is what holds, and a link does what it is for."""

from __future__ import annotations

import json
import re

import pytest
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscribers.decisions import Change
from subscribers.model import Act, Choice, Consent, Format, Origin, SuppressionReason
from subscribers.record import suppress, write_change
from subscribers.tokens import reader_token
from tests.web.parlour import SECRET, Parlour, link_in, text_of
from tests.web.test_leave import ticket_in

ADA, NEW = "ada@example.org", "ada@new.example.org"
SAVED = {
    "digest": ["daily", "weekend"],
    "mode.daily": "all",
    "zone": "",
    "language": "en",
    "format": "html",
}


def save(place: Parlour, **fields: object) -> int:
    changed = {name.replace("__", "."): value for name, value in fields.items()}
    return place.client.post(place.preferences_link(), data={**SAVED, **changed}).status_code


def test_the_page_shows_what_is_chosen_and_when_the_next_mail_comes(place: Parlour) -> None:
    place.add()
    page = place.client.get(place.preferences_link())
    assert page.status_code == 200
    assert "next: Tuesday 07:00, Berlin" in page.text
    assert "next: Saturday 09:00, Berlin" in page.text


def test_a_reader_chooses_topics_hour_zone_and_form(place: Parlour) -> None:
    place.add()
    fields = {"mode__daily": "only", "topics__daily": ["green"], "hour__daily": "18:30"}
    page = place.client.post(
        place.preferences_link(),
        data={**SAVED, "mode.daily": "only", "topics.daily": ["green"], "hour.daily": "18:30"}
        | {"zone": "America/New_York", "format": "text"},
    )
    assert "next: Tuesday 18:30, New York" in page.text
    reader = place.reader()
    subscription = reader.subscription("daily")
    assert subscription is not None
    assert subscription.preferences.topics == Choice(include=frozenset({"green"}))
    assert (subscription.preferences.hour, subscription.preferences.zone) == ("18:30", "America/New_York")
    assert reader.subscriber is not None
    assert reader.subscriber.format is Format.TEXT
    assert save(place, **{**fields, "mode__daily": "without"}) == 200
    again = place.reader().subscription("daily")
    assert again is not None
    assert str(again.preferences.topics) == "-green"


def test_a_digest_not_ticked_is_left_and_one_newly_ticked_begins(place: Parlour) -> None:
    place.add(digests=("daily",))
    assert save(place, digest=["weekend"]) == 200
    assert place.reads() == {"weekend"}
    assert {each.act for each in place.history()} >= {Act.SUBSCRIBED, Act.LEFT}
    assert save(place, digest=[]) == 200
    assert place.reads() == set()
    assert place.mailed("weekend") == set()


def test_who_ticks_nothing_has_left_everything_and_can_take_it_back(place: Parlour) -> None:
    place.add()
    page = place.client.post(place.preferences_link(), data={**SAVED, "digest": []}).text
    assert "Nothing comes from Harbour Digest any more" in page
    assert place.client.post("/undo", data={"ticket": ticket_in(page)}).is_success
    assert place.reads() == {"daily", "weekend"}


def test_one_button_leaves_everything_and_can_say_why(place: Parlour) -> None:
    place.add()
    place.add("bo@example.org")
    page = place.client.post(f"{place.preferences_link()}/leave", data={"reason": "too many"})
    assert page.is_success
    assert place.reads() == set()
    assert place.reads("bo@example.org") == {"daily", "weekend"}
    assert place.history()[-1].act is Act.LEFT
    assert place.history()[-1].detail["reason"] == "too many"
    assert place.client.post("/undo", data={"ticket": ticket_in(page.text)}).is_success
    assert place.reads() == {"daily", "weekend"}


def test_leaving_everything_needs_our_page_and_a_link_to_preferences(quick: Parlour) -> None:
    quick.add()
    cross = {"sec-fetch-site": "cross-site"}
    assert quick.client.post(f"{quick.preferences_link()}/leave", headers=cross).status_code == 403
    token = quick.leave_link().rpartition("/")[2]
    assert quick.client.post(f"/p/{token}/leave").status_code == 404
    assert quick.client.get(f"{quick.preferences_link()}/leave").status_code == 405
    assert quick.reads() == {"daily", "weekend"}


def test_nothing_changes_when_nothing_is_changed(quick: Parlour) -> None:
    quick.add()
    before = quick.history()
    assert save(quick) == 200
    assert quick.history() == before


def test_who_has_left_is_not_brought_back_by_an_old_link(quick: Parlour) -> None:
    quick.add()
    link = quick.preferences_link()
    quick.client.post(f"{link}/leave")
    page = quick.client.post(link, data=SAVED)
    assert "Nothing is sent to" in page.text
    assert quick.reads() == set()


@pytest.mark.parametrize(
    "wrong",
    [
        {"digest": ["nightly"]},
        {"mode__daily": "only"},
        {"mode__daily": "only", "topics__daily": ["sport"]},
        {"hour__daily": "30:00"},
        {"zone": "Mars/Olympus"},
        {"language": "xx"},
        {"format": "fax"},
    ],
)
def test_what_is_not_offered_is_refused_and_changes_nothing(quick: Parlour, wrong: dict[str, object]) -> None:
    quick.add()
    before = quick.reader()
    assert save(quick, **wrong) == 422
    assert quick.reader() == before


def test_a_reader_pauses_and_goes_on(place: Parlour) -> None:
    place.add()
    link = place.preferences_link()
    page = place.client.post(f"{link}/pause", data={"until": "2026-12-24"})
    assert "Paused until Thursday, December 24, 2026" in page.text
    assert "next: Thu, Dec 24 07:00, Berlin" in page.text
    assert place.mailed() == set()
    place.clock.forward(days=31)
    assert place.mailed() == {ADA}
    place.client.post(f"{link}/pause", data={"until": "2027-02-01"})
    assert place.mailed() == set()
    place.client.post(f"{link}/pause", data={})
    assert place.mailed() == {ADA}


@pytest.mark.parametrize("day", ["2026-11-23", "2030-01-01", "soon", "0001-01-01", "9999-12-31"])
def test_a_pause_that_cannot_be_is_told_beside_its_field(quick: Parlour, day: str) -> None:
    quick.add()
    answer = quick.client.post(f"{quick.preferences_link()}/pause", data={"until": day})
    assert answer.status_code == 422
    assert 'id="until-fault"' in answer.text
    assert quick.mailed() == {ADA}


def ask_to_move(place: Parlour, to: str = NEW) -> None:
    answer = place.client.post(f"{place.preferences_link()}/address", data={"address": to})
    assert "sent a link to both addresses" in answer.text
    place.settle()


@pytest.mark.parametrize("first", [0, 1])
def test_an_address_changes_when_both_ends_have_said_yes(place: Parlour, first: int) -> None:
    place.add()
    number = place.id_of(ADA)
    ask_to_move(place)
    mails = place.mails()
    assert {mail["To"] for mail in mails} == {ADA, NEW}
    links = [link_in(mail, "c") for mail in mails]
    assert "Shall your mail go to another address?" in place.client.get(links[first]).text
    assert "One half is done" in place.client.post(links[first]).text
    assert place.mailed() == {ADA}
    assert "Your address is changed" in place.client.post(links[1 - first]).text
    assert place.mailed() == {NEW}
    assert place.id_of(NEW) == number


def test_moving_to_a_readers_address_tells_nobody_that_there_is_one(place: Parlour) -> None:
    place.add()
    place.add("bo@example.org")
    ask_to_move(place, "bo@example.org")
    assert [mail["To"] for mail in place.mails()] == [ADA]
    assert place.client.post(link_in(place.mails()[0], "c")).status_code in (200, 404)
    assert place.mailed() == {ADA, "bo@example.org"}


def test_a_reader_takes_their_data_along(place: Parlour) -> None:
    place.add()
    assert "Look into your mailbox" in place.client.post(f"{place.preferences_link()}/data").text
    place.settle()
    [mail] = place.mails()
    link = link_in(mail, "m")
    assert ADA in place.client.get(link).text
    data = place.client.get(f"{link}/data.json").json()
    assert data["address"] == ADA
    assert [each["digest"] for each in data["digests"]] == ["daily", "weekend"]
    assert data["history"][0]["source"] == "test"
    assert json.dumps(data)


def test_a_reader_sees_what_is_kept(place: Parlour) -> None:
    place.add()
    place.client.post(place.leave_link(digest="weekend"), data={"leave": "yes"})
    place.client.post(f"{place.preferences_link()}/data")
    place.settle()
    page = place.client.get(link_in(place.mails()[-1], "m")).text
    assert "<bdi>Daily</bdi>: it comes to you" in page
    assert "<bdi>Weekend</bdi>: you have left it" in page
    assert "Saturday, November 14, 2026</time>: the publisher added you" in page
    assert "Monday, November 23, 2026</time>: you left" in page


@pytest.mark.parametrize("language", ["en", "de", "es", "ar"])
def test_whatever_happened_to_a_reader_is_told_in_their_language(quick: Parlour, language: str) -> None:
    quick.add()
    subscriber = quick.reader().subscriber
    assert subscriber is not None
    with quick.app.database.write() as connection:
        for act in Act:
            consent = Consent(act=act, at=quick.clock(), origin=Origin(source="test"))
            write_change(connection, Change(subscriber=subscriber, consent=consent), quick.clock())
    quick.client.post(f"{quick.preferences_link()}/data")
    quick.settle()
    page = quick.client.get(f"{link_in(quick.mails()[-1], 'm')}?language={language}").text
    assert len(set(re.findall("</time>: (.*)</dd>", page))) == len(Act)


def test_a_reader_is_forgotten_for_good(place: Parlour) -> None:
    place.add()
    preferences, leave = place.preferences_link(), place.leave_link()
    place.client.post(f"{preferences}/data")
    place.settle()
    link = link_in(place.mails()[0], "m")
    assert place.client.post(f"{link}/erase", data={}).status_code == 400
    assert place.mailed() == {ADA}
    assert "You are forgotten" in place.client.post(f"{link}/erase", data={"sure": "yes"}).text
    assert place.reader().subscriber is None
    suppression = place.reader().suppression
    assert suppression is not None
    assert suppression.reason is SuppressionReason.ERASED
    assert place.client.get(preferences).status_code == 404
    assert place.client.get(link).status_code == 404
    assert place.client.post(leave, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    place.sign_up(address=ADA)
    place.client.post(link_in(place.mails()[-1], "c"))
    assert place.mailed() == {ADA}


def test_the_link_to_data_runs_out_after_an_hour(quick: Parlour) -> None:
    quick.add()
    quick.client.post(f"{quick.preferences_link()}/data")
    quick.settle()
    link = link_in(quick.mails()[0], "m")
    quick.clock.forward(hours=1, seconds=1)
    for path in (link, f"{link}/data.json"):
        assert quick.client.get(path).status_code == 410
    assert quick.client.post(f"{link}/erase", data={"sure": "yes"}).status_code == 410
    assert quick.mailed() == {ADA}


def test_who_was_forwarded_a_mail_learns_nothing_and_takes_nothing(quick: Parlour) -> None:
    quick.add()
    link = quick.preferences_link()
    assert ADA not in quick.client.get(link).text
    assert "a…@example.org" in quick.client.get(link).text
    for path in (f"{link}/data.json", f"{link}/erase", f"/m/{link.rpartition('/')[2]}"):
        assert quick.client.get(path).status_code in (404, 405)
        assert quick.client.post(path, data={"sure": "yes"}).status_code in (404, 405)
    assert quick.mailed() == {ADA}


def test_the_link_to_leave_opens_no_preferences(quick: Parlour) -> None:
    number = quick.add()
    for purpose in ("u:daily", "b"):
        token = reader_token(SECRET, number, purpose)
        assert quick.client.get(f"/p/{token}").status_code == 404
        assert quick.client.post(f"/p/{token}", data=SAVED).status_code == 404


def test_looking_changes_nothing(quick: Parlour) -> None:
    quick.add()
    link = quick.preferences_link()
    before = quick.reader(), quick.history()
    for path in ("", "/pause", "/address", "/data"):
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            quick.client.request(method, link + path)
    for path in ("", "/pause", "/address", "/data"):
        answer = quick.client.post(link + path, data={}, headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 403
    assert (quick.reader(), quick.history()) == before


def test_who_must_not_be_mailed_is_told_so(quick: Parlour) -> None:
    quick.add()
    subscriber = quick.reader().subscriber
    assert subscriber is not None
    with quick.app.database.write() as connection:
        suppress(connection, subscriber.address_hash, SuppressionReason.BOUNCE, quick.clock())
    assert "Nothing is sent to" in quick.client.get(quick.preferences_link()).text


def test_mails_about_data_and_moving_are_written_for_both_kinds_of_reader(quick: Parlour) -> None:
    quick.add()
    ask_to_move(quick)
    quick.client.post(f"{quick.preferences_link()}/data")
    quick.settle()
    for mail in quick.mails():
        assert mail.get_body(("html",)) is not None
        assert max(map(len, text_of(mail).splitlines())) <= 120


FIELDS = [
    "digest",
    "mode.daily",
    "topics.daily",
    "hour.daily",
    "zone",
    "language",
    "format",
    "until",
    "address",
    "reason",
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=st.sampled_from(["", "/pause", "/address", "/leave"]),
    fields=st.dictionaries(st.sampled_from(FIELDS), st.text(st.characters(codec="utf-8"), max_size=40)),
)
def test_no_form_breaks_the_page(quick: Parlour, path: str, fields: dict[str, str]) -> None:
    if quick.reader().subscriber is None:
        quick.add()
    answer = quick.client.post(quick.preferences_link() + path, data=fields)
    assert answer.status_code in (200, 400, 422, 429)


ACTIONS = ["ask", "confirm", "leave", "leave all", "back", "save", "pause", "go on", "wait", "stale", "erase"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(actions=st.lists(st.sampled_from(ACTIONS), max_size=14))
def test_whatever_a_reader_does_nobody_is_mailed_who_does_not_want_to_be(
    quick: Parlour, actions: list[str]
) -> None:
    """Follow one reader by hand, and compare with the list after every step."""
    address = f"reader-{id(actions)}-{len(quick.mails())}@example.org"
    walk = Walk(quick, address)
    for action in actions:
        walk.do(action)
        assert (address in quick.mailed("daily")) == walk.wants, actions


class Walk:
    """One reader, through the pages, and what they want by now."""

    def __init__(self, place: Parlour, address: str) -> None:
        self.place, self.address = place, address
        self.wants = self.paused = False
        self.link = self.old_link = self.ticket = ""

    def do(self, action: str) -> None:
        known = self.place.reader(self.address).subscriber is not None
        needs_list = action in ("save", "pause", "go on") and not self.place.reads(self.address)
        if not needs_list and (known or action in ("ask", "wait")):
            getattr(self, f"_{action.replace(' ', '_')}")()
            self.place.settle()  # a welcome that is late would be taken for the answer to the next wish

    def post(self, path: str, **data: object) -> Response:
        return self.place.client.post(path, data=data)

    def _ask(self) -> None:
        count = len(self.place.mails())
        self.place.sign_up(self.place.visitor(f"198.51.100.{count % 250}"), address=self.address)
        if len(self.place.mails()) > count:
            self.link = link_in(self.place.mails()[-1], "c")

    def _confirm(self) -> None:
        if self.link and "You are on the list" in self.post(self.link).text and self.link != self.old_link:
            self.old_link, self.wants, self.paused = self.link, True, False

    def _stale(self) -> None:
        if self.old_link and not self.place.reads(self.address):
            assert self.post(self.old_link).status_code == 404

    def _leave(self) -> None:
        self._left(self.post(self.place.leave_link(self.address), leave="yes"))

    def _leave_all(self) -> None:
        self._left(self.post(f"{self.place.preferences_link(self.address)}/leave"))

    def _left(self, page: Response) -> None:
        self.ticket = page.text.partition('name="ticket" value="')[2].partition('"')[0]
        self.link, self.wants = "", False

    def _back(self) -> None:
        if self.ticket and self.post("/undo", ticket=self.ticket).is_success:
            self.wants = not self.paused

    def _save(self) -> None:
        self.post(self.place.preferences_link(self.address), **{**SAVED, "digest": ["daily"]})
        self.wants = not self.paused

    def _pause(self) -> None:
        until = f"{self.place.clock().year + 1}-01-15"
        assert self.post(f"{self.place.preferences_link(self.address)}/pause", until=until).is_success
        self.wants, self.paused = False, True

    def _go_on(self) -> None:
        assert self.post(f"{self.place.preferences_link(self.address)}/pause").is_success
        self.wants, self.paused = True, False

    def _wait(self) -> None:
        self.place.clock.forward(hours=3)

    def _erase(self) -> None:
        self.post(f"{self.place.preferences_link(self.address)}/data")
        self.place.settle()
        if self.post(f"{link_in(self.place.mails()[-1], 'm')}/erase", sure="yes").is_success:
            self.wants = self.paused = False
            self.link = self.old_link = self.ticket = ""
