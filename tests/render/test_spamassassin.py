"""SpamAssassin's score of a whole message, without the network: only headers and markup count."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from digest.message.build import MessageBuilder, MessageSettings
from digest.model.deliveries import Recipient
from digest.model.editions import Edition, EditionRecord, EditionState
from digest.model.messages import Email, ReaderLinks
from digest.model.snapshot import content_hash
from digest.render.mail import render_email
from digest.render.sample import sample_edition, short_edition
from digest.render.templates import load_templates

TEMPLATES = load_templates()


def render(edition: Edition, links: ReaderLinks, _language: str) -> Email:
    return render_email(TEMPLATES, edition, links, web_url=f"https://press.example.org/d/x/{edition.id}")


def judged(edition: Edition) -> tuple[float, str]:
    """Return the score of the message that a reader of `edition` gets, and the rules behind it."""
    program = shutil.which("spamassassin")
    assert program, "this test needs SpamAssassin: apt-get install spamassassin"
    record = EditionRecord(edition=edition, hash=content_hash(edition), state=EditionState.APPROVED)
    builder = MessageBuilder(record, MessageSettings(render=render, secret=b"a secret of this test"))
    message = builder.message(Recipient(subscriber_id=1, address="reader@readers.example.org"))
    assert message is not None
    done = subprocess.run([program, "-t", "-L"], input=message.data, capture_output=True, check=False)
    report = done.stdout.decode(errors="replace").rpartition("Content analysis details:")[2]
    score = re.search(r"\((-?[\d.]+) points", report)
    assert score, done.stderr.decode(errors="replace")
    return float(score[1]), report


@pytest.mark.parametrize("edition", [sample_edition(), short_edition()], ids=["long", "one story"])
def test_a_digest_earns_a_good_score_and_breaks_no_rule(edition: Edition) -> None:
    score, report = judged(edition)
    assert score <= -1.0, report
