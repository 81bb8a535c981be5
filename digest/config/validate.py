"""Find everything that is wrong in a parsed config.toml, and describe it in plain words.

A fault is the path of a key and one sentence. Both the shape and the references are checked on the raw
values, so that one mistake does not hide another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from digest.config.brand import brand_faults
from digest.config.lines import Path
from digest.config.parsers import duration
from digest.config.shape import RootShape, ServerShape, keys, table_of, tables
from digest.limits.limits import domain_of, parse_limit
from digest.model.errors import hint
from digest.render.preflight.rules import cannot_be_off
from digest.render.templates import check_line

Fault = tuple[Path, str]
Raw = dict[str, Any]

_PLAIN = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "date_type": "must be a date without quotes: 2026-11-23",
    "too_short": "is empty",
    "dict_type": 'must be a table: { name = "value" }',
}


def faults(raw: Raw) -> list[Fault]:
    """Return every fault in the values of a config.toml, in no special order."""
    references = (_repeats, _references, _feeds, _digests, _mail, _mail_limits, _staff, _preflight)
    rules = (_shape, *references, brand_faults)
    return [fault for rule in rules for fault in rule(raw)]


# ── single keys ─────────────────────────────────────────────────────────────────────────────


def _shape(raw: Raw) -> Iterator[Fault]:
    try:
        RootShape.model_validate(raw)
    except ValidationError as error:
        for detail in error.errors():
            yield detail["loc"], _message(detail)


def _message(detail: ErrorDetails) -> str:
    kind, path, context = detail["type"], detail["loc"], detail.get("ctx", {})
    name = str(path[-1])
    special: dict[str, Callable[[], str]] = {
        "extra_forbidden": lambda: f"unknown key {name!r}{hint(name, _known(path[:-1]))}",
        "missing": lambda: f"[{name}] is missing" if len(path) == 1 else f"{name!r} is missing",
        "literal_error": lambda: _none_of(detail["input"], context["expected"]),
        "list_type": lambda: _not_a_list(path, detail["input"]),
        "model_type": lambda: _not_a_table(path, detail["input"]),
        "value_error": lambda: str(context["error"]),
        "greater_than_equal": lambda: f"must be at least {context['ge']}",
        "less_than_equal": lambda: f"must be at most {context['le']}",
    }
    return special[kind]() if kind in special else _PLAIN.get(kind, detail["msg"])


def _known(table: Path) -> list[str]:
    if not table:
        return list(tables())
    shape, *names = (str(part) for part in table if isinstance(part, str))
    found = tables()[shape]
    for name in names:
        found = table_of(found.model_fields[keys(found)[name]].annotation)
    return list(keys(found))


def _none_of(value: object, expected: str) -> str:
    words = expected.replace(" or ", ", ").replace("'", "").split(", ")
    close = hint(str(value), words)
    return f"must be {expected}, not {value!r}" + (close if "did you mean" in close else "")


def _not_a_list(path: Path, value: object) -> str:
    if isinstance(value, dict) and all(isinstance(part, str) for part in path):
        return f"write [[{'.'.join(map(str, path))}]] with double brackets, once for each {path[-1]}"
    return 'must be a list: ["one", "two"]'


def _not_a_table(path: Path, value: object) -> str:
    if path[-1] == "gather":
        return 'must be a table: gather = { weekly = "mondays at 08:00" }'
    if path[-1] == "sponsor":
        return "must be a table: [digest.sponsor], with 'name', 'text' and 'url'"
    if isinstance(value, list):
        return f"write [{path[0]}] once, with single brackets"
    return f"must be a table: [{path[0]}]"


# ── keys that refer to each other ───────────────────────────────────────────────────────────


def _repeats(raw: Raw) -> Iterator[Fault]:
    for table, key in (
        ("feed", "name"),
        ("feed", "url"),
        ("feed", "path"),
        ("topic", "slug"),
        ("digest", "slug"),
    ):
        seen: set[str] = set()
        for index, value in _values(raw, table, key):
            if value in seen:
                yield (table, index, key), f"{value!r} is already used by another [[{table}]]"
            seen.add(value)


def _references(raw: Raw) -> Iterator[Fault]:
    names = {"feed": _names(raw, "feed", "name"), "topic": _names(raw, "topic", "slug")}
    for table, key, target in (
        ("feed", "topics", "topic"),
        ("topic", "feeds", "feed"),
        ("digest", "feeds", "feed"),
        ("digest", "topics", "topic"),
    ):
        for index, row in _rows(raw, table):
            for place, value in enumerate(_list(row.get(key))):
                if not isinstance(value, str) or value in names[target]:
                    continue
                near = hint(value, names[target])
                if (table, key) == ("feed", "topics") and _may_name_a_section(raw, row):
                    if "did you mean" not in near:
                        continue
                    near += " Otherwise choose a name that is less like it"
                yield (table, index, key, place), f"there is no [[{target}]] {value!r}{near}"


def _may_name_a_section(raw: Raw, feed: Raw) -> bool:
    """Return whether a feed's topic may have any name, because a digest without topics takes the feed."""
    free = [row for _, row in _rows(raw, "digest") if not row.get("topics")]
    return any(not row.get("feeds") or feed.get("name") in _list(row.get("feeds")) for row in free)


def _feeds(raw: Raw) -> Iterator[Fault]:
    for index, row in _rows(raw, "feed"):
        if "url" in row and "path" in row:
            yield ("feed", index, "path"), "there is also a 'url': keep only one of them"
        if "url" not in row and "path" not in row:
            yield ("feed", index), "set 'url', or 'path' for a file"
        if "source" in row and "path" in row:
            yield ("feed", index, "source"), "a 'path' has no source: remove this key"
        if "link" in row and "path" not in row:
            yield ("feed", index, "link"), "this key is for a 'path' that is a folder"


def _digests(raw: Raw) -> Iterator[Fault]:
    if not _list(raw.get("digest")) and not isinstance(raw.get("digest"), dict):
        yield ("digest",), "there is no [[digest]]: add at least one"
    for index, row in _rows(raw, "digest"):
        minimum, maximum = row.get("minimum", 1), row.get("maximum", 30)
        if isinstance(minimum, int) and isinstance(maximum, int) and minimum > maximum:
            key = "minimum" if "minimum" in row else "maximum"
            yield ("digest", index, key), f"minimum {minimum} is greater than maximum {maximum}"
        yield from _head_start(("digest", index, "head_start"), row, raw)
        for key in ("subject", "preheader"):
            if isinstance(row.get(key), str) and (wrong := check_line(row[key])):
                yield ("digest", index, key), wrong


def _head_start(place: Path, row: Raw, raw: Raw) -> Iterator[Fault]:
    """Yield what is wrong with a head start; what is not a length of time is reported already."""
    if "head_start" not in row:
        return
    with suppress(ValueError):
        ahead, cutoff = duration(row["head_start"]), duration(row.get("cutoff", "30m"))
        if ahead >= cutoff:
            yield place, f"must be shorter than the cutoff, {row.get('cutoff', '30m')} before the send time"
    staff = raw.get("staff")
    if not (isinstance(staff, dict) and staff.get("url")):
        yield place, "there is no [staff] with a 'url', so nobody would get a copy before the readers"


def _mail(raw: Raw) -> Iterator[Fault]:
    mail = raw.get("mail")
    if isinstance(mail, dict):
        servers = list(_rows(mail, "server"))
        if mail.get("transport") == "smtp" and "host" not in mail and not servers:
            yield ("mail",), "transport is 'smtp', but 'host' is missing"
        for key in keys(ServerShape) if servers else ():
            if key in mail:
                yield ("mail", key), f"there are [[mail.server]] tables: move {key!r} into each of them"
        yield from _server(("mail",), mail)
        for index, server in servers:
            yield from _server(("mail", "server", index), server)
            if "weight" not in server and any("weight" in other for _, other in servers):
                yield ("mail", "server", index), "set 'weight' in every [[mail.server]], or in none"


def _server(place: Path, server: Raw) -> Iterator[Fault]:
    if "password_file" in server and "user" not in server:
        yield (*place, "password_file"), "there is a password, but no 'user'"
    if server.get("require_tls") is True and server.get("security") == "none":
        yield (*place, "require_tls"), 'requires security = "starttls" or "tls"'


def _mail_limits(raw: Raw) -> Iterator[Fault]:
    mail = raw.get("mail")
    if not isinstance(mail, dict):
        return
    yield from _limits(mail, ("mail",))
    taken: set[str] = set()
    for index, group in _rows(mail, "domain"):
        place: Path = ("mail", "domain", index)
        yield from _limits(group, place)
        if not {"limits", "warm_up"} & group.keys():
            yield place, "set 'limits' or 'warm_up', or remove this [[mail.domain]]"
        for number, name in enumerate(_list(group.get("names"))):
            if isinstance(name, str) and domain_of(name) in taken:
                yield (*place, "names", number), f"{name!r} is already in a [[mail.domain]]"
            taken.add(domain_of(str(name)))


# The first parts of the paths of readers' pages.
_TAKEN = frozenset(
    {"api", "brand", "c", "d", "hub", "m", "p", "pictures", "robots.txt", "signup", "sitemap.xml", "static"}
    | {"u", "undo"}
)


_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _staff(raw: Raw) -> Iterator[Fault]:
    staff, site = raw.get("staff"), raw.get("site")
    if not isinstance(staff, dict) or not isinstance(site, dict):
        return
    url, base = staff.get("url"), site.get("base_url")
    if not isinstance(url, str) or not isinstance(base, str):
        return
    own, readers = urlsplit(url.rstrip("/").lower()), urlsplit(base.rstrip("/").lower())
    if own.netloc == readers.netloc:
        path = own.path.removeprefix(readers.path).strip("/")
        if not path:
            advice = f"{base.rstrip('/')}/team, or another host"
            yield (
                ("staff", "url"),
                f"is the address of the readers' pages; the staff's need one of their own: {advice}",
            )
        elif path.split("/")[0] in _TAKEN:
            yield (
                ("staff", "url"),
                f"/{path.split('/')[0]} belongs to the readers' pages; choose another path",
            )
    yield from _oidc(staff)
    if own.scheme == "http" and own.hostname not in _LOOPBACK:
        yield ("staff", "url"), "must begin with https://, because passwords and cookies are sent there"


def _oidc(staff: Raw) -> Iterator[Fault]:
    for key, other in (("oidc_issuer", "oidc_client"), ("oidc_client", "oidc_issuer")):
        if key in staff and other not in staff:
            yield ("staff", key), f"also set {other!r}"
    issuer = staff.get("oidc_issuer")
    parts = urlsplit(issuer) if isinstance(issuer, str) else None
    if parts and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        yield ("staff", "oidc_issuer"), "must begin with https://, because the staff signs in there"


def _limits(table: Raw, place: Path) -> Iterator[Fault]:
    units: set[str] = set()
    for number, text in enumerate(_list(table.get("limits"))):
        with suppress(ValueError):  # this fault is reported already
            unit = parse_limit(str(text)).unit
            if unit in units:
                yield (*place, "limits", number), f"there is another limit per {unit}: keep only one of them"
            units.add(unit)
    if "warm_up" in table and "warm_up_from" not in table:
        yield (*place, "warm_up"), "also set the date of the first number: warm_up_from = 2026-11-23"
    if "warm_up_from" in table and not table.get("warm_up"):
        yield (
            (*place, "warm_up_from"),
            "also set the number of messages for each day: warm_up = [200, 400, 800]",
        )


def _preflight(raw: Raw) -> Iterator[Fault]:
    table = raw.get("preflight")
    off = table.get("off") if isinstance(table, dict) else None
    for name in off if isinstance(off, dict) else ():
        if why := cannot_be_off(name):
            yield ("preflight", "off", name), why


def _rows(raw: Raw, table: str) -> Iterator[tuple[int, Raw]]:
    for index, row in enumerate(_list(raw.get(table))):
        if isinstance(row, dict):
            yield index, row


def _values(raw: Raw, table: str, key: str) -> Iterator[tuple[int, str]]:
    for index, row in _rows(raw, table):
        if isinstance(value := row.get(key), str):
            yield index, value.strip()


def _names(raw: Raw, table: str, key: str) -> list[str]:
    return [value for _, value in _values(raw, table, key)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
