"""Give fixed texts in a reader's language: English from the code, other languages from catalogues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

from digest.model.editions import Every
from digest.render.languages.dates import direction


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language. Calling it with an English text returns the text in that language.

    `say("Subscribe to {title}", title="Daily")`: the names in braces are filled in after translation.
    """

    language: str
    direction: str
    texts: Mapping[str, str] = field(repr=False)

    def __call__(self, text: str, /, **values: object) -> str:
        """Return `text` in this language, or in English if there is no translation."""
        translated = self.texts.get(text) or text
        return translated.format(**values) if values else translated


def words_for(language: str) -> Words:
    """Return the texts of the main language of `language` (BCP 47), or English if there is no catalogue."""
    wanted = main_language(language)
    return _words(wanted if wanted in catalogues() else FALLBACK)


@cache
def languages() -> dict[str, str]:
    """Return the available languages: each tag with its own name, English first."""
    tags = [FALLBACK, *sorted(catalogues() - {FALLBACK})]
    return {tag: (Locale.parse(tag).get_display_name(tag) or tag).capitalize() for tag in tags}


@cache
def _words(language: str) -> Words:
    return Words(language, direction(language), {} if language == FALLBACK else _catalogue(language))


def _catalogue(language: str) -> dict[str, str]:
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    return {str(message.id): str(message.string) for message in catalogue if message.id and message.string}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The fixed texts of an edition's templates."""

    in_this_mail: str
    top_story: str
    also_in: str
    also: str  # before the headlines of other feeds
    read_on_the_web: str
    preferences: str
    unsubscribe: str
    all_editions: str
    subscribe: str
    mail: str  # the name a screen reader gives to the whole email
    forwarded: str  # before the link to subscribe
    advertisement: str  # the name of the sponsor's region
    editors_note: str
    _more_in: str = field(repr=False)
    _because: str = field(repr=False)
    _via: str = field(repr=False)
    _next_edition: str = field(repr=False)
    _numbered: str = field(repr=False)

    def replaced(self, texts: Mapping[str, str]) -> Phrases:
        """Return these phrases with other texts; names that are not phrases are ignored."""
        return replace(self, **{name: text for name, text in texts.items() if hasattr(self, name)})

    def more_in(self, topic: str) -> str:
        """Return the heading of the headlines at the end of a topic; markup stays markup."""
        return _filled(self._more_in, topic=topic)

    def via(self, name: str) -> str:
        """Return the note of the publication that had a story first; markup stays markup."""
        return _filled(self._via, name=name)

    def because(self, title: str, site: str) -> str:
        """Return the reason why this reader gets this email; markup stays markup."""
        return _filled(self._because, title=title, site=site)

    def next_edition(self, when: str) -> str:
        """Return the sentence that says when the next edition goes out."""
        return _filled(self._next_edition, when=when)

    def numbered(self, number: int) -> str:
        """Return the number of an edition, as newspapers write it."""
        return self._numbered.format(number=number)


@cache
def phrases_for(language: str, every: Every | None = None) -> Phrases:
    """Return the phrases of `language` (BCP 47), or English ones if there is no catalogue.

    The reason for an email also says how often it comes, if that is known.
    """
    say = words_for(language)
    return Phrases(
        in_this_mail=say("In this edition"),
        top_story=say("Top story"),
        also_in=say("Also in"),
        also=say("Also:"),
        read_on_the_web=say("Read on the web"),
        preferences=say("Change your preferences"),
        unsubscribe=say("Unsubscribe"),
        all_editions=say("All editions"),
        subscribe=say("Subscribe"),
        mail=say("email"),
        _more_in=say("More in {topic}"),
        forwarded=say("Was this forwarded to you?"),
        advertisement=say("Advertisement"),
        editors_note=say("Editor’s note:"),
        _because=_because(every, say),
        _via=say("via {name}"),
        _next_edition=say("The next edition goes out {when}."),
        _numbered=say("No. {number}"),
    )


def _because(every: Every | None, say: Words) -> str:
    match every:
        case Every.DAY:
            return say("You receive this every day because you subscribed to {title} from {site}.")
        case Every.WEEKDAY:
            return say("You receive this every weekday because you subscribed to {title} from {site}.")
        case Every.WEEK:
            return say("You receive this every week because you subscribed to {title} from {site}.")
        case Every.MONTH:
            return say("You receive this every month because you subscribed to {title} from {site}.")
    return say("You receive this email because you subscribed to {title} from {site}.")


def _filled(text: str, **values: str) -> str:
    """Fill in names. If one has markup (a name in another language), everything else is escaped."""
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(text).format(**values)
    return text.format(**values)


FOLDER = Path(__file__).parent

FALLBACK = "en"


@lru_cache(maxsize=1_024)  # called for every email
def spoken(wanted: str, edition: str) -> str:
    """Return the language of the fixed texts around an edition's stories; both arguments are BCP 47 tags.

    The answer is the wanted language, if it has a catalogue and is not the edition's main language;
    otherwise it is the edition's own tag ("en-GB" for a reader of "en"). So there are never more answers
    than catalogues.
    """
    main = main_language(wanted)
    return main if main in catalogues() and main != main_language(edition) else edition


def main_language(tag: str) -> str:
    """Return the language of a tag without its region: "de" for "de-AT"."""
    return tag.split("-", 1)[0].casefold()


@cache
def catalogues() -> frozenset[str]:
    """Return the languages that have texts, including English."""
    return frozenset({FALLBACK, *(path.stem for path in FOLDER.glob("*.po"))})
