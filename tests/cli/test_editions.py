from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from sqlalchemy import select, text

from digest.storage.tables import metadata
from tests.cli.conftest import Terminal
from tests.scheduler.installation import Place

EDITION = "daily-2026-11-23"
NOW = ("--now", "2026-11-22T12:00")


@pytest.fixture
def composed(terminal: Terminal) -> Terminal:
    """Give a publication with two readers and a draft."""
    terminal.place.publish("Ferry <b>returns</b>", "Tram")
    terminal.place.publish("Apples", feed="orchard")
    terminal.place.subscribe("ada")
    terminal.place.subscribe("bob", topics="green")
    terminal.call("collect", *NOW)
    terminal.call("compose", "daily", *NOW)
    return terminal


def contents(place: Place) -> dict[str, list[tuple[object, ...]]]:
    """Return the whole content of the database."""
    with place.app() as app, app.database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def test_compose_reports_the_edition_and_what_to_do_next(terminal: Terminal) -> None:
    terminal.place.publish("Ferry")
    terminal.call("collect", *NOW)
    said = terminal.says("compose", "daily", *NOW)
    assert f"{EDITION}: 1 story, to be sent Mon 23 Nov 2026 07:00 (UTC)" in said
    assert f"digest preview {EDITION}" in said
    assert f"there is already {EDITION}" in terminal.says("compose", "daily", *NOW)


def test_compose_without_posts_makes_no_edition_and_says_why(terminal: Terminal) -> None:
    assert terminal.says("compose", "daily").startswith("no edition: ")
    facts = terminal.facts("compose", "daily")
    assert (facts["edition"], facts["used"]) == (None, 0)


def test_an_edition_composed_by_hand_is_the_only_one_of_its_date(composed: Terminal) -> None:
    composed.place.publish("Library")
    composed.place.run("23 06:30")
    assert [each["id"] for each in composed.facts("editions")] == [EDITION]
    assert composed.place.run("23 07:00") == [f"{EDITION}: sent: 2 accepted"]


def test_an_unknown_digest_is_reported_with_the_known_ones(terminal: Terminal) -> None:
    assert "no digest is called 'weekly'; available: daily" in terminal.says("compose", "weekly", fails=1)


def test_editions_are_listed_and_one_is_shown_with_the_rule_of_each_story(composed: Terminal) -> None:
    assert EDITION in composed.says("editions", "--digest", "daily")
    said = composed.says("editions", EDITION)
    assert "feed: Orchard Notes" in said
    facts = composed.facts("editions", "daily")
    assert (facts["id"], facts["state"], facts["stories"]) == (EDITION, "draft", 3)
    rules = {story["rule"] for section in facts["edition"]["sections"] for story in section["stories"]}
    assert {facts["edition"]["lead"]["rule"], *rules} == {"feed: Orchard Notes", "catch-all"}
    assert f"available: {EDITION}" in composed.says("editions", "daily-1999-01-01", fails=1)
    assert "no edition" in composed.says("editions", "nonsense", fails=1)


def test_a_draft_says_to_how_many_readers_it_goes(composed: Terminal, tmp_path: Path) -> None:
    composed.place.subscribe("eve")
    composed.call("subscribers", "remove", "eve@example.org")
    assert "deliveries  goes to 2 readers\n" in composed.says("editions", EDITION)
    assert composed.facts("editions", EDITION)["readers"] == 2
    said = composed.says("preview", EDITION, "--out", str(tmp_path))
    assert f"{EDITION} is a draft; it goes to 2 readers\n" in said
    composed.place.run("23 07:00")
    assert "deliveries  2 accepted\n" in composed.says("editions", EDITION)
    assert "goes to" not in composed.says("preview", EDITION, "--out", str(tmp_path))


def test_tables_fit_eighty_columns(composed: Terminal) -> None:
    for words in (["editions"], ["editions", EDITION], ["posts"], ["feeds"], ["collect"]):
        lines = composed.says(*words).splitlines()
        assert (
            max(len(line) for line in lines if not line.endswith(".")) <= 80
        )  # sentences are not in a table


def test_preview_writes_the_message_that_is_sent_and_changes_nothing(
    composed: Terminal, tmp_path: Path
) -> None:
    before = contents(composed.place)
    look = tmp_path / "look"
    for _ in range(3):
        composed.call("preview", EDITION, "--subscriber", "bob@example.org", "--out", str(look))
    assert {path.name for path in look.iterdir()} == {
        f"{EDITION}{suffix}" for suffix in (".html", ".txt", ".eml", ".web.html")
    }
    assert contents(composed.place) == before
    assert "Apples" in (look / f"{EDITION}.txt").read_text()
    assert "Tram" not in (look / f"{EDITION}.txt").read_text()
    composed.place.run("23 07:00")
    sent = [path.read_bytes() for path in (composed.place.folder / "data/mail").iterdir()]
    assert (look / f"{EDITION}.eml").read_bytes() in sent


def test_preview_without_a_subscriber_shows_all_topics(composed: Terminal, tmp_path: Path) -> None:
    composed.call("preview", "daily", "--out", str(tmp_path))
    message = message_from_bytes((tmp_path / f"{EDITION}.eml").read_bytes(), policy=default)
    assert message["To"] == "reader@example.org"
    text = (tmp_path / f"{EDITION}.txt").read_text()
    assert [title for title in ("Ferry", "Tram", "Apples") if title in text] == ["Ferry", "Tram", "Apples"]


def test_preview_can_be_written_in_every_language(composed: Terminal, tmp_path: Path) -> None:
    composed.call("preview", "daily", "--language", "de", "--out", str(tmp_path))
    assert "\nAbbestellen:\n" in (tmp_path / f"{EDITION}.txt").read_text()
    assert '<html lang="de"' in (tmp_path / f"{EDITION}.web.html").read_text()
    assert "'ar', 'de', 'en', 'es'" in composed.says("preview", "daily", "--language", "tlh", fails=2)


def test_preview_for_somebody_who_never_subscribed_is_refused_without_the_address(composed: Terminal) -> None:
    said = composed.says("preview", "daily", "--subscriber", "eve@example.org", fails=1)
    assert "no reader with this address" in said
    assert "eve@" not in said


def test_an_approved_edition_can_be_cancelled_and_its_posts_wait_again(composed: Terminal) -> None:
    composed.call("approve", EDITION, "--by", "Ines", "--now", "2026-11-22T13:00")
    facts = composed.facts("editions", EDITION)
    assert (facts["state"], facts["approved_by"]) == ("approved", "Ines")
    said = composed.says("approve", EDITION, fails=1)
    assert f"{EDITION} is approved and cannot be approved; it does not need approval any more" in said
    composed.call("cancel", EDITION, "--reason", "wrong lead", "--now", "2026-11-22T14:00")
    assert composed.facts("editions", EDITION)["reason"] == "wrong lead"
    assert {each["states"][0][1] for each in composed.facts("posts", "--digest", "daily")} == {"waiting"}


def test_a_paused_edition_waits_until_it_is_resumed(composed: Terminal) -> None:
    assert f"digest resume {EDITION}" in composed.says("pause", "daily", "--reason", "wrong lead?")
    assert "draft, paused: wrong lead?" in composed.says("editions", EDITION)
    assert f"{EDITION}: waiting: is paused: wrong lead?" in composed.says("run", "--now", "2026-11-23T07:00")
    assert "paused and cannot be paused" in composed.says("pause", "daily", fails=1)
    assert "and paused and cannot be sent" in composed.says("send", EDITION, fails=1)
    assert "is resumed: it is a draft" in composed.says("resume", "daily")
    assert f"{EDITION}: sent: 2 accepted" in composed.says("run", "--now", "2026-11-23T07:00")


def test_dry_runs_and_test_messages_change_nothing_but_the_history(composed: Terminal) -> None:
    before = contents(composed.place)
    said = composed.says("send", EDITION, "--dry-run")
    assert "2 emails would be sent; 0 readers would get none" in said
    facts = composed.facts("send", EDITION, "--dry-run")
    assert facts["mails"] == 2
    assert "test message accepted" in composed.says("send", EDITION, "--test-to", "test@example.org")
    after = contents(composed.place)
    assert [row[2] for row in after.pop("steps") if row not in before["steps"]] == ["tested"]
    assert after == {table: rows for table, rows in before.items() if table != "steps"}
    assert set(composed.place.emails()) == {"test"}


def test_send_by_hand_sends_at_once_and_only_once(composed: Terminal) -> None:
    assert f"{EDITION} is sent: 2 accepted" in composed.says("send", EDITION)
    assert set(composed.place.emails()) == {"ada", "bob"}
    assert "has already been sent, and nobody is mailed twice: 2 accepted" in composed.says("send", EDITION)
    assert composed.facts("send", EDITION)["deliveries"] == {"total": 2, "accepted": 2}
    assert composed.place.emails() == {}


def test_send_by_hand_needs_approval_if_the_digest_does(composed: Terminal) -> None:
    composed.place.change("schedule =", 'review = "hold"\nschedule =')
    said = composed.says("send", EDITION, fails=1)
    assert f"{EDITION} is a draft and cannot be sent; approve it first: digest approve {EDITION}" in said
    composed.call("approve", EDITION)
    assert "2 accepted" in composed.says("send", EDITION)


def test_a_cancelled_edition_is_not_sent_and_has_no_deliveries(composed: Terminal) -> None:
    composed.call("cancel", EDITION)
    assert f"{EDITION} is cancelled and cannot be sent; its posts are carried" in composed.says(
        "send", EDITION, fails=1
    )
    assert f"{EDITION} is cancelled: no readers" in composed.says("deliveries", EDITION)


def test_deliveries_that_wait_for_a_later_hour_are_skipped_by_cancel_and_not_sent_again(
    composed: Terminal,
) -> None:
    composed.place.subscribe("eve", now="22 12:00")
    composed.call("subscribers", "add", "eli@example.org", "--digest", "daily", "--hour", "20:30")
    composed.call("run", "--now", "2026-11-23T07:00")
    said = composed.says("cancel", EDITION, "--reason", "wrong picture", "--now", "2026-11-23T08:00")
    assert said == f"{EDITION} is cancelled: 3 accepted, 1 skipped\n"
    assert composed.facts("deliveries", EDITION)["counts"] == {"total": 4, "accepted": 3, "skipped": 1}
    assert composed.facts("editions", EDITION)["deliveries"] == {"total": 4, "accepted": 3, "skipped": 1}
    assert "the edition was cancelled" in composed.says("deliveries", EDITION, "--state", "skipped")
    again = composed.says("retry", EDITION, fails=1)
    assert "is cancelled and cannot be sent again; a cancelled edition cannot be resumed" in again
    assert "cancelled" not in composed.says("run", "--now", "2026-11-23T20:30")


def test_deliveries_of_a_draft_say_how_to_see_its_readers(composed: Terminal) -> None:
    assert f"is not being sent yet; to see its readers: digest send {EDITION} --dry-run" in composed.says(
        "deliveries", EDITION
    )
    assert composed.facts("deliveries", EDITION)["state"] == "draft"


def test_a_draft_resumed_after_its_send_time_says_until_when_it_is_sent(composed: Terminal) -> None:
    composed.call("pause", EDITION, "--now", "2026-11-23T06:00")
    assert "no later than" not in composed.says("resume", EDITION, "--now", "2026-11-23T06:30")
    composed.call("pause", EDITION, "--now", "2026-11-23T06:45")
    said = composed.says("resume", EDITION, "--now", "2026-11-23T10:00")
    assert (
        "it is sent no later than Mon 23 Nov 2026 11:00 (UTC),"
        f" unless you approve it: digest approve {EDITION}" in said
    )


def test_deliveries_show_replies_and_show_addresses_only_if_asked(composed: Terminal) -> None:
    composed.call("send", EDITION)
    said = composed.says("deliveries", EDITION)
    assert "2 accepted" in said
    assert "@example.org" not in said
    assert "ada@example.org" in composed.says("deliveries", EDITION, "--addresses")
    assert composed.facts("deliveries", EDITION, "--state", "rejected")["deliveries"] == []
    (one,) = composed.facts("deliveries", EDITION, "--limit", "1")["deliveries"]
    assert one["subscriber_id"] in {each["id"] for each in composed.facts("subscribers", "list")}
    assert "only the first 1 are listed; --limit 0 lists all" in composed.says(
        "deliveries", EDITION, "--limit", "1"
    )
    assert "--limit 0" not in composed.says("deliveries", EDITION, "--limit", "2")
    assert len(composed.facts("deliveries", EDITION, "--limit", "0")["deliveries"]) == 2


def test_failed_deliveries_can_be_retried(composed: Terminal, wrong_addresses: None) -> None:
    assert "1 accepted, 1 rejected" in composed.says("send", EDITION)
    assert "rejected     –       1  the address cannot be written in an email" in composed.says(
        "deliveries", EDITION
    )
    (failure,) = composed.facts("deliveries", EDITION)["trouble"]
    assert (failure["state"], failure["code"], failure["count"]) == ("rejected", None, 1)
    assert composed.facts("deliveries", EDITION, "--code", "550")["deliveries"] == []
    assert len(composed.facts("deliveries", EDITION, "--domain", "Example.org")["deliveries"]) == 1
    assert "there is nothing to retry" in composed.says("retry", EDITION, "--code", "450")
    assert "there is nothing to retry" in composed.says("retry", EDITION, "--state", "uncertain")
    assert "1 accepted, 1 rejected" in composed.says("retry", EDITION)


def test_send_fails_and_says_so_first_if_most_messages_were_rejected(composed: Terminal) -> None:
    with composed.place.app() as app, app.database.write() as connection:
        connection.exec_driver_sql("UPDATE subscribers SET address = 'a b' || id")
    first, second = composed.says("send", EDITION, fails=1).splitlines()
    assert first.startswith(f"{EDITION}: most messages were rejected, 2 of 2; `digest deliveries {EDITION}")
    assert f"{EDITION} is sent: 2 rejected" in second


@pytest.fixture
def wrong_addresses(composed: Terminal) -> None:
    """Give one reader an address that was never checked, which cannot be written in a message."""
    with composed.place.app() as app, app.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE subscribers SET address = 'bob with spaces' WHERE address = 'bob@example.org'"
        )


def test_an_edition_that_was_never_sent_cannot_be_retried(composed: Terminal) -> None:
    assert "is a draft and cannot be sent again; it has not been sent yet: digest send" in composed.says(
        "retry", EDITION, fails=1
    )


def test_a_gathered_edition_can_be_composed_by_hand(terminal: Terminal) -> None:
    terminal.place.change("topics =", 'gather = { weekly = "mondays at 08:00" }\ntopics =')
    terminal.place.publish("Ferry")
    terminal.place.subscribe("ada")
    terminal.place.run("23 07:00")
    said = terminal.says("compose", "daily", "--gather", "weekly", "--now", "2026-11-23T07:10")
    assert "daily-weekly-2026-11-23: 1 story, to be sent Mon 23 Nov 2026 08:00 (UTC)" in said
    assert "posts:" not in said
    assert terminal.facts("editions", "daily-weekly-2026-11-23")["frequency"] == "weekly"
    assert terminal.facts("editions", "daily")["frequency"] == "each"
    assert "available: each, weekly" in terminal.says("compose", "daily", "--gather", "daily", fails=1)


@pytest.mark.parametrize(
    "words",
    [
        ("editions",),
        ("preview",),
        ("approve",),
        ("pause",),
        ("cancel",),
        ("send",),
        ("deliveries",),
        ("retry",),
    ],
    ids=" ".join,
)
def test_a_digest_without_editions_is_distinguished_from_an_unknown_digest(
    terminal: Terminal, words: tuple[str, ...]
) -> None:
    said = terminal.says(*words, "daily", fails=1)
    assert "daily has no edition yet; to compose one: digest compose daily" in said
    assert "no edition is called 'dayly'" in terminal.says(*words, "dayly", fails=1)


def damage(place: Place, edition_id: str) -> None:
    with place.app() as app, app.database.write() as connection:
        broken = text("UPDATE editions SET snapshot = substr(snapshot, 1, 100) WHERE id = :id")
        connection.execute(broken, {"id": edition_id})


def test_a_damaged_edition_hides_no_other_in_the_list(terminal: Terminal) -> None:
    for day in ("23", "24", "25"):
        terminal.place.publish(f"Ferry {day}")
        terminal.place.run(f"{day} 06:30")
    damage(terminal.place, "daily-2026-11-24")
    result = terminal.call("editions")
    assert [line.split()[0] for line in result.stdout.splitlines() if line.startswith("daily-")] == [
        "daily-2026-11-25", "daily-2026-11-24", "daily-2026-11-23",
    ]  # fmt: skip
    said = "edition daily-2026-11-24 is damaged: its snapshot no longer matches its hash"
    assert said in result.stderr
    assert [each.get("damage", "")[:12] for each in terminal.facts("editions")] == ["", "its snapshot", ""]
    found = {each["subject"]: each["detail"] for each in terminal.facts("check", fails=1)}
    assert said in found["database"]
    assert "did you mean" in terminal.says("editions", "daily-2026-11-26", fails=1)


def test_a_damaged_edition_does_not_stop_the_others_from_being_sent(terminal: Terminal) -> None:
    place = terminal.place
    weekly = 'gather = { weekly = "mondays at 12:00" }\n'
    place.change('slug = "daily"\n', f'slug = "daily"\n{weekly}')
    place.subscribe("ada")
    place.publish("Ferry")
    place.run("22 12:00")
    place.run("23 06:30")
    damage(place, EDITION)
    place.publish("Tram")
    said = place.run("24 06:30")
    assert any(f"{EDITION}: failed: edition {EDITION} is damaged" in each for each in said)
    assert "daily-2026-11-24: sent: 1 accepted" in place.run("24 07:00")
    said = place.run("30 12:00")
    assert "daily-weekly-2026-11-30: composed: 1 story, to be sent Mon 30 Nov 2026 12:00 (UTC)" in said


def test_a_list_in_a_pipe_has_one_line_for_each_row(composed: Terminal) -> None:
    headline = "The ferry to Port Ellery returns in spring, " * 4
    composed.place.publish(headline.strip(" ,"))
    composed.call("collect", *NOW)
    lines = composed.says("posts").splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) > 180


def test_after_an_approval_of_a_held_day_the_others_are_offered_to_be_merged(terminal: Terminal) -> None:
    terminal.place.change("schedule =", 'review = "hold"\nschedule =')
    terminal.place.subscribe("ada")
    ids = [f"daily-2026-11-{day}" for day in (23, 24, 25)]
    for day, edition_id in enumerate(ids, 23):
        terminal.place.publish(f"Story {day}")
        offered = terminal.says("run", "--now", f"2026-11-{day}T07:00")
        assert f"{edition_id}: waiting: waits for approval" in offered
    offer = "so each reader would get 3 messages at once. To send them as one: digest merge daily\n"
    assert f"daily: waiting: 3 editions wait, {offer}" in offered
    now = ("--now", "2026-11-25T09:00")
    assert f"{ids[0]} and {ids[2]} wait too, {offer}" in terminal.says("approve", ids[1], *now)
    assert f"3 editions of daily wait, {offer}" in terminal.says("editions")
    merged = f"{ids[2]}-2"
    said = terminal.says("merge", "daily", *now)
    assert said.startswith(f"{merged}: 3 stories, merged from {ids[0]}, {ids[1]} and {ids[2]}\n")
    assert f"to approve it: digest approve {merged}\n" in said
    assert "digest merge" not in terminal.says("approve", "daily", *now)
    assert f"skipped: merged into {merged}" in terminal.says("editions", ids[0])
    assert "digest merge" not in terminal.says("editions")
    assert terminal.says("run", "--now", "2026-11-25T09:01").startswith(f"{merged}: sent: 1 accepted\n")
    said = terminal.says("merge", "daily", *now, fails=1)
    assert said == "digest: no edition of daily waits past its send time, so there is nothing to merge\n"
