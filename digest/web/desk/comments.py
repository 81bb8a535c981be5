"""Show the comments on an edition and on its stories, and take new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from digest.editions.editions import find_edition
from digest.editions.edits.edits import read_edits
from digest.editions.outlook.words import clock_words, date_words
from digest.editions.views.comments import LONGEST, CommentError, Remark, comment, read_threads
from digest.model.editions import EditionRecord
from digest.model.errors import NotFoundError
from digest.web.security.forms import Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A comment that was refused: its text, so that it is not lost, what it is about, and why."""

    text: str = ""
    answers: str = ""
    problem: str = ""


@router.api_route("/desk/{edition_id}/comments", methods=["GET", "HEAD"])
def comments(request: Request, context: Desk, edition_id: str) -> Response:
    """Show the comments on one story, or all of them, and a form for another."""
    record = find_edition(context.app.database, context.app.config, edition_id)
    story = request.query_params.get("story", "")
    return context.page(request, "comments", _values(context, record, story, Written()))


@router.post("/desk/{edition_id}/comments")
def add_comment(request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Add a comment to an edition or to a story, or answer one. A text that is refused stays in its field."""
    story, answers, text = form.one("story"), form.one("answers"), form.one("text")
    remark = Remark(
        by=person.name,
        text=text,
        story=story or None,
        answers=int(answers) if answers.isdecimal() and len(answers) < 9 else None,
    )
    try:
        made = comment(context.app.database, edition_id, remark, context.clock())
    except CommentError as error:
        record = find_edition(context.app.database, context.app.config, edition_id)
        values = _values(context, record, story, Written(text=text, answers=answers, problem=str(error)))
        return context.page(request, "comments", values, status=422)
    shown = f"?{urlencode({'story': story})}" if story else ""
    return context.redirect(f"/desk/{edition_id}/comments{shown}#c{made.number}")


def _values(
    context: StaffContext, record: EditionRecord, story: str, written: Written
) -> Mapping[str, object]:
    edited = read_edits(context.app.database, record.edition.id)
    titles = {each.id: each.title for each in edited.applied.sources.values()}
    titles |= {each.id: each.title for each in edited.applied.edition.stories()}
    if story and story not in titles:
        raise NotFoundError("story", story, tuple(titles.values()))
    now, zone = context.clock(), record.edition.zone
    threads = read_threads(context.app.database, record.edition.id)
    return {
        "record": record,
        "edition": record.edition,
        "path": f"{context.root}/desk/{record.edition.id}",
        "day": date_words(record.edition.local_date),
        "story": story,
        "titles": titles,
        "threads": tuple(each for each in threads if not story or each.first.story == story),
        "written": written,
        "longest": LONGEST,
        "at": lambda moment: clock_words(moment, zone, now),
    }
