"""Where the staff's pages may answer, and how a provider is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.config import load
from digest.config.values import OidcSettings
from tests.config.test_read import GOOD, problems, written

URL = 'url = "https://desk.example.org"'


def staff(*lines: str) -> str:
    return GOOD + "\n".join(("\n[staff]", *lines, ""))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://digest.example.org", "the staff's need one of their own"),
        ("https://DIGEST.example.org/", "the staff's need one of their own"),
        ("https://digest.example.org/static/team", "/static belongs to the readers' pages"),
        ("https://digest.example.org/d", "/d belongs to the readers' pages"),
        ("http://desk.example.org", "must begin with https://"),
        ("desk.example.org", "web address"),
    ],
)
def test_an_address_that_would_not_be_safe_is_refused(tmp_path: Path, url: str, said: str) -> None:
    [problem] = problems(tmp_path, staff(f'url = "{url}"'))
    assert problem.key == "staff.url"
    assert said in problem.message


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://desk.example.org", "desk.example.org", ""),
        ("https://Digest.example.org/team/", "digest.example.org", "/team"),
        ("http://127.0.0.1:8000/team", "127.0.0.1:8000", "/team"),
    ],
)
def test_the_address_has_a_host_and_a_path(tmp_path: Path, url: str, host: str, path: str) -> None:
    settings = load(written(tmp_path, staff(f'url = "{url}"')), {}).staff
    assert settings is not None
    assert (settings.host, settings.path, settings.oidc) == (host, path, None)


def test_a_provider_is_read_with_its_secret_which_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n", encoding="utf-8")
    lines = (URL, 'oidc_issuer = "https://login.example.org"', 'oidc_client = "newsletter"')
    known = OidcSettings(issuer="https://login.example.org", client="newsletter", secret="hush")
    by_file = load(written(tmp_path, staff(*lines, 'oidc_secret_file = "secret"')), {})
    by_variable = load(written(tmp_path, staff(*lines)), {"DIGEST_OIDC_SECRET": "hush"})
    for config in (by_file, by_variable):
        assert config.staff is not None
        assert config.staff.oidc == known
        assert "hush" not in repr(config) + repr(config.settings)


@pytest.mark.parametrize(
    ("lines", "key", "said"),
    [
        (('oidc_client = "newsletter"',), "staff.oidc_client", "also set 'oidc_issuer'"),
        (
            ('oidc_issuer = "http://login.example.org"', 'oidc_client = "a"'),
            "staff.oidc_issuer",
            "must begin with https://",
        ),
        (
            ('oidc_issuer = "https://login.example.org"', 'oidc_client = "a"'),
            "staff.oidc_issuer",
            "there is no secret: set 'oidc_secret_file'",
        ),
        (
            ('oidc_issuer = "https://l.example.org"', 'oidc_client = "a"', 'oidc_secret_file = "none"'),
            "staff.oidc_secret_file",
            "cannot be read",
        ),
    ],
)
def test_a_provider_that_is_named_in_part_is_reported(
    tmp_path: Path, lines: tuple[str, ...], key: str, said: str
) -> None:
    found = problems(tmp_path, staff(URL, *lines))
    assert any(each.key == key and said in each.message for each in found)
