"""Open the demo's newsroom: feeds, readers, a staff, and a draft that goes out in half an hour."""

from __future__ import annotations

import re
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from digest.app import App, open_app
from digest.compose.edits.operations import Note, Part, Rewrite
from digest.config import load
from digest.demo.run import Show, import_readers
from digest.demo.servers import feed_server, mail_server
from digest.demo.workspace import Workspace, picture_files, prepare, write_config
from digest.editions.editions import compose_now
from digest.editions.edits.edits import Editor, edit
from digest.editions.feeds import collect_due
from digest.editions.send import send_by_hand
from digest.model.editions import EditionRecord
from digest.model.run_context import RunContext
from digest.model.staff import Person, Role
from digest.staff.people import add_person
from digest.staff.signin import use_link

LEAD_TIME = timedelta(minutes=30)  # from the start to the send time of the draft
STAFF = (
    ("Mara Quill", Role.EDITOR),
    ("Ines Holt", Role.APPROVER),
    ("Tomas Reed", Role.ADMINISTRATOR),
)
_PICTURES = re.compile(r"https://pictures\.example\.org/([\w-]+\.jpg)")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsroom:
    """The demo's newsroom, which is open: its pages answer at `url` once they are served."""

    app: App
    url: str
    people: tuple[Person, ...]
    draft: EditionRecord
    mail: Path


@contextmanager
def newsroom(folder: Path, show: Show, clock: Callable[[], datetime]) -> Iterator[Newsroom]:
    """Open a newsroom in `folder` until the block ends. It begins anew each time.

    start a web server with the feeds and their pictures, and a mail server that saves each message to a file
    import the readers, and add a staff of three
    collect   every feed
    compose   each digest: one edition is sent, so that there is an archive, and one is a draft
    """
    now = clock()
    shutil.rmtree(folder, ignore_errors=True)
    workspace = prepare(folder, now)
    with feed_server(workspace.feeds) as address, mail_server(workspace.mail) as port:
        _serve_pictures(workspace, address)
        url = f"http://127.0.0.1:{_free_port()}"
        config = load(_with_pages(write_config(workspace, feeds=address, port=port), url, now), {})
        with open_app(config) as app:
            people = _people(app, now)
            import_readers(app, show, now)
            context = RunContext(clock=clock, feed=show.feed, progress=show.progress)
            show.step("collect: feeds to posts")
            collect_due(app.database, app.config, context, force=True)
            show.step("compose: posts to editions")
            draft = _draft(app, context, people)
            yield Newsroom(app=app, url=url, people=people, draft=draft, mail=workspace.mail)


def _serve_pictures(workspace: Workspace, address: str) -> None:
    """Let the feeds name pictures that this machine has, because pictures.example.org does not exist."""
    shutil.copytree(picture_files(), workspace.feeds / "pictures")
    for feed in workspace.feeds.glob("*.*"):
        text = feed.read_text(encoding="utf-8")
        feed.write_text(_PICTURES.sub(rf"{address}/pictures/\1", text), encoding="utf-8")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def _with_pages(path: Path, url: str, now: datetime) -> Path:
    """Let the pages answer at `url`, and the draft go out soon."""
    send_at = now + LEAD_TIME + _MINUTE - timedelta(seconds=1)
    text = path.read_text(encoding="utf-8")
    for old, new in (
        ('base_url = "https://papers.example.org"', f'base_url = "{url}"'),
        ('schedule = "every day at 07:00"', f'schedule = "every day at {send_at:%H:%M}"'),
    ):
        assert old in text
        text = text.replace(old, new)
    pages = f'\n[web]\nport = {url.rpartition(":")[2]}\n\n[staff]\nurl = "{url}/team"\n'
    path.write_text(text + pages, encoding="utf-8")
    return path


def _people(app: App, now: datetime) -> tuple[Person, ...]:
    """Add the staff. Nobody knows their passwords: the demo signs them in by link."""
    found = []
    for name, role in STAFF:
        address = f"{name.split()[0].lower()}@papers.example.org"
        person, token = add_person(app.database, Person(id="", name=name, address=address, role=role), now)
        use_link(app.database, token, secrets.token_urlsafe(24), now=now)
        found.append(person)
    return tuple(found)


def _draft(app: App, context: RunContext, people: tuple[Person, ...]) -> EditionRecord:
    """Send one edition, and return the other one, which a colleague has begun to edit."""
    daily, found = app.config.digests
    sent = compose_now(app, found.slug, context.clock()).record
    assert sent is not None
    send_by_hand(app, sent, context)
    draft = compose_now(app, daily.slug, context.clock()).record
    assert draft is not None
    _, second, third, *_ = draft.edition.stories()
    colleague = Editor(name=people[1].name, seen=0, now=context.clock())
    changes = (
        Rewrite(story=second.id, part=Part.TITLE, text=f"{second.title}, at last"),
        Note(story=third.id, text="We were there: our report comes *tomorrow*."),
    )
    return edit(app.database, draft.edition.id, changes, colleague).record
