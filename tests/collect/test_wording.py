from __future__ import annotations

import pytest

from digest.collect.reading.noise import is_line
from digest.collect.wording.bylines import byline
from digest.collect.wording.marks import emoji, lowered, raised, without_shortcodes
from digest.collect.wording.trim import without_addresses, without_hashtags, without_opening
from digest.collect.wording.via import Link, is_called, led_to, via_of
from digest.model.posts import Via

WIRE = "https://wire.example.org/2026/tide"


@pytest.mark.parametrize(
    ("mark", "before", "shown"),
    [
        ("9", "There are 10", "⁹"),
        ("2", "a field of 40 m", "²"),
        ("-3", "about 5·10", "⁻³"),
        ("1", "built in 1901", ""),
        ("1", "said the keeper", ""),
        ("2", "it was dry.", ""),
        ("[3]", "the keeper", ""),
        ("*", "the keeper", ""),
        ("2, 3", "the keeper", ""),
        ("st", "the 1", "st"),
        ("e", "le XX", "e"),
        ("n", "up to 2", "ⁿ"),
        ("2", "E = mc", "²"),
        ("o", "at 20", "º"),
        ("a", "said the keeper", ""),
        ("TM", "Tidewall", "™"),
    ],
)
def test_a_raised_number_is_a_power_and_a_raised_mark_is_a_note(mark: str, before: str, shown: str) -> None:
    assert raised(mark, before) == shown


def test_a_raised_link_to_a_note_is_a_note_whatever_stands_before_it() -> None:
    assert raised("9", "There are 10", linked=True) == ""
    assert raised("a", "the keeper", names="fnref footnote-ref") == ""


def test_a_lowered_number_stays_a_number() -> None:
    assert (lowered("2"), lowered("max")) == ("₂", "max")


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ('[et_pb_section a="1"][et_pb_text]Tide.[/et_pb_text][/et_pb_section]', "Tide."),
        ("[vc_row]Tide.[/vc_row] [gallery ids=”1,2”]", "Tide. "),
        ('[caption id="a" width="3"]<img src="a.png">A pier[/caption]Tide.', None),
        ("[b]Tide[/b] and [url=https://example.org/]pier[/url]", "Tide and pier"),
        (
            "[Update] The tide […] [sic] [Video] is [x] high [1].",
            "[Update] The tide […] [sic] [Video] is [x] high [1].",
        ),
    ],
)
def test_shortcodes_vanish_and_words_in_brackets_stay(html: str, shown: str | None) -> None:
    expected = '<figcaption><img src="a.png">A pier</figcaption>Tide.' if shown is None else shown
    assert without_shortcodes(html) == expected


def test_an_emoji_is_its_text() -> None:
    assert emoji("❤", "wp-smiley", "") == "❤"
    assert emoji("🌊", "", "https://s.w.org/images/core/emoji/15/72x72/1f30a.png") == "🌊"
    assert emoji(":harbour:", "custom-emoji emojione", "") == ""
    assert emoji("The pier at dawn", "alignleft", "https://example.org/pier.jpg") is None


@pytest.mark.parametrize(
    "line",
    [
        "SPREAD THE WORD",
        "Subscribe for free to get new posts.",
        "Thanks for reading The Tide! Subscribe for free to receive new posts and support my work.",
        "Sponsored by the Harbour Bank",
        "Sign up below to get daily updates from the coast",
        "This post may contain affiliate links.",
        "5 min read",
        "Listen to this article",
        "Facebook Twitter WhatsApp Email",
        "Jetzt kostenlos abonnieren",
        "Lesezeit: 4 Minuten",
        "Abonnez-vous à notre lettre",
        "Temps de lecture : 3 minutes",
        "Suscríbete a nuestro boletín",
        "Iscriviti alla newsletter",
        "Tempo de leitura: 3 min",
        "Deel dit artikel op Facebook",
        "شارك المقال مع أصدقائك",
        "وقت القراءة: 3 دقائق",
        "Подпишитесь на наш канал",
        "Correction (May 3): An earlier version of this article gave a wrong name.",
        "This story has been updated.",
        "This content is for paid subscribers. Log in to continue.",
        "You have 2 free articles left this month.",
        "In einer früheren Version dieses Artikels stand eine andere Zahl.",
        "Dieser Beitrag ist nur für Mitglieder sichtbar.",
        "Une version précédente de cet article indiquait une autre date.",
        "La suite est réservée aux abonnés.",
        "Fe de errores: la votación fue el martes.",
        "Contenido exclusivo para suscriptores",
        "Contenuto riservato agli abbonati",
    ],
)
def test_lines_around_a_post_are_recognised_in_many_languages(line: str) -> None:
    assert is_line(line)


@pytest.mark.parametrize(
    "line",
    [
        "Share prices of harbour firms rose on Monday.",
        "Sponsors of the regatta met on the quay.",
        "The story of the pier is told in a book by its keeper.",
        "شارك الرئيس في افتتاح الميناء يوم الاثنين.",
        "Die Anzeige wurde am Montag erstattet.",
        "Listeners of the harbour radio chose a song.",
        "Sources at the harbour say that the gates are old.",
        "An earlier version of the bridge stood here in 1901.",
        "Corrections officers met the mayor on Monday.",
        "This content is for children, the ministry said.",
        "Hinweise auf den Täter nimmt die Polizei entgegen.",
        "La suite du procès est attendue lundi.",
        "Nur für Mitglieder der Feuerwehr gilt das neue Gesetz, sagte der Minister.",
        "Article 12 continues after a long debate in the council.",
        "Une version précédente de ce pont datait de 1901.",
    ],
)
def test_sentences_that_begin_like_such_lines_stay(line: str) -> None:
    assert not is_line(line)


@pytest.mark.parametrize(
    ("line", "links", "via"),
    [
        ("Read the original story here: Wire News", {"Wire News": WIRE}, Via(name="Wire News", url=WIRE)),
        ("Source: Wire News", {"Wire News": WIRE}, Via(name="Wire News", url=WIRE)),
        ("Originally published by Wire News.", {}, Via(name="Wire News")),
        ("This article first appeared in Wire News and is republished here.", {}, Via(name="Wire News")),
        ("Quelle: Küstenblatt", {}, Via(name="Küstenblatt")),
        ("Lire l’article original sur La Vague", {"La Vague": WIRE}, Via(name="La Vague", url=WIRE)),
        ("Publicado originalmente en El Faro", {"El Faro": WIRE}, Via(name="El Faro", url=WIRE)),
        ("المصدر: أخبار المرفأ", {"أخبار المرفأ": WIRE}, Via(name="أخبار المرفأ", url=WIRE)),
        ("Read the original article here", {"here": WIRE}, Via(name="wire.example.org", url=WIRE)),
        ("Source: Getty Images", {}, None),
        ("Source: Ministry of Tides, annual report.", {}, None),
        ("Via Roma is closed until Monday.", {}, None),
        ("via Wire News", {"Wire News": WIRE}, Via(name="Wire News", url=WIRE)),
        (
            "Source: Tide turns in Port Ellery after nine days, says the mayor",
            {"Tide turns in Port Ellery after nine days, says the mayor": WIRE},
            Via(name="wire.example.org", url=WIRE),
        ),
        (
            "Read the full story at Wire News",
            {"Read the full story at Wire News": WIRE},
            Via(name="Wire News", url=WIRE),
        ),
        ("Read more about tides", {"Read more about tides": WIRE}, None),
        ("The mayor said that the source of the river is dry.", {}, None),
    ],
)
def test_a_line_names_the_publication_that_had_the_post_first(
    line: str, links: dict[str, str], via: Via | None
) -> None:
    assert via_of(line, [Link(text, url) for text, url in links.items()]) == via


@pytest.mark.parametrize(
    ("line", "linked", "name"),
    [
        ("More at Coast Wire.", "Coast Wire", "Coast Wire"),
        ("h/t Coast Wire", "Coast Wire", "Coast Wire"),
        ("[Coast Wire]", "Coast Wire", "Coast Wire"),
        ("Read the rest of this story on Coast Wire", "rest of this story", "Coast Wire"),
        ("Den ganzen Artikel lesen Sie bei Coast Wire", "Coast Wire", "Coast Wire"),
        ("Lire la suite sur Coast Wire →", "Lire la suite sur Coast Wire →", "Coast Wire"),
        ("Leer más en Coast Wire", "Coast Wire", "Coast Wire"),
        ("Learn more about Coast Wire", "Coast Wire", None),
        ("Read more: Coast Wire wins a prize", "Coast Wire wins a prize", None),
        ("Read more at our shop", "our shop", None),
        ("Get tickets at Coast Wire", "Coast Wire", None),
        ("Thanks to Coast Wire for the picture", "Coast Wire", None),
    ],
)
def test_a_line_leads_to_a_publication_whose_address_has_its_name(
    line: str, linked: str, name: str | None
) -> None:
    url = "https://www.coastwire.test/2026/pier"
    assert led_to(line, [Link(linked, url)]) == (Via(name=name, url=url) if name else None)
    assert led_to(line, [Link(linked, "https://www.coastwire.test/")]) is None


def test_a_page_on_a_platform_is_no_source() -> None:
    assert led_to("More on Facebook", [Link("Facebook", "https://www.facebook.com/groups/1")]) is None


@pytest.mark.parametrize(
    ("host", "name", "called"),
    [
        ("www.nhtimes.test", "The North Harbour Times", True),
        ("nht.test", "North Harbour Times", True),
        ("lavague.test", "La Vague", True),
        ("thetide.test", "Tide", True),
        ("kuesten-blatt.test", "Küstenblatt", True),
        ("tide.test", "Tide News", True),
        ("tide.test", "Tide turns in the harbour", False),
        ("coastwire.test", "Crane Works", False),
    ],
)
def test_a_host_is_a_short_form_of_its_name(host: str, name: str, *, called: bool) -> None:
    assert is_called(f"https://{host}/a", name) == called


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("admin",), ""),
        (("Administrator", "Ada Quill"), "Ada Quill"),
        (("By Ada Quill",), "Ada Quill"),
        (("ADA QUILL",), "Ada Quill"),
        (("BBC NEWS",), "BBC NEWS"),
        (("ada@paper.example (Ada Quill)",), "Ada Quill"),
        (("a (Ada Quill",), "Ada Quill"),
        (("Ada Quill; Bo Moss",), "Ada Quill, Bo Moss"),
        (("Ada Quill, editor",), "Ada Quill"),
        (("Ada Quill, north coast correspondent",), "Ada Quill"),
        (("Ada Quill Deputy harbour editor",), "Ada Quill"),
        (("Ada Ann Quill Media editor",), "Ada Ann Quill"),
        (("Ada Ann Quill senior editor",), "Ada Ann Quill senior editor"),
        (("Science editor",), "Science editor"),
        (("https://example.org/ada",), ""),
        (("Harbour News",), ""),
        (("Harbour News Staff",), ""),
        (("Redaktion",), ""),
        (("المحرر",), ""),
        (("webmaster", "root", "guest", "Unknown"), ""),
        (("Admiral Ada Root",), "Admiral Ada Root"),
        (("/u/adaquill",), "adaquill"),
        (("Quill, A., Moss, B. C.",), "A. Quill, B. C. Moss"),
        (
            ("Ada Quill", "Bo Moss", "Cy Lind", "Dee Hart", "Eve Nash Marlowe", "Flo Reyes"),
            "Ada Quill, Bo Moss, Cy Lind, Dee Hart, Eve Nash Marlowe, Flo Reyes",
        ),
        (tuple(f"Ada Number {letter}" for letter in "abcdefgh"), "Ada Number a et al."),
    ],
)
def test_a_byline_names_people_and_no_accounts(names: tuple[str, ...], shown: str) -> None:
    assert byline(names, "Harbour News – from the water's edge") == shown


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("PORT ELLERY (AP) — The wall held.", "The wall held."),
        ("Port Ellery, Coast – The wall held.", "The wall held."),
        ("(Photo: Bo Moss) The wall held.", "The wall held."),
        ("Ada Quill – The mayor of Port Ellery – spoke.", "Ada Quill – The mayor of Port Ellery – spoke."),
        ("The wall – old as it is – held.", "The wall – old as it is – held."),
        ("Sea-level rise is slow.", "Sea-level rise is slow."),
    ],
)
def test_datelines_and_credits_are_taken_off(text: str, rest: str) -> None:
    assert without_opening(text) == rest


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("The tide tables are out: https://example.org/tides", "The tide tables are out"),
        ("The tide tables (see www.example.org/a) are out.", "The tide tables are out."),
        ("Read https://example.org/a for more.", ""),
        ("https://example.org/a", ""),
        ("Watch the film here: https://example.org/a", ""),
        ("See harbour.example.fm/listener for privacy information.", ""),
        ("The vote was yes and/or no, 3/4 in all.", "The vote was yes and/or no, 3/4 in all."),
        ("The tide tables are out.", "The tide tables are out."),
    ],
)
def test_bare_addresses_are_left_out(sentence: str, shown: str) -> None:
    assert without_addresses(sentence) == shown


def test_hashtags_after_a_sentence_are_left_out_and_those_within_stay() -> None:
    assert without_hashtags("We love the #pier today. #quay #tide") == "We love the #pier today."


@pytest.mark.parametrize(
    "text",
    [
        "[a " * 30_000,
        "-" * 3_990 + " / x",
        "www." * 500 + "." * 1_998 + '"',
        "[a=" + "x" * 60_000,
        "source: " * 10_000,
        "A B C D, " * 10_000,
        "this article " * 10_000,
        "# " * 30_000,
        "www." * 20_000,
        "(http://" * 10_000,
    ],
)
def test_hostile_texts_are_read_without_harm(text: str) -> None:
    assert len(without_shortcodes(text)) <= len(text)
    for part in (text[:240], text[:4_000]):
        assert is_line(part) in (True, False)
        assert via_of(part, []) is None or len(part) <= 400
        assert len(without_hashtags(without_addresses(without_opening(part)))) <= len(part)
    assert len(byline((text[:300],))) <= 300
