from __future__ import annotations

from dataclasses import replace

import pytest

from digest.model.messages import Email, ReaderLinks
from digest.render.mail import render_email
from digest.render.preflight import Level, encoded_size, preflight
from digest.render.sample import sample_edition
from digest.render.templates import load_templates

LINKS = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK", preferences="PREFERENCES_LINK")
GOOD = Email.whole(subject="Low tide", html='<html lang="en"><p>Hello</p></html>', text="Hello\n")


def page(body: str, head: str = "") -> Email:
    return replace(GOOD, html_pieces=(f'<html lang="en"><head>{head}</head><body>{body}</body></html>',))


def test_the_sample_has_nothing_wrong() -> None:
    email = render_email(load_templates(), sample_edition(), LINKS, web_url="https://press.example.org/d/a/b")
    assert preflight(email) == ()
    assert preflight(GOOD) == ()


@pytest.mark.parametrize(
    ("email", "level", "words"),
    [
        (replace(GOOD, subject=" "), Level.BLOCK, "subject is empty"),
        (replace(GOOD, subject="a\nb"), Level.BLOCK, "more than one line"),
        (replace(GOOD, subject="a" * 151), Level.WARN, "151 characters"),
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
        (replace(GOOD, html_pieces=("<html><p>x</p></html>",)), Level.WARN, "language"),
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


def test_blocking_findings_come_first() -> None:
    findings = preflight(replace(page('<a href="#a">x</a><a href="/b">y</a>'), subject=""))
    assert [finding.level for finding in findings] == [Level.BLOCK, Level.BLOCK, Level.WARN]
