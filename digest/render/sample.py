"""Sample editions that contain every case for templates; they are used to check and to show templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from digest.model.editions import Coverage, Edition, Heading, Section, Source, Story
from digest.model.posts import Image, Via
from digest.model.publication import Digest, Lead, Site, Sponsor

_SEND_AT = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
_LONG_TITLE = (
    "Forty years of tide tables, one retired harbour master and a shoebox of pencilled notes turn out to "
    "hold the longest unbroken record of water levels on this coast"
)
# A careless publisher may write a title of 500 characters.
_ENDLESS_TITLE = ("Minutes of the extraordinary general meeting of the allotment society, " * 8)[:499] + "."
_HELLO = """\
Good evening. The ferry is back, and so is the queue for its one cabin with a piano.

- The [timetable](https://ferry.example.org/times) has *two* crossings a week.
- Write to [the desk](mailto:desk@press.example.org) if you were **aboard**."""
_SITE = Site(
    name="Harbour Press",
    base_url="https://press.example.org",
    postal_address="Harbour Press\n12 Quay Street\nPort Ellery",
    language="en-GB",
)


def sample_edition() -> Edition:
    """Return an edition with a lead and an image, and stories without an image, link, author or time.

    It also has an "also in", a topic with only headlines, an emoji, right-to-left letters, and very long
    titles.
    """
    return Edition(
        id="evening-2026-11-22",
        digest="evening",
        title="The Evening Tide",
        local_date=date(2026, 11, 22),
        zone="Europe/London",
        language="en-GB",
        cutoff_at=_SEND_AT - timedelta(minutes=30),
        send_at=_SEND_AT,
        site=_SITE,
        sender="The Evening Tide <tide@press.example.org>",
        reply_to=None,
        subject_template="{{ lead.title }}",
        preheader_template="{{ titles[1:4] | join(' · ') }}",
        lead=_lead(),
        sections=(_coast(), _town(), _rest()),
        headings=(
            Heading(slug="coast", title="Coast & sea", quota=3, colour="#1f5c8c"),
            Heading(slug="town", title="Town", quota=3),
            Heading(slug="more", title="More stories"),
        ),
        number=128,
        next_at=_SEND_AT + timedelta(days=1),
        introduction=_HELLO,
        signed="Mara Quill, editor",
        sponsor=Sponsor(
            name="The Oilskin Works",
            text="Coats that are *dry* inside, mended for life. **Free tea** while you wait.",
            url="https://oilskin.example.org/",
            link="Try one on",
        ),
    )


def short_edition() -> Edition:
    """Return the shortest possible edition: one story, no lead, no image."""
    story = _story("only", "A quiet day on the quay", "Nothing happened, and it was lovely.", topic="town")
    edition = sample_edition()
    return Edition(
        id=edition.id,
        digest=edition.digest,
        title=edition.title,
        local_date=edition.local_date,
        zone=edition.zone,
        language=edition.language,
        cutoff_at=edition.cutoff_at,
        send_at=edition.send_at,
        site=edition.site,
        sender=edition.sender,
        reply_to=None,
        subject_template=edition.subject_template,
        preheader_template=edition.preheader_template,
        lead=None,
        sections=(Section(slug="town", title="Town", stories=(story,)),),
    )


def sample_of(
    digest: Digest, site: Site, topics: Sequence[tuple[str, str]], feeds: Sequence[str] = ()
) -> Edition:
    """Return the sample edition as if it were one of `digest`, under its own topics (slug and title).

    Its stories are invented, and come from the digest's own `feeds`, named one after the other.
    """
    stories = [*sample_edition().stories()]
    sections = []
    for place, (slug, title) in enumerate(topics):
        own = stories[1 + place :: len(topics)] or [stories[place % len(stories)]]
        source = feeds[place % len(feeds)] if feeds else own[0].source
        placed = tuple(_under(story, f"{slug}-{number}", slug, source) for number, story in enumerate(own))
        sections.append(Section(slug=slug, title=title, stories=placed[:3], more=placed[3:]))
    first = topics[0][0]
    source = feeds[0] if feeds else stories[0].source
    return replace(
        sample_edition(),
        id=f"{digest.slug}-sample",
        digest=digest.slug,
        title=digest.title,
        zone=digest.zone,
        language=site.language,
        site=site,
        sender=digest.sender,
        reply_to=digest.reply_to,
        subject_template=digest.subject,
        preheader_template=digest.preheader,
        style=digest.style,
        introduction=digest.introduction,
        signed=digest.signed,
        sponsor=digest.sponsor,
        headings=tuple(Heading(slug=slug, title=title) for slug, title in topics),
        lead=None if digest.lead is Lead.NONE else _under(stories[0], "lead", first, source),
        sections=tuple(sections),
    )


def shortened(edition: Edition) -> Edition:
    """Return an edition with its first story alone, without a lead and an image."""
    section = edition.sections[0]
    story = replace(section.stories[0], image=None)
    return replace(edition, lead=None, sections=(replace(section, stories=(story,), more=()),))


def _under(story: Story, name: str, topic: str, source: str) -> Story:
    return replace(story, id=name, topic=topic, tags=(topic,), rule=f"tag: {topic}", source=source)


def _lead() -> Story:
    return _story(
        "lead",
        "The night ferry returns to the northern isles after eleven winters",
        "Two hundred people stood on the quay in the rain to see her off. The crossing takes nine hours, "
        "has one cabin with a piano, and is sold out until March.",
        topic="coast",
        author="Ines Marlowe",
        hours=1,
        image=Image(
            url="https://images.example.org/ferry.jpg",
            alt="A white ferry leaves a harbour at dusk, its windows lit",
            width=1200,
            height=675,
        ),
        also=(
            Source(name="Northern Isles Weekly", url="https://isles.example.org/night-ferry"),
            Source(name="The Timetable", url="https://timetable.example.org/ferry-is-back"),
        ),
        coverage=(
            Coverage(
                post_id="piano",
                title="A piano, nine hours of sea, and not a berth left until spring",
                source="Quayside Notes",
                url="https://quayside.example.org/piano",
            ),
            Coverage(post_id="isles", title="“We waited eleven winters”", source="Radio Isles"),
            Coverage(
                post_id="winters",
                title="“We waited eleven winters”",
                source="Isles Today",
                url="https://today.example.org/winters",
            ),
        ),
    )


def _coast() -> Section:
    return Section(
        slug="coast",
        title="Coast & sea",
        colour="#1f5c8c",
        stories=(
            _story(
                "eelgrass",
                "Eelgrass is back in the bay, and so are the seahorses",
                "Volunteers planted the first shoots by hand in 2019. A survey this autumn counted "
                "four hundred square metres of meadow.",
                author="Tomas Reyes",
                hours=3,
                note="The survey is *open to all*: the next one is on Saturday.",
                image=_thumb("seahorse", "A seahorse among green blades of eelgrass"),
                via=Via(name="Bay Wire", url="https://wire.example.org/eelgrass"),
            ),
            _story(
                "tables",
                _LONG_TITLE,
                "Every page is now scanned, and anybody may read it.",
                author="Ada Kowalski",
                hours=27,
                image=_thumb("tables", "An old notebook, open at a page of figures", height=600),
            ),
            _story(
                "swim",
                "Cold-water swimmers meet at dawn 🌊, coffee after",
                "Bring a towel and a hat. The water is at nine degrees and falling.",
                hours=5,
                also=(Source(name="Quayside Notes"),),
            ),
        ),
        more=(
            _story("buoys", "Three new buoys mark the channel", hours=6),
            _story("lamp", "The lighthouse lamp goes to the museum, its keeper goes with it", hours=9),
        ),
    )


def _town() -> Section:
    return Section(
        slug="town",
        title="Town",
        stories=(
            _story(
                "bakery",
                "A bakery run by its customers turns one",
                "Shares cost a loaf a week. The ovens have not been cold since.",
                topic="town",
                author="Jun Sato",
                hours=2,
                image=_thumb("bakery", "Loaves on a wooden shelf"),
            ),
            _story(
                "library",
                "Library opens on Sundays",
                "The reading room will be open from noon to six, with the stove lit.",
                topic="town",
                url=None,
                hours=None,
            ),
            _story(
                "arabic",
                "مكتبة المرفأ تفتح أبوابها للقراء الصغار",
                "ساعة للحكايات كل يوم جمعة، والدخول مجاني للجميع.",
                topic="town",
                source="صحيفة الميناء",
                hours=4,
            ),
        ),
        more=(_story("bridge", "Footbridge closed on Tuesday for painting", topic="town", hours=8),),
    )


def _rest() -> Section:
    return Section(
        slug="more",
        title="More stories",
        stories=(_story("minutes", _ENDLESS_TITLE, "All motions were carried.", topic="more", hours=7),),
    )


def _thumb(name: str, alt: str, height: int = 533) -> Image:
    return Image(url=f"https://images.example.org/{name}.jpg", alt=alt, width=800, height=height)


def _story(
    name: str,
    title: str,
    blurb: str = "",
    *,
    topic: str = "coast",
    source: str = "Harbour News",
    url: str | None = "",
    author: str | None = None,
    hours: int | None = 1,
    image: Image | None = None,
    also: tuple[Source, ...] = (),
    via: Via | None = None,
    coverage: tuple[Coverage, ...] = (),
    note: str = "",
) -> Story:
    return Story(
        id=name,
        title=title,
        blurb=blurb,
        url=f"https://news.example.org/2026/11/{name}" if url == "" else url,
        source=source,
        author=author,
        published_at=None if hours is None else _SEND_AT - timedelta(hours=hours),
        image=image,
        tags=(topic,),
        topic=topic,
        rule=f"tag: {topic}",
        also=also,
        coverage=coverage,
        post_ids=(name, *(each.post_id for each in coverage)),
        via=via,
        note=note,
    )
