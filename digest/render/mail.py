"""Render an edition as a mail: subject, preheader, HTML and its twin in plain text."""

from __future__ import annotations

from functools import lru_cache

from digest.model import Edition, Mail, ReaderLinks
from digest.render.inline import inline
from digest.render.pieces import close_gaps
from digest.render.sample import sample_edition
from digest.render.templates import (
    MAIL_HTML,
    MAIL_TEXT,
    PREHEADER_LENGTH,
    SUBJECT_LENGTH,
    Templates,
    render_line,
)
from digest.render.text import shorten
from digest.render.told import Told, line_values, mail_values

__all__ = ["lines", "render_mail", "sample_edition"]


def render_mail(
    templates: Templates, edition: Edition, links: ReaderLinks, *, web_url: str | None, language: str = ""
) -> Mail:
    """Return the mail of `edition` for a reader who wants `language`: fixed words and dates are in it.

    The same arguments give the same bytes. `links` may be placeholders of letters, digits and underscores,
    which come out unchanged in both parts. `web_url` is the address of the web copy, or None when there
    is none. Raises TemplateError.
    """
    told = Told(edition, language)
    subject, preheader = lines(edition, told)
    values = mail_values(edition, told, links, subject=subject, preheader=preheader, web=web_url)
    return Mail.whole(
        subject=subject,
        preheader=preheader,
        html=inline(templates.render(MAIL_HTML, values)),
        text=close_gaps(templates.render(MAIL_TEXT, values)),
    )


def lines(edition: Edition, told: Told | None = None) -> tuple[str, str]:
    """Return the subject and the preheader of `edition`, each one clean line.

    A subject that comes out empty is the digest's title and date; a preheader, the first blurb. Without
    `told` a date is in the edition's language.
    """
    told = told or Told(edition)
    first = next(edition.stories(), None)
    if first is None:
        return shorten(f"{edition.title} · {edition.local_date.isoformat()}", SUBJECT_LENGTH), ""
    subject, preheader = _written(edition, told)
    return (
        subject or _shortened(f"{told.name} · {told.date}", SUBJECT_LENGTH),
        preheader or _shortened(first.blurb, PREHEADER_LENGTH),
    )


def _written(edition: Edition, told: Told) -> tuple[str, str]:
    """Return what config.toml makes of the two lines; values are gathered only for lines that take some."""
    subject, preheader = edition.subject_template, edition.preheader_template
    values = line_values(edition, told) if "{" in subject + preheader else None
    if values is None:
        return _shortened(subject, SUBJECT_LENGTH), _shortened(preheader, PREHEADER_LENGTH)
    return (
        render_line(subject, values, limit=SUBJECT_LENGTH),
        render_line(preheader, values, limit=PREHEADER_LENGTH),
    )


@lru_cache(maxsize=256)  # most choices of an edition have the same
def _shortened(text: str, limit: int) -> str:
    return shorten(text, limit)
