"""Emails that share pieces are, byte for byte, the same as emails that are made alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, islice

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.message.build import MessageBuilder, MessageSettings, Render
from digest.model.deliveries import Recipient
from digest.model.editions import Claim, Edition, EditionRecord, EditionState, Heading, Section
from digest.model.messages import Email, Message, ReaderLinks
from digest.model.snapshot import choose
from digest.render.edition_renderer import EditionRenderer
from digest.render.mail import render_email
from digest.render.sample import sample_edition
from digest.render.templates import load_templates
from subscribers.model import Choice
from tests.render.uncut import uncut
from tests.strategies import editions, sections, stories

TEMPLATES = load_templates()
LINKS = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK_0", preferences="PREFERENCES_LINK_0")
SLUGS = ("a", "b", "c", "d", "e")
WEB = "https://press.example.org/d/daily/daily-2026-11-22"


@st.composite
def rich_editions(draw: st.DrawFn) -> Edition:
    """Make an edition of several topics; the lead, if there is one, may have one of them or none."""
    edition = draw(editions())
    slugs = draw(st.lists(st.sampled_from(SLUGS), min_size=1, max_size=4, unique=True))
    lead = draw(st.none() | st.sampled_from([*slugs, "elsewhere"]).flatmap(stories))
    chosen = tuple(_apart(draw(sections(slug)), draw) for slug in slugs)
    lines = draw(st.sampled_from(["{{ lead.title }}", "{{ topics | join(', ') }}", "{{ count }} today", ""]))
    headings = tuple(Heading(slug=slug, title=slug.upper()) for slug in SLUGS)
    return replace(
        edition,
        lead=lead,
        sections=chosen,
        headings=headings,
        subject_template=lines,
        preheader_template=lines,
    )


def _apart(section: Section, draw: st.DrawFn) -> Section:
    """Give one story of a section another topic, as it happens when an editor moves a story, and claims."""
    claims = [Claim(topic=slug, rule=f"tag: {slug}") for slug in draw(st.permutations(SLUGS))]
    moved = replace(
        section.stories[0],
        topic=draw(st.sampled_from(SLUGS)),
        claims=tuple(claims[: draw(st.integers(0, 2))]),
    )
    return replace(section, stories=(moved, *section.stories[1:]))


choices = st.builds(
    Choice,
    include=st.frozensets(st.sampled_from(SLUGS), max_size=4),
).map(str)


def alone(edition: Edition, links: ReaderLinks = LINKS, language: str = "") -> Email:
    return render_email(TEMPLATES, edition, links, web_url=WEB, language=language)


languages = st.sampled_from(["", "en", "de", "ar", "fi"])


def record(edition: Edition) -> EditionRecord:
    return EditionRecord(edition=edition, hash="a" * 64, state=EditionState.APPROVED)


def builder(edition: Edition, render: Render, room: int = 64_000_000) -> MessageBuilder:
    message_settings = MessageSettings(render=render, secret=b"a secret of the tests", cache_bytes=room)
    return MessageBuilder(record(edition), message_settings)


@settings(max_examples=60, deadline=None)
@given(edition=rich_editions(), requests=st.lists(st.tuples(choices, languages), min_size=1, max_size=8))
def test_every_choice_gets_the_email_it_would_get_alone(
    edition: Edition, requests: list[tuple[str, str]]
) -> None:
    together = EditionRenderer(TEMPLATES, lambda _edition: WEB)
    for variant, language in requests:
        chosen = choose(edition, Choice.parse(variant))
        if chosen is not None:
            email = together(chosen, LINKS, language)
            assert uncut(email) == alone(chosen, language=language)


def whole(message: Message | None) -> Message | None:
    """Join the parts of a message."""
    return message and message._replace(parts=(message.data,))


@settings(max_examples=30, deadline=None)
@given(
    edition=rich_editions(),
    readers=st.lists(st.tuples(choices, st.sampled_from(["html", "text"]), languages), max_size=8),
    room=st.sampled_from([0, 60_000, 64_000_000]),
)
def test_every_message_is_the_same_as_when_it_is_built_alone(
    edition: Edition, readers: list[tuple[str, str, str]], room: int
) -> None:
    together = builder(edition, EditionRenderer(TEMPLATES, lambda _edition: WEB), room=room)
    single = builder(edition, alone)
    for number, (variant, form, language) in enumerate(readers):
        reader = Recipient(number, "reader@example.org", variant, form, 0, language)
        assert whole(together.message(reader)) == whole(single.message(reader))


def test_hundreds_of_choices_share_the_memory_of_a_few() -> None:
    slugs = [f"topic-{number}" for number in range(12)]
    sample = sample_edition()
    view = sample.sections[0]
    edition = replace(sample, sections=tuple(replace(view, slug=slug, title=slug) for slug in slugs))
    together = builder(edition, EditionRenderer(TEMPLATES, lambda _edition: WEB))
    left_out = [",".join(f"-{slug}" for slug in some) for some in islice(combinations(slugs, 4), 400)]
    messages = [together.message(Recipient(1, "reader@example.org", variant)) for variant in left_out]
    total = sum(len(message.data) for message in messages if message)
    assert total > 20_000_000
    assert together.kept_bytes < total / 10
