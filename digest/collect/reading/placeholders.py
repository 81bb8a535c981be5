"""Recognise entries that stand in for something else: WordPress's protected posts, RSS-Bridge's errors."""

from __future__ import annotations

import re
from collections.abc import Sequence

from digest.model.posts import Post

# The titles of posts with a password and of private posts, as WordPress writes them in these languages.
# "Özel:" and "خاص:" are not among them: they also mean "exclusive", and newspapers begin headlines so.
_TITLES = """
    Protected, Private, Geschützt, Privat, Protégé, Privé, Protegido, Protegida, Privado, Privada,
    Protetto, Privato, Beveiligd, Skyddad, Beskyttet, Suojattu, Yksityinen, Zabezpieczone, Prywatne,
    Chráněno, Soukromé, Védett, Magán, Защищено, Личное, Захищено, Korumalı, محمي, מוגן, פרטי,
    保護中, 非公開, 密码保护, 私密, 보호된 글, 비공개, Được bảo vệ
"""
_NAMES = "|".join(re.escape(" ".join(name.split())) for name in _TITLES.split(","))
_MARK = re.compile(rf"(?:{_NAMES})\s?[:：]\s*\S")
# The words that WordPress puts in the place of the text.
_TEXTS = (
    "there is no excerpt because this is a protected post",
    "this content is password protected",
    "this post is password protected",
    "keinen textauszug, da dies ein geschützter beitrag ist",
    "dieser inhalt ist passwortgeschützt",
    "il n’y a pas d’extrait, car cette publication est protégée",
    "il n’y a pas d’extrait car cet article est protégé",
    "ce contenu est protégé par un mot de passe",
    "no hay extracto porque es una entrada protegida",
    "este contenido está protegido por contraseña",
    "non c’è alcun riassunto in quanto si tratta di un articolo protetto",
    "questo contenuto è protetto da password",
    "não há resumo porque este é um post protegido",
    "este conteúdo está protegido por senha",
    "er is geen samenvatting omdat dit een beveiligd bericht is",
    "deze inhoud is beveiligd met een wachtwoord",
    "لا يوجد مقتطف لأن هذه المقالة محمية",
)
_BRIDGE_ERROR = re.compile(r"(?:.{1,80}: )?Bridge returned error (\d+)!? \(\d+\)")
_ERROR = re.compile(r"(?:(?:rss|feed|server|internal) )*error\b", re.IGNORECASE)
# Pages that are sent instead of a feed with the status 200, and what they mean.
_PAGES = (
    (
        rb"cf-chl|/challenge-platform/|Attention Required! \| Cloudflare|<title>Just a moment\.\.\.",
        "A protection against robots (Cloudflare) answers; ask the publisher to let programs read the feed.",
    ),
    (
        rb"_Incapsula_Resource|<title>DDOS-GUARD",
        "A protection against robots answers; ask the publisher to let programs read the feed.",
    ),
    (
        rb"Error establishing a database connection|WordPress database error",
        "The publisher's site cannot use its database; the feed is tried again later.",
    ),
    (
        rb"<b>(?:Fatal|Parse) error</b>:|PHP Fatal error:",
        "The program of the publisher's site has failed; tell the publisher if this lasts.",
    ),
)
_ERROR_PAGES = tuple((re.compile(words, re.IGNORECASE), sentence) for words, sentence in _PAGES)
_PAGE_BEGINS = 20_000  # bytes


def is_protected(post: Post) -> bool:
    """Return whether a post can be read only with a password or by members of its site."""
    text = post.blurb.casefold().replace("'", "’").replace("password-protected", "password protected")
    return bool(_MARK.match(post.title)) or any(known in text for known in _TEXTS)


def error_page(document: bytes) -> str:
    """Return one sentence if a document that is no feed is a known kind of error page, and "" otherwise."""
    begin = document[:_PAGE_BEGINS]
    return next((sentence for words, sentence in _ERROR_PAGES if words.search(begin)), "")


def is_error_feed(title: str, posts: Sequence[Post]) -> bool:
    """Return whether a feed was made to report an error: its title and that of its only entry say so."""
    return len(posts) == 1 and bool(_ERROR.match(title) and _ERROR.match(posts[0].title))


def bridge_error(post: Post) -> str | None:
    """Return the code in an entry that reports an error of RSS-Bridge, or None for any other entry."""
    found = _BRIDGE_ERROR.match(post.title)
    return found[1] if found else None
