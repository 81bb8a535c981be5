"""Reading on the web: what readers have been sent, for anybody, with a feed, previews and a sitemap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from digest.app.notices import page_url
from digest.app.reading import PAGE, edition_path, every_edition, read_archive, read_edition
from digest.errors import NotFoundError
from digest.model import EditionRecord
from digest.render.dates import long_date, tag
from digest.render.mail import lines
from digest.render.templates import Sample
from digest.render.values import PageLinks
from digest.render.web import render_web
from digest.web.atom import Entry, Feed, atom, sitemap
from digest.web.reception import VARY, Desk, Reception, public_languages
from digest.web.security import PICTURES
from subscribers.model import Frequency

router = APIRouter(include_in_schema=False)

_FRESH = "public, max-age=300"
_READ = ["GET", "HEAD"]


@router.api_route("/d/{slug}", methods=_READ)
def archive(request: Request, desk: Desk, slug: str, before: str | None = None) -> Response:
    """List the editions of a digest, the newest first."""
    records = _archive(desk, slug, before)
    say = desk.words(request)
    title = _title(desk, slug, records)
    values = {
        "slug": slug,
        "title": title,
        "about": say("All editions of {title} from {site}.", title=title, site=desk.site.name),
        "open": slug in _slugs(desk),
        "editions": [_line(record, say.language) for record in records[:PAGE]],
        "older": records[PAGE - 1].edition.id if len(records) > PAGE else "",
        "canonical": page_url(desk.app, "d", slug),
        "choices": public_languages(),
    }
    return desk.page("archive", say, values, headers={"cache-control": _FRESH})


@router.api_route("/d/{slug}/feed.atom", methods=_READ)
def feed(request: Request, desk: Desk, slug: str) -> Response:
    """Give the newest editions of a digest as an Atom feed."""
    records = _archive(desk, slug, None)[:PAGE]
    digest = records[0].edition if records else None
    written = Feed(
        url=page_url(desk.app, "d", slug),
        title=f"{_title(desk, slug, records)} – {desk.site.name}",
        author=desk.site.name,
        language=tag(digest.language if digest else desk.app.config.site.language),
        entries=[_entry(desk, record) for record in records],
    )
    body = atom(written, desk.clock())
    return _unchanged_or(request, sha256(body).hexdigest()[:32], body, "application/atom+xml")


@router.api_route("/d/{slug}/{edition_id}", methods=_READ)
def edition(request: Request, desk: Desk, slug: str, edition_id: str) -> Response:
    """Show an edition: the same snapshot as the mail, with no reader's links in it.

    Labels and dates are in the language of the page, stories in that of the edition.
    """
    record = read_edition(desk.app, slug, edition_id)
    say = desk.words(request, None)
    links = _around(desk, record, say.kept)
    html = render_web(desk.app.templates, record.edition, links, language=say.language).encode()
    answer = _unchanged_or(request, sha256(html).hexdigest()[:32], html, "text/html")
    answer.headers["content-security-policy"] = PICTURES
    answer.headers["vary"] = VARY
    answer.headers["content-language"] = say.language
    return answer


@router.api_route("/sitemap.xml", methods=_READ)
def every_page(desk: Desk) -> Response:
    """List the addresses of all that is for everybody."""
    return Response(
        sitemap(_addresses(desk)), media_type="application/xml", headers={"cache-control": _FRESH}
    )


@router.api_route("/robots.txt", methods=_READ)
def robots(desk: Desk) -> Response:
    """Keep crawlers away from what is one reader's alone."""
    closed = "".join(f"Disallow: {desk.root}/{kind}/\n" for kind in ("u", "p", "c", "m", "api"))
    text = f"User-agent: *\n{closed}\nSitemap: {page_url(desk.app, 'sitemap.xml')}\n"
    return PlainTextResponse(text, headers={"cache-control": _FRESH})


def samples() -> tuple[Sample, ...]:
    """Return the list of editions with invented values, and without: to check templates with."""
    url = "https://news.example.org/d/daily"
    values = {"slug": "daily", "title": "Daily", "about": "Text", "canonical": url, "open": True}
    line = {
        "date": "Monday",
        "iso_date": "2026-11-23",
        "path": "/d/daily/x",
        "subject": "S",
        "language": "en",
    }
    return tuple(
        ("web/archive.html", {**values, "editions": lines, "older": older, "choices": public_languages()})
        for lines, older in (((line,), "x"), ((), ""))
    )


def _archive(desk: Reception, slug: str, before: str | None) -> tuple[EditionRecord, ...]:
    records = read_archive(desk.app, slug, before)
    if not records and slug not in _slugs(desk):
        raise NotFoundError("digest", slug)
    return records


def _title(desk: Reception, slug: str, records: Sequence[EditionRecord]) -> str:
    """Return what the newest edition calls its digest; what is gathered is called after its week."""
    own = (record.edition.title for record in records if record.frequency is Frequency.EACH)
    return next(own, desk.title(slug))


def _slugs(desk: Reception) -> set[str]:
    return {digest.slug for digest in desk.app.config.digests}


def _around(desk: Reception, record: EditionRecord, kept: str) -> PageLinks:
    slug = record.edition.digest
    return PageLinks(
        web=page_url(desk.app, "d", slug, record.edition.id),
        archive=page_url(desk.app, "d", slug) + kept,
        subscribe=page_url(desk.app, "signup", slug) + kept if slug in _slugs(desk) else None,
        feed=page_url(desk.app, "d", slug, "feed.atom"),
        home=f"{desk.app.config.site.base_url}/{kept}",
        stylesheet=f"{desk.root}/static/site.css",
        choices=public_languages(),
        published_at=record.dated_at,
    )


def _line(record: EditionRecord, language: str) -> dict[str, str]:
    shown = record.edition
    return {
        "date": long_date(shown.local_date, language),
        "iso_date": shown.local_date.isoformat(),
        "path": edition_path(shown),
        "subject": lines(shown)[0],
        "language": tag(shown.language),
    }


def _entry(desk: Reception, record: EditionRecord) -> Entry:
    subject, preheader = lines(record.edition)
    url = page_url(desk.app, "d", record.edition.digest, record.edition.id)
    language = tag(record.edition.language)
    return Entry(url=url, title=subject, summary=preheader, language=language, at=record.dated_at)


def _addresses(desk: Reception) -> Iterator[tuple[str, datetime | None]]:
    yield f"{desk.app.config.site.base_url}/", None
    for digest in desk.app.config.digests:
        yield page_url(desk.app, "signup", digest.slug), None
        yield page_url(desk.app, "d", digest.slug), None
    for slug, edition_id, at in every_edition(desk.app):
        yield page_url(desk.app, "d", slug, edition_id), at


def _unchanged_or(request: Request, name: str, body: bytes, kind: str) -> Response:
    headers = {"etag": f'"{name}"', "cache-control": _FRESH}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if kind == "text/html":
        return HTMLResponse(body, headers=headers)
    return Response(body, media_type=kind, headers=headers)
