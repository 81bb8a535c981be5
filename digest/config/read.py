"""Read config.toml into frozen values, or report everything that is wrong with it at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from digest.config.brand import read_brand
from digest.config.build import Outside, build
from digest.config.lines import Path as Path_
from digest.config.lines import line_of, places
from digest.config.settings import settings
from digest.config.shape import RootShape
from digest.config.validate import Fault, Raw, faults
from digest.config.values import Config
from digest.model.errors import ConfigError, Problem

DATABASE_URL = "DIGEST_DATABASE_URL"
SMTP_PASSWORD = "DIGEST_SMTP_PASSWORD"
SECRET = "DIGEST_SECRET"
API_TOKEN = "DIGEST_API_TOKEN"
OIDC_SECRET = "DIGEST_OIDC_SECRET"

_SECRET_LENGTH = 32  # characters; a shorter secret can be guessed

# A recipe shows a table that the sample has already, so this mistake is common.
_TWICE = re.compile(r"Cannot declare (\(.*\)) twice")


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read the configuration at `path`; secrets and the database's URL may come from `environ`.

    Paths written in it are relative to its folder. Raises ConfigError with every problem found. A missing
    password of a mail server is kept in `mail.missing_passwords`, because only sending needs it.
    """
    text = _text(path)
    raw = _parse(text, path)
    found = places(text)
    wrong = faults(raw)
    mail = raw.get("mail")
    passwords, missing = _passwords(mail if isinstance(mail, dict) else {}, path.absolute().parent, environ)
    oidc_secret, lacking = _oidc_secret(raw.get("staff"), path.absolute().parent, environ)
    wrong += lacking + _engine(raw, environ)
    brand = read_brand(raw, path.absolute().parent)
    wrong += brand.faults
    problems = [_problem(path, line_of(found, where), where, message) for where, message in wrong]
    problems += _variables(environ)
    if problems:
        raise ConfigError(tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.key))))
    shape = RootShape.model_validate(raw)
    outside = Outside(
        database_url=environ.get(DATABASE_URL) or None,
        passwords=passwords,
        missing_passwords=tuple(
            _problem(path, line_of(found, where), where, message) for where, message in missing
        ),
        brand=brand,
        secret=environ[SECRET].encode() if environ.get(SECRET) else None,
        api_token=environ[API_TOKEN].encode() if environ.get(API_TOKEN) else None,
        oidc_secret=oidc_secret,
    )
    variables = {key: name for name, key in _SHOWN.items() if environ.get(name)}
    return build(shape, path.absolute(), outside, settings(shape, found, path=path, variables=variables))


def _engine(raw: Raw, environ: Mapping[str, str]) -> list[Fault]:
    """Return the fault of an engine that the database cannot serve."""
    jobs, database = raw.get("jobs"), raw.get("database")
    url = (
        environ.get(DATABASE_URL)
        or (database.get("url") if isinstance(database, dict) else None)
        or "sqlite:"
    )
    wanted = jobs.get("engine") if isinstance(jobs, dict) else None
    if wanted != "procrastinate" or not isinstance(url, str) or not url.startswith("sqlite:"):
        return []
    advice = 'set database.url to a postgresql:// address, or engine to "none"'
    return [(("jobs", "engine"), f"needs PostgreSQL, because several processes share its jobs: {advice}")]


_SHOWN = {
    DATABASE_URL: "database.url",
    SMTP_PASSWORD: "mail.password",
    SECRET: "site.secret",
    API_TOKEN: "web.api_token",
    OIDC_SECRET: "staff.oidc_secret",
}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError((_problem(path, None, (), "is not UTF-8 text"),)) from error
    except FileNotFoundError as error:
        advice = "there is no such file; `digest init` writes a sample"
        raise ConfigError((_problem(path, None, (), advice),)) from error
    except OSError as error:
        raise ConfigError((_problem(path, None, (), f"cannot be read: {error.strerror}"),)) from error


def _parse(text: str, path: Path) -> Raw:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = re.search(r" \(at line (\d+), column \d+\)$", message)
        line = int(place[1]) if place else text.count("\n") + 1
        reason = _in_words(message[: place.start()] if place else message)
        raise ConfigError((_problem(path, line, (), reason),)) from error


def _in_words(message: str) -> str:
    """Return an error of the TOML parser for an operator."""
    if twice := _TWICE.match(message):
        table = ".".join(re.findall(r"'([^']*)'", twice[1]))
        return f"the table [{table}] is in this file already; put all its keys there"
    return f"is not valid TOML: {message}"


def _passwords(
    mail: Raw, folder: Path, environ: Mapping[str, str]
) -> tuple[tuple[str | None, ...], list[Fault]]:
    """Return the password of each mail server, from its file or else from the environment."""
    servers = mail.get("server")
    tables: list[tuple[Path_, Raw]] = [(("mail",), mail)]
    if isinstance(servers, list) and servers:
        rows = enumerate(each if isinstance(each, dict) else {} for each in servers)
        tables = [(("mail", "server", index), row) for index, row in rows]
    if mail.get("transport") != "smtp":
        return (None,) * len(tables), []
    found = [_password(place, table, folder, environ) for place, table in tables]
    return tuple(password for password, _ in found), [fault for _, faults in found for fault in faults]


def _password(
    place: Path_, server: Raw, folder: Path, environ: Mapping[str, str]
) -> tuple[str | None, list[Fault]]:
    name = server.get("password_file")
    if environ.get(SMTP_PASSWORD) and (len(place) == 1 or name is None):
        return environ[SMTP_PASSWORD], []
    if not isinstance(name, str):
        return None, _no_password(place, server)
    where = (*place, "password_file")
    try:
        password = (folder / name).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        return None, [(where, f"{name!r} cannot be read: {reason}; {_INSTEAD}")]
    return password or None, [] if password else [(where, f"{name!r} is empty; {_INSTEAD}")]


_INSTEAD = f"correct 'password_file', or remove it and set the variable {SMTP_PASSWORD}"


def _no_password(place: Path_, server: Raw) -> list[Fault]:
    if isinstance(server.get("user"), str):
        return [
            ((*place, "user"), f"there is no password: set 'password_file', or the variable {SMTP_PASSWORD}")
        ]
    return []


def _oidc_secret(staff: object, folder: Path, environ: Mapping[str, str]) -> tuple[str, list[Fault]]:
    """Return the secret that the provider knows us by, from its file or else from the environment."""
    if not isinstance(staff, dict) or not isinstance(staff.get("oidc_issuer"), str):
        return "", []
    name, instead = staff.get("oidc_secret_file"), f"or set the variable {OIDC_SECRET}"
    if environ.get(OIDC_SECRET):
        return environ[OIDC_SECRET], []
    if not isinstance(name, str):
        return "", [(("staff", "oidc_issuer"), f"there is no secret: set 'oidc_secret_file', {instead}")]
    where = ("staff", "oidc_secret_file")
    try:
        secret = (folder / name).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        return "", [(where, f"{name!r} cannot be read: {reason}; correct it, {instead}")]
    return secret, [] if secret else [(where, f"{name!r} is empty; correct it, {instead}")]


def _variables(environ: Mapping[str, str]) -> list[Problem]:
    """Find mistakes in the environment variables; their values are never shown."""
    problems = []
    url = environ.get(DATABASE_URL)
    if url and not re.match(r"sqlite://|postgresql://", url):
        problems.append((DATABASE_URL, "must begin with sqlite:// or postgresql://"))
    short = [name for name in (SECRET, API_TOKEN) if 0 < len(environ.get(name, "")) < _SECRET_LENGTH]
    problems += [(name, f"must have at least {_SECRET_LENGTH} characters") for name in short]
    return [Problem(file="environment", line=None, key=key, message=message) for key, message in problems]


def _problem(path: Path, line: int | None, where: tuple[str | int, ...], message: str) -> Problem:
    key = ".".join(part for part in where if isinstance(part, str))
    return Problem(file=str(path), line=line, key=key, message=message)
