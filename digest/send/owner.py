"""Name a sender so that another one on the same machine can tell when it has ended.

A name is `host:boot:namespace:pid:started:run`. Only where host, boot of the kernel and process namespace
are our own do a process id and its time of start say anything; elsewhere a lease has to run out.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_GONE = frozenset("ZX")  # killed, and not yet collected by its parent: it writes no more


def own_name() -> str:
    """Name this run of this process; no other run, here or elsewhere, has the same name."""
    pid = os.getpid()
    return ":".join((*_place(), str(pid), _started(pid) or "", secrets.token_hex(4)))


def has_ended(owner: str) -> bool:
    """Tell whether the process with this name is certainly gone; False where that cannot be known."""
    host, *rest = owner.rsplit(":", 5)
    if len(rest) != 5 or (host, rest[0], rest[1]) != _place() or not all(rest):
        return False
    pid, started = rest[2:4]
    try:
        os.kill(int(pid), 0)  # asks only; unlike /proc it sees other users' processes too
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError, OverflowError):
        return False
    now_there = _started(int(pid))
    return now_there is not None and now_there != started


def host_of(owner: str) -> str:
    """Return the machine in a sender's name, for people."""
    return owner.partition(":")[0]


def _place() -> tuple[str, str, str]:
    boot = namespace = ""
    with suppress(OSError):  # another system than Linux
        boot = (_PROC / "sys/kernel/random/boot_id").read_text()[:8]  # the name stands in many rows
        namespace = str((_PROC / "self/ns/pid").readlink()).strip("pid:[]")
    return socket.gethostname(), boot, namespace


def _started(pid: int) -> str | None:
    """Return when a process started, in ticks since the boot; "gone" for one that was killed."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "gone" if fields[0] in _GONE else fields[19]
