"""Schedules are described in the words of each language."""

from __future__ import annotations

import pytest

from digest.render.languages.cadences import as_sentence, describe
from digest.render.languages.languages import words_for
from digest.schedule.text import parse_schedule


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("weekdays at 07:00", "en", "Weekdays at 07:00"),
        ("weekdays at 07:00", "de", "Montags bis freitags um 07:00"),
        ("weekdays at 07:00", "es", "De lunes a viernes a las 07:00"),
        ("weekdays at 07:00", "ar", "من الاثنين إلى الجمعة الساعة 07:00"),
        ("weekends at 9", "de", "Am Wochenende um 09:00"),
        ("every day at 6:30", "es", "Todos los días a las 06:30"),
        ("mondays, thursdays and sundays at 18:00", "de", "Montags, donnerstags und sonntags um 18:00"),
        ("mondays and thursdays at 18:00", "es", "Los lunes y los jueves a las 18:00"),
        ("mondays and thursdays at 18:00", "ar", "أيام الاثنين وأيام الخميس الساعة 18:00"),
        ("first monday of the month at 08:00", "de", "Am ersten Montag des Monats um 08:00"),
        ("last friday of the month at 08:00", "es", "El último viernes del mes a las 08:00"),
        ("first monday of the month at 08:00", "ar", "الاثنين الأول من كل شهر الساعة 08:00"),
        ("0 7 1 jan,jul *", "de", "Am Monatstag 1 im Januar und Juli um 07:00"),
        ("0 7 1,15 * mon", "es", "Los lunes o el día 1 y 15 del mes a las 07:00"),
        ("last day of the month at 8", "de", "Am letzten Tag des Monats um 08:00"),
        ("last day of the month at 8", "es", "El último día del mes a las 08:00"),
        ("last day of the month at 8", "ar", "في آخر يوم من الشهر الساعة 08:00"),
        ("every other monday at 8", "en", "Every other Monday at 08:00"),
        ("every other monday at 8", "de", "Jeden zweiten Montag um 08:00"),
        ("every other monday at 8", "es", "Cada dos semanas, el lunes a las 08:00"),
        ("every other monday at 8", "ar", "يوم الاثنين كل أسبوعين الساعة 08:00"),
        ("the 31st of the month at 8", "de", "Am Monatstag 31, falls es ihn in dem Monat gibt, um 08:00"),
        ("0 7 13 * fri,sat", "en", "Fridays and Saturdays or on day 13 of the month at 07:00"),
        ("0 7 */30 * mon", "en", "Mondays, but only on day 1 and 31 of the month at 07:00"),
    ],
)
def test_a_schedule_is_described_in_the_language_of_its_reader(text: str, language: str, said: str) -> None:
    assert as_sentence(describe(parse_schedule(text), words_for(language))) == said
