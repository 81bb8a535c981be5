"""Run the demo: the same verbs, on the same configuration, as in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from digest.app import App, Watch, open_app
from digest.app.composing import stories_text
from digest.app.editions import compose_now
from digest.app.preview import write_preview
from digest.app.readers import import_readers
from digest.app.run import collect_due
from digest.app.sending import send_by_hand
from digest.config import load
from digest.demo.catcher import catcher
from digest.demo.newsroom import newsroom
from digest.demo.workspace import Workspace, prepare, readers_file, with_pictures, write_config
from digest.model import Composed, Counts, EditionRecord, FeedReport


class Show(Protocol):
    """What the demo tells while it runs."""

    def step(self, title: str) -> None:
        """Say what begins."""

    def line(self, text: str) -> None:
        """Say what was found."""

    def feed(self, report: FeedReport) -> None:
        """Say what one feed brought."""

    def progress(self, edition_id: str, counts: Counts) -> None:
        """Say how far an edition is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the demo did, and where to look. `pages` and `mails` are those of this run."""

    workspace: Workspace
    editions: tuple[str, ...]
    pages: tuple[Path, ...]
    mails: tuple[Path, ...]


def run(folder: Path, show: Show, clock: Callable[[], datetime]) -> Summary:
    """Publish feeds, collect, compose, preview and mail them, all on loopback, and end.

    start a web server with the feeds, and a mail server that keeps what it is given
    import the readers
    collect   every feed
    compose   each digest: an edition, or a sentence why not
    send      each edition, by SMTP
    """
    workspace = prepare(folder, clock())
    before = _mails(workspace)
    with newsroom(workspace.feeds) as address, catcher(workspace.mail) as port:
        show.step(f"A newsroom publishes five feeds at {address}; a mail server listens on port {port}")
        config = load(write_config(workspace, newsroom=address, port=port), {})
        with open_app(config) as app:
            watch = Watch(clock=clock, feed=show.feed, progress=show.progress)
            _import(app, show, clock())
            show.step("collect: feeds to posts")
            collect_due(app, watch, force=True)
            records = list(_compose(app, show, clock()))
            pages = [page for record in records for page in _preview(app, record, workspace)]
            _send(app, records, watch, show)
    mails = tuple(path for path in _mails(workspace) if path not in before)
    editions = tuple(record.edition.id for record in records)
    return Summary(workspace=workspace, editions=editions, pages=tuple(pages), mails=mails)


def _import(app: App, show: Show, now: datetime) -> None:
    show.step("Readers, with different topics, are imported from a CSV file")
    with readers_file().open("rb") as file:
        imported = import_readers(app, file, (), source="the demo", now=now, progress=lambda _: None)
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
    return f"{stories} from {composed.used} posts, {composed.carried} carried to the next edition"


def _preview(app: App, record: EditionRecord, workspace: Workspace) -> tuple[Path, ...]:
    written = write_preview(app, record, workspace.previews, address=None)
    for page in written.paths:
        if page.suffix == ".html":
            with_pictures(page)
    return tuple(page for page in written.paths if page.suffix in (".html", ".txt"))


def _send(app: App, records: list[EditionRecord], watch: Watch, show: Show) -> None:
    show.step("send: editions to inboxes, by SMTP")
    for record in records:
        sent = send_by_hand(app, record, watch)
        found = ", ".join(f"{count} {state}" for state, count in sent.counts.by_state if count)
        show.line(f"{record.edition.id}: {found}")
    if not records:
        show.line("no edition, so no mail")


def _mails(workspace: Workspace) -> tuple[Path, ...]:
    return tuple(sorted(workspace.mail.glob("*.eml")))
