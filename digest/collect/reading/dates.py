"""Read the dates of feeds as publishers write them; a wrong date is worse than none.

A date is read only if nothing is left over that could change its meaning: an unknown month, an unknown zone,
or 03/05 without a sign of which number is the day. Names of weekdays are not needed and are not checked. A
time without a zone counts as UTC.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

_LONGEST = 120  # characters

# Month names and their short forms, in the languages of many publishers, from January to December.
_MONTHS = """
jan january januar januari janner jaenner janv janvier januari ene enero gen gennaio janeiro gener ocak oca
    ianuarie ian januara janvaris jaanuar styczen stycznia sty leden ledna led tammikuu tammikuuta tammi
    sijecanj sijecnja sij sausis sausio янв января январь январа јануар януари яну січ січня січень ינואר ينו
    يناير كانون_الثاني جانفي ιανουαριου ιανουαριος ιαν
feb february februar februari febr fev fevr fevrier febrero feb febbraio fevereiro febrer subat sub februarie
    februara februaris veebruar luty lutego lut unor unora uno helmikuu helmikuuta helmi veljaca veljace velj
    vasaris vasario фев февр февраля февраль фебруар февруари лют лютого лютий פברואר فبراير شباط فيفري
    φεβρουαριου φεβρουαριος φεβ
mar march marz maerz mrt maart mars marts marzo marco marc mart martie maret marec marca marzec brezen brezna
    bre maaliskuu maaliskuuta maalis ozujak ozujka ozu kovas kovo мар март марта бер березня березень מרץ מרס
    مارس آذار μαρτιου μαρτιος μαρ marcius
apr april avr avril abr abril aprile aprilie aprila aprilis nisan nis kwiecien kwietnia kwi duben dubna
    dub huhtikuu huhtikuuta huhti travanj travnja tra balandis balandzio апр апреля апрель април квіт квітня
    квітень אפריל أبريل ابريل نيسان أفريل απριλιου απριλιος απρ aprill
may mai maj mei mayo maggio mag maio maig mayis maja kveten kvetna kve toukokuu toukokuuta touko svibanj
    svibnja svi geguze geguzes май мая мај трав травня травень מאי مايو أيار ماي μαιου μαιος μαι majus
jun june juni juin junio giugno giu junho juny haziran haz iunie iun juna juuni czerwiec czerwca cze cerven
    cervna cvn kesakuu kesakuuta kesa lipanj lipnja birzelis birzelio июн июня июнь юни јун черв червня
    червень יוני يونيو حزيران جوان ιουνιου ιουνιος ιουν junius junij
jul july juli juil juillet julio luglio lug julho juliol temmuz tem iulie iul jula juuli lipiec lipca cervenec
    cervence cvc heinakuu heinakuuta heina srpanj srpnja liepa liepos июл июля июль юли јул лип липня липень
    יולי يوليو تموز جويلية ιουλιου ιουλιος ιουλ julius julij
aug august augusti augustus aout ago agosto agost agustos augusta augusts sierpien sierpnia sie srpen srpna
    elokuu elokuuta elo kolovoz kolovoza kol rugpjutis rugpjucio авг августа август серп серпня серпень אוגוסט
    أغسطس آب أوت αυγουστου αυγουστος αυγ augusztus agustus avgust
sep sept september septembre septiembre set settembre setembro setembre eylul eyl septembrie septembra
    septembris wrzesien wrzesnia wrz zari zar syyskuu syyskuuta syys rujan rujna ruj rugsejis rugsejo сен сент
    сентября сентябрь септембар септември вер вересня вересень ספטמבר سبتمبر أيلول σεπτεμβριου σεπτεμβριος σεπ
    szeptember szept
oct october okt oktober octobre octubre ott ottobre out outubro ekim eki octombrie oktobra oktobris oktoober
    pazdziernik pazdziernika paz rijen rijna rij lokakuu lokakuuta loka spalis spalio окт октября октябрь
    октобар октомври жовт жовтня жовтень אוקטובר أكتوبر اكتوبر تشرين_الأول οκτωβριου οκτωβριος οκτ
nov november novembre noviembre novembro kasim kas noiembrie noi novembra novembris marraskuu marraskuuta
    marras studeni studenoga stu lapkritis lapkricio ноя нояб ноября ноябрь новембар ноември лист листопада
    листопад נובמבר نوفمبر تشرين_الثاني νοεμβριου νοεμβριος νοε
dec december dez dezember decembre dic diciembre dicembre dezembro desember des desembre aralik ara decembrie
    decembra decembris detsember grudzien grudnia gru prosinec prosince pro joulukuu joulukuuta joulu prosinac
    prosinca gruodis gruodzio дек декабря декабрь децембар декември груд грудня грудень דצמבר ديسمبر
    كانون_الأول δεκεμβριου δεκεμβριος δεκ
"""
# These names mean another month in another language.
_MONTHS_OF = {
    "pl": {"lip": 7, "lis": 11, "listopad": 11, "listopada": 11},
    "cs": {"srp": 8, "lis": 11, "listopad": 11, "listopadu": 11},
    "hr": {"lip": 6, "srp": 7, "lis": 10, "listopad": 10, "listopada": 10},
}
# Hours from UTC. A name that means several zones is left out, or has one meaning in RFC 5322.
_ZONES = """
ut 0, utc 0, gmt 0, z 0, wet 0, west 1, bst 1, cet 1, mez 1, met 1, cest 2, mesz 2, mest 2, eet 2, eest 3,
msk 3, msd 4, trt 3, sast 2, cat 2, wat 1, eat 3, pkt 5, npt 5.75, wib 7, ict 7, hkt 8, sgt 8, pht 8, awst 8,
jst 9, kst 9, acst 9.5, acdt 10.5, aest 10, aedt 11, nzst 12, nzdt 13, est -5, edt -4, cst -6, cdt -5, mst -7,
mdt -6, pst -8, pdt -7, akst -9, akdt -8, hst -10, adt -3, ndt -2.5, brt -3, art -3, clt -4, clst -3, cot -5,
pet -5, uyt -3
"""
_ZONES_OF: dict[str, dict[str, float]] = {  # by language
    "zh": {"cst": 8},
    "hi": {"ist": 5.5},
    "en-in": {"ist": 5.5},
    "en-ie": {"ist": 1},
    "he": {"ist": 2},
}
_FILLERS = "at de del of the den um le la il el klo kl г года року р в"

_COMMENT = re.compile(r"\(([^()]*)\)")
_EPOCH = re.compile(r"(\d{9,10})(?:\.\d+)?|(\d{13})|(\d{16})")
_ISO = re.compile(r"(\d{4})([-/. ])(\d{1,2})\2(\d{1,2})(?:[t, ]\s*|$)(.*)")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:t?(\d\d)(\d\d)(\d\d)?)?\s*(.*)")
_CJK = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日号號일]?\s*(.*)")
_REIWA = re.compile(r"令和\s*(\d{1,2}|元)\s*年")
_DAY_FIRST = re.compile(r"(?<!\d)(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4}|\d\d)(?:[t, ]\s*|$)(.*)")
_WORDED = (
    re.compile(r"(?<!\d)(?P<d>\d{1,2})[ .-]+(?P<m>[^\W\d]+)[ .,-]+(?P<y>\d{4}|\d\d)(?![\d:])"),
    re.compile(r"(?P<m>[^\W\d]+)[ .-]+(?P<d>\d{1,2})[ .,-]+(?P<y>\d{4}|\d\d)(?![\d:])"),
    re.compile(r"(?P<y>\d{4})[ .,-]+(?P<m>[^\W\d]+)[ .,-]+(?P<d>\d{1,2})(?![\d:])"),
    re.compile(  # ctime: "Mar 5 10:00:00 CET 2024"
        r"(?P<m>[^\W\d]+) (?P<d>\d{1,2}) (?P<t>\d\d?:\d\d(?::\d\d)?(?: [a-z]{2,5}| ?[-+]\d{4})?) (?P<y>\d{4})"
    ),
)
_HALF = r"(?P<half>[ap]\.?\s?m\.?|ص|م|上午|下午|午前|午後|오전|오후)"
_CLOCK = re.compile(
    rf"(?:{_HALF}\s*)?(?P<h>\d{{1,2}})\s*(?:[:.h時时点시]|uhr)\s*(?:(?P<m>\d\d?)\s*[分분]?"
    rf"(?:\s*[:.]?\s*(?P<s>\d\d)(?:[.,]\d+)?\s*[秒초]?)?)?\s*(?:{_HALF.replace('half', 'later')})?"
)
_AFTER_NOON = ("p", "م", "下午", "午後", "오후")
_OFFSET = re.compile(r"(?:utc|gmt|ut)?\s*([-+])(\d{1,2})(?::?(\d\d))?")
_PLAIN = str.maketrans({"−": "-", "‑": "-", "–": "-", "：": ":", "،": ",", "、": " "})


def parse_date(text: str, language: str = "") -> datetime | None:
    """Return the time that a feed in `language` (a BCP 47 tag) writes as `text`, or None."""
    folded = _folded(text[: _LONGEST + 1])
    if not folded or len(folded) > _LONGEST:
        return None
    try:
        return _epoch(folded) or _written(folded, language.casefold().replace("_", "-"))
    except (ValueError, OverflowError):  # the 31st of February
        return None


def _folded(text: str) -> str:
    """Return a text in small letters without accents, with ASCII digits and single spaces."""
    spread = unicodedata.normalize("NFKD", text.translate(_PLAIN)).casefold()
    plain = "".join(char for char in spread if unicodedata.category(char) not in ("Mn", "Cf"))
    digits = "".join(str(unicodedata.digit(char, char)) for char in plain)
    whole = " ".join(unicodedata.normalize("NFKC", digits).split())
    return " ".join(_COMMENT.sub(_without_comment, whole).split()).strip(" ,;")


def _without_comment(match: re.Match[str]) -> str:
    """Return the words in brackets if they are a zone, which may be written nowhere else."""
    return f" {match[1]} " if match[1] in _BY_ZONE or match[1] in _PLACES else " "


def _epoch(text: str) -> datetime | None:
    """Return the time of a number of seconds, milliseconds or microseconds since 1970."""
    match = _EPOCH.fullmatch(text)
    if not match:
        return None
    seconds, milliseconds, microseconds = match.groups()
    number = float(seconds) if seconds else int(milliseconds or 0) / 1e3 or int(microseconds) / 1e6
    return datetime.fromtimestamp(int(number), UTC)


def _written(text: str, language: str) -> datetime | None:
    text = _REIWA.sub(lambda match: f"{2018 + (1 if match[1] == '元' else int(match[1]))}年", text)
    if match := _ISO.fullmatch(text):
        return _moment(match[1], match[3], match[4], match[5], language)
    if match := _CJK.search(text):
        return _moment(match[1], match[2], match[3], match[4], language)
    if match := _COMPACT.fullmatch(text):
        clock = ":".join(part for part in match.groups()[3:6] if part)
        return _moment(match[1], match[2], match[3], f"{clock} {match[7]}".strip(), language)
    if match := _DAY_FIRST.search(text):
        day, month = _day_and_month(match[1], match[2], match[3], match[5], language) or ("", "")
        return _moment(match[4], month, day, match[5], language) if day else None
    return _worded(text, language)


def _day_and_month(one: str, mark: str, other: str, clock: str, language: str) -> tuple[str, str] | None:
    """Return day and month of a date in figures, or None if their order cannot be known."""
    first, second = int(one), int(other)
    if mark == "." or first > 12 or first == second:
        return one, other
    if second > 12:
        return other, one
    main, _, region = language.partition("-")
    if main == "en" and region.upper() in ("", "US"):
        # Without a region, only the twelve-hour clock is a sign of the American order.
        american = region.upper() == "US" or bool(re.search(_HALF, clock))
        return (other, one) if american else None
    if main:
        return one, other
    return (other, one) if mark == "/" and re.search(_HALF, clock) else None


def _worded(text: str, language: str) -> datetime | None:
    text = re.sub(r"(\d)(?:st|nd|rd|th|er|º|ª|o|a)\b", r"\1", text)
    text = " ".join(word for word in re.split(r"\s+", text) if word.strip(".,") not in _SKIPPED)
    text = text.replace("كانون ", "كانون_").replace("تشرين ", "تشرين_")
    for pattern in _WORDED:
        for match in pattern.finditer(text):
            if month := _month(match["m"], language):
                found = match.groupdict()
                before, after = text[: match.start()], text[match.end() :]
                clock = found.get("t") or after or (before if ":" in before else "")
                if re.search(r"\d", before) and clock is not before and after:
                    return None
                return _moment(match["y"], str(month), match["d"], clock, language)
    return None


def _month(name: str, language: str) -> int:
    """Return the number of a month; 0 if its name is unknown, or means several months."""
    own = _MONTHS_OF.get(language.partition("-")[0], {})
    return own.get(name) or _BY_NAME.get(name, 0)


def _moment(year: str, month: str, day: str, rest: str, language: str) -> datetime | None:
    """Return the time of a date and what is written after it; None if a part of that is not understood."""
    number = int(year) + (0 if len(year) == 4 else 2000 if int(year) < 70 else 1900)
    midnight = datetime(number, int(month), int(day), tzinfo=UTC)
    rest = rest.strip(" ,.;").lstrip("t -")
    match = _CLOCK.search(rest)
    if not match:
        return None if re.search(r"\d", rest) else midnight
    if re.search(r"\d", rest[: match.start()]):
        return None
    time = _time(match)
    zone = _zone(rest[match.end() :].strip(" ,.;"), language)
    if time is None or zone is None:
        return None
    local = midnight + time
    return local.replace(tzinfo=zone).astimezone(UTC)


def _time(match: re.Match[str]) -> timedelta | None:
    hour, minute = int(match["h"]), int(match["m"] or 0)
    second = min(int(match["s"] or 0), 59)  # a leap second
    if half := match["half"] or match["later"]:
        if not 1 <= hour <= 12:
            return timedelta(hours=hour, minutes=minute, seconds=second) if 12 < hour < 24 else None
        hour = hour % 12 + (12 if half.startswith(_AFTER_NOON) else 0)
    if hour > 24 or minute > 59 or (hour == 24 and minute + second):
        return None
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _zone(text: str, language: str) -> timezone | ZoneInfo | None:
    """Return the zone that is written after a time: UTC if there is none, None if it is not known."""
    text = re.sub(r"^(?:uhr|h|hrs?)\b\.?\s*", "", text).strip(" .,;")
    if not text:
        return UTC
    first = text.partition(" ")[0]  # "+0100 cet"
    if match := _OFFSET.fullmatch(text) or _OFFSET.fullmatch(first):
        hours, minutes = int(match[2]), int(match[3] or 0)
        if hours > 14 or minutes > 59:
            return None
        return timezone((1 if match[1] == "+" else -1) * timedelta(hours=hours, minutes=minutes))
    own = _ZONES_OF.get(language) or _ZONES_OF.get(language.partition("-")[0], {})
    hours_off = own.get(text, _BY_ZONE.get(text))
    if hours_off is not None:
        return timezone(timedelta(hours=hours_off))
    return ZoneInfo(_PLACES[text]) if text in _PLACES else None


_BY_NAME = {
    "".join(
        char for char in unicodedata.normalize("NFKD", name) if unicodedata.category(char) != "Mn"
    ): number
    for number, line in enumerate(re.split(r"\n(?=\S)", _MONTHS.strip()), start=1)
    for name in line.casefold().split()
}
_SKIPPED = frozenset(_FILLERS.split())
_BY_ZONE = {name: float(hours) for name, hours in (each.split() for each in _ZONES.split(","))}
_PLACES = {name.casefold(): name for name in available_timezones() if "/" in name}
