"""The fixed words of an edition, as its templates name them, in the language of whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from markupsafe import Markup, escape

from digest.render.languages import words_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """What templates say by themselves."""

    in_this_mail: str
    top_story: str
    also_in: str
    read_on_the_web: str
    preferences: str
    unsubscribe: str
    all_editions: str
    subscribe: str
    mail: str  # what a screen reader calls the whole
    _more_in: str = field(repr=False)
    _because: str = field(repr=False)

    def more_in(self, topic: str) -> str:
        """Return the line above the headlines that close a topic; markup stays markup."""
        return _filled(self._more_in, topic=topic)

    def because(self, title: str, site: str) -> str:
        """Return why this reader gets this mail; markup stays markup."""
        return _filled(self._because, title=title, site=site)


@cache
def phrases_for(language: str) -> Phrases:
    """Return the phrases of `language` (BCP 47), English when there are none."""
    say = words_for(language)
    return Phrases(
        in_this_mail=say("In this mail"),
        top_story=say("Top story"),
        also_in=say("Also in"),
        read_on_the_web=say("Read on the web"),
        preferences=say("Change your preferences"),
        unsubscribe=say("Unsubscribe"),
        all_editions=say("All editions"),
        subscribe=say("Subscribe"),
        mail=say("email"),
        _more_in=say("More in {topic}"),
        _because=say("You get this mail because you subscribed to {title} from {site}."),
    )


def _filled(text: str, **values: str) -> str:
    """Fill names in; when one is marked up, as a name in another language is, the rest is escaped."""
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(text).format(**values)
    return text.format(**values)
