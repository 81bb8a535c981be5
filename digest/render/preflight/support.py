"""Find CSS that a named mail program does not support, by the data of caniemail.com."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
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
    (re.compile(r"(padding|margin)-(?:inline|block)-(?:start|end)"), r"\1-inline-start-end"),
    (re.compile(r"(padding|margin)-(?:inline|block)"), r"\1-inline-block"),
)
# What says something only beside another property, whose finding is enough.
_PARTS = {
    "css-display-flex": ("align-items", "justify-content", "flex-direction", "flex-wrap", "gap"),
    "css-display-grid": ("align-items", "justify-content", "grid-template", "gap"),
    "css-position": ("left-right-top-bottom", "inset", "z-index"),
}
_VALUES = (
    (re.compile(r"\bvar\("), "variables"),
    (re.compile(r"\brgba\("), "rgba"),
    (re.compile(r"\b(?:hsla?|hwb|lab|lch|oklab|oklch|color)\("), "modern-color"),
    (re.compile(r"\bcalc\("), "unit-calc"),
    (re.compile(r"\b(?<!-)clamp\("), "function-clamp"),
    (re.compile(r"\b(?<!-)min\("), "function-min"),
    (re.compile(r"\b(?<!-)max\("), "function-max"),
    (re.compile(r"\b(?:repeating-)?linear-gradient\("), "linear-gradient"),
    (re.compile(r"\b(?:repeating-)?radial-gradient\("), "radial-gradient"),
    (re.compile(r"\bconic-gradient\("), "conic-gradient"),
    (re.compile(r"\blight-dark\("), "function-light-dark"),
    *(
        (re.compile(rf"(?<![\w.])-?[\d.]+{unit}\b"), f"unit-{unit}")
        for unit in ("rem", "vh", "vw", "vmin", "ch")
    ),
)
# The data says that these mail programs support margins in part: its note 1 is about negative values.
_NEGATIVE_MARGIN = "margin-negative"
_NEGATIVE = re.compile(r"(?<![\w.])-[\d.]*[1-9]")
_WEB_PICTURE = re.compile(r"url\(\s*[\"']?https?:")
_AT_RULES = ("font-face", "keyframes")
_DISPLAYS = {"flex": "display-flex", "inline-flex": "display-flex", "grid": "display-grid"}
_NAMES = {
    "variables": "A CSS variable",
    "modern-color": "A colour function",
    _NEGATIVE_MARGIN: "A negative margin",
    "left-right-top-bottom": "A place by left, right, top or bottom",
    "html-link": "A linked style sheet",
}
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
    negative = feature == f"css-{_NEGATIVE_MARGIN}"
    answers = features().get("css-margin" if negative else feature, {})
    lack = (name for name, answer in answers.items() if _lacks(answer, note="#1" if negative else ""))
    return tuple(_PROGRAMS.get(name, name) for name in lack)


def _lacks(answer: str, note: str) -> bool:
    return answer.startswith("n") or bool(note and note in answer.split())


def unsupported(page: Page) -> Iterator[Finding]:
    """Yield a finding for each feature of the styles that a mail program lacks and that an email may need.

    Rules inside @media are left out: they improve an email that is complete without them.
    """
    used: dict[str, str] = {}
    for element in page.elements:
        names = _features_of(tuple(element.declared.items()))
        used |= dict.fromkeys(names, _shown_in(element)) if names else {}
        if element.tag == "link" and "stylesheet" in element.attributes.get("rel", "").casefold():
            used["html-link"] = "<link>"
    for rule in rules(page.style):
        if not rule.media and not any(":" in selector for selector in rule.selectors):
            place = f"the rule {', '.join(rule.selectors)[:60]}"
            used |= dict.fromkeys(_features_of(tuple(rule.declared.items())), place)
    used |= {f"css-at-{name}": f"@{name}" for name in _AT_RULES if f"@{name}" in page.style.casefold()}
    for feature, where in sorted(used.items()):
        programs = () if feature in GRACEFUL else lacking(feature)
        if programs:
            message = f"{_name(feature)} does not work in {_in_words(programs)} (in {where})."
            yield found("css", message, Place(part="HTML"))


@lru_cache(maxsize=1_024)  # most elements of an email share their styles
def _features_of(declared: tuple[tuple[str, Declared], ...]) -> frozenset[str]:
    used = frozenset(f"css-{name}" for pair in declared for name in _used(*pair))
    parts = {f"css-{part}" for whole in _PARTS if whole in used for part in _PARTS[whole]}
    return used - parts


def _used(name: str, declared: Declared) -> Iterator[str]:
    """Yield what a declaration needs, as the data names it."""
    yield from (feature for pattern, feature in _VALUES if pattern.search(declared.value))
    if name.startswith("margin") and _NEGATIVE.search(declared.value):
        yield _NEGATIVE_MARGIN
    if name in ("background", "background-image"):
        # A picture without an absolute address has a finding of its own.
        yield from ("background-image",) if _WEB_PICTURE.search(declared.value) else ()
        name = "background"
    if name == "display" and declared.value in _DISPLAYS:
        yield _DISPLAYS[declared.value]
    elif (name, declared.value) != ("position", "static"):
        yield next((pattern.sub(end, name) for pattern, end in _WHOLES if pattern.fullmatch(name)), name)


def _shown_in(element: Element) -> str:
    named = element.attributes.get("class", "").split()
    return f"<{element.tag}{f' class={named[0]}' if named else ''}>"


def _name(feature: str) -> str:
    name = feature.removeprefix("css-")
    if name.startswith("display-"):
        return name.replace("-", ":", 1)
    return _NAMES.get(name) or (f"@{name.removeprefix('at-')}" if name.startswith("at-") else name)


def _in_words(programs: tuple[str, ...]) -> str:
    shown, more = programs[:_NAMED], len(programs) - _NAMED
    ends = [*shown, *([f"{more} more"] if more > 0 else [])]
    return " and ".join(", ".join(ends).rsplit(", ", 1))
