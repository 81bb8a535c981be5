"""Cables for machines that permit no network namespaces: forwarders on loopback that fall silent."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.chaos.nodes.network import Cable, address_of

_HUB = "127.0.0.1"


class Forwarder:
    """Passes bytes between an address and the same port of the hub, until it is pulled out.

    It does not close or refuse anything then; it is silent, as far as a program without rights can be.
    """

    def __init__(self, address: str, port: int) -> None:
        self.plugged_in = threading.Event()
        self.plugged_in.set()
        self._port = port
        self._socks = [socket.create_server((address, port))]
        self._threads: list[threading.Thread] = []
        self._is_over = False
        self._start(self._listen, self._socks[0])

    def close(self) -> None:
        """End all connections."""
        self._is_over = True
        self.plugged_in.set()
        for sock in tuple(self._socks):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        for sock in self._socks:
            sock.close()

    def _start(self, work: object, *socks: socket.socket) -> None:
        thread = threading.Thread(target=work, args=socks, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self._socks.append(near)
            self.plugged_in.wait()
            try:
                far = socket.create_connection((_HUB, self._port))
            except OSError:
                near.close()
                continue
            self._socks.append(far)
            if self._is_over:
                return
            self._start(self._pass_on, near, far)
            self._start(self._pass_on, far, near)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self.plugged_in.wait()
                target.sendall(data)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Forwarders:
    """The same as `Namespaces`, with a forwarder for each cable and port."""

    at_the_hub: Sequence[str] = ()

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._forwarders: dict[tuple[int, Cable], list[Forwarder]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for cable in self._forwarders.values():
            for forwarder in cable:
                forwarder.close()

    def at_node(self, _node: int) -> Sequence[str]:
        """Return nothing, because nodes run in the network of this process."""
        return ()

    def lead_to(self, cable: Cable, ports: Sequence[int]) -> None:
        """Let the cables of all nodes lead to these ports of the hub."""
        for node in range(self._nodes):
            found = [Forwarder(address_of(node, cable), port) for port in ports]
            self._forwarders[node, cable] = found

    def pull(self, node: int, cable: Cable) -> None:
        """Cut a node from the database or from the mail server."""
        for forwarder in self._forwarders[node, cable]:
            forwarder.plugged_in.clear()

    def plug_in(self, node: int, cable: Cable) -> None:
        """Connect it again."""
        for forwarder in self._forwarders[node, cable]:
            forwarder.plugged_in.set()
