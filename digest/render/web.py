"""Render the web copy of an edition: from the same snapshot as the email, without a reader's links."""

from __future__ import annotations

from collections.abc import Sequence

from digest.model.editions import Correction, Edition
from digest.render.mail import lines
from digest.render.templates import PAGE, Templates
from digest.render.values import PageLinks
from digest.render.view import EditionView, page_values

_NOWHERE = PageLinks()


def render_web(
    templates: Templates,
    edition: Edition,
    links: PageLinks = _NOWHERE,
    *,
    language: str = "",
    corrections: Sequence[Correction] = (),
) -> str:
    """Return the page of `edition`, with labels and dates in `language`, and with its `corrections`.

    If `links` has no stylesheet, the page contains its styles. Raises TemplateError.
    """
    view = EditionView(edition, language)
    subject, preheader = lines(edition, view)
    values = page_values(edition, view, links, subject=subject, preheader=preheader, corrections=corrections)
    return templates.render(PAGE, values)
