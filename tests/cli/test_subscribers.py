from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Terminal

CSV = """\
email,digest,topics,hour
ada@example.org,daily,,
bob@example.org,daily,green,07:30
not an address,daily,,
eve@example.org,weekly,,
dan@example.org,daily,sport,
fay@example.org,daily,,25:00
gus@example.org,,,
"""


def test_a_reader_is_added_once(terminal: Terminal) -> None:
    assert terminal.says("subscribers", "add", "ada@example.org", "--topics", "green").strip() == "added"
    assert "already" in terminal.says("subscribers", "add", "Ada@Example.org")
    (reader,) = terminal.facts("subscribers", "list")
    assert (reader["address"], reader["state"]) == ("ada@example.org", "active")
    assert [(each["digest"], each["topics"]) for each in reader["digests"]] == [("daily", "green")]
    assert isinstance(reader["id"], str)
    assert int(reader["id"]) > 2**53  # the largest number in JavaScript


def test_a_reader_can_be_added_for_weekly_editions_if_they_are_offered(terminal: Terminal) -> None:
    add = ("subscribers", "add", "ada@example.org", "--frequency", "weekly")
    assert "not offered; choose from each" in terminal.says(*add, fails=1)
    terminal.place.change("topics =", 'gather = { weekly = "mondays at 08:00" }\ntopics =')
    assert terminal.says(*add, "--topics", "green").strip() == "added"
    assert "daily (weekly green)" in terminal.says("subscribers", "list")
    assert terminal.facts("subscribers", "list")[0]["digests"][0]["frequency"] == "weekly"
    assert "digest daily, weekly" in terminal.says("check")


def test_a_choice_that_is_not_offered_is_refused_without_repeating_the_address(terminal: Terminal) -> None:
    said = terminal.says("subscribers", "add", "ada@", fails=1)
    assert "ada@" not in said
    assert "choose from" in terminal.says("subscribers", "add", "a@example.org", "--topics", "sport", fails=1)
    assert "07:30" in terminal.says("subscribers", "add", "a@example.org", "--hour", "late", fails=1)
    assert "no digest is called" in terminal.says(
        "subscribers", "add", "a@example.org", "--digest", "x", fails=1
    )
    assert terminal.facts("subscribers", "list") == []


def test_an_import_takes_good_lines_and_reports_bad_ones_by_number(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_text(CSV)
    result = terminal.call(
        "subscribers", "import", str(tmp_path / "list.csv"), "--source", "May fair", "--yes"
    )
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == [
        "line 4",
        "line 5",
        "line 6",
        "line 7",
    ]
    assert "@" not in result.output
    assert "3 new, 4 lines left out" in result.stdout
    assert [reader["address"] for reader in terminal.facts("subscribers", "list", "--digest", "daily")] == [
        "ada@example.org",
        "bob@example.org",
        "gus@example.org",
    ]
    again = terminal.facts(
        "subscribers", "import", str(tmp_path / "list.csv"), "--source", "May fair", "--yes"
    )
    assert again["outcomes"] == {"known": 3}
    assert [fault["line"] for fault in again["faults"]] == [4, 5, 6, 7]


def test_lines_with_the_same_fault_are_reported_together(terminal: Terminal) -> None:
    stdin = "email\nada@example.org\n" + "nobody\n" * 3
    said = terminal.call("subscribers", "import", "-", "--source", "x", "--yes", stdin=stdin).stderr
    assert said.startswith("lines 3, 4, 5: address: ")
    stdin += "nobody\n" * 1_200
    said = terminal.call("subscribers", "import", "-", "--source", "x", "--yes", stdin=stdin).stderr
    assert "20, 21, 22 and 1,183 more: address: " in said


def test_an_import_counts_its_outcomes_in_words(terminal: Terminal) -> None:
    terminal.call("subscribers", "add", "ada@example.org")
    lines = "email,state\nada@example.org,\nbob@example.org,\neve@example.org,unsubscribed\n"
    said = terminal.says("subscribers", "import", "-", "--source", "x", "--yes", stdin=lines)
    assert said.strip() == "1 already known, 1 new, 1 recorded as unsubscribed"
    said = terminal.says(
        "subscribers", "import", "-", "--source", "x", "--yes", stdin="email\ngus@example.org\nx\n"
    )
    assert "1 new, 1 line left out" in said


def test_an_import_reports_a_frequency_that_is_not_offered_once(terminal: Terminal) -> None:
    lines = "email,frequency\nada@example.org,weekly\nbob@example.org,each\neve@example.org,weekly\n"
    said = terminal.facts("subscribers", "import", "-", "--source", "x", "--yes", stdin=lines)
    (notice,) = said["notices"]
    assert notice["line"] == 2
    assert "daily is not gathered weekly; until it is, who chose that gets each edition" in notice["text"]
    assert (said["outcomes"], said["faults"]) == ({"new": 3}, [])


def test_the_list_shows_all_choices_of_a_reader(terminal: Terminal) -> None:
    lines = "email,topics,hour,language,format\nada@example.org,green,09:30,de,text\n"
    terminal.call("subscribers", "import", "-", "--source", "x", "--yes", stdin=lines)
    assert "daily (green at 09:30)" in terminal.says("subscribers", "list")
    (reader,) = terminal.facts("subscribers", "list")
    assert (reader["language"], reader["format"]) == ("de", "text")


def test_an_import_without_a_good_line_fails(terminal: Terminal) -> None:
    assert "line 2" in terminal.says(
        "subscribers", "import", "-", "--source", "x", "--yes", fails=1, stdin="email\nx\n"
    )
    terminal.call("subscribers", "import", "-", fails=2, stdin="email\n")
    terminal.call("subscribers", "import", "nowhere.csv", "--source", "x", fails=2)


def test_an_exported_list_can_be_imported(terminal: Terminal, tmp_path: Path) -> None:
    terminal.call("subscribers", "import", "-", "--source", "May fair", "--yes", stdin=CSV)
    out = tmp_path / "out.csv"
    terminal.call("subscribers", "export", "--out", str(out))
    assert out.read_text() == terminal.call("subscribers", "export").stdout
    again = terminal.facts("subscribers", "import", str(out), "--source", "again", "--yes")
    assert (again["outcomes"], again["faults"]) == ({"known": 3}, [])


def test_a_removed_reader_is_not_added_again(terminal: Terminal) -> None:
    terminal.call("subscribers", "add", "ada@example.org")
    assert terminal.says("subscribers", "remove", "ada@example.org").strip() == "removed"
    assert "has unsubscribed and is not added" in terminal.says(
        "subscribers", "add", "ada@example.org", fails=1
    )
    assert "nobody on the list" in terminal.says("subscribers", "remove", "eve@example.org", fails=1)


def test_an_erased_reader_leaves_no_data_and_is_not_added_again(terminal: Terminal) -> None:
    terminal.call("subscribers", "add", "ada@example.org")
    terminal.call("subscribers", "remove", "ada@example.org", "--forget", "--digest", "daily", fails=2)
    assert terminal.says("subscribers", "remove", "ada@example.org", "--forget").strip() == "erased"
    assert terminal.facts("subscribers", "list") == []
    assert "suppressed" in terminal.says("subscribers", "add", "ada@example.org", fails=1)


def test_a_suppressed_reader_is_not_mailed(terminal: Terminal) -> None:
    terminal.place.publish("Ferry")
    terminal.place.subscribe("ada", "bob")
    terminal.call("subscribers", "suppress", "ada@example.org", "--note", "asked by phone")
    assert "suppressed" in terminal.says("subscribers", "list", "--begins", "ada")
    terminal.place.run("23 07:00")
    assert set(terminal.place.emails()) == {"bob"}
    assert "no longer suppressed" in terminal.says("subscribers", "suppress", "ada@example.org", "--lift")
    assert "was not suppressed" in terminal.says("subscribers", "suppress", "ada@example.org", "--lift")


def test_an_unusable_address_is_reported_with_an_example(terminal: Terminal) -> None:
    said = terminal.says("subscribers", "add", "notanaddress", fails=1)
    assert "not a usable email address: the address has no @; write it as name@example.org" in said
    said = terminal.says("subscribers", "add", "ada@example.org", "--digest", "dailly", fails=1)
    assert "did you mean 'daily'?" in said


def test_the_whole_history_of_a_reader_is_shown_the_oldest_first(terminal: Terminal) -> None:
    terminal.says(
        "subscribers", "add", "ada@example.org", "--source", "May fair", "--now", "2026-11-01T12:00"
    )
    terminal.place.publish("One", "Two", "Three")
    terminal.place.run("23 06:30")
    terminal.place.run("23 07:00")
    terminal.says("subscribers", "remove", "ada@example.org", "--now", "2026-11-24T12:00")
    history = terminal.facts("subscribers", "history", "Ada@Example.org")
    assert (history["address"], history["state"]) == ("ada@example.org", "unsubscribed")
    events = [(event["what"], event["source"]) for event in history["events"]]
    assert events == [
        ("added", "May fair"),
        ("mail accepted", "daily-2026-11-23"),
        ("removed", "command line"),
    ]
    said = terminal.says("subscribers", "history", "ada@example.org")
    assert "2026-11-01 12:00" in said


def test_there_is_no_history_of_an_address_that_is_not_on_the_list(terminal: Terminal) -> None:
    said = terminal.says("subscribers", "history", "ada@example.org", fails=1)
    assert "nobody on the list has that address" in said
    assert "ada@" not in said
