"""The exports of other list managers are recognised, and nobody who must not be mailed becomes a reader."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest

from subscribers.errors import ChoiceError
from subscribers.files.columns import Reading, Stop
from subscribers.files.csv_lines import Fault, Remark
from subscribers.files.imports import Found, may_restrict, parse_tags, read_entries
from subscribers.files.states import may_be_a_state, plain_name
from subscribers.rules.imports import EntryState, ImportedReader
from tests.subscribers.exports import MAILCHIMP, SAMPLES, WHERE, WHO, Sample

OFFERED = {"daily": frozenset({"sport", "city"}), "weekend": None}
DAILY = Reading(digests=("daily",), offered=OFFERED)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_an_export_is_recognised_and_each_line_has_its_state(sample: Sample) -> None:
    reading = Reading(digests=("daily",), offered=OFFERED, file_name=sample.file_name)
    found = _read(sample.text, reading)
    assert found[0] == Remark(1, f"the file is an export of {sample.name}")
    states = [_state(each) for each in found if isinstance(each, ImportedReader | Fault)]
    assert states == list(sample.lines.values())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_time_of_the_agreement_is_kept(sample: Sample) -> None:
    entries = [each for each in _read(sample.text, DAILY) if isinstance(each, ImportedReader)]
    expected = None if sample.name == "Mailman" else datetime(2023, 5, 1, 10, 5, tzinfo=UTC)
    assert {each.confirmed_at for each in entries} == {expected}
    if sample.name.startswith("Mailchimp") or sample.name == "MailPoet":
        assert entries[0].client == "192.0.2.0/24"


@pytest.mark.parametrize("prefix", ["unsubscribed", "cleaned"])
def test_the_name_of_a_file_of_mailchimp_counts_if_it_lost_its_columns(prefix: str) -> None:
    text = f"{MAILCHIMP}\na@example.org,{WHO},{WHERE}\n"
    (entry,) = _entries(text, Reading(digests=("daily",), file_name=f"{prefix}_export.csv"))
    assert entry.state is (EntryState.BOUNCED if prefix == "cleaned" else EntryState.UNSUBSCRIBED)


def test_a_line_of_an_export_that_was_cut_is_left_out() -> None:
    lines = "a@example.org,true\nb@example.org,true,,\nc@example.org,false\n"
    *_, first, second, third = _read(f"email,subscribed_to_emails,deleted_at\n{lines}", DAILY)
    reason = "the line does not have as many cells as there are columns"
    assert (first, second) == (Fault(2, "", reason), Fault(3, "", reason))
    assert _state(third) == "unsubscribed"


def test_a_time_that_cannot_be_read_costs_no_reader() -> None:
    text = "EMAIL,STATUS,CREATED\na@example.org,1,5/1/23\nb@example.org,1,5/1/23\n"
    _, remark, first, second = _read(text, DAILY)
    assert remark == Remark(2, "the time of the agreement cannot be read here; such times are left out")
    assert isinstance(first, ImportedReader)
    assert isinstance(second, ImportedReader)
    assert first.confirmed_at is None


# ── columns that may be states ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Unsub reason",
            "Bounce code",
            "CLEAN",
            "Email disabled by",
            "isDeleted?",
            "Complaints",
            "Lead status",
        ),
        *("type", "Phone type", "confirmed by", "HasOptedOut", "optout_2", "Still active", "Suppression"),
        *("Désabonné", "Abgemeldet am", "INACTIVE SINCE", "BLACKLISTED_BY", "account-status"),
    ],
)
def test_a_column_that_may_be_a_state_stops_the_file_with_its_values(name: str) -> None:
    lines = [f"reader{number}@example.org,value {number}" for number in range(9)]
    text = "\n".join(
        [f"email,{name}", "x@example.org,y@example.org", "z@example.org,", "w@example.org", *lines]
    )
    (stop,) = [each for each in _read(text, DAILY) if not isinstance(each, Remark)]
    assert stop == Stop(1, name, ("value 0", "value 1", "value 2"))
    assert "rename it to status" in str(stop)
    assert "@" not in str(stop)
    assert not may_be_a_state("First name")
    ignoring = Reading(digests=("daily",), ignored=frozenset({plain_name(name)}))
    assert len(_entries(text, ignoring)) == 12


def test_a_long_value_is_cut_and_a_column_without_values_stops_the_file_too() -> None:
    long, empty = (
        each
        for each in _read(f"email,my status,your status\na@example.org,{'long ' * 9},\n", DAILY)
        if isinstance(each, Stop)
    )
    assert long.values == ("long long long long …",)
    assert "values seen" not in str(empty)


@pytest.mark.parametrize(
    "name", ["name", "Prototype", "interactive", "city", "member rating", "created_at", "phone", "Cleverness"]
)
def test_other_columns_stop_nothing(name: str) -> None:
    assert len(_entries(f"email,{name}\na@example.org,x\n")) == 1


@pytest.mark.parametrize(
    ("column", "value", "state"),
    [
        ("unsubscribed", "yes", "unsubscribed"),
        ("unsubscribed", "0", "active"),
        ("Unsubscribed at", "2024-01-01 10:00", "unsubscribed"),
        ("Unsubscribed at", "0000-00-00 00:00:00", "active"),
        ("unsubscribed", "sometimes", "fault"),
        ("Opt-out", "TRUE", "unsubscribed"),
        ("bounced", "1", "bounced"),
        ("Spam", "x", "complained"),
        ("deleted_at", "", "active"),
        ("active", "no", "unsubscribed"),
        ("subscribed", "1", "active"),
        ("active", "", "fault"),
        ("confirmed", "no", "unconfirmed"),
        ("confirmed", "", "unconfirmed"),
        ("confirmed", "yes", "active"),
        ("confirmed", "2024-01-01", "active"),
        ("confirmed_at", "", "active"),
    ],
)
def test_columns_with_plain_names_are_understood_in_any_list(column: str, value: str, state: str) -> None:
    found = _read(f"email,{column}\na@example.org,{value}\n", DAILY)
    assert [_state(each) for each in found if not isinstance(each, Remark)] == [state]


def test_of_several_columns_the_most_restrictive_counts() -> None:
    header = "email,status,bounced,spam,status"
    lines = ["active,0,0,active", "active,0,0,unsubscribed", "unsubscribed,1,0,", "active,1,1,", "active"]
    text = "\n".join([header, *(f"a@example.org,{line}" for line in lines)])
    assert [each.state.name.lower() for each in _entries(text)] == [
        "active",
        "unsubscribed",
        "bounced",
        "complained",
        "active",
    ]


def test_nothing_wrong_with_the_rest_of_a_line_loses_a_restriction() -> None:
    header = "email,digest,status,hour,zone,topics,language,format,confirmed_at"
    text = f"{header}\na@example.org,Not A Slug!,unsubscribed,99,Mars,a_b,English,pdf,yesterday\n"
    (entry,) = _entries(text)
    assert (entry.state, entry.requests) == (EntryState.UNSUBSCRIBED, ())


# ── lists and tags ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("lists", "state", "digests"),
    [
        ("Daily", "subscribed", ["daily"]),
        ("weekend", "subscribed", ["weekend"]),
        ('"Weekend, Gossip"', "subscribed", ["weekend"]),
        ("Gossip", "subscribed", ["daily"]),
        ("Weekend", "unsubscribed", ["weekend"]),
        ("Gossip", "unsubscribed", ["daily"]),
        ('"Weekend, Gossip"', "unsubscribed", ["weekend", "daily"]),
    ],
)
def test_a_list_with_the_name_of_a_digest_is_that_digest(lists: str, state: str, digests: list[str]) -> None:
    text = f"Email,List,List status,Global status\na@example.org,{lists},{state},subscribed\n"
    (entry,) = _entries(text)
    assert [each.digest for each in entry.requests] == digests


def test_a_global_state_is_for_all_digests() -> None:
    (entry,) = _entries("Email,List,Global status\na@example.org,Daily,unsubscribed\n")
    assert entry.requests == ()


def test_tags_become_topics_when_asked() -> None:
    tags = parse_tags(("Sport = daily:sport", "a=b=daily:city", "Week=weekend:week", "sport=weekend:week"))
    reading = Reading(digests=("daily",), offered=OFFERED, tags=tags)
    text = (
        "email,tags,topics\n"
        'a@example.org,"""Sport"",""A=B""",\n'
        "b@example.org,[Week],sport\n"
        "c@example.org,Other,\n"
        "d@example.org,'sport'; other,city\n"
    )
    found = [
        {each.digest: str(each.preferences.topics) for each in entry.requests}
        for entry in _entries(text, reading)
    ]
    assert found == [
        {"daily": "city,sport", "weekend": "week"},
        {"daily": "sport", "weekend": "week"},
        {"daily": ""},
        {"daily": "city,sport", "weekend": "week"},
    ]
    assert {str(each.requests[0].preferences.topics) for each in _entries(text)} == {"", "sport", "city"}


@pytest.mark.parametrize(
    "text", ["Sport", "Sport=daily", "=daily:sport", "Sport=:sport", "Sport=daily:", "a=b:C d"]
)
def test_a_tag_must_name_a_digest_and_a_topic(text: str) -> None:
    with pytest.raises(ChoiceError):
        parse_tags((text,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("email,name\na@example.org,Ada\n", False),
        ("a@example.org\nb@example.org\n", False),
        ("name\nAda\n", False),
        ("", False),
        ("email,status\na@example.org,active\n", True),
        ("email,Lead Status\na@example.org,warm\n", True),
    ],
)
def test_a_file_can_restrict_only_by_a_column_that_is_or_may_be_a_state(text: str, expected: bool) -> None:
    assert may_restrict(BytesIO(text.encode()), DAILY) is expected
    entries = [each for each in _read(text, DAILY) if isinstance(each, ImportedReader | Stop)]
    assert expected or all(not isinstance(each, Stop) and each.state is EntryState.ACTIVE for each in entries)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_an_export_that_restricts_anybody_is_known_by_its_header(sample: Sample) -> None:
    reading = Reading(digests=("daily",), offered=OFFERED, file_name=sample.file_name)
    restricts = not set(sample.lines.values()) <= {"active", "fault"}
    assert may_restrict(BytesIO(sample.text.encode()), reading) or not restricts


def _read(text: str, reading: Reading) -> list[Found]:
    return list(read_entries(BytesIO(text.encode()), reading))


def _entries(text: str, reading: Reading = DAILY) -> list[ImportedReader]:
    return [each for each in _read(text, reading) if isinstance(each, ImportedReader)]


def _state(found: Found) -> str:
    return found.state.name.lower() if isinstance(found, ImportedReader) else type(found).__name__.lower()
