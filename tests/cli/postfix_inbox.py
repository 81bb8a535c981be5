"""A Postfix on loopback that delivers mail to a Maildir, to an alias and to a pipe."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from tests.smtp.real_servers import MASTER_CF, POSTFIX, free_port, need, open_folder, running

USER = "mail"  # the user who delivers mail and owns the publication
_SECONDS = 60
_PYTHONS = (Path(sys.executable).resolve(), Path(f"/usr/bin/python3.{sys.version_info.minor}"))

_MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file_prefixes = {folder}
maillog_file = {folder}/log
myhostname = mail.example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
smtpd_relay_restrictions = reject_unauth_destination
mydestination = alias.example.org
local_recipient_maps =
recipient_delimiter = +
alias_maps = hash:{folder}/aliases
virtual_mailbox_domains = kept.example.org
virtual_mailbox_base = {folder}
virtual_mailbox_maps = static:Maildir/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
relay_domains = pipe.example.org
transport_maps = inline:{{ {{ pipe.example.org = receive: }} }}
"""
_OWN_SERVICES = """\
bounce unix - - n - 0 bounce
error unix - - n - - error
local unix - n n - - local
virtual unix - n n - - virtual
receive unix - n n - - pipe
  user={user} argv={folder}/receive
"""
_SCRIPT = """#!/bin/sh
PYTHONPATH={path}
export PYTHONPATH
exec {python} -c 'from digest.cli import program; program()' --config {site}/config.toml receive
"""


@dataclass(frozen=True, slots=True)
class Inbox:
    """A running Postfix, which delivers to a Maildir at kept. and to `digest receive` at alias. and pipe.

    No other address at alias. exists: Postfix accepts mail for it and writes a bounce.
    """

    folder: Path
    port: int

    @property
    def site(self) -> Path:
        """Return the folder of the publication, which belongs to USER once `hand_over` is called."""
        return self.folder / "site"

    @property
    def maildir(self) -> Path:
        """Return where mail to leave@kept.example.org arrives."""
        return self.folder / "Maildir"

    def hand_over(self) -> None:
        """Make USER the owner of the publication."""
        for path in (self.site, *self.site.rglob("*")):
            shutil.chown(path, USER, USER)

    def take(self, mail: EmailMessage) -> str:
        """Send a message, and return its status: "sent", "deferred" or "bounced"."""
        before = len(self._tried())
        with smtplib.SMTP("127.0.0.1", self.port, timeout=_SECONDS) as connection:
            connection.send_message(mail)
        self.until(lambda: len(self._tried()) > before)
        return self._tried()[-1]

    def until(self, done: Callable[[], bool]) -> None:
        """Wait until `done()` is true; a failure shows the log of Postfix."""
        until, pause = time.monotonic() + _SECONDS, threading.Event()
        while not done():
            assert time.monotonic() < until, self._log()
            pause.wait(0.05)

    def _tried(self) -> list[str]:
        return re.findall(r" status=(\w+)", self._log())

    def _log(self) -> str:
        log = self.folder / "log"
        return log.read_text(errors="replace") if log.exists() else ""


@contextlib.contextmanager
def open_inbox() -> Iterator[Inbox]:
    """Run a Postfix that receives our mail while the block runs."""
    need(POSTFIX, "postfix")
    with open_folder() as folder:
        inbox = Inbox(folder, free_port())
        user = pwd.getpwnam(USER)
        _write(inbox, uid=user.pw_uid, gid=user.pw_gid)
        with running([POSTFIX, "-c", str(folder / "etc"), "start-fg"], inbox.port):
            yield inbox


def _write(inbox: Inbox, *, uid: int, gid: int) -> None:
    folder, values = inbox.folder, {"folder": inbox.folder, "uid": uid, "gid": gid}
    for name in ("etc", "queue", "data", "site", "Maildir"):
        (folder / name).mkdir()
    (folder / "etc/main.cf").write_text(_MAIN_CF.format(**values))
    master = MASTER_CF.replace("bounce unix - - n - 0 discard\n", "") + _OWN_SERVICES
    (folder / "etc/master.cf").write_text(master.format(folder=folder, user=USER, port=inbox.port))
    shutil.chown(folder / "data", "postfix")
    shutil.chown(folder / "Maildir", USER, USER)
    script = folder / "receive"
    modules = os.pathsep.join(part for part in sys.path if part)
    script.write_text(_SCRIPT.format(path=modules, python=_python(), site=inbox.site))
    script.chmod(0o755)
    aliases = folder / "aliases"
    aliases.write_text(f'leave: "|{script}"\n')
    subprocess.run(["postalias", "-c", folder / "etc", f"hash:{aliases}"], check=True)
    for path in (aliases, folder / "aliases.db"):
        shutil.chown(path, USER, USER)  # commands of an alias run as the owner of its file


def _python() -> Path:
    """Return a Python of this version that USER may run, because the home of this one may be closed."""
    for python in filter(_reachable, _PYTHONS):
        if subprocess.run([python, "-c", ""], user=USER, capture_output=True, check=False).returncode == 0:
            return python
    raise AssertionError(f"{USER} may run none of {', '.join(map(str, _PYTHONS))}: install python3")


def _reachable(path: Path) -> bool:
    return path.exists() and all(parent.stat().st_mode & 0o001 for parent in path.parents)
