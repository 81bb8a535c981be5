"""Run the servers that the benchmarks send to: Postfix's smtp-sink, our faster sink, and a delaying proxy."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("sink.c")
POSTFIX = "/usr/sbin"  # the folder of smtp-sink and smtp-source on Debian


@dataclass(slots=True)
class Sink:
    """A server at a loopback port; `taken` is the number of messages it has counted, after it has ended."""

    port: int
    taken: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How a fast sink counts the messages of each recipient, in a file; see sink.c."""

    file: Path
    pause: int = 0  # milliseconds before it answers
    address: str = "127.0.0.1"
    inside: Sequence[str] = ()  # the words before a command that runs in another network


def build(folder: Path) -> Path:
    """Compile the fast sink into `folder`, with TLS if the headers of OpenSSL are installed."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("the fast sink needs a C compiler: apt install gcc")
    program = folder / "sink"
    plain = [compiler, "-O2", "-o", str(program), str(SOURCE)]
    with_tls = [*plain, "-DTLS", "-lssl", "-lcrypto"]
    if subprocess.run(with_tls, capture_output=True, check=False).returncode:
        subprocess.run(plain, check=True)
    return program


def certificate(folder: Path) -> Path:
    """Make a self-signed certificate for 127.0.0.1; its key is in the same file."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(chain)]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, *files], check=True, capture_output=True)
    chain.write_bytes(chain.read_bytes() + key.read_bytes())
    return chain


@contextlib.contextmanager
def fast_sink(program: Path, chain: Path | None = None) -> Iterator[Sink]:
    """Run the fast sink; with `chain` (certificate and key in one file) it offers STARTTLS."""
    with _talking([str(program), *([str(chain)] if chain else [])]) as process:
        sink = Sink(_port(process))
        yield sink
        output, _ = process.communicate(timeout=30)
        sink.taken = int(output.split()[0])


@contextlib.contextmanager
def counting_sink(program: Path, how: Counting) -> Iterator[tuple[int, Callable[[], None]]]:
    """Run a fast sink that counts the messages of each recipient.

    Yield its port, and a function that ends its pauses.
    """
    options = ["-a", how.address, "-w", str(how.pause), "-t", str(how.file)]
    with _talking([*how.inside, str(program), *options]) as process:
        yield _port(process), lambda: process.send_signal(signal.SIGUSR1)


@contextlib.contextmanager
def postfix_sink() -> Iterator[Sink]:
    """Run Postfix's smtp-sink, which needs only a port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    as_root = ["-u", "root"] * (os.getuid() == 0)  # without it, smtp-sink does not start as root
    command = [f"{POSTFIX}/smtp-sink", "-4", *as_root, f"127.0.0.1:{port}", "512"]
    process = subprocess.Popen(command)
    try:
        _wait_for(port, process)
        yield Sink(port)
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def delayed(port: int, round_trip: float) -> Iterator[int]:
    """Delay a port by a round trip of so many seconds; yield the port to use instead."""
    command = [sys.executable, "-m", "benchmarks.delay", str(port), str(round_trip)]
    with _talking(command) as process:
        yield _port(process)
        process.communicate(timeout=30)


@contextlib.contextmanager
def _talking(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
    raise SystemExit("smtp-sink did not start")
