"""The posts of one story, the post that is shown, and the story that a reader sees."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from digest.model.editions import Claim, Coverage, Source, Story
from digest.model.posts import Post, WaitingPost, shown_via
from digest.model.tags import fold, for_people

# The names that publishers give to their opinion and live pages, in a tag or a part of the address.
_NAMES = (
    "letters, opinion, opinions, comment, commentisfree, columnists, editorial, editorials, analysis, live, "
    "liveblog, live-blog, blog, liveticker, meinung, kommentar, kommentare, kolumne, opinión, tribuna, "
    "editoriales, idées, opinione, opinioni, opinie, opinião, мнение, мнения, رأي, görüş, yazarlar"
)
_NOT_A_REPORT = frozenset(map(fold, _NAMES.split(", ")))
# The names that they give to what is paid for, in the same places, and before or after a title.
_PAID_NAMES = (
    "sponsored, sponsored content, sponsored post, sponsor content, partner content, paid content, "
    "paid post, paid partnership, advertorial, brand content, branded content, anzeige, gesponsert, "
    "publireportage, publi-rédactionnel, sponsorisé, contenu sponsorisé, contenu partenaire, "
    "publirreportaje, patrocinado, contenido patrocinado, sponsorizzato, pubbliredazionale, publieditorial, "
    "patrocinada, gesponsord, conteúdo patrocinado, sponsrat, партнёрский материал, محتوى ممول"
)
_PAID = frozenset(map(fold, _PAID_NAMES.split(", ")))
_BETWEEN_LABELS = re.compile(r"[|:()\[\]]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The posts of one story; the first is shown, and the others become "also in …".

    The posts of the `coverage` tell it in other words; their headlines are listed under it.
    """

    posts: tuple[WaitingPost, ...]
    coverage: tuple[WaitingPost, ...] = ()

    @property
    def every(self) -> tuple[WaitingPost, ...]:
        """Return all posts, in the order in which they are shown."""
        return *self.posts, *self.coverage

    @property
    def id(self) -> str:
        """Return the id that the story will have, which is the id of its first post."""
        return self.posts[0].post.id

    @property
    def at(self) -> datetime:
        """Return the time of the post that is shown."""
        return dated_at(self.posts[0])

    @property
    def feeds(self) -> tuple[str, ...]:
        """Return the names of the feeds that cover the story, each once."""
        return tuple(dict.fromkeys(waiting.feed_name for waiting in self.every))

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the tags of all posts, each in its first spelling."""
        spellings: dict[str, str] = {}
        for waiting in self.every:
            for tag in waiting.post.tags:
                spellings.setdefault(fold(tag), tag)
        return tuple(spellings.values())


def dated_at(waiting: WaitingPost) -> datetime:
    """Return the time when a post was published, or first seen if that is earlier or there is no date."""
    post = waiting.post
    return min(post.published_at or post.first_seen_at, post.first_seen_at)


def newest_first(group: Group) -> tuple[float, str]:
    """Return a key that sorts groups, the newest first; the order is always the same."""
    return -group.at.timestamp(), group.id


def group_of(posts: Iterable[WaitingPost]) -> Group:
    """Return the story that `posts` tell, with the post first that serves a reader best."""
    return Group(posts=tuple(sorted(posts, key=shown_first)))


def versions_of(groups: Iterable[Group]) -> Group:
    """Return one story of several that report the same happening; the others are its coverage."""
    first, *others = sorted(groups, key=_version_first)
    return replace(first, coverage=tuple(each for group in others for each in group.posts))


def led_by(group: Group, leaders: Collection[str]) -> Group:
    """Return a story with the first of its posts that is one of the `leaders` as the post that is shown.

    Editors name a story by the id of its first post. If another feed's post took that place when an edition
    is planned again, their edits would not find the story any more, and one that was dropped would be back.
    """
    leader = next((each for each in group.every if each.post.id in leaders), group.posts[0])
    if leader in group.posts:
        return replace(group, posts=(leader, *(each for each in group.posts if each != leader)))
    others = tuple(each for each in group.every if each != leader)
    return replace(group, posts=(leader,), coverage=others)


def shown_first(waiting: WaitingPost) -> tuple[bool, bool, bool, datetime, str]:
    """Return the sort key for the post that is shown: with a link, a picture, a blurb, then the earliest."""
    post = waiting.post
    return post.url is None, post.image is None, not post.blurb, dated_at(waiting), post.id


def _version_first(group: Group) -> tuple[bool, tuple[bool, bool, bool, datetime, str]]:
    """Return the sort key for the version that is shown: a plain report before an opinion or a live page."""
    post = group.posts[0].post
    return is_paid_for(post) or not _is_report(post), shown_first(group.posts[0])


def _is_report(post: Post) -> bool:
    """Return whether a post is no opinion and no live page, by its tags, its link and its title."""
    path = urlsplit(post.url or "").path.lower().split("/")
    _, bar, ending = post.title.rpartition(" | ")
    name = fold(ending) if bar else ""
    kinds = {name, *map(fold, (*path, *post.tags))}
    is_signed = bool(name) and fold(post.author or "").startswith(name)  # "The right tram | Ada Quill"
    return kinds.isdisjoint(_NOT_A_REPORT) and not is_signed


def is_paid_for(post: Post) -> bool:
    """Return whether a post is an advertisement, by its tags, its link and the labels of its title."""
    labels = _BETWEEN_LABELS.split(post.title)
    names = (*urlsplit(post.url or "").path.split("/"), *post.tags, *labels)
    return not _PAID.isdisjoint(map(fold, names))


def to_story(group: Group, *, topic: str, rule: str, claims: tuple[Claim, ...] = ()) -> Story:
    """Return `group` as a story under `topic`, placed there by `rule`; `claims` are those of other topics."""
    shown = group.posts[0]
    return Story(
        id=group.id,
        title=shown.post.title,
        blurb=shown.post.blurb,
        url=shown.post.url,
        source=shown.feed_name,
        author=shown.post.author,
        published_at=shown.post.published_at,
        image=shown.post.image,
        tags=for_people(group.tags),
        topic=topic,
        rule=rule,
        also=tuple(
            Source(name=each.feed_name, url=each.post.url)
            for each in _one_of_each_feed(group.posts)
            if each.feed_name != shown.feed_name
        ),
        post_ids=tuple(each.post.id for each in group.every),
        claims=claims,
        via=shown_via(shown.post, shown.feed_name),
        coverage=tuple(
            Coverage(post_id=each.post.id, title=each.post.title, source=each.feed_name, url=each.post.url)
            for each in group.coverage
        ),
    )


def _one_of_each_feed(posts: Iterable[WaitingPost]) -> Iterable[WaitingPost]:
    """Return the first post of each feed."""
    first: dict[str, WaitingPost] = {}
    for each in posts:
        first.setdefault(each.feed_name, each)
    return first.values()
