"""Render the web copy of an edition: the same snapshot as the mail, with no reader's links in it."""

from __future__ import annotations

from digest.model import Edition
from digest.render.mail import lines
from digest.render.templates import PAGE, Templates
from digest.render.told import page_values
from digest.render.values import PageLinks

_NOWHERE = PageLinks()


def render_web(templates: Templates, edition: Edition, links: PageLinks = _NOWHERE) -> str:
    """Return the page of `edition`. Without a stylesheet in `links` its styles are written into it.

    Raises TemplateError.
    """
    subject, preheader = lines(edition)
    return templates.render(PAGE, page_values(edition, subject=subject, preheader=preheader, links=links))
