"""A forwarder that is pulled out is silent, and passes on what it has kept when it is plugged in again."""

from __future__ import annotations

import socket

import pytest

from tests.chaos.nodes.forwarders import Forwarders
from tests.chaos.nodes.network import Cable, address_of


def test_a_forwarder_keeps_the_bytes_of_both_sides_while_it_is_pulled_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hub, Forwarders(2) as network:
        port = hub.getsockname()[1]
        network.lead_to(Cable.MAIL, [port])
        with socket.create_connection((address_of(1, Cable.MAIL), port)) as node:
            there, _ = hub.accept()
            with there:
                node.sendall(b"one")
                assert there.recv(10) == b"one"
                network.pull(1, Cable.MAIL)
                node.sendall(b"two")
                there.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    there.recv(10)
                network.plug_in(1, Cable.MAIL)
                there.settimeout(30)
                assert there.recv(10) == b"two"
                there.sendall(b"three")
                assert node.recv(10) == b"three"
