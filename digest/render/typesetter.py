"""Render an edition for many choices of topics: what their mails have in common is made once.

A mail is a row of pieces, each of whole lines. Inlining styles and writing quoted-printable do to a piece
by itself what they do to it within the mail; so each piece is done once, and mails are made by joining.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from operator import attrgetter

from markupsafe import escape

from digest.model import Edition, Mail, ReaderLinks
from digest.render.inline import Inliner, ends_outside
from digest.render.mail import lines
from digest.render.parts import PARTS, Parts
from digest.render.pieces import Cutter, GapCloser
from digest.render.spoken import spoken
from digest.render.templates import MAIL_HTML, MAIL_TEXT, Templates
from digest.render.told import Told, choice_values, mail_values

# All that a choice of topics leaves as it is.
_frame = attrgetter(*(field.name for field in fields(Edition) if field.name not in ("lead", "sections")))


class Typesetter:
    """Renders mails as `render_mail` does, and keeps what those of the last edition have in common.

    `web_url` tells where an edition's web copy is. Not for two threads at once.
    """

    def __init__(self, templates: Templates, web_url: Callable[[Edition], str | None]) -> None:
        self._templates = templates
        self._web_url = web_url
        self._frame: object = None
        self._forms: dict[str, _Form] = {}

    def __call__(self, edition: Edition, links: ReaderLinks, language: str = "") -> Mail:
        """Return the mail of what a choice of topics has left of an edition, in a reader's language.

        Raises TemplateError.
        """
        frame = _frame(edition), links
        if self._frame != frame:
            self._frame, self._forms = frame, {}
        language = spoken(language, edition.language)
        form = self._forms.get(language)
        if form is None:
            form = self._forms[language] = self._form(edition, links, language)
        return form.mail(edition)

    def _form(self, edition: Edition, links: ReaderLinks, language: str) -> _Form:
        bare = replace(edition, lead=None, sections=())
        told = Told(bare, language)
        web = self._web_url(edition)
        values = mail_values(bare, told, links, subject="", preheader="", web=web)
        return _Form(self._templates, told, values)


class _Form:
    """The type of one edition in one language: values, parts and pieces that its mails have in common."""

    def __init__(self, templates: Templates, told: Told, values: Mapping[str, object]) -> None:
        self._templates = templates
        self._told = told
        self._parts = Parts(templates.render, values)
        self._values = {**values, PARTS: self._parts}
        self._html, self._inliner = Cutter(ends_outside), Inliner()
        self._text, self._gaps = Cutter(), GapCloser()
        self._first: tuple[str, ...] = ()  # the lines of the first mail

    def mail(self, chosen: Edition) -> Mail:
        """Return the mail of what a choice has left of the edition."""
        subject, preheader = lines(chosen, self._told)
        choice = choice_values(chosen, self._told, subject=subject, preheader=preheader)
        values = {**self._values, **choice}
        page, text = (self._templates.stream(name, values) for name in (MAIL_HTML, MAIL_TEXT))
        parts, own = self._parts.texts, self._own(page, subject, preheader)
        html_pieces = self._inliner.inline(self._html.cut(page, parts, own))
        text_pieces = self._gaps.close(self._text.cut(text, parts))
        return Mail(
            subject=subject,
            preheader=preheader,
            html_pieces=tuple(html_pieces),
            text_pieces=tuple(text_pieces),
        )

    def _own(self, page: list[str], *lines: str) -> set[str]:
        """Return, as `page` has them, those of a mail's `lines` that differ from the first mail's.

        All of them where it has no parts: what stands around these lines is all that it shares.
        """
        self._first = self._first or lines
        known = () if self._parts.texts.isdisjoint(page) else self._first
        return {escape(line) for line in lines if line not in known}
