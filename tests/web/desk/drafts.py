"""A draft on the desk: seven stories under three headings, readers, and the forms that people send."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from httpx2 import Response
from starlette.testclient import TestClient

from digest.compose.compose import compose
from digest.compose.plan import PlanInput
from digest.editions.edits.edits import EditedEdition, read_edits
from digest.model.editions import Due
from digest.model.posts import Image
from tests.compose.newsroom import FEED_LIST
from tests.compose.newsroom import Newsroom as Posts
from tests.compose.samples import published
from tests.web.staff.newsroom import Newsroom

EDITION = "daily-2026-11-23"
PATH = f"/desk/{EDITION}"
CUTOFF = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)  # 06:30 in Berlin
DUE = Due(local_date=date(2026, 11, 23), cutoff_at=CUTOFF, send_at=CUTOFF + timedelta(minutes=30))
STORIES = (
    ("ferry", "Ferry returns after the storm", "Harbour News", ("city",)),
    ("tram", "Tram opens on Quay Street", "The Tram Times", ("city",)),
    ("library", "Library lends ladders and a tent", "Harbour News", ("city",)),
    ("apples", "Late apples keep until Easter", "Coast Weekly", ("garden",)),
    ("seagrass", "Seagrass is back in the outer bay", "Island Radio", ("garden",)),
    ("owls", "Owls at dusk", "Island Radio", ()),
    ("choir", "Choir seeks six tenors", "Harbour News", ()),
)
PICTURE = Image(url="https://digest.example.org/pictures/none.jpg", alt="A ferry", width=640, height=360)


def draft(desk: Newsroom) -> None:
    """Compose the draft at its cutoff; it is six minutes later then, and three readers are waiting."""
    desk.clock.now = CUTOFF
    posts = Posts(database=desk.app.database)
    for at, (name, title, feed, tags) in enumerate(STORIES):
        hours = (CUTOFF - datetime(2026, 11, 22, 6, 30, tzinfo=UTC)) / timedelta(hours=1) - 1 - at
        posts.publish(published(title, feed, id=name, tags=tags, hours=-hours), now=CUTOFF)
    compose(desk.app.database, _plan_input(desk), now=CUTOFF, fits=lambda _: True)
    for name in ("ada", "ben", "eve"):
        desk.site.add(f"{name}@example.org", ["daily"])
    desk.clock.forward(minutes=6)


def _plan_input(desk: Newsroom) -> PlanInput:
    config = desk.app.config
    digest = replace(config.digest("daily"), topics=("city", "green"))
    return PlanInput(digest=digest, site=config.site, due=DUE, topics=config.topics, feeds=FEED_LIST)


def edited(desk: Newsroom) -> EditedEdition:
    return read_edits(desk.app.database, EDITION)


def titles(desk: Newsroom) -> list[str]:
    return [story.title for story in edited(desk).record.edition.stories()]


def order(desk: Newsroom, topic: str) -> list[str]:
    found = (each for each in edited(desk).record.edition.sections if each.slug == topic)
    return [story.id for section in found for story in (*section.stories, *section.more)]


def send(client: TestClient, do: str = "", seen: int | None = None, **fields: str) -> Response:
    """Send one form of the page, whose author has seen so many edits."""
    sent = {"do": do, **fields} if do else fields
    known = {} if seen is None else {"seen": str(seen)}
    return client.post(f"{PATH}/edit", data={**sent, **known})
