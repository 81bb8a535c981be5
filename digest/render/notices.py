"""Render notices: emails about a reader's own subscription, such as a confirmation or a welcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from digest.model.messages import Email
from digest.model.publication import Site
from digest.render.fragments.inline import inline
from digest.render.fragments.pieces import close_gaps
from digest.render.languages.languages import Words
from digest.render.templates import Templates
from digest.render.values import brand_values, site_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice to one reader; `name` is the name of its two templates in `mail/`."""

    name: str
    subject: str
    values: Mapping[str, object]


def render_notice(templates: Templates, notice: Notice, site: Site, say: Words) -> Email:
    """Return the email of a notice, in the language of `say`; raises TemplateError."""
    values = notice_values(notice, site, say)
    text = templates.render(f"mail/{notice.name}.txt", values)
    return Email.whole(
        subject=notice.subject,
        html=inline(templates.render(f"mail/{notice.name}.html", values)),
        text=close_gaps(text),
        languages=(say.language,),
    )


def notice_values(notice: Notice, site: Site, say: Words) -> dict[str, object]:
    """Return all values that the templates of a notice may use, by name."""
    rtl = say.direction == "rtl"
    return {
        **notice.values,
        "subject": notice.subject,
        "site": site_values(site),
        "brand": brand_values(site),
        "say": say,
        "language": say.language,
        "direction": say.direction,
        "start": "right" if rtl else "left",
    }
