"""Mails that share their pieces are, byte for byte, the mails that were made alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, islice

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.compose.edition import choose
from digest.model import Edition, EditionRecord, EditionState, Letter, Mail, ReaderLinks, Section
from digest.render.mail import render_mail, sample_edition
from digest.render.templates import load_templates
from digest.render.typesetter import Typesetter
from digest.send.letters import Press, Render, Stationery
from digest.send.message import Addressee
from subscribers.model import Choice
from tests.render.uncut import uncut
from tests.strategies import editions, sections, stories

TEMPLATES = load_templates()
LINKS = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK_0", preferences="PREFERENCES_LINK_0")
SLUGS = ("a", "b", "c", "d", "e")
WEB = "https://press.example.org/d/daily/daily-2026-11-22"


@st.composite
def rich_editions(draw: st.DrawFn) -> Edition:
    """Make an edition of several topics, whose lead, if any, is of one of them or of none."""
    edition = draw(editions())
    slugs = draw(st.lists(st.sampled_from(SLUGS), min_size=1, max_size=4, unique=True))
    lead = draw(st.none() | st.sampled_from([*slugs, "elsewhere"]).flatmap(stories))
    chosen = tuple(_apart(draw(sections(slug)), draw) for slug in slugs)
    lines = draw(st.sampled_from(["{{ lead.title }}", "{{ topics | join(', ') }}", "{{ count }} today", ""]))
    return replace(edition, lead=lead, sections=chosen, subject_template=lines, preheader_template=lines)


def _apart(section: Section, draw: st.DrawFn) -> Section:
    """Have one story of a section name another topic, as an editor's move may leave it."""
    moved = replace(section.stories[0], topic=draw(st.sampled_from(SLUGS)))
    return replace(section, stories=(moved, *section.stories[1:]))


choices = st.builds(
    Choice,
    include=st.frozensets(st.sampled_from(SLUGS), max_size=4),
).map(str)


def alone(edition: Edition, links: ReaderLinks = LINKS, language: str = "") -> Mail:
    return render_mail(TEMPLATES, edition, links, web_url=WEB, language=language)


languages = st.sampled_from(["", "en", "de", "ar", "fi"])


def record(edition: Edition) -> EditionRecord:
    return EditionRecord(edition=edition, hash="a" * 64, state=EditionState.APPROVED)


def press(edition: Edition, render: Render, room: int = 64_000_000) -> Press:
    stationery = Stationery(render=render, secret=b"a secret of the tests", cache_bytes=room)
    return Press(record(edition), stationery)


@settings(max_examples=60, deadline=None)
@given(edition=rich_editions(), wishes=st.lists(st.tuples(choices, languages), min_size=1, max_size=8))
def test_every_choice_gets_the_mail_it_would_get_alone(
    edition: Edition, wishes: list[tuple[str, str]]
) -> None:
    together = Typesetter(TEMPLATES, lambda _edition: WEB)
    for variant, language in wishes:
        chosen = choose(edition, Choice.parse(variant))
        if chosen is not None:
            mail = together(chosen, LINKS, language)
            assert uncut(mail) == alone(chosen, language=language)


def whole(letter: Letter | None) -> Letter | None:
    """Forget where a letter is cut."""
    return letter and letter._replace(parts=(letter.data,))


@settings(max_examples=30, deadline=None)
@given(
    edition=rich_editions(),
    readers=st.lists(st.tuples(choices, st.sampled_from(["html", "text"]), languages), max_size=8),
    room=st.sampled_from([0, 60_000, 64_000_000]),
)
def test_every_letter_is_the_letter_written_alone(
    edition: Edition, readers: list[tuple[str, str, str]], room: int
) -> None:
    together = press(edition, Typesetter(TEMPLATES, lambda _edition: WEB), room=room)
    single = press(edition, alone)
    for number, (variant, form, language) in enumerate(readers):
        reader = Addressee(number, "reader@example.org", variant, form, 0, language)
        assert whole(together.letter(reader)) == whole(single.letter(reader))


def test_hundreds_of_choices_share_the_memory_of_a_few() -> None:
    slugs = [f"topic-{number}" for number in range(12)]
    sample = sample_edition()
    told = sample.sections[0]
    edition = replace(sample, sections=tuple(replace(told, slug=slug, title=slug) for slug in slugs))
    together = press(edition, Typesetter(TEMPLATES, lambda _edition: WEB))
    left_out = [",".join(f"-{slug}" for slug in some) for some in islice(combinations(slugs, 4), 400)]
    letters = [together.letter(Addressee(1, "reader@example.org", variant)) for variant in left_out]
    assert sum(len(letter.data) for letter in letters if letter) > 20_000_000
    assert together.kept_bytes < 2_000_000
