"""Networks of their own for nodes, so that a node can be cut off; all addresses are loopback addresses.

The database and the mail server run in one network namespace, the hub, and each node in another. Two cables
(veth) lead from each node to the hub: one for the database, one for mail. A cable that is pulled out loses
packets, as in a real network: nothing is refused, and nothing is reset.

Namespaces need root, and not every container permits them. Then the cables are forwarders (forwarders.py).
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from enum import IntEnum
from types import TracebackType
from typing import Protocol, Self

# Loopback addresses are only let out of a namespace if the kernel is told so. All but 127.0.0.0/24 leave it.
_OPEN = (
    "ip link set lo up"
    " && echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet"
    " && ip route del local 127.0.0.0/8 dev lo table local"
    " && ip route add local 127.0.0.0/24 dev lo table local"
)


class Cable(IntEnum):
    """The two cables of a node, by where they lead."""

    DATABASE = 1
    MAIL = 2


class Network(Protocol):
    """Nodes, numbered from zero, with cables to a hub."""

    @property
    def at_the_hub(self) -> Sequence[str]:
        """Return the words before a command that runs at the hub; none if it has no network of its own."""

    def at_node(self, node: int) -> Sequence[str]:
        """Return the words before a command that runs at a node."""

    def lead_to(self, cable: Cable, ports: Sequence[int]) -> None:
        """Let the cables of all nodes lead to these ports of the hub."""

    def pull(self, node: int, cable: Cable) -> None:
        """Cut a node from the database or from the mail server."""

    def plug_in(self, node: int, cable: Cable) -> None:
        """Connect it again."""


def address_of(node: int, cable: Cable) -> str:
    """Return the address at which a node finds the other end of a cable."""
    return f"127.{cable.value}.{node}.1"


class Namespaces:
    """A hub and its nodes, numbered from zero, while the `with` block runs."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._holders: list[
            subprocess.Popen[bytes]
        ] = []  # each keeps a namespace alive; the first is the hub
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            for _ in range(self._nodes + 1):
                self._holders.append(self._stack.enter_context(_namespace()))
            for node in range(self._nodes):
                for cable in Cable:
                    self._lay(node, cable)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for holder in self._holders:
            holder.kill()
        self._stack.close()

    @property
    def at_the_hub(self) -> Sequence[str]:
        """Return the words before a command that runs at the hub."""
        return self._inside(0)

    def at_node(self, node: int) -> Sequence[str]:
        """Return the words before a command that runs at a node."""
        return self._inside(node + 1)

    def lead_to(self, cable: Cable, ports: Sequence[int]) -> None:
        """Do nothing, because a cable leads to every port."""

    def pull(self, node: int, cable: Cable) -> None:
        """Cut a node from the database or from the mail server."""
        self._set(node, cable, "down")

    def plug_in(self, node: int, cable: Cable) -> None:
        """Connect it again."""
        self._set(node, cable, "up")

    def _set(self, node: int, cable: Cable, state: str) -> None:
        _run([*self.at_the_hub, "ip", "link", "set", _end(node, cable), state])

    def _inside(self, number: int) -> list[str]:
        return ["nsenter", f"--net=/proc/{self._holders[number].pid}/ns/net"]

    def _lay(self, node: int, cable: Cable) -> None:
        here, there = _end(node, cable), cable.name.lower()
        peer = str(self._holders[node + 1].pid)
        ends = ((self.at_the_hub, here, 1), (self.at_node(node), there, 2))
        _run([*self.at_the_hub, "ip", "link", "add", here, "type", "veth", "peer", there, "netns", peer])
        for place, name, last in ends:
            address = f"127.{cable.value}.{node}.{last}/24"
            _run([*place, "ip", "address", "add", address, "dev", name])
            _run([*place, "ip", "link", "set", name, "up"])


def _end(node: int, cable: Cable) -> str:
    return f"{cable.name.lower()}{node}"


def _namespace() -> subprocess.Popen[bytes]:
    """Start a process that has a network of its own, and return it when that network can be used."""
    command = ["unshare", "--net", "--", "sh", "-c", f"{_OPEN} && echo ready && exec cat"]
    holder = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert holder.stdout
    if holder.stdout.readline() != b"ready\n":
        holder.communicate()
        raise OSError("a network of its own is not permitted")
    return holder


def _run(command: list[str]) -> None:
    if subprocess.run(command, check=False, timeout=60).returncode:
        raise OSError(f"this failed: {' '.join(command)}")


def are_permitted() -> bool:
    """Tell whether namespaces and cables can be made here."""
    try:
        with Namespaces(1):
            return True
    except OSError:
        return False
