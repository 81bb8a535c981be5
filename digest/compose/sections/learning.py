"""Learn from the tags of a feed's posts which of them are its sections.

Blog programs write the categories of a post before its tags, so a tag that often stands first is a section.
Where the order of the tags carries no information, because a program has sorted or shuffled them, the
sections are the tags that together cover the posts with little overlap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

from digest.compose.sections.lexicon import known_by
from digest.compose.sections.names import heading, key_of, singulars

LEARNED = 500  # posts of a feed, the last ones, from which its sections are learned

_SORTED = 0.8  # of the lists of three or more tags: if so many are sorted, a program has sorted them
_ORDERED = 2.0  # how much the first tags deviate from chance; without order, the mean is 1
_ENOUGH = 3  # posts with a tag, before its places say anything about the order
_STRENGTH = 0.2  # a tag is a section if it stands first in so many of its posts
_DOUBT = 3  # posts that are added to each tag's own, with the places of chance
_COMMONEST = 12  # sections …
_COVER = 0.6  # … that lead so many of the tagged posts; the subject tags of a newspaper never do
_GAIN = 0.02  # of the posts, that another section must cover where the order says nothing
_ALL = 0.98  # a tag on so many of the posts says nothing about a post …
_FEW = 5  # … if there are at least so many posts
_TELL = 1 / 3  # of the posts: if the headings of so many are known, they tell what a feed is about …
_TELL_WITHOUT = 0.1  # … and of a feed without sections
_MOST = 0.6  # of these posts: if so many have one heading, it is the subject of the feed
_TIMES = 2  # as many as the next heading has
_TWO = 2  # posts at least
_GENERAL = 3  # headings at least, in a newspaper that writes about everything …
_LARGEST = 0.4  # … and the largest has fewer of these posts


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSections:
    """The sections of a feed. `ranks` has the key of each; of several on a post, the lowest rank counts."""

    ranks: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)  # as the feed writes them
    singulars: Mapping[str, str] = field(default_factory=dict)  # of keys
    everywhere: tuple[str, ...] = ()  # keys of tags on all posts
    about: Mapping[str, int] = field(default_factory=dict)  # headings that tags name → posts

    @property
    def is_general(self) -> bool:
        """Return whether the feed is about everything, as a newspaper is."""
        several = sum(count >= _ENOUGH for count in self.about.values()) >= _GENERAL
        return several and max(self.about.values()) < _LARGEST * sum(self.about.values())

    def subject(self, headings: Mapping[str, int], posts: int) -> str | None:
        """Return the heading to which most of the feed belongs; `headings` has those known of its posts.

        They must be known of more posts where the feed has sections, because then most posts have one; other
        tags are rarely the names of sections.
        """
        ranked = sorted(((count, key) for key, count in headings.items()), reverse=True)
        (count, key), (second, _) = (*ranked, (0, ""), (0, ""))[:2]
        share = _TELL if self.ranks else _TELL_WITHOUT
        least = max(_TWO, share * posts, _MOST * sum(headings.values()), _TIMES * second)
        return key if count >= least and not self.is_general else None

    def keys(self, tags: Iterable[str]) -> list[str]:
        """Return the keys of a post's tags, each once, in their order."""
        found = (key for tag in tags if (key := key_of(tag)))
        return list(dict.fromkeys(self.singulars.get(key, key) for key in found))

    def leading(self, keys: Iterable[str]) -> str | None:
        """Return the section that leads a post with these keys."""
        found = [key for key in keys if key in self.ranks]
        return min(found, key=self.ranks.__getitem__) if found else None  # the first of equals


@lru_cache(maxsize=256)  # an edition is planned again when it does not fit into an email
def learned(posts: tuple[tuple[str, ...], ...], ignored: frozenset[str]) -> FeedSections:
    """Return `learn` of the same posts, which is remembered."""
    return learn(posts, ignored)


def learn(posts: Sequence[Sequence[str]], ignored: Collection[str] = ()) -> FeedSections:
    """Return the sections of a feed, from the tags of its posts in their order.

    `ignored` has the keys of tags that cannot be sections, such as the name of the site. The order of the
    posts does not matter.
    """
    # Most time goes into counting, so tags are counted before they are folded.
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for tag, count in Counter(chain.from_iterable(posts)).items():
        if (key := key_of(tag)) and key not in ignored:
            spellings[key][tag] += count
    plural = singulars(spellings)
    for many, one in plural.items():
        spellings[one].update(spellings[many])
    meant = {tag: plural.get(key, key) for key, tags in spellings.items() for tag in tags}
    meant |= {tag: one for many, one in plural.items() for tag in spellings[many]}
    lists = [list(dict.fromkeys([meant[tag] for tag in tags if tag in meant])) for tags in posts]
    lists = [keys for keys in lists if keys]
    everywhere, lists = _without_everywhere(lists)
    ranks = _sections(lists)
    return FeedSections(
        ranks=ranks,
        names={key: heading(_sorted(spellings[key])) for key in (*ranks, *everywhere)},
        singulars=plural,
        everywhere=everywhere,
        about=_about(posts, ignored),
    )


def _sorted(spellings: Counter[str]) -> list[str]:
    """Return every spelling as often as it was written, so that the first of equals is always the same."""
    return [spelling for spelling in sorted(spellings) for _ in range(spellings[spelling])]


def _about(posts: Sequence[Sequence[str]], ignored: Collection[str]) -> Mapping[str, int]:
    """Return the headings that the tags of the posts name, each with the number of posts."""
    every = set(chain.from_iterable(posts))
    slugs = {tag: slug for tag in every if key_of(tag) not in ignored and (slug := known_by(tag))}
    named = (next((slugs[tag] for tag in tags if tag in slugs), None) for tags in posts)
    return Counter(slug for slug in named if slug)


def _without_everywhere(lists: list[list[str]]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return the tags on all posts, and the lists without them."""
    counts = Counter(chain.from_iterable(lists))
    if len(lists) < _FEW:
        return (), lists
    found = tuple(key for key, count in counts.items() if count >= _ALL * len(lists))
    shorter = [[key for key in keys if key not in found] for keys in lists] if found else lists
    return found, [keys for keys in shorter if keys]


def _sections(lists: Sequence[Sequence[str]]) -> Mapping[str, int]:
    """Return the sections with their ranks, or nothing if the feed's tags are no sections."""
    ranks = dict.fromkeys(_leaders(lists), 0) if _is_ordered(lists) else _cover(lists)
    led = Counter(key for keys in lists if (key := next((each for each in keys if each in ranks), None)))
    covered = sum(count for _, count in led.most_common(_COMMONEST))
    return ranks if covered >= _COVER * len(lists) else {}


# ── where the order says something ──────────────────────────────────────────────────────────


def _is_ordered(lists: Iterable[Sequence[str]]) -> bool:
    """Return whether the order of the tags carries information, and is not the alphabet's or chance."""
    longer = [list(keys) for keys in lists if len(keys) >= 3]
    if longer and sum(keys == sorted(keys) for keys in longer) >= _SORTED * len(longer):
        return False
    by_length: dict[int, list[Sequence[str]]] = defaultdict(list)
    for keys in lists:
        by_length[len(keys)].append(keys)
    several = {length: found for length, found in by_length.items() if length > 1}
    counts = {length: Counter(chain.from_iterable(found)) for length, found in several.items()}
    first = Counter(keys[0] for found in several.values() for keys in found)
    total: Counter[str] = Counter()
    expected: defaultdict[str, float] = defaultdict(float)
    variance: defaultdict[str, float] = defaultdict(float)
    for length, found in counts.items():
        total.update(found)
        for key, count in found.items():
            expected[key] += count / length
            variance[key] += count / length * (1 - 1 / length)
    deviations = [
        (first[key] - expected[key]) ** 2 / variance[key] for key, count in total.items() if count >= _ENOUGH
    ]
    return not deviations or sum(deviations) > _ORDERED * len(deviations)


def _leaders(lists: Sequence[Sequence[str]]) -> list[str]:
    """Return the tags that often stand first."""
    counts = Counter(chain.from_iterable(lists))
    first = Counter(keys[0] for keys in lists)
    chance = sum(1 / len(keys) for keys in lists) / max(1, len(lists))
    return [
        key
        for key, count in counts.items()
        if count > 1 and (first[key] + _DOUBT * chance) / (count + _DOUBT) >= _STRENGTH
    ]


# ── where it says nothing ───────────────────────────────────────────────────────────────────


def _cover(lists: Sequence[Sequence[str]]) -> Mapping[str, int]:
    """Return tags that cover many posts and overlap little, in the order in which they are chosen.

    The commonest tag may be one that all sections share, so each common tag is tried as the first.
    """
    carriers: dict[str, set[int]] = defaultdict(set)
    for number, keys in enumerate(lists):
        for key in keys:
            carriers[key].add(number)
    least = max(2, _GAIN * len(lists))
    common = {key: numbers for key, numbers in carriers.items() if len(numbers) >= least}
    first = sorted(common, key=lambda key: (-len(common[key]), key))[:_COMMONEST]
    tried = [_greedy(common, key, least) for key in first]
    return max(tried, key=lambda ranks: _exactly_once(ranks, common), default={})


def _greedy(common: Mapping[str, set[int]], first: str, least: float) -> Mapping[str, int]:
    """Return `first`, and the tags that add most posts to those before them and share fewest with them."""
    ranks = {first: 0}
    covered = set(common[first])
    candidates = {key: numbers for key, numbers in common.items() if key != first}
    while candidates:
        gains = {key: len(numbers) - 2 * len(numbers & covered) for key, numbers in candidates.items()}
        best = max(gains, key=lambda key: (gains[key], key))
        if gains[best] < least:
            break
        ranks[best] = len(ranks)
        covered |= candidates.pop(best)
    return ranks


def _exactly_once(ranks: Iterable[str], common: Mapping[str, set[int]]) -> int:
    """Return how many posts have one of the tags, less those that have more than one."""
    times = Counter(number for key in ranks for number in common[key])
    return sum(1 if count == 1 else -1 for count in times.values())
