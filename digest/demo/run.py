"""Run the demo, with the same verbs and the same kind of configuration as in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from digest.app import App, open_app
from digest.config import load
from digest.demo.servers import feed_server, mail_server
from digest.demo.workspace import Workspace, prepare, readers_file, with_pictures, write_config
from digest.editions.compose import stories_text
from digest.editions.editions import compose_now
from digest.editions.feeds import collect_due
from digest.editions.preview import write_preview
from digest.editions.send import send_by_hand
from digest.model.deliveries import Counts
from digest.model.editions import Composed, EditionRecord
from digest.model.posts import FeedReport
from digest.model.run_context import RunContext
from digest.readers.imports import ImportRequest, open_import


class Show(Protocol):
    """The functions to which the demo reports its progress."""

    def step(self, title: str) -> None:
        """Show the step that begins."""

    def line(self, text: str) -> None:
        """Show one line of a result."""

    def feed(self, report: FeedReport) -> None:
        """Show the result of fetching a feed."""

    def progress(self, edition_id: str, counts: Counts) -> None:
        """Show how many deliveries of an edition are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The results of a run: where to look, and the `pages` and `emails` that this run has made."""

    workspace: Workspace
    editions: tuple[str, ...]
    pages: tuple[Path, ...]
    emails: tuple[Path, ...]


def run(folder: Path, show: Show, clock: Callable[[], datetime]) -> Summary:
    """Publish feeds, collect them, compose, preview and send editions, all on loopback, and end.

    start a web server with the feeds, and a mail server that saves each message to a file
    import the readers
    collect   every feed
    compose   each digest: an edition, or a sentence why not
    send      each edition, by SMTP
    """
    workspace = prepare(folder, clock())
    before = _emails(workspace)
    with feed_server(workspace.feeds) as address, mail_server(workspace.mail) as port:
        show.step(f"A web server publishes five feeds at {address}; a mail server listens on port {port}")
        config = load(write_config(workspace, feeds=address, port=port), {})
        with open_app(config) as app:
            context = RunContext(clock=clock, feed=show.feed, progress=show.progress)
            import_readers(app, show, clock())
            show.step("collect: feeds to posts")
            collect_due(app.database, app.config, context, force=True)
            records = list(_compose(app, show, clock()))
            pages = [page for record in records for page in _preview(app, record, workspace)]
            _send(app, records, context, show)
    emails = tuple(path for path in _emails(workspace) if path not in before)
    editions = tuple(record.edition.id for record in records)
    return Summary(workspace=workspace, editions=editions, pages=tuple(pages), emails=emails)


def import_readers(app: App, show: Show, now: datetime) -> None:
    """Import the readers from the list that ships with the demo."""
    show.step("Import readers with different topics from a CSV file")
    request = ImportRequest(source="the demo")
    with readers_file().open("rb") as file, open_import(app, file, request) as listed:
        imported = listed.write(now, lambda _: None)
    show.line(", ".join(f"{count} {outcome}" for outcome, count in imported.outcomes.items()))


def _compose(app: App, show: Show, now: datetime) -> Iterator[EditionRecord]:
    show.step("compose: posts to editions")
    for digest in app.config.digests:
        composed = compose_now(app, digest.slug, now)
        show.line(f"{digest.title}: {_outcome(composed)}")
        if composed.record:
            for section in composed.record.edition.sections:
                show.line(f"    {section.title}: {len(section.stories) + len(section.more)}")
            yield composed.record


def _outcome(composed: Composed) -> str:
    if composed.record is None:
        return composed.reason
    stories = stories_text(composed.record.edition)
    return f"{stories} from {composed.used} posts, {composed.carried} carried over to the next edition"


def _preview(app: App, record: EditionRecord, workspace: Workspace) -> tuple[Path, ...]:
    written = write_preview(app, record, workspace.previews, address=None)
    for page in written.paths:
        if page.suffix == ".html":
            with_pictures(page)
    return tuple(page for page in written.paths if page.suffix in (".html", ".txt"))


def _send(app: App, records: list[EditionRecord], context: RunContext, show: Show) -> None:
    show.step("send: editions to inboxes, by SMTP")
    for record in records:
        sent = send_by_hand(app, record, context)
        found = ", ".join(f"{count} {state}" for state, count in sent.counts.by_state if count)
        show.line(f"{record.edition.id}: {found}")
    if not records:
        show.line("there is no edition, so no email is sent")


def _emails(workspace: Workspace) -> tuple[Path, ...]:
    return tuple(sorted(workspace.mail.glob("*.eml")))
