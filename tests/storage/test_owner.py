from __future__ import annotations

import subprocess
import sys

import pytest

from digest.storage.owner import has_ended, host_of, own_name

NAMED = "from digest.storage.owner import own_name; print(own_name(), flush=True); input()"


def test_a_running_process_has_not_ended_and_a_killed_process_has() -> None:
    command = [sys.executable, "-c", NAMED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        name = process.stdout.readline().strip()
        assert not has_ended(name)
        process.kill()
        process.wait()
    assert has_ended(name)
    assert not has_ended(own_name())


def test_another_process_with_the_same_number_is_not_mistaken_for_it() -> None:
    host, boot, namespace, pid, started, run = own_name().rsplit(":", 5)
    assert has_ended(":".join((host, boot, namespace, pid, str(int(started) - 1), run)))


@pytest.mark.parametrize("part", [0, 1, 2], ids=["machine", "boot", "namespace"])
def test_nothing_is_known_about_processes_elsewhere(part: int) -> None:
    parts = own_name().rsplit(":", 5)
    parts[4] = "1"
    assert has_ended(":".join(parts))
    parts[part] += "0"
    assert not has_ended(":".join(parts))


@pytest.mark.parametrize("name", ["", "a", "a:b", "::::x:y", "h:b:n:1:2:3", "h:b:n:pid:2:3"])
def test_nothing_is_known_about_a_malformed_name(name: str) -> None:
    assert not has_ended(name)


def test_every_run_has_its_own_name_with_its_machine() -> None:
    assert own_name() != own_name()
    assert host_of("mail-2:boot:ns:7:90:ab") == "mail-2"
