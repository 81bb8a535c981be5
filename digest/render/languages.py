"""Say fixed texts in a reader's language: English as it stands in the code, others from catalogues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from babel import Locale
from babel.messages.pofile import read_po

from digest.render.dates import direction
from digest.render.spoken import FALLBACK, FOLDER, catalogues, main_language


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language. Called with an English text it returns that text in the language.

    `say("Leave {title}", title="Daily")`: the names in braces are filled after translating.
    """

    language: str
    direction: str
    texts: Mapping[str, str] = field(repr=False)

    def __call__(self, text: str, /, **values: object) -> str:
        """Return `text` in this language, or in English when nobody has translated it."""
        said = self.texts.get(text) or text
        return said.format(**values) if values else said


def words_for(language: str) -> Words:
    """Return the texts of `language` (BCP 47); of its main language, or English, when there are none."""
    wanted = main_language(language)
    return _words(wanted if wanted in catalogues() else FALLBACK)


@cache
def languages() -> dict[str, str]:
    """Return the languages there are: each tag with its name in itself, English first."""
    tags = [FALLBACK, *sorted(catalogues() - {FALLBACK})]
    return {tag: (Locale.parse(tag).get_display_name(tag) or tag).capitalize() for tag in tags}


@cache
def _words(language: str) -> Words:
    return Words(language, direction(language), {} if language == FALLBACK else _catalogue(language))


def _catalogue(language: str) -> dict[str, str]:
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    return {str(message.id): str(message.string) for message in catalogue if message.id and message.string}
