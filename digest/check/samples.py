"""Sample values for every page and notice, so that `digest check` can render each template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from digest.model.publication import Site
from digest.readers.signup import LIMITS
from digest.render.languages.languages import Words, languages, words_for
from digest.render.notices import Notice, notice_values
from digest.render.sample import sample_edition
from digest.render.templates import Sample
from digest.web.pages.context import Link, PageWords, public_languages, shared_values
from digest.web.pages.offers import HOURS, Offer, zones
from digest.web.pages.preferences import Shown
from digest.web.pages.signup import filled_in
from digest.web.pages.unsubscribe import reasons
from digest.web.security.forms import Form
from subscribers.model import Format

_URL = "https://news.example.org"
_OFFER = Offer(
    slug="daily",
    title="Daily",
    about="The day in five minutes",
    rhythm="Every day at 07:00",
    next="Tuesday 07:00",
    topics=(("city", "Around town", "Council and trams"),),
    frequencies=(("each", "Each edition"), ("weekly", "Once a week")),
    last="/d/daily/x",
    archive=f"{_URL}/d/daily",
)
_DESCRIBED = (
    {
        "slug": "daily",
        "title": "Daily",
        "rhythm": "Every day at 07:00",
        "next": "Tuesday 07:00",
        "archive": f"{_URL}/d/daily",
        "leave": f"{_URL}/u/daily/x",
    },
)


def notice_samples(site: Site) -> Iterator[Sample]:
    """Yield the templates of all notices, each with sample values."""
    say = words_for(site.language)
    for notice in _notices():
        for kind in ("html", "txt"):
            yield f"mail/{notice.name}.{kind}", notice_values(notice, site, say)


def page_samples() -> Iterator[Sample]:
    """Yield the templates of all pages with sample values, once for each variant of a page."""
    english = words_for("en")
    say = PageWords(english.language, english.direction, english.texts, "?language=en")
    shared = shared_values(say, sample_edition().site, "")
    sheet = {"brand": shared["brand"], "topic_colours": ()}
    yield from ((f"web/{name}", sheet) for name in ("site.css", "pages.css", "static/icon.svg"))
    yield "web/embed.css", {"brand": shared["brand"]}
    for samples in (_archive(), _preferences(), _messages(), _data(), _signup(), _unsubscribe(say)):
        for name, values in samples:
            yield name, {**shared, **values}


def _notices() -> Iterator[Notice]:
    link, days = f"{_URL}/x", LIMITS.link_life.days
    shared = {"digests": _DESCRIBED, "link": link}
    values: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("confirm", {**shared, "already": (), "changes": False, "days": days}),
        ("confirm", {**shared, "already": _DESCRIBED, "changes": True, "days": days}),
        ("confirm", {**shared, "already": _DESCRIBED, "digests": (), "changes": False, "days": days}),
        ("welcome", shared),
        ("data", {"link": link}),
        ("move", {"link": link, "new": True, "days": days}),
        ("move", {"link": link, "new": False, "days": days}),
    )
    for name, given in values:
        yield Notice(name=name, subject="Subject", values=given)


def _archive() -> Iterator[Sample]:
    values = {
        "slug": "daily",
        "title": "Daily",
        "about": "Text",
        "canonical": f"{_URL}/d/daily",
        "open": True,
    }
    item = {
        "date": "Monday",
        "iso_date": "2026-11-23",
        "path": "/d/daily/x",
        "subject": "S",
        "language": "en",
        "direction": "ltr",
    }
    for items, older in (((item,), "x"), ((), "")):
        more = {"editions": items, "older": older, "choices": public_languages()}
        yield "web/archive.html", {**values, **more}


def _preferences() -> Iterator[Sample]:
    shown = Shown(
        slug="daily",
        title="Daily",
        reads=True,
        next="Tuesday 07:00",
        mode="only",
        topics=(("city", "Around town", "Council and trams", True),),
        hour="07:10",
        frequency="each",
        frequencies=(("each", "Each edition"), ("weekly", "Once a week")),
    )
    values = {
        "action": "/p/x",
        "address": "r…@example.org",
        "shown": [shown],
        "paused": "Monday",
        "tomorrow": "2026-11-24",
        "zone": "",
        "own_zone": "UTC",
        "zones": zones()[:1],
        "hours": HOURS,
        "format": Format.HTML,
        "languages": tuple(languages().items()),
        "reasons": (("other", "Another reason"),),
    }
    faults = dict.fromkeys(("topics", "zone", "language", "frequency", "until", "address"), "Fault.")
    for active in (True, False):
        yield "web/preferences.html", {**values, "active": active, "done": "Saved.", "faults": {}}
    yield "web/preferences.html", {**values, "active": True, "done": "", "faults": faults}


def _messages() -> Iterator[Sample]:
    for link in (None, Link(f"{_URL}/", "Label")):
        yield "web/message.html", {"heading": "Heading", "texts": ("One.", "Two."), "link": link}


def _data() -> Iterator[Sample]:
    values = {
        "action": "/m/x",
        "address": "reader@example.org",
        "digests": [("Daily", "subscribed")],
        "mails": 7,
        "events": [("2026-11-22", "Sunday, November 22, 2026", "you confirmed your subscription")],
    }
    yield "web/data.html", values


def _signup() -> Iterator[Sample]:
    faults = dict.fromkeys(("address", "digest", "topics", "frequency", "hour", "zone"), "Fault.")
    values = {
        **dict.fromkeys(("about", "wording", "ticket", "challenge", "canonical"), "x"),
        "filled": filled_in(Form({}), _OFFER.slug),
        "hours": HOURS,
        "zones": zones()[:1],
        "digests": (_OFFER,),
        "choices": public_languages(),
    }
    yield "web/signup.html", {**values, "one": _OFFER, "faults": {}}
    yield "web/signup.html", {**values, "one": None, "faults": faults}
    yield "web/once_more.html", {"carried": [("address", "reader@example.org")], "ticket": "x"}
    texts = {"heading": "Heading", "lede": "Text", "action": "/c/x", "button": "Button"}
    yield "web/confirm.html", {**texts, "digests": _DESCRIBED}
    yield "web/joined.html", {"digests": _DESCRIBED, "preferences": f"{_URL}/p/x"}


def _unsubscribe(say: Words) -> Iterator[Sample]:
    yield "web/leave.html", {"title": "Daily", "action": "/u/daily/x", "reasons": reasons(say)}
    for everything in (True, False):
        yield "web/left.html", {"title": "Daily", "everything": everything, "ticket": "x"}
