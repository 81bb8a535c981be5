from __future__ import annotations

import pytest

from digest.compose.topics import place
from digest.model.tags import keys_of
from tests.compose.samples import groups, published, topic


def claims(
    *, title: str = "x", tags: tuple[str, ...] = (), keyword: str = "", tag: str = "", language: str = "en"
) -> bool:
    """Return whether a rule with one keyword or one tag claims a story."""
    rule = topic("rule", keywords=(keyword,) if keyword else (), tags=(tag,) if tag else ())
    (found,) = place(
        groups(published(title, blurb="", tags=tags)), [rule], catch_all="More", language=language
    )
    return found.slug == "rule"


@pytest.mark.parametrize(
    ("keyword", "title"),
    [
        ("EU", "EU opens a harbour office"),
        ("EU", "The E.U. opens a harbour office"),
        ("EU", "An EU-wide ferry pass"),
        ("PC", "Old PCs get a second life"),
        ("Go", "Learn Go in a week"),
        ("go", "Let it GO"),
        ("C++", "A tour of C++20"),
        ("F#", "F# for sailors"),
        (".NET", "What .NET does"),
        ("Vue.js", "Vue.js on the quay"),
        ("M&S", "M&S opens at the harbour"),
        ("R&amp;D", "R&D at the shipyard"),
        ("creche", "Une crèche au port"),
        ("crèche", "Une creche au port"),
        ("Lodz", "Trams for Łódź"),
        ("ebike", "E-bikes on the ferry"),
        ("e-bike", "Ebikes on the ferry"),
        ("Port Ellis", "Port Ellis’ ferries"),
        ("lighthouse keeper’s", "The lighthouse keeper's cat"),
        ("Élysée", "Un phare à l’Élysée"),
        ("energie*", "Energiewende am Hafen"),
        ("night train*", "Night trainspotters meet"),
        ("ＦＥＲＲＹ", "Ferry FERRY"),
        ("灯台", "港の灯台が百年"),
        ("항구", "항구에서 열린 행사"),
        ("ميناء", "افتتاح الميناء الجديد"),
        ("נמל", "חגיגה בנמל"),
        ("city", "Cities by the sea"),
        ("harbours", "The harbour in winter"),
    ],
)
def test_a_keyword_is_found_as_people_mean_it(keyword: str, title: str) -> None:
    assert claims(keyword=keyword, title=title)


@pytest.mark.parametrize(
    ("keyword", "title"),
    [
        ("EU", "Neu am Hafen"),
        ("WHO", "Those who sail"),
        ("IT", "It is calm, and it stays"),
        ("May", "The ferry may sail"),
        ("Go", "We go to sea"),
        ("iOS", "The harbour of Ios"),
        ("C", "A tour of C++ and C#"),
        ("F", "F# for sailors"),
        ("NET", ".NET does it"),
        ("js", "Vue.js on the quay"),
        ("AT", "AT&T lays a cable"),
        ("rail", "A trail by the sea"),
        ("klima", "Klimaschutz am Hafen"),
        ("ferry port", "The ferry leaves the port"),
        ("new", "News of the harbour"),
        ("arm", "The arms of the crane"),
        ("it", "Its lamp is lit"),
        ("电脑", "電腦展"),
        ("*", "Anything at all"),
        ("…", "Anything at all"),
    ],
)
def test_a_keyword_does_not_claim_more(keyword: str, title: str) -> None:
    assert not claims(keyword=keyword, title=title)


@pytest.mark.parametrize(
    ("language", "singular", "plural"),
    [
        ("en", "ferry", "Ferries"),
        ("de", "Wahl", "Wahlen"),
        ("fr", "journal", "Journaux"),
        ("es", "lápiz", "Lápices"),
        ("pt-BR", "eleição", "Eleições"),
        ("it", "porto", "Porti"),
        ("nl", "haven", "Havens"),
        ("ru", "порт", "Порты"),
        ("sv", "hamn", "Hamnar"),
        ("tr", "liman", "Limanlar"),
    ],
)
def test_a_plural_follows_the_language_of_the_site(language: str, singular: str, plural: str) -> None:
    for keyword, title in ((singular, plural), (plural, singular)):
        assert claims(keyword=keyword, title=f"{title} …", language=language)
        assert claims(tag=keyword, tags=(title,), language=language)
    assert not claims(keyword=singular, title=plural, language="th")


def test_another_form_counts_only_where_no_topic_has_the_word() -> None:
    one, exact = topic("one", keywords=("ferry",)), topic("exact", keywords=("ferries",))
    (found,) = place(groups(published("Ferries are late", blurb="")), [one, exact], catch_all="More")
    assert (found.slug, found.placed[0].claims) == ("exact", ())


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("politica", "política"),
        ("harbour", "#Harbour"),
        ("#harbour", "Harbour"),
        ("R&amp;D", "R&D"),
        ("food and drink", "Food & Drink"),
        ("Kunst & Kultur", "Kunst und Kultur"),
        ("C#", "c#"),
        (".net", ".NET"),
        ("world", "World/Europe"),
        ("europe", "World/Europe"),
        ("uk news", "structure:news/uk-news"),
        ("night trains", "NightTrains"),
        ("seamens mission", "Seamen’s Mission"),
        ("Lübeck", "Luebeck"),
        ("Strasse", "Straße"),
        ("izmir", "İzmir"),
        ("الإبحار", "الابحار"),
        ("C＋＋", "c++"),
        ("night trains", "nighttrains"),
        ("tide 19", "TIDE19"),
        ("food & drink", "Food + Drink"),
        ("trams", "topic:trams"),
        ("AI", "A.I."),
    ],
)
def test_a_tag_is_the_same_in_all_its_spellings(tag: str, written: str) -> None:
    assert claims(tag=tag, tags=(written,))
    assert not keys_of(tag).isdisjoint(keys_of(written))


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("c", "C#"),
        ("c", "C++"),
        ("net", ".NET"),
        ("ac", "AC/DC"),
        ("europe", "Europe and Asia"),
        ("news", "new"),
        ("at sea", "atsea"),
        ("trams", "Opinion: trams again"),
        ("", "#"),
    ],
)
def test_a_tag_does_not_claim_more(tag: str, written: str) -> None:
    assert keys_of(tag).isdisjoint(keys_of(written))
    assert not claims(tag=tag, tags=(written,))


def test_a_keyword_is_also_found_in_tags() -> None:
    assert claims(keyword="ferry", tags=("Night ferry",))
    assert claims(keyword="AI", tags=("ai",))
    assert not claims(keyword="AI", tags=("said",))
    assert not claims(keyword="smith", tags=("author_name|Smith",))
