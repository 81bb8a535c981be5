"""Sign-up: the pages, the emails, and the protection against bots and link scanners."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.readers.signup import LIMITS
from digest.scheduler.run import clean_up
from digest.web.security.security import client_of
from subscribers.model import ConsentAction, SubscriberState, SuppressionReason
from subscribers.store.writing import suppress
from subscribers.tokens import address_hash
from tests.web.site import SECRET, Site, hidden, link_in, open_site, solved, text_of

EVE = "eve@example.org"


def test_a_reader_signs_up_confirms_and_is_welcomed(place: Site) -> None:
    answer = place.sign_up()
    assert answer.status_code == 200
    assert "Check your inbox" in answer.text
    assert place.mailed() == set()
    [email] = place.emails()
    assert (email["To"], email["Subject"]) == (EVE, "Please confirm your subscription")
    assert email["Auto-Submitted"] == "auto-generated"
    assert "next edition: Tuesday 07:00, Berlin" in text_of(email)

    link = link_in(email, "c")
    assert "Please confirm" in place.client.get(link).text
    page = place.client.post(link)
    assert page.status_code == 200
    assert place.mailed() == {EVE}
    place.settle()
    welcome = place.emails()[-1]
    assert welcome["Subject"] == "Welcome"
    assert link_in(welcome, "p")
    assert place.client.post(link_in(welcome, "u"), data={"List-Unsubscribe": "One-Click"}).is_success
    assert place.mailed() == set()


def test_digests_and_topics_are_offered_with_their_descriptions(quick: Site) -> None:
    config = quick.app.config
    digests = replace(config.digests[0], about="The day in five minutes"), *config.digests[1:]
    topics = replace(config.topics[0], about="Council & trams"), *config.topics[1:]
    quick.app = replace(quick.app, config=replace(config, digests=digests, topics=topics))
    client = quick.visitor()
    for path in ("/", "/signup/daily"):
        page = client.get(path).text
        assert "The day in five minutes" in page
        assert "Council &amp; trams" in page
    assert '<meta name="description" content="The day in five minutes">' in page
    assert "The day in five minutes" not in client.get("/signup/weekend").text
    quick.add()
    assert "Council &amp; trams" in client.get(quick.preferences_link()).text
    daily, weekend = client.get("/api/v1/digests").json()
    assert (daily["about"], weekend["about"]) == ("The day in five minutes", "")
    assert [topic["about"] for topic in daily["topics"]] == ["Council & trams", "", ""]


def test_consent_is_kept_with_its_wording_and_its_origin(place: Site) -> None:
    place.sign_up(page="/signup/daily")
    asked = place.history(EVE)[0]
    assert asked.act is ConsentAction.SIGNED_UP
    assert asked.origin.source == "form:daily"
    assert asked.origin.wording == "sign-up 2 (en)"
    assert asked.origin.client == "192.0.2.0/24"
    assert asked.detail["wishes"][0]["digest"] == "daily"


def test_opening_a_link_confirms_nobody(quick: Site) -> None:
    quick.sign_up()
    link = link_in(quick.emails()[0], "c")
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE") * 2:
        quick.client.request(method, link)
    assert quick.mailed() == set()
    assert quick.client.post(link, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert quick.mailed() == set()
    assert quick.client.post(link).is_success
    assert quick.client.post(link).is_success
    assert [each.act for each in quick.history(EVE)].count(ConsentAction.CONFIRMED) == 1


def test_an_expired_link_can_be_replaced_at_the_same_address(quick: Site) -> None:
    quick.sign_up()
    old = link_in(quick.emails()[0], "c")
    quick.clock.forward(days=3, seconds=1)
    assert quick.client.get(old).status_code == 410
    assert quick.client.post(old).status_code == 410
    assert quick.mailed() == set()
    assert "Check your inbox" in quick.client.post(f"{old}/fresh").text
    quick.settle()
    assert quick.client.post(link_in(quick.emails()[-1], "c")).is_success
    assert quick.mailed() == {EVE}


@pytest.mark.parametrize("token", ["x", "a" * 32, "é", "A" * 5_000])
def test_a_made_up_link_reveals_nothing(quick: Site, token: str) -> None:
    assert quick.client.get(f"/c/{token}").status_code == 404
    assert quick.client.post(f"/c/{token}").status_code == 404
    assert quick.client.post(f"/c/{token}/fresh").status_code == 200
    quick.settle()
    assert quick.emails() == []


def test_an_old_link_subscribes_nobody_again(quick: Site) -> None:
    quick.sign_up()
    link = link_in(quick.emails()[0], "c")
    quick.client.post(link)
    quick.client.post(quick.leave_link(EVE), data={"List-Unsubscribe": "One-Click"})
    assert quick.client.post(link).status_code == 404
    assert quick.mailed() == set()


def test_the_answer_is_the_same_for_every_address(place: Site) -> None:
    place.add("active@example.org")
    place.add("left@example.org")
    place.client.post(f"{place.preferences_link('left@example.org')}/leave")
    with place.app.database.write() as connection:
        key = address_hash(SECRET, "shunned@example.org")
        suppress(connection, key, SuppressionReason.COMPLAINT, place.clock())
    place.sign_up(address="pending@example.org")
    answers = [
        place.sign_up(address=f"{name}@example.org")
        for name in ("new", "pending", "active", "left", "shunned")
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    asked = [email["To"] for email in place.emails()]
    assert "shunned@example.org" not in asked
    assert asked.count("pending@example.org") == 2
    assert {"active@example.org", "left@example.org", "new@example.org"} <= set(asked)


def test_what_the_page_promises_is_queued_before_the_answer(quick: Site) -> None:
    assert "Check your inbox" in quick.fill_in({}).text
    again = open_site(quick.app.database, quick.folder.parent.parent)  # after a restart
    again.clock.now = quick.clock()
    assert again.emails() == []
    again.settle()
    assert [email["To"] for email in again.emails()] == [EVE]
    again.settle()
    assert len(again.emails()) == 1


def test_a_reader_who_signs_up_again_is_told_what_they_get_and_keeps_every_choice(quick: Site) -> None:
    quick.fill_in({"topics.daily": ["green"], "hour": "18:30"})
    quick.settle()
    first = link_in(quick.emails()[-1], "c")
    quick.client.post(first)
    before = quick.reader(EVE)
    quick.settle()
    quick.sign_up(digest=["daily"])
    email = quick.emails()[-1]
    assert email["Subject"] == "You are already subscribed"
    assert "You already get" in text_of(email)
    assert "There is nothing to do" in text_of(email)
    for link in (link_in(email, "c"), first):
        assert quick.client.post(link).status_code == 200
        assert quick.reader(EVE) == before
    quick.settle()
    count = len(quick.emails())
    quick.sign_up(digest=["daily", "weekend"])
    email = quick.emails()[count]
    assert "Press the button to add:" in text_of(email)
    quick.client.post(link_in(email, "c"))
    assert quick.reads(EVE) == {"daily", "weekend"}
    assert quick.reader(EVE).subscription("daily") == before.subscription("daily")
    quick.settle()
    assert "Daily" not in text_of(quick.emails()[-1]).replace("Harbour Digest", "")


def test_a_mailbox_gets_few_emails_whatever_tags_and_dots_its_address_has(quick: Site) -> None:
    for number, name in enumerate(("eve+1", "eve+2", "e.v.e+3", "ev.e", "eve", "e.ve+x")):
        quick.sign_up(quick.visitor(f"192.0.2.{number}"), address=f"{name}@gmail.com")
    assert len(quick.emails()) == LIMITS.notices.each


def test_an_address_gets_a_limited_number_of_emails_a_day(place: Site) -> None:
    for number in range(6):
        place.sign_up(place.visitor(f"192.0.2.{number}"))
    assert len(place.emails()) == LIMITS.notices.each
    place.clock.forward(days=1, seconds=1)
    place.sign_up()
    assert len(place.emails()) == LIMITS.notices.each + 1


def test_a_client_may_send_a_limited_number_of_requests_across_processes(quick: Site) -> None:
    def ask() -> int:
        return quick.visitor().post("/c/x/fresh").status_code

    answers = [ask() for _ in range(5)]
    client = quick.visitor()
    answers += [client.post("/c/x/fresh").status_code for _ in range(LIMITS.requests - 5)]
    assert set(answers) == {200}
    refused = client.post("/c/x/fresh")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "3600"
    assert quick.visitor("198.51.100.1").post("/c/x/fresh").status_code == 200
    quick.clock.forward(hours=1, seconds=1)
    assert ask() == 200


def test_an_ipv6_network_counts_as_one_client() -> None:
    near = client_of("2001:db8:1:2::1", SECRET)
    assert client_of("2001:db8:1:2:ffff::9", SECRET) == near
    assert client_of("2001:db8:1:3::1", SECRET).key != near.key
    assert near.shown == "2001:db8:1::/48"
    assert "2001" not in near.key
    assert client_of("::ffff:192.0.2.7", SECRET) == client_of("192.0.2.7", SECRET)
    assert client_of(None, SECRET).shown == ""


def test_a_bot_that_fills_in_every_field_gets_the_usual_page_and_no_email(quick: Site) -> None:
    answer = quick.sign_up(website="https://spam.example.org")
    assert "Check your inbox" in answer.text
    assert quick.emails() == []
    assert quick.reader(EVE).subscriber is None


def test_a_proof_of_work_can_be_used_once(quick: Site) -> None:
    html = quick.client.get("/signup").text
    data = {"address": EVE, "digest": "daily", **hidden(html), "proof": solved(html)}
    quick.clock.forward(seconds=5)
    assert "Check your inbox" in quick.client.post("/signup", data=data).text
    assert "One more step" in quick.visitor().post("/signup", data=data).text
    quick.settle()
    assert len(quick.emails()) == 1


@pytest.mark.parametrize("proof", ["", "x", "e30=", "bnVsbA==", "é", "W10=", "a" * 9_000 + "="])
def test_a_missing_proof_of_work_leads_to_the_second_page(quick: Site, proof: str) -> None:
    answer = quick.sign_up(proof=proof[:3_900])
    assert "One more step" in answer.text
    assert quick.emails() == []


def test_a_form_filled_in_too_fast_leads_to_the_second_page(quick: Site) -> None:
    html = quick.client.get("/signup").text
    data = {"address": EVE, "digest": "daily", **hidden(html), "proof": solved(html)}
    assert "One more step" in quick.client.post("/signup", data=data).text


def test_sign_up_without_javascript_takes_one_more_page(place: Site) -> None:
    html = place.client.get("/signup/daily").text
    place.clock.forward(seconds=20)
    second = place.client.post("/signup", data={"address": EVE, **hidden(html), "topics.daily": ["green"]})
    assert "One more step" in second.text
    assert EVE in second.text
    place.clock.forward(seconds=5)
    fields = _pairs(second.text)
    assert "Check your inbox" in place.client.post("/signup", data=fields).text
    place.settle()
    place.client.post(link_in(place.emails()[0], "c"))
    subscription = place.reader(EVE).subscription("daily")
    assert subscription is not None
    assert str(subscription.preferences.topics) == "green"
    assert "One more step" in place.client.post("/signup", data=fields).text, "a second page is good once"


def test_clients_without_a_proof_of_work_have_a_lower_limit(quick: Site) -> None:
    answers = []
    for number in range(LIMITS.unproved + 1):
        html = quick.client.post(
            "/signup", data={"address": f"r{number}@example.org", "digest": "daily"}
        ).text
        quick.clock.forward(seconds=5)
        answers.append(quick.client.post("/signup", data=_pairs(html)).status_code)
    assert answers == [200] * LIMITS.unproved + [429]


def test_a_form_on_any_other_site_works_with_the_second_page(quick: Site) -> None:
    headers = {"origin": "https://blog.example.org", "sec-fetch-site": "cross-site"}
    answer = quick.client.post("/signup", data={"address": EVE, "digest": "daily"}, headers=headers)
    assert answer.status_code == 200
    assert "One more step" in answer.text
    html = quick.client.get("/signup").text
    data = {"address": EVE, "digest": "daily", **hidden(html), "proof": solved(html)}
    quick.clock.forward(seconds=5)
    foreign = quick.client.post("/signup", data=data, headers=headers)
    assert "One more step" in foreign.text, "a page of somebody else must not sign up its visitors"
    quick.settle()
    assert quick.emails() == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"address": ""}, "the address is missing"),
        ({"address": "eve"}, "the address has no @"),
        ({"address": "<b>@example.org"}, "without &lt; and &gt;"),
        ({"digest": []}, "choose at least one"),
        ({"digest": "nightly"}, "there is no such digest"),
        ({"topics.daily": "sport"}, "there is no such topic"),
        ({"zone": "Mars/Olympus"}, "there is no such time zone"),
        ({"hour": "25:00"}, "write the time as 07:30"),
    ],
)
def test_a_mistake_is_shown_beside_its_field(quick: Site, fields: dict[str, object], said: str) -> None:
    answer = quick.fill_in(fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'class="fault"' in answer.text
    assert "<b>" not in answer.text
    assert quick.emails() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    fields=st.dictionaries(
        st.sampled_from(
            ["address", "digest", "topics.daily", "hour", "zone", "language", "page", "ticket", "proof"]
        ),
        st.text(max_size=60),
    )
)
def test_no_form_breaks_the_page(quick: Site, fields: dict[str, str]) -> None:
    try:
        answer = quick.client.post("/signup", data=fields)
    except UnicodeEncodeError:
        return
    assert answer.status_code in (200, 400, 404, 422, 429)


def test_a_pending_reader_stays_pending_until_the_button_is_pressed(place: Site) -> None:
    place.sign_up(digest=["daily", "weekend"])
    subscriber = place.reader(EVE).subscriber
    assert subscriber is not None
    assert subscriber.state is SubscriberState.PENDING


def test_one_client_can_sign_up_many_addresses(quick: Site) -> None:
    """The service stays up, and every address gets its emails."""
    answers = [quick.sign_up(address=f"reader{number % 40}@example.org").status_code for number in range(60)]
    assert set(answers) == {200}
    asked = [email["To"] for email in quick.emails()]
    assert len(set(asked)) == 40
    assert len(asked) == 60


def test_no_address_is_ever_logged(quick: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        quick.sign_up()
        quick.client.post(link_in(quick.emails()[0], "c"))
        quick.settle()
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert not any(EVE in line for line in ours)


def _pairs(html: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', html):
        fields.setdefault(name, []).append(unescape(value))
    return fields


def test_a_reader_who_never_confirms_is_erased(place: Site) -> None:
    place.sign_up()
    place.clock.forward(days=3)
    assert clean_up(place.app, place.clock()) == 0
    place.clock.forward(days=4, seconds=1)
    assert clean_up(place.app, place.clock()) == 1
    assert place.reader(EVE).subscriber is None


def test_emails_and_pages_are_in_the_language_of_the_form(quick: Site) -> None:
    html = quick.client.get("/signup/daily?language=de").text
    data = {"address": EVE, **hidden(html), "proof": solved(html)}
    quick.clock.forward(seconds=5)
    assert "Sehen Sie in Ihrem Postfach nach" in quick.client.post("/signup", data=data).text
    quick.settle()
    [email] = quick.emails()
    assert email["Subject"] == "Bitte bestätigen Sie Ihr Abonnement"
    assert "Montags bis freitags um 07:00; nächste Ausgabe: Dienstag 07:00, Berlin" in text_of(email)
    assert "Ihr Abonnement ist bestätigt" in quick.client.post(link_in(email, "c")).text
    assert "Ihre Einstellungen" in quick.client.get(quick.preferences_link(EVE)).text
    assert quick.history(EVE)[0].origin.wording == "sign-up 2 (de)"
