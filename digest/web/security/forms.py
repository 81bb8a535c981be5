"""Read submitted forms, in both encodings, and refuse unreadable or oversized ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_LONGEST = 4_000  # characters of one value
_MOST = 400  # fields; a sign-up to many digests has a box for each topic
# Control characters, lone surrogates, and the character that replaces invalid UTF-8.
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffd]")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form: each name with its values in order."""

    values: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str:
        """Return the value of a field, or "" if it is missing. A field sent twice is refused with 400."""
        found = self.values.get(name, ("",))
        if len(found) > 1:
            raise HTTPException(400, "a field was sent twice")
        return found[0].strip()

    def many(self, name: str) -> tuple[str, ...]:
        """Return every value of a field, for example of ticked boxes."""
        return self.values.get(name, ())

    def has(self, name: str) -> bool:
        """Tell whether the field was sent at all."""
        return name in self.values


async def read_form(request: Request) -> Form:
    """Return the form in a request (a dependency): 400 if it is unreadable, 415 if it is not a form."""
    kind = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if kind not in _FORMS:
        if await request.body():
            raise HTTPException(415, "the request is not a form")
        return Form({})
    values: dict[str, list[str]] = {}
    try:
        sent = await request.form(max_files=0, max_fields=_MOST, max_part_size=_LONGEST * 4)
    except (ValueError, LookupError) as error:
        raise HTTPException(400, "the form is unreadable") from error
    for name, value in sent.multi_items():
        if not isinstance(value, str) or len(value) > _LONGEST or _UNREADABLE.search(name + value):
            raise HTTPException(400, "the form is unreadable")
        values.setdefault(name, []).append(value)
    if len(values) > _MOST:
        raise HTTPException(400, "the form is unreadable")
    return Form({name: tuple(found) for name, found in values.items()})


Sent = Annotated[Form, Depends(read_form)]
