"""Render the web copy of an edition: the same snapshot as the mail, with no reader's links in it."""

from __future__ import annotations

from digest.model import Edition
from digest.render.mail import lines
from digest.render.templates import PAGE, Templates
from digest.render.told import Told, page_values
from digest.render.values import PageLinks

_NOWHERE = PageLinks()


def render_web(
    templates: Templates, edition: Edition, links: PageLinks = _NOWHERE, *, language: str = ""
) -> str:
    """Return the page of `edition`, its labels and dates for a reader who wants `language`.

    Without a stylesheet in `links` its styles are written into it. Raises TemplateError.
    """
    told = Told(edition, language)
    subject, preheader = lines(edition, told)
    values = page_values(edition, told, links, subject=subject, preheader=preheader)
    return templates.render(PAGE, values)
