from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from digest.cli import program
from tests.cli.conftest import Terminal
from tests.collect.servers import Answer, serving


def test_init_writes_a_publication_that_works_without_changes(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "site"
    said = CliRunner().invoke(program, ["init", str(folder)]).output
    assert "wrote" in said
    assert "Next: cd" in said

    def call(*words: str) -> str:
        result = CliRunner().invoke(program, ["--config", str(folder / "config.toml"), *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert "WRONG" not in call("check")
    assert "Harbour Gazette" in call("collect")
    assert "stories" in call("compose", "daily")
    assert ".eml" in call("preview", "daily", "--out", str(tmp_path / "look"))


def test_init_never_changes_existing_files(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine")
    said = CliRunner().invoke(program, ["init", str(tmp_path)]).output
    assert f"kept  {tmp_path / 'config.toml'}" in said
    assert (tmp_path / "config.toml").read_text() == "mine"


def test_init_reports_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = CliRunner().invoke(program, ["init", str(tmp_path / "file" / "site")])
    assert (said.exit_code, "cannot be written" in said.output) == (1, True)


def test_check_shows_the_colours_and_what_could_be_better_about_a_logo(terminal: Terminal) -> None:
    config = terminal.place.folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(f'{text}\n[brand]\nlogo = "logo.png"\naccent = "#0b6470"\n', encoding="utf-8")
    picture = Image.new("RGBA", (240, 48))
    picture.paste("#0b4f59", (10, 10, 90, 38))
    picture.save(terminal.place.folder / "logo.png")
    said = terminal.says("check")
    assert "ok     brand: light mode on #fffefb: ink #1d1b18 15.5, " in said
    assert "accent #0b6470 6." in said
    line = text.count("\n") + 3
    assert f"config.toml:{line}: brand.logo: it has 240 × 48 pixels" in said
    assert f"config.toml:{line}: brand.logo: there is no 'logo_dark', so the band stays #fffefb" in said


def test_check_finds_nothing_wrong_with_a_correct_installation(terminal: Terminal) -> None:
    found = terminal.facts("check")
    assert all(each["ok"] for each in found), found
    subjects = [each["subject"] for each in found]
    assert subjects == [
        "configuration",
        *("brand", "brand"),  # light and dark mode
        "digest daily",
        "feed Harbour Gazette",
        "feed Orchard Notes",
        "unsubscribe by mail",
        "templates",
        "secret",
        "database",
        "mail",
        "emails of daily",
    ]


@pytest.mark.parametrize(
    ("configured", "detail"),
    [
        ("", "only one click is offered; set mail.unsubscribe_address if digest receive reads an inbox"),
        ("leave@example.org", "requests go to leave+{token}@example.org; {}"),
        (
            "desk+leave@example.org",
            "requests go to desk+leave@example.org, with the token in the subject alone; {}",
        ),
    ],
)
def test_check_says_whether_readers_can_unsubscribe_by_mail(
    terminal: Terminal, configured: str, detail: str
) -> None:
    if configured:
        terminal.place.change("[site]", f'[mail]\nunsubscribe_address = "{configured}"\n\n[site]')
    found = {each["subject"]: each for each in terminal.facts("check")}
    assert found["unsubscribe by mail"] == {
        "subject": "unsubscribe by mail",
        "ok": True,
        "warning": False,
        "detail": detail.replace("{}", "digest receive must read this mail"),
    }


def test_check_asks_each_feed_and_counts_what_each_topic_would_get(terminal: Terminal) -> None:
    place = terminal.place
    place.publish("Ferry", "A quiet tide")
    place.publish("Pears are ripe", feed="orchard")
    with serving() as site:
        gone = site.put("/gone", Answer(status=410))
        ended = {"version": "https://jsonfeed.org/version/1.1", "title": "E", "expired": True}
        items = [{"id": "1", "title": "The last ferry", "content_text": "It has left."}]
        over = site.put("/ended", Answer(body=json.dumps({**ended, "items": items}).encode()))
        place.change(
            "[[topic]]",
            '[collect]\nallow_hosts = ["127.0.0.1"]\n'
            f'[[feed]]\nname = "Gone"\nurl = "{gone}"\n'
            f'[[feed]]\nname = "Ended"\nurl = "{over}"\n'
            '[[topic]]\nslug = "sea"\ntitle = "Sea"\nkeywords = ["tide"]\n'
            '[[topic]]\nslug = "snow"\ntitle = "Snow"\ntags = ["snow"]\n[[topic]]',
        )
        found = {each["subject"]: each for each in terminal.facts("check")}
        said = terminal.says("check")
    assert found["feed Harbour Gazette"]["detail"] == "2 posts; tags: harbour (2)"
    assert found["feed Orchard Notes"]["detail"] == "1 post; tags: harbour (1)"
    assert found["topic sea"]["detail"] == "1 of the 3 posts in the feeds match its rule"
    assert found["topic green"]["detail"] == "1 of the 3 posts in the feeds match its rule"
    warned = {subject for subject, each in found.items() if each["warning"]}
    assert warned == {"feed Gone", "feed Ended", "topic snow"}
    assert "has ended" in found["feed Ended"]["detail"]
    assert "warn   feed Gone: The publisher has removed this feed permanently (410)" in said


def test_check_lists_everything_that_is_wrong(terminal: Terminal) -> None:
    place = terminal.place
    (place.folder / "gazette.json").unlink()
    shutil.rmtree(place.folder / "data")
    (place.folder / "data").write_text("not a folder")
    place.change('postal_address = "1 Quay', 'templates = "none"\npostal_address = "1 Quay')
    found = {each["subject"]: each for each in terminal.facts("check", fails=1)}
    wrong = {subject for subject, each in found.items() if not each["ok"]}
    assert wrong >= {"feed Harbour Gazette", "templates", "secret", "mail"}
    assert "does not exist" in found["feed Harbour Gazette"]["detail"]


@pytest.mark.parametrize("name", ["mail/edition.txt", "mail/welcome.html", "web/left.html"])
def test_check_finds_a_wrong_name_in_a_template_before_a_reader_does(terminal: Terminal, name: str) -> None:
    place = terminal.place
    place.change('postal_address = "1 Quay', 'templates = "own"\npostal_address = "1 Quay')
    path = place.folder / "own" / name
    path.parent.mkdir(parents=True)
    path.write_text("Hello\n{{ sitte.name }}\n", encoding="utf-8")
    found = {each["subject"]: each for each in terminal.facts("check", fails=1)}
    assert found["templates"]["detail"] == f"{path}:2: there is no 'sitte' here; did you mean 'site'?"


def test_check_shows_the_mistakes_of_the_configuration(terminal: Terminal) -> None:
    terminal.place.change("every day at 07:00", "every day at 25:00")
    said = terminal.says("check", fails=1)
    assert "WRONG  configuration" in said
    assert "config.toml:" in said


def test_check_reports_a_mail_server_that_cannot_be_reached(terminal: Terminal) -> None:
    mail = '[mail]\ntransport = "smtp"\nhost = "127.0.0.1"\nport = 1\nsecurity = "none"\n\n[site]'
    terminal.place.change("[site]", mail)
    found = {each["subject"]: each for each in terminal.facts("check", fails=1)}
    assert found["mail"]["ok"] is False
    assert found["mail"]["detail"] == (
        "127.0.0.1:1: cannot connect: nothing listens there; is the mail server running,"
        " and are host and port right in [mail]?"
    )


def test_config_shows_all_settings_and_hides_secrets(terminal: Terminal) -> None:
    url = "https://reader:hush@gazette.example.org/feed"
    terminal.place.change('path = "gazette.json"', f'url = "{url}"')
    said = terminal.says("config")
    assert "hush" not in said
    assert 'digest[1].cutoff = "30m"  # default' in said
    facts = terminal.facts("config")
    assert {"key": "site.name", "value": "Harbour Digest", "source": "config.toml:3"} in facts
    assert {"key": "digest[1].maximum", "value": 30, "source": "default"} in facts
    assert "hush" not in str(facts)


def test_config_shows_only_the_source_of_a_secret(terminal: Terminal) -> None:
    words = ["--config", str(terminal.place.config_path), "config", "--json"]
    facts = json.loads(CliRunner().invoke(program, words, env={"DIGEST_SECRET": "s" * 32}).stdout)
    hidden = [(each["value"], each["source"]) for each in facts if "secret" in each["key"]]
    assert ("(hidden)", "variable DIGEST_SECRET") in hidden


def test_check_says_that_the_31st_does_not_come_every_month(terminal: Terminal) -> None:
    terminal.place.change("every day at 07:00", "the 31st of the month at 07:00")
    found = {each["subject"]: each["detail"] for each in terminal.facts("check")}
    assert "shorter months have no edition" in found["digest daily"]


def test_check_and_editions_show_the_dates_to_skip(terminal: Terminal) -> None:
    terminal.place.change("schedule =", "skip = [2020-12-25, 2999-12-25]\nschedule =")
    found = {each["subject"]: each["detail"] for each in terminal.facts("check")}
    assert found["digest daily"].endswith("; not on 2999-12-25 (skip in config.toml)")
    assert "daily: skipped on 2999-12-25: skip in config.toml" in terminal.says("editions")
    terminal.place.change("2999-12-25", '"christmas"')
    assert "digest.skip: must be a date without quotes" in terminal.says("check", fails=1)


def test_check_reports_a_digest_that_was_renamed_in_the_configuration_only(terminal: Terminal) -> None:
    place = terminal.place
    place.publish("Ferry", "Tram")
    place.subscribe("ada", "bob")
    place.run("22 12:00")
    place.run("23 06:30")
    place.change('slug = "daily"', 'slug = "everyday"')
    found = {each["subject"]: each for each in terminal.facts("check", fails=1)}
    assert found["digest daily"]["ok"] is False
    held = "2 subscriptions, 2 waiting posts and 1 open edition"
    assert found["digest daily"]["detail"].startswith(
        f"it is not in config.toml, but the database has {held}: if you changed its slug, move everything"
        " with `digest rename daily NEW`"
    )
    place.change('slug = "everyday"', 'slug = "daily"')
    assert all(each["ok"] for each in terminal.facts("check"))
