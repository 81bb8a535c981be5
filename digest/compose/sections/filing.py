"""Find the section of a post: the first rule that answers, and the answer with its reason in words.

The rules are, in this order: the operator's word for the feed; a tag that states the place of the post in its
site; the tag that leads the post, if it is a section of the feed; the address; a tag that the lexicon knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from digest.compose.sections.learning import FeedSections
from digest.compose.sections.lexicon import (
    NATIONAL,
    folders,
    in_address,
    in_place,
    is_news,
    lookup,
    place_in,
    title_of,
)
from digest.compose.sections.names import heading, key_of
from digest.model.posts import WaitingPost
from digest.model.tags import place_of

_BY_ADDRESS = 0.6  # of a feed's posts: if so many addresses name a section, the others name sections too
# Folders that say what kind of page a post is, not where it stands.
_KINDS = frozenset(
    (
        *(
            "article",
            "articles",
            "story",
            "stories",
            "entry",
            "post",
            "posts",
            "blog",
            "blogs",
            "news",
            "live",
        ),
        *("video", "videos", "audio", "gallery", "pictures", "interactive", "amp", "www", "archive", "index"),
        *(
            "press release",
            "artikel",
            "noticias",
            "noticia",
            "nota",
            "actualites",
            "category",
            "topics",
            "tag",
        ),
        *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    )
)
_NO_SECTIONS = FeedSections()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """The section of a post: its key, its name as a heading, and the rule that found it, in words."""

    key: str
    name: str
    rule: str
    is_sure: bool = True  # the publisher has written it as a section, not as one of many tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """All that decides about the sections of posts.

    `words` has the section that the operator names for a feed, and `joined` says that several feeds meet, so
    that their sections are joined by the lexicon.
    """

    learned: Mapping[str, FeedSections]  # by the feed's name
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # feed → slug, title
    by_address: frozenset[str] = frozenset()  # feeds
    joined: bool = False
    language: str = "en"
    ignored: frozenset[str] = frozenset()  # keys of tags that name all of it, such as the name of the site
    only_tags: bool = False  # the parts of a section are not in addresses

    def sections(self, feed: str) -> FeedSections:
        """Return the sections of a feed; a feed without posts so far has none."""
        return self.learned.get(feed, _NO_SECTIONS)

    def file(self, waiting: WaitingPost) -> Filed | None:
        """Return the section of a post, or None if no rule answers."""
        if self.only_tags:
            return self._by_lead(waiting)
        return (
            self._by_word(waiting.feed_name)
            or self._by_place(waiting)
            or self._by_lead(waiting)
            or self._by_address(waiting)
            or self._by_tag(waiting)
            or self._by_news(waiting)
        )

    def keys(self, waiting: WaitingPost) -> list[str]:
        """Return the keys of the headings whose tags a post carries, in the order of its tags."""
        keys = self.sections(waiting.feed_name).keys(waiting.post.tags)
        language = waiting.post.language
        return list(dict.fromkeys(self.key(key, language) for key in keys if key not in self.ignored))

    def key(self, name: str, language: str | None = None) -> str:
        """Return the key of the heading under which a section stands."""
        return (self._lookup(name, language) if self.joined else None) or name

    def title(self, slug: str) -> str:
        """Return a heading of the lexicon in the language of the site."""
        return title_of(slug, self.language)

    def _lookup(self, name: str, language: str | None) -> str | None:
        return lookup(name, language or self.language)

    def _by_word(self, feed: str) -> Filed | None:
        if feed not in self.words:
            return None
        key, title = self.words[feed]
        return Filed(key=key, name=title, rule=f"feed: {feed}")

    def _by_place(self, waiting: WaitingPost) -> Filed | None:
        places = [(tag, place) for tag in waiting.post.tags if (place := place_in(tag))]
        for tag, place in places:
            if slug := in_place(place, waiting.post.language or self.language):
                return self._front_page(waiting, slug, f"structured tag: {tag}")
        for tag, place in places:
            if own := next((part for part in place if key_of(part)), None):
                return self._own(own, f"structured tag: {tag}")
        return None

    def _by_lead(self, waiting: WaitingPost) -> Filed | None:
        sections = self.sections(waiting.feed_name)
        keys = sections.keys(waiting.post.tags)
        if self.joined:
            known = (key for key in sections.everywhere if key in keys and lookup(key))
            if (everywhere := next(known, None)) is not None:
                return self._named(waiting, everywhere, f"tag on every post: {sections.names[everywhere]}")
        leading = sections.leading(keys)
        if leading is None and not self.joined:
            leading = next((key for key in sections.everywhere if key in keys), None)
        if leading is None:
            return None
        return self._named(waiting, leading, f"leads with {sections.names[leading]}")

    def _by_address(self, waiting: WaitingPost) -> Filed | None:
        url = waiting.post.url or ""
        if found := in_address(url, waiting.post.language or self.language):
            slug, part = found
            return self._front_page(waiting, slug, f"address: /{part}/")
        if waiting.feed_name in self.by_address and (own := own_part(url)):
            return self._own(own, f"address: /{own}/")
        return None

    def _by_tag(self, waiting: WaitingPost) -> Filed | None:
        sections = self.sections(waiting.feed_name)
        if sections.ranks and not self.joined:
            return None  # the names of one publisher's sections are its own
        for tag in waiting.post.tags:
            if key_of(tag) and (slug := self._lookup(tag, waiting.post.language)):
                return replace(self._front_page(waiting, slug, f"tag {tag}"), is_sure=False)
        return None

    def _by_news(self, waiting: WaitingPost) -> Filed | None:
        """File a newspaper's news in general with those of its country, as newspapers mean it."""
        if not self.joined or not self.sections(waiting.feed_name).is_general:
            return None
        tag = next((tag for tag in waiting.post.tags if any(map(is_news, place_of(tag) or (tag,)))), None)
        return self._front_page(waiting, NATIONAL, f"news in general: {tag}") if tag else None

    def _front_page(self, waiting: WaitingPost, slug: str, rule: str) -> Filed:
        """Return a heading of the lexicon; of one publisher, its own section of that meaning."""
        if not self.joined:
            sections, language = self.sections(waiting.feed_name), waiting.post.language
            own = next((key for key in sorted(sections.ranks) if self._lookup(key, language) == slug), None)
            if own:
                return Filed(key=own, name=sections.names[own], rule=rule)
        return Filed(key=slug, name=self.title(slug), rule=rule)

    def _named(self, waiting: WaitingPost, key: str, rule: str) -> Filed:
        """Return a section of a feed; where several meet, the heading that the lexicon has for it."""
        slug = self._lookup(key, waiting.post.language) if self.joined else None
        name = self.title(slug) if slug else self.sections(waiting.feed_name).names[key]
        return Filed(key=slug or key, name=name, rule=rule)

    def _own(self, name: str, rule: str) -> Filed:
        return Filed(key=key_of(name) or name, name=heading([name]), rule=rule)


def own_part(url: str) -> str | None:
    """Return the outermost folder of an address that could be a section that the lexicon does not know."""
    for part in folders(url):
        key = key_of(part)
        if key and len(key) > 2 and key not in _KINDS and not any(char.isdigit() for char in key):
            return part
    return None


def feeds_by_address(posts: Iterable[WaitingPost]) -> frozenset[str]:
    """Return the feeds whose addresses name the sections of most posts."""
    named: dict[str, list[bool]] = {}
    for waiting in posts:
        named.setdefault(waiting.feed_name, []).append(in_address(waiting.post.url or "") is not None)
    return frozenset(feed for feed, each in named.items() if sum(each) >= _BY_ADDRESS * len(each))


def word_of(slugs: Sequence[str], titles: Mapping[str, str], language: str) -> tuple[str, str] | None:
    """Return the section that an operator names for a feed: its slug and title.

    A name that the lexicon knows joins the sections of that meaning. `titles` has the configured topics.
    """
    if not slugs:
        return None
    known = lookup(slugs[0])
    title = titles.get(slugs[0]) or (title_of(known, language) if known else heading([slugs[0]]))
    return known or slugs[0], title
