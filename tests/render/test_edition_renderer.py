"""With any templates, an email rendered together with others equals the email rendered alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from digest.model.editions import Edition
from digest.model.messages import Email, ReaderLinks
from digest.model.snapshot import choose
from digest.render.edition_renderer import EditionRenderer
from digest.render.fragments.parts import PARTS, Parts
from digest.render.fragments.pieces import Cutter, GapCloser, close_gaps
from digest.render.mail import render_email
from digest.render.sample import sample_edition
from digest.render.templates import MAIL_HTML, MAIL_TEXT, Templates, load_templates
from digest.render.values import OF_A_CHOICE
from digest.render.view import EditionView, email_values
from subscribers.model import Choice
from tests.render.uncut import uncut

LINKS = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK_0", preferences="PREFERENCES_LINK_0")
CHOICES = ("", "town", "-coast", "more,town", "more", "-more", "coast", "")
PART = "'mail/_p.html' | part(title="
STYLES = "<style>p { color: red } .a { margin: 1px }</style>\n"
# "@(…)" stands for a part with that title.
EACH = "{% for s in sections %}\n{{ @(s.title) }}\n{% endfor %}\n"
PAGES = {
    "no parts": STYLES + "{% for s in sections %}\n<p>{{ s.title }}\n{% endfor %}\n<p>{{ subject }}</p>\n",
    "one line": STYLES + "{% for s in sections %}<p>{{ @(s.title) }}</p>{% endfor %}",
    "in a tag": STYLES + "{% for s in sections %}\n<p\n{{ @(s.title) }}\n>x</p>\n{% endfor %}\n",
    "in a comment": "<!--\n{{ @(title) }}\n-->\n" + STYLES + "<p>{{ preheader }}</p>\n",
    "never closed": STYLES + "<p>\n{{ @(title) }}\n<p \n{{ count }}\n",
    "styles last": EACH + STYLES,
    "styles of a choice": "{{ @(title) }}\n<style>p { width: {{ count }}px }</style>\n",
    "looks around": "<style>div p { color: red }</style>\n<div>\n{{ @(subject) }}\n</div>\n",
    "changed on the way": "{{ @(subject) | upper }}\n{{ subject | upper }}\n",
    "kept for later": "{% set all %}\n{{ @(subject) }}\n{% endset %}\n{{ all }}\n{{ count }}\n",
    "a value that changes": "{% set n = namespace(title='') %}\n{% for s in sections %}\n"
    "{% set n.title = s.title %}\n{{ 'mail/_n.html' | part(n=n) }}\n{% endfor %}\n",
    "equal, not the same": "{{ @(1) }}\n{{ @(true) }}\n{{ @('<') }}\n{{ @('<' | safe) }}\n",
}


def own_templates(folder: Path, page: str, text: str = "") -> Templates:
    files = {
        MAIL_HTML: page.replace("@(", PART),
        "mail/_p.html": "<p class=a>{{ title }}, {{ phrases.unsubscribe }}</p>",
        "mail/_n.html": "<p>{{ n.title }}</p>\n",
        **({MAIL_TEXT: text.replace("@(", PART)} if text else {}),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return load_templates(folder)


def rendered(templates: Templates) -> tuple[list[Email], list[Email]]:
    """Return the emails of some choices: rendered by one EditionRenderer, and each rendered alone."""
    edition = sample_edition()
    chosen = [choose(edition, Choice.parse(choice)) for choice in CHOICES]
    editions: list[Edition] = [each for each in chosen if each is not None]
    together = EditionRenderer(templates, lambda _edition: None)
    return (
        [together(each, LINKS) for each in editions],
        [render_email(templates, each, LINKS, web_url=None) for each in editions],
    )


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_with_any_template_both_ways_give_the_same_emails(tmp_path: Path, page: str) -> None:
    together, alone = rendered(own_templates(tmp_path, page))
    assert [uncut(email) for email in together] == alone


def test_html_parts_are_written_as_they_are_and_other_parts_are_escaped(tmp_path: Path) -> None:
    part = "'mail/_p.html' | part"
    page = f"{{{{ {part} }}}}{{{{ 'mail/_q.txt' | part }}}}{{{{ {part} | replace('>', '<') }}}}"
    templates = own_templates(tmp_path, page)
    (tmp_path / "mail/_q.txt").write_text("<&>", encoding="utf-8")
    view = EditionView(sample_edition())
    values = email_values(sample_edition(), view, LINKS, subject="", preheader="", web=None)
    parts = Parts(templates.render, values, of_a_choice=OF_A_CHOICE)
    written = templates.stream(MAIL_HTML, {**values, PARTS: parts})
    assert written[0] is parts("mail/_p.html", {})
    assert written[1] == "&lt;&amp;&gt;"
    assert written[2] == written[0].replace(">", "<")


@pytest.mark.parametrize(
    "text",
    [
        "\n\n\n{{ subject }}\n\n\n\n{% for s in sections %}\n\n{{ @(s.title) }}\n\n\n{% endfor %}\n\n",
        "{% for s in sections %}{{ s.title }}{% endfor %}",
        "\n\n",
    ],
)
def test_gaps_of_a_text_are_closed_alike(tmp_path: Path, text: str) -> None:
    together, alone = rendered(own_templates(tmp_path, PAGES["no parts"], text))
    assert [email.text for email in together] == [email.text for email in alone]


def test_emails_for_different_choices_share_their_pieces() -> None:
    together, _ = rendered(load_templates())
    known: set[int] = set()
    for number, email in enumerate(together):
        pieces = (*email.html_pieces, *email.text_pieces)
        own = sum(len(piece) for piece in pieces if id(piece) not in known)
        assert number < 2 or own < len(email.html + email.text) / 2
        known |= {*map(id, pieces)}


def test_text_that_all_choices_share_is_one_piece() -> None:
    edition = replace(sample_edition(), subject_template="The Tide", preheader_template="All of it")
    together = EditionRenderer(load_templates(), lambda _edition: None)
    for choice in ("town", "-coast", "-town"):
        chosen = choose(edition, Choice.parse(choice))
        assert chosen is not None
        email = together(chosen, LINKS)
        assert "<!DOCTYPE" in email.html_pieces[0]
        assert '<h1 class="title"' in email.html_pieces[0]
        assert email.html_pieces[-1].endswith("</html>\n")
        assert "PREFERENCES_LINK_0" in email.html_pieces[-1]


def test_a_subject_that_differs_is_a_piece_of_its_own() -> None:
    edition = replace(
        sample_edition(), subject_template="{{ topics | join(', ') }}", preheader_template="All"
    )
    together = EditionRenderer(load_templates(), lambda _edition: None)
    together(edition, LINKS)
    pages = [together(replace(edition, sections=edition.sections[at:]), LINKS) for at in (1, 2)]
    for email in pages:
        assert f"<title>{escape(email.subject)}</title>\n" in email.html_pieces
    assert pages[0].html_pieces[0] is pages[1].html_pieces[0]
    assert pages[0].html_pieces[2] is pages[1].html_pieces[2]


def test_pages_without_parts_share_the_text_around_the_subject(tmp_path: Path) -> None:
    page = "<!DOCTYPE html>\n<title>{{ subject }}</title>\n{% for s in sections %}{{ s.title }}{% endfor %}"
    together = EditionRenderer(own_templates(tmp_path, page), lambda _edition: None)
    edition = replace(sample_edition(), subject_template="The Tide")
    emails = [together(replace(edition, sections=edition.sections[at:]), LINKS) for at in (0, 1)]
    first, second = (email.html_pieces for email in emails)
    assert first[:2] == ("<!DOCTYPE html>\n", "<title>The Tide</title>\n")
    assert first[0] is second[0]
    assert first[2] != second[2]


def test_another_edition_is_rendered_from_scratch() -> None:
    templates = load_templates()
    together = EditionRenderer(templates, lambda edition: f"https://press.example.org/{edition.id}")
    for name in ("morning", "evening", "morning"):
        edition = replace(sample_edition(), id=name, title=name)
        email = together(edition, LINKS)
        assert uncut(email) == render_email(
            templates, edition, LINKS, web_url=f"https://press.example.org/{name}"
        )


@given(
    chunks=st.lists(st.text("ab\n<", max_size=6)),
    apart=st.sets(st.text("ab\n<", max_size=6)),
    times=st.sampled_from((1, 50)),
)
def test_cut_pieces_are_whole_lines_and_joined_are_the_page(
    chunks: list[str], apart: set[str], times: int
) -> None:
    pieces = Cutter(lambda piece: piece.count("<") % 2 == 0).cut(chunks * times, apart)
    assert "".join(pieces) == "".join(chunks) * times
    assert all(piece.endswith("\n") and piece.count("<") % 2 == 0 for piece in pieces[:-1])
    assert all(pieces)


@given(chunks=st.lists(st.text("a\n", max_size=8)))
def test_closing_the_gaps_of_pieces_closes_those_of_the_text(chunks: list[str]) -> None:
    closed = GapCloser().close(Cutter().cut(chunks, set(chunks[::2])))
    assert "".join(closed) == close_gaps("".join(chunks))
