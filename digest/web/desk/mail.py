"""Show the email itself in a frame: in each scheme, with or without images, as anybody gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from digest.editions.editions import find_edition
from digest.editions.preview import PreviewError, web_copy
from digest.editions.views.mail import Viewer, languages_to_see, view
from digest.editions.views.readers import choice_title
from digest.model.editions import EditionRecord
from digest.model.errors import NotFoundError, TemplateError
from digest.model.staff import Person, Right
from digest.render.reading.schemes import Scheme, in_scheme, without_pictures
from digest.web.staff.context import Desk, RightMissingError, SignedIn, StaffContext
from subscribers.model import Choice

router = APIRouter()

# The email has no scripts, and only our own page may contain it. Its styles stand in its elements.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src {images}; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox"
)
_IMAGES = "'self' https: http: data:"
_PARTS = ("html", "text", "raw", "web", "eml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One view of an email: the part that is shown, and how."""

    part: str = "html"
    scheme: str = ""  # empty: that of the browser, and the very bytes that are sent
    images: bool = True
    version: str = ""  # of the edition; the email itself does not depend on it


def viewer_of(query: Mapping[str, str]) -> Viewer:
    """Return the viewer that the query of an address names."""
    return Viewer(
        topics=query.get("topics", ""), language=query.get("language", ""), reader=query.get("reader", "")
    )


def viewer_query(viewer: Viewer) -> dict[str, str]:
    """Return the part of a query that names a viewer."""
    named = {"topics": viewer.topics, "language": viewer.language, "reader": viewer.reader}
    return {name: value for name, value in named.items() if value}


def frame_url(context: StaffContext, edition_id: str, viewer: Viewer, frame: Frame) -> str:
    """Return the address of a view."""
    shown = {
        "as": "" if frame.part == "html" else frame.part,
        "scheme": frame.scheme,
        "images": "" if frame.images else "off",
        "v": frame.version,
    }
    query = urlencode({name: value for name, value in shown.items() if value} | viewer_query(viewer))
    return f"{context.root}/desk/{edition_id}/mail{f'?{query}' if query else ''}"


def require_reader_right(person: Person, viewer: Viewer) -> None:
    """Raise RightMissingError if a person looks at the email of a reader of the list without the right."""
    if viewer.reader and not person.may(Right.EDIT):
        raise RightMissingError(Right.EDIT)


def viewer_words(context: StaffContext, record: EditionRecord, viewer: Viewer) -> str:
    """Return in words whose email is shown: "a reader of Harbour, in Deutsch"."""
    titles = {topic.slug: topic.title for topic in context.app.config.topics}
    named = "a reader of all topics"
    if viewer.reader:
        named = "one reader of the list"
    elif viewer.topics:
        named = f"a reader of {choice_title(record.edition, Choice.parse(viewer.topics), titles)}"
    language = dict(languages_to_see(record)).get(viewer.language, viewer.language)
    return f"{named}, in {language}" if language else named


@router.api_route("/desk/{edition_id}/mail", methods=["GET", "HEAD"])
def mail(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Return the email of an edition for a frame.

    The HTML is byte for byte that of the message, except for the reader's own fields. A scheme changes only
    the email's questions about the scheme of the browser, and without images, their addresses are not read.
    """
    viewer, query = viewer_of(request.query_params), request.query_params
    require_reader_right(person, viewer)
    part = query.get("as", "html")
    if part not in _PARTS:
        raise NotFoundError("view", part, _PARTS)
    record = find_edition(context.app.database, context.app.config, edition_id)
    scheme = query.get("scheme", "")
    try:
        body, kind = _body(context, record, viewer, part)
    except (PreviewError, TemplateError) as error:
        return _framed(f"{error}\n".encode(), "text/plain; charset=utf-8", images=False)
    images = query.get("images") != "off"
    if kind.startswith("text/html"):
        html = in_scheme(body.decode(), Scheme(scheme)) if scheme in tuple(Scheme) else body.decode()
        body = (html if images else without_pictures(html)).encode()
    answer = _framed(body, kind, images=images)
    if part == "eml":
        answer.headers["content-disposition"] = f'attachment; filename="{record.edition.id}.eml"'
    return answer


def _body(context: StaffContext, record: EditionRecord, viewer: Viewer, part: str) -> tuple[bytes, str]:
    if part == "web":
        return web_copy(context.app, record, viewer.language).encode(), "text/html; charset=utf-8"
    message = view(context.app, record, viewer).message
    match part:
        case "html" if message.html:
            return message.html.encode(), "text/html; charset=utf-8"
        case "raw":
            return message.data, "text/plain; charset=utf-8"
        case "eml":
            return message.data, "message/rfc822"
    return message.text.encode(), "text/plain; charset=utf-8"


def _framed(body: bytes, kind: str, *, images: bool) -> Response:
    policy = _POLICY.format(images=_IMAGES if images else "'none'")
    headers = {"content-security-policy": policy, "x-frame-options": "SAMEORIGIN", "content-type": kind}
    return Response(body, headers=headers)
