"""Render an edition for many choices of topics: what their mails have in common is made once.

A mail is a row of pieces, each of whole lines. Inlining styles and writing quoted-printable do to a piece
by itself what they do to it within the mail; so each piece is done once, and mails are made by joining.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from markupsafe import escape

from digest.model import Edition, Mail, ReaderLinks
from digest.render.inline import Inliner, ends_outside
from digest.render.mail import lines
from digest.render.parts import PARTS, Parts
from digest.render.pieces import Cutter, GapCloser
from digest.render.spoken import spoken
from digest.render.templates import MAIL_HTML, MAIL_TEXT, Templates
from digest.render.told import Told, choice_values, mail_values

_Frame = tuple[Edition, ReaderLinks]  # what all mails of an edition stand in: it, without its stories


class Typesetter:
    """Renders mails as `render_mail` does, and keeps what those of the last edition have in common.

    `web_url` tells where an edition's web copy is. Not for two threads at once.
    """

    def __init__(self, templates: Templates, web_url: Callable[[Edition], str | None]) -> None:
        self._templates = templates
        self._web_url = web_url
        self._frame: _Frame | None = None
        self._forms: dict[str, _Form] = {}

    def __call__(self, edition: Edition, links: ReaderLinks, language: str = "") -> Mail:
        """Return the mail of what a choice of topics has left of an edition, in a reader's language.

        Raises TemplateError.
        """
        frame = replace(edition, lead=None, sections=()), links
        if self._frame != frame:
            self._frame, self._forms = frame, {}
        language = spoken(language, edition.language)
        if language not in self._forms:
            told = Told(frame[0], language)
            self._forms[language] = _Form(self._templates, frame, told, self._web_url(edition))
        return self._forms[language].mail(edition)


class _Form:
    """The type of one edition in one language: values, parts and pieces that its mails have in common."""

    def __init__(self, templates: Templates, frame: _Frame, told: Told, web_url: str | None) -> None:
        edition, links = frame
        self._templates = templates
        self._told = told
        values = mail_values(edition, told, links, subject="", preheader="", web=web_url)
        self._parts = Parts(templates.render, values)
        self._values = {**values, PARTS: self._parts}
        self._html, self._inliner = Cutter(ends_outside), Inliner()
        self._text, self._gaps = Cutter(), GapCloser()

    def mail(self, chosen: Edition) -> Mail:
        """Return the mail of what a choice has left of the edition."""
        subject, preheader = lines(chosen, self._told)
        choice = choice_values(chosen, self._told, subject=subject, preheader=preheader)
        values = {**self._values, **choice}
        parts, own = self._parts.texts, (escape(subject), escape(preheader))
        page, text = (self._templates.stream(name, values) for name in (MAIL_HTML, MAIL_TEXT))
        html_pieces = self._inliner.inline(self._html.cut(page, parts, own))
        text_pieces = self._gaps.close(self._text.cut(text, parts))
        return Mail(
            subject=subject,
            preheader=preheader,
            html="".join(html_pieces),
            text="".join(text_pieces),
            html_pieces=tuple(html_pieces),
            text_pieces=tuple(text_pieces),
        )
