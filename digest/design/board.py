"""Draw the board of the live preview: editions in light and dark, wide and narrow, and what is wrong."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from html import escape
from pathlib import Path

from digest.config import Config, load
from digest.design.coming import open_editions, planned_edition
from digest.design.copies import copies_text
from digest.design.samples import SampleEdition, sample_editions
from digest.editions.archive import read_brand_picture, read_picture
from digest.message.look import links_of, web_copy_url
from digest.model.errors import ConfigError, DatabaseError, DigestError, TemplateError
from digest.model.links import parse_copy_name
from digest.model.messages import Email
from digest.model.publication import Digest
from digest.render.mail import render_email
from digest.render.originals.originals import text_at
from digest.render.preflight import encoded_size, preflight
from digest.render.reading.schemes import Scheme, in_scheme
from digest.render.shipped import shipped
from digest.render.templates import Templates, load_templates
from digest.render.web import render_web
from digest.storage.database import open_database
from digest.storage.migrate import migrate

SITE = "/site"  # the pages ask for the pictures of the site below this path
_WIDTHS = (640, 360)
_FILES = (("site", "templates"), ("brand", "logo"), ("brand", "logo_dark"), ("brand", "header"))
_AROUND = 2  # lines before and after the line of a fault
_TEXT = (
    '<!DOCTYPE html><meta charset="utf-8"><title>Plain text</title><style>body {{ margin: 24px;'
    " font: 14px/21px ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap;"
    " unicode-bidi: plaintext; background: #fffefb; color: #1d1b18 }}</style>{text}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A mistake in a template or in config.toml, and the lines around it, with their numbers."""

    place: str  # file:line
    message: str
    line: int | None = None
    around: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One view of an email: the name of its page, and its width in pixels."""

    page: str
    title: str
    width: int
    images: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Several views of one edition, and what the preflight says of its email."""

    name: str
    title: str
    subject: str = ""
    preheader: str = ""
    size: int = 0  # of the HTML in the message, in bytes
    findings: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that the live preview shows of one digest. With faults, it has no rows."""

    digest: str = ""
    title: str = ""
    digests: tuple[tuple[str, str], ...] = ()  # slug and title of each
    note: str = ""  # about the operator's own templates
    faults: tuple[Fault, ...] = ()
    rows: tuple[Row, ...] = ()
    pages: Mapping[str, str] = field(default_factory=dict)  # HTML by name: "many.dark"
    pictures: Mapping[str, bytes] = field(default_factory=dict)  # of the brand, by name
    watched: tuple[Path, ...] = ()  # the files and folders on which the board depends
    stamp: str = ""  # of these, before they were read


def draw(path: Path, environ: Mapping[str, str], slug: str, now: datetime) -> Board:
    """Return the board of a digest, or of the first one if `slug` is empty.

    An error in config.toml or in a template becomes a fault.
    """
    roots = tuple(_roots(path))
    before = stamp(roots)
    try:
        board = _drawn(load(path, environ), slug, now)
    except DigestError as error:
        board = Board(faults=tuple(_faults(error)))
    return replace(board, watched=roots, stamp=before)


def kept_picture(path: Path, environ: Mapping[str, str], name: str) -> bytes:
    """Return a picture that an edition shows; raises NotFoundError, ConfigError and DatabaseError."""
    database = open_database(load(path, environ).database_url)
    try:
        return (
            read_picture(database, name) if parse_copy_name(name) else read_brand_picture(database, name)[0]
        )
    finally:
        database.close()


def stamp(roots: Iterable[Path]) -> str:
    """Return a text that changes whenever one of the files is changed, added or removed."""
    states = [(str(file), *_state(file)) for root in roots for file in (root, *sorted(root.rglob("*")))]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16]


def _roots(path: Path) -> Iterator[Path]:
    """Yield what a board depends on, as far as config.toml can be read, whatever is wrong in it."""
    yield from (path, shipped("templates"))
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return
    for table, key in _FILES:
        named = raw[table].get(key) if isinstance(raw.get(table), dict) else None
        if isinstance(named, str) and named:
            yield path.parent / named


def _state(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:  # it was removed a moment ago, or has not been made yet
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _drawn(config: Config, slug: str, now: datetime) -> Board:
    digest = config.digest(slug) if slug else config.digests[0]
    templates = load_templates(config.templates)
    samples = sample_editions(config, digest)
    templates.check_all(editions=[samples[0].edition, samples[2].edition])
    shown = [*_next(config, digest, now), *samples]
    emails = {each.name: _email(templates, each) for each in shown}
    webs = {each.name: render_web(templates, each.edition) for each in shown}
    return Board(
        digest=digest.slug,
        title=digest.title,
        digests=tuple((each.slug, each.title) for each in config.digests),
        note=copies_text(config),
        rows=tuple(_rows(shown, emails)),
        pictures={file.picture.name: file.body for _, file in config.brand_files},
        pages=dict(_pages(emails, webs, config.site.base_url)),
    )


def _next(config: Config, digest: Digest, now: datetime) -> Iterator[SampleEdition]:
    """Yield the next edition, if the database has one or has posts for one."""
    try:
        database = open_database(config.database_url)
    except DatabaseError:  # `digest check` reports it
        return
    try:
        migrate(database)
        found = next(open_editions(database, digest), None)
        title = "Next edition" if found else "Next edition, as it would be now"
        if edition := found or planned_edition(database, config, digest, now):
            yield SampleEdition(name="next", title=f"{title}: {edition.id}", edition=edition)
    except DatabaseError:
        return
    finally:
        database.close()


def _email(templates: Templates, sample: SampleEdition) -> Email:
    return render_email(
        templates, sample.edition, links_of(sample.edition), web_url=web_copy_url(sample.edition)
    )


def _rows(shown: Iterable[SampleEdition], emails: Mapping[str, Email]) -> Iterator[Row]:
    for each in shown:
        email = emails[each.name]
        yield Row(
            name=each.name,
            title=each.title,
            subject=email.subject,
            preheader=email.preheader,
            size=encoded_size(email.html),
            findings=tuple(finding.message for finding in preflight(email)),
            frames=tuple(_frames(each.name)),
        )
    first = next(iter(emails))
    bare = tuple(_frames(first, images=False))
    yield Row(name="bare", title="Without images", frames=bare)
    yield Row(name="web", title="Web copy", frames=tuple(_frames(f"{first}.web")))
    yield Row(name="text", title="Plain text", frames=tuple(_text_frames(shown)))


def _frames(page: str, *, images: bool = True) -> Iterator[Frame]:
    for scheme in ("light", "dark"):
        for width in _WIDTHS:
            yield Frame(page=f"{page}.{scheme}", title=f"{width} {scheme}", width=width, images=images)


def _text_frames(shown: Iterable[SampleEdition]) -> Iterator[Frame]:
    return (Frame(page=f"{each.name}.text", title=each.title, width=_WIDTHS[0]) for each in shown)


def _pages(emails: Mapping[str, Email], webs: Mapping[str, str], base_url: str) -> Iterator[tuple[str, str]]:
    for name, email in emails.items():
        for page, html in ((name, email.html), (f"{name}.web", webs[name])):
            for scheme in (Scheme.LIGHT, Scheme.DARK):
                yield f"{page}.{scheme}", in_scheme(_with_pictures(html, base_url), scheme)
        yield f"{name}.text", _TEXT.format(text=escape(email.text))


def _with_pictures(html: str, base_url: str) -> str:
    """Return a page that asks this server for the pictures of the site."""
    return re.sub(rf'(\b(?:src|srcset|background)="){re.escape(base_url)}(?=/)', rf"\1{SITE}", html)


def _faults(error: DigestError) -> Iterator[Fault]:
    if isinstance(error, ConfigError):
        for problem in error.problems:
            yield _fault(problem.file, problem.line, str(problem))
    elif isinstance(error, TemplateError):
        yield _fault(error.template, error.line, str(error))
    else:
        yield Fault(place="", message=str(error))


def _fault(file: str, line: int | None, text: str) -> Fault:
    place = file if line is None else f"{file}:{line}"
    return Fault(
        place=place, message=text.removeprefix(f"{place}: "), line=line, around=tuple(_around(file, line))
    )


def _around(file: str, line: int | None) -> Iterator[tuple[int, str]]:
    text = text_at(Path(file)) if line is not None else None
    if line is not None and text is not None:
        lines = list(enumerate(text.splitlines(), start=1))
        yield from lines[max(0, line - 1 - _AROUND) : line + _AROUND]
