from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from digest.cli import COMMANDS as LISTED
from digest.cli import program
from tests.cli.conftest import Terminal

DIGEST = Path(sys.executable).parent / "digest"


def commands(
    group: click.Group, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield (*words, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


COMMANDS = dict(commands(program))


def test_all_commands_exist() -> None:
    assert {" ".join(words) for words in COMMANDS} >= {
        "init", "check", "config", "collect", "compose", "editions", "preview", "approve", "send",
        "deliveries", "retry", "run", "serve", "feeds", "posts", "demo",
        "subscribers add", "subscribers list", "subscribers import", "subscribers export",
        "subscribers remove", "subscribers suppress", "subscribers history",
    }  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(program, [*words, "--help"])
    assert said.exit_code == 0
    assert f"Example: digest {' '.join(words)}" in " ".join(said.output.split())


@pytest.mark.parametrize(
    "words",
    [
        "collect",
        "compose",
        "approve",
        "cancel",
        "send",
        "retry",
        "run",
        "subscribers add",
        "subscribers import",
    ],
)
def test_every_verb_can_be_replayed_at_another_time(words: str) -> None:
    assert "--now" in CliRunner().invoke(program, [*words.split(), "--help"]).output


@pytest.mark.parametrize(
    "words",
    [
        "check", "config", "collect", "compose", "editions", "send", "deliveries", "retry", "run", "feeds",
        "posts", "subscribers list", "subscribers import",
    ],
)  # fmt: skip
def test_commands_that_print_results_can_print_them_as_json(words: str) -> None:
    assert "--json" in CliRunner().invoke(program, [*words.split(), "--help"]).output


def test_the_list_of_commands_says_what_each_command_says_of_itself() -> None:
    context = click.Context(program)
    for commands_of_module in LISTED.values():
        for name, short in commands_of_module.items():
            command = program.get_command(context, name)
            assert command is not None
            assert command.get_short_help_str(100) == short


def test_help_does_not_import_what_only_commands_need() -> None:
    heavy = "{'sqlalchemy', 'pydantic', 'rich', 'jinja2', 'asyncio', 'feedparser', 'apscheduler', 'alembic'}"
    run = "digest.cli.program(['--help'], standalone_mode=False)"
    code = f"import sys, digest.cli; {run}; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def test_a_misspelt_command_gets_a_suggestion(terminal: Terminal) -> None:
    assert "there is no command 'previw'; did you mean 'preview'?" in terminal.says("previw", fails=2)
    assert "no command 'zzz'" in terminal.says("zzz", fails=2)


def test_wrong_usage_exits_with_two(terminal: Terminal) -> None:
    terminal.call("compose", fails=2)
    terminal.call("collect", "--nonsense", fails=2)
    assert "is not a time" in terminal.says("collect", "--now", "soon", fails=2)
    assert "use only one of them" in terminal.says(
        "send", "daily", "--dry-run", "--test-to", "a@example.org", fails=2
    )


def test_every_mistake_of_the_configuration_is_one_plain_line(terminal: Terminal) -> None:
    terminal.place.change("schedule =", "shedule =")
    terminal.place.change('name = "Harbour Digest"', "nme = 1")
    said = terminal.call("collect", fails=1).stderr
    assert "unknown key 'shedule'; did you mean 'schedule'?" in said
    assert "unknown key 'nme'; did you mean 'name'?" in said
    assert "Traceback" not in said
    assert all(line.startswith("digest: ") for line in said.splitlines())


def test_a_missing_configuration_is_reported_with_what_to_do(tmp_path: Path) -> None:
    said = CliRunner().invoke(program, ["--config", str(tmp_path / "none.toml"), "run"])
    assert (said.exit_code, "digest init" in said.output) == (1, True)


def test_a_newer_database_is_refused_in_one_line(terminal: Terminal) -> None:
    terminal.call("feeds")
    with terminal.place.app() as app, app.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from-the-future'")
    said = terminal.call("feeds", fails=1).stderr
    assert len(said.splitlines()) == 1
    assert "newer version" in said


def test_a_pipe_that_is_closed_early_is_not_an_error(terminal: Terminal) -> None:
    command = f"{DIGEST} --config {terminal.place.config_path} config | head -n 1"
    said = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout.count("\n"), "Traceback" in said.stderr) == (0, 1, False)


def test_a_variable_can_name_the_configuration(terminal: Terminal) -> None:
    environ = {"DIGEST_CONFIG": str(terminal.place.config_path)}
    said = CliRunner(env=environ).invoke(program, ["config"])
    assert 'site.name = "Harbour Digest"  # config.toml:3' in said.output
