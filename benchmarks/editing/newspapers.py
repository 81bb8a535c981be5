"""Write ten days of nine invented newspapers, whose sections are known. Their words are in `news.toml`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from benchmarks.editing.labelled import Blog, LabelledPost
from benchmarks.editing.publishers import END, invented_place, tables
from digest.model.tags import slug

_DAYS = 10
_SHARE = 0.5  # of a section's number in `news.toml`: its posts in a day


@dataclass(frozen=True, slots=True, kw_only=True)
class Newspaper:
    """A table of `news.toml`; `topic` is the label of a newspaper with one subject."""

    name: str
    style: str
    sections: Sequence[tuple[str, str, Sequence[str], int]]
    topic: str | None = None


def newspapers() -> list[Newspaper]:
    """Return the nine newspapers."""
    return [Newspaper(**table) for table in tables("news.toml", "publisher")]


def posts_of(newspaper: Newspaper) -> Blog:
    """Return the posts of ten days, the oldest first; the last day ends at END."""
    random = Random(newspaper.name)
    posts = []
    for day in range(_DAYS):
        for section in newspaper.sections:
            for number in range(_count(section[3], random)):
                at = END - timedelta(days=_DAYS - day) + timedelta(minutes=random.randrange(60 * 23))
                posts.append(_post(newspaper, section, at, f"{day}{number}", random))
    return sorted(posts, key=lambda post: (post.at, post.url))


def last_day(posts: Blog) -> Blog:
    """Return the posts of the 24 hours before the last of them."""
    return [post for post in posts if post.at > posts[-1].at - timedelta(days=1)]


def _count(share: int, random: Random) -> int:
    """Return a whole number whose average is the share of a day."""
    return int(share * _SHARE + random.random())


def _post(
    newspaper: Newspaper,
    section: tuple[str, str, Sequence[str], int],
    at: datetime,
    number: str,
    random: Random,
) -> LabelledPost:
    label, own, subjects, _ = section
    place = invented_place(random)
    return LabelledPost(
        feed=newspaper.name,
        title=f"{place} {random.choice(subjects) if subjects else invented_place(random)}",
        blurb=f"{place}, {invented_place(random)}.",
        url=_url(newspaper, own, at, f"{slug(place)}-{number}"),
        tags=_tags(newspaper.style, own, subjects, random),
        sections=(label,),
        at=at,
        language="en",
    )


def _url(newspaper: Newspaper, own: str, at: datetime, name: str) -> str:
    home = f"https://{slug(newspaper.name)}.example.org"
    match newspaper.style:
        case "address":
            return f"{home}/{own}/{at:%Y/%b/%d}/{name}".lower()
        case "dated":
            return f"{home}/{at:%Y/%m/%d}/{own}/{name}.html"
        case "structured":
            return f"{home}/{own.rpartition('/')[2]}/{name}/"
        case "numbered":
            return f"{home}/news/{own}-{int(at.timestamp()) + len(name)}"
        case _:
            return f"{home}/{at:%Y/%m}/{name}"


def _tags(style: str, own: str, subjects: Sequence[str], random: Random) -> tuple[str, ...]:
    some = random.sample(subjects, min(len(subjects), random.randint(0, 1)))
    some += [invented_place(random) for _ in range(random.randint(1, 3))]  # people and places
    match style:
        case "structured":
            return (f"structure:{own}", *(f"topics:things/{slug(each)}" for each in some))
        case "categories":
            return (own, *sorted(some))
        case "tags":
            every = [own, *some] if random.random() < 0.75 else some
            return tuple(random.sample(every, len(every)))
        case "address":
            return tuple(random.sample(every := [own.replace("-", " ").capitalize(), *some], len(every)))
        case "numbered":
            return ()
        case _:
            return tuple(random.sample(some, len(some))) if subjects else ()
