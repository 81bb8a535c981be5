"""The fixed words of mails and pages, in one place, so that a translation has one place to go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """What templates say by themselves. A language is one value of this type."""

    in_this_mail: str = "In this mail"
    top_story: str = "Top story"
    also_in: str = "Also in"
    read_on_the_web: str = "Read on the web"
    preferences: str = "Change your preferences"
    unsubscribe: str = "Unsubscribe"
    all_editions: str = "All editions"
    mail: str = "email"  # what a screen reader calls the whole

    def more_in(self, topic: str) -> str:
        """Return the line above the headlines that close a topic."""
        return f"More in {topic}"

    def because(self, title: str, site: str) -> str:
        """Return why this reader gets this mail."""
        return f"You get this mail because you subscribed to {title} from {site}."


ENGLISH = Phrases()
_LANGUAGES = {"en": ENGLISH}


def phrases_for(language: str) -> Phrases:
    """Return the phrases of `language` (BCP 47), English when there are none."""
    return _LANGUAGES.get(language.split("-", 1)[0].casefold(), ENGLISH)
