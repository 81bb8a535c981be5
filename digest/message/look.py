"""The look of an edition: all that its approval covers, as one value with one hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from threading import Lock

from digest.message.build import Render
from digest.message.reader_links import edition_url, signup_url
from digest.model.editions import Edition, EditionRecord
from digest.model.messages import Email, ReaderLinks
from digest.render.edition_renderer import EditionRenderer
from digest.render.languages.edition_words import EditionWords, all_words_of, words_from
from digest.render.languages.languages import catalogues, spoken
from digest.render.templates import MAIL_HTML, MAIL_TEXT, Templates
from digest.storage.database import Database
from digest.storage.ledger.looks import KeptLook, kept_look

# In an email that is only looked at; no snapshot can contain it by chance.
UNSUBSCRIBE = "reader_leaves_here"
_REMEMBERED = 100  # emails of one look


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """All that an approval covers: the snapshot, the templates, the fixed words, and the emails they make.

    The templates are those that the edition uses, by name. The hashes of the emails with all topics, by
    language, change too if the program makes something else of the same templates and words.
    """

    snapshot: str  # the hash of the snapshot
    templates: Mapping[str, str]
    words: Mapping[str, EditionWords]  # by language
    emails: Mapping[str, str]

    def kept(self) -> KeptLook:
        """Return the look as it is stored."""
        sources = {_hash(source): source for source in self.templates.values()}
        content = {
            "snapshot": self.snapshot,
            "templates": {name: _hash(source) for name, source in self.templates.items()},
            "words": {language: asdict(words) for language, words in self.words.items()},
            "emails": self.emails,
        }
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return KeptLook(hash=_hash(text), content=text, sources=sources)


def look_from(kept: KeptLook) -> Look:
    """Return the look that was stored."""
    content = json.loads(kept.content)
    return Look(
        snapshot=content["snapshot"],
        templates={name: kept.sources[key] for name, key in content["templates"].items()},
        words={language: words_from(words) for language, words in content["words"].items()},
        emails=content["emails"],
    )


def look_at(templates: Templates, record: EditionRecord) -> tuple[Look, dict[str, Email]]:
    """Return the look that an edition has now, and its emails with all topics by language.

    The templates are read from the disk. Raises TemplateError.
    """
    look = look_to_render(templates, record)
    render = remembering_renderer_of(templates, look)
    links = links_of(record.edition)
    emails = {language: render(record.edition, links, language) for language in look.words}
    return replace(look, emails={language: _email_hash(email) for language, email in emails.items()}), emails


def look_to_render(templates: Templates, record: EditionRecord) -> Look:
    """Return the look that an edition has now, without the hashes of its emails: enough to render them.

    The templates are read from the disk. Raises TemplateError.
    """
    return Look(
        snapshot=record.hash,
        templates=templates.sources(MAIL_HTML, MAIL_TEXT),
        words={language: all_words_of(record.edition, language) for language in languages_of(record.edition)},
        emails={},
    )


def links_of(edition: Edition) -> ReaderLinks:
    """Return the links in an edition's emails that are only looked at."""
    return ReaderLinks(
        unsubscribe=UNSUBSCRIBE,
        preferences="reader_chooses_here",
        subscribe=signup_url(edition.site.base_url, edition.digest),
    )


def languages_of(edition: Edition) -> tuple[str, ...]:
    """Return each language in which a reader can get an edition."""
    return tuple(sorted({spoken(wanted, edition.language) for wanted in ("", *catalogues())}))


def renderer_of(templates: Templates, look: Look) -> Render:
    """Return a function that renders an edition with the templates and words of its look, and no others."""
    frozen = _frozen(templates, tuple(look.templates.items()))
    return EditionRenderer(frozen, web_copy_url, look.words)


def remembering_renderer_of(templates: Templates, look: Look) -> Render:
    """Return a function like that of `renderer_of`, which remembers its emails and may be used by threads.

    The pages of the desk ask for the same emails again and again, and each takes 25 ms.
    """
    rendered = replace(look, emails={})  # they are made of all else
    return _remembering(_LookToRender(hash=rendered.kept().hash, templates=templates, look=rendered))


@dataclass(frozen=True, slots=True, kw_only=True)
class _LookToRender:
    """A look that is compared by its hash."""

    hash: str
    templates: Templates
    look: Look = field(compare=False)


@lru_cache(maxsize=4)
def _remembering(wanted: _LookToRender) -> Render:
    return _Remembering(renderer_of(wanted.templates, wanted.look))


class _Remembering:
    """Renders emails of one look, one at a time, and keeps the latest."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._emails: dict[tuple[Edition, ReaderLinks, str], Email] = {}
        self._lock = Lock()

    def __call__(self, edition: Edition, links: ReaderLinks, language: str) -> Email:
        key = edition, links, language
        with self._lock:
            if key not in self._emails:
                if len(self._emails) >= _REMEMBERED:
                    self._emails.clear()
                self._emails[key] = self._render(edition, links, language)
            return self._emails[key]


@lru_cache(maxsize=4)  # templates are compiled when they are first used, which takes 0.1 s for all of them
def _frozen(templates: Templates, sources: tuple[tuple[str, str], ...]) -> Templates:
    return templates.frozen(dict(sources))


def web_copy_url(edition: Edition) -> str:
    """Return the address of the web copy that an edition's emails link to."""
    return edition_url(edition.site.base_url, edition.digest, edition.id)


def approved_look(database: Database, record: EditionRecord) -> Look | None:
    """Return the look that was approved; None if there is no approval, or it is older than looks are."""
    if record.look is None:
        return None
    with database.read() as connection:
        return look_from(kept_look(connection, record.edition.id, record.look))


def differences(approved: Look | None, now: Look) -> tuple[str, ...]:
    """Return what has changed since the approval, as phrases such as "mail/_foot.txt"; empty if nothing has.

    An approval that is older than looks are covers nothing, so everything counts as changed.
    """
    if approved is None:
        return ("the version of the program",)
    if approved == now:
        return ()
    names = [
        *_changed(approved.templates, now.templates),
        *(f"the words in {language!r}" for language in _changed(approved.words, now.words)),
        *(["the stories"] if approved.snapshot != now.snapshot else []),
    ]
    return tuple(names or ["the way in which the program makes emails"])


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    return (name for name in sorted({*before, *after}) if before.get(name) != after.get(name))


def _email_hash(email: Email) -> str:
    return _hash("\0".join((email.subject, email.preheader, email.html, email.text)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
