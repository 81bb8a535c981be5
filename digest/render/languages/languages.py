"""Give fixed texts in a reader's language: English from the code, other languages from catalogues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from gettext import c2py
from pathlib import Path
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog
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
    counted: Mapping[str, Mapping[str, str]] = field(repr=False, default_factory=dict, kw_only=True)

    def forms(self, one: str, other: str) -> Mapping[str, str]:
        """Return a text with a number in this language, by the names of its plural forms ("one", "few")."""
        return self.counted.get(one) or {"one": one, "other": other}

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
    if language == FALLBACK:
        return Words(language, direction(language), {})
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    said = [message for message in catalogue if message.id and message.string]
    return Words(
        language,
        direction(language),
        {str(message.id): str(message.string) for message in said if not message.pluralizable},
        counted={
            message.id[0]: _forms(message.string, catalogue) for message in said if message.pluralizable
        },
    )


def _forms(texts: Sequence[str], catalogue: Catalog) -> dict[str, str]:
    """Return the texts of a message with a number by the names of CLDR's plural forms."""
    locale, place = catalogue.locale, c2py(catalogue.plural_expr)
    assert locale is not None
    return {locale.plural_form(number): texts[place(number)] for number in reversed(range(_NUMBERS))}


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
    closing: str  # after the last story
    more: str  # before the headlines at the end of a topic
    one_thing: str  # above the only story that is told
    share: str
    privacy: str
    imprint: str
    _language: str = field(repr=False)
    _stories: Mapping[str, str] = field(repr=False)
    _minutes: Mapping[str, str] = field(repr=False)
    _length: str = field(repr=False)
    _contents: str = field(repr=False)
    _continue: str = field(repr=False)
    _more_in: str = field(repr=False)
    _because: str = field(repr=False)
    _via: str = field(repr=False)
    _next_edition: str = field(repr=False)
    _numbered: str = field(repr=False)

    def replaced(self, texts: Mapping[str, Any]) -> Phrases:
        """Return these phrases with other texts; names that are not phrases are ignored."""
        return replace(self, **{name: text for name, text in texts.items() if hasattr(self, name)})

    def stories(self, count: int) -> str:
        """Return a number of stories: "12 stories"."""
        return _counted(self._stories, count, self._language)

    def length(self, count: int, minutes: int) -> str:
        """Return the length of an email: "12 stories, 4 minutes"."""
        minutes_text = _counted(self._minutes, minutes, self._language)
        return self._length.format(stories=self.stories(count), minutes=minutes_text)

    def contents(self, count: int, minutes: int) -> str:
        """Return the heading of the list of contents: "In this edition: 12 stories, 4 minutes"."""
        return self._contents.format(length=self.length(count, minutes))

    def continue_at(self, source: str) -> str:
        """Return the words of a link to a story: "Continue reading at Harbour News"; markup stays markup."""
        return _filled(self._continue, source=source)

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
        closing=say("That’s all for today."),
        more=say("More"),
        one_thing=say("If you read just one thing"),
        share=say("Share by email"),
        privacy=say("Privacy"),
        imprint=say("Imprint"),
        _language=say.language,
        _stories=say.forms("{count} story", "{count} stories"),
        _minutes=say.forms("{count} minute", "{count} minutes"),
        _length=say("{stories}, {minutes}"),
        _contents=say("In this edition: {length}"),
        _continue=say("Continue reading at {source}"),
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


def _counted(forms: Mapping[str, str], count: int, language: str) -> str:
    form = Locale.parse(language).plural_form(count)
    return forms.get(form, forms["other"]).format(count=count)


def _filled(text: str, **values: str) -> str:
    """Fill in names. If one has markup (a name in another language), everything else is escaped."""
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(text).format(**values)
    return text.format(**values)


FOLDER = Path(__file__).parent

FALLBACK = "en"
_NUMBERS = 201  # from 0 on; among these are all plural forms of all languages


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
