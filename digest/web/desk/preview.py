"""Show an edition in every view, as anybody gets it, and beside the last one; its hash is the proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from digest.editions.approval import standing
from digest.editions.editions import find_edition
from digest.editions.outlook.words import date_words
from digest.editions.preview import PreviewError
from digest.editions.views.mail import View, Viewer, edition_before, find_reader, languages_to_see, view
from digest.editions.views.readers import read_audience
from digest.model.editions import EditionRecord
from digest.model.errors import TemplateError
from digest.model.snapshot import sections_in
from digest.model.staff import Right
from digest.staff.audit import note
from digest.web.desk.mail import Frame, frame_url, require_reader_right, viewer_of, viewer_query
from digest.web.security.forms import Form, Sent
from digest.web.staff.context import Desk, RightMissingError, SignedIn, StaffContext

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewKind:
    """One of the views: a frame of a width, or a text."""

    name: str
    title: str
    note: str
    frame: Frame
    width: int = 0  # pixels; 0: a text


_KINDS = (
    ViewKind(name="light", title="Light", note="640 px", frame=Frame(scheme="light"), width=640),
    ViewKind(name="dark", title="Dark", note="640 px", frame=Frame(scheme="dark"), width=640),
    ViewKind(name="forced", title="Forced dark", note="640 px", frame=Frame(scheme="forced"), width=640),
    ViewKind(
        name="bare",
        title="Images off",
        note="640 px",
        frame=Frame(scheme="light", images=False),
        width=640,
    ),
    ViewKind(name="phone", title="Phone", note="360 px", frame=Frame(scheme="light"), width=360),
    ViewKind(name="night", title="Phone, dark", note="360 px", frame=Frame(scheme="dark"), width=360),
    ViewKind(name="text", title="Plain text", note="78 characters a line", frame=Frame(part="text")),
    ViewKind(name="raw", title="Raw", note="as sent to the server", frame=Frame(part="raw")),
    ViewKind(name="web", title="Web copy", note="640 px", frame=Frame(part="web", scheme="light"), width=640),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One view of one edition: the address of its frame, or its text."""

    kind: ViewKind
    title: str
    src: str
    text: str = ""


@router.api_route("/desk/{edition_id}/preview", methods=["GET", "HEAD"])
def preview(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Show the views of an edition, all of them or one."""
    query = request.query_params
    viewer = viewer_of(query)
    require_reader_right(person, viewer)
    record = find_edition(context.app.database, context.app.config, edition_id)
    before = edition_before(context.app, record)
    beside = before if before and query.get("beside") else None
    alone = next((kind for kind in _KINDS if kind.name == query.get("view")), None)
    seen, problem = _seen(context, record, viewer)
    shown = [(record, seen, problem), *([(beside, *_seen(context, beside, viewer))] if beside else [])]
    kinds = (alone,) if alone else _KINDS
    figures = list(_figures(context, shown, viewer, kinds)) if seen else []
    now = context.clock()
    values = {
        "record": record,
        "edition": record.edition,
        "path": f"{context.root}/desk/{record.edition.id}",
        "day": date_words(record.edition.local_date),
        "standing": standing(context.app, record),
        "figures": figures,
        "problem": problem,
        "seen": seen,
        "viewer": viewer,
        "alone": alone,
        "turn": _turn(alone),
        "query": urlencode(viewer_query(viewer) | ({"beside": "1"} if beside else {})),
        "topics": sections_in(record.edition),
        "audience": read_audience(context.app, record, now) if not alone else None,
        "languages": languages_to_see(record),
        "before": before,
        "before_day": date_words(before.edition.local_date) if before else "",
        "beside": beside,
        "may_find": person.may(Right.EDIT),
    }
    return context.page(request, "preview", values)


@router.post("/desk/{edition_id}/preview")
def choose_viewer(context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Lead to the views that a form asks for. An address of a reader never stands in an address of a page."""
    record = find_edition(context.app.database, context.app.config, edition_id)
    query = viewer_query(_wanted(form))
    if form.one("address"):
        if not person.may(Right.EDIT):
            raise RightMissingError(Right.EDIT)
        reader = find_reader(context.app, record, form.one("address"))
        note(context.app.database, person, "looked at a reader's email", edition_id, context.clock())
        query = viewer_query(Viewer(language=form.one("language"), reader=reader))
    if form.has("beside"):
        query["beside"] = "1"
    if form.one("view"):
        query["view"] = form.one("view")
    return context.redirect(f"/desk/{record.edition.id}/preview{f'?{urlencode(query)}' if query else ''}")


def _wanted(form: Form) -> Viewer:
    topics = ",".join(form.many("topic")) or form.one("topics")
    return Viewer(topics=topics, language=form.one("language"))


def _seen(context: StaffContext, record: EditionRecord, viewer: Viewer) -> tuple[View | None, str]:
    """Return the email as the viewer gets it, or why there is none."""
    try:
        return view(context.app, record, viewer), ""
    except (PreviewError, TemplateError) as error:
        return None, str(error)


def _figures(
    context: StaffContext,
    shown: Sequence[tuple[EditionRecord, View | None, str]],
    viewer: Viewer,
    kinds: tuple[ViewKind, ...],
) -> Iterator[Figure]:
    """Yield each view of the edition, followed by the same view of the one beside it."""
    for kind in kinds:
        for record, seen, problem in shown:
            text = "" if kind.width else _text(seen, kind) if seen else problem
            day = f", {date_words(record.edition.local_date)}" if len(shown) > 1 else ""
            src = frame_url(context, record.edition.id, viewer, kind.frame)
            yield Figure(kind=kind, title=f"{kind.title}{day}", src=src, text=text)


def _text(seen: View, kind: ViewKind) -> str:
    if kind.frame.part == "raw":
        return seen.message.data.decode("ascii", "replace").replace("\r\n", "\n")
    return seen.message.text


def _turn(alone: ViewKind | None) -> Mapping[str, ViewKind]:
    """Return the views before and after the one that is shown alone."""
    if alone is None:
        return {}
    at = _KINDS.index(alone)
    return {"before": _KINDS[at - 1], "after": _KINDS[(at + 1) % len(_KINDS)]}
