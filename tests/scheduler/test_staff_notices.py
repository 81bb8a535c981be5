"""The staff is told about editions by email, each person once, and gets its copies before the readers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

import pytest

from digest.compose.edits.operations import Subject
from digest.editions.editions import approve, resume_edition
from digest.editions.edits.edits import Editor, edit
from digest.editions.notices.links import LinkRefusedError, follow
from digest.editions.notices.queue import notify_staff
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.model.run_context import RunContext
from digest.model.staff import Role
from digest.readers.notices import latest_notices, send_notices
from digest.scheduler.run import run_due
from digest.storage.staff.people import change_account
from subscribers.errors import TokenError
from tests.scheduler.installation import Place, at
from tests.scheduler.newsroom import EDITION, Newsroom, html_of, links_in, newsrooms, text_of


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    for each in newsrooms(Place(tmp_path), digest='review = "hold"\n'):
        begin(each)
        yield each


@pytest.fixture
def ahead(tmp_path: Path) -> Iterator[Newsroom]:
    for each in newsrooms(Place(tmp_path), digest='head_start = "5m"\n'):
        begin(each)
        yield each


def begin(newsroom: Newsroom) -> None:
    """Begin a day with one reader and one post; Maren may approve, and Jonas may edit."""
    newsroom.hire("Maren")
    newsroom.hire("Jonas", Role.EDITOR)
    newsroom.place.subscribe("ada")
    newsroom.place.publish("Ferry returns")


def rename(newsroom: Newsroom, subject: str, now: str) -> None:
    editor = Editor(name="Jonas", seen=9, now=at(now))
    edit(newsroom.app.database, EDITION, [Subject(text=subject)], editor)


def both(subject: str) -> list[tuple[str, str]]:
    return [("jonas", subject), ("maren", subject)]


def test_a_day_of_an_edition_that_is_approved_when_it_is_late_already(newsroom: Newsroom) -> None:
    newsroom.run("23 06:29")
    assert newsroom.told() == []
    newsroom.run("23 06:30")
    assert newsroom.told() == both("[Draft, 07:00] Ferry returns")
    newsroom.run("23 06:50")
    assert newsroom.told() == both("Daily: nobody has approved the edition for 07:00")
    newsroom.run("23 07:05")
    late = newsroom.mail()
    assert [(to, message["Subject"]) for to, message in late] == both("Daily is late")

    link = newsroom.asked(links_in(late[1][1])["approve"], "23 07:10")
    assert follow(newsroom.app, link, at("23 07:10")).approved_by == "Maren"
    newsroom.run("23 07:11")
    assert newsroom.told() == [("ada", "Ferry returns")]
    found = latest_notices(newsroom.app.database, [], 100)
    assert [(each.kind.value, each.state) for each in found] == [("staff", DeliveryState.ACCEPTED)] * 6


def test_the_message_at_the_cutoff_is_the_edition_with_a_panel_above_it(newsroom: Newsroom) -> None:
    newsroom.run("23 06:30")
    (_, to_jonas), (_, to_maren) = newsroom.mail()
    assert set(links_in(to_maren)) == {"approve", "hold"}
    assert set(links_in(to_jonas)) == {"hold"}  # an editor approves nothing
    said = "Draft. Needs approval by 07:00, in 30 minutes, or it will not be sent until someone approves it."
    html, (panel, text) = html_of(to_maren), text_of(to_maren).split("=" * 72)
    assert said in html
    assert said in " ".join(panel.split())
    approve(newsroom.app, EDITION, by="Maren", now=at("23 06:40"))
    newsroom.run("23 07:00")
    [(_, to_ada)] = newsroom.mail()
    # Readers get the same words, but for their own links.
    assert text.strip()[:200] == text_of(to_ada).strip()[:200]
    assert html_of(to_ada).partition('<div role="main">')[2][:2_000] in html


def test_an_approval_that_an_edit_makes_void_is_told_and_the_old_link_is_useless(newsroom: Newsroom) -> None:
    newsroom.hire("Edda")
    newsroom.run("23 06:30")
    links = {to: links_in(message) for to, message in newsroom.mail()}
    approves = links["maren"]["approve"]
    assert links["edda"]["approve"] != approves
    assert newsroom.asked(approves, "23 06:31").person.name == "Maren"
    assert newsroom.asked(approves, "23 07:00").refusal == "This link has expired."
    forged = approves[:-1] + ("-" if approves.endswith("_") else "_")
    for wrong in (approves.replace("/approve/", "/hold/"), forged):
        with pytest.raises(TokenError):
            newsroom.asked(wrong, "23 06:31")

    follow(newsroom.app, newsroom.asked(approves, "23 06:35"), at("23 06:35"))
    rename(newsroom, "A new subject", "23 06:36")
    link = newsroom.asked(approves, "23 06:37")
    assert link.differs
    assert link.changes == ("Jonas changed the subject: A new subject.",)
    with pytest.raises(LinkRefusedError, match="only the edition that you have seen"):
        follow(newsroom.app, link, at("23 06:37"))
    assert newsroom.record().state is EditionState.DRAFT
    newsroom.run("23 06:37")
    void = newsroom.mail()
    assert [(to, each["Subject"]) for to, each in void[1:]] == both("Daily: the approval is void")
    assert "because Jonas has edited it since it was approved" in " ".join(text_of(void[1][1]).split())
    newsroom.run("23 06:38")
    assert newsroom.told() == []

    _change(newsroom, role=Role.EDITOR)
    lost = newsroom.asked(links_in(void[2][1])["approve"], "23 06:39").refusal
    assert lost == "Your role does not let you approve editions."
    _change(newsroom, removed_at=at("23 06:40"))
    with pytest.raises(TokenError):
        newsroom.asked(links["maren"]["hold"], "23 06:41")


def _change(newsroom: Newsroom, **values: object) -> None:
    with newsroom.app.database.write() as connection:
        change_account(connection, "maren", **values)


def test_each_person_is_told_once_by_two_nodes_that_look_at_once(tmp_path: Path, database_url: str) -> None:
    place = Place(tmp_path, {"DIGEST_DATABASE_URL": database_url})
    for newsroom in newsrooms(place):
        begin(newsroom)
        newsroom.run("23 06:00")
        barrier = Barrier(2)

        def node(barrier: Barrier = barrier, place: Place = place) -> None:
            with place.app() as app:
                barrier.wait(30)
                run_due(app, RunContext(clock=lambda: at("23 06:30")))

        nodes = [Thread(target=node) for _ in range(2)]
        for each in nodes:
            each.start()
        for each in nodes:
            each.join(60)
        newsroom.run("23 06:31")
        assert [to for to, _ in newsroom.told()] == ["jonas", "maren"]


def test_after_a_restart_what_was_queued_is_sent_and_what_makes_no_sense_is_skipped(
    newsroom: Newsroom,
) -> None:
    newsroom.run("23 06:29")
    begun = RunContext(clock=lambda: at("23 06:30"), stop=lambda: bool(_queued(newsroom)))
    run_due(newsroom.app, begun)  # it ends after the messages are queued, and before they are sent
    assert newsroom.told() == []
    assert newsroom.place.run("23 06:31") == ["notices: 2 accepted"]
    assert [to for to, _ in newsroom.told()] == ["jonas", "maren"]
    newsroom.choose("Jonas", "weekly")
    notify_staff(newsroom.app, RunContext(clock=lambda: at("23 06:50")))
    approve(newsroom.app, EDITION, by="Maren", now=at("23 06:51"))
    newsroom.run("23 06:52")
    assert newsroom.told() == []
    [skipped] = latest_notices(newsroom.app.database, [DeliveryState.SKIPPED], 10)
    assert (skipped.address, skipped.reply) == ("maren@staff.test", "the edition has gone on meanwhile")


def _queued(newsroom: Newsroom) -> int:
    return len(latest_notices(newsroom.app.database, [], 2))


def test_a_draft_that_is_missing_after_its_cutoff_is_told_once(newsroom: Newsroom) -> None:
    newsroom.run("23 06:29")
    for minute in ("06:34", "06:35", "06:36"):
        now = RunContext(clock=partial(at, f"23 {minute}"))
        notify_staff(newsroom.app, now)
        send_notices(newsroom.app, now)
        assert newsroom.told() == (both("Daily is late") if minute == "06:35" else [])
    newsroom.run("23 06:40")
    assert newsroom.told() == both("[Draft, 07:00] Ferry returns")


def test_two_approvals_are_given_by_two_persons(tmp_path: Path) -> None:
    for newsroom in newsrooms(Place(tmp_path), digest='review = "hold"\napprovals = 2\n'):
        begin(newsroom)
        newsroom.hire("Edda")
        newsroom.run("23 06:30")
        links = {to: links_in(message).get("approve", "") for to, message in newsroom.mail()}
        follow(newsroom.app, newsroom.asked(links["maren"], "23 06:35"), at("23 06:35"))
        again = newsroom.asked(links["maren"], "23 06:36")
        assert again.refusal == "You have approved it already, and it needs the approval of somebody else."
        assert "Maren has approved it, and 1 approval is missing." in again.outlook
        newsroom.run("23 06:50")
        assert {subject for _, subject in newsroom.told()} == {
            "Daily: the edition for 07:00 lacks an approval"
        }
        follow(newsroom.app, newsroom.asked(links["edda"], "23 06:55"), at("23 06:55"))
        assert newsroom.record().state is EditionState.APPROVED


def test_who_approved_first_is_told_that_this_is_void_for_a_second_approval(tmp_path: Path) -> None:
    for newsroom in newsrooms(Place(tmp_path), digest='review = "hold"\napprovals = 2\n'):
        begin(newsroom)
        newsroom.run("23 06:30")
        newsroom.mail()
        approve(newsroom.app, EDITION, by="Maren", now=at("23 06:35"))
        newsroom.write_foot("Boats for hire.")
        approve(newsroom.app, EDITION, by="Edda", now=at("23 06:40"))
        newsroom.run("23 06:40")
        assert newsroom.told() == both("Daily: the approval is void")


@pytest.mark.parametrize("review", ["hold", "send"])
def test_a_template_that_is_changed_before_the_send_time_makes_the_approval_void(
    tmp_path: Path, review: str
) -> None:
    for newsroom in newsrooms(Place(tmp_path), digest=f'review = "{review}"\n'):
        begin(newsroom)
        newsroom.run("23 06:30")
        approve(newsroom.app, EDITION, by="Maren", now=at("23 06:35"))
        newsroom.write_foot("Boats for hire.")
        newsroom.mail()
        reported = newsroom.run("23 06:40")
        why = "mail/_foot.txt changed after Maren had approved it"
        assert f"{EDITION}: differs: {why}, so it is a draft again" in reported
        void = newsroom.mail()
        assert [(to, each["Subject"]) for to, each in void] == both("Daily: the approval is void")
        assert f"because {why}." in " ".join(text_of(void[1][1]).split())
        follow(newsroom.app, newsroom.asked(links_in(void[1][1])["approve"], "23 06:45"), at("23 06:45"))
        newsroom.run("23 07:00")
        assert newsroom.told() == [("ada", "Ferry returns")]


def test_an_edition_that_goes_out_although_its_approval_became_void_is_told(tmp_path: Path) -> None:
    for newsroom in newsrooms(Place(tmp_path)):
        begin(newsroom)
        newsroom.run("23 06:30")
        newsroom.mail()
        approve(newsroom.app, EDITION, by="Maren", now=at("23 06:35"))
        newsroom.write_foot("Boats for hire.")
        newsroom.run("23 07:00")
        assert newsroom.record().state is EditionState.SENT
        found = newsroom.mail()
        subject = "Daily went out without a valid approval"
        assert [(to, each["Subject"]) for to, each in found[1:]] == both(subject)
        said = " ".join(text_of(found[1][1]).split())
        assert "void, because mail/_foot.txt changed after Maren had approved it." in said
        assert 'It went out all the same, because its digest has review = "send".' in said
        newsroom.run("23 07:01")
        assert newsroom.told() == []


def test_without_staff_pages_nobody_is_told_anything(newsroom: Newsroom) -> None:
    newsroom.place.change('[staff]\nurl = "https://desk.example.org"', "")
    newsroom.place.run("23 06:30")
    assert newsroom.told() == []


def test_with_a_head_start_the_staff_gets_each_state_of_the_edition_first(ahead: Newsroom) -> None:
    ahead.hire("Ines", Role.READER)
    ahead.run("23 06:54")
    assert "[Staff copy, readers 07:00] Ferry returns" not in dict(ahead.told()).values()
    ahead.run("23 06:55")
    copies = ahead.mail()
    first = "[Staff copy, readers 07:00] Ferry returns"
    assert [(to, each["Subject"]) for to, each in copies] == [("ines", first), *both(first)]
    assert set(links_in(copies[0][1])) == {"stop"}
    rename(ahead, "Ferry is back", "23 06:56")
    ahead.run("23 06:56")
    assert {subject for _, subject in ahead.told()} == {"[Staff copy, readers 07:00] Ferry is back"}
    rename(ahead, "The ferry", "23 06:56")
    ahead.run("23 06:56")
    assert ahead.told() == []  # one minute lies between two copies
    rename(ahead, "Last words", "23 06:59")
    ahead.run("23 07:00")
    assert ahead.told() == [("ada", "Last words")]
    assert ahead.record().state is EditionState.SENT
    assert "staff" in {each.kind.value for each in latest_notices(ahead.app.database, [], 100)}


def test_stop_pauses_the_edition_before_any_reader_gets_it(ahead: Newsroom) -> None:
    ahead.run("23 06:55")
    stops = {to: links["stop"] for to, each in ahead.mail() if "stop" in (links := links_in(each))}
    link = ahead.asked(stops["jonas"], "23 06:57")
    assert (link.person.name, link.refusal) == ("Jonas", "")
    follow(ahead.app, link, at("23 06:57"))
    assert ahead.run("23 07:00") == [f"{EDITION}: waiting: is paused: by Jonas"]
    assert ahead.told() == []
    resume_edition(ahead.app.database, EDITION, at("23 07:04"))
    ahead.run("23 07:04")
    assert ("ada", "Ferry returns") in ahead.told()


def test_an_edition_that_is_approved_late_goes_to_the_staff_first_too(tmp_path: Path) -> None:
    for newsroom in newsrooms(Place(tmp_path), digest='head_start = "5m"\nreview = "hold"\n'):
        begin(newsroom)
        newsroom.run("23 06:55")
        assert not any("copy" in subject for _, subject in newsroom.told())
        approve(newsroom.app, EDITION, by="Maren", now=at("23 07:30"))
        newsroom.run("23 07:30")
        assert newsroom.told() == both("[Staff copy, readers 07:35] Ferry returns")
        newsroom.run("23 07:35")
        assert newsroom.told() == [("ada", "Ferry returns")]


def test_a_head_start_without_anybody_on_the_staff_delays_nothing(tmp_path: Path) -> None:
    for newsroom in newsrooms(Place(tmp_path), digest='head_start = "5m"\n'):
        newsroom.place.subscribe("ada")
        newsroom.place.publish("Ferry returns")
        newsroom.run("23 07:00")
        assert newsroom.told() == [("ada", "Ferry returns")]


def test_editions_that_are_skipped_and_dates_without_one_are_told(tmp_path: Path) -> None:
    for newsroom in newsrooms(Place(tmp_path), digest='review = "skip"\n'):
        begin(newsroom)
        newsroom.run("23 06:45")
        newsroom.mail()
        newsroom.run("23 07:00")
        assert newsroom.told() == both("Daily was skipped")
        approve_next(newsroom)
        newsroom.run("25 06:30")
        found = newsroom.mail()
        assert [(to, each["Subject"]) for to, each in found] == both("Daily: no edition on 2026-11-25")
        assert "There is no edition on 2026-11-25: there are no new posts." in text_of(found[0][1])


def approve_next(newsroom: Newsroom) -> None:
    newsroom.run("24 06:45")
    approve(newsroom.app, "daily-2026-11-24", by="Maren", now=at("24 06:46"))
    newsroom.run("24 07:00")
    newsroom.mail()
