"""Recognise feeds of readers' comments, by their address, their title and their entries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from digest.model.posts import Post

# "/comment/rss" alone is a newspaper's opinions.
_ADDRESS = re.compile(r"(?:^|[/=_.-])comments(?:[/._-]|$)|comments?[-_]?(?:rss|atom|feed)", re.IGNORECASE)
_ENTRY = re.compile(r"comment|kommentar|reply|respond|c\d+$", re.IGNORECASE)  # the fragment of its link
# A word for comments alone proves nothing, because newspapers call their opinions so. It counts together with
# a word for a feed, as WordPress writes both, or at the beginning: "Comments on …".
_COMMENTS = """
    comments, kommentar, commentaires, comentarios, comentários, comentaris, commenti, reacties, reactions,
    komentar, komentář, komentár, komment, hozzászólás, comentarii, yorum, responses, replies,
    комментари, коментар, σχόλι, σχολί, תגוב, تعليق, دیدگاه, コメント, 评论, 評論, 留言, 댓글,
    bình luận, ความเห็น
"""
_FEEDS = """
    feed, rss, atom, flux, flöde, strøm, straum, syöte, kanał, kanal, canal, hírcsatorna, beslemesi, umpan,
    лента, стрічка, ροή, פיד, خلاصة, تغذية, خوراک, フィード, 피드, dòng
"""
_ABOUT = "on, for, to, zu, für, auf, sur, pour, en, para, sobre, su, per, op, voor, på, til, do, к, до, على"


def _any_of(words: str) -> str:
    return "|".join(re.escape(" ".join(word.split())) for word in words.split(","))


_TITLE = re.compile(
    rf"(?=.*(?:{_any_of(_COMMENTS)}))(?=.*(?:{_any_of(_FEEDS)}))"
    rf"|(?:{_any_of(_COMMENTS)})\w*\s(?:{_any_of(_ABOUT)})\b",
    re.DOTALL,
)


def is_of_comments(url: str, titles: Sequence[str], posts: Sequence[Post] = ()) -> bool:
    """Return whether a feed holds comments of readers instead of posts.

    The titles are those of the link to the feed and of the feed itself. The links of most comments lead to a
    place below a post.
    """
    parts = urlsplit(url)
    if _ADDRESS.search(parts.path) or _ADDRESS.search(parts.query):
        return True
    below = [post for post in posts if post.url and _ENTRY.match(urlsplit(post.url).fragment)]
    return len(below) * 2 > len(posts) or any(_TITLE.match(title.casefold()) for title in titles)
