"""Send the same ready-made messages to one server in four ways, each used as well as possible."""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import queue
import resource
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.sinks import POSTFIX
from digest.model.messages import Message, Outcome, Security, SmtpServer
from digest.smtp.terms import Pace
from digest.smtp.transport import SmtpTransport

SENDER = "daily@example.org"
_LINE = b"A line of quoted-printable text, as long as lines of a digest usually are. =\r\n"
_FORK = multiprocessing.get_context("fork")
_PAGE = 2_000  # different messages; longer runs repeat them


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The task of a sender: the number of messages, their size in bytes, and the connections."""

    port: int
    messages: int
    size: int = 25_600
    connections: int = 10
    ca_file: str | None = None  # if set, STARTTLS is used

    @property
    def server(self) -> SmtpServer:
        """Return the server that takes the messages."""
        return SmtpServer(
            host="127.0.0.1",
            port=self.port,
            security=Security.STARTTLS if self.ca_file else Security.NONE,
            ca_file=self.ca_file,
            connections=self.connections,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The result of a task: messages per second, and microseconds of the sender's CPU for each message."""

    rate: float
    cpu: float


Sender = Callable[[Task], None]


def measure(sender: Sender, task: Task) -> Run:
    """Run a sender, and measure it with its threads and its child processes."""
    before, start = _cpu(), time.perf_counter()
    sender(task)
    elapsed, used = time.perf_counter() - start, _cpu() - before
    return Run(rate=task.messages / elapsed, cpu=used / task.messages * 1e6)


def measure_alone(sender: Sender, task: Task, load: Callable[[], None]) -> Run:
    """Run a sender in a process of its own, which calls `load` before it is measured.

    So one sender is not slowed down by the memory of the senders before it.
    """

    def work() -> None:
        load()
        there.send(measure(sender, task))

    here, there = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=work)
    process.start()
    there.close()
    try:
        run: Run = here.recv()
    except EOFError:
        raise SystemExit("a sender failed") from None
    process.join()
    return run


def ours(pace: Pace = Pace.CHUNKING, in_flight: int = 8) -> Sender:
    """Return a sender with our SmtpTransport, at most at this pace."""

    def send(task: Task) -> None:
        transport = SmtpTransport([task.server], pace=pace, in_flight=in_flight)
        accepted = 0
        for receipts in transport.carry(_groups(task, lambda: transport.room)):
            accepted += sum(receipt.outcome is Outcome.ACCEPTED for receipt in receipts)
        _all_there(accepted, task)

    return send


def stdlib(task: Task) -> None:
    """Send with smtplib: a thread for each connection."""
    waiting: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    for message in _messages(task):
        waiting.put(message)
    sent: list[int] = []

    def work() -> None:
        count = 0
        with smtplib.SMTP("127.0.0.1", task.port) as client:
            assert client.sock
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it TLS waits 40 ms
            if task.ca_file:
                client.starttls(context=ssl.create_default_context(cafile=task.ca_file))
            client.ehlo()
            while message := waiting.get():
                client.sendmail(message.sender, [message.recipient], message.data)
                count += 1
        sent.append(count)

    threads = [threading.Thread(target=work) for _ in range(task.connections)]
    for thread in threads:
        waiting.put(None)
        thread.start()
    for thread in threads:
        thread.join()
    _all_there(sum(sent), task)


def load() -> None:
    """Import the libraries that are compared, so that the time of the import is not measured."""
    importlib.import_module("aiosmtplib")


def aiosmtplib(task: Task) -> None:
    """Send with aiosmtplib: a pool of open connections, ready-made bytes, and its own event loop."""
    asyncio.run(_aiosmtplib(task))


async def _aiosmtplib(task: Task) -> None:
    library = importlib.import_module("aiosmtplib")  # imported like this because it is optional
    messages = iter(_messages(task))
    sent = 0

    async def work() -> None:
        nonlocal sent
        client = library.SMTP(
            hostname="127.0.0.1", port=task.port, start_tls=bool(task.ca_file), cert_bundle=task.ca_file
        )
        async with client:
            for message in messages:
                await client.sendmail(message.sender, [message.recipient], message.data)
                sent += 1

    await asyncio.gather(*(work() for _ in range(task.connections)))
    _all_there(sent, task)


def smtp_source(task: Task) -> None:
    """Send with Postfix's load generator in C; it makes its own messages, and does not pipeline."""
    options = ["-d", "-s", str(task.connections), "-l", str(task.size), "-m", str(task.messages)]
    subprocess.run([f"{POSTFIX}/smtp-source", *options, f"127.0.0.1:{task.port}"], check=True)


def _messages(task: Task) -> Iterator[Message]:
    page = _page(task)
    for start in range(0, task.messages, _PAGE):
        yield from page[: task.messages - start]


def _groups(task: Task, room: Callable[[], int]) -> Iterator[Sequence[Message]]:
    page = _page(task)
    done = 0
    while done < task.messages:
        start = done % _PAGE
        group = page[start : start + min(room(), task.messages - done)]
        done += len(group)
        yield group


def _page(task: Task) -> list[Message]:
    body = _LINE * (task.size // len(_LINE))
    head = b"From: daily@example.org\r\nSubject: The ferries are back\r\nTo: reader%d@example.org\r\n\r\n"
    return [
        Message.whole(n, SENDER, f"reader{n}@example.org", head % n + body)
        for n in range(min(_PAGE, task.messages))
    ]


def _all_there(count: int, task: Task) -> None:
    if count != task.messages:
        raise SystemExit(f"{count} of {task.messages} messages were accepted")


def _cpu() -> float:
    mine, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime
