"""Stories that look alike must stay two stories: hiding one of them would lose it."""

from __future__ import annotations

import pytest

from tests.compose.samples import groups, published

# All these pairs have one text, long enough to prove something, so only the titles tell them apart.
TEXT = "Das Amt, l’office, la oficina, المكتب, 事務所の発表によると月曜日, сообщили утром, yes."
PAIRS = """
Fire in Ferrol kills three people | Fire in Vigo kills three people
Harbour notes: what happened in week 14 | Harbour notes: what happened in week 15
Harbour 2 Lakeside 1 | Lakeside 2 Harbour 1
Harbour United 2 Lakeside Rovers 1 | Lakeside United 2 Harbour Rovers 1
Harbour beat Lakeside in the cup final | Lakeside beat Harbour in the cup final
Harbour beat Lakeside 2-1 in the cup | Lakeside beat Harbour 2-1 in the cup
Harbour 2-1 Lakeside: match report | Harbour 1-2 Lakeside: match report
Obituary: Anna Berg, painter of boats | Obituary: Jonas Berg, painter of boats
Council approves the new tram line | Council does not approve the new tram line
Council approves the new tram line | Council never approves the new tram line
Harbour council will fund the library | Harbour council refuses to fund the library
Minister resigns over expenses report | Minister refuses to resign over expenses report
Shares in Nordbank fall after results | Shares in Westbank fall after results
Quay Editor 5.9 released for Linux | Quay Editor 5.10 released for Linux
Quay Editor 5.9 released for Linux | Quay Editor 5.9 beta released for Linux
Quay Phone Pro unveiled in the harbour | Quay Phone Pro Max unveiled in the harbour
What to watch on television on Monday | What to watch on television on Tuesday
Rain warning for the north of the island | Rain warning for the south of the island
Rain warning for the island of Ellis | Rain warning for the north of the island of Ellis
Teenager wins the national chess title | Teenager wins the national maths title
Quay Foods raises prices in India again | Quay Foods raises prices in Japan again
Court jails former mayor of Oldtown | Court frees former mayor of Oldtown
Police arrest suspect in bank robbery | Police arrest second suspect in bank robbery
Police find missing sailor alive in Ellis | Police find missing sailor dead in Ellis
Harbour women win the island cup final | Harbour win the island cup final
Earthquake of 5.1 shakes the island | Earthquake of 6.1 shakes the island
Ferry fares rise by 3 percent in spring | Ferry fares fall by 3 percent in spring
Prices rise by 4.2 percent in Spain | Prices rise by 4.2 percent in Italy
Vitamin C lifts the mood of sailors | Vitamin D lifts the mood of sailors
Tram strike begins in the harbour today | Tram strike ends in the harbour today
Storm leaves 3 dead and 14 injured | Storm leaves 14 dead and 3 injured
Island votes to leave the ferry union | Island votes to join the ferry union
Doctors isn't worried about harbour flu | Doctors is worried about harbour flu
First round of the sailing world cup | Second round of the sailing world cup
Bridge to the west closed until Friday | Bridge to the east closed until Friday
Brand in Ferrol fordert drei Tote | Brand in Vigo fordert drei Tote
Stadtrat stimmt der Tramlinie zu | Stadtrat stimmt der Tramlinie nicht zu
Hafenbrücke wird bis Montag gesperrt | Hafenbrücke wird nie bis Montag gesperrt
Wetter: Sturm im Norden der Insel | Wetter: Sturm im Süden der Insel
Gericht verurteilt Bürgermeister von Altstadt | Gericht verurteilt Bürgermeister von Neustadt
Hafen schlägt Seestadt im Pokalfinale | Seestadt schlägt Hafen im Pokalfinale
Incendie à Brest : trois morts dans un immeuble | Incendie à Nantes : trois morts dans un immeuble
Le conseil vote la ligne de tramway | Le conseil ne vote pas la ligne de tramway
La mairie ouvre une école sans cantine | La mairie ouvre une école avec cantine
Le maire de Port-Vieux démissionne | Le maire de Port-Neuf démissionne
Incendio en Ferrol deja tres muertos | Incendio en Vigo deja tres muertos
El alcalde dimite por los contratos | El alcalde no dimite por los contratos
La jornada 14 de la liga insular | La jornada 15 de la liga insular
El puerto gana al lago en la final | El lago gana al puerto en la final
حريق في طنجة يقتل ثلاثة أشخاص | حريق في وهران يقتل ثلاثة أشخاص
المجلس يوافق على خط الترام الجديد | المجلس لا يوافق على خط الترام الجديد
زلزال بقوة 5.1 يهز الجزيرة اليوم | زلزال بقوة 6.1 يهز الجزيرة اليوم
東京で火災、三人が死亡した | 大阪で火災、三人が死亡した
市議会が新しい電車の線を承認 | 市議会が新しい電車の線を不承認
港が湖に勝つ、決勝戦の結果 | 湖が港に勝つ、決勝戦の結果
第14週の港の出来事のまとめ | 第15週の港の出来事のまとめ
市议会批准新电车线路 | 市议会未批准新电车线路
上海火灾造成三人死亡 | 广州火灾造成三人死亡
港口队击败湖滨队夺冠 | 湖滨队击败港口队夺冠
苹果公司发布新款手机 | 苹果公司发布新款手机壳
Пожар в Пскове унёс жизни троих | Пожар в Твери унёс жизни троих
Совет одобрил новую линию трамвая | Совет не одобрил новую линию трамвая
Гавань обыграла Озеро в финале кубка | Озеро обыграла Гавань в финале кубка
İzmir'de yangın üç kişi öldü | Bursa'da yangın üç kişi öldü
Belediye yeni tramvay hattını onayladı | Belediye yeni tramvay hattını onayladı değil
Liman kupa finalinde Göl takımını yendi | Göl kupa finalinde Liman takımını yendi
O porto vence o lago na final | O lago vence o porto na final
De haven opent de brug voor trams | De haven opent de brug niet voor trams
Il comune approva la linea del tram | Il comune non approva la linea del tram
"""
# Titles that many publishers use again and again, each over a text of its own.
SERIAL = """
Morning briefing for Monday
The five things you need to know this Monday
What to watch on television this weekend
Live: election night in the harbour and on the islands
Die Nachrichten am Morgen: Montag
Was am Wochenende in der Stadt los ist
Les titres de la presse du lundi matin
Las noticias más importantes de este lunes
نشرة الأخبار الصباحية ليوم الاثنين
今朝の主なニュースのまとめ
今日早间新闻要点汇总
Главные новости утра понедельника
Pazartesi sabahının öne çıkan haberleri
"""


@pytest.mark.parametrize("pair", PAIRS.strip().splitlines())
def test_titles_that_differ_in_one_thing_are_two_stories_even_above_one_text(pair: str) -> None:
    one, other = pair.split(" | ")
    assert len(groups(published(one, blurb=TEXT), published(other, "Coast Weekly", blurb=TEXT))) == 2
    assert len(groups(published(one, "Coast Weekly", blurb=TEXT, hours=9), published(other, blurb=TEXT))) == 2


@pytest.mark.parametrize("title", SERIAL.strip().splitlines())
@pytest.mark.parametrize(
    ("text", "another"),
    [
        ("The ferry is late, and the lighthouse opens.", "A storm is on its way to the western coast."),
        ("A fire in Ferrol killed three, the police said.", "A fire in Vigo killed three, the police said."),
        ("Our pick of the day.", "Our pick of the day."),
        ("", ""),
    ],
)  # fmt: skip
def test_serial_titles_of_two_publishers_stay_apart(title: str, text: str, another: str) -> None:
    assert len(groups(published(title, blurb=text), published(title, "Coast Weekly", blurb=another))) == 2


def test_the_same_title_over_the_same_text_is_one_story_also_where_one_text_was_cut() -> None:
    title, text = (
        "Harbour bridge opens to trams",
        "The first tram crossed the harbour bridge on Monday at nine.",
    )
    longer = f"PORT ELLIS (Wire) – {text} The mayor was on board."
    assert len(groups(published(title, blurb=text), published(title, "Coast Weekly", blurb=longer))) == 1


def test_a_headline_may_say_what_the_text_of_the_other_says() -> None:
    text = "The first tram crossed the harbour bridge on Monday at nine."
    one = published("Tram crosses the harbour bridge", blurb=text)
    other = published("First tram crosses the harbour bridge", "Coast Weekly", blurb=text)
    assert len(groups(one, other)) == 1


@pytest.mark.parametrize(
    ("link", "before", "after"),
    [
        ("https://a.example.org/2026/storm", "Storm kills three in Ellis", "Storm kills 5 in Ellis"),
        ("https://a.example.org/city/line-nine-is-delayed", "Line nine is delayed", "Mayor promises trams"),
        ("https://a.example.org/city/7", "Harbour council votes for tram", "Harbour council wants the tram"),
    ],
)  # fmt: skip
def test_a_post_whose_headline_was_changed_is_one_story(link: str, before: str, after: str) -> None:
    posts = published(before, url=link, id="1", hours=5), published(after, url=link, id="2")
    assert len(groups(*posts)) == 1


@pytest.mark.parametrize(
    ("link", "titles"),
    [
        ("https://radio.example.org/show", ("Episode 14: The ferry", "Episode 15: The lighthouse")),
        ("https://radio.example.org/show", ("The ferry at night", "A lighthouse keeper speaks")),
        ("https://radio.example.org/island-radio", ("Island Radio: Ferry", "Island Radio: Light")),
        ("https://radio.example.org/show/12345", ("The ferry at night", "A lighthouse keeper speaks")),
    ],
)  # fmt: skip
def test_posts_that_share_the_page_of_a_show_stay_apart(link: str, titles: tuple[str, ...]) -> None:
    texts = "We take the night ferry to the mainland.", "Forty years above the sea, and never bored."
    posts = [
        published(title, url=link, id=title, blurb=text) for title, text in zip(titles, texts, strict=True)
    ]
    elsewhere = published("Listen to this programme", "Coast Weekly", url=link)
    assert len(groups(*posts, elsewhere)) == 3


def test_a_feed_with_many_headlines_for_one_page_means_different_posts() -> None:
    link = "https://a.example.org/2026/harbour-notes-of-today"
    posts = [published(f"Harbour notes of today, part {n}", url=link, id=str(n)) for n in range(5)]
    assert len(groups(*posts)) == 5


def test_a_home_page_does_not_identify_a_story() -> None:
    home = "https://a.example.org/"
    posts = (
        published("A new look for our site", url=home),
        published("Ferry is late", "Coast Weekly", url=home),
    )
    assert len(groups(*posts)) == 2
