"""Send ten thousand sign-ups to a private server: for one address, for many addresses, from many clients.

    python -m benchmarks.signups [COUNT]

Prints the numbers of answers by status, the number of emails, and the memory of the server.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.client import HTTPConnection
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from digest.config.values import WebSettings
from digest.model.run_context import RunContext
from digest.readers.notices import send_notices
from digest.storage.database import open_database
from digest.storage.migrate import migrate
from digest.web.serving import serving
from tests.web.site import hidden, open_site, solved

AT_ONCE = 500  # forms open at a time, because each must be open for two seconds
ROUNDS: tuple[tuple[str, str, str], ...] = (
    ("one address, one client", "eve@example.org", "192.0.2.7"),
    ("different addresses, one client", "reader{}@example.org", "192.0.2.8"),
    ("different addresses, different clients", "friend{}@example.org", "10.{}"),
)


def main() -> None:
    """Run the three rounds, each with a database of its own, and print a line for each."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for name, address, client in ROUNDS:
        with TemporaryDirectory() as folder:
            _round(Path(folder), name, [_caller(number, address, client) for number in range(count)])


def _caller(number: int, address: str, client: str) -> tuple[str, str]:
    network = f"{number // 65_536}.{number // 256 % 256}.{number % 256}"
    return address.format(number), client.format(network)


def _round(folder: Path, name: str, callers: Sequence[tuple[str, str]]) -> None:
    here, there = Pipe()
    server = Process(target=_serve, args=(str(folder), there))
    server.start()
    there.close()
    port: int = here.recv()
    assert server.pid is not None
    visitor = _Visitor(port)
    visitor.sign_up(callers[0][0].replace("@", "+first@"), "192.0.2.1")  # so that everything is loaded
    began, before = time.perf_counter(), _memory(server.pid)
    answers: Counter[int] = Counter()
    seen = [before]
    for at in range(0, len(callers), AT_ONCE):
        answers += visitor.all(callers[at : at + AT_ONCE])
        seen.append(_memory(server.pid))
    seconds = time.perf_counter() - began
    here.send("stop")
    server.join()
    emails = Counter(_recipients(folder))
    quarters = " · ".join(f"{seen[len(seen) * part // 4 - 1]:.0f}" for part in (1, 2, 3, 4))
    print(
        f"{name}: {len(callers):,} in {seconds:.0f} s, answers {dict(answers)}, "
        f"emails {emails.total() - 1:,} to {len(emails) - 1:,} addresses, "
        f"at most {max(emails.values())} each, "
        f"memory {before:.0f} → {quarters} MB",
        flush=True,
    )


def _serve(folder: str, pipe: Connection) -> None:
    """Serve until the other process says stop; the proof of work is cheap, because we do the work."""
    database = open_database(f"sqlite:///{folder}/digest.db")
    migrate(database)
    app = open_site(database, Path(folder)).app
    here = replace(app.config, web=WebSettings(host="127.0.0.1", port=0))
    with serving(replace(app, config=here), proof_cost=1) as port:
        pipe.send(port)
        pipe.recv()
    send_notices(app, RunContext())
    database.close()


class _Visitor:
    """Signs up at a server over one connection."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)

    def sign_up(self, address: str, client: str) -> int:
        """Fetch the form, wait as a person does, and send it."""
        return next(iter(self.all([(address, client)])))

    def all(self, callers: Sequence[tuple[str, str]]) -> Counter[int]:
        """Open the forms of all callers, wait, and send them; return the number of answers by status."""
        forms = [(address, client, self._form(client)) for address, client in callers]
        time.sleep(2.2)  # a form that is sent sooner is only shown again
        return Counter(self._send(address, client, html) for address, client, html in forms)

    def _form(self, client: str) -> str:
        return self._ask("GET", "/signup/daily", client)[1]

    def _send(self, address: str, client: str, html: str) -> int:
        fields = {"address": address, **hidden(html), "proof": solved(html)}
        return self._ask("POST", "/signup", client, urlencode(fields))[0]

    def _ask(self, method: str, path: str, client: str, body: str | None = None) -> tuple[int, str]:
        headers = {"X-Forwarded-For": client, "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()


def _recipients(folder: Path) -> Iterator[str]:
    for path in folder.glob("**/*.eml"):
        with path.open("rb") as file:
            yield next(line.decode().strip() for line in file if line.startswith(b"To: "))


def _memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
