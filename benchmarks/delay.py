"""Run a proxy on loopback that delays every byte, to imitate the round trip of a network.

    python -m benchmarks.delay PORT SECONDS      prints its own port; ends when its input ends

Each direction has half of the round trip; bandwidth is not limited.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import cast


class Side(asyncio.Protocol):
    """One end of a connection; received bytes are written to the other end later."""

    def __init__(self, delay: float, target: int | None = None) -> None:
        self._delay = delay
        self._target = target  # a client's side connects to this port
        self._other: Side | None = None
        self._transport: asyncio.Transport | None = None
        self._held: deque[tuple[float, bytes]] = deque()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._target:
            self._task = self._loop.create_task(self._connect(self._target))

    async def _connect(self, port: int) -> None:
        _, self._other = await self._loop.create_connection(lambda: Side(self._delay), "127.0.0.1", port)
        self._other._other = self

    def data_received(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_later(self._delay, self._release)
        self._held.append((self._loop.time() + self._delay, data))

    def connection_lost(self, _exc: Exception | None) -> None:
        self._loop.call_later(2 * self._delay, self._hang_up)

    def _hang_up(self) -> None:
        if self._other and self._other._transport:
            self._other._transport.close()

    def _release(self) -> None:
        now = self._loop.time()
        due = []
        while self._held and self._held[0][0] <= now:
            due.append(self._held.popleft()[1])
        if due and self._other and self._other._transport:
            self._other._transport.write(b"".join(due))
        if self._held:
            self._loop.call_at(self._held[0][0], self._release)


async def main(port: int, round_trip: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Side(round_trip / 2, port), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
