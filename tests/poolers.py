"""Start a real PgBouncer in front of a database."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from sqlalchemy import make_url

_PROGRAM = "/usr/sbin/pgbouncer"
_CONFIG = """
[databases]
* = host={server} user={user}
[pgbouncer]
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
pool_mode = {mode}
server_round_robin = {in_turn:d}
"""


@contextmanager
def pooled(url: str, mode: str, *, in_turn: bool = False) -> Iterator[str]:
    """Yield the URL of the same database behind a pooler; its sessions may be used `in_turn`."""
    database = make_url(url)
    server, user = str(database.query["host"]), database.username
    with TemporaryDirectory(prefix="pooler-", dir="/tmp") as folder:
        config = Path(folder, "pgbouncer.ini")
        config.write_text(_CONFIG.format(server=server, user=user, folder=folder, mode=mode, in_turn=in_turn))
        Path(folder).chmod(0o777)
        owner = Path(server).stat().st_uid  # who may use the server's socket; a pooler refuses to be root
        process = subprocess.Popen(
            [_PROGRAM, "-q", str(config)], user=None if owner == os.getuid() else owner
        )
        try:
            end = monotonic() + 20
            while not Path(folder, ".s.PGSQL.6432").exists():
                assert monotonic() < end, "the pooler has not started within 20 seconds"
                sleep(0.02)
            yield f"postgresql://{user}@/{database.database}?host={folder}&port=6432"
        finally:
            process.terminate()
            process.wait()
