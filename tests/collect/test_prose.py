from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.reading.prose import BLURB, blurb, cut, feed_line, is_whole, same_words, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" The  tide\r\nturns\t", "The tide turns"),
        ("The tide\r\nBcc: everyone@example.org", "The tide Bcc: everyone@example.org"),
        ("\x00a\x1bb\x85c\x9fd\x7f", "a b c d"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("so\u00adft\u200b\ufeff", "soft"),
        ("family 👩‍👩‍👧 ❤️", "family 👩‍👩‍👧 ❤️"),
        ("می‌خواهم", "می‌خواهم"),
        ("e\u0301", "é"),
        ("z" + "\u0335" * 40, "z" + "\u0335" * 3),
        ("broken \ud800 half", "broken half"),
    ],
)
def test_a_text_becomes_one_clean_line(text: str, expected: str) -> None:
    assert feed_line(text) == expected


def test_a_long_line_is_cut_at_a_word() -> None:
    assert cut("The tide turns, at noon", 18) == "The tide turns…"
    assert cut("The tide turns", 14) == "The tide turns"


def test_a_line_is_cut_before_a_bracket_that_would_stay_open() -> None:
    assert (
        cut("The tide turns at noon today (as the tables of the year say)", 45)
        == "The tide turns at noon today…"
    )


def test_an_emoji_is_not_torn_apart() -> None:
    family = "👩‍👩‍👧"
    assert cut(family * 9, len(family) + 3) == f"{family}…"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("It rains. It pours!", ["It rains.", "It pours!"]),
        ("Dr. Lind met J. R. Moss in the U.S. capital. They spoke.", None),
        ("Version 5.9.3 is out. It is small.", ["Version 5.9.3 is out.", "It is small."]),
        ("We moved to 5.9.3. It works.", ["We moved to 5.9.3.", "It works."]),
        ("Am 5. April begann es. Es endete.", ["Am 5. April begann es.", "Es endete."]),
        ("It began in 1998. It ended.", ["It began in 1998.", "It ended."]),
        ("See fig. 3 and no. 7 today. Then rest.", ["See fig. 3 and no. 7 today.", "Then rest."]),
        ("The answer is no. The end.", ["The answer is no.", "The end."]),
        ("“Stop!” he said. They did.", ["“Stop!” he said.", "They did."]),
        ("He said “stop.” They did.", ["He said “stop.”", "They did."]),
        ("潮が変わる。船が出る！本当？", ["潮が変わる。", "船が出る！", "本当？"]),
        ("هل تغير المد؟ نعم تغير.", ["هل تغير المد؟", "نعم تغير."]),
        ("ज्वार बदला। नाव चली।", ["ज्वार बदला।", "नाव चली।"]),
        ("Fruit, e.g. plums, etc. are cheap. Buy some.", ["Fruit, e.g. plums, etc. are cheap.", "Buy some."]),
        ("No mark at the end", ["No mark at the end"]),
        (
            "It opens (see the map. It is small) in May. Come.",
            ["It opens (see the map. It is small) in May.", "Come."],
        ),
        ("“We are glad. It took years.” So she said.", ["“We are glad. It took years.”", "So she said."]),
        ("„Endlich. Nach Jahren.“ Sie lacht.", ["„Endlich. Nach Jahren.“", "Sie lacht."]),
        ("« Enfin. C'est fait. » Elle rit.", ["« Enfin. C'est fait. »", "Elle rit."]),
        ('"We are glad. It took years." So she said.', ['"We are glad. It took years."', "So she said."]),
        ('It is 5" long. It is 3" wide. It fits.', ['It is 5" long.', 'It is 3" wide.', "It fits."]),
        ("「潮が変わる。船が出る。」と彼は言った。", ["「潮が変わる。船が出る。」", "と彼は言った。"]),
        ("It opens (at last. It is small. Come.", ["It opens (at last.", "It is small.", "Come."]),
    ],
)
def test_sentences_end_where_they_end(line: str, expected: list[str] | None) -> None:
    whole = expected or ["Dr. Lind met J. R. Moss in the U.S. capital.", "They spoke."]
    assert list(sentences(line)) == whole


@pytest.mark.parametrize("text", ["Done.", "Done?”", "完了。", "Done!)", "„Getan.“", "« Fait. »"])
def test_a_whole_sentence_is_recognised_by_its_end(text: str) -> None:
    assert is_whole(text)


@pytest.mark.parametrize("text", ["Done", "And then…", "And then...", "Going [...]", ""])
def test_a_truncated_text_is_not_whole(text: str) -> None:
    assert not is_whole(text)


def test_the_same_words_in_another_order_say_the_same() -> None:
    assert same_words(
        "NOAA to test tide gauge today before storm", "Before storm, NOAA to test tide gauge – today!"
    )
    assert not same_words("The tide turns", "The tide returns to the old pier")


def test_a_blurb_has_one_or_two_whole_sentences() -> None:
    text = "The harbour board met on Monday. It agreed to mend the pier. Work begins in May."
    assert blurb([text], "Pier") == "The harbour board met on Monday. It agreed to mend the pier."


def test_a_blurb_does_not_end_within_brackets_or_a_quotation() -> None:
    first = "The harbour board met on Monday."
    quoted = "“We are glad. It took nine months. Work begins in May,” said the harbour master."
    assert blurb([f"{first} {quoted} Then it rained."], "Pier") == f"{first} {quoted}"


def test_a_quotation_longer_than_a_blurb_ends_with_a_sentence_of_it() -> None:
    blurb_text = "“The harbour board met on Monday and talked for three hours about the pier. It was long."
    assert blurb([f"{blurb_text} {'We talked and talked. ' * 20}”"], "Pier") == blurb_text


def test_a_blurb_stops_before_a_sentence_that_would_not_fit() -> None:
    first = "The harbour board met on Monday and talked for three hours about the old pier."
    assert blurb([f"{first} {'Then ' * 50}it rained."], "Pier") == first


def test_a_sentence_too_long_for_a_blurb_is_cut_at_a_word() -> None:
    blurb_text = blurb(["tide " * 100], "Pier")
    assert blurb_text.endswith("tide…")
    assert len(blurb_text) <= BLURB


def test_a_short_first_sentence_calls_for_more() -> None:
    blurb_text = blurb([f"It is back. {'tide ' * 100}"], "Pier")
    assert blurb_text.startswith("It is back. tide tide")


def test_a_blurb_may_run_on_into_the_next_paragraph() -> None:
    assert (
        blurb(["The pier is open!", "It took nine months."], "News")
        == "The pier is open! It took nine months."
    )


@pytest.mark.parametrize(
    "text",
    [
        "The old pier opens again. Nine months it was closed.",
        "The Old Pier Opens Again: Nine months it was closed.",
        "The old pier opens again — Nine months it was closed.",
        "THE OLD PIER OPENS AGAIN! Nine months it was closed.",
    ],
)
def test_a_blurb_does_not_repeat_the_title(text: str) -> None:
    assert blurb([text], "The old pier opens again") == "Nine months it was closed."


def test_japanese_sentences_stand_together_without_a_space() -> None:
    text = "灯台の修理が終わった。来週から見学できる。"
    assert blurb([text], "古い灯台") == text


def test_a_text_that_is_only_the_title_gives_no_blurb() -> None:
    assert blurb(["The old pier opens again."], "The old pier opens again") == ""


def test_a_greeting_and_a_word_about_the_author_are_left_out() -> None:
    told = ["Happy Monday!", "Ada Lind is a reporter.", "The old pier opens after nine years of work."]
    assert blurb(told, "Pier", names=("Ada Lind",)) == "The old pier opens after nine years of work."
    assert blurb(["Happy Monday!"], "Pier") == "Happy Monday!"
    assert blurb(["Ada is here to stay."], "Pier", names=("Ada",)) == "Ada is here to stay."


def test_a_teasing_question_is_left_out() -> None:
    first = "In this episode the harbour master speaks about her first year in office."
    assert blurb([f"{first} Have a question you would like answered?"], "Episode 9") == first


@given(st.text(), st.integers(min_value=4, max_value=60))
def test_a_line_is_always_one_short_clean_line(text: str, limit: int) -> None:
    line = feed_line(text, limit)
    assert len(line) <= limit
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in line)
    assert line == line.strip()


@given(st.text(alphabet='Ab.!? 。5()[]“”„"「」', max_size=80))
def test_sentences_lose_no_letter(text: str) -> None:
    line = feed_line(text)
    assert "".join(sentences(line)).replace(" ", "") == line.replace(" ", "")


@given(
    st.lists(st.text(alphabet="Tide noon.!?… 。", max_size=300).map(feed_line), max_size=4),
    st.text(max_size=20),
)
def test_a_blurb_is_never_too_long(paragraphs: list[str], title: str) -> None:
    assert len(blurb(paragraphs, feed_line(title))) <= BLURB
