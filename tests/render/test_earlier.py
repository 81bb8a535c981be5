"""The emails of an earlier version still render, because operators may have copies of their templates."""

from __future__ import annotations

from pathlib import Path

from digest.model.messages import ReaderLinks
from digest.render.environment import environment_of, from_folders
from digest.render.mail import render_email
from digest.render.originals.originals import EARLIER, folders_of, template_names
from digest.render.preflight import Level, preflight
from digest.render.sample import sample_edition, short_edition
from digest.render.shipped import shipped
from digest.render.templates import Templates, load_templates

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


def test_a_recoloured_copy_of_the_earlier_styles_keeps_the_earlier_email(tmp_path: Path) -> None:
    own = tmp_path / "mail/_styles.html"
    own.parent.mkdir()
    styles = (OURS / EARLIER / "mail/_styles.html").read_text(encoding="utf-8")
    own.write_text(styles.replace("#9c2a1c", "#0b6470"), encoding="utf-8")
    edition = sample_edition()
    before = render_email(earlier_templates(), edition, LINKS, web_url=None)
    now = render_email(load_templates(tmp_path), edition, LINKS, web_url=None)
    assert now.html == before.html.replace("#9c2a1c", "#0b6470")
    assert now.text == before.text
    own.unlink()
    assert render_email(load_templates(tmp_path), edition, LINKS, web_url=None).html != before.html


def test_only_what_has_changed_is_kept_of_the_earlier_version() -> None:
    """The email is kept whole, because its parts belong together."""
    same = [
        name
        for name in template_names(OURS / EARLIER)
        if (OURS / name).is_file() and (OURS / name).read_bytes() == (OURS / EARLIER / name).read_bytes()
    ]
    assert set(same) <= {"mail/_of_edition.html"}
