"""The emails of an earlier version still render, because operators may have copies of their templates."""

from __future__ import annotations

from digest.model.messages import ReaderLinks
from digest.model.shipped import shipped
from digest.render.environment import environment_of, from_folders
from digest.render.mail import render_email
from digest.render.originals.originals import EARLIER, folders_of, template_names
from digest.render.preflight import Level, preflight
from digest.render.sample import sample_edition, short_edition
from digest.render.templates import Templates

OURS = shipped("templates")
LINKS = ReaderLinks(unsubscribe="https://p.example.org/u", preferences="https://p.example.org/p")


def earlier_templates() -> Templates:
    """Return the templates that an operator's copies of all earlier ones would make."""
    names = frozenset(template_names(OURS / EARLIER))
    loader = from_folders(lambda name: folders_of(name, None, OURS, names))
    return Templates(defaults=OURS, override=None, environment=environment_of(loader), earlier=names)


def test_the_earlier_emails_can_be_rendered_with_the_values_of_today() -> None:
    templates = earlier_templates()
    templates.check_all()
    for edition in (sample_edition(), short_edition()):
        for language in ("", "de", "ar"):
            email = render_email(templates, edition, LINKS, web_url=None, language=language)
            assert all(story.title[:20] in email.text.replace("\n", " ") for story in edition.stories())
            assert [each for each in preflight(email) if each.level is Level.BLOCK] == []
