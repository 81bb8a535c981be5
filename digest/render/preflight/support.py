"""Find CSS that a named mail program does not support, by the data of caniemail.com."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from digest.render.preflight.findings import Finding, Place
from digest.render.preflight.rules import found
from digest.render.reading.page import Element, Page
from digest.render.reading.styles import Declared, rules

_DATA = Path(__file__).with_name("caniemail") / "features.json"
_NAMED = 3  # mail programs; of more, only the number is told

# Features that some mail programs lack, and why an email works without them.
GRACEFUL: Mapping[str, str] = {
    "css-height": "only height:auto, which is what the client does anyway",
    "css-max-height": "hides the preheader a second time; Outlook has mso-hide",
    "css-min-width": "an element is narrower without it",
    "css-overflow": "hides the preheader a second time; Outlook has mso-hide",
    "css-text-decoration-color": "a headline's underline has its colour otherwise",
    "css-text-decoration-thickness": "an underline is as thick as the font wants otherwise",
    "css-text-underline-offset": "an underline is a little closer to its letters otherwise",
    "css-white-space": "a source may break into two lines otherwise",
    "css-word-break": "breaks only words longer than the line",
}
# Parts of a property that the data counts under its whole, and properties that it lists under another name.
_WHOLES = (
    (re.compile(r"(border|padding|margin)-(?:top|bottom|left|right)(?:-\w+)?"), r"\1"),
    (re.compile(r"border-(?:color|style|width)"), "border"),
    (re.compile(r"border-[\w-]+-radius"), "border-radius"),
    (re.compile(r"left|right|top|bottom"), "left-right-top-bottom"),
    (re.compile(r"flex-(?:grow|shrink|basis|flow)|flex"), "display-flex"),
    (re.compile(r"grid[\w-]*"), "grid-template"),
    (re.compile(r"(?:row|column)-gap"), "gap"),
    (re.compile(r"--[\w-]+"), "variables"),
)
_VALUES = (
    (re.compile(r"\bvar\("), "variables"),
    (re.compile(r"\brgba\("), "rgba"),
    (re.compile(r"\b(?:hsla?|hwb|lab|lch|oklab|oklch|color)\("), "modern-color"),
    (re.compile(r"\bcalc\("), "unit-calc"),
    (re.compile(r"\bclamp\("), "function-clamp"),
    (re.compile(r"\b(?:repeating-)?linear-gradient\("), "linear-gradient"),
    (re.compile(r"\b(?:repeating-)?radial-gradient\("), "radial-gradient"),
    (re.compile(r"\bconic-gradient\("), "conic-gradient"),
    (re.compile(r"\blight-dark\("), "function-light-dark"),
    *(
        (re.compile(rf"(?<![\w.])-?[\d.]+{unit}\b"), f"unit-{unit}")
        for unit in ("rem", "vh", "vw", "vmin", "ch")
    ),
)
_DISPLAYS = {"flex": "display-flex", "inline-flex": "display-flex", "grid": "display-grid"}
_PROGRAMS = {
    "apple-mail.macos": "Apple Mail",
    "apple-mail.ios": "Apple Mail on iOS",
    "gmail.desktop-webmail": "Gmail",
    "gmail.ios": "Gmail on iOS",
    "gmail.android": "Gmail on Android",
    "outlook.windows": "Outlook for Windows",
    "outlook.outlook-com": "Outlook.com",
    "outlook.macos": "Outlook for Mac",
    "outlook.ios": "Outlook on iOS",
    "outlook.android": "Outlook on Android",
    "yahoo.desktop-webmail": "Yahoo Mail",
    "yahoo.ios": "Yahoo Mail on iOS",
    "samsung-email.android": "Samsung Email",
    "thunderbird.macos": "Thunderbird",
    "protonmail.desktop-webmail": "Proton Mail",
    "fastmail.desktop-webmail": "Fastmail",
}


@cache
def features() -> Mapping[str, Mapping[str, str]]:
    """Return what each mail program supports: "y" yes, "n" no, "a" in part, "u" not known; with notes."""
    found: Mapping[str, Mapping[str, str]] = _data()["features"]
    return found


@cache
def dated() -> str:
    """Return the date of the data, as 2026-05-13."""
    return str(_data()["updated"])[:10]


@cache
def _data() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    data: Mapping[str, Mapping[str, Mapping[str, str]]] = json.loads(_DATA.read_text(encoding="utf-8"))
    return data


def lacking(feature: str) -> tuple[str, ...]:
    """Return the mail programs that do not support a feature, by the names that people know."""
    answers = features().get(feature, {})
    return tuple(_PROGRAMS.get(name, name) for name, answer in answers.items() if answer.startswith("n"))


def unsupported(page: Page) -> Iterator[Finding]:
    """Yield a finding for each feature of the styles that a mail program lacks and that an email may need.

    Rules inside @media are left out: they improve an email that is complete without them.
    """
    used: dict[str, str] = {}
    for element in page.elements:
        used |= _features_of(element.declared, _shown_in(element))
    for rule in rules(page.style):
        if not rule.media and not any(":" in selector for selector in rule.selectors):
            used |= _features_of(rule.declared, f"the rule {', '.join(rule.selectors)[:60]}")
    for feature, where in sorted(used.items()):
        programs = () if feature in GRACEFUL else lacking(feature)
        if programs:
            message = f"{_name(feature)} does not work in {_in_words(programs)} (in {where})."
            yield found("css", message, Place(part="HTML"))


def _features_of(declared: Mapping[str, Declared], where: str) -> dict[str, str]:
    return {f"css-{name}": where for pair in declared.items() for name in _used(*pair)}


def _used(name: str, declared: Declared) -> Iterator[str]:
    """Yield what a declaration needs, as the data names it."""
    if name == "display" and declared.value in _DISPLAYS:
        yield _DISPLAYS[declared.value]
    elif name == "position" and declared.value == "static":
        return
    else:
        whole = next((end for pattern, end in _WHOLES if pattern.fullmatch(name)), None)
        match = next((pattern for pattern, end in _WHOLES if end == whole), None)
        yield match.sub(whole, name) if match and whole else name
    yield from (feature for pattern, feature in _VALUES if pattern.search(declared.value))


def _shown_in(element: Element) -> str:
    named = element.attributes.get("class", "").split()
    return f"<{element.tag}{f' class={named[0]}' if named else ''}>"


def _name(feature: str) -> str:
    name = feature.removeprefix("css-")
    if name.startswith("display-"):
        return name.replace("-", ":", 1)
    return {"variables": "A CSS variable", "modern-color": "A colour function"}.get(name, name)


def _in_words(programs: tuple[str, ...]) -> str:
    shown, more = programs[:_NAMED], len(programs) - _NAMED
    ends = [*shown, *([f"{more} more"] if more > 0 else [])]
    return " and ".join(", ".join(ends).rsplit(", ", 1))
