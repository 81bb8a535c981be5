"""Show the desk's page of one edition: what happens to it, its stories, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from digest.editions.approval import standing
from digest.editions.archive import corrections_of, edition_path, is_public
from digest.editions.editions import find_edition
from digest.editions.edits.desk import DeskFacts, pulse_of, read_desk
from digest.editions.edits.galley import Galley, announced, galley_of, redoable
from digest.editions.outlook.facts import with_facts
from digest.editions.outlook.phases import Outlook, possible_steps
from digest.editions.outlook.sentence import approvals_text, has_given, left_words, sentence, stressed
from digest.editions.outlook.timeline import timeline
from digest.editions.outlook.words import clock_words, counted, ended, first_name, span_words
from digest.editions.views.comments import comment_counts
from digest.editions.views.history import step_words
from digest.model.editions import Correction, EditionRecord, EditionState, StepKind
from digest.model.links import small_picture_url
from digest.model.posts import Image
from digest.model.staff import Person, Right
from digest.staff.people import people_with
from digest.web.desk import checks, tabs
from digest.web.desk.editing.opened import OPEN, WORDS, Opened, form_values
from digest.web.staff.context import Desk, StaffContext

router = APIRouter()

_READ = ["GET", "HEAD"]
_DAY = timedelta(days=1)
_TABS = (("mail", "Email"), ("inbox", "Inbox"), ("checks", "Checks"), ("readers", "Readers"))
_KEYS = (
    ("j k", "next, previous story"),
    ("Enter", "edit headline and blurb"),
    ("x", "drop, with duplicates"),
    ("d", "defer to the next day"),
    ("Alt ↑ Alt ↓", "move up, down"),
    ("m 1–9", "move to topic 1–9"),
    ("l", "make or remove lead"),
    ("n c", "note, comment"),
    ("i", "picture"),
    ("+", "add a story of your own"),
    ("z Z", "undo, redo"),
    ("/", "search the waiting posts"),
    ("p", "next view of the email"),
    ("t", "send a test"),
    ("a h", "approve, hold"),
    ("1 2", "choose, where two texts are shown"),
    ("?", "this list"),
    ("Esc", "leave a field, and keep the text"),
)
# What the status line says instead of the last edit or step.
DONE = {
    "once": "Your approval is kept. Another person must approve this version too.",
    "same": "Nothing new: the edition is as it was.",
    "nothing": "Nothing was changed.",
    "correction": "Your correction is on the web copy. The email and its hash stay as they are.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One person's view of an edition: its facts, and what stands in the page besides them."""

    facts: DeskFacts
    person: Person
    now: datetime
    opened: Opened
    said: str = ""

    @property
    def record(self) -> EditionRecord:
        """Return the edition with its state."""
        return self.facts.edited.record


@router.api_route("/desk/{edition_id}", methods=_READ)
def edition(request: Request, context: Desk, edition_id: str) -> Response:
    """Show an edition. The slug of a digest leads to its newest one."""
    record = find_edition(context.app.database, context.app.config, edition_id)
    if record.edition.id != edition_id:
        return context.redirect(f"/desk/{record.edition.id}")
    return show(request, context, edition_id)


def show(
    request: Request,
    context: StaffContext,
    edition_id: str,
    *,
    status: int = 200,
    values: Mapping[str, object] | None = None,
) -> Response:
    """Return the page of an edition, with values of its own: a question, a conflict, a refusal."""
    shown = _shown(request, context, edition_id)
    page = {
        **page_values(context, shown),
        **list_values(context, shown),
        **side_values(request),
        **tab_values(request, context, shown),
        "ask": "",
        "clash": None,
        "refusal": "",
        "written": (),
        "blocks": (),
        "warnings": (),
        **(values or {}),
    }
    return context.page(request, "edition", page, status=status)


def _shown(request: Request, context: StaffContext, edition_id: str) -> Shown:
    facts = read_desk(context.app, edition_id, context.clock())
    query = request.query_params
    kind = next((each for each in OPEN if query.get(each)), "")
    return Shown(
        facts=facts,
        person=request.state.person,
        now=context.clock(),
        opened=Opened(kind=kind, subject=query.get(kind, "")),
        said=DONE.get(query.get("done", ""), ""),
    )


def side_values(request: Request) -> dict[str, object]:
    """Return the values of the right-hand side: its tabs, and the one that is shown."""
    tab = request.query_params.get("show", "")
    query = {name: text for name, text in request.query_params.items() if name in (*OPEN, "show", "view")}
    return {
        "tabs": _TABS,
        "tab": tab if tab in dict(_TABS) else "stories",
        "query": f"?{urlencode(query)}" if query else "",
    }


def tab_values(request: Request, context: StaffContext, shown: Shown) -> Mapping[str, object]:
    """Return the values of the tab that is shown; on a wide screen, the email stands beside the stories."""
    of_tab = checks.shown if request.query_params.get("show") == "checks" else tabs.shown
    return of_tab(context, shown.facts.edited, request)


def page_values(context: StaffContext, shown: Shown) -> dict[str, object]:
    """Return the values of the bar and the status line: what happens to the edition, and the last change."""
    facts, now, record = shown.facts, shown.now, shown.record
    edited, edition = facts.edited, facts.edited.applied.edition
    outlook = outlook_of(context, facts)
    stood = standing(context.app, record)
    said, said_at = _last_change(facts)
    has_approved = has_given(outlook, shown.person.name)
    may_approve = record.state is EditionState.DRAFT or bool(stood.changes)
    return {
        "edition": edition,
        "record": record,
        "web_copy": f"{context.app.config.site.base_url}{edition_path(edition)}" if is_public(record) else "",
        "path": f"{context.root}/desk/{record.edition.id}",
        "day": f"{edition.local_date:%A} {edition.local_date.day} {edition.local_date:%B}",
        "outlook": stressed(sentence(outlook, now)),
        "outlook_text": sentence(outlook, now),
        "sends_by_itself": outlook.sends_by_itself,
        "line": timeline(outlook, now) if record.is_ahead else None,
        "left": left_words(outlook, now),
        "verbs_now": frozenset(each.name for each in possible_steps(outlook, now)),
        "readers_text": counted(facts.everybody, "reader"),
        "hash": stood.hash,
        "problem": stood.problem,
        "may_approve": may_approve
        and record.is_ahead
        and shown.person.may(Right.APPROVE)
        and not has_approved,
        "has_approved": has_approved,
        "approvals": approvals_text(outlook, shown.person.name),
        "missing": outlook.missing,
        "seen": len(edited.edits),
        "beat": pulse_of(context.app.database, record.edition.id, shown.person, now),
        "said": shown.said or said,
        "ago": f"{span_words(now - said_at)} ago" if said_at and not shown.said else "",
        "undo": edited.last_in_force(),
        "redo": redoable(edited),
    }


def _last_change(facts: DeskFacts) -> tuple[str, datetime | None]:
    """Return the last edit or step in words, and its time; an edit that voids an approval is both."""
    edited, step = facts.edited, facts.step
    last = edited.edits[-1] if edited.edits else None
    words = ended(announced(edited, last)) if last else ""
    if not step or (last and step.edits < last.number):
        return words, last.at if last else None
    is_both = last is not None and step.kind is StepKind.VOID and step.at == last.at
    return f"{words} {step_words(step)}" if is_both else step_words(step), step.at


def outlook_of(context: StaffContext, facts: DeskFacts) -> Outlook:
    """Return what is known of an edition for its sentence."""
    record = facts.edited.record
    digest = next((each for each in context.app.config.digests if each.slug == record.edition.digest), None)
    found = Outlook(record=record, digest=digest, readers=facts.everybody, counts=facts.counts)
    with context.app.database.read() as connection:
        return with_facts(connection, context.app.config, found, context.clock())


def list_values(context: StaffContext, shown: Shown) -> dict[str, object]:
    """Return the values of the list of stories."""
    facts, edition = shown.facts, shown.facts.edited.applied.edition
    galley = galley_of(facts, shown.now)
    may_edit = shown.record.is_ahead and shown.person.may(Right.EDIT)
    editors = (
        ()
        if shown.person.may(Right.EDIT)
        else people_with(context.app.database, Right.EDIT, shown.record.edition.digest)
    )
    return {
        "galley": galley,
        "attention": tuple(_attention(galley)),
        "arrived": facts.arrived,
        "present": tuple(_people(facts, galley)),
        "may_edit": may_edit,
        "corrections": tuple(_corrections(context, shown)),
        "may_correct": is_public(shown.record) and shown.person.may(Right.EDIT),
        "editors": ", ".join(each.first_name for each in editors),
        "stories_text": counted(len(galley.items), "story", "stories"),
        "tomorrow": edition.local_date + _DAY,
        "opened": shown.opened,
        "form": form_values(context, facts, shown.opened),
        "picture_path": lambda image: _picture_path(context, image),
        "counted": counted,
        "words_kinds": WORDS,
        "keys": _KEYS,
        "comments": comment_counts(context.app.database, shown.record.edition.id),
    }


def _corrections(context: StaffContext, shown: Shown) -> Iterator[tuple[str, Correction]]:
    """Yield the corrections of the web copy, each with its time; an edition that is ahead has none."""
    edition = shown.record.edition
    made = () if shown.record.is_ahead else corrections_of(context.app.database, edition.id)
    for each in made:
        yield clock_words(each.at, edition.zone, shown.now), each


def _attention(galley: Galley) -> Iterator[tuple[str, str]]:
    """Yield the links of the yellow notice: the id of a story, and what is the matter with it."""
    for item in galley.attention:
        yield item.story.id, "is no longer in its feed" if item.is_gone else "has changed at its source"


def _people(facts: DeskFacts, galley: Galley) -> Iterator[Mapping[str, object]]:
    titles = {each.slug: each.title for each in galley.topics}
    topics = {item.story.id: item.topic for item in galley.items}
    for each in facts.present:
        yield {
            "person": each.person,
            "name": each.name,
            "first_name": first_name(each.name),
            "slug": each.place,  # of a topic, or the id of the lead
            "place": titles.get(each.place) or topics.get(each.place, ""),
            "unsaved": each.unsaved,
        }


def _picture_path(context: StaffContext, image: Image | None) -> str:
    """Return the path at which the desk shows a picture: only our own copies, whatever a feed links to."""
    if image is None:
        return ""
    site = context.app.config.site.base_url
    base, url = f"{site}/pictures/", small_picture_url(image.url, site)
    return f"{context.root}/desk/pictures/{url.removeprefix(base)}" if url.startswith(base) else ""
