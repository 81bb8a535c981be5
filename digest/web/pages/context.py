"""Give every page what it needs: the app, the clock, the wake-up, languages and rendering."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from digest.app import App
from digest.model.publication import Site
from digest.render.languages.languages import Words, languages, words_for
from digest.render.values import SiteValues, brand_values, site_values
from digest.web.security.abuse import AbuseGuard
from digest.web.security.security import Client, client_of
from digest.web.security.tickets import Tickets

VARY = "Accept-Language"  # on every answer that depends on it, so that caches keep languages apart


@dataclass(frozen=True, slots=True)
class PageWords(Words):
    """The texts of a page. `kept` is the query that keeps its links and forms in the requested language."""

    kept: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebContext:
    """The parts of the program that pages use. A server has one context, and its threads share it."""

    app: App
    clock: Callable[[], datetime]
    tickets: Tickets
    guard: AbuseGuard
    wake: Callable[[], None]  # sends queued notices at once, if this process sends any
    pushes: set[object] = field(default_factory=set)  # the requests of hubs that are being read

    @property
    def root(self) -> str:
        """Return the prefix of every path: empty, or the path under which a proxy serves the pages."""
        return urlsplit(self.app.config.site.base_url).path

    @property
    def site(self) -> SiteValues:
        """Return the publisher's values for templates."""
        return site_values(self.app.config.site)

    def words(self, request: Request, language: str | None = None) -> PageWords:
        """Return the texts for a page, in the first of these languages that is available.

        The language of `?language=`; the reader's own (`language`), if the page belongs to a reader; the
        language the browser prefers; the site's language.
        """
        preferred = best_language(", ".join(request.headers.getlist("accept-language")), languages())
        asked = request.query_params.get("language", "")
        known = (each for each in (asked, language, preferred) if each and _is_offered(each))
        say = words_for(next(known, self.app.config.site.language))
        kept = f"?language={say.language}" if _is_offered(asked) else ""
        return PageWords(say.language, say.direction, say.texts, kept)

    def client(self, request: Request) -> Client:
        """Return the client that sent a request."""
        return client_of(request.client.host if request.client else None, self.app.secret)

    def title(self, slug: str) -> str:
        """Return the title of a digest, or its slug when the configuration no longer has it."""
        return next((each.title for each in self.app.config.digests if each.slug == slug), slug)

    def page(
        self,
        name: str,
        say: PageWords,
        values: Mapping[str, object],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Render the template `web/{name}.html` with `values` and the values that all pages share."""
        shared = shared_values(say, self.app.config.site, self.root)
        html = self.app.templates.render(f"web/{name}.html", {**shared, **values})
        spoken = {"content-language": say.language, "vary": VARY}
        return HTMLResponse(html, status_code=status, headers={**spoken, **(headers or {})})

    def message(
        self, say: PageWords, heading: str, *texts: str, status: int = 200, link: Link | None = None
    ) -> HTMLResponse:
        """Return a page with a heading, a few sentences and possibly a link."""
        return self.page("message", say, {"heading": heading, "texts": texts, "link": link}, status=status)


def shared_values(say: PageWords, site: Site, root: str) -> dict[str, object]:
    """Return the values that the templates of all pages share."""
    return {
        "say": say,
        "language": say.language,
        "direction": say.direction,
        "site": site_values(site),
        "brand": brand_values(site),
        "root": root,
        "kept": say.kept,
        "choices": (),
    }


@dataclass(frozen=True, slots=True)
class Link:
    """A link from one page to the next."""

    url: str
    label: str


def public_languages() -> tuple[tuple[str, str], ...]:
    """Return the languages that a public page offers: tag and name; nothing when there is only one."""
    return tuple(languages().items()) if len(languages()) > 1 else ()


def _is_offered(language: str) -> bool:
    return language.partition("-")[0].casefold() in languages()


def _context(request: Request) -> WebContext:
    context: WebContext = request.app.state.context
    return context


Context = Annotated[WebContext, Depends(_context)]

_LONGEST = 1_000  # characters of the header that are read; browsers send a few dozen
_MOST = 50  # languages
_QUALITY = r"\s*;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)"
_RANGE = re.compile(rf"(\*|[a-z]{{1,8}})(?:-[a-z0-9]{{1,8}})*(?:{_QUALITY})?", re.ASCII)


def best_language(header: str, offered: Collection[str]) -> str | None:
    """Return the offered language that an Accept-Language header prefers, or None when it accepts none.

    A variant ("de-AT") counts as its main language. Between equal qualities the first language wins, and
    q=0 refuses a language. Unreadable parts are skipped. When `*` is preferred, the answer is None.
    """
    qualities: dict[str, float] = {}
    for part in header[:_LONGEST].lower().split(",")[:_MOST]:
        found = _RANGE.fullmatch(part.strip())
        if found:
            quality = min(float(found[2] or 1), 1.0)
            qualities[found[1]] = max(qualities.get(found[1], 0.0), quality)
    known = [language for language in qualities if language in offered and qualities[language] > 0]
    best = max(known, key=lambda language: qualities[language], default=None)
    return best if best is not None and qualities[best] >= qualities.get("*", 0.0) else None
