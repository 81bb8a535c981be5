"""The shape of config.toml: every table and key, with its type and default."""

from __future__ import annotations

from datetime import date, timedelta
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from digest.config import parsers as words
from digest.model.publication import HEADLINES

Line = Annotated[str, AfterValidator(words.line)]
Host = Annotated[str, AfterValidator(words.host)]
Lines = Annotated[str, AfterValidator(words.lines)]
Slug = Annotated[str, AfterValidator(words.slug_word)]
Duration = Annotated[timedelta, BeforeValidator(words.duration)]
Zone = Annotated[str, AfterValidator(words.zone)]
Schedule = Annotated[str, AfterValidator(words.schedule)]
Mailbox = Annotated[str, AfterValidator(words.mailbox)]
Address = Annotated[str, AfterValidator(words.address)]
UnsubscribeAddress = Annotated[str, AfterValidator(words.unsubscribe_address)]
WebAddress = Annotated[str, AfterValidator(words.web_address)]
LinkPattern = Annotated[str, AfterValidator(words.link_pattern)]
BaseUrl = Annotated[str, AfterValidator(words.base_url)]
Language = Annotated[str, AfterValidator(words.language)]
Limit = Annotated[str, AfterValidator(words.limit)]
Domain = Annotated[str, AfterValidator(words.domain)]
DatabaseUrl = Annotated[str, AfterValidator(words.database_url)]
Colour = Annotated[str, AfterValidator(words.colour)]
Text = Annotated[str, AfterValidator(words.text)]
Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[int, Field(ge=1)]


class Shape(BaseModel):
    """A table: unknown keys are refused, and no value is converted to another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


class SiteShape(Shape):
    """[site]: the publisher."""

    name: Line
    base_url: BaseUrl
    postal_address: Lines
    language: Language = "en"
    templates: Line | None = None
    secret_file: Line = "data/secret"


class FeedShape(Shape):
    """[[feed]]: one source of posts."""

    name: Line
    url: WebAddress | None = None
    path: Line | None = None
    source: Literal["feed", "wordpress", "page"] | None = None
    complete: bool = False
    link: LinkPattern | None = None
    tags: list[Line] = []
    topics: list[Slug] = []


class TopicShape(Shape):
    """[[topic]]: a heading, and the rule that brings stories under it."""

    slug: Slug
    title: Line
    about: Line | None = None
    tags: list[Line] = []
    aliases: dict[str, Line] = {}
    keywords: list[Line] = []
    feeds: list[Line] = []
    order: int = 0
    quota: Positive | None = None
    colour: Colour | None = None


class GatherShape(Shape):
    """[digest.gather]: the frequencies that readers may choose besides each edition, with their schedules."""

    daily: Schedule | None = None
    weekly: Schedule | None = None


class SponsorShape(Shape):
    """[digest.sponsor]: the advertisement in each edition."""

    name: Line
    text: Text
    url: WebAddress
    link: Line | None = None


class DigestShape(Shape):
    """[[digest]]: a recurring publication."""

    slug: Slug
    title: Line
    about: Line | None = None
    schedule: Schedule
    sender: Mailbox = Field(alias="from")
    zone: Zone = "UTC"
    feeds: list[Line] = []
    topics: list[Slug] = []
    cutoff: Duration = timedelta(minutes=30)
    head_start: Duration | None = None
    late: Duration = timedelta(hours=4)
    minimum: Positive = 1
    maximum: Positive = 30
    max_age: Duration | None = None
    lead: Literal["auto", "newest", "none"] = "auto"
    review: Literal["send", "hold", "skip"] = "send"
    approvals: Annotated[int, Field(ge=1, le=9)] = 1
    reply_to: Mailbox | None = None
    subject: Line = "{{ lead.title }}"
    preheader: Line = HEADLINES
    catch_all: Line | None = None
    gather: GatherShape = GatherShape()
    skip: list[date] = []
    style: Literal["newspaper", "brief", "links"] = "newspaper"
    introduction: Text | None = None
    signed: Line | None = None
    sponsor: SponsorShape | None = None


class DomainShape(Shape):
    """[[mail.domain]]: domains whose limits are counted together."""

    names: Annotated[list[Domain], Field(min_length=1)]
    limits: list[Limit] = []
    warm_up: list[Positive] = []
    warm_up_from: date | None = None


class ServerShape(Shape):
    """[[mail.server]]: one of several mail servers."""

    host: Host
    port: Port = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    require_tls: bool = False
    user: Line | None = None
    password_file: Line | None = None
    ca_file: Line | None = None
    connections: Annotated[int, Field(ge=1, le=100)] = 4
    timeout: Duration = timedelta(minutes=1)
    weight: Annotated[int, Field(ge=1, le=1000)] | None = None


class MailShape(Shape):
    """[mail]: how messages are delivered."""

    transport: Literal["folder", "smtp"] = "folder"
    folder: Line = "data/mail"
    host: Host | None = None
    port: Port = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    require_tls: bool = False
    user: Line | None = None
    password_file: Line | None = None
    ca_file: Line | None = None
    connections: Annotated[int, Field(ge=1, le=100)] = 4
    timeout: Duration = timedelta(minutes=1)
    ehlo_name: Host | None = None
    bounce_address: Address | None = None
    unsubscribe_address: UnsubscribeAddress | None = None
    mailbox: Line | None = None
    retry_for: Duration = timedelta(hours=24)
    doubt: Literal["hold", "resend"] = "hold"
    limits: list[Limit] = []
    warm_up: list[Positive] = []
    warm_up_from: date | None = None
    domain: list[DomainShape] = []
    server: list[ServerShape] = []


class DatabaseShape(Shape):
    """[database]: where everything is kept."""

    url: DatabaseUrl = "sqlite:///data/digest.db"


class JobsShape(Shape):
    """[jobs]: by whom the work is done."""

    engine: Literal["none", "procrastinate"] = "none"


class WebShape(Shape):
    """[web]: where the pages are served."""

    host: Host = "127.0.0.1"
    port: Port = 8000


class StaffShape(Shape):
    """[staff]: the pages of editors and operators."""

    url: BaseUrl | None = None
    oidc_issuer: WebAddress | None = None
    oidc_client: Line | None = None
    oidc_secret_file: Line | None = None


class CollectShape(Shape):
    """[collect]: the limits for fetching a feed."""

    allow_hosts: list[Line] = []
    timeout: Duration = timedelta(seconds=30)
    max_bytes: Annotated[int, Field(ge=1_000)] = 10_000_000
    max_posts: Positive = 500
    in_flight: Annotated[int, Field(ge=1, le=200)] = 16
    user_agent: Line = "newsletter-digest"


class PicturesShape(Shape):
    """[pictures]: copies of the pictures in emails."""

    copies: bool = True


class PreflightShape(Shape):
    """[preflight]: the rules of the preflight that are turned off, each with the reason."""

    off: dict[str, Line] = {}


class BrandLinkShape(Shape):
    """[[brand.links]]: a link at the foot of emails and pages."""

    name: Line
    url: WebAddress


class BrandShape(Shape):
    """[brand]: the looks of emails and pages."""

    preset: Literal["warm", "cool", "plain"] | None = None
    logo: Line | None = None
    logo_dark: Line | None = None
    header: Line | None = None
    band: Colour | None = None
    accent: Colour | None = None
    paper: Colour | None = None
    ink: Colour | None = None
    headings: Literal["serif", "sans"] | None = None
    serif: Literal["Georgia", "Times", "Palatino", "Cambria"] | None = None
    sans: Literal["Helvetica", "Verdana", "Tahoma", "Trebuchet", "System"] | None = None
    links: list[BrandLinkShape] = []
    privacy_url: WebAddress | None = None
    imprint_url: WebAddress | None = None


class RootShape(Shape):
    """The whole file."""

    site: SiteShape
    feed: list[FeedShape] = []
    topic: list[TopicShape] = []
    digest: list[DigestShape] = []
    mail: MailShape = MailShape()
    database: DatabaseShape = DatabaseShape()
    jobs: JobsShape = JobsShape()
    web: WebShape = WebShape()
    staff: StaffShape = StaffShape()
    collect: CollectShape = CollectShape()
    pictures: PicturesShape = PicturesShape()
    preflight: PreflightShape = PreflightShape()
    brand: BrandShape = BrandShape()


def tables() -> dict[str, type[Shape]]:
    """Return every table of the file by its name."""
    return {name: table_of(field.annotation) for name, field in RootShape.model_fields.items()}


def repeated(name: str) -> bool:
    """Tell whether a table is repeated, as in [[feed]], [[topic]] and [[digest]]."""
    return get_origin(RootShape.model_fields[name].annotation) is list


def keys(table: type[Shape]) -> dict[str, str]:
    """Return the keys of a table as they are written in the file, each with the name of its field."""
    return {field.alias or name: name for name, field in table.model_fields.items()}


def table_of(annotation: object) -> type[Shape]:
    """Return the table that the annotation of a field names."""
    inner = get_args(annotation)[0] if get_origin(annotation) in (list, Union, UnionType) else annotation
    assert isinstance(inner, type)
    assert issubclass(inner, Shape)
    return inner
