"""Find texts that a reader should not see: escapes, markup, placeholders, and expressions without a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from html.entities import html5

from digest.model.editions import Edition, Story
from digest.model.messages import Email
from digest.render.preflight.findings import Action, ActionKind, Finding, Level, Place
from digest.render.preflight.rules import found
from digest.render.reading.page import Page
from digest.render.reading.styles import Screen

Said = tuple[str, Place, tuple[Action, ...]]  # a text, where it stands, and what would change it

_ENTITY = re.compile(r"&(?:#\d{1,6}|#[xX][0-9a-fA-F]{1,5}|([A-Za-z][A-Za-z0-9]{1,30}));")
_MARKUP = re.compile(
    r"</?(?:p|br|b|i|u|em|strong|a|span|div|img|ul|ol|li|h[1-6]|script|style|iframe|table|t[dhr]|figure"
    r"|blockquote|font|center|sup|sub)(?:\s[^<>]*)?/?>"
    r"|\[/?(?:caption|gallery|embed|audio|video|playlist|vc_\w+|et_pb_\w+)\b[^\]]*\]",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(
    r"\{\{|\}\}|\{%|%\}|<%|%>|\$\{\w|\*\|\w+\|\*|%%\w+%%|\[object Object\]"
    # A value that is missing is written as a word of its own, at an end or before a sign.
    r"|(?:(?<=[\s,:|(])|(?<![\s\S]))(?:None|undefined|NaN)(?=\s*(?:$|[,.:;|!?)]))"
)
_PLACEHOLDER = re.compile(
    r"lorem ipsum|dolor sit amet"
    r"|(?:insert|add|enter|your) (?:[a-z]+ ){0,2}(?:text|headline|title|name|words) here"
    r"|placeholder (?:text|headline|title)|\b(?:headline|title|text|subject) goes here"
    r"|\bTODO:|\bFIXME\b|\bTKTK\b"
    r"|\bblindtext\b|\btexto de relleno\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"\S+://\S+")
_SCREEN = Screen(width=360)
_SHOWN = 40  # characters of a text in a message


def _entity(text: str) -> str:
    """Return the first character reference that is shown as it is written; empty if there is none."""
    matches = _ENTITY.finditer(text)
    return next((each[0] for each in matches if each[1] is None or f"{each[1]};" in html5), "")


def _first(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def look(text: str) -> str:
        match = pattern.search(text)
        return match[0] if match else ""

    return look


_LOOKS: tuple[tuple[str, Callable[[str], str], str], ...] = (
    ("escapes", _entity, "is escaped twice"),
    ("stray_markup", _first(_MARKUP), "is markup that readers would see"),
    ("unresolved", _first(_EXPRESSION), "is an expression without a value"),
    ("placeholder", _first(_PLACEHOLDER), "is a placeholder"),
)


def texts_of(edition: Edition) -> Iterator[Said]:
    """Yield every text that an edition brings into its emails."""
    for story in edition.stories():
        yield from _texts_of_story(story)
    for heading in {section.slug: section.title for section in edition.sections}.items():
        yield heading[1], Place(topic=heading[0], part="heading"), ()
    for text in (edition.title, edition.site.name, *edition.site.postal_address.splitlines()):
        yield text, Place(part="title or the foot"), ()
    yield from ((each.name, Place(part="foot"), ()) for each in edition.site.brand.links)
    yield edition.introduction, Place(part="introduction"), (Action(kind=ActionKind.INTRODUCTION),)
    yield edition.signed, Place(part="introduction"), (Action(kind=ActionKind.INTRODUCTION),)
    if sponsor := edition.sponsor:
        for text in (sponsor.name, sponsor.text, sponsor.link):
            yield text, Place(part="sponsor"), (Action(kind=ActionKind.SPONSOR),)


def _texts_of_story(story: Story) -> Iterator[Said]:
    change = Action(kind=ActionKind.REWRITE, story=story.id), Action(kind=ActionKind.DROP, story=story.id)
    yield story.title, Place(story=story.id, part="headline"), change
    yield story.blurb, Place(story=story.id, part="text"), change
    yield story.note, Place(story=story.id, part="note"), (Action(kind=ActionKind.NOTE, story=story.id),)
    via = story.via.name if story.via else ""
    named = (story.source, story.author or "", via, *(each.name for each in story.also))
    for text in (*named, *(each.title for each in story.coverage), story.image.alt if story.image else ""):
        yield text, Place(story=story.id), (Action(kind=ActionKind.DROP, story=story.id),)


def wrong_in(edition: Edition) -> Iterator[Finding]:
    """Yield a finding for each text of an edition that has a fault, and each kind of fault in it.

    A fault in a publisher's own text is only a warning, because one careless feed must not stop an edition.
    """
    for text, place, actions in texts_of(edition):
        level = Level.WARN if place.story and place.part != "note" else None
        for rule, look, what in _LOOKS:
            if match := look(text):
                yield found(
                    rule, f"{_quoted(match)} in {_quoted(text)} {what}.", place, *actions, level=level
                )


def wrong_around(email: Email, page: Page, edition: Edition) -> Iterator[Finding]:
    """Yield a finding for each fault in the words around an edition's own: the templates' and the subject."""
    own = sorted({text for text, _, _ in texts_of(edition) if text}, key=len, reverse=True)
    for part, texts in (
        ("HTML", _texts_in(page)),
        ("plain text", _paragraphs(email.text)),
        ("preheader", (email.preheader,)),
        ("subject", (email.subject,)),
    ):
        known: set[str] = set()
        for text in map(str.strip, texts):
            for rule, look, what in _LOOKS:
                match = look(text) and look(_without(own, text))
                if match and rule not in known:
                    known.add(rule)
                    said = f"{_quoted(match)} in {_quoted(text)} {what}."
                    yield found(rule, said, Place(part=part)).because(match)


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a plain text without its links; lines are broken anywhere in a text."""
    yield from (_LINK.sub(" ", " ".join(each.split())) for each in text.split("\n\n"))


def _texts_in(page: Page) -> Iterator[str]:
    for element in page.elements:
        if element.text.strip() and not page.is_hidden(element, _SCREEN):
            yield element.text
        yield from (
            element.attributes[name]
            for name in ("alt", "title", "aria-label")
            if element.attributes.get(name)
        )
        if _entity(link := element.attributes.get("href", "")).startswith(("&amp", "&#")):
            yield link


def _without(own: Iterable[str], text: str) -> str:
    """Return what is left of a text without the edition's own words, of which a line may show a part."""
    for each in own:
        text = text.replace(" ".join(each.split()), " ")
    return "" if any(text.strip() in each for each in own) else text


def _quoted(text: str) -> str:
    bare = " ".join(text.split())
    return f"“{bare[:_SHOWN].rstrip()}…”" if len(bare) > _SHOWN else f"“{bare}”"
