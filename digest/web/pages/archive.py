"""The public archive: sent editions, an Atom feed, link previews, a sitemap and robots.txt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from digest.editions.archive import (
    PAGE,
    corrections_of,
    edition_path,
    every_edition,
    read_archive,
    read_brand_picture,
    read_edition,
    read_picture,
)
from digest.message.reader_links import ARCHIVE, PRIVATE, archive_url, edition_url, page_url, signup_url
from digest.model.editions import Edition, EditionRecord
from digest.model.errors import NotFoundError
from digest.render.languages.dates import direction, long_date, tag
from digest.render.mail import lines
from digest.render.values import PageLinks, brand_values
from digest.render.view import EditionView
from digest.render.web import render_web
from digest.web.pages.atom import AtomEntry, AtomFeed, atom, sitemap
from digest.web.pages.context import VARY, Context, WebContext, public_languages
from digest.web.security.security import PICTURES
from subscribers.model import Frequency

router = APIRouter(include_in_schema=False)

_FRESH = "public, max-age=300"
_FOR_EVER = "public, max-age=31536000, immutable"
_READ = ["GET", "HEAD"]
_SHEET = "site.css"


@router.api_route(f"/{ARCHIVE}/{{slug}}", methods=_READ)
def archive(request: Request, context: Context, slug: str, before: str | None = None) -> Response:
    """List the editions of a digest, newest first."""
    records = _archive(context, slug, before)
    say = context.words(request)
    title = _title(context, slug, records)
    values = {
        "slug": slug,
        "title": title,
        "about": say("Read all editions of {title} from {site}.", title=title, site=context.site.name),
        "open": slug in _slugs(context),
        "editions": [_list_item(record, say.language) for record in records[:PAGE]],
        "older": records[PAGE - 1].edition.id if len(records) > PAGE else "",
        "canonical": archive_url(context.app.config.site.base_url, slug),
        "choices": public_languages(),
    }
    return context.page("archive", say, values, headers={"cache-control": _FRESH})


@router.api_route(f"/{ARCHIVE}/{{slug}}/feed.atom", methods=_READ)
def feed(request: Request, context: Context, slug: str) -> Response:
    """Return the newest editions of a digest as an Atom feed."""
    records = _archive(context, slug, None)[:PAGE]
    digest = records[0].edition if records else None
    written = AtomFeed(
        url=archive_url(context.app.config.site.base_url, slug),
        title=f"{_title(context, slug, records)} – {context.site.name}",
        author=context.site.name,
        language=tag(digest.language if digest else context.app.config.site.language),
        entries=[_entry(context, record) for record in records],
    )
    body = atom(written, context.clock())
    return _unchanged_or(request, sha256(body).hexdigest()[:32], body, "application/atom+xml")


@router.api_route(f"/{ARCHIVE}/{{slug}}/{{edition_id}}", methods=_READ)
def edition(request: Request, context: Context, slug: str, edition_id: str) -> Response:
    """Show an edition, rendered from the same snapshot as the email but without a reader's links.

    Labels and dates are in the language of the page, stories in the language of the edition.
    """
    record = read_edition(context.app.database, slug, edition_id)
    say = context.words(request, None)
    links = _page_links(context, record, say.kept)
    html = render_web(
        context.app.templates,
        record.edition,
        links,
        language=say.language,
        corrections=corrections_of(context.app.database, edition_id),
    ).encode()
    answer = _unchanged_or(request, sha256(html).hexdigest()[:32], html, "text/html")
    answer.headers["content-security-policy"] = PICTURES
    answer.headers["vary"] = VARY
    answer.headers["content-language"] = say.language
    return answer


@router.api_route(f"/{ARCHIVE}/{{slug}}/{{edition_id}}/{_SHEET}", methods=_READ)
def edition_sheet(request: Request, context: Context, slug: str, edition_id: str) -> Response:
    """Return the styles of one edition, in the colours of the brand and the topics that it was sent with."""
    shown = read_edition(context.app.database, slug, edition_id).edition
    values = {"brand": brand_values(shown.site), "topic_colours": EditionView(shown).colours.values()}
    body = context.app.templates.render("web/site.css", values).encode()
    return _unchanged_or(request, sha256(body).hexdigest()[:32], body, "text/css")


@router.api_route("/sitemap.xml", methods=_READ)
def public_sitemap(context: Context) -> Response:
    """List all public pages as a sitemap."""
    return Response(
        sitemap(_public_urls(context)), media_type="application/xml", headers={"cache-control": _FRESH}
    )


@router.api_route("/pictures/{name}", methods=_READ)
def picture(context: Context, name: str) -> Response:
    """Return our copy of a picture; its address is made from its content, so it never changes."""
    body = read_picture(context.app.database, name)
    headers = {"cache-control": _FOR_EVER, "cross-origin-resource-policy": "cross-origin"}
    return Response(body, media_type="image/jpeg", headers=headers)


@router.api_route("/brand/{name}", methods=_READ)
def brand_picture(context: Context, name: str) -> Response:
    """Return a logo or a header picture of this publisher; its address never changes what it shows."""
    body, kind = read_brand_picture(context.app.database, name)
    headers = {"cache-control": _FOR_EVER, "cross-origin-resource-policy": "cross-origin"}
    return Response(body, media_type=kind, headers=headers)


@router.api_route("/robots.txt", methods=_READ)
def robots(context: Context) -> Response:
    """Return robots.txt, which keeps crawlers away from the pages of single readers."""
    closed = "".join(f"Disallow: {context.root}/{kind}/\n" for kind in (*PRIVATE, "api"))
    text = f"User-agent: *\n{closed}\nSitemap: {page_url(context.app.config.site.base_url, 'sitemap.xml')}\n"
    return PlainTextResponse(text, headers={"cache-control": _FRESH})


def _archive(context: WebContext, slug: str, before: str | None) -> tuple[EditionRecord, ...]:
    records = read_archive(context.app.database, slug, before)
    if not records and slug not in _slugs(context):
        raise NotFoundError("digest", slug)
    return records


def _title(context: WebContext, slug: str, records: Sequence[EditionRecord]) -> str:
    """Return the digest's title in its newest edition; gathered editions have titles of their own."""
    own = (record.edition.title for record in records if record.frequency is Frequency.EACH)
    return next(own, context.title(slug))


def _slugs(context: WebContext) -> set[str]:
    return {digest.slug for digest in context.app.config.digests}


def _page_links(context: WebContext, record: EditionRecord, kept: str) -> PageLinks:
    slug = record.edition.digest
    return PageLinks(
        web=edition_url(context.app.config.site.base_url, slug, record.edition.id),
        archive=archive_url(context.app.config.site.base_url, slug) + kept,
        subscribe=signup_url(context.app.config.site.base_url, slug) + kept
        if slug in _slugs(context)
        else None,
        feed=page_url(context.app.config.site.base_url, ARCHIVE, slug, "feed.atom"),
        home=f"{context.app.config.site.base_url}/{kept}",
        stylesheet=_stylesheet(context, record.edition),
        choices=public_languages(),
        published_at=record.dated_at,
    )


def _stylesheet(context: WebContext, shown: Edition) -> str:
    """Return the address of the styles of an edition, which are those of all pages if it looks like them."""
    coloured = any(heading.colour for heading in shown.headings)
    if coloured or shown.site.brand != context.app.config.site.brand:
        return f"{context.root}{edition_path(shown)}/{_SHEET}"
    return f"{context.root}/static/{_SHEET}"


def _list_item(record: EditionRecord, language: str) -> dict[str, str]:
    shown = record.edition
    return {
        "date": long_date(shown.local_date, language),
        "iso_date": shown.local_date.isoformat(),
        "path": edition_path(shown),
        "subject": lines(shown)[0],
        "language": tag(shown.language),
        "direction": direction(shown.language),
    }


def _entry(context: WebContext, record: EditionRecord) -> AtomEntry:
    subject, preheader = lines(record.edition)
    url = edition_url(context.app.config.site.base_url, record.edition.digest, record.edition.id)
    language = tag(record.edition.language)
    return AtomEntry(url=url, title=subject, summary=preheader, language=language, at=record.dated_at)


def _public_urls(context: WebContext) -> Iterator[tuple[str, datetime | None]]:
    yield f"{context.app.config.site.base_url}/", None
    for digest in context.app.config.digests:
        yield signup_url(context.app.config.site.base_url, digest.slug), None
        yield archive_url(context.app.config.site.base_url, digest.slug), None
    for slug, edition_id, at in every_edition(context.app.database):
        yield edition_url(context.app.config.site.base_url, slug, edition_id), at


def _unchanged_or(request: Request, name: str, body: bytes, kind: str) -> Response:
    headers = {"etag": f'"{name}"', "cache-control": _FRESH}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if kind == "text/html":
        return HTMLResponse(body, headers=headers)
    return Response(body, media_type=kind, headers=headers)
