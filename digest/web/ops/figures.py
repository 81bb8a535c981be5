"""Turn counts into charts with their tables, and into lines with their links. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup

from digest.editions.outlook.words import clock_words, counted
from digest.model.deliveries import AcceptedOverTime, AnswerCount, Counts, DeliveryState
from digest.model.editions import EditionRecord
from digest.monitoring.progress import Progress
from digest.monitoring.readers import (
    HEALTHY,
    RATE_DAYS,
    REJECTED_FROM,
    WEEK,
    Growth,
    Week,
    days_to,
    verdict,
)
from digest.monitoring.wording import percent_text
from digest.web.ops import charts

_STATE = DeliveryState
_ANSWERS = 3  # shown in one line
_BARS = 30  # there is room for at least so many, so that an edition that has just begun has no broad bars
_LONGEST = 70  # characters of a reply in one line
_UNCERTAIN = "the connection was lost after the last byte, so they may have arrived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with the table of its numbers: the first column has the labels. `name` is that of the table."""

    name: str
    svg: Markup
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLine:
    """The deliveries of one state: their number, what is known of them, and the query of their list."""

    state: DeliveryState
    name: str
    look: str
    count: int
    detail: str
    query: str
    action: str = ""  # what the link to the list is called


_LOOKS = (
    (_STATE.ACCEPTED, "Delivered", "s-ok"),
    (_STATE.WIRE, "Sending", "s-wire"),
    (_STATE.QUEUED, "Waiting", "s-wait"),
    (_STATE.DEFERRED, "Retrying", "s-late"),
    (_STATE.REJECTED, "Rejected", "s-no"),
    (_STATE.UNCERTAIN, "Uncertain", "s-q"),
    (_STATE.SKIPPED, "Skipped", "s-off"),
)
NAMES = {state: name for state, name, _ in _LOOKS}
_ACTIONS = {_STATE.REJECTED: "View", _STATE.UNCERTAIN: "Decide…", _STATE.DEFERRED: "View"}


def states_bar(counts: Counts) -> Markup:
    """Draw the deliveries by state in one bar."""
    parts = [
        charts.Part(name=name, count=counts.of(state), look=look)
        for state, name, look in _LOOKS
        if state is not _STATE.SKIPPED
    ]
    found = [f"{part.count:,} {part.name.lower()}" for part in parts if part.count]
    return charts.divided(parts, says=", ".join(found) or "no deliveries")


def state_lines(record: EditionRecord, progress: Progress) -> tuple[StateLine, ...]:
    """Return a line for each state that some deliveries are in, and always for those that are delivered."""
    return tuple(
        StateLine(
            state=state,
            name=name,
            look=look,
            count=count,
            detail=_detail(state, progress, record.edition.zone),
            query=urlencode({"edition": record.edition.id, "state": state.value}),
            action=_ACTIONS.get(state, ""),
        )
        for state, name, look in _LOOKS
        if (count := progress.counts.of(state)) or state is _STATE.ACCEPTED
    )


def _detail(state: DeliveryState, progress: Progress, zone: str) -> str:
    later = progress.later.get(state)
    first = clock_words(later.first_at, zone, progress.counted_at) if later else ""
    match state:
        case _STATE.ACCEPTED:
            return "accepted by a mail server"
        case _STATE.WIRE:
            return "handed to a mail server, without an answer yet"
        case _STATE.QUEUED:
            due = progress.counts.of(state) - (later.count if later else 0)
            chosen = f"{later.count:,} at an hour that they chose, from {first} on" if later else ""
            return ", ".join(filter(None, [f"{due:,} due now" if due else "", chosen]))
        case _STATE.UNCERTAIN:
            return _UNCERTAIN
        case _STATE.SKIPPED:
            return "unsubscribed, paused or suppressed since, or without a story in their topics"
    found = [each for each in progress.answers if each.state is state]
    parts = [answer_text(each) for each in found[:_ANSWERS]]
    said = ", ".join([*parts, *(["…"] if len(found) > _ANSWERS else [])])
    return f"{said}; next try {first}" if later else said


def answer_text(answer: AnswerCount) -> str:
    """Return an answer of servers with its number: "4 × “550 no such user”"."""
    reply = f"{answer.code or ''} {answer.reply}".strip() or "no answer"
    short = reply if len(reply) <= _LONGEST else f"{reply[:_LONGEST].rstrip()}…"
    return f"{answer.count:,} × “{short}”"


# ── charts ──────────────────────────────────────────────────────────────────────────────────


def accepted_figure(found: AcceptedOverTime, zone: str) -> Figure | None:
    """Draw how many messages were accepted in each interval; None if none was."""
    if not found.counts:
        return None
    place, days = ZoneInfo(zone), found.width * len(found.counts) > timedelta(days=1)
    form = "%d %b %H:%M" if days else "%H:%M" if found.width >= timedelta(minutes=1) else "%H:%M:%S"
    times = [found.began_at + found.width * number for number in range(len(found.counts))]
    labels = [f"{at.astimezone(place):{form}}" for at in times]
    most = max(found.counts)
    width = _width_text(found.width)
    peak = labels[found.counts.index(most)]
    says = f"Accepted messages by {width}: from {labels[0]} to {labels[-1]}, at most {most:,} at {peak}"
    series = charts.Series(name="Accepted", values=found.counts, look="s-ok")
    rows = tuple((label, f"{count:,}") for label, count in zip(labels, found.counts, strict=True))
    svg = charts.bars(labels, [series], says=says, least=_BARS)
    return Figure(name="accepted messages", svg=svg, heads=("From", "Accepted"), rows=rows)


def _width_text(width: timedelta) -> str:
    seconds = width // timedelta(seconds=1)
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            return noun if seconds == size else counted(seconds // size, noun)
    return "interval"


def readers_figure(growth: Growth) -> Figure:
    """Draw the number of readers at the end of each day."""
    labels = [day_text(day) for day in growth.days]
    first, last = growth.readers[0], growth.readers[-1]
    says = f"Readers by day: from {first:,} on {labels[0]} to {last:,} on {labels[-1]}"
    columns = (growth.joined, growth.left, growth.suppressed, growth.readers)
    rows = tuple(
        (label, *(f"{value:,}" for value in row)) for label, *row in zip(labels, *columns, strict=True)
    )
    heads = ("Day (UTC)", "Joined", "Left", "Removed", "Readers")
    svg = charts.curve(labels, growth.readers, says=says)
    return Figure(name="readers by day", svg=svg, heads=heads, rows=rows[::-1])


def changes_figure(growth: Growth) -> Figure:
    """Draw who joined and who was lost, week by week."""
    starts = range(len(growth.days) % WEEK, len(growth.days), WEEK)
    labels = [day_text(growth.days[at]) for at in starts]
    joined = [sum(growth.joined[at : at + WEEK]) for at in starts]
    lost = [sum((*growth.left[at : at + WEEK], *growth.suppressed[at : at + WEEK])) for at in starts]
    says = f"Readers by week: {sum(joined):,} joined and {sum(lost):,} were lost in {len(labels)} weeks"
    series = [
        charts.Series(name="Joined", values=joined, look="s-ok"),
        charts.Series(name="Lost", values=lost, look="s-q"),
    ]
    rows = tuple(zip(labels, map(str, joined), map(str, lost), strict=True))
    svg = charts.bars(labels, series, says=says)
    return Figure(name="readers by week", svg=svg, heads=("Week of", "Joined", "Lost"), rows=rows)


def complaints_figure(weeks: Sequence[Week]) -> Figure:
    """Draw the complaint rate of each week against the lines of the providers."""
    labels = [day_text(each.first) for each in weeks]
    rates = [100 * each.complaints / each.accepted if each.accepted else 0.0 for each in weeks]
    marks = (
        charts.Mark(value=REJECTED_FROM, text="0.3% rejection", look="s-no"),
        charts.Mark(value=HEALTHY, text="0.1% warning", look="s-late"),
    )
    high = max(range(len(weeks)), key=lambda at: rates[at])
    worst = percent_text(weeks[high].complaints, weeks[high].accepted)
    says = (
        f"Complaints by week, in percent of accepted messages: at most {worst}, in the week of {labels[high]}"
    )
    series = charts.Series(name="Complaints", values=rates, look="s-wire")
    rows = tuple(
        (
            label,
            f"{each.accepted:,}",
            percent_text(each.complaints, each.accepted),
            percent_text(each.bounces, each.accepted),
        )
        for label, each in zip(labels, weeks, strict=True)
    )
    svg = charts.bars(labels, [series], says=says, marks=marks, shown=lambda value: f"{value:.2f}%")
    heads = ("Week of", "Accepted", "Complaints", "Bounces")
    return Figure(name="complaints by week", svg=svg, heads=heads, rows=rows)


def posts_figure(by_day: Mapping[date, int], now: datetime) -> Figure:
    """Draw the new posts of a feed on each of the last thirty days."""
    days = days_to(now, RATE_DAYS)
    labels, values = [day_text(day) for day in days], [by_day.get(day, 0) for day in days]
    says = f"New posts by day: {counted(sum(values), 'post')} in {RATE_DAYS} days"
    series = charts.Series(name="New posts", values=values, look="s-wire")
    rows = tuple((label, f"{value:,}") for label, value in zip(labels, values, strict=True))
    svg = charts.bars(labels, [series], says=says)
    return Figure(name="new posts by day", svg=svg, heads=("Day (UTC)", "New posts"), rows=rows[::-1])


def day_text(day: date) -> str:
    """Return a day as people write it: "31 Aug"."""
    return f"{day.day} {day:%b}"


# ── sums ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """Returned mail of about thirty days, in words."""

    complaints: str
    bounces: str
    verdict: str
    numbers: str


def returned(weeks: Sequence[Week]) -> Returned:
    """Add up the weeks of the last thirty days or so: whole weeks, because editions go out on weekdays."""
    recent = weeks[-(RATE_DAYS // WEEK) :]
    accepted = sum(each.accepted for each in recent)
    complaints, bounces = sum(each.complaints for each in recent), sum(each.bounces for each in recent)
    return Returned(
        complaints=percent_text(complaints, accepted),
        bounces=percent_text(bounces, accepted),
        verdict=verdict(complaints, accepted),
        numbers=(
            f"{counted(complaints, 'complaint')} and {counted(bounces, 'bounce')} about"
            f" {counted(accepted, 'message')} that were accepted in {len(recent)} weeks"
            if accepted
            else ""
        ),
    )
