"""Dates in both calendars, in figures and with the names of months, Thai or English. Pure."""

import re
from calendar import monthrange
from datetime import MINYEAR, UTC, date, datetime, time, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.imports.numerals import LONGEST_WORDS, THAI_DIGITS
from shared.texts import folded

DateOrder = Literal["dmy", "mdy"]
"""Whether the day or the month comes first in `5/11/2026`."""

_BUDDHIST, _FIRST_BUDDHIST, _NEVER = 543, 2400, 2050
_MONTHS_OF_A_YEAR = 12
_FIRST_SHORT_BUDDHIST = 43
"""The first year of this century in the Buddhist Era, 2543, without its century."""

_SHORT_YEAR = "the year is to have four digits: two may be of either calendar"
_SECONDS = re.compile(r"1\d{9}(?:\d{3})?")
"""Seconds or milliseconds since 1970, as learning platforms count time."""

_YEAR_MONTH = re.compile(r"(20[0-4]\d|25\d\d)(0[1-9]|1[0-2])")
"""A year and a month. As days of a workbook these would be before 1912 or after 2040."""

_DAY_ZERO, _FIRST_COUNTED, _LAST_COUNTED, _FIRST_YEAR = date(1899, 12, 30), 25_569, 300_000, 1970
"""The days that a workbook counts, from 1970 on, also those of years of the Buddhist Era."""

_MONTHS = (
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "jan feb mar apr may june july aug sept oct nov dec",
    "มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม",
    "ม.ค. ก.พ. มี.ค. เม.ย. พ.ค. มิ.ย. ก.ค. ส.ค. ก.ย. ต.ค. พ.ย. ธ.ค.",
)
_MONTH_NUMBERS = {folded(name).replace(".", ""): n for names in _MONTHS for n, name in enumerate(names.split(), 1)}
_MONTH = (
    rf"(?P<month>{'|'.join(re.escape(name) for names in _MONTHS for name in folded(names).split())}|[\u0e00-\u0e7f.]+)"
)
_WEEKDAY = re.compile(
    r"^(?:วัน)?(?:จันทร์|อังคาร|พุธ|พฤหัสบดี|พฤหัส|ศุกร์|เสาร์|อาทิตย์)(?:ที่)?\s*|^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+|^(?:ระหว่าง|ตั้งแต่)?\s*วันที่\s*"
)
_TIME = re.compile(
    r"(?:[\s,]+|\s*t)(?:at\s+|เวลา\s*)?\d{1,2}[:.]\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?|น\.?|นาฬิกา)?"
    r"\s*(?:(?:[-–—]|ถึง|to)\s*\d{1,2}[:.]\d{2}\s*(?:[ap]\.?m\.?|น\.?|นาฬิกา)?|(?:z|utc|gmt|ict)?\s*(?:[+-]\d{1,2}(?::?\d{2})?)?)$"
)
"""The time of day after a date, or a span of time: `เวลา 09.00 - 16.00 น.`."""

_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:[.,]\d+)?\s*(?P<half>[ap](?=\.?m))?"
    r".*?(?P<zone>z|utc|gmt)?\s*(?:(?P<sign>[+-])(?P<ahead>\d{1,2})(?::?(?P<part>\d{2}))?)?$"
)
_TIMES_IN_FULL = (
    (re.compile(r"(?<![\d:.])(\d{1,2})\s?([ap])\.?m\.?(?=$|\s)"), r"\1:00 \2m"),
    (re.compile(r"(?<![\d:.])(\d{1,2})\s?(?:นาฬิกา|น\.)$"), r"\1:00"),
    (re.compile(r"\((?:utc|gmt)?\s*([+-]\d{1,2}(?::?\d{2})?)\)$"), r"\1"),
    (re.compile(r"(?<=[\dz])(?:\s+utc|\[[a-z/_+-]{1,40}\])$"), ""),
)
"""Times as they are written more briefly: `9 am` is `9:00 am`, `9 นาฬิกา` is `9:00`, `(UTC+7)` is `+7`."""

_UNREAD = re.compile(r"(?:\d{4}[/-]\d{1,2}[/-]\d{1,2}|\d{1,2}[/.-]\d{1,2}[/.-]\d{4})[t ].*\d")
"""A date, and after it what holds a number and is no time."""

_PLACE = re.compile(r"\s([A-Z][A-Za-z_]+/[A-Z][A-Za-z_ ]+(?:/[A-Z][A-Za-z_ ]+)?)$")
_HOURS_OF_A_HALF = 12
_COMPACT = re.compile(r"(\d{8})t(\d\d)(\d\d)(\d\d)?(z?)")
"""A date and a time without separators: `20260105T091500Z`."""

THAI_TIME = timezone(timedelta(hours=7))
"""The zone of times that are written without one."""

_BY_MONTH = (
    rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s/.-]*{_MONTH}\.?[\s/.,-]*(?P<year>\d{{4}}|\d\d)",
    rf"{_MONTH}\.?[\s-]+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\s*,\s*|[\s-]+)(?P<year>\d{{4}})",
    rf"{_MONTH}\.?[\s/,-]*(?P<year>\d{{4}})",
)
"""Dates that name the month, the last ones without a day."""


class InvalidDate(ValueError):
    """Raised for a text that is not a date. People see the message; `locales/refusals/th.json` has it in Thai."""


def is_month(text: str) -> bool:
    """Return whether a text is the name of a month: `Mar`, `มี.ค.`."""
    return folded(text).replace(".", "") in _MONTH_NUMBERS


def date_of(text: str, *, last: bool = False, order: DateOrder | None = "dmy") -> date | None:
    """Return the date that a text states, in the Gregorian calendar; None for 0 and for years that mean never.

    Years from 2400 on are Buddhist Era. Years from 2050 on, as of 2599 or 9999, mean never. `order`: whether the day or
    the month comes first before a year of the Common Era; None refuses a date that the other order would change. Before
    a Buddhist year the day comes first.

    A number of five or six digits is a day as workbooks count them, or a year and a month, such as 202401; one of ten
    or thirteen digits counts seconds or milliseconds since 1970. A year or a month alone means its first day, or with
    `last` its last one. Raises InvalidDate.
    """
    if len(text) > LONGEST_WORDS:
        raise InvalidDate("not read as a date")
    words = _WEEKDAY.sub("", folded(text).translate(THAI_DIGITS).replace("พ.ศ.", "").replace("ค.ศ.", "")).strip()
    words = _TIME.sub("", words)
    if words == "0":
        return None
    year, month, day = _counted(words) or _written(words, order)
    if year >= _FIRST_BUDDHIST and year != 9999:  # noqa: PLR2004 - the largest year of many programs
        year -= _BUDDHIST
    if year >= _NEVER:
        return None
    if year < MINYEAR:
        raise InvalidDate("there is no such year")
    if month is None:
        month = 12 if last else 1
    if month not in range(1, 13):
        raise InvalidDate("there is no such month")
    days = monthrange(year, month)[1]
    if day is None:
        day = days if last else 1
    if not 1 <= day <= days:
        raise InvalidDate("that month has no such day")
    return date(year, month, day)


def moment_of(text: str, order: DateOrder | None = None) -> datetime | None:
    """Return the date and time that a text states: 00:00 if it states no time, and Thai time if it states no zone.

    Of a span of time (`09:00-12:00`) the first time counts. Seconds and milliseconds since 1970 are read too. A zone
    may be the name of a place: `09:00 America/New York`. None for a date that means never. `order`: see `date_of`.
    Raises InvalidDate, also for a year or a month without a day, and for a time or a zone that is not understood.
    """
    text, place = _without_place(text[: LONGEST_WORDS + 1].strip())
    words = folded(text).translate(THAI_DIGITS)
    for pattern, plain in _TIMES_IN_FULL:
        words = pattern.sub(plain, words)
    if _SECONDS.fullmatch(words):
        return datetime.fromtimestamp(int(words[:10]), THAI_TIME)
    if compact := _COMPACT.fullmatch(words):
        words = f"{compact[1]}t{compact[2]}:{compact[3]}:{compact[4] or '00'}{compact[5]}"
    day = date_of(words, order=order)
    if day is None:
        return None
    if _UNREAD.search(_TIME.sub("", words)):
        raise InvalidDate("the time or its zone is not understood; write it as 09:00+07:00")
    if day != date_of(words, order=order, last=True):
        raise InvalidDate("the day is not stated")
    clock, zone = _clock_of(words)
    if place:
        zone = timezone(datetime.combine(day, clock, place).utcoffset() or timedelta())
    return datetime.combine(day, clock, zone)


def _clock_of(words: str) -> tuple[time, timezone]:
    """Return the time of day after a date, and its zone: 00:00 and Thai time where they are not stated.

    Raises InvalidDate.
    """
    if not (behind := _TIME.search(words)) or not (found := _CLOCK.search(behind[0])):
        return time(), THAI_TIME
    hour = int(found["hour"])
    if found["half"]:
        if hour > _HOURS_OF_A_HALF and found["half"] == "a":
            raise InvalidDate("there is no such time")
        hour = hour % 12 + (12 if found["half"] == "p" else 0)
    zone, ahead = THAI_TIME, timedelta(hours=int(found["ahead"] or 0), minutes=int(found["part"] or 0))
    try:
        if found["zone"] or (found["sign"] and not _is_span(behind[0], found)):
            zone = timezone(-ahead if found["sign"] == "-" else ahead)
        return time(hour, int(found["minute"]), int(found["second"] or 0)), zone
    except ValueError as error:
        raise InvalidDate("there is no such time") from error


def _without_place(text: str) -> tuple[str, ZoneInfo | None]:
    """Return a text without the place at its end that names a zone, and the zone, None without a known place."""
    if not (found := _PLACE.search(text)):
        return text, None
    try:
        return text[: found.start()], ZoneInfo(found[1].replace(" ", "_"))
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return text, None


def _is_span(words: str, clock: re.Match[str]) -> bool:
    """Return whether `10:00-11:00` is a span of time and not a time with a zone.

    It is a zone after a `T` or after seconds, or if the second part is not later than the first.
    """
    if clock["sign"] != "-" or not clock["part"] or clock["second"] or words.lstrip().startswith("t"):
        return False
    return (int(clock["ahead"]), int(clock["part"])) > (int(clock["hour"]), int(clock["minute"]))


def span_of(text: str) -> tuple[str, str] | None:
    """Return the texts of the first and the last day of a span: `15 - 17 มกราคม 2567`, `1 มี.ค. ถึง 5 เม.ย. 2567`.

    A first day without a year is in the year of the last day, or in the year before: `28 ธ.ค. - 5 ม.ค. 2567`. None
    unless both ends are dates, the first one not after the last. But if the text as a whole is no date either, the last
    day may be any words.
    """
    if len(text) > LONGEST_WORDS:
        return None
    if found := re.fullmatch(
        r"(?P<first>\D*[\d๐-๙]{1,2})\s*(?:[-–—]|ถึง|to)\s*(?P<last>[\d๐-๙]{1,2})(?P<rest>\s*[^\W\d].*)", text
    ):
        parts = [f"{found['first']} {found['rest']}", f"{found['last']} {found['rest']}"]
    else:
        parts = re.split(r"\s+[-–—]\s+|\s*ถึง\s*|\s+to\s+", text)
    if len(parts) != 2:  # noqa: PLR2004 - its first and its last day
        return None
    begins, ends = parts
    firsts = [begins]
    if begins and (year := re.search(r"\d{4}$", ends.strip().translate(THAI_DIGITS))):
        firsts += [f"{begins} {year[0]}", f"{begins} {int(year[0]) - 1}"]
    end = _day(ends, last=True)
    if end is None:
        return (begins, ends) if _day(begins) and not _day(text) else None
    return next(((first, ends) for first in firsts if (day := _day(first)) and day <= end), None)


def _day(text: str, *, last: bool = False) -> date | None:
    """Return the date of a text, `date.max` if it means never; None if the text is not read as a date."""
    try:
        return date_of(text, last=last) or date.max
    except InvalidDate:
        return None


def _counted(words: str) -> tuple[int, int, int | None] | None:
    """Return year, month and, unless it is a month, day of a number that counts days or seconds."""
    if _SECONDS.fullmatch(words):
        found = datetime.fromtimestamp(int(words[:10]), UTC).date()
    elif found_month := _YEAR_MONTH.fullmatch(words):
        return int(found_month[1]), int(found_month[2]), None
    elif re.fullmatch(r"\d{5,6}(?:\.\d+)?", words) and _FIRST_COUNTED <= float(words) < _LAST_COUNTED:
        found = _DAY_ZERO + timedelta(days=int(float(words)))
        if _FIRST_BUDDHIST <= found.year < _FIRST_YEAR + _BUDDHIST:
            return None
    else:
        return None
    return found.year, found.month, found.day


def _written(words: str, order: DateOrder | None) -> tuple[int, int | None, int | None]:
    """Return year, month and day as they are written, None for what is not. Raises InvalidDate."""
    year: int
    month: int | None
    day: int | None
    if found := re.match(r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[t ].*)?$", words):
        year, month, day = (int(part) for part in found.groups())
    elif found := re.match(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?: .*)?$", words):
        year = int(found[3])
        day, month = _day_and_month(int(found[1]), int(found[2]), "dmy" if year >= _FIRST_BUDDHIST else order)
    elif by_month := _by_month(words):
        year, month, day = by_month
    elif re.fullmatch(r"\d{4}", words):
        year, month, day = int(words), None, None
    elif found := re.fullmatch(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})|(?P<first>\d{1,2})[/-](?P<last>\d{4})", words):
        year, month, day = int(found["year"] or found["last"]), int(found["month"] or found["first"]), None
    elif found := re.fullmatch(r"(\d{4})(\d{2})(\d{2})(?:t\d{4,6}z?)?", words):
        year, month, day = (int(part) for part in found.groups())
    elif re.match(r"^\d{1,2}[/.-]\d{1,2}[/.-]\d\d(?: .*)?$", words):
        raise InvalidDate(_SHORT_YEAR)
    else:
        raise InvalidDate("not read as a date")
    return year, month, day


def _day_and_month(first: int, second: int, order: DateOrder | None) -> tuple[int, int]:
    """Return day and month of two numbers. Raises InvalidDate if the order is to be stated."""
    if order is None and first != second and first <= _MONTHS_OF_A_YEAR:
        if second > _MONTHS_OF_A_YEAR:
            raise InvalidDate("the month seems to come first: state it with date_order=mdy")
        raise InvalidDate("the day or the month may come first: state it with date_order=dmy or mdy")
    return (second, first) if order == "mdy" else (first, second)


def _by_month(words: str) -> tuple[int, int, int | None] | None:
    """Return year, month and, if it is given, day of a date that names the month.

    Two digits of a year are Buddhist in Thai, and of the Common Era in English. Raises InvalidDate for two digits that
    would be a year of the last century or after 2042, and are then probably of the other calendar.
    """
    for pattern in _BY_MONTH:
        if (found := re.fullmatch(pattern, words)) and (month := _MONTH_NUMBERS.get(found["month"].replace(".", ""))):
            year = int(found["year"])
            if len(found["year"]) == 2:  # noqa: PLR2004 - the digits of a short year
                is_thai = bool(re.search(r"[\u0e00-\u0e7f]", found["month"]))
                if is_thai != (year >= _FIRST_SHORT_BUDDHIST):
                    raise InvalidDate(_SHORT_YEAR)
                year += 2500 if is_thai else 2000
            day = found.groupdict().get("day")
            return year, month, int(day) if day else None
    return None
