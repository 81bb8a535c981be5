"""Render an edition for many choices of topics; the pieces that the emails share are rendered once.

An email consists of pieces, and each piece consists of whole lines. Inlining of styles and quoted-printable
give the same result for a piece alone as for the piece within the email. So each piece is processed once, and
emails are made by joining pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from operator import attrgetter

from markupsafe import escape

from digest.model.editions import Edition
from digest.model.messages import Email, ReaderLinks
from digest.render.fragments.inline import Inliner, ends_outside
from digest.render.fragments.parts import PARTS, Parts
from digest.render.fragments.pieces import Cutter, GapCloser
from digest.render.languages.edition_words import EditionWords
from digest.render.languages.languages import spoken
from digest.render.mail import lines
from digest.render.templates import MAIL_HTML, MAIL_TEXT, Templates
from digest.render.values import OF_A_CHOICE
from digest.render.view import EditionView, choice_values, email_values

# The fields of an edition that are the same for all choices of topics.
_frame = attrgetter(*(field.name for field in fields(Edition) if field.name not in ("lead", "sections")))


class EditionRenderer:
    """Renders the same emails as `render_email`, and keeps the pieces of the last edition's emails.

    `web_url` returns the address of an edition's web copy. If `words` are given, by language, only these
    languages are used. Two threads must not use one renderer at once.
    """

    def __init__(
        self,
        templates: Templates,
        web_url: Callable[[Edition], str | None],
        words: Mapping[str, EditionWords] | None = None,
    ) -> None:
        self._templates = templates
        self._web_url = web_url
        self._words = words
        self._frame: object = None
        self._in_languages: dict[str, _InLanguage] = {}

    def __call__(self, edition: Edition, links: ReaderLinks, language: str = "") -> Email:
        """Return the email of an edition that was reduced to a choice of topics, in a reader's language.

        Raises TemplateError.
        """
        frame = _frame(edition), links
        if self._frame != frame:
            self._frame, self._in_languages = frame, {}
        language = spoken(language, edition.language)
        if self._words is not None and language not in self._words:
            language = edition.language
        renderer = self._in_languages.get(language)
        if renderer is None:
            renderer = self._in_languages[language] = self._in_language(edition, links, language)
        return renderer.email(edition)

    def _in_language(self, edition: Edition, links: ReaderLinks, language: str) -> _InLanguage:
        bare = replace(edition, lead=None, sections=())
        view = EditionView(bare, language, self._words[language] if self._words else None)
        web = self._web_url(edition)
        values = email_values(bare, view, links, subject="", preheader="", web=web)
        return _InLanguage(self._templates, view, values)


class _InLanguage:
    """Renders one edition in one language; it has the values, parts and pieces that its emails share."""

    def __init__(self, templates: Templates, view: EditionView, values: Mapping[str, object]) -> None:
        self._templates = templates
        self._view = view
        self._parts = Parts(templates.render, values, of_a_choice=OF_A_CHOICE)
        self._values = {**values, PARTS: self._parts}
        self._html, self._inliner = Cutter(ends_outside), Inliner()
        self._text, self._gaps = Cutter(), GapCloser()
        self._first: tuple[str, ...] = ()  # the subject and preheader of the first email

    def email(self, chosen: Edition) -> Email:
        """Return the email of the edition, reduced to a choice of topics."""
        subject, preheader = lines(chosen, self._view)
        choice = choice_values(chosen, self._view, subject=subject, preheader=preheader)
        values = {**self._values, **choice}
        page, text = (self._templates.stream(name, values) for name in (MAIL_HTML, MAIL_TEXT))
        parts, own = self._parts.texts, self._own(page, subject, preheader)
        html_pieces = self._inliner.inline(self._html.cut(page, parts, own))
        text_pieces = self._gaps.close(self._text.cut(text, parts))
        return Email(
            subject=subject,
            preheader=preheader,
            html_pieces=tuple(html_pieces),
            text_pieces=tuple(text_pieces),
            languages=self._view.languages,
        )

    def _own(self, page: list[str], *lines: str) -> set[str]:
        """Return those of the `lines` that differ from the first email's, escaped as in `page`.

        If the page has no parts, all lines are returned: the text around them is all that the emails share.
        """
        self._first = self._first or lines
        known = () if self._parts.texts.isdisjoint(page) else self._first
        return {escape(line) for line in lines if line not in known}
