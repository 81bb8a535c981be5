"""Look at the lines that a list of messages shows: the subject and the preheader."""

from __future__ import annotations

import re
from collections.abc import Iterator

from digest.model.editions import Edition
from digest.model.messages import Email
from digest.model.publication import HEADLINES
from digest.render.preflight.findings import Action, ActionKind, Finding, Level, Place
from digest.render.preflight.rules import found
from digest.render.writing.text import width
from subscribers.text import one_line

# Characters that are shown in a list of messages; the width of letters differs, so these are round numbers.
_PHONE_SUBJECT, _GMAIL_SUBJECT, _PREHEADER = 45, 70, 90
_LONG_SUBJECT = 78
# Most headlines have more than 70 characters or little less, and a warning in each edition is not read.
_LONG_HEADLINE = 90
_FEW = 10  # letters; shorter subjects may be names, such as "NATO" or "COVID-19: RKI"
_LOUD = 0.7  # the share of capital letters in a subject that shouts
_LOUD_WORD = 4  # letters; abbreviations of three letters do not shout
_CRIES = re.compile(
    r"[!¡！]\s*[!?¡！]|[?؟]\s*[!]|(?:[!！][^!！]*){3}|[$€£]{3}|([\U0001f300-\U0001faff])(?:\ufe0f?\1){2}"
)
_WORD = re.compile(r"[^\W\d_]+")
# Signs that change the one before them, or join two: a family of four people is one sign.
_JOINED = re.compile("\u200d.|[\U0001f3fb-\U0001f3ff\ufe0f]")

_SUBJECT = Place(part="subject")
_CHANGE = Action(kind=ActionKind.SUBJECT)


def subject_lines(email: Email) -> Iterator[Finding]:
    """Yield what is wrong with the subject of an email in any language."""
    if not email.subject.strip():
        yield found("subject_empty", "The subject is empty.", _SUBJECT, _CHANGE)
    if "\n" in email.subject or "\r" in email.subject:
        yield found("subject_empty", "The subject has more than one line.", _SUBJECT, _CHANGE)


def shown_lines(email: Email, edition: Edition, last: str = "") -> Iterator[Finding]:
    """Yield what editors should know about the subject and the preheader; `last` is the earlier subject.

    Nothing is said about a preheader of headlines or of the first blurb: it fills the room that there is.
    """
    if not "".join(filter(str.isprintable, edition.subject_template)).strip():
        said = "The subject is empty, so emails get the title and the date of the digest instead."
        yield found("subject_empty", said, _SUBJECT, _CHANGE, level=Level.WARN)
    elif not any(map(str.isalnum, email.subject)):
        said = f"The subject has no word: “{email.subject}”"
        yield found("subject_empty", said, _SUBJECT, _CHANGE, level=Level.WARN)
    elif _shouts(email.subject):
        yield found("subject_shouting", f"The subject shouts: “{email.subject}”", _SUBJECT, _CHANGE)
    yield from cut_lines(email, edition)
    if last and _same(last) == _same(email.subject):
        said = f"The subject is the same as that of the last edition: “{email.subject}”"
        yield found("subject_repeated", said, _SUBJECT, _CHANGE)


def cut_lines(email: Email, edition: Edition) -> Iterator[Finding]:
    """Yield a finding for the subject and one for the preheader, if lists of messages cut them."""
    most = _LONG_HEADLINE if "{" in edition.subject_template else _LONG_SUBJECT
    if width(_JOINED.sub("", email.subject)) > most:
        shown = f"Gmail shows about {_GMAIL_SUBJECT} characters, and phones show about {_PHONE_SUBJECT}"
        said = f"The subject is long; {shown}: {_begin(email.subject, _PHONE_SUBJECT)}"
        yield found("subject_long", said, _SUBJECT, _CHANGE)
    if edition.preheader_template not in ("", HEADLINES) and width(email.preheader) > _PREHEADER:
        part = _begin(email.preheader, _PREHEADER)
        said = f"The preheader is long; lists of messages show about {_PREHEADER}: {part}"
        yield found("preheader_long", said, Place(part="preheader"), Action(kind=ActionKind.PREHEADER))


def _begin(line: str, columns: int) -> str:
    """Return the beginning of a line that fits into so many columns, as a quotation."""
    ends = (end for end in range(len(line), 0, -1) if width(line[:end]) <= columns)
    return f"“{line[: next(ends, 0)].rstrip()}…”"


def _shouts(subject: str) -> bool:
    cased = [letter for letter in subject if letter.isupper() or letter.islower()]
    words = _WORD.findall(subject)
    loud = len(cased) >= _FEW and sum(map(str.isupper, cased)) >= _LOUD * len(cased)
    told = len(words) > 1 and any(word.isupper() and len(word) >= _LOUD_WORD for word in words)
    return (loud and told) or bool(_CRIES.search(subject))


def _same(subject: str) -> str:
    """Return a subject without case, spaces and signs; signs alone stay as they are."""
    line = one_line(subject).casefold()
    return " ".join(re.findall(r"\w+", line)) or line
