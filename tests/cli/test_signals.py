from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from digest.cli.terminal.session import stop_on_signals


@pytest.fixture
def usual() -> Iterator[list[int]]:
    """Yield the numbers of the signals that do to this process what they did before."""
    came: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
    yield came
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("is_child", [False, True])
def test_a_second_signal_ends_the_process_unless_its_parent_may_have_sent_it_too(
    usual: list[int], is_child: bool
) -> None:
    with stop_on_signals((signal.SIGUSR1,), is_child=is_child) as stop:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert stop.wait(10)
        assert usual == []
        os.kill(os.getpid(), signal.SIGUSR1)
        assert usual == ([] if is_child else [signal.SIGUSR1])
