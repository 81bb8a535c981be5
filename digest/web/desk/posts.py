"""Show the posts of a digest by their state, and carry out decisions about many of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from starlette.datastructures import QueryParams

from digest.editions.desk.posts import (
    DECISIONS,
    NO_TOPIC,
    Decision,
    DecisionError,
    HeldFeed,
    PostList,
    PostQuery,
    PostSearch,
    ShownPost,
    decide,
    decide_held,
    search_posts,
    undo_decision,
    words_of,
)
from digest.editions.outlook.words import clock_words, counted, local
from digest.model.errors import NotFoundError
from digest.model.posts import PostState
from digest.model.publication import Digest
from digest.render.writing.text import shorten
from digest.web.security.forms import Form, Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext, name_subject

router = APIRouter()

_TABS = {
    PostState.WAITING: "Waiting",
    PostState.HELD: "Held",
    PostState.DEFERRED: "Deferred",
    PostState.DROPPED: "Dropped",
    PostState.RESERVED: "In a draft",
    PostState.USED: "Sent",
}
_WHY = {PostState.WAITING: "What becomes of it", PostState.DEFERRED: "Until when, and why"}
_NOTHING = {
    PostState.WAITING: "No post waits. Every post is in a draft, was sent, or was dropped.",
    PostState.HELD: "No post is held.",
    PostState.DEFERRED: "No post is deferred.",
    PostState.DROPPED: "No post is dropped.",
    PostState.RESERVED: "No post is in a draft at the moment.",
    PostState.USED: "No post has been sent yet.",
}
_AGES = (("", "Any time"), ("2", "Over two days ago"), ("7", "Over a week ago"))
_DONE = {
    "drop": "dropped",
    "old": "dropped",
    "keep": "waiting for the next edition",
    "defer": "deferred",
    "undo": "waiting again",
}
_BLURB = 140  # characters
_ASKED = ("digest", "state", "q", "feed", "topic", "seen", "page")
_DIGITS = 6  # of a number in a query


@router.api_route("/desk/posts", methods=["GET", "HEAD"])
def show_posts(request: Request, context: Desk) -> Response:
    """Show a page of posts. Unknown values of the query count as not given."""
    return _page(request, context, request.query_params)


@router.post("/desk/posts")
def decide_posts(request: Request, context: Desk, person: SignedIn, form: Sent) -> Response:
    """Carry out a decision about the chosen posts, or about all posts of a feed that are held."""
    digest = context.app.config.digest(form.one("digest"))
    now, what = context.clock(), form.one("what")
    if what == "undo":
        count = undo_decision(context.app.database, digest, person.name, _moment(form.one("at")), now)
        name_subject(request, f"{digest.slug}: {counted(count, 'post')} waiting again")
        return context.redirect(f"/desk/posts?{urlencode({'digest': digest.slug, 'done': f'undo-{count}'})}")
    decision = Decision(what=form.one("what"), by=person.name, until=_date(form.one("until")))
    asked = QueryParams([(name, form.one(name)) for name in _ASKED])
    try:
        count = _decided(context, digest, form, decision, now)
    except DecisionError as error:
        return _page(request, context, asked, fault=str(error), status=422)
    name_subject(request, f"{digest.slug}: {counted(count, 'post')} {_DONE[decision.what]}")
    query = {name: value for name, value in asked.items() if value}
    done = {"done": f"{decision.what}-{count}", "at": now.isoformat()}
    return context.redirect(f"/desk/posts?{urlencode(query | done)}")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotFoundError("decision", text) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _decided(context: StaffContext, digest: Digest, form: Form, decision: Decision, now: datetime) -> int:
    database = context.app.database
    if feed := form.one("held"):
        return decide_held(database, digest, feed, decision, now)
    chosen = form.many("post")
    if not chosen:
        raise DecisionError("No post is selected. Please tick the posts first.")
    return decide(database, digest, chosen, decision, now)


def _date(text: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(text)
    return None


# ── what the page shows ─────────────────────────────────────────────────────────────────────


def _page(
    request: Request, context: StaffContext, query: Mapping[str, str], *, fault: str = "", status: int = 200
) -> Response:
    now, config = context.clock(), context.app.config
    digest = config.digest(query.get("digest") or config.digests[0].slug)
    search, seen = _search(query, digest, now)
    number = query.get("page", "")
    page = int(number) if number.isdecimal() and len(number) <= _DIGITS else 1
    topic = query.get("topic", "") if search.state is PostState.WAITING else ""
    post_query = PostQuery(search=search, topic=topic, page=page)
    found = search_posts(context.app.database, config, post_query, now)
    kept = _kept(search, seen) | ({"topic": topic} if topic else {})
    values = {
        "digest": digest.slug,
        "digests": [(each.slug, each.title) for each in config.digests],
        "state": search.state,
        "heading": _heading(found, digest),
        "tabs": [
            {"state": state, "title": title, "count": found.counts.of(state)}
            for state, title in _TABS.items()
        ],
        "held_feeds": [_held_values(each) for each in found.held],
        "words": " ".join(search.words),
        "feed": search.feed,
        "feeds": found.feeds,
        "topic": topic,
        "topics": [(slug, "No topic" if slug == NO_TOPIC else title, n) for slug, title, n in found.topics],
        "seen": seen,
        "ages": _AGES,
        "posts": [_post_values(each, search.state, digest, now) for each in found.posts],
        "shows_topic": search.state is PostState.WAITING,
        "why_title": _WHY.get(search.state, "Why"),
        "decisions": DECISIONS[search.state],
        "page": found.page,
        "pages": found.pages,
        "query": f"{context.root}/desk/posts?{urlencode(kept)}",
        "tomorrow": (local(now, digest.zone).date() + timedelta(days=1)).isoformat(),
        "nothing": _NOTHING[search.state]
        if not (search.words or search.feed or topic or seen)
        else "No post is found.",
        "said": _said(query.get("done", "")),
        "undo": query.get("at", "") if search.state is PostState.WAITING else "",
        "fault": fault,
    }
    return context.page(request, "posts", values, status=status)


def _search(query: Mapping[str, str], digest: Digest, now: datetime) -> tuple[PostSearch, str]:
    state = query.get("state", "")
    seen = query.get("seen", "")
    seen = seen if seen in dict(_AGES) else ""
    search = PostSearch(
        digest=digest.slug,
        state=PostState(state) if state in list(PostState) else PostState.WAITING,
        words=tuple(words_of(query.get("q", ""))),
        feed=query.get("feed", ""),
        before_at=now - timedelta(days=int(seen)) if seen else None,
    )
    return search, seen


def _kept(search: PostSearch, seen: str) -> dict[str, str]:
    query = {"digest": search.digest, "state": str(search.state), "q": " ".join(search.words)}
    return {name: value for name, value in (query | {"feed": search.feed, "seen": seen}).items() if value}


def _heading(found: PostList, digest: Digest) -> str:
    counts, held = found.counts, found.counts.of(PostState.HELD)
    wait = counts.waiting
    if not wait:
        return f"No post waits for {digest.title}."
    verb = "waits" if wait == 1 else "wait"
    of_them = f"; {held:,} of them {'is' if held == 1 else 'are'} held" if held else ""
    return f"{counted(wait, 'post')} {verb} for a later edition of {digest.title}{of_them}."


def _held_values(held: HeldFeed) -> Mapping[str, object]:
    why = "They look new together, as after a move of the site. They wait by themselves after two days."
    one = "It looks new together with others. It waits by itself after two days."
    return {
        "feed": held.feed,
        "count": held.count,
        "words": counted(held.count, "post"),
        "why": one if held.count == 1 else why,
    }


def _post_values(shown: ShownPost, state: PostState, digest: Digest, now: datetime) -> Mapping[str, object]:
    post = shown.post
    linked = state in (PostState.RESERVED, PostState.USED)
    return {
        "id": post.id,
        "title": post.title,
        "blurb": shorten(post.blurb, _BLURB),
        "url": post.url if post.url and post.url.startswith(("https://", "http://")) else None,
        "feed": post.feed,
        "topic": shown.topic,
        "why": shown.why,
        "good": shown.why.startswith("in the next edition"),
        "edition": post.edition_id if linked else None,
        "seen": clock_words(post.first_seen_at, digest.zone, now),
    }


def _said(done: str) -> str:
    """Return what was done, for the status line: "2 posts dropped."."""
    what, _, number = done.partition("-")
    if what not in _DONE or not number.isdecimal() or len(number) > _DIGITS:
        return ""
    return f"{counted(int(number), 'post')} {_DONE[what]}."
