"""The rules of the preflight: the name of each, what it looks at, how bad a fault is, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from digest.model.errors import hint
from digest.render.preflight.findings import Action, Finding, Level, Place

_BLOCK, _WARN = Level.BLOCK, Level.WARN


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `title` names what was looked at; a rule that is `kept` cannot be turned off."""

    name: str
    title: str
    level: Level
    fix: str
    kept: bool = False


def _rule(name: str, title: str, level: Level, fix: str, *, kept: bool = False) -> Rule:
    return Rule(name=name, title=title, level=level, fix=fix, kept=kept)


_ALL = (
    # ── the lines that lists of messages show ───────────────────────────────────────────────
    _rule("subject_empty", "subject line", _BLOCK, "Write a subject."),
    _rule("subject_long", "length of the subject", _WARN, "Say the same in fewer words."),
    _rule("subject_shouting", "tone of the subject", _WARN, "Write the subject as a sentence."),
    _rule("subject_repeated", "same subject as last time", _WARN, "Write what is new in this edition."),
    _rule("preheader_long", "preview text", _WARN, "Say the same in fewer words."),
    # ── the stories ─────────────────────────────────────────────────────────────────────────
    _rule("no_story", "stories", _BLOCK, "Restore a story, or refresh the edition."),
    _rule("headline_empty", "headlines", _WARN, "Write a headline, or drop the story."),
    _rule("story_repeated", "repeated stories and headlines", _WARN, "Drop one of the two stories."),
    _rule("one_feed", "one feed over 60 %", _WARN, "Drop or defer some stories of this feed."),
    _rule("lead_old", "age of the lead", _WARN, "Make another story the lead."),
    _rule("empty_section", "empty sections", _WARN, "Move a story there, or refresh the edition."),
    _rule("empty_choice", "topics with no stories", _WARN, "Move a story there, or leave it as it is."),
    # ── the words ───────────────────────────────────────────────────────────────────────────
    _rule("escapes", "characters that were escaped twice", _WARN, "Rewrite the text, or correct the source."),
    _rule("stray_markup", "stray markup", _WARN, "Rewrite the text, or correct the source."),
    _rule("unresolved", "unresolved template expressions", _BLOCK, "Replace the expression by words."),
    _rule("placeholder", "placeholder texts", _WARN, "Replace the placeholder by words."),
    _rule("controls", "control characters", _BLOCK, "Rewrite the text without the character."),
    # ── links ───────────────────────────────────────────────────────────────────────────────
    _rule("link_address", "relative links", _BLOCK, "Write the whole address, from https:// on."),
    _rule("link_inside", "links inside the email", _WARN, "Link to the web copy or to an article."),
    _rule("link_dead", "broken links", _WARN, "Correct the address, or drop the story."),
    _rule("link_redirects", "redirects", _WARN, "Look at the page, and use its own address if it is right."),
    # ── pictures ────────────────────────────────────────────────────────────────────────────
    _rule("picture_address", "addresses of pictures", _BLOCK, "Use an absolute http(s) address."),
    _rule("picture_format", "formats of pictures", _WARN, "Use a JPEG or a PNG."),
    _rule("picture_size", "sizes of pictures", _WARN, "State width and height in pixels."),
    _rule("picture_broken", "broken pictures", _WARN, "Give the story another picture, or none."),
    _rule("alt", "alt texts of pictures", _WARN, "Describe the picture, or take it away."),
    # ── for every reader ────────────────────────────────────────────────────────────────────
    _rule(
        "language",
        "language",
        _WARN,
        'Write lang="{{ language }}" dir="{{ direction }}" into the <html> of the template.',
    ),
    _rule("headings", "headings", _WARN, "Use one h1, an h2 for each topic and an h3 for each story."),
    _rule(
        "contrast", "contrast, light and dark", _WARN, "Change the colours under [brand] or in the template."
    ),
    _rule("width", "width on a phone", _WARN, 'Write width="100%" and a max-width in the style.'),
    # ── for every mail program ──────────────────────────────────────────────────────────────
    _rule(
        "size", "size for each choice of topics", _WARN, "Drop stories, or lower `maximum` or topic quotas."
    ),
    _rule("text_missing", "HTML and plain text", _BLOCK, "Correct the template."),
    _rule("markup", "scripts, forms and films", _BLOCK, "Remove the element from the template."),
    _rule("styles", "length of the styles", _BLOCK, "Shorten the styles of the template."),
    _rule("css", "CSS that mail programs do not support", _WARN, "Use something older in the template."),
    _rule("spam", "spam rules", _WARN, "Look at the rules that the report names."),
    # ── what the law asks for ───────────────────────────────────────────────────────────────
    _rule(
        "unsubscribe", "unsubscribe link", _BLOCK, "Put {{ unsubscribe }} back into the template.", kept=True
    ),
    _rule("postal_address", "postal address", _BLOCK, "Set postal_address, and show all of it.", kept=True),
)
RULES: Mapping[str, Rule] = {rule.name: rule for rule in _ALL}


def found(
    rule: str,
    message: str,
    place: Place | None = None,
    *actions: Action,
    level: Level | None = None,
) -> Finding:
    """Return a finding of a rule; its level is the rule's own unless another one is given."""
    return Finding(
        level or RULES[rule].level,
        message,
        rule=rule,
        place=place or Place(),
        fix=RULES[rule].fix,
        actions=actions,
    )


def passed(findings: Iterable[Finding], off: Iterable[str]) -> tuple[str, ...]:
    """Return the titles of the rules that have no finding and are not turned off."""
    others = {finding.rule for finding in findings} | set(off)
    return tuple(rule.title for name, rule in RULES.items() if name not in others)


def cannot_be_off(name: str) -> str:
    """Return why a rule cannot be turned off; empty if it can."""
    if name not in RULES:
        return f"there is no rule {name!r}{hint(name, RULES)}"
    return f"{name!r} cannot be turned off, because no email may lack it" if RULES[name].kept else ""
