from __future__ import annotations

import pytest

from digest.compose.stories.words import phrase, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C++ and Ölpreis", ["c", "++", "and", "ölpreis"]),
        ("The Night-Train’s back", ["the", "night", "train", "s", "back"]),
        ("Straße", ["strasse"]),
        ("ﬁne_tuning 5.9.3", ["fine", "tuning", "5", "9", "3"]),
        ("港の灯台", ["港", "の", "灯", "台"]),
        ("हिन्दी समाचार", ["हिन्दी", "समाचार"]),
        ("  …!  ", []),
    ],
)
def test_text_is_cut_into_words_in_any_script(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_phrase_is_found_by_whole_words_only() -> None:
    text = phrase("Trainers like the night: the Night-Train is back")
    assert phrase("night train") in text
    assert phrase("train is") in text
    assert phrase("rain") not in text
    assert phrase("trainer") not in text


def test_a_phrase_is_found_in_scripts_without_spaces() -> None:
    assert phrase("灯台") in phrase("港の灯台が百年")
