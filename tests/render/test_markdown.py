"""The Markdown of editors: its small part is shown, and nothing in it can harm a reader."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.render.writing.markdown import marked_text, refused_links
from digest.render.writing.text import width

_ALLOWED = {
    "p": {"class", "dir"},
    "ul": {"class", "dir"},
    "ol": {"class", "dir", "start"},
    "li": {"class", "dir"},
    "a": {"class", "href"},
    **{tag: set[str]() for tag in ("strong", "em", "br")},
}
_ADDRESSES = st.sampled_from(
    [
        "https://tea.example.org/",
        "HTTPS://tea.example.org/ä?a=1&b=\"'<>",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "java&Tab;script:alert(1)",
        "&#106;avascript:alert(1)",
        "%6Aavascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "//evil.test/",
        "https:/evil",
        "http://https://",
        "https://good.test\\@evil.test/",
        "mailto:desk@press.example.org",
        "mailto:desk@press.example.org?bcc=all@example.org",
        "mailto:a@b.org%0d%0aBcc:c@d.org",
        "file:///etc/passwd",
        "#top",
        "",
        "https://tea.example.org/\u202egnp.exe",
    ]
)
_MARKS = st.sampled_from(
    [
        *("*", "**", "_", "__", "***", "[", "]", "(", ")", "](", "![", "<", ">", "`", "\\", "\n", "\n\n"),
        *("- ", "+ ", "* ", "1. ", "7) ", "    ", "\t", "# ", "> ", "---", "| a | b |", "  \n", "\\\n"),
        *(
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<!--[if mso]>",
            "]]>",
            "&lt;",
            "&#x202e;",
        ),
        *(
            "</p>",
            '"',
            "'",
            "\u202e",
            "\u2066",
            "\x00",
            "\x92",
            "\r",
            "\u2028",
            "\ud800",
            "مكتبة",
            "{{ 7 * 7 }}",
        ),
        *("[a]: https://x.test/", "<https://x.test/%E2%80%AE>", "<desk@press.example.org>", "tea", "é", "茶"),
    ]
)
_LINKS = st.builds("[{}]({})".format, st.text(max_size=8) | _MARKS, _ADDRESSES)
_ANGLES = st.builds("<{}>".format, _ADDRESSES)
# What no reader may get: overrides and isolates, control characters, and lone surrogates.
_HARMFUL = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\ud800-\udfff]")
hostile = st.lists(st.one_of(_MARKS, _LINKS, _ANGLES, st.text(max_size=10)), max_size=14).map("".join)


class _Elements(HTMLParser):
    """Collects the elements of a text, and fails if they are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


@settings(max_examples=150)
@given(hostile, st.sampled_from(["ltr", "rtl"]))
def test_nothing_but_the_small_part_is_ever_markup(written: str, direction: str) -> None:
    text = marked_text(written, direction)
    if text is None:
        return
    page = _Elements(text.html)
    assert page.open == []
    for tag, attributes in page.found:
        assert set(attributes) <= _ALLOWED[tag]
        assert attributes.get("dir", "ltr") in ("ltr", "rtl")
        assert re.fullmatch(
            r"(https?://[^\s\"'<>\\]+|mailto:[^\s\"'<>\\?:/]+@[^\s\"'<>\\?:/]+)",
            attributes.get("href", "https://x") or "",
        )
    for shown in (page.words, text.text):
        assert not re.search(
            "[\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\ud800-\udfff]", shown
        )


@settings(max_examples=50)
@given(hostile, st.sampled_from(["ltr", "rtl"]))
def test_lines_of_plain_text_keep_their_width(written: str, direction: str) -> None:
    text = marked_text(written, direction)
    for line in text.text.split("\n") if text else ():
        assert width(line) <= 72 or "://" in line or "@" in line


@given(st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=60))
def test_words_without_marks_are_shown_as_they_are(words: str) -> None:
    text = marked_text(words, "ltr")
    assert text is not None
    assert _Elements(text.html).words == words


@pytest.mark.parametrize(
    ("written", "html"),
    [
        ("Tea & *toast*", "<p>Tea &amp; <em>toast</em></p>"),
        ("**All** __of__ _it_", "<p><strong>All</strong> <strong>of</strong> <em>it</em></p>"),
        ("[pier](https://x.test/ä).", '<p><a href="https://x.test/%C3%A4">pier</a>.</p>'),
        ("<us@x.test>", '<p><a href="mailto:us@x.test">us@x.test</a></p>'),
        ("One\\\ntwo\nthree", "<p>One<br>\ntwo\nthree</p>"),
        ("# No heading", "<p># No heading</p>"),
        ("    no code", "<p>no code</p>"),
        ("<b>no</b> `code`", "<p>&lt;b&gt;no&lt;/b&gt; `code`</p>"),
        ("[no](javascript:alert)", "<p>[no](javascript:alert)</p>"),
        ("- a\n- b\n  - c", "<ul>\n<li>a</li>\n<li>b\n<ul>\n<li>c</li>\n</ul></li>\n</ul>"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>'),
        ("- a\n\n  b", "<ul>\n<li>a<br>b</li>\n</ul>"),
    ],
)
def test_the_small_part_becomes_html(written: str, html: str) -> None:
    text = marked_text(written, "ltr")
    assert text is not None
    assert re.sub(r' (class="\w+"|dir="ltr")', "", text.html) == html


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("Tea & *toast*", "Tea & toast"),
        ("One\\\ntwo\nthree\n\nfour", "One\ntwo three\n\nfour"),
        ("See [the pier](https://pier.example.org/).", "See the pier.\nhttps://pier.example.org/"),
        (
            "[One](https://one.test/) or [two](https://two.test/)",
            "One or two\nOne:\nhttps://one.test/\ntwo:\nhttps://two.test/",
        ),
        ("<https://pier.example.org/>", "https://pier.example.org/"),
        ("Ask [us](mailto:desk@press.example.org)", "Ask us\ndesk@press.example.org"),
        ("9. nine\n10. ten [x](https://x.test/)", "9. nine\n10. ten x\n    https://x.test/"),
        ("- a\n  - b\n- c", "- a\n  - b\n- c"),
    ],
)
def test_the_small_part_becomes_plain_text(written: str, lines: str) -> None:
    text = marked_text(written, "ltr")
    assert text is not None
    assert text.text == lines


@pytest.mark.parametrize("blank", ["", "  \n\t\n", "\u202e", "\x00"])
def test_a_blank_text_is_none(blank: str) -> None:
    assert marked_text(blank, "ltr") is None


def test_a_text_has_the_direction_of_its_edition_where_it_has_letters_of_it() -> None:
    text = marked_text("iPhone وصل\n\nOnly English\n\n- GPS في المرفأ", "rtl")
    assert text is not None
    assert re.findall(r'<(\w+)[^>]* dir="(\w+)"', text.html) == [
        ("p", "rtl"),
        ("p", "ltr"),
        ("ul", "rtl"),
        ("li", "rtl"),
    ]
    assert text.text.split("\n")[0].startswith("\u200f")


def test_refused_links_are_named_once() -> None:
    written = "[a](javascript:x) [b](javascript:x) [c](https://x.test/) <ftp://x.test/> [d](mailto:a@b.org?c)"
    assert refused_links(written) == ("javascript:x", "ftp://x.test/", "mailto:a@b.org?c")
