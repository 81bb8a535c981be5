"""All pages with invented values, for a look at templates before a reader meets them."""

from __future__ import annotations

from collections.abc import Iterator

from digest.render.languages import words_for
from digest.render.sample import sample_edition
from digest.render.templates import Sample
from digest.render.values import site_values
from digest.web import archive, leave, preferences, reception, rights, signup
from digest.web.reception import PageWords, shared_values


def page_samples() -> Iterator[Sample]:
    """Yield the templates of all pages with values such as they are given; each as often as it has sides."""
    english = words_for("en")
    say = PageWords(english.language, english.direction, english.texts, "?language=en")
    shared = shared_values(say, site_values(sample_edition().site), "")
    for part in (archive, preferences, reception, rights, signup):
        for name, values in part.samples():
            yield name, {**shared, **values}
    for name, values in leave.samples(say):
        yield name, {**shared, **values}
