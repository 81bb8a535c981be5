"""The demo's folder: its feeds with dates, its configuration, its messages and its previews."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

_SHIPPED = Path(__file__).parent
_HOURS_AGO = re.compile(r"@-(\d+)h@")
_PICTURE = re.compile(r"https://pictures\.example\.org/([\w-]+\.jpg)(?:\?[\w=&;]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The folders of the demo. Feeds and database stay between runs, so that no post is new twice."""

    folder: Path

    @property
    def feeds(self) -> Path:
        """Return the folder of the feeds; if a feed is changed, the next run mails the new posts."""
        return self.folder / "feeds"

    @property
    def config(self) -> Path:
        """Return the configuration file."""
        return self.folder / "config.toml"

    @property
    def mail(self) -> Path:
        """Return the folder in which the mail server saves messages."""
        return self.folder / "mail"

    @property
    def previews(self) -> Path:
        """Return the folder of the previews."""
        return self.folder / "preview"


def prepare(folder: Path, now: datetime) -> Workspace:
    """Fill the folder; feeds that exist already are not changed."""
    workspace = Workspace(folder=folder)
    workspace.feeds.mkdir(parents=True, exist_ok=True)
    for template in sorted((_SHIPPED / "feeds").iterdir()):
        feed = workspace.feeds / template.name
        if not feed.exists():
            text = template.read_text(encoding="utf-8")
            feed.write_text(dated(text, now, rfc822=feed.suffix == ".xml"), encoding="utf-8")
    return workspace


def write_config(workspace: Workspace, *, feeds: str, port: int) -> Path:
    """Write the configuration with the addresses of this run's servers."""
    text = (_SHIPPED / "config.toml").read_text(encoding="utf-8")
    text = text.replace("@feeds@", feeds).replace("@port@", str(port))
    workspace.config.write_text(text, encoding="utf-8")
    return workspace.config


def readers_file() -> Path:
    """Return the list of the demo's readers, a CSV file."""
    return _SHIPPED / "readers.csv"


def picture_files() -> Path:
    """Return the folder with the pictures of the invented feeds."""
    return _SHIPPED / "pictures"


def with_pictures(page: Path) -> Path:
    """Rewrite a page so that it shows the pictures of the invented feeds from this machine.

    The email itself links to pictures.example.org, which does not exist.
    """
    pictures = page.parent / "pictures"
    shutil.copytree(picture_files(), pictures, dirs_exist_ok=True)
    text = page.read_text(encoding="utf-8")
    page.write_text(_PICTURE.sub(r"pictures/\1", text), encoding="utf-8")
    return page


def dated(template: str, now: datetime, *, rfc822: bool) -> str:
    """Return a feed in which each `@-3h@` mark is replaced by the date that many hours before `now`."""

    def date(match: re.Match[str]) -> str:
        moment = (now - timedelta(hours=int(match[1]))).replace(microsecond=0)
        return format_datetime(moment) if rfc822 else moment.isoformat()

    return _HOURS_AGO.sub(date, template)
