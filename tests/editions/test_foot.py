"""Every email has a link to unsubscribe and the postal address, for each choice of topics and language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from digest.editions.preflight import inspect
from digest.message.build import MessageBuilder, MessageSettings
from digest.message.look import look_at, renderer_of
from digest.model.deliveries import Recipient
from digest.model.editions import EditionRecord, EditionState
from digest.model.errors import PreflightError
from digest.model.messages import Email
from digest.model.snapshot import content_hash
from digest.render.reading.footer import Footer
from digest.render.sample import sample_edition
from digest.render.templates import load_templates

OURS = load_templates().defaults
EDITION = sample_edition()
RECORD = EditionRecord(edition=EDITION, hash=content_hash(EDITION), state=EditionState.DRAFT)
LINK = '<a class="leave" href="{{ unsubscribe }}">{{ phrases.unsubscribe }}</a>'
ADDRESS = "{% for line in site.postal_address %}"


def found_after(folder: Path, name: str, old: str, new: str) -> set[str]:
    """Return the findings after `old` was replaced by `new` in our template."""
    source = (OURS / name).read_text(encoding="utf-8")
    assert old in source
    (folder / "mail").mkdir()
    (folder / name).write_text(source.replace(old, new), encoding="utf-8")
    return {finding.message for finding in inspect(load_templates(folder), RECORD).findings}


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("mail/_foot.html", LINK, "", "The HTML has no link to unsubscribe."),
        ("mail/_foot.html", LINK, f"<!-- {LINK} -->", "The HTML has no link to unsubscribe."),
        ("mail/_foot.html", LINK, f'{{% if language != "de" %}}{LINK}{{% endif %}}', "The HTML has no link"),
        (
            "mail/_foot.html",
            LINK,
            f'<span style="display:none">{LINK}</span>',
            "The link to unsubscribe cannot be seen",
        ),
        ("mail/_foot.html", "{{ phrases.unsubscribe }}", "", "The link to unsubscribe cannot be seen"),
        ("mail/_foot.html", ADDRESS, "{% for line in [] %}", "The HTML does not show the whole postal"),
        ("mail/_foot.html", ADDRESS, "{% for line in site.postal_address[:1] %}", "The HTML does not show"),
        ("mail/_foot.txt", "{{ unsubscribe }}", "", "The plain text has no link to unsubscribe."),
        ("mail/_foot.txt", ADDRESS, "{% for line in [] %}", "The plain text does not show the whole"),
        (
            "mail/edition.txt",
            '{{ "mail/_foot.txt" | part -}}',
            '{% if sections | length > 1 %}{{ "mail/_foot.txt" | part -}}{% endif %}',
            "The plain text has no link to unsubscribe.",
        ),
        (
            "mail/edition.html",
            '{{ "mail/_foot.html" | part -}}',
            '{% if headlines %}{{ "mail/_foot.html" | part -}}{% endif %}',
            "The HTML has no link to unsubscribe.",
        ),
    ],
)
def test_a_foot_that_lacks_something_is_found_in_any_choice_and_language(
    tmp_path: Path, name: str, old: str, new: str, said: str
) -> None:
    assert any(message.startswith(said) for message in found_after(tmp_path, name, old, new))


def test_our_own_foot_lacks_nothing() -> None:
    assert inspect(load_templates(), RECORD, lines=False).findings == ()


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            '<a href="https://x.test/u/LINK">Stop</a> 12 Quay&nbsp;Street<br>Port &#69;llery',
            "LINK\n12 Quay\nStreet\nPort Ellery",
        ),
        (
            "<a href=LINK?from=foot>Stop</a><b>12</b> QUAY STREET, PORT ELLERY",
            "<LINK> 12 Quay Street, Port Ellery",
        ),
    ],
)
def test_spaces_markup_and_line_breaks_do_not_matter(html: str, text: str) -> None:
    footer = Footer("LINK", "12 Quay Street\nPort Ellery\n")
    assert footer.missing(Email.whole(subject="", html=html, text=text)) == ()
    bare = Email.whole(subject="", html=text, text=text.replace("LINK", ""))
    assert [each.partition(" has")[0] for each in footer.missing(bare)] == ["The HTML", "The plain text"]


def test_a_site_without_a_postal_address_has_no_complete_email() -> None:
    email = Email.whole(subject="", html="", text="LINK")
    assert Footer("LINK", " \n").missing(email) == ("The site has no postal address.",)


def harmed(change: Callable[[Email], Email]) -> MessageSettings:
    look, _ = look_at(load_templates(), RECORD)
    render = renderer_of(load_templates(), look)
    return MessageSettings(render=lambda *given: change(render(*given)), secret=b"a secret of the tests")


def without(text: str) -> Callable[[Email], Email]:
    def change(email: Email) -> Email:
        return replace(
            email,
            html_pieces=tuple(piece.replace(text, "") for piece in email.html_pieces),
            text_pieces=tuple(piece.replace(text, "") for piece in email.text_pieces),
        )

    return change


@pytest.mark.parametrize("form", ["html", "text"])
@pytest.mark.parametrize("text", ["/u/evening/", "12 Quay Street"])
def test_no_message_without_a_foot_is_ever_made_for_a_reader(form: str, text: str) -> None:
    reader = Recipient(1, "ada@example.org", format=form)
    with pytest.raises(PreflightError, match="cannot be sent as it is: The"):
        MessageBuilder(RECORD, harmed(without(text))).message(reader)
    shown = replace(harmed(without(text)), only_shown=True)
    assert MessageBuilder(RECORD, shown).message(reader) is not None
    assert MessageBuilder(RECORD, harmed(lambda email: email)).message(reader) is not None
