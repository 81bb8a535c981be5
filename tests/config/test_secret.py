from __future__ import annotations

import stat
from pathlib import Path
from threading import Barrier, Thread

import pytest

from digest.config.secret import SecretError, load_secret


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    secret = load_secret(path)
    assert len(secret) >= 32
    assert load_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret"]


def test_many_processes_that_start_at_once_get_the_same_secret(tmp_path: Path) -> None:
    barrier, found = Barrier(8), list[bytes]()

    def start() -> None:
        barrier.wait()
        found.append(load_secret(tmp_path / "secret"))

    threads = [Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_secret_that_can_be_guessed_is_refused_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    with pytest.raises(SecretError) as caught:
        load_secret(tmp_path / "secret")
    assert "hush" not in str(caught.value)


def test_a_secret_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretError, match="cannot be read or made"):
        load_secret(tmp_path / "file" / "secret")
