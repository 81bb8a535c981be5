"""Each kind of broken edition has its finding and no other, and a good edition has none.

Faults that do not touch each other are put into one edition, because an inspection renders each of its
emails in each language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from pathlib import Path

import pytest

from digest.editions.preflight import Inspection, inspect
from digest.model.editions import Edition, EditionRecord, EditionState, Heading, Section, Story
from digest.model.links import LinkAnswer
from digest.model.posts import Image, Via
from digest.model.publication import Brand
from digest.model.snapshot import content_hash
from digest.render.preflight.findings import ActionKind, Finding, Level
from digest.render.preflight.known import Known, SpamReport
from digest.render.preflight.rules import RULES
from digest.render.sample import sample_edition
from digest.render.templates import Templates, load_templates

TOPICS = {"coast": "Coast", "town": "Town hall", "garden": "Sea and garden"}
FEEDS = ("Harbour Gazette", "Coast Radio", "Orchard Notes")
OURS = load_templates()
WHEN = sample_edition().cutoff_at - timedelta(hours=3)

Change = Callable[[Edition], Edition]


def picture(number: int, alt: str) -> Image:
    return Image(url=f"https://images.example.org/{number}.jpg", alt=alt, width=800, height=533)


def story(number: int) -> Story:
    topic = list(TOPICS)[number % 3]
    return Story(
        id=f"s{number}",
        title=f"The ferry reaches quay {number} an hour early",
        blurb=f"Everybody on board had coffee. Captain {number} was glad, and so were the gulls.",
        url=f"https://news.example.org/{number}",
        source=FEEDS[number // 3 % 3],
        author=None,
        published_at=WHEN,
        image=None if number % 2 else picture(number, f"Boat {number}"),
        tags=(topic,),
        topic=topic,
        rule=f"tag: {topic}",
        post_ids=(f"s{number}",),
    )


def edition_of(count: int) -> Edition:
    """Return a good edition with so many stories: a lead, and up to three topics."""
    stories = tuple(map(story, range(count)))
    by_topic = {slug: tuple(each for each in stories[1:] if each.topic == slug) for slug in TOPICS}
    sections = (Section(slug=slug, title=TOPICS[slug], stories=own) for slug, own in by_topic.items() if own)
    used = {each.topic for each in stories}
    headings = tuple(Heading(slug=slug, title=title) for slug, title in TOPICS.items() if slug in used)
    return replace(sample_edition(), lead=stories[0], sections=tuple(sections), headings=headings)


GOOD = edition_of(18)


def inspected(edition: Edition, known: Known | None = None, templates: Templates = OURS) -> Inspection:
    record = EditionRecord(edition=edition, hash=content_hash(edition), state=EditionState.DRAFT)
    return inspect(templates, record, known)


def rules_of(findings: tuple[Finding, ...]) -> list[str]:
    return sorted(each.rule for each in findings)


@pytest.mark.parametrize("count", [1, 30])
def test_a_good_edition_passes_without_a_finding(count: int) -> None:
    assert inspected(edition_of(count)).findings == ()


# ── faults of an edition ────────────────────────────────────────────────────────────────────


def edition(**values: object) -> Change:
    return lambda before: replace(before, **values)  # type: ignore[arg-type]


def of(number: int, **values: object) -> Change:
    """Return a change of one story, wherever it stands."""

    def change(before: Edition) -> Edition:
        def one(each: Story) -> Story:
            return replace(each, **values) if each.id == f"s{number}" else each  # type: ignore[arg-type]

        assert before.lead is not None
        sections = (replace(each, stories=tuple(map(one, each.stories))) for each in before.sections)
        return replace(before, lead=one(before.lead), sections=tuple(sections))

    return change


def from_one_feed(before: Edition) -> Edition:
    return reduce(lambda each, number: of(number, source=FEEDS[0])(each), range(12), before)


def without_the_last_section(before: Edition) -> Edition:
    return replace(before, sections=before.sections[:-1])


def with_an_empty_section(before: Edition) -> Edition:
    bare = Section(slug="harbour", title="Harbour", stories=())
    return replace(before, sections=(*before.sections, bare))


def emptied(before: Edition) -> tuple[Section, ...]:
    return tuple(replace(each, stories=()) for each in before.sections)


CHANGES: Mapping[str, Mapping[str, tuple[str, Change]]] = {
    "first": {
        "the subject is long": ("subject_long", edition(subject_template="A ferry, " * 12 + "a tug")),
        "the preheader is long": ("preheader_long", edition(preheader_template="The tide is low. " * 9)),
        "the lead is old": ("lead_old", of(0, published_at=WHEN - timedelta(days=2))),
        "a large picture has no alt text": ("alt", of(0, image=picture(0, ""))),
        "a headline stands twice": ("story_repeated", of(1, title="The ferry reaches quay 2 an hour early")),
        "a link stands twice": ("story_repeated", of(3, url="http://www.news.example.org/4/?utm_source=x")),
        "an entity is escaped twice": ("escapes", of(5, title="Fish &amp; chips on the quay")),
        "a letter is escaped twice": ("escapes", of(6, blurb="The caf&eacute; is open. It&#8217;s warm.")),
        "markup is shown": ("stray_markup", of(7, blurb="It was <strong>warm</strong> on deck.")),
        "a shortcode is shown": ("stray_markup", of(8, blurb='[caption id="1"]The deck[/caption]')),
        "a blurb is undefined": ("unresolved", of(9, blurb="undefined")),
        "a text is a placeholder": ("placeholder", of(10, blurb="Lorem ipsum dolor sit amet.")),
        "a link is relative": ("link_address", of(11, url="/2026/11/ferry")),
        "a link is not http": ("link_address", of(12, url="ftp://files.example.org/ferry")),
        "a note has a relative link": ("link_address", of(13, note="See [the page](/ferry).")),
        "a section is empty": ("empty_section", with_an_empty_section),
    },
    "names": {
        "a subject of signs says nothing": ("subject_empty", edition(subject_template="🌊 … 🌊")),
        "a title is escaped twice": ("escapes", edition(title="Sea &amp; sky")),
        "the name of a first source is escaped twice": ("escapes", of(9, via=Via(name="Fish &amp; Co"))),
        "an alt text is the name of a file": ("alt", of(0, image=picture(0, "IMG_2041.jpg"))),
        "a picture has a format that few programs show": (
            "picture_format",
            of(2, image=Image(url="https://images.example.org/2.webp", alt="A", width=800, height=533)),
        ),
        "the imprint has no address": (
            "link_address",
            lambda each: replace(each, site=replace(each.site, brand=Brand(imprint_url="/imprint"))),
        ),
    },
    "second": {
        "the subject is empty": ("subject_empty", edition(subject_template="")),
        "an introduction has an expression": ("unresolved", edition(introduction="Hello {{ name }}!")),
        "a headline is empty": ("headline_empty", of(4, title=" ")),
        "one feed has most stories": ("one_feed", from_one_feed),
        "a topic has no story": ("empty_choice", without_the_last_section),
    },
    "third": {
        "the subject shouts": ("subject_shouting", edition(subject_template="THE FERRY IS BACK TODAY")),
        "the introduction has no value": ("unresolved", edition(introduction="Hello None,\n\nlook.")),
    },
    "fourth": {
        "the subject cries out": ("subject_shouting", edition(subject_template="The ferry is back!!!")),
        "the email is too large": ("size", edition(introduction="The tide was low. " * 6_000)),
    },
    "fifth": {
        "there is no story": ("no_story", lambda each: replace(each, lead=None, sections=emptied(each)))
    },
    "sixth": {
        "the subject shouts in Cyrillic": (
            "subject_shouting",
            edition(subject_template="ПАРОМ СНОВА В ПОРТУ"),
        ),
        "there is no address": (
            "postal_address",
            lambda each: replace(each, site=replace(each.site, postal_address="")),
        ),
    },
}


@pytest.mark.parametrize("group", CHANGES)
def test_the_faults_of_an_edition_have_their_findings_and_no_other(group: str) -> None:
    faults = CHANGES[group].values()
    found = inspected(reduce(lambda each, fault: fault[1](each), faults, GOOD)).findings
    assert rules_of(found) == sorted(rule for rule, _ in faults)
    assert all(each.fix for each in found)


# ── faults that only the database knows ─────────────────────────────────────────────────────


def answer(url: str, *, problem: str = "", leads_to: str = "") -> tuple[str, LinkAnswer]:
    return url, LinkAnswer(url=url, checked_at=WHEN, problem=problem, leads_to=leads_to)


def test_what_the_database_knows_has_its_findings_and_no_other() -> None:
    known = Known(
        last_subject="the ferry reaches quay 0 an hour early ",
        links=dict(
            [
                answer("https://news.example.org/3", problem="there is nothing at its address (404)"),
                answer("https://news.example.org/4", leads_to="https://parked.example.org/"),
                answer("https://news.example.org/5", leads_to="http://www.news.example.org/5/?utm_source=x"),
                answer("https://images.example.org/6.jpg", problem="there is nothing at its address (404)"),
            ]
        ),
        lost=frozenset(["https://images.example.org/8.jpg"]),
        readers={"": 9, "coast": 2, "coast,garden": 1, "harbour": 3},
        spam=SpamReport(score=1.2, rules=(("HTML_IMAGE_ONLY_04", 2.2),)),
    )
    found = inspected(
        replace(GOOD, headings=(*GOOD.headings, Heading(slug="harbour", title="Harbour"))), known
    )
    assert rules_of(found.findings) == [
        *("empty_choice", "link_dead", "link_redirects"),
        *("picture_broken", "picture_broken", "spam", "subject_repeated"),
    ]
    assert {each.level for each in found.findings} == {Level.WARN}
    said = "“Harbour” has no story, so 3 readers who chose no other topic would get no email."
    assert said in {each.message for each in found.findings}


def test_a_topic_without_a_story_that_nobody_depends_on_is_fine() -> None:
    quiet = replace(edition_of(1), headings=tuple(Heading(slug=slug, title=slug) for slug in TOPICS))
    assert inspected(quiet, Known(readers={"": 9, "coast,garden": 1})).findings == ()


# ── faults of the templates ─────────────────────────────────────────────────────────────────

PAGE = "mail/edition.html"
FOOT = '{{ "mail/_foot.html" | part -}}'
ROWS = {
    "a second h1": ("headings", "<h1>Again</h1>"),
    "pale words": ("contrast", '<p style="color:#999999;background-color:#ffffff">Pale</p>'),
    "pale words by name": ("contrast", '<p style="color:darkgrey;background:ivory">Pale</p>'),
    "pale words by numbers": ("contrast", '<p style="color:rgb(67% 67% 67%);background:#ffff">Pale</p>'),
    "pale words in every language": (
        "contrast",
        '<p style="color:#929292;background-color:#fff">{{ phrases.unsubscribe }}</p>',
    ),
    "words that shine through": ("contrast", '<p style="color:#0005;background-color:#fff">Pale</p>'),
    "a link in the colour of browsers": (
        "contrast",
        '<p style="color:#fff;background:#003"><a href="https://x.example.org/">here</a></p>',
    ),
    "words that are dark in dark mode": ("contrast", '<p style="color:#222222">Dark</p>'),
    "a picture without alt": ("alt", '<img src="https://x.example.org/a.png" width="9" height="9">'),
    "a picture with a file for alt": (
        "alt",
        '<img src="https://x.example.org/b.png" alt="quay-final.png" width="9" height="9">',
    ),
    "a link without words": (
        "alt",
        '<a href="https://x.test/"><img src="https://x.test/c.png" alt="" width="9" height="9"></a>',
    ),
    "a picture without size": ("picture_size", '<img src="https://x.example.org/a.png" alt="">'),
    "a picture of a kind": (
        "picture_format",
        '<img src="https://x.example.org/a.webp" alt="" width="9" height="9">',
    ),
    "a link inside": ("link_inside", '<a class="quiet" href="#top">Up</a>'),
    "a relative link": ("link_address", '<a class="quiet" href="/about">About us</a>'),
    "a script": ("markup", "<script>1</script>"),
    "a wide table": ("width", '<table role="presentation" width="900"><tr><td>.</td></tr></table>'),
    "a flexible box": ("css", '<div style="display:flex">Side by side</div>'),
    "a whole box": (
        "css",
        '<div style="display:grid;gap:4px;grid-template-columns:1fr 1fr;align-items:center">Boxes</div>',
    ),
    "a place": ("css", '<div style="position:absolute;top:0;left:0;z-index:3">Words</div>'),
    "a negative margin": ("css", '<div style="margin:4px -4px">Words</div>'),
    "a picture behind": ("css", '<div style="background:url(https://x.example.org/d.png)">Words</div>'),
    "a style sheet": ("css", '<link rel="stylesheet" href="https://x.example.org/e.css">'),
    "round corners": ("css", '<div style="border-radius:8px">Round</div>'),
    "an expression": ("unresolved", "<p>Hello {{ none }}, welcome.</p>"),
    "an entity": ("escapes", "<p>Terms &amp;amp; more</p>"),
    "markup": ("stray_markup", "<p>&lt;b&gt;More&lt;/b&gt;</p>"),
    "a placeholder": ("placeholder", "<p>Your text here</p>"),
}


def changed(folder: Path, **changes: tuple[str, str]) -> Templates:
    """Return templates in which a text of ours is replaced, by the names of the templates."""
    (folder / "mail").mkdir()
    for name, (old, new) in changes.items():
        source = (OURS.defaults / "mail" / name).read_text(encoding="utf-8")
        assert old in source
        (folder / "mail" / name).write_text(source.replace(old, new), encoding="utf-8")
    return load_templates(folder)


def test_the_faults_of_a_template_have_their_findings_and_no_other(tmp_path: Path) -> None:
    rows = "".join(f'<tr><td class="card pad">{html}</td></tr>\n' for _, html in ROWS.values())
    templates = changed(tmp_path, **{"edition.html": (FOOT, rows + FOOT)})
    found = inspected(GOOD, templates=templates).findings
    assert rules_of(found) == sorted(rule for rule, _ in ROWS.values())
    assert sum("the text 'Unsubscribe'" in each.message for each in found) == 1


def test_what_is_large_shown_over_a_picture_or_only_called_is_fine(tmp_path: Path) -> None:
    fine = (
        '<p style="color:#808080;background:#fff;font-size:24px">Large</p>'
        '<p style="color:#333;background:linear-gradient(#fff,#eee)">Over a gradient</p>'
        '<p><a class="quiet" href="tel:+4912345">Call</a></p>'
    )
    templates = changed(
        tmp_path, **{"edition.html": (FOOT, f'<tr><td class="card pad">{fine}</td></tr>{FOOT}')}
    )
    assert rules_of(inspected(GOOD, templates=templates).findings) == ["css"]  # the gradient


def test_a_language_or_a_direction_of_another_reader_is_found_once(tmp_path: Path) -> None:
    head = '<html lang="{{ language }}" dir="{{ direction }}">'
    templates = changed(tmp_path, **{"edition.html": (head, '<html lang="en" dir="ltr">')})
    found = inspected(GOOD, templates=templates).findings
    assert [(each.rule, each.place.language) for each in found] == [
        ("language", "ar, de, es"),
        ("language", "ar"),
    ]


def test_what_no_email_may_lack_is_found(tmp_path: Path) -> None:
    templates = changed(
        tmp_path,
        **{
            "edition.html": ('<html lang="{{ language }}" dir', "<html dir"),
            "_foot.txt": ("{{ unsubscribe }}", ""),
            "_foot.html": ("{% for line in site.postal_address %}", "{% for line in [] %}"),
        },
    )
    assert rules_of(inspected(GOOD, templates=templates).findings) == [
        "language",
        "postal_address",
        "unsubscribe",
    ]


def test_a_fault_for_some_readers_names_their_language_or_their_choice(tmp_path: Path) -> None:
    script = "{% if language == 'de' %}<tr><td><script>1</script></td></tr>{% endif %}"
    long = f"{{% if sections | length == 1 %}}{'Tide. ' * 20_000}{{% endif %}}\n"
    templates = changed(tmp_path, **{"edition.html": (FOOT, script + long + FOOT)})
    found = {each.rule: each for each in inspected(GOOD, templates=templates).findings}
    assert set(found) == {"markup", "size"}
    assert found["markup"].place.text(GOOD) == "the HTML, in 'de'"
    assert found["size"].place.choice in TOPICS


# ── what a finding says ─────────────────────────────────────────────────────────────────────


def test_a_finding_names_its_story_in_words_and_offers_what_helps() -> None:
    (found,) = inspected(of(3, note="See [the page](/ferry).")(GOOD)).findings
    assert found.place.text(GOOD) == "the note of “The ferry reaches quay 3 an hour early”"
    assert [(each.kind, each.story) for each in found.actions] == [(ActionKind.NOTE, "s3")]
    assert found.level is Level.BLOCK


def test_what_a_feed_brings_never_blocks_an_edition() -> None:
    careless = of(3, title="{{ post.title }} &amp; <b>more</b>", blurb="Lorem ipsum", source="undefined")(
        GOOD
    )
    assert {each.level for each in inspected(careless).findings} == {Level.WARN}


def test_a_rule_that_is_off_is_silent_and_the_size_of_each_choice_is_told() -> None:
    off = {"subject_shouting": "our subjects are loud"}
    quiet = inspected(replace(GOOD, subject_template="THE FERRY IS BACK TODAY"), Known(off=off))
    assert (quiet.findings, dict(quiet.off)) == ((), off)
    sizes = {each.choice: each.bytes for each in quiet.sizes}
    assert set(sizes) == {"", *TOPICS, *(f"-{slug}" for slug in TOPICS)}
    assert sizes[""] > sizes["-coast"] > sizes["coast"]


def test_these_are_more_than_twenty_five_kinds_of_faults() -> None:
    kinds = [rule for group in CHANGES.values() for rule, _ in group.values()] + [
        rule for rule, _ in ROWS.values()
    ]
    assert set(kinds) <= set(RULES)
    assert len(kinds) > 25
