"""Show the checks of an edition: what was found, where it is, how to fix it, and how large its emails are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from digest.editions.checks.links import LinkCount, count_links
from digest.editions.edits.edits import EditedEdition, read_edits
from digest.editions.outlook.words import counted, span_words
from digest.editions.preflight import Inspection, Size, inspection_of
from digest.model.editions import Edition
from digest.model.errors import DigestError, OutageError, TemplateError
from digest.model.snapshot import headings_of
from digest.render.preflight.findings import Action, ActionKind, Finding, Level
from digest.render.preflight.rules import RULES, passed
from digest.web.staff.context import Desk, StaffContext
from subscribers.model import Choice

router = APIRouter()

_CLIPPED = 102 * 1024  # bytes of the HTML that Gmail shows
_SIZES = 8  # choices of topics that are shown: the largest
_TAB = ("show", "checks")
# Forms that the page of an edition opens, each with its query parameter and the words on its button.
_FORMS = {
    ActionKind.REWRITE: ("edit", "Edit story"),
    ActionKind.NOTE: ("note", "Edit note"),
    ActionKind.INTRODUCTION: ("words", "Edit introduction"),
    ActionKind.SPONSOR: ("words", "Edit sponsor"),
    ActionKind.SUBJECT: ("words", "Edit subject"),
    ActionKind.PREHEADER: ("words", "Edit preheader"),
}
_STEPS = {ActionKind.DROP: ("drop", "Drop story"), ActionKind.PICTURE: ("picture", "Remove picture")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A remedy for a fault: with `do`, an edit of a story; with `step`, a step of the edition; or a link."""

    label: str
    do: str = ""
    story: str = ""
    step: str = ""
    href: str = ""  # a query, and the place in the page


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A finding as the page shows it."""

    title: str
    message: str
    where: str
    fix: str
    blocks: bool
    buttons: tuple[Button, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRow:
    """The size of the email for one choice of topics."""

    topics: str
    kilobytes: str
    share: str  # of what Gmail shows
    large: bool


def shown(context: StaffContext, edited: EditedEdition, _: Request) -> Mapping[str, object]:
    """Return the values of the tab. No link is asked here: the page only reads what is known."""
    record, now = edited.record, context.clock()
    try:
        inspection = inspection_of(context.app, record, now)
    except TemplateError as error:
        return {"checks": {"problem": str(error)}}
    links = count_links(context.app.database, record.edition, now)
    return {
        "checks": {"problem": "", **_values(inspection, record.edition), "links": _links_text(links, now)}
    }


@router.api_route("/desk/{edition_id}/findings", methods=["GET", "HEAD"])
def count(request: Request, context: Desk, edition_id: str) -> Response:
    """Return a part of a page: the number of findings, which stands beside the name of the tab.

    The page asks for it when it is there, because it may take a second to find out.
    """
    record = read_edits(context.app.database, edition_id).record
    try:
        findings = inspection_of(context.app, record, context.clock()).findings
    except OutageError:
        raise
    except DigestError:  # the page says why
        findings = ()
    blocks = any(each.level is Level.BLOCK for each in findings)
    return context.page(request, "_findings", {"findings": len(findings), "blocks": blocks})


def _values(inspection: Inspection, edition: Edition) -> Mapping[str, object]:
    sizes = sorted(inspection.sizes, key=lambda size: (size.choice != "", -size.bytes))
    summary = inspection.summary
    return {
        "summary": summary[:1].upper() + summary[1:],
        "count": len(RULES) - len(inspection.off),
        "findings": tuple(_row(finding, edition) for finding in inspection.findings),
        "sizes": tuple(_size(size, edition) for size in sizes[:_SIZES]),
        "passed": passed(inspection.findings, inspection.off),
        "off": tuple((RULES[name].title, reason) for name, reason in inspection.off.items()),
    }


def _row(finding: Finding, edition: Edition) -> FindingRow:
    title = RULES[finding.rule].title
    return FindingRow(
        title=title[:1].upper() + title[1:],
        message=finding.message,
        where=finding.place.text(edition),
        fix=finding.fix,
        blocks=finding.level is Level.BLOCK,
        buttons=tuple(_buttons(finding)),
    )


def _buttons(finding: Finding) -> Iterator[Button]:
    for action in finding.actions:
        yield _button(action)
    if finding.place.story:
        yield Button(label="Show story", href=f"#s-{finding.place.story}")


def _button(action: Action) -> Button:
    if action.kind in _STEPS:
        do, label = _STEPS[action.kind]
        return Button(label=label, do=do, story=action.story)
    if action.kind is ActionKind.REFRESH:
        return Button(label="Refresh", step="refresh")
    if action.kind is ActionKind.LEAD:
        return Button(label="Choose another lead", href="?show=stories")
    parameter, label = _FORMS[action.kind]
    query = urlencode([_TAB, (parameter, action.story or action.kind.value)])
    return Button(label=label, href=f"?{query}{f'#s-{action.story}' if action.story else ''}")


def _size(size: Size, edition: Edition) -> SizeRow:
    return SizeRow(
        topics=_topics(size.choice, edition),
        kilobytes=f"{size.bytes / 1024:.0f}",
        share=f"{size.bytes / _CLIPPED:.0%}",
        large=size.bytes > 0.75 * _CLIPPED,
    )


def _topics(text: str, edition: Edition) -> str:
    """Return a choice of topics in words: "All but Culture"."""
    titles = {heading.choice: heading.title for heading in headings_of(edition)}
    choice = Choice.parse(text)
    named = ", ".join(titles.get(slug) or slug for slug in sorted(choice.include or choice.exclude))
    if choice.include:
        return named
    return f"All but {named}" if named else "All topics"


def _links_text(links: LinkCount, now: datetime) -> str:
    """Return what is known of the links: "29 links were asked, at the latest 2 minutes ago"."""
    if not links.total:
        return "There is no link to ask."
    asked = f"{links.asked:,} of {counted(links.total, 'link')} asked"
    if links.last_at is None:
        return f"No link has been asked yet; `digest serve` asks them ahead of the send time ({asked})."
    return f"{asked}, the last one {span_words(now - links.last_at)} ago."
