"""Run private instances of real mail servers, on loopback and in their own folders; they deliver nothing."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import socket
import socketserver
import subprocess
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from digest.model.messages import Security, SmtpServer
from tests.certificates import Certificates

POSTFIX = "/usr/sbin/postfix"
EXIM = "/opt/exim/usr/sbin/exim4"  # a place where it does not replace Postfix
USER, PASSWORD = "daily", "tide and time"
_SECONDS = 30

_MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file_prefixes = {folder}
maillog_file = {folder}/log
myhostname = mail.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
default_transport = discard
relay_transport = discard
smtpd_client_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access regexp:{folder}/unknown
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_tls_chain_files = {folder}/chain.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{login_port}
smtpd_discard_ehlo_keywords = {silent}
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
"""
MASTER_CF = """
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 discard
defer unix - - n - 0 discard
trace unix - - n - 0 discard
proxymap unix - - n - - proxymap
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_EXIM_CONF = """
exim_user = {user}
exim_group = {user}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
log_selector = +received_recipients
queue_only = true
primary_hostname = mail.example.org
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
host_lookup =
rfc1413_query_timeout = 0s
chunking_advertise_hosts = *
pipelining_advertise_hosts = *
smtp_accept_max = 0
smtp_accept_max_per_connection = 100000
tls_advertise_hosts = *
tls_certificate = {folder}/chain.pem
acl_smtp_mail = only_known
acl_smtp_rcpt = only_known
begin acl
only_known:
  deny !authenticated = *
       message = log in first
  deny condition = ${{if match{{$local_part}}{{5\\$}}}}
       message = no such user
  accept
begin routers
nowhere:
  driver = redirect
  data = :blackhole:
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{daily}}}}{{eq{{$auth3}}{{tide and time}}}}}}}}
  server_set_id = $auth2
"""


@dataclass(frozen=True, slots=True)
class RealServer:
    """The port of a real server, and its log, which lists the messages that it took."""

    server: SmtpServer
    log: Path
    taken: re.Pattern[str]  # finds the recipient of a taken message

    def recipients(self, at_least: int = 0) -> Counter[str]:
        """Count the messages that were taken, by recipient; wait a while for `at_least` so many."""
        until, pause = time.monotonic() + _SECONDS, threading.Event()
        while (found := self._found()).total() < at_least and time.monotonic() < until:
            pause.wait(0.05)
        return found

    def _found(self) -> Counter[str]:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return Counter(self.taken.findall(text))


@contextlib.contextmanager
def postfix(certificates: Certificates, *, silent: str = "") -> Iterator[RealServer]:
    """Run a Postfix of its own: smtpd with TLS and AUTH, and everything it takes is discarded.

    `silent` names the extensions it does not offer.
    """
    need(POSTFIX, "postfix")
    with open_folder() as folder, _logins() as login_port:
        port = free_port()
        shutil.copy(certificates.chain, folder / "chain.pem")
        (folder / "etc").mkdir()
        values = {"folder": folder, "login_port": login_port, "silent": silent}
        (folder / "etc/main.cf").write_text(_MAIN_CF.format(**values))
        (folder / "unknown").write_text("/5@/ REJECT no such user")
        (folder / "etc/master.cf").write_text(MASTER_CF.format(port=port))
        for name in ("queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        command = [POSTFIX, "-c", str(folder / "etc"), "start-fg"]
        with running(command, port):
            taken = re.compile(r"to=<([^>]+)>.* status=sent")
            yield RealServer(_server(port, certificates), folder / "log", taken)


@contextlib.contextmanager
def exim(certificates: Certificates) -> Iterator[RealServer]:
    """Run an Exim of its own, with TLS, AUTH, PIPELINING and CHUNKING; everything it takes is blackholed."""
    need(EXIM, "exim4-daemon-light, unpacked beside Postfix: .ci/components does it")
    with open_folder() as folder:
        port = free_port()
        shutil.copy(certificates.chain, folder / "chain.pem")
        values = {"folder": folder, "port": port, "user": "mail"}
        (folder / "exim.conf").write_text(_EXIM_CONF.format(**values))
        for path in (folder, folder / "chain.pem"):
            shutil.chown(path, "mail")
        with running([EXIM, "-bdf", "-C", str(folder / "exim.conf")], port):
            taken = re.compile(r" <= .* for (\S+)$", re.MULTILINE)
            yield RealServer(_server(port, certificates), folder / "mainlog", taken)


def free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _server(port: int, certificates: Certificates) -> SmtpServer:
    return SmtpServer(
        host="127.0.0.1",
        port=port,
        security=Security.STARTTLS,
        ca_file=certificates.ca_file,
        user=USER,
        password=PASSWORD,
        connections=3,
        timeout=20,
    )


def need(program: str, package: str) -> None:
    """Fail with instructions if a server is missing or may not be started."""
    assert Path(program).exists(), f"{program} is missing: install {package}"
    assert os.getuid() == 0, f"{program} starts as root only: run the tests as root, in a container"


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that the servers' own users may enter; they may not enter pytest's folders."""
    with TemporaryDirectory(prefix="mail-server-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the block ends; it listens at `port` when the block begins."""
    libraries = {"LD_LIBRARY_PATH": f"/opt/exim/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"}
    with subprocess.Popen(
        command, env=os.environ | libraries, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            _wait_for(port, process)
            yield
        finally:
            process.terminate()
            process.wait(_SECONDS)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
    assert process.stdout
    raise AssertionError(process.stdout.read().decode(errors="replace"))


# ── what Postfix asks about passwords, in the words of Dovecot's authentication protocol ────


class _Dovecot(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        hello = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n"
        self.wfile.write(hello.encode())
        for line in self.rfile:
            word, *rest = line.decode().rstrip("\n").split("\t")
            if word == "AUTH":
                self.wfile.write(self._judged(rest).encode())

    @staticmethod
    def _judged(parts: list[str]) -> str:
        response = next(part for part in parts if part.startswith("resp=")).removeprefix("resp=")
        fine = base64.b64decode(response).decode() == f"\0{USER}\0{PASSWORD}"
        return f"{'OK' if fine else 'FAIL'}\t{parts[0]}\tuser={USER}\n"


class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def _logins() -> Iterator[int]:
    with _Threads(("127.0.0.1", 0), _Dovecot) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
