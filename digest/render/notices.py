"""Render notices: emails about a reader's own subscription, and emails to the staff about an edition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from digest.model.messages import Email
from digest.model.publication import Site
from digest.render.fragments.inline import inline
from digest.render.fragments.pieces import close_gaps
from digest.render.languages.languages import Words, words_for
from digest.render.templates import Templates
from digest.render.values import brand_values, site_values

_STYLE = re.compile(r"\s*<style\b[^>]*>.*?</style>\s*", re.DOTALL)
_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)
_BODY = re.compile(r"<body\b[^>]*>|\Z", re.IGNORECASE)
_ENGLISH = words_for("en")  # for the staff


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


# ── to the staff ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class StaffLink:
    """A link in an email to the staff; the first one of an email is its button."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The content of an email to the staff: sentences, and a list of faults that somebody must mend."""

    subject: str
    texts: tuple[str, ...]
    faults: tuple[str, ...] = ()
    links: tuple[StaffLink, ...]
    foot: str
    choice: str  # the page where the person chooses such emails
    mark: str = ""  # of a panel: what the email is, in a few words
    hash: str = ""

    def values(self) -> Mapping[str, object]:
        """Return the values for the templates in `mail/staff/`."""
        return {
            "texts": self.texts,
            "faults": self.faults,
            "links": self.links,
            "link": self.links[0].url,
            "foot": self.foot,
            "choice": self.choice,
            "mark": self.mark,
            "hash": self.hash,
        }


def render_message(templates: Templates, told: Told, site: Site) -> Email:
    """Return a short message to the staff, which looks like our other notices; raises TemplateError."""
    notice = Notice(name="staff/message", subject=told.subject, values=told.values())
    return render_notice(templates, notice, site, _ENGLISH)


def with_panel(email: Email, templates: Templates, told: Told, site: Site) -> Email:
    """Return an edition's email with a panel above it, in HTML and text; raises TemplateError.

    The email below the panel stays the same, byte for byte.
    """
    values = notice_values(Notice(name="", subject=told.subject, values=told.values()), site, _ENGLISH)
    panel = inline(templates.render("mail/staff/panel.html", values))
    styles = "".join(style.strip() for style in _STYLE.findall(panel))
    panel = _STYLE.sub("\n", panel).strip()
    html = _HEAD_END.sub(lambda end: f"{styles}\n{end[0]}", email.html, count=1)
    return Email.whole(
        subject=told.subject,
        preheader=email.preheader,
        html=_BODY.sub(lambda begun: f"{begun[0]}\n{panel}\n", html, count=1),
        text=close_gaps(templates.render("mail/staff/panel.txt", values)) + email.text,
        languages=tuple(dict.fromkeys(("en", *email.languages))),
    )
