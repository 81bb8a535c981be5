"""Copy templates into the operator's folder, list them, and compare the copies with their originals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from digest.config import Config
from digest.model.errors import ConfigError, DigestError, NotFoundError
from digest.render.originals.originals import (
    EARLIER,
    KEPT,
    CopyState,
    OwnTemplate,
    names_from_earlier,
    own_templates,
    template_names,
    text_at,
)
from digest.render.shipped import shipped

# The purpose of each template, in the order in which a designer meets them.
PURPOSES = {
    "mail/edition.html": "the HTML of an email, which calls the parts below",
    "mail/_styles.html": "the styles of the email",
    "mail/_masthead.html": "the head: the title and the date",
    "mail/_lead.html": "the story at the top",
    "mail/_length.html": "the line under the title of a brief email: the date and the number of stories",
    "mail/_introduction.html": "the editor's words",
    "mail/_contents.html": "the beginning of the list of topics",
    "mail/_topic.html": "one topic of the list",
    "mail/_section.html": "a topic with its stories",
    "mail/_sponsor.html": "the advertisement",
    "mail/_end.html": "the last line, which says when the next edition comes",
    "mail/_story.html": "the pieces of a story: headline, picture, source",
    "mail/_foot.html": "the foot: why the reader gets the email, links, postal address",
    "mail/_marks.html": "the marks that say which language a text is in",
    "mail/_of_edition.html": "the mark of the edition's language, for use inside a tag",
    "mail/edition.txt": "the plain text of the email, which calls the parts below",
    "mail/_masthead.txt": "the head of the text",
    "mail/_lead.txt": "the story at the top of the text",
    "mail/_length.txt": "the number of stories in a brief email",
    "mail/_introduction.txt": "the editor's words in the text",
    "mail/_contents.txt": "the title of the list of topics",
    "mail/_topic.txt": "one topic of the list",
    "mail/_section.txt": "a topic with its stories in the text",
    "mail/_sponsor.txt": "the advertisement in the text",
    "mail/_end.txt": "the last line of the text",
    "mail/_story.txt": "a story in the text",
    "mail/_foot.txt": "the foot of the text",
    "mail/_notice.html": "the frame of all messages about accounts",
    "mail/_notice.txt": "the same in plain text",
    "mail/confirm.html": "the message that asks to confirm a sign-up",
    "mail/confirm.txt": "the same in plain text",
    "mail/welcome.html": "the message after the confirmation",
    "mail/welcome.txt": "the same in plain text",
    "mail/move.html": "the message that asks to confirm a new address",
    "mail/move.txt": "the same in plain text",
    "mail/data.html": "the message with the link to a reader's data",
    "mail/data.txt": "the same in plain text",
    "web/edition.html": "the web copy of an edition",
    "web/site.css": "the styles of the web copy and the archive",
    "web/pages.css": "the styles of all other pages",
    "web/embed.css": "the styles of the sign-up form on another site",
    "web/_layout.html": "the frame of all other pages",
    "web/archive.html": "the list of editions",
    "web/signup.html": "the page to subscribe",
    "web/_signup_fields.html": "the fields that some sign-up forms add",
    "web/once_more.html": "the page that asks to send a form again",
    "web/confirm.html": "the page with the button that confirms something",
    "web/joined.html": "the page after a confirmed sign-up",
    "web/preferences.html": "the page of a reader's preferences",
    "web/leave.html": "the page with the button to unsubscribe",
    "web/left.html": "the page after unsubscribing",
    "web/_reason.html": "the question why a reader has unsubscribed",
    "web/data.html": "the page with a reader's data",
    "web/message.html": "a page with a short message, such as an error",
}
_STATES = {
    CopyState.CURRENT: "your copy",
    CopyState.OLD: "your copy of an earlier version",
    CopyState.GONE: "your copy of an earlier version; there is no such template any more",
    CopyState.WRITTEN: "written by you",
    CopyState.ADDED: "added by you",
}


class CopyError(DigestError):
    """A template cannot be copied or compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateStatus:
    """A template: what it is for, and what the operator's own file of this name is, if there is any."""

    name: str
    purpose: str
    own: OwnTemplate | None

    @property
    def text(self) -> str:
        """Return in words what the operator's own file is; empty if there is none."""
        return _STATES[self.own.state] if self.own else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison of two texts, as the lines of a unified diff; without lines, they are the same."""

    title: str
    lines: tuple[str, ...]


def list_templates(config: Config) -> tuple[TemplateStatus, ...]:
    """Return all templates, in the order in which a designer meets them, and then the operator's others."""
    own = {each.name: each for each in own_templates(config.templates, _originals())}
    others = {name: "a file of your own" for name in own if name not in PURPOSES}
    return tuple(
        TemplateStatus(name=name, purpose=purpose, own=own.get(name))
        for name, purpose in (PURPOSES | others).items()
    )


def copy_templates(config: Config, names: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """Copy templates into the operator's folder, and yield each path, with False if it existed already.

    The original is kept beside the copies, so that a later version can tell what has changed in it. Raises
    ConfigError without such a folder, NotFoundError before anything is written, and CopyError.
    """
    folder, known = _folder(config), sorted(template_names(_originals()))
    for name in names:
        if name not in known:
            raise NotFoundError("template", name, tuple(known))
    for name in dict.fromkeys(names):
        source = (_originals() / name).read_bytes()
        written = _written(folder / name, source)
        if written:
            _write(folder / KEPT / name, source)
        yield folder / name, written


def compare(config: Config, name: str) -> tuple[Comparison, ...]:
    """Return how the operator's own template differs from its original of today.

    If the copy is old, its own changes and those of the original stand apart as well. Raises ConfigError,
    NotFoundError and CopyError.
    """
    folder = _folder(config)
    own = {each.name: each for each in own_templates(folder, _originals())}
    if name not in own:
        if name in PURPOSES:
            raise CopyError(f"{name}: there is no copy of it in {folder}, so the program uses its own")
        raise NotFoundError("template", name, (*PURPOSES, *own))
    if own[name].state is CopyState.ADDED:
        raise CopyError(f"{folder / name}: it replaces no template, so there is nothing to compare it with")
    return tuple(_comparisons(own[name], folder))


def copies_text(config: Config) -> str:
    """Return in one sentence which of the operator's templates are old; empty if none is."""
    own = own_templates(config.templates, _originals())
    old = [each for each in own if each.is_old]
    if not old:
        return ""
    are = "is your own copy" if len(old) == 1 else "are your own copies"
    sentence = f"{', '.join(each.name for each in old)} {are} of an earlier version"
    if names_from_earlier(own, _originals()):
        sentence += ", so the emails look as they did in that version"
    elif any(each.of_earlier_version and each.name.startswith("mail/") for each in old):
        sentence += ", and may not fit the templates of this version"
    return f"{sentence}; to see what has changed: digest templates diff {old[0].name}"


def _comparisons(own: OwnTemplate, folder: Path) -> Iterator[Comparison]:
    today, yours = _originals() / own.name, folder / own.name
    then = next(
        path
        for path in (folder / KEPT / own.name, _originals() / EARLIER / own.name, today)
        if path.is_file()
    )
    if today.is_file():
        yield _compared("your copy, against today's original", today, yours)
    if own.is_old:
        yield _compared("what you have changed, against the original that you copied", then, yours)
    if own.state is CopyState.OLD:
        yield _compared("what has changed in the original since then", then, today)


def _compared(title: str, before: Path, after: Path) -> Comparison:
    one, other = ((text_at(path) or "").splitlines() for path in (before, after))
    lines = unified_diff(one, other, str(before), str(after), lineterm="")
    return Comparison(title=title, lines=tuple(lines))


def _originals() -> Path:
    return shipped("templates")


def _folder(config: Config) -> Path:
    if config.templates is None:
        advice = 'there is no folder for your own templates; write: templates = "my-templates"'
        raise ConfigError((config.problem("site.templates", advice),))
    return config.templates


def _written(path: Path, source: bytes) -> bool:
    """Write a file, unless there is one already."""
    if path.exists():
        return False
    _write(path, source)
    return True


def _write(path: Path, source: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source)
    except OSError as error:
        raise CopyError(f"{path}: cannot be written: {error.strerror}") from error
