"""The text of a feed comes back from any encoding, however it is declared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.reading.encoding import decode
from digest.collect.reading.parse import Document, Parsed, parse
from tests.collect.test_parse import NOW

URL = "https://quay.example.org/feed"
WORDS = {
    "en": "The bridge is open for all – “at last”, said the keeper, and nobody disagreed",
    "de": "Größere Fähre läuft früher aus als die übrigen Schiffe, sagt der Hafenmeister über Bord",
    "ru": "Мост открыт для всех, первый день прошёл спокойно, дальше будет видно",
    "ja": "港の灯台が百年を迎え、町の人々が集まって祝った。海は静かだった",
    "zh": "港口的灯塔迎来一百周年,市民聚集庆祝,海面平静",
    "ko": "항구의 등대가 백 년을 맞아 시민들이 모여 축하했다",
    "ar": "افتتح الجسر أمام الجميع وكان اليوم الأول هادئا في المرفأ",
    "el": "Η γέφυρα άνοιξε για όλους και η πρώτη μέρα πέρασε ήσυχα",
    "pl": "Zażółć gęślą jaźń, mówi stary żeglarz znad wody",
}
LEGACY = {
    "windows-1252": ["en", "de"],
    "iso-8859-1": ["de"],
    "iso-8859-2": ["pl"],
    "windows-1251": ["ru"],
    "koi8-r": ["ru"],
    "windows-1253": ["el"],
    "windows-1256": ["ar"],
    "shift_jis": ["ja"],
    "euc-jp": ["ja"],
    "iso-2022-jp": ["ja"],
    "gbk": ["zh"],
    "gb18030": ["zh", "ru"],
    "big5": [],
    "euc-kr": ["ko"],
}
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
NAMES = [*LEGACY, "utf-8", "UTF8", "utf-16", "unicode", "x-unknown"]
texts = st.one_of(
    st.sampled_from(list(WORDS.values())),
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="<&\ufeff\ufffd"),
        min_size=1,
    ),
)


def rss(text: str, declared: str | None) -> str:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
    item = f"<item><guid>1</guid><title>Quay</title><description>{text}.</description></item>"
    return f"{declaration}\n<rss version='2.0'><channel><title>Quay</title>{item}</channel></rss>"


def content_type(name: str | None) -> str:
    return f"application/rss+xml; charset={name}" if name else "text/xml"


def shown(body: bytes, header: str | None) -> str:
    """Return the text of the feed's only post as it reaches the program."""
    found = decode(body, content_type(header))
    assert found is not None
    return found[found.index("<description>") + len("<description>") : found.index(".</description>")]


declared = st.none() | st.sampled_from(NAMES)


@given(texts, st.sampled_from(["", "\ufeff"]), declared, declared)
def test_utf_8_comes_back_however_it_is_declared(
    text: str, mark: str, header: str | None, document: str | None
) -> None:
    if (header and "2022" in header) or (document and "2022" in document):
        text = text.replace("\x1b", "")
    assert shown(f"{mark}{rss(text, document)}".encode(), header) == text


@given(texts, st.sampled_from(WIDE), st.booleans(), declared, declared)
def test_utf_16_and_utf_32_come_back_however_they_are_declared(
    text: str, encoding: str, marked: bool, header: str | None, document: str | None
) -> None:
    mark = "\ufeff" if marked else ""
    assert shown(f"{mark}{rss(text, document)}".encode(encoding), header) == text


@pytest.mark.parametrize(
    ("encoding", "language"), [(name, language) for name, some in LEGACY.items() for language in some]
)
def test_an_old_encoding_comes_back_if_it_is_declared_anywhere(encoding: str, language: str) -> None:
    text = WORDS[language]
    for header, document in (
        (encoding, None),
        (None, encoding),
        (encoding, encoding),
        ("utf-8", encoding),
        (encoding, "utf-8"),
        (encoding, "utf-16"),
        ("x-unknown", encoding),
    ):
        assert shown(rss(text, document).encode(encoding), header) == text
    assert shown(rss(text, encoding).encode(encoding), "iso-8859-1") == text  # as many servers say


@given(
    texts,
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0x80, 0xFF)), min_size=1, max_size=3),
    st.sampled_from([None, "utf-8"]),
    st.sampled_from([None, "utf-8"]),
)
def test_a_broken_byte_costs_only_itself(
    text: str, broken: list[tuple[int, int]], header: str | None, document: str | None
) -> None:
    words = text * 3
    for place, byte in broken:
        at = place % (len(words) + 1)
        words = f"{words[:at]} {chr(0xE000 + byte)} {words[at:]}"
    body = rss(words, document).encode()
    for _, byte in broken:
        body = body.replace(chr(0xE000 + byte).encode(), bytes([byte]))
    expected = words
    for _, byte in broken:
        expected = expected.replace(chr(0xE000 + byte), "\ufffd")
    assert shown(body, header) == expected


@given(
    st.sampled_from(["ru", "ja", "zh", "ko", "ar", "el", "pl"]),
    st.sampled_from(["iso-8859-1", "windows-1251", "gbk"]),
)
def test_a_broken_byte_in_utf_8_that_is_declared_as_something_else_costs_only_itself(
    language: str, name: str
) -> None:
    text = WORDS[language] * 2
    body = rss(f"{text} \ue000 {text}", name).encode().replace("\ue000".encode(), b"\xff")
    assert shown(body, None) == f"{text} \ufffd {text}"


def test_a_text_without_a_declaration_and_far_from_utf_8_is_left_to_be_guessed() -> None:
    body = rss(WORDS["ru"], None).encode("windows-1251")
    assert decode(body, "text/xml") is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("header", [None, "utf-8", "iso-8859-1", "utf-16"])
def test_feeds_of_every_kind_are_read_in_every_encoding(encoding: str, header: str | None) -> None:
    atom = (
        '<?xml version="1.0" encoding="utf-16"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Quay</title>'
        "<entry><id>1</id><title>Мост открыт</title></entry></feed>"
    )
    json = '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "title": "Мост открыт"}]}'
    for text in (
        atom,
        json,
        rss("x", None).replace("<title>Quay</title><description>", "<title>Мост открыт</title><description>"),
    ):
        document = Document(body=text.encode(encoding), url=URL, content_type=content_type(header))
        parsed = parse(document, feed_id="a", now=NOW)
        assert isinstance(parsed, Parsed)
        assert [post.title for post in parsed.posts] == ["Мост открыт"]


def test_a_dangerous_encoding_is_not_used() -> None:
    assert shown(rss("+ADw-b", "utf-7").encode(), "utf-7") == "+ADw-b"
