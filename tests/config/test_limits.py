from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from digest.config import load
from digest.limits.limits import Limit, Limits, Unit, WarmUp
from digest.model.errors import ConfigError

BEGIN = """\
[site]
name = "Harbour Digest"
base_url = "https://digest.example.org"
postal_address = "1 Quay Street, Port Ellery"

[[digest]]
slug = "daily"
title = "Daily"
schedule = "weekdays at 07:00"
from = "Harbour <daily@digest.example.org>"

[mail]
transport = "smtp"
host = "smtp.example.org"
"""
GOOD = """\
limits = ["100 per second", "20_000/day"]

[[mail.domain]]
names = ["Gmail.com", "googlemail.com"]
limits = ["10 a second"]

[[mail.domain]]
names = ["bücher.example.org"]
warm_up = [200, 400]
warm_up_from = 2026-11-23
"""


def limits(folder: Path, text: str) -> Limits:
    path = folder / "config.toml"
    path.write_text(BEGIN + text, encoding="utf-8")
    return load(path, {}).mail.limits


def test_limits_are_read_for_the_server_and_for_groups_of_domains(tmp_path: Path) -> None:
    found = limits(tmp_path, GOOD)
    assert found.server.scope == "server smtp.example.org"
    assert found.server.limits == (Limit(100, Unit.SECOND), Limit(20_000, Unit.DAY))
    gmail, books = found.domains
    assert (gmail.scope, gmail.names) == ("domain gmail.com", ("gmail.com", "googlemail.com"))
    assert gmail.limits == (Limit(10, Unit.SECOND),)
    assert books.names == ("xn--bcher-kva.example.org",)
    assert books.warm_up == WarmUp(date(2026, 11, 23), (200, 400))


def test_without_limits_nothing_is_limited(tmp_path: Path) -> None:
    assert limits(tmp_path, "").scopes == ()


def test_each_limit_has_its_source(tmp_path: Path) -> None:
    limits(tmp_path, GOOD)
    settings = {each.key: each for each in load(tmp_path / "config.toml", {}).settings}
    assert settings["mail.limits"].value == '["100 per second", "20000 per day"]'
    assert settings["mail.domain[2].warm_up_from"].value == "2026-11-23"
    assert settings["mail.domain[2].warm_up_from"].source == f"config.toml:{BEGIN.count(chr(10)) + 10}"


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ('limits = ["fast"]', 1, "mail.limits", 'examples: "100 per second"'),
        ('limits = "9 per day"', 1, "mail.limits", "must be a list"),
        ('limits = ["9 per week"]', 1, "mail.limits", "'week' must be second, minute, hour or day"),
        ('limits = [\n"9 per day",\n"8/d"]', 3, "mail.limits", "there is another limit per day"),
        ("warm_up = [200]", 1, "mail.warm_up", "warm_up_from = 2026-11-23"),
        ("warm_up = [0]", 1, "mail.warm_up", "must be at least 1"),
        ("warm_up_from = 2026-11-23", 1, "mail.warm_up_from", "warm_up = [200, 400, 800]"),
        ('warm_up = [2]\nwarm_up_from = "today"', 2, "mail.warm_up_from", "without quotes: 2026-11-23"),
        ("warm_up = [2]\nwarm_up_from = 2026-11-23T07:00:00", 2, "mail.warm_up_from", "must be a date"),
        ("[[mail.domain]]\nlimits = ['9/s']", 1, "mail.domain.names", "'names' is missing"),
        ("[[mail.domain]]\nnames = []\nlimits = ['9/s']", 2, "mail.domain.names", "is empty"),
        ("[[mail.domain]]\nnames = ['a@b.org']\nlimits = ['9/s']", 2, "mail.domain.names", "after the @"),
        ("[[mail.domain]]\nnames = ['b.org']", 1, "mail.domain", "set 'limits' or 'warm_up', or remove"),
        ("[[mail.domain]]\nname = 'b.org'", 2, "mail.domain.name", "did you mean 'names'?"),
        ("[mail.domain]\nnames = ['b.org']", 1, "mail.domain", "write [[mail.domain]] with double brackets"),
        (
            "domain = [{names=['b.org'], limits=['9/s']},\n{names=['B.ORG'], limits=['8/s']}]",
            2,
            "mail.domain.names",
            "'B.ORG' is already in a [[mail.domain]]",
        ),
    ],
)
def test_a_wrong_limit_is_reported_with_its_line_and_what_to_write(
    tmp_path: Path, text: str, line: int, key: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        limits(tmp_path, text)
    found = [each for each in caught.value.problems if each.key == key and said in each.message]
    assert found, str(caught.value)
    assert found[0].line == BEGIN.count("\n") + line
