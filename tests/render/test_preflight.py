from __future__ import annotations

from dataclasses import replace

import pytest

from digest.model.messages import Email, ReaderLinks
from digest.render.mail import render_email
from digest.render.preflight import Level, cut_lines, encoded_size, preflight
from digest.render.sample import sample_edition, short_edition
from digest.render.templates import load_templates

LINKS = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK", preferences="PREFERENCES_LINK")
GOOD = Email.whole(subject="Low tide", html='<html lang="en"><h1>Hello</h1></html>', text="Hello\n")


def page(body: str, head: str = "") -> Email:
    return replace(
        GOOD, html_pieces=(f'<html lang="en"><head>{head}</head><body><h1>Tide</h1>{body}</body></html>',)
    )


_CUT = "The subject is long; Gmail shows about 70 characters, and phones show about 45"


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("s" * 90, []),
        ("s" * 91, [f"{_CUT}: “{'s' * 45}…”"]),
        ("潮" * 46, [f"{_CUT}: “{'潮' * 22}…”"]),
    ],
)
def test_an_editor_is_told_how_much_of_a_subject_is_shown(subject: str, found: list[str]) -> None:
    email = replace(GOOD, subject=subject)
    assert [each.message for each in cut_lines(email, short_edition())] == found


def test_an_editor_is_told_how_much_of_a_preheader_is_shown_unless_it_fills_the_room_anyway() -> None:
    email = replace(GOOD, preheader=("Tide " * 19).strip())
    own = replace(short_edition(), preheader_template="{{ lead.blurb }}")
    (only,) = cut_lines(email, own)
    assert only.message.startswith("The preheader is long; lists of messages show about 90: “Tide Tide")
    assert list(cut_lines(email, short_edition())) == []
    assert list(cut_lines(replace(email, preheader="Tide " * 18), own)) == []


def test_the_sample_has_nothing_wrong() -> None:
    email = render_email(load_templates(), sample_edition(), LINKS, web_url="https://press.example.org/d/a/b")
    assert preflight(email) == ()
    assert preflight(GOOD) == ()


@pytest.mark.parametrize(
    ("email", "level", "words"),
    [
        (replace(GOOD, subject=" "), Level.BLOCK, "subject is empty"),
        (replace(GOOD, subject="a\nb"), Level.BLOCK, "more than one line"),
        (replace(GOOD, text_pieces=("\n",)), Level.BLOCK, "plain text is empty"),
        (replace(GOOD, text_pieces=("It\x92s",)), Level.BLOCK, "U+0092"),
        (page("It\x92s"), Level.BLOCK, "HTML contains the control character U+0092"),
        (page('<img src="https://x.test/a.png" width="1" height="1">'), Level.WARN, "no alt text"),
        (page('<img src="https://x.test/a.png" alt="" width="1">'), Level.WARN, "no width and height"),
        (page('<img src="https://x.test/a.svg" alt="" width="1" height="1">'), Level.WARN, "format"),
        (
            page('<img src="data:image/png;base64,A" alt="" width="1" height="1">'),
            Level.BLOCK,
            "not an absolute",
        ),
        (page('<img alt="" width="1" height="1">'), Level.BLOCK, "without address"),
        (page('<a href="javascript:alert(1)">x</a>'), Level.BLOCK, "not an absolute"),
        (page('<a href="/p">x</a>'), Level.BLOCK, "not an absolute"),
        (page('<a href="#top">x</a>'), Level.WARN, "several mail programs ignore links inside an email"),
        (page("<script>1</script>"), Level.BLOCK, "<script>"),
        (page("<form></form>"), Level.BLOCK, "<form>"),
        (page("", f"<style>{'a' * 17_000}</style>"), Level.WARN, "16 KB"),
        (page("", "<style>@import 'x'</style>"), Level.BLOCK, "@import"),
        (replace(GOOD, html_pieces=("<html><h1>x</h1></html>",)), Level.WARN, "language"),
    ],
)
def test_each_fault_is_found_once_and_reported_in_plain_words(email: Email, level: Level, words: str) -> None:
    (finding,) = preflight(email)
    assert finding.level is level
    assert words in finding.message


@pytest.mark.parametrize(
    "link", ["https://x.test/a", "http://x.test", "mailto:a@x.test", "UNSUBSCRIBE_LINK_1"]
)
def test_web_mail_and_placeholder_links_are_fine(link: str) -> None:
    assert preflight(page(f'<a href="{link}">x</a>')) == ()


def test_size_warns_before_it_blocks() -> None:
    assert preflight(page("a" * 70_000)) == ()
    assert [finding.level for finding in preflight(page("a" * 85_000))] == [Level.WARN]
    assert [finding.level for finding in preflight(page("a" * 103_000))] == [Level.BLOCK]


def test_letters_beyond_ascii_count_as_they_are_encoded() -> None:
    assert encoded_size("é") == 6


DARK = "<style>:root { color-scheme: light dark; } @media (prefers-color-scheme: dark) { %s }</style>"


@pytest.mark.parametrize(
    ("body", "level"),
    [
        ('<table width="900"><tr><td>x</td></tr></table>', Level.BLOCK),
        ('<table width="400"><tr><td>x</td></tr></table>', Level.WARN),
        ('<div style="width:700px">x</div>', Level.BLOCK),
        ('<div style="min-width:700px;width:100%">x</div>', Level.BLOCK),
        ('<img src="https://x.test/a.png" alt="" width="592" height="9">', Level.BLOCK),
        ('<table width="100%"><tr><td width="300">x</td><td width="300">y</td></tr></table>', Level.BLOCK),
        ('<table width="640" class="wide"><tr><td>x</td></tr></table>', None),
        ('<table width="100%" style="max-width:640px"><tr><td>x</td></tr></table>', None),
        ('<img src="https://x.test/a.png" alt="" width="592" height="9" style="width:100%">', None),
        ('<!--[if mso]><table width="640"><tr><td>x</td></tr></table><![endif]-->', None),
    ],
)
def test_what_is_wider_than_a_phone_is_found(body: str, level: Level | None) -> None:
    narrow = "<style>@media (max-width: 480px) { .wide { width: 100% !important; } }</style>"
    assert [finding.level for finding in preflight(page(body, narrow))] == ([level] if level else [])


@pytest.mark.parametrize(
    ("rules", "body", "level"),
    [
        (
            ".c { background-color: #1c1a18 !important; }",
            '<p class="c" style="color:#222">x</p>',
            Level.BLOCK,
        ),
        (".c { background-color: #1c1a18 !important; }", '<p class="c" style="color:#666">x</p>', Level.WARN),
        (
            ".c { background: #111 !important; color: #eee !important; }",
            '<p class="c" style="color:#222">x</p>',
            None,
        ),
        (".c { background: #111 }", '<p class="c" style="background:#fff;color:#222">x</p>', None),
        (
            "td .t { color: #ddd !important; }",
            '<table><tr><td style="background:#fff"><b class="t">x',
            Level.BLOCK,
        ),
        ("", '<p style="background-color:#fff">default text turns white</p>', Level.BLOCK),
        (".c { color: #222 !important; }", '<p class="c" style="display:none">not shown</p>', None),
        ("", '<p style="color:#eee;background:#fff">x</p>', Level.BLOCK),
    ],
)
def test_text_that_cannot_be_read_in_dark_or_light_mode_is_found(
    rules: str, body: str, level: Level | None
) -> None:
    levels = {finding.level for finding in preflight(page(body, DARK % rules))}
    assert levels == ({level} if level else set())


def test_a_picture_in_the_styles_and_a_script_in_an_attribute_are_found() -> None:
    (found,) = preflight(page('<p style="background:url(a.png)">x</p>'))
    assert "Background a.png: it is not an absolute" in found.message
    (found,) = preflight(page('<p onclick="go()">x</p>'))
    assert "the script onclick" in found.message


def test_blocking_findings_come_first() -> None:
    findings = preflight(replace(page('<a href="#a">x</a><a href="/b">y</a>'), subject=""))
    assert [finding.level for finding in findings] == [Level.BLOCK, Level.BLOCK, Level.WARN]
