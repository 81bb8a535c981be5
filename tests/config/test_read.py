from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from digest.config import load
from digest.model.errors import ConfigError, NotFoundError, Problem
from digest.model.messages import Security
from digest.model.publication import Lead, Review, SourceKind, Sponsor, Style
from subscribers.model import Frequency

GOOD = """\
[site]
name = "Harbour Digest"
base_url = "https://digest.example.org/"
postal_address = "1 Quay Street, Port Ellery"

[[feed]]
name = "Harbour Gazette"
url = "https://gazette.example.org/feed"

[[feed]]
name = "Orchard Notes"
path = "feeds/orchard.json"
topics = ["green"]

[[topic]]
slug = "green"
title = "Green"
feeds = ["Orchard Notes"]

[[digest]]
slug = "daily"
title = "Daily"
schedule = "weekdays at 07:00"
from = "Harbour <daily@digest.example.org>"
zone = "Europe/Berlin"
feeds = ["Harbour Gazette"]
topics = ["green"]

[mail]
transport = "folder"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, **environ: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text), environ)
    return caught.value.problems


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://gazette.example.org/feed", SourceKind.FEED),
        ("https://gazette.example.org/wp-json/wp/v2/posts", SourceKind.WORDPRESS),
        ("https://gazette.example.org/?rest_route=/wp/v2/posts", SourceKind.WORDPRESS),
        ('https://gazette.example.org/"\nsource = "wordpress', SourceKind.WORDPRESS),
    ],
)
def test_the_address_decides_about_the_source_if_nothing_else_does(
    tmp_path: Path, url: str, source: SourceKind
) -> None:
    text = GOOD.replace("https://gazette.example.org/feed", url)
    assert load(written(tmp_path, text), {}).feeds[0].source is source


def test_a_good_file_becomes_frozen_values(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD), {})
    assert config.site.base_url == "https://digest.example.org"
    assert [feed.url for feed in config.feeds] == [
        "https://gazette.example.org/feed",
        (tmp_path / "feeds/orchard.json").as_uri(),
    ]
    daily = config.digest("daily")
    assert (daily.sender, daily.cutoff) == ("Harbour <daily@digest.example.org>", timedelta(minutes=30))
    assert (daily.review, daily.lead) == (Review.SEND, Lead.AUTO)
    assert (config.mail.servers, config.mail.folder) == ((), tmp_path / "data/mail")
    assert config.database_url == f"sqlite:///{tmp_path}/data/digest.db"
    assert config.secret_file == tmp_path / "data/secret"


def test_the_style_and_the_texts_of_a_digest_are_read(tmp_path: Path) -> None:
    text = GOOD.replace('title = "Green"', 'title = "Green"\ncolour = "#2F6A3C"').replace(
        "[mail]",
        'style = "brief"\nintroduction = """\nGood *morning*.\n\n- Tea"""\nsigned = "Mara Quill"\n\n'
        '[digest.sponsor]\nname = "Quill & Co"\ntext = "Tea by post."\nurl = "https://tea.example.org/"\n[mail]',
    )
    config = load(written(tmp_path, text), {})
    daily = config.digest("daily")
    assert config.topics[0].colour == "#2f6a3c"
    assert daily.style is Style.BRIEF
    assert daily.introduction == "Good *morning*.\n\n- Tea"
    assert daily.signed == "Mara Quill"
    assert daily.sponsor == Sponsor(name="Quill & Co", text="Tea by post.", url="https://tea.example.org/")


@pytest.mark.parametrize(
    ("site", "digest", "heading"),
    [
        ("", "", "More stories"),
        ('language = "de-AT"', "", "Weitere Meldungen"),
        ('language = "eo"', "", "More stories"),
        ('language = "de"', 'catch_all = "Und sonst"', "Und sonst"),
    ],
)
def test_the_rest_has_a_heading_in_the_language_of_the_site(
    tmp_path: Path, site: str, digest: str, heading: str
) -> None:
    text = GOOD.replace("[site]\n", f"[site]\n{site}\n").replace("[[digest]]\n", f"[[digest]]\n{digest}\n")
    (daily,) = load(written(tmp_path, text), {}).digests
    assert daily.catch_all == heading


def test_an_unknown_digest_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD), {})
    with pytest.raises(NotFoundError, match="no digest is called 'dayly'; did you mean 'daily'"):
        config.digest("dayly")


def test_a_mail_server_is_built_with_its_password_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    mail = 'transport = "smtp"\nhost = "smtp.example.org"\nport = 465\nsecurity = "tls"\nuser = "digest"\n'
    mail += 'password_file = "password"\ntimeout = "90s"'
    config = load(written(tmp_path, GOOD.replace('transport = "folder"', mail)), {})
    (server,) = config.mail.servers
    assert (server.host, server.port, server.security) == ("smtp.example.org", 465, Security.TLS)
    assert (server.user, server.password, server.timeout) == ("digest", "correct horse", 90.0)
    assert "correct horse" not in repr(config)


def test_hosts_beyond_ascii_are_written_in_the_form_of_dns(tmp_path: Path) -> None:
    text = GOOD.replace("https://digest.example.org/", "https://Ankerstraße.example:8443/größe/")
    mail = 'transport = "smtp"\nhost = "mail.ankerstraße.example"\nehlo_name = "ankerstraße.example"'
    config = load(written(tmp_path, text.replace('transport = "folder"', mail)), {})
    assert config.site.base_url == "https://xn--ankerstrae-e4a.example:8443/gr%C3%B6%C3%9Fe"
    assert [server.host for server in config.mail.servers] == ["mail.xn--ankerstrae-e4a.example"]
    assert config.mail.ehlo_name == "xn--ankerstrae-e4a.example"


def test_several_mail_servers_have_their_own_weights_and_passwords(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    mail = 'transport = "smtp"\n[[mail.server]]\nhost = "a.example.org"\nweight = 3\nrequire_tls = true\n'
    mail += 'user = "digest"\npassword_file = "password"\n'
    mail += '[[mail.server]]\nhost = "b.example.org"\nweight = 1\nuser = "digest"\n'
    text = GOOD.replace('transport = "folder"', mail)
    config = load(written(tmp_path, text), {"DIGEST_SMTP_PASSWORD": "battery staple"})
    first, second = config.mail.servers
    assert (first.host, first.weight, first.require_tls) == ("a.example.org", 3, True)
    assert (second.host, second.weight, second.require_tls) == ("b.example.org", 1, False)
    assert (first.password, second.password) == ("correct horse", "battery staple")


@pytest.mark.parametrize(
    ("mail", "fault"),
    [
        ('host = "h"\n[[mail.server]]\nhost = "a"', "move 'host' into each of them"),
        ('[[mail.server]]\nhost = "a"\nweight = 1\n[[mail.server]]\nhost = "b"', "set 'weight' in every"),
        ("[[mail.server]]\nport = 25", "'host' is missing"),
        ('[[mail.server]]\nhost = "a"\nhots = "b"', "did you mean 'host'?"),
        ('host = "h"\nsecurity = "none"\nrequire_tls = true', "requires security"),
    ],
)
def test_mistakes_in_mail_servers_are_reported(tmp_path: Path, mail: str, fault: str) -> None:
    text = GOOD.replace('transport = "folder"', f'transport = "smtp"\n{mail}\n')
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text), {})
    assert fault in str(caught.value)


def test_secrets_and_the_database_may_come_from_the_environment(tmp_path: Path) -> None:
    mail = 'transport = "smtp"\nhost = "smtp.example.org"\nuser = "digest"'
    environ = {
        "DIGEST_DATABASE_URL": "postgresql://digest:hush@db.example.org/digest",
        "DIGEST_SMTP_PASSWORD": "battery staple",
        "DIGEST_SECRET": "0123456789abcdef0123456789abcdef",
    }
    config = load(written(tmp_path, GOOD.replace('transport = "folder"', mail)), environ)
    assert config.database_url == "postgresql://digest:hush@db.example.org/digest"
    assert config.mail.servers[0].password == "battery staple"
    assert config.secret == b"0123456789abcdef0123456789abcdef"
    shown = repr(config) + repr(config.settings)
    assert [secret for secret in ("hush", "battery", "0123456789") if secret in shown] == []


def test_every_setting_has_its_source(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD), {"DIGEST_DATABASE_URL": "sqlite:////tmp/other.db"})
    found = {setting.key: (setting.value, setting.source) for setting in config.settings}
    assert found["site.name"] == ('"Harbour Digest"', "config.toml:2")
    assert found["feed[2].path"] == ('"feeds/orchard.json"', "config.toml:12")
    assert found["digest[1].from"] == ('"Harbour <daily@digest.example.org>"', "config.toml:24")
    assert found["digest[1].cutoff"] == ('"30m"', "default")
    assert found["database.url"] == ("(hidden)", "variable DIGEST_DATABASE_URL")


def test_secrets_inside_addresses_are_not_shown(tmp_path: Path) -> None:
    url = "https://reader:hush@gazette.example.org/feed?token=hush&page=1"
    config = load(written(tmp_path, GOOD.replace("https://gazette.example.org/feed", url)), {})
    shown = {setting.key: setting.value for setting in config.settings}
    assert shown["feed[1].url"] == '"https://reader:***@gazette.example.org/feed?token=***&page=1"'


WRONG = [
    # the old text, the new text, the key, and a part of the message
    ("name", "nam", "site.nam", "unknown key 'nam'; did you mean 'name'?"),
    ('name = "Harbour Digest"', "name = 3", "site.name", "must be text in quotes"),
    ('name = "Harbour Digest"', 'name = ""', "site.name", "is empty"),
    (
        'name = "Harbour Digest"',
        'name = "a\\r\\nBcc: b"',
        "site.name",
        "contains a line break or a control character",
    ),
    ("https://digest.example.org/", "digest.example.org", "site.base_url", "must begin with http://"),
    ("https://digest.example.org/", "https://e.example.org/?a=1", "site.base_url", "contains ? or #"),
    ("https://digest.example.org/", "https://har‥bour.example/", "site.base_url", "cannot exist"),
    ('transport = "folder"', 'host = "har‥bour.example"', "mail.host", "is not a host name"),
    ("https://gazette.example.org/feed", "ftp://gazette.example.org", "feed.url", "is not a web address"),
    (
        "https://gazette.example.org/feed",
        "https://gazette.example.org:x/",
        "feed.url",
        "is not a web address",
    ),
    ('url = "https://g', 'path = "x"\nurl = "https://g', "feed.path", "there is also a 'url'"),
    ('url = "https://gazette.example.org/feed"\n', "", "feed", "set 'url', or 'path' for a file"),
    ('url = "https://g', 'source = "wordpres"\nurl = "https://g', "feed.source", "did you mean 'wordpress'?"),
    ('"Orchard Notes"\npath', '"Orchard Notes"\nsource = "feed"\npath', "feed.source", "has no source"),
    ('url = "https://g', 'link = "https://a.test/"\nurl = "https://g', "feed.link", "for a 'path'"),
    (
        '"Orchard Notes"\npath',
        '"Orchard Notes"\nlink = "https://a.test/{slag}/"\npath',
        "feed.link",
        "{slag} has no meaning here; did you mean 'slug'?",
    ),
    ('"Orchard Notes"\npath', '"Harbour Gazette"\npath', "feed.name", "'Harbour Gazette' is already used"),
    ('topics = ["green"]\n\n[[t', 'topics = ["grean"]\n\n[[t', "feed.topics", "did you mean 'green'?"),
    ('topics = ["green"]\n\n[[t', 'topics = ["tech"]\n\n[[t', "feed.topics", "there is no [[topic]] 'tech'"),
    ('feeds = ["Orchard Notes"]', 'feeds = ["Orchid Notes"]', "topic.feeds", "did you mean 'Orchard Notes'?"),
    ('feeds = ["Harbour Gazette"]', 'feeds = ["Gazette"]', "digest.feeds", "there is no [[feed]] 'Gazette'"),
    ('feeds = ["Harbour Gazette"]', 'feeds = "Gazette"', "digest.feeds", "must be a list"),
    ('slug = "daily"', 'slug = "Täglich"', "digest.slug", "for example 'taglich'"),
    ("weekdays at 07:00", "weekdyas at 07:00", "digest.schedule", "did you mean 'weekdays'?"),
    ("schedule", "shedule", "digest.shedule", "unknown key 'shedule'; did you mean 'schedule'?"),
    ("Europe/Berlin", "Europe/Berln", "digest.zone", "did you mean 'Europe/Berlin'?"),
    ("Europe/Berlin", "Berlin", "digest.zone", "did you mean 'Europe/Berlin'?"),
    ("Europe/Berlin", "../../etc/passwd", "digest.zone", "is not a time zone"),
    ("Harbour <daily@digest.example.org>", "Harbour", "digest.from", "is not a sender"),
    ("Harbour <daily@digest.example.org>", "Harbour <daily@>", "digest.from", "is not a sender"),
    ("Harbour <daily@digest.example.org>", "a@example.org, b@example.org", "digest.from", "is not a sender"),
    ("zone", 'cutoff = "soon"\nzone', "digest.cutoff", "is not a length of time"),
    ("zone", 'cutoff = "5 parsecs"\nzone', "digest.cutoff", "'parsecs' is not a unit of time"),
    ("zone", 'max_age = "900 weeks"\nzone', "digest.max_age", "longer than ten years"),
    ("zone", "cutoff = 30\nzone", "digest.cutoff", "is not a length of time"),
    ("zone", "minimum = 0\nzone", "digest.minimum", "must be at least 1"),
    ("zone", "minimum = 5\nmaximum = 3\nzone", "digest.minimum", "minimum 5 is greater than maximum 3"),
    ("zone", "maximum = 1.5\nzone", "digest.maximum", "must be a whole number"),
    ("zone", 'review = "hodl"\nzone', "digest.review", "must be 'send', 'hold' or 'skip', not 'hodl'"),
    ("zone", 'lead = "newst"\nzone', "digest.lead", "did you mean 'newest'?"),
    ("zone", 'reply_to = "nobody"\nzone', "digest.reply_to", "is not a sender"),
    ("zone", 'subject = "{{ lead.titel }}"\nzone', "digest.subject", "title"),
    ("zone", 'subject = "{{ lead.title"\nzone', "digest.subject", ""),
    ('transport = "folder"', 'transport = "smtp"', "mail", "'host' is missing"),
    ('transport = "folder"', 'transport = "smpt"', "mail.transport", "did you mean 'smtp'?"),
    ('transport = "folder"', "port = 70000", "mail.port", "must be at most 65535"),
    ('transport = "folder"', 'password = "x"', "mail.password", "did you mean 'password_file'?"),
    ('transport = "folder"', 'bounce_address = "x"', "mail.bounce_address", "is not an address"),
    ('transport = "folder"', 'unsubscribe_address = "x"', "mail.unsubscribe_address", "is not an address"),
    (
        'transport = "folder"',
        'unsubscribe_address = "please-take-me-off-now@digest.example.org"',
        "mail.unsubscribe_address",
        "65 characters stand before the @",
    ),
    (
        'transport = "folder"',
        'password_file = "none"',
        "mail.password_file",
        "there is a password, but no 'user'",
    ),
    ('title = "Green"', 'title = "Green"\ncolour = "green"', "topic.colour", 'as in "#2f6a3c"'),
    ('title = "Green"', 'title = "Green"\ncolour = "#abc"', "topic.colour", 'as in "#aabbcc"'),
    ("zone", 'style = "newpaper"\nzone', "digest.style", "did you mean 'newspaper'?"),
    ("zone", 'introduction = " "\nzone', "digest.introduction", "is empty"),
    (
        "zone",
        'introduction = """Good morning.\nSee [this](javascript:alert)."""\nzone',
        "digest.introduction",
        "'javascript:alert' cannot be linked to",
    ),
    ("zone", 'sponsor = "Quill"\nzone', "digest.sponsor", "must be a table: [digest.sponsor]"),
    ("[mail]", '[digest.sponsor]\nname = "Q"\ntext = "Tea."\n[mail]', "digest.sponsor.url", "is missing"),
    (
        "[mail]",
        '[digest.sponsor]\nname = "Q"\ntext = "Tea."\nurl = "tea"\n[mail]',
        "digest.sponsor.url",
        "is not a web address",
    ),
    ("[mail]", '[digest.sponsor]\nadress = "x"\n[mail]', "digest.sponsor.adress", "unknown key 'adress'"),
    ("[mail]", "[male]", "male", "unknown key 'male'; did you mean 'mail'?"),
    ("[mail]", "[[mail]]", "mail", "write [mail] once, with single brackets"),
    ("[mail]", "[database]\nurl = 'mysql://x'\n[mail]", "database.url", "postgresql://"),
]


@pytest.mark.parametrize(("old", "new", "key", "said"), WRONG)
def test_a_wrong_value_is_reported_with_its_line(
    tmp_path: Path, old: str, new: str, key: str, said: str
) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    found = [
        problem for problem in problems(tmp_path, text) if problem.key == key and said in problem.message
    ]
    assert found, f"no such problem was found in {key}"
    first = GOOD[: GOOD.index(old)].count("\n") + 1
    assert first - 2 <= (found[0].line or 0) <= first + new.count("\n")
    assert found[0].file == str(tmp_path / "config.toml")


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        GOOD.replace("base_url", "base_uri").replace("weekdays", "wekdays").replace('["green"]', '["geen"]')
    )
    found = [(problem.line, problem.key) for problem in problems(tmp_path, text)]
    assert found == [
        (1, "site.base_url"),
        (3, "site.base_uri"),
        (13, "feed.topics"),
        (23, "digest.schedule"),
        (27, "digest.topics"),
    ]


def test_missing_tables_are_named(tmp_path: Path) -> None:
    found = {problem.key: problem.message for problem in problems(tmp_path, "")}
    assert found == {
        "site": "[site] is missing",
        "digest": "there is no [[digest]]: add at least one",
    }


def test_single_brackets_are_explained(tmp_path: Path) -> None:
    found = [problem.message for problem in problems(tmp_path, GOOD.replace("[[digest]]", "[digest]"))]
    assert found == ["write [[digest]] with double brackets, once for each digest"]


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, GOOD.replace('"Daily"', '"Daily'))
    assert problem.line == 22
    assert "is not valid TOML" in problem.message
    (problem,) = problems(tmp_path, GOOD + '\nx = """open')
    assert problem.line == GOOD.count("\n") + 2


def test_a_table_that_is_there_twice_is_named(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "[brand]\n\n[brand]\n")
    assert problem.line == 3
    assert "the table [brand] is in this file already" in problem.message


def test_a_missing_file_is_reported_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="digest init"):
        load(tmp_path / "none.toml", {})


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe[site]")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "config.toml", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


def test_wrong_variables_are_reported_without_their_values(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, DIGEST_DATABASE_URL="oracle:hush", DIGEST_SECRET="hush")
    assert [problem.key for problem in found] == ["DIGEST_DATABASE_URL", "DIGEST_SECRET"]
    assert "hush" not in "".join(map(str, found))


@pytest.mark.parametrize(
    ("server", "line", "key", "said"),
    [
        ('host = "a"\nuser = "u"', 4, "mail.user", "there is no password"),
        (
            'host = "a"\nuser = "u"\npassword_file = "b"',
            5,
            "mail.password_file",
            "'b' cannot be read: No",
        ),
        ('host = "a"\nuser = "u"\npassword_file = "empty"', 5, "mail.password_file", "'empty' is empty"),
        ('[[mail.server]]\nhost = "a"\nuser = "u"', 5, "mail.server.user", "there is no password"),
    ],
)
def test_a_missing_password_is_kept_for_whatever_sends(
    tmp_path: Path, server: str, line: int, key: str, said: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    mail = f'[mail]\ntransport = "smtp"\n{server}\n'
    rest = GOOD.replace('[mail]\ntransport = "folder"\n', "")
    config = load(written(tmp_path, f"{mail}{rest}"), {})
    with pytest.raises(ConfigError) as caught:
        config.mail.require_passwords()
    [problem] = caught.value.problems
    assert (problem.line, problem.key) == (line, key)
    assert said in problem.message
    assert "'password_file'" in problem.message
    assert "DIGEST_SMTP_PASSWORD" in problem.message


def test_the_sample_of_the_repository_is_correct_and_reaches_nobody() -> None:
    root = Path(__file__).resolve().parents[2]
    config = load(root / "config.toml", {})
    assert config.mail.servers == ()
    assert [digest.slug for digest in config.digests] == ["daily", "weekend"]
    assert [Path(feed.url.removeprefix("file://")).is_file() for feed in config.feeds] == [True, True]


# ── each edition, daily or weekly ───────────────────────────────────────────────────────────


def gathering(line: str) -> str:
    return GOOD.replace('title = "Daily"\n', f'title = "Daily"\n{line}\n')


def test_frequencies_are_read_with_their_schedules(tmp_path: Path) -> None:
    for text in (
        gathering('gather = { weekly = "mondays at 08:00", daily = "every day at 18:00" }'),
        GOOD.replace(
            "[mail]", '[digest.gather]\nweekly = "mondays at 08:00"\ndaily = "every day at 18:00"\n[mail]'
        ),
    ):
        daily = load(written(tmp_path, text), {}).digest("daily")
        assert [(each.frequency, each.schedule) for each in daily.gather] == [
            (Frequency.DAILY, "every day at 18:00"),
            (Frequency.WEEKLY, "mondays at 08:00"),
        ]
        assert daily.schedule_of(Frequency.WEEKLY) == "mondays at 08:00"
        assert daily.schedule_of(Frequency.EACH) == daily.schedule
    nothing = load(written(tmp_path, GOOD), {}).digest("daily")
    assert (nothing.gather, nothing.schedule_of(Frequency.WEEKLY)) == ((), nothing.schedule)


@pytest.mark.parametrize(
    ("line", "key", "said"),
    [
        ('gather = ["weekly"]', "digest.gather", 'must be a table: gather = { weekly = "mondays at 08:00" }'),
        ('gather = "weekly"', "digest.gather", "must be a table"),
        (
            'gather = { wekly = "mondays at 08:00" }',
            "digest.gather.wekly",
            "unknown key 'wekly'; did you mean 'weekly'?",
        ),
        ('gather = { weekly = "mondais at 08:00" }', "digest.gather.weekly", "did you mean 'mondays'?"),
        ("gather = { weekly = true }", "digest.gather.weekly", "must be text in quotes"),
    ],
)
def test_a_mistake_in_a_frequency_has_its_line(tmp_path: Path, line: str, key: str, said: str) -> None:
    text = gathering(line)
    (problem,) = problems(tmp_path, text)
    assert (problem.key, problem.line) == (key, text.splitlines().index(line) + 1)
    assert said in problem.message


def test_where_a_digest_lists_no_topics_a_feed_may_name_its_section_by_any_name(tmp_path: Path) -> None:
    free = GOOD.replace('feeds = ["Harbour Gazette"]\ntopics = ["green"]\n', "")
    named = free.replace('topics = ["green"]', 'topics = ["tech"]')
    assert load(written(tmp_path, named), {}).feeds[1].topics == ("tech",)
    (problem,) = problems(tmp_path, free.replace('topics = ["green"]', 'topics = ["grene"]'))
    assert "did you mean 'green'?" in problem.message
