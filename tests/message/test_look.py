"""A renderer that remembers gives the emails that are rendered anew, and never those of another look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from digest.message.look import links_of, look_at, look_to_render, remembering_renderer_of, renderer_of
from digest.model.editions import Edition, EditionRecord, EditionState
from digest.model.snapshot import choose, content_hash, headings_of
from digest.render.sample import sample_edition
from digest.render.templates import load_templates
from subscribers.model import Choice


def record_of(edition: Edition) -> EditionRecord:
    return EditionRecord(edition=edition, hash=content_hash(edition), state=EditionState.DRAFT)


def test_each_choice_and_language_is_the_email_that_would_be_rendered_anew_and_is_rendered_once() -> None:
    record, templates = record_of(sample_edition()), load_templates()
    look = look_to_render(templates, record)
    links = links_of(record.edition)
    one = choose(record.edition, Choice.parse(headings_of(record.edition)[0].choice))
    assert one is not None
    for edition in (record.edition, one, record.edition):
        for language in ("de", "ar", "de"):
            seen = remembering_renderer_of(templates, look)(edition, links, language)
            fresh = renderer_of(templates, look)(edition, links, language)
            assert (seen.subject, seen.html, seen.text) == (fresh.subject, fresh.html, fresh.text)
            assert seen is remembering_renderer_of(templates, look)(edition, links, language)


def test_a_changed_template_or_story_is_seen_at_once(tmp_path: Path) -> None:
    own = tmp_path / "mail"
    own.mkdir()
    foot = load_templates().defaults / "mail" / "_foot.html"
    (own / "_foot.html").write_text(foot.read_text(encoding="utf-8"), encoding="utf-8")
    record, templates = record_of(sample_edition()), load_templates(tmp_path)
    before, _ = look_at(templates, record)
    (own / "_foot.html").write_text("<p>Another foot.</p>", encoding="utf-8")
    after, emails = look_at(templates, record)
    assert before.kept().hash != after.kept().hash
    assert "Another foot." in emails[record.edition.language].html
    other = record_of(replace(record.edition, introduction="Good morning from the quay."))
    assert "from the quay" in look_at(templates, other)[1][record.edition.language].html
