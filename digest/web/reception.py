"""What every page works with: the parts of the product, the clock, the errands, and how a page is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse

from digest.app import App
from digest.render.languages import Words, languages, words_for
from digest.render.templates import Sample
from digest.render.values import SiteValues, site_values
from digest.web.accepting import best_language
from digest.web.errands import Errand, Errands
from digest.web.gate import Gate
from digest.web.security import Client, client_of
from digest.web.tickets import Tickets

VARY = "Accept-Language"  # of every answer whose words depend on it, lest a cache mix up languages


@dataclass(frozen=True, slots=True)
class PageWords(Words):
    """The texts of a page, and what its links and forms need to stay in the language a link asked for."""

    kept: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """The desk behind all pages. One for a server, shared by its threads."""

    app: App
    clock: Callable[[], datetime]
    tickets: Tickets
    gate: Gate
    errands: Errands

    @property
    def root(self) -> str:
        """Return what stands before every path: empty, or where a proxy has put us."""
        return urlsplit(self.app.config.site.base_url).path

    @property
    def site(self) -> SiteValues:
        """Return who publishes, as templates see it."""
        return site_values(self.app.config.site)

    def words(self, request: Request, language: str | None = None) -> PageWords:
        """Return the texts of the language of a page.

        That is the one asked for by `?language=`, else the reader's own, where a page has one, else the
        one the browser likes best, else the site's; of these the first that there is.
        """
        liked = best_language(", ".join(request.headers.getlist("accept-language")), languages())
        asked = request.query_params.get("language", "")
        known = (each for each in (asked, language, liked) if each and _is_offered(each))
        say = words_for(next(known, self.app.config.site.language))
        kept = f"?language={say.language}" if _is_offered(asked) else ""
        return PageWords(say.language, say.direction, say.texts, kept)

    def client(self, request: Request) -> Client:
        """Return who asks."""
        return client_of(request.client.host if request.client else None, self.app.secret)

    def later(self, errand: Errand) -> None:
        """Do something after the answer; raises HTTPException 503 when too much waits already."""
        if not self.errands.take(errand):
            raise HTTPException(503, "busy", headers={"retry-after": "60"})

    def title(self, slug: str) -> str:
        """Return the title of a digest, or its slug when it has been taken out of the configuration."""
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
        """Return the page made from the template `web/{name}.html`; what all pages share is added."""
        shared = shared_values(say, self.site, self.root)
        html = self.app.templates.render(f"web/{name}.html", {**shared, **values})
        said = {"content-language": say.language, "vary": VARY}
        return HTMLResponse(html, status_code=status, headers={**said, **(headers or {})})

    def message(
        self, say: PageWords, heading: str, *texts: str, status: int = 200, link: Link | None = None
    ) -> HTMLResponse:
        """Return a page that says a few sentences."""
        return self.page("message", say, {"heading": heading, "texts": texts, "link": link}, status=status)


def shared_values(say: PageWords, site: SiteValues, root: str) -> dict[str, object]:
    """Return what the templates of all pages are given."""
    return {
        "say": say,
        "language": say.language,
        "direction": say.direction,
        "site": site,
        "root": root,
        "kept": say.kept,
        "choices": (),
    }


@dataclass(frozen=True, slots=True)
class Link:
    """Where a page leads on to."""

    url: str
    label: str


def public_languages() -> tuple[tuple[str, str], ...]:
    """Return the languages a public page can be switched to; none when there is only one."""
    return tuple(languages().items()) if len(languages()) > 1 else ()


def samples() -> tuple[Sample, ...]:
    """Return the pages that say a few sentences with invented values: to check templates with."""
    values = {"heading": "Heading", "texts": ("One.", "Two.")}
    links = (None, Link("https://news.example.org/", "Label"))
    return tuple(("web/message.html", {**values, "link": link}) for link in links)


def _is_offered(language: str) -> bool:
    return language.partition("-")[0].casefold() in languages()


def _reception(request: Request) -> Reception:
    reception: Reception = request.app.state.reception
    return reception


Desk = Annotated[Reception, Depends(_reception)]
