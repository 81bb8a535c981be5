"""Styles are inlined element by element or, if they depend on other elements, for the whole page at once."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from digest.model.errors import TemplateError
from digest.render.fragments.inline import Inliner, ends_outside, inline

RULES = (
    "p { margin: 0; color: #111 } .a { color: red !important; margin: 2px } p.b { color: green }\n"
    "#one { font: 12px/14px Georgia, 'Times New Roman', serif } h1, .c.a { background-color: #fff }\n"
)
# A sheet whose last rule touches nothing, but looks around: premailer then gets the page as a whole.
AROUND = RULES + "table > em { color: blue }"
_TAGS = st.sampled_from(["p", "h1", "td", "a", "P", "span"])
_ATTRIBUTES = st.lists(
    st.sampled_from(
        [
            *('class="a"', "class='b a'", "class=c", 'class="a c"', 'id="one"', 'style="color: blue"'),
            *('style="margin:1px;width:3px"', 'bgcolor="#000"', 'href="https://x.test/?a=1&amp;b=%20"'),
            *('title="&lt;p&gt; it&#39;s"', "nowrap", 'CLASS="b"', "alt=''"),
        ]
    ),
    max_size=4,
    unique_by=lambda text: text.partition("=")[0].lower(),
)
elements = st.builds(lambda tag, own: f"<{' '.join([tag, *own])}>x</{tag}>", _TAGS, _ATTRIBUTES)
others = st.sampled_from(
    ["<!-- <p class=a> -->\n", "\n", "me &amp; you\n", "<br/>", "<img class=a src=b />\n"]
)
bodies = st.lists(elements | others, max_size=8)


def page(rules: str, body: list[str]) -> list[str]:
    head = f"<!DOCTYPE html>\n<html><head><title>t</title><style>{rules}</style></head><body><div>\n"
    return [head, *body, "</div></body></html>"]


def tree(html: str) -> list[object]:
    """Return what a page says: elements with their attributes, styles as properties, and texts."""
    return [
        (str(each.tag), sorted(each.attrib.items()), (each.text or "").strip(), (each.tail or "").strip())
        for each in lxml_html.document_fromstring(html).iter()
    ]


@settings(max_examples=200, deadline=None)
@given(body=bodies)
def test_element_by_element_gives_the_same_as_premailer_with_the_whole_page(body: list[str]) -> None:
    assert tree(inline("".join(page(RULES, body)))) == tree(inline("".join(page(AROUND, body))))


@settings(deadline=None)
@given(bodies=st.lists(bodies, min_size=1, max_size=3), rules=st.sampled_from([RULES, AROUND, ""]))
def test_a_page_may_be_cut_anywhere_outside_tags(bodies: list[list[str]], rules: str) -> None:
    inliner = Inliner()
    for body in bodies:
        pieces = page(rules, body)
        assert "".join(inliner.inline(pieces)) == inline("".join(pieces))


def test_all_but_the_start_tags_that_get_a_style_stays_as_it_is() -> None:
    source = (
        "<p>&nbsp;&#39;\n<A CLASS='x'   href=UNSUBSCRIBE_0>é</A><o:p/><!--[if mso]><p class=a><![endif]-->"
    )
    assert inline(source) == source
    styled = inline(
        f"<style>.a {{ color: red }}</style>{source}<br class=a /><p style='margin: 0' class='a'>"
    )
    assert styled == source + '<br class=a  style="color:red"/><p style="color:red; margin:0" class=\'a\'>'


def test_a_style_that_is_to_stay_stays_without_its_mark() -> None:
    kept = "\n@media (max-width: 419px) { .a { color: red !important } }\n"
    page = f'<style>.a {{ color: blue }}</style><style data-premailer="ignore">{kept}</style><p class="a">'
    assert inline(page) == f'<style>{kept}</style><p class="a" style="color:blue">'


@pytest.mark.parametrize(
    "rules",
    [
        *(
            "div p { color: red }",
            "p:first-child { color: red }",
            "[title] { color: red }",
            "p + p { color: red }",
        ),
        *(
            "@media screen { p { color: red } }",
            "* { color: red }",
            "p { color: red",
            "p[title='}'] { color: red }",
        ),
    ],
)
def test_a_sheet_with_complex_selectors_gets_the_whole_page(rules: str) -> None:
    pieces = [
        "<html><head>",
        f"<style>{rules}</style>",
        "</head><body><div><p title='}'>x</p></div></body></html>",
    ]
    assert len(Inliner().inline(pieces)) == 1


@pytest.mark.parametrize(
    ("piece", "outside"),
    [
        *(
            ("<p>\n", True),
            ("a < b\n", True),
            ("<p\n", False),
            ('<p title="\n', False),
            ('<p title=">\n', False),
        ),
        *(
            ("<!-- <p>\n", False),
            ("<!-- <p -->\n", True),
            ("<style>\n", False),
            ("<STYLE> <p </STYLE>\n", True),
        ),
        *(("</p\n", False), ("<!DOCTYPE html>\n", True), ("<!DOCTYPE\n", False), ('<p id=">">\n', True)),
    ],
)
def test_a_piece_ends_outside_or_within(piece: str, outside: bool) -> None:
    assert ends_outside(piece) is outside


def test_a_style_that_would_be_fetched_is_refused_in_any_piece() -> None:
    with pytest.raises(TemplateError, match="@import"):
        Inliner().inline(["<p>", "<style>\n@import 'https://x.test/a.css';</style>"])


def test_styles_are_never_fetched_from_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        link = f'<link rel="stylesheet" href="http://127.0.0.1:{server.getsockname()[1]}/a.css">'
        Inliner().inline([f"<html><head>{link}<style>p > b {{ color: red }}</style></head><body><p>"])
        with pytest.raises(BlockingIOError):
            server.accept()
