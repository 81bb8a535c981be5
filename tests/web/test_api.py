"""The JSON API, checked by schemathesis against its own OpenAPI document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from altcha import Challenge, Payload, solve_challenge
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from subscribers.model import ConsentAction
from tests.web.site import Site, link_in
from tests.web.test_archive import publish

TOKEN = "a token of the tests, of 32 characters and more"
STAFF = {"authorization": f"Bearer {TOKEN}"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def with_token(place: Site) -> Site:
    place.app = replace(place.app, config=replace(place.app.config, api_token=TOKEN.encode()))
    place.client = place.visitor()
    return place


def asked(place: Site, **fields: object) -> dict[str, Any]:
    """Return a sign-up as a form on another site sends it."""
    form = place.client.get("/api/v1/form", params={"digest": "daily"}).json()
    challenge = Challenge.from_dict(form["challenge"])
    solution = solve_challenge(challenge)
    assert solution is not None
    place.clock.forward(seconds=5)
    proof = Payload(challenge, solution).to_base64()
    requested = {"digest": "daily", "topics": "green", "hour": "7:30", "zone": "Europe/Lisbon"}
    return {
        "address": "eve@example.org",
        "digests": [requested],
        "ticket": form["ticket"],
        "proof": proof,
        **fields,
    }


def test_a_reader_signs_up_through_the_api(place: Site) -> None:
    answer = place.client.post("/api/v1/signups", json=asked(place))
    assert answer.status_code == 202
    assert "Check your inbox" in answer.json()["message"]
    place.settle()
    place.client.post(link_in(place.emails()[0], "c"))
    assert place.mailed() == {"eve@example.org"}
    preferences = place.reader("eve@example.org").subscriptions[0].preferences
    assert (str(preferences.topics), preferences.hour) == ("green", "07:30")
    assert place.history("eve@example.org")[0].origin.source == "api"


def test_the_answer_is_the_same_for_a_known_and_an_unknown_address(quick: Site) -> None:
    quick.add()
    answers = [
        quick.client.post("/api/v1/signups", json=asked(quick, address=address))
        for address in ("ada@example.org", "new@example.org")
    ]
    assert answers[0].content == answers[1].content


def test_nobody_signs_up_without_a_proof_of_work(quick: Site) -> None:
    for wrong in ({"proof": ""}, {"ticket": ""}, {"proof": "e30="}):
        assert quick.client.post("/api/v1/signups", json=asked(quick, **wrong)).status_code == 400
    good = asked(quick)
    assert quick.client.post("/api/v1/signups", json=good).status_code == 202
    assert quick.client.post("/api/v1/signups", json=good).status_code == 400


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"address": "eve"}, "the address has no @"),
        ({"digests": []}, "digests"),
        ({"digests": [{"digest": "nightly"}]}, "digest: there is no such digest"),
        (
            {"digests": [{"digest": "daily", "topics": "sport"}]},
            "topics: there is no such topic; choose from",
        ),
        ({"more": 1}, "more"),
        ({"address": None}, "address"),
    ],
)
def test_a_mistake_is_explained_in_one_sentence(quick: Site, wrong: dict[str, object], said: str) -> None:
    answer = quick.client.post("/api/v1/signups", json=asked(quick, **wrong))
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert quick.emails() == []


def test_any_site_may_use_the_form_but_not_the_staffs_calls(quick: Site) -> None:
    origin = {"origin": "https://blog.example.org"}
    assert (
        quick.client.get("/api/v1/form?digest=daily", headers=origin).headers["access-control-allow-origin"]
        == "*"
    )
    asks = {**origin, "access-control-request-method": "GET"}
    asks["access-control-request-headers"] = "authorization"
    assert quick.client.options("/api/v1/subscribers", headers=asks).status_code == 400


def test_editions_are_returned_as_they_were_sent(place: Site) -> None:
    edition = publish(place)
    [listed] = place.client.get("/api/v1/editions", params={"digest": "daily"}).json()
    assert listed["id"] == edition.id
    whole = place.client.get(f"/api/v1/editions/{edition.id}").json()
    assert whole["snapshot"]["title"] == edition.title
    assert "/p/" not in json.dumps(whole)
    assert place.client.get("/api/v1/editions/none").status_code == 404


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}])
def test_the_list_is_closed_without_the_token(quick: Site, headers: dict[str, str]) -> None:
    quick.add()
    for place in (quick, with_token(quick)):
        for method, path in (("GET", ""), ("POST", ""), ("GET", "/1"), ("DELETE", "/1")):
            answer = place.client.request(method, f"/api/v1/subscribers{path}", headers=headers, json={})
            assert answer.status_code in (401, 422)
            assert "ada" not in answer.text


def test_the_staff_lists_adds_looks_up_and_removes_readers(place: Site) -> None:
    with_token(place)
    new = {"address": "ada@example.org", "digests": [{"digest": "daily"}], "source": "the fair in May"}
    client = place.client
    assert client.post("/api/v1/subscribers", json=new, headers=STAFF).json() == {"outcome": "new"}
    [found] = client.get("/api/v1/subscribers", params={"begins": "ada"}, headers=STAFF).json()
    assert found["address"] == "ada@example.org"
    one = f"/api/v1/subscribers/{found['id']}"
    assert client.get(one, headers=STAFF).json()["history"][0]["source"] == "the fair in May"
    assert client.delete(one, headers=STAFF).status_code == 204
    assert place.mailed() == set()
    assert place.history()[-1].act is ConsentAction.REMOVED
    assert client.post("/api/v1/subscribers", json=new, headers=STAFF).json() == {"outcome": "left"}
    assert client.delete(one, params={"forget": True}, headers=STAFF).status_code == 204
    assert client.get(one, headers=STAFF).status_code == 404
    assert client.delete(one, headers=STAFF).status_code == 404


def test_the_api_does_what_its_document_says(place: Site) -> None:
    with_token(place)
    place.add()
    publish(place)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", place.visitor().app)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == 14
    for operation in operations:
        _hold(operation)


def _hold(operation: Any) -> None:
    """Call one operation with inputs that its document allows, and check the answers against it."""

    @settings(
        max_examples=25,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        case.call_and_validate(headers=STAFF, checks=CHECKS)

    holds()


def test_ids_of_readers_are_strings_because_they_exceed_the_numbers_of_javascript(quick: Site) -> None:
    first, last = (with_token(quick).add(f"{name}@example.org") for name in ("ada", "bo"))
    assert first > 2**53
    client = quick.client
    listed = client.get("/api/v1/subscribers", headers=STAFF).json()
    assert [each["id"] for each in listed] == [str(first), str(last)]
    for after in (str(first), first):
        page = client.get("/api/v1/subscribers", params={"after": after}, headers=STAFF).json()
        assert [each["id"] for each in page] == [str(last)]
    assert client.get(f"/api/v1/subscribers/{first}", headers=STAFF).json()["id"] == str(first)
    for wrong in ("x", "-1", "1.0", "9" * 19, "9" * 30, "١"):
        assert client.get(f"/api/v1/subscribers/{wrong}", headers=STAFF).status_code == 422
    described = client.get("/api/v1/openapi.json").json()["paths"]
    (where,) = described["/subscribers/{subscriber_id}"]["get"]["parameters"]
    assert where["schema"]["type"] == "string"


def test_the_list_of_digests_is_cached_and_not_sent_again_unchanged(quick: Site) -> None:
    first = quick.client.get("/api/v1/digests")
    assert first.headers["cache-control"] == "public, max-age=300"
    again = quick.client.get("/api/v1/digests", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "Accept-Language" in again.headers["vary"]
    german = quick.client.get("/api/v1/digests?language=de", headers={"if-none-match": first.headers["etag"]})
    assert german.status_code == 200
