"""Name senders, so that another sender on the same machine can tell when a sender has ended.

A name is `host:boot:namespace:pid:started:run`. The process id and its start time mean something only on
the same host, in the same boot and in the same process namespace. Elsewhere, the lease has to run out.
A run that ended without giving up its lease, because the database was away, is known to its own process.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_GONE = frozenset("ZX")  # zombie and dead: the process no longer runs, but is still listed
_running: set[str] = set()  # the names of the runs of this process that have not ended


def own_name() -> str:
    """Return a name for a new run of this process; no other run, on any machine, has the same name.

    Call `note_end` with the name when the run is over.
    """
    pid = os.getpid()
    name = ":".join((*_place(), str(pid), _started(pid) or "", secrets.token_hex(4)))
    _running.add(name)
    return name


def note_end(name: str) -> None:
    """Record that a run of this process is over, whether or not it could give up its lease."""
    _running.discard(name)


def has_ended(owner: str) -> bool:
    """Tell whether the run with this name has certainly ended; False if that cannot be known."""
    host, *rest = owner.rsplit(":", 5)
    if len(rest) != 5 or (host, rest[0], rest[1]) != _place() or not all(rest):
        return False
    pid, started = rest[2:4]
    try:
        os.kill(int(pid), 0)  # only a check; unlike /proc, it also sees other users' processes
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError, OverflowError):
        return False
    now_there = _started(int(pid))
    if now_there == started and int(pid) == os.getpid():
        return owner not in _running
    return now_there is not None and now_there != started


def host_of(owner: str) -> str:
    """Return the machine in a sender's name, to be shown to people."""
    return owner.partition(":")[0]


def _place() -> tuple[str, str, str]:
    boot = namespace = ""
    with suppress(OSError):  # not on Linux
        boot = (_PROC / "sys/kernel/random/boot_id").read_text()[:8]  # short, because many rows keep the name
        namespace = str((_PROC / "self/ns/pid").readlink()).strip("pid:[]")
    return socket.gethostname(), boot, namespace


def _started(pid: int) -> str | None:
    """Return when a process started, in ticks since the boot; "gone" for a zombie."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "gone" if fields[0] in _GONE else fields[19]
