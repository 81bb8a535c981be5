"""A whole letter as SpamAssassin sees it, without the network: what our headers and markup earn."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from digest.compose.edition import content_hash
from digest.model import Edition, EditionRecord, EditionState, Mail, ReaderLinks
from digest.render.mail import render_mail, sample_edition
from digest.render.sample import short_edition
from digest.render.templates import load_templates
from digest.send.letters import Press, Stationery
from digest.send.message import Addressee

TEMPLATES = load_templates()


def render(edition: Edition, links: ReaderLinks, _language: str) -> Mail:
    return render_mail(TEMPLATES, edition, links, web_url=f"https://press.example.org/d/x/{edition.id}")


def judged(edition: Edition) -> tuple[float, str]:
    """Return the score of the letter a reader of `edition` gets, and which rules gave it."""
    program = shutil.which("spamassassin")
    assert program, "this test needs SpamAssassin: apt-get install spamassassin"
    record = EditionRecord(edition=edition, hash=content_hash(edition), state=EditionState.APPROVED)
    press = Press(record, Stationery(render=render, secret=b"a secret of this test"))
    letter = press.letter(Addressee(subscriber_id=1, address="reader@readers.example.org"))
    assert letter is not None
    done = subprocess.run([program, "-t", "-L"], input=letter.data, capture_output=True, check=False)
    report = done.stdout.decode(errors="replace").rpartition("Content analysis details:")[2]
    score = re.search(r"\((-?[\d.]+) points", report)
    assert score, done.stderr.decode(errors="replace")
    return float(score[1]), report


@pytest.mark.parametrize("edition", [sample_edition(), short_edition()], ids=["long", "one story"])
def test_a_digest_earns_a_good_score_and_breaks_no_rule(edition: Edition) -> None:
    score, report = judged(edition)
    assert score <= -1.0, report
