"""Preferences by signed link: a reader's choices take effect, and each link has one purpose."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.inbound.inbox import take_in
from digest.render.sample import sample_edition
from digest.storage.editions.drafts import insert_edition
from subscribers.model import Choice, Consent, ConsentAction, Format, Origin, SuppressionReason
from subscribers.rules.decisions import Change
from subscribers.store.writing import suppress, write_change
from subscribers.tokens import reader_token
from tests.web.site import SECRET, Site, link_in, text_of
from tests.web.test_unsubscribe import ticket_in

ADA, NEW = "ada@example.org", "ada@new.example.org"
SAVED = {
    "digest": ["daily", "weekend"],
    "mode.daily": "all",
    "zone": "",
    "language": "en",
    "format": "html",
}


def save(place: Site, **fields: object) -> int:
    changed = {name.replace("__", "."): value for name, value in fields.items()}
    return place.client.post(place.preferences_link(), data={**SAVED, **changed}).status_code


def test_the_page_shows_the_choices_and_the_next_edition(place: Site) -> None:
    place.add()
    page = place.client.get(place.preferences_link())
    assert page.status_code == 200
    assert "Next edition: Tuesday 07:00, Berlin" in page.text
    assert "Next edition: Saturday 09:00, Berlin" in page.text


def test_a_reader_chooses_topics_hour_zone_and_format(place: Site) -> None:
    place.add()
    fields = {"mode__daily": "only", "topics__daily": ["green"], "hour__daily": "18:30"}
    page = place.client.post(
        place.preferences_link(),
        data={**SAVED, "mode.daily": "only", "topics.daily": ["green"], "hour.daily": "18:30"}
        | {"zone": "America/New_York", "format": "text"},
    )
    assert "Next edition: Tuesday 18:30, New York" in page.text
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


def test_topics_that_were_found_lately_can_be_chosen_and_stay_chosen(place: Site) -> None:
    place.add()
    edition = replace(sample_edition(), digest="weekend", cutoff_at=place.clock.now - timedelta(days=2))
    with place.app.database.write() as connection:
        insert_edition(connection, edition)
    assert 'name="topics.weekend" value="coast"' in place.client.get(place.preferences_link()).text
    assert save(place, mode__weekend="only", topics__weekend=["coast"]) == 200
    place.clock.now += timedelta(days=40)
    page = place.client.get(place.preferences_link()).text
    assert re.search(r'name="topics.weekend" value="coast"[^>]* checked', page)
    assert 'value="town" id="topic-weekend' not in page


def test_an_unticked_digest_ends_and_a_newly_ticked_one_begins(place: Site) -> None:
    place.add(digests=("daily",))
    assert save(place, digest=["weekend"]) == 200
    assert place.reads() == {"weekend"}
    assert {each.act for each in place.history()} >= {ConsentAction.SUBSCRIBED, ConsentAction.LEFT}
    assert save(place, digest=[]) == 200
    assert place.reads() == set()
    assert place.mailed("weekend") == set()


def test_ticking_nothing_unsubscribes_from_everything_and_can_be_undone(place: Site) -> None:
    place.add()
    page = place.client.post(place.preferences_link(), data={**SAVED, "digest": []}).text
    assert "You will get no more emails from Harbour Digest" in page
    assert place.client.post("/undo", data={"ticket": ticket_in(page)}).is_success
    assert place.reads() == {"daily", "weekend"}


def test_one_button_unsubscribes_from_everything_with_a_reason(place: Site) -> None:
    place.add()
    place.add("bo@example.org")
    page = place.client.post(f"{place.preferences_link()}/leave", data={"reason": "too many"})
    assert page.is_success
    assert place.reads() == set()
    assert place.reads("bo@example.org") == {"daily", "weekend"}
    assert place.history()[-1].act is ConsentAction.LEFT
    assert place.history()[-1].detail["reason"] == "too many"
    assert place.client.post("/undo", data={"ticket": ticket_in(page.text)}).is_success
    assert place.reads() == {"daily", "weekend"}


def test_unsubscribing_from_everything_needs_our_page_and_a_preferences_link(quick: Site) -> None:
    quick.add()
    cross = {"sec-fetch-site": "cross-site"}
    assert quick.client.post(f"{quick.preferences_link()}/leave", headers=cross).status_code == 403
    token = quick.leave_link().rpartition("/")[2]
    assert quick.client.post(f"/p/{token}/leave").status_code == 404
    assert quick.client.get(f"{quick.preferences_link()}/leave").status_code == 405
    assert quick.reads() == {"daily", "weekend"}


def test_saving_the_same_choices_changes_nothing(quick: Site) -> None:
    quick.add()
    before = quick.history()
    assert save(quick) == 200
    assert quick.history() == before


def test_an_old_link_does_not_subscribe_a_reader_again(quick: Site) -> None:
    quick.add()
    link = quick.preferences_link()
    quick.client.post(f"{link}/leave")
    page = quick.client.post(link, data=SAVED)
    assert "We send no emails to" in page.text
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
def test_a_choice_that_is_not_offered_is_refused_and_changes_nothing(
    quick: Site, wrong: dict[str, object]
) -> None:
    quick.add()
    before = quick.reader()
    assert save(quick, **wrong) == 422
    assert quick.reader() == before


def test_a_reader_pauses_and_resumes(place: Site) -> None:
    place.add()
    link = place.preferences_link()
    page = place.client.post(f"{link}/pause", data={"until": "2026-12-24"})
    assert "Paused until Thursday, December 24, 2026" in page.text
    assert "Next edition: Thu, Dec 24 07:00, Berlin" in page.text
    assert place.mailed() == set()
    place.clock.forward(days=31)
    assert place.mailed() == {ADA}
    place.client.post(f"{link}/pause", data={"until": "2027-02-01"})
    assert place.mailed() == set()
    place.client.post(f"{link}/pause", data={})
    assert place.mailed() == {ADA}


@pytest.mark.parametrize("day", ["2026-11-23", "2030-01-01", "soon", "0001-01-01", "9999-12-31"])
def test_an_impossible_pause_is_explained_beside_its_field(quick: Site, day: str) -> None:
    quick.add()
    answer = quick.client.post(f"{quick.preferences_link()}/pause", data={"until": day})
    assert answer.status_code == 422
    assert 'id="until-fault"' in answer.text
    assert quick.mailed() == {ADA}


def ask_to_move(place: Site, to: str = NEW) -> None:
    answer = place.client.post(f"{place.preferences_link()}/address", data={"address": to})
    assert "both addresses get a message with a link" in answer.text
    place.settle()


@pytest.mark.parametrize("first", [0, 1])
def test_an_address_changes_when_both_addresses_have_confirmed_it(place: Site, first: int) -> None:
    place.add()
    number = place.id_of(ADA)
    ask_to_move(place)
    emails = place.emails()
    assert {email["To"] for email in emails} == {ADA, NEW}
    links = [link_in(email, "c") for email in emails]
    assert "Press the button to confirm the change of address." in place.client.get(links[first]).text
    assert "Almost done" in place.client.post(links[first]).text
    assert place.mailed() == {ADA}
    assert "Your address has been changed" in place.client.post(links[1 - first]).text
    assert place.mailed() == {NEW}
    assert place.id_of(NEW) == number


def test_moving_to_another_readers_address_does_not_reveal_that_reader(place: Site) -> None:
    place.add()
    place.add("bo@example.org")
    ask_to_move(place, "bo@example.org")
    old, new = place.emails()
    assert (old["To"], new["To"]) == (ADA, "bo@example.org")
    assert "Almost done" in place.client.post(link_in(old, "c")).text
    assert place.mailed() == {ADA, "bo@example.org"}
    assert "Your address has been changed" in place.client.post(link_in(new, "c")).text
    assert place.mailed() == {"bo@example.org"}


def test_a_reader_downloads_their_data(place: Site) -> None:
    place.add()
    assert "Check your inbox" in place.client.post(f"{place.preferences_link()}/data").text
    place.settle()
    [email] = place.emails()
    link = link_in(email, "m")
    assert ADA in place.client.get(link).text
    data = place.client.get(f"{link}/data.json").json()
    assert data["address"] == ADA
    assert [each["digest"] for each in data["digests"]] == ["daily", "weekend"]
    assert data["history"][0]["source"] == "test"
    assert json.dumps(data)


def test_a_reader_sees_a_summary_of_their_data(place: Site) -> None:
    place.add()
    place.client.post(place.leave_link(digest="weekend"), data={"leave": "yes"})
    place.client.post(f"{place.preferences_link()}/data")
    place.settle()
    page = place.client.get(link_in(place.emails()[-1], "m")).text
    assert "<bdi>Daily</bdi>: subscribed" in page
    assert "<bdi>Weekend</bdi>: unsubscribed" in page
    assert "Saturday, November 14, 2026</time>: the publisher added you" in page
    assert "Monday, November 23, 2026</time>: you unsubscribed" in page


@pytest.mark.parametrize("language", ["en", "de", "es", "ar"])
def test_a_readers_history_is_shown_in_their_language(quick: Site, language: str) -> None:
    quick.add()
    subscriber = quick.reader().subscriber
    assert subscriber is not None
    with quick.app.database.write() as connection:
        for act in ConsentAction:
            consent = Consent(act=act, at=quick.clock(), origin=Origin(source="test"))
            write_change(connection, Change(subscriber=subscriber, consent=consent), quick.clock())
    quick.client.post(f"{quick.preferences_link()}/data")
    quick.settle()
    page = quick.client.get(f"{link_in(quick.emails()[-1], 'm')}?language={language}").text
    assert len(set(re.findall("</time>: (.*)</dd>", page))) == len(ConsentAction)


def test_a_reader_is_erased_for_good(place: Site) -> None:
    place.add()
    preferences, leave = place.preferences_link(), place.leave_link()
    place.client.post(f"{preferences}/data")
    place.settle()
    link = link_in(place.emails()[0], "m")
    assert place.client.post(f"{link}/erase", data={}).status_code == 400
    assert place.mailed() == {ADA}
    assert "Your data has been erased" in place.client.post(f"{link}/erase", data={"sure": "yes"}).text
    assert place.reader().subscriber is None
    suppression = place.reader().suppression
    assert suppression is not None
    assert suppression.reason is SuppressionReason.ERASED
    assert place.client.get(preferences).status_code == 404
    assert place.client.get(link).status_code == 404
    assert place.client.post(leave, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    place.sign_up(address=ADA)
    place.client.post(link_in(place.emails()[-1], "c"))
    assert place.mailed() == {ADA}


def test_notices_are_counted_in_a_readers_data_and_their_bounces_count_for_their_address(
    quick: Site,
) -> None:
    mail = replace(quick.app.config.mail, bounce_address="bounces+{token}@digest.example.org")
    quick.app = replace(quick.app, config=replace(quick.app.config, mail=mail))
    quick.client = quick.visitor()
    quick.add()
    quick.client.post(f"{quick.preferences_link()}/address", data={"address": NEW})
    quick.settle()
    quick.client.post(f"{quick.preferences_link()}/data")
    quick.settle()
    link = link_in(quick.emails()[-1], "m")
    assert "<dd>3</dd>" in quick.client.get(link).text
    told = quick.client.get(f"{link}/data.json").json()["notices"]
    kinds = {"old address", "new address", "data link"}
    assert {(each["kind"], each["state"]) for each in told} == {(kind, "accepted") for kind in kinds}
    [to_new] = [email for email in quick.emails() if email["To"] == NEW]
    seal = str(to_new["Message-ID"]).partition(".")[2].partition("@")[0]
    report = REPORT.format(seal=seal).encode()
    assert take_in(quick.app, report, now=quick.clock()) == "hard bounce, not mailed any more: 550 5.1.1"
    assert quick.reader(NEW).suppression is not None
    assert quick.mailed() == {ADA}, "the bounce says nothing about the old address"


REPORT = """\
To: bounces+{seal}@digest.example.org
From: MAILER-DAEMON@mail.example.org
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.org

Final-Recipient: rfc822; nobody@example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b--
"""


def test_the_link_to_the_data_expires_after_an_hour(quick: Site) -> None:
    quick.add()
    quick.client.post(f"{quick.preferences_link()}/data")
    quick.settle()
    link = link_in(quick.emails()[0], "m")
    quick.clock.forward(hours=1, seconds=1)
    for path in (link, f"{link}/data.json"):
        assert quick.client.get(path).status_code == 410
    assert quick.client.post(f"{link}/erase", data={"sure": "yes"}).status_code == 410
    assert quick.mailed() == {ADA}


def test_a_forwarded_email_reveals_no_data(quick: Site) -> None:
    quick.add()
    link = quick.preferences_link()
    assert ADA not in quick.client.get(link).text
    assert "a…@example.org" in quick.client.get(link).text
    for path in (f"{link}/data.json", f"{link}/erase", f"/m/{link.rpartition('/')[2]}"):
        assert quick.client.get(path).status_code in (404, 405)
        assert quick.client.post(path, data={"sure": "yes"}).status_code in (404, 405)
    assert quick.mailed() == {ADA}


def test_the_unsubscribe_link_does_not_open_the_preferences(quick: Site) -> None:
    number = quick.add()
    for purpose in ("u:daily", "b"):
        token = reader_token(SECRET, number, purpose)
        assert quick.client.get(f"/p/{token}").status_code == 404
        assert quick.client.post(f"/p/{token}", data=SAVED).status_code == 404


def test_opening_pages_changes_nothing(quick: Site) -> None:
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


def test_a_suppressed_reader_sees_that_we_send_no_emails(quick: Site) -> None:
    quick.add()
    subscriber = quick.reader().subscriber
    assert subscriber is not None
    with quick.app.database.write() as connection:
        suppress(connection, subscriber.address_hash, SuppressionReason.BOUNCE, quick.clock())
    assert "We send no emails to" in quick.client.get(quick.preferences_link()).text


def test_emails_about_data_and_a_change_of_address_have_html_and_text(quick: Site) -> None:
    quick.add()
    ask_to_move(quick)
    quick.client.post(f"{quick.preferences_link()}/data")
    quick.settle()
    for email in quick.emails():
        assert email.get_body(("html",)) is not None
        assert max(map(len, text_of(email).splitlines())) <= 120


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
def test_no_form_breaks_the_page(quick: Site, path: str, fields: dict[str, str]) -> None:
    if quick.reader().subscriber is None:
        quick.add()
    answer = quick.client.post(quick.preferences_link() + path, data=fields)
    assert answer.status_code in (200, 400, 422, 429)


ACTIONS = ["ask", "confirm", "leave", "leave all", "back", "save", "pause", "go on", "wait", "stale", "erase"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(actions=st.lists(st.sampled_from(ACTIONS), max_size=14))
def test_a_reader_is_mailed_only_if_they_want_to_be_whatever_they_do(quick: Site, actions: list[str]) -> None:
    """Model one reader, and compare the model with the list after every step."""
    address = f"reader-{id(actions)}-{len(quick.emails())}@example.org"
    walk = Walk(quick, address)
    for action in actions:
        walk.do(action)
        assert (address in quick.mailed("daily")) == walk.wants, actions


class Walk:
    """One reader who uses the pages, with the model of their subscription."""

    def __init__(self, place: Site, address: str) -> None:
        self.place, self.address = place, address
        self.wants = self.paused = self.left_paused = False
        self.link = self.old_link = self.ticket = ""

    def do(self, action: str) -> None:
        known = self.place.reader(self.address).subscriber is not None
        needs_list = action in ("save", "pause", "go on") and not self.place.reads(self.address)
        if not needs_list and (known or action in ("ask", "wait")):
            getattr(self, f"_{action.replace(' ', '_')}")()
            self.place.settle()  # otherwise a late welcome would be taken for the next confirmation

    def post(self, path: str, **data: object) -> Response:
        return self.place.client.post(path, data=data)

    def _ask(self) -> None:
        count = len(self.place.emails())
        self.place.sign_up(self.place.visitor(f"198.51.100.{count % 250}"), address=self.address)
        if len(self.place.emails()) > count:
            self.link = link_in(self.place.emails()[-1], "c")

    def _confirm(self) -> None:
        if (
            self.link
            and "Your subscription is confirmed" in self.post(self.link).text
            and self.link != self.old_link
        ):
            self.old_link = self.link
            self.wants = not self.paused

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
        self.left_paused, self.paused = self.paused, False

    def _back(self) -> None:
        if self.ticket and self.post("/undo", ticket=self.ticket).is_success:
            self.paused = self.left_paused
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
        if self.post(f"{link_in(self.place.emails()[-1], 'm')}/erase", sure="yes").is_success:
            self.wants = self.paused = False
            self.link = self.old_link = self.ticket = ""
