"""Render an edition as an email: subject, preheader, HTML and plain text."""

from __future__ import annotations

import re
from functools import lru_cache

from digest.model.editions import Edition
from digest.model.messages import Email, ReaderLinks
from digest.model.publication import Brand
from digest.render.brand.fonts import SIZES, sans_of
from digest.render.brand.palette import palette_of
from digest.render.fragments.inline import inline
from digest.render.fragments.pieces import close_gaps
from digest.render.languages.languages import words_for
from digest.render.sample import sample_edition
from digest.render.templates import (
    MAIL_HTML,
    MAIL_TEXT,
    PREHEADER_LENGTH,
    SUBJECT_LENGTH,
    Templates,
    render_line,
)
from digest.render.view import EditionView, email_values, line_values
from digest.render.writing.text import shorten, wrap

__all__ = ["lines", "mark_as_test", "render_email", "sample_edition"]

_BODY = re.compile(r"<body\b[^>]*>|\Z", re.IGNORECASE)
_TEST_LINE = (
    '\n<p lang="{language}" dir="{direction}" style="margin:0;padding:12px 16px;background-color:{behind};'
    'color:{front};font-family:{fonts};{size};font-weight:bold;text-align:center">{text}</p>\n'
)


def render_email(
    templates: Templates, edition: Edition, links: ReaderLinks, *, web_url: str | None, language: str = ""
) -> Email:
    """Return the email of `edition`, with fixed texts and dates in the reader's `language`.

    The same arguments give the same bytes. `links` may be placeholders of letters, digits and underscores,
    which stay unchanged in both parts. `web_url` is the address of the web copy, or None. Raises
    TemplateError.
    """
    view = EditionView(edition, language)
    subject, preheader = lines(edition, view)
    values = email_values(edition, view, links, subject=subject, preheader=preheader, web=web_url)
    return Email.whole(
        subject=subject,
        preheader=preheader,
        html=inline(templates.render(MAIL_HTML, values)),
        text=close_gaps(templates.render(MAIL_TEXT, values)),
        languages=view.languages,
    )


def lines(edition: Edition, view: EditionView | None = None) -> tuple[str, str]:
    """Return the subject and the preheader of `edition`, each as one clean line.

    If the subject is empty, it becomes the digest's title and date. If the preheader is empty, it becomes the
    first blurb. Without `view`, dates are in the edition's language.
    """
    view = view or EditionView(edition)
    first = next(edition.stories(), None)
    if first is None:
        return shorten(f"{edition.title} · {edition.local_date.isoformat()}", SUBJECT_LENGTH), ""
    subject, preheader = _written(edition, view)
    return (
        subject or _shortened(f"{view.name} · {view.date}", SUBJECT_LENGTH),
        preheader or _shortened(first.blurb, PREHEADER_LENGTH),
    )


def _written(edition: Edition, view: EditionView) -> tuple[str, str]:
    """Return the two lines from their templates in config.toml."""
    # The values are computed only if a line uses any, because this takes time.
    subject, preheader = edition.subject_template, edition.preheader_template
    values = line_values(edition, view) if "{" in subject + preheader else None
    if values is None:
        return _shortened(subject, SUBJECT_LENGTH), _shortened(preheader, PREHEADER_LENGTH)
    return (
        render_line(subject, values, limit=SUBJECT_LENGTH),
        render_line(preheader, values, limit=PREHEADER_LENGTH),
    )


@lru_cache(maxsize=256)  # most choices of an edition have the same lines
def _shortened(text: str, limit: int) -> str:
    return shorten(text, limit)


def mark_as_test(email: Email, brand: Brand, language: str) -> Email:
    """Return `email` with "[Test]" before its subject, and with a first line that says what it is."""
    say = words_for(language)
    text = say("This is a test message. Its links change nothing, and it does not count.")
    colours = palette_of(brand).light
    line = _TEST_LINE.format(
        language=say.language,
        direction=say.direction,
        behind=colours.flag,
        front=colours.on_flag,
        fonts=sans_of(brand),
        size=SIZES.button.base,
        text=text,
    )
    return Email.whole(
        subject=say("[Test] {subject}", subject=email.subject),
        preheader=email.preheader,
        html=_BODY.sub(lambda begun: begun[0] + line, email.html, count=1) if email.html else "",
        text=f"{wrap(text, direction=say.direction)}\n\n{email.text}",
        languages=email.languages,
    )
