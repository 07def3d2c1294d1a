"""Reads the hours of study that a text states, in Thai, English or a few other languages. Pure."""

import re
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

from shared.imports.numerals import (
    LONGEST_WORDS,
    NUMBER,
    NUMBER_WORD,
    THAI_DIGITS,
    THAI_NUMBER,
    WORDS_OF_A_NUMBER,
    as_number,
    english_digits,
    thai_digits,
    with_decimals,
    without_spaces,
)
from shared.texts import folded

HOURS_A_DAY, HOURS_A_WEEK, HOURS_A_MONTH, HOURS_A_CREDIT = 6.0, 4.0, 16.0, 15.0
"""The hours that are assumed for a training day, and for a week, a month and a credit of part-time study."""


class Duration(NamedTuple):
    """The hours of study that a text states.

    `assumed`: the text states no exact hours, but for instance days, credits or `at most 3 hours`. `between`: the text
    states a range, and `hours` is its middle. `unread`: amounts in the text that are not in `hours`. `doubtful`: a
    number of the text that may mean hours and minutes, such as `1.30`.
    """

    hours: float
    assumed: bool
    between: bool = False
    unread: tuple[str, ...] = ()
    doubtful: str | None = None


_UNITS = {
    "millisecond": (r"milliseconds?|millis|msecs?|ms|มิลลิวินาที", 1 / 3_600_000, False),
    "second": (r"seconds?|secs?|s|วินาที", 1 / 3600, False),
    "minute": (r"minutes?|mins?|minutos?|minuten|phút|menit|minit|分钟|分鐘|分|นาที", 1 / 60, False),
    "hour": (
        r"hours?|hrs?|horas?|heures?|stunden?|std|giờ|jam|小时|小時|学时|學時|課時|课时|時間|h|ชั่วโมง|ช\.?ม",
        1.0,
        False,
    ),
    "day": (r"days?|jours?|días?|tage?n?|ngày|hari|天|日|d|วัน", HOURS_A_DAY, True),
    "week": (r"weeks?|wks?|semanas?|semaines?|wochen?|tuần|minggu|周|週|週間|w|สัปดาห์|อาทิตย์", HOURS_A_WEEK, True),
    "month": (r"months?|mos?|mes(?:es)?|mois|เดือน", HOURS_A_MONTH, True),
    "year": (r"years?|yrs?|ปี", 12 * HOURS_A_MONTH, True),
    "credit": (r"credits?|หน่วยกิต", HOURS_A_CREDIT, True),
}
_UNIT = "|".join(f"(?P<{name}>{pattern})" for name, (pattern, _, _) in _UNITS.items())
UNITS_OF_TIME = "|".join(pattern for pattern, _, _ in _UNITS.values())
"""A pattern that matches the name of each unit of time."""
UNITS_OF_MINUTES, UNITS_OF_HOURS = (_UNITS[unit][0] for unit in ("minute", "hour"))
UNITS_OF_PERIODS = "|".join(_UNITS[unit][0] for unit in ("day", "week", "month", "year"))

_AMOUNT = re.compile(
    rf"(?P<low>{NUMBER})\s*(?:(?:-|–|—|to|or|ถึง|หรือ)\s*(?P<high>{NUMBER}))?\+?\s*-?\s*(?:{_UNIT})\.?(?![a-z])"
)
_WORDS_BEFORE_A_UNIT = re.compile(rf"{WORDS_OF_A_NUMBER}[\s-]+(?=(?:{_UNIT})\b|(?:to|or|-|–)\s*\d)")
_PER = r"(?:per|/|a|each|every|par|por|pro|mỗi|setiap|ต่อ|ละ)"
_RATE = re.compile(
    rf"(?:\s*(?:of\s+\w+\s*)?{_PER}\s*(?P<week>week|wk|semaine|semana|woche|tuần|minggu|周|週|สัปดาห์|อาทิตย์)|"
    rf"\s*{_PER}\s*(?P<day>day|jour|día|tag|ngày|hari|天|日|วัน)|\s*{_PER}\s*(?P<month>month|mois|mes|เดือน))"
)
_ISO = re.compile(
    rf"^p(?:(?P<year>{NUMBER})y)?(?:(?P<month>{NUMBER})m)?(?:(?P<week>{NUMBER})w)?(?:(?P<day>{NUMBER})d)?"
    rf"(?:t(?:(?P<hour>{NUMBER})h)?(?:(?P<minute>{NUMBER})m)?(?:(?P<second>{NUMBER})s)?)?$"
)
_SHORT_MINUTES = re.compile(r"^(\d{1,3})\s?m(?:\s?(\d{1,2})\s?s)?$")
_LEAST_MINUTES = 15
"""A number with `m` means minutes from this number on; a smaller one may mean months, and is not read."""

_UNIT_A_PERIOD = re.compile(r"(?<![a-z])(hours?|hrs?|h|minutes?|mins?|days?)\s+an?\s+(day|week|month)\b")
_FURTHER = re.compile(r"\+|\b(?:and|plus)\b|และ|บวก")
_PART_OF_COURSE = re.compile(
    r"lectures?|theory|practic|lab\b|laborator|workshop|online|on-?site|class|self-?study|project|videos?\b|webinar|seminar|"
    r"e-?learning|exercise|assignment|homework|reading|discussion|quiz|exam|"
    r"บรรยาย|ทฤษฎี|ปฏิบัติ|ฝึก|ออนไลน์|ออนไซต์|ในห้อง|ศึกษาด้วยตนเอง|ศึกษาดูงาน|วิดีโอ|วีดิทัศน์|สัมมนา|อภิปราย|กิจกรรม|สอบ|โครงงาน"
)
_WHOLE = re.compile(r"total|altogether|รวม|ทั้งหมด|ทั้งสิ้น|[()=]")
"""What shows that an amount is that of the whole course, beside those of its parts."""

_EITHER = re.compile(r"\bor\b|\bversus\b|\bvs\b|/|หรือ")
"""What shows that amounts are alternatives."""

_SPAN = re.compile(
    rf"(?P<low>{NUMBER})\s*(?P<unit>{UNITS_OF_HOURS}|{UNITS_OF_MINUTES}|{UNITS_OF_PERIODS})\.?\s*(?:-|–|—|to|ถึง)\s*"
    rf"(?P<high>{NUMBER})\s*(?P<of>{UNITS_OF_HOURS}|{UNITS_OF_MINUTES}|{UNITS_OF_PERIODS})\.?(?![a-z])"
)
"""A range that states the unit of both ends: `30 minutes to 1 hour`."""

_CLOCK = re.compile(r"^(\d{1,4}):([0-5]\d)(?::([0-5]\d)(?:\.\d{1,2})?)?\s*(?:hours?|hrs?|h|ชั่วโมง|ชม\.?)?$")
_KIND_OF_HOURS = re.compile(
    r"(?<=\d)[\s-]+(?:total|contact|learning|training|teaching|study|class|classroom|cpd)[\s-]+(?=hours?|hrs?|mins?|minutes?)|"
    r"(?<=\d)[\s-]+(?:working|business|work|training|consecutive)[\s-]+(?=days?)"
)
_QUARTERS = re.compile(r"(?:(three)[\s-]+|a\s+)?quarters?\s+of\s+an\s+hour")
_CONTENTS = r"(?:video\s+)?(?:modules?|lessons?|lectures?|units?|chapters?|videos?|บทเรียน|บท)"
_PARTS = rf"(?:{_CONTENTS}|sessions?|classes|ครั้ง|คาบ)"
_CONTENTS_BESIDE = re.compile(rf"\d{{1,4}}\s*{_CONTENTS}(?![a-z])")
"""A count of what a course consists of is no time: `20 hours, 10 lectures`, in which the hours count for the whole."""

_EACH_PART = re.compile(r"\b(?:each|every|per)\b|[/x×*]|ละ|ต่อ")
_AND_A_HALF = re.compile(r"(\d+)\s*(hours?|hrs?|ชั่วโมง|ชม\.?|days?|วัน|weeks?|สัปดาห์)\s*(?:and\s+a\s+half|ครึ่ง)")
_ONE_AND_A_HALF = re.compile(r"(?<!\d)(?<!\d\s)(ชั่วโมง|วัน|สัปดาห์)ครึ่ง")
_EACH = re.compile(
    rf"(?:(?P<period>วัน|สัปดาห์|อาทิตย์|เดือน)\s*|ๆ\s*)ละ\s*(?:ประมาณ\s*)?"
    rf"(?P<amount>{NUMBER}(?:\s*(?:-|–|ถึง)\s*{NUMBER})?\s*(?:{_UNIT})\.?)"
)
_MINUTES_AFTER_HOURS = re.compile(
    r"(\d\s*(?:hours?|hrs?|h|ชั่วโมง|ชม\.?))\s*(?:(\d+)\s*(?:m|น\.?)(?![a-z\u0e00-\u0e7f])|([0-5]\d)$)"
)
_BESIDE = re.compile(
    r"\(?\s*(?:เวลา\s*)?\d{1,2}[.:]\d\d\s*(?:น\.?)?\s*(?:-|–|ถึง|to)\s*\d{1,2}[.:]\d\d\s*(?:น\.|นาฬิกา)\s*\)?|\d{1,2}\s*คืน"
)
"""What may follow the days of a course and is no study time: the time of day, and nights."""

_SESSIONS = re.compile(
    rf"(?P<times>\d{{1,3}})\s*{_PARTS}\s*[,:()]?\s*(?:"
    rf"(?:{_PARTS}ละ|ๆ\s*ละ|of)\s*(?P<amount>{NUMBER})\s*(?P<unit>{UNITS_OF_HOURS}|{UNITS_OF_MINUTES})\.?(?![a-z])|"
    rf"(?P<each>{NUMBER})\s*(?P<of>{UNITS_OF_HOURS}|{UNITS_OF_MINUTES})\.?\s*each\b)"
)
_TURN = r"(?:sessions?|classes|times|modules?|lessons?|ครั้ง|คาบ|รอบ|days?|weeks?|วัน|สัปดาห์)"
_PRODUCT = re.compile(
    rf"(?P<times>\d{{1,3}})\s*{_TURN}?\s*[x×*]\s*(?P<amount>{NUMBER})\s*(?P<unit>{UNITS_OF_TIME})\.?(?![a-z])(?!\s*(?:per|/|ต่อ))"
    rf"|(?P<each>{NUMBER})\s*(?P<of>{UNITS_OF_HOURS}|{UNITS_OF_MINUTES})\.?\s*[x×*]\s*(?P<count>\d{{1,3}})(?!\d)(?:\s*{_TURN}(?![a-z]))?"
)
"""Several times the same time: `3 x 2 hours`, `5 วัน x 6 ชั่วโมง`, `2 hours x 3 sessions`."""

_PART_OF_DAY = re.compile(r"(?:(\d{1,3})\s+)?(half|full)[\s-]+(?=days?\b)|(?:เต็ม|ทั้ง)วัน")
_BOUND = re.compile(r"less than|under|up to|at most|more than|over|at least|ไม่เกิน|น้อยกว่า|มากกว่า|อย่างน้อย|\d\s?\+")
_THEN = re.compile(r"\s*(?:and|และ|,)?\s*")
"""What is between the parts of one duration: `1 day and 2 hours`."""

_WEEK_OF_CREDITS = re.compile(r"(?<=\d)\s*\(\d{1,2}[-–]\d{1,2}[-–]\d{1,2}\)(?=\s*(?:credits?|หน่วยกิต))")
"""The hours of lectures, practice and own study in a week, which make up credits: `3(2-2-5) credits`."""

_CLOCK_LIKE = re.compile(r"\d{1,3}[.,](?!25|50|75|00)[0-5]\d")
_PERIODS = {"day": 1.0, "week": 7.0, "month": 28.0, "year": 336.0}
_ENDLESS = 10_000


def duration_of(text: str) -> Duration | None:
    """Return the hours of study that a text states; None if it states none, or a part of it is not understood.

    The text may be an ISO 8601 duration, a clock such as `1:30`, or amounts with units, in words or figures. A range
    gives its middle: `6 weeks, 3-5 hours per week` is 24 hours. The hours are assumed for days, weeks or months alone,
    for a number without a unit, for a bound such as `at most 3 hours`, and beside a count: `5 modules, 10 hours`.
    """
    return _duration(text) if len(text) <= LONGEST_WORDS else None


def is_pace(text: str) -> bool:
    """Return whether a text states a time for each day, week or month, and not for how long: `3-5 hours per week`."""
    read = duration_of(f"1 week, {text}") if duration_of(text) is None else None
    return read is not None and not read.assumed and not read.unread


def doubtful_hours(number: str) -> bool:
    """Return whether a number of hours may mean hours and minutes, as in `1.30`; `1.25`, `1.50` and `1.75` do not."""
    return bool(_CLOCK_LIKE.fullmatch(number.translate(THAI_DIGITS)))


@lru_cache(maxsize=4096)
def _duration(text: str) -> Duration | None:
    text = with_decimals(folded(without_spaces(text.translate(THAI_DIGITS))))
    if iso := _ISO.match(text):
        parts = {unit: number for unit, value in iso.groupdict().items() if value and (number := as_number(value))}
        hours = sum(number * _UNITS[unit][1] for unit, number in parts.items())
        return _bounded(hours, assumed=any(_UNITS[unit][2] for unit in parts))
    if clock := _CLOCK.match(text):
        return _bounded(int(clock[1]) + int(clock[2]) / 60 + int(clock[3] or 0) / 3600, assumed=False)
    if (short := _SHORT_MINUTES.match(text)) and (short[2] or int(short[1]) >= _LEAST_MINUTES):
        return _bounded(int(short[1]) / 60 + int(short[2] or 0) / 3600, assumed=not short[2])
    if re.fullmatch(NUMBER, text):
        read = _bounded(as_number(text), assumed=True)
        return read and read._replace(doubtful=text if doubtful_hours(text) else None)
    text = _WEEK_OF_CREDITS.sub("", text)
    text = _QUARTERS.sub(lambda found: "45 min" if found[1] else "15 min", _KIND_OF_HOURS.sub(" ", text))
    text = _UNIT_A_PERIOD.sub(r"\1 per \2", text)
    text = THAI_NUMBER.sub(lambda found: f" {thai_digits(found[0])} ", text)
    for _ in range(2):  # the second of "one to two hours" comes first
        text = _WORDS_BEFORE_A_UNIT.sub(lambda found: f"{english_digits(found['words'])} ", text)
    text = _PART_OF_DAY.sub(_days, text)
    text = _ONE_AND_A_HALF.sub(r"1.5 \1", _AND_A_HALF.sub(r"\1.5 \2", text)).replace("ครึ่ง", "0.5 ")
    text = _EACH.sub(_per, text)
    text = _MINUTES_AFTER_HOURS.sub(r"\1 \2\3 min", text)
    text = _PRODUCT.sub(_multiplied, _SESSIONS.sub(_in_all, _BESIDE.sub(" ", text)))
    text = _SPAN.sub(_between, text)
    contents = 0
    if not _EACH_PART.search(text):
        text, contents = _CONTENTS_BESIDE.subn(" ", text)
    rest = _AMOUNT.sub(" ", text)
    if re.search(r"\d", rest) or "每" in text or re.match(r"^[-−–]\s*[\dp]", text):
        return None  # a number that nothing is known of, or a pace before its amount
    read = _of_amounts(text)
    return read and read._replace(
        unread=(*read.unread, *NUMBER_WORD.findall(rest)), assumed=read.assumed or contents > 0
    )


def _between(found: re.Match[str]) -> str:
    """Return a range in one unit: `30 min - 1 hour` is `30-60 min`; unchanged if its first end is not the lower one."""
    low, high = as_number(found["low"]), as_number(found["high"])
    of_unit = {
        name: hours
        for name, (pattern, hours, _) in _UNITS.items()
        for unit in found.group("unit", "of")
        if re.fullmatch(pattern, unit)
    }
    if len(of_unit) == 1:
        return f"{low:g}-{high:g} {found['of']}" if low < high else found[0]
    if of_unit.keys() != {"minute", "hour"}:
        return found[0]
    first, last = (
        number * 60 if re.fullmatch(UNITS_OF_HOURS, unit) else number
        for number, unit in ((low, found["unit"]), (high, found["of"]))
    )
    return f"{first:g}-{last:g} min" if first < last else found[0]


def _in_all(found: re.Match[str]) -> str:
    """Return the time of several sessions together: `4 ครั้ง ครั้งละ 3 ชั่วโมง` is 12 hours."""
    amount, unit = found.group("amount", "unit") if found["amount"] else found.group("each", "of")
    return f"{int(found['times']) * as_number(amount):g} {unit}"


def _multiplied(found: re.Match[str]) -> str:
    times, amount, unit = (
        found.group("times", "amount", "unit") if found["times"] else found.group("count", "each", "of")
    )
    return f"{int(times) * as_number(amount):g} {unit}"


def _days(found: re.Match[str]) -> str:
    """Return the number for `half` or `full` before `day`: `3 half-days` are 1.5 days."""
    if not found[2]:
        return "1 วัน"
    return f"{int(found[1] or 1) * (0.5 if found[2] == 'half' else 1):g} "


def _of_amounts(text: str) -> Duration | None:
    bound = bool(_BOUND.search(text))
    if (total := _stated_total(text)) is not None:
        return _bounded(total, assumed=bound)
    amounts: list[_Amount] = []
    rates: list[tuple[_Amount, str]] = []
    unread: list[_Amount] = []
    between, doubtful = False, None
    end = 0
    separate = _states_parts(text)
    for found in _AMOUNT.finditer(text):
        one = _Amount.of(found)
        between = between or bool(found["high"])
        if one.unit == "hour" and (unlikely := [n for n in found.group("low", "high") if n and doubtful_hours(n)]):
            doubtful = doubtful or unlikely[0]
        if rate := _RATE.match(text, found.end()):
            rates.append((one, next(name for name in ("day", "week", "month") if rate[name])))
        elif not (separate and amounts) and _repeats(amounts, one, text[end : found.start()]):
            unread += [one] if one.hours != amounts[-1].hours and not one.within else []
        else:
            amounts.append(one)
        end = found.end()
    lasting = [one for one in amounts if one.unit in _PERIODS]
    credited = [one for one in amounts if one.unit == "credit"]
    if credited and len(credited) < len(amounts):  # the credits of a course are no further time of it
        amounts = [one for one in amounts if one.unit != "credit"]
    exact = [one for one in amounts if not _UNITS[one.unit][2]]
    if rates and lasting:
        days = sum(one.value * _PERIODS[one.unit] for one in lasting)
        each, period, further = _pace(rates)
        read = _bounded(each * days / _PERIODS[period], assumed=bound)
        unread += [*further, *(one for one in amounts if one not in lasting)]
    elif rates or not amounts:
        return None
    elif not exact or not lasting or _is_one_duration(text, lasting, exact):
        read = _total(amounts, assumed=bound)
    else:  # "2 days (12 hours)"
        read = _total(exact, assumed=bound)
        restated = any(one.within for one in amounts)
        unread += [one for one in amounts if one not in exact and not restated]
    if read is None:
        return None
    left = tuple(one.text for one in unread if round(one.hours, 6) != read.hours)
    return read._replace(between=between, unread=left, doubtful=doubtful)


def _pace(rates: "list[tuple[_Amount, str]]") -> "tuple[float, str, list[_Amount]]":
    """Return the hours for each period, the period, and the amounts that are not in it.

    The hours of a day count for the days of a week: `2 days a week, 3 hours a day` is 6 hours a week.
    """
    for (days, period), (hours, each_day) in permutations(rates, 2):
        if days.unit == "day" and period != "day" == each_day and hours.unit != "day":
            return days.value * hours.hours, period, [one for one, _ in rates if one not in (days, hours)]
    (one, period), *further = rates
    return one.hours, period, [other for other, _ in further]


class _Amount(NamedTuple):
    """A number with a unit in a text. `within`: it is in brackets."""

    value: float
    unit: str
    text: str
    place: tuple[int, int]
    within: bool

    @classmethod
    def of(cls, found: re.Match[str]) -> "_Amount":
        low = as_number(found["low"])
        value = (low + as_number(found["high"])) / 2 if found["high"] else low
        unit = next(name for name in _UNITS if found[name])
        return cls(value, unit, found[0].strip(), found.span(), _is_bracketed(found.string, found.start()))

    @property
    def hours(self) -> float:
        return self.value * _UNITS[self.unit][1]


def _is_one_duration(text: str, lasting: list[_Amount], exact: list[_Amount]) -> bool:
    """Return whether days and the hours after them add up: `1d 2h`, but not `2 days 12 hours`."""
    (_, end), (start, _) = lasting[-1].place, exact[0].place
    follows = end <= start and _THEN.fullmatch(text, end, start) is not None
    return follows and lasting[-1].unit == "day" and sum(one.hours for one in exact) < HOURS_A_DAY


def _stated_total(text: str) -> float | None:
    """Return the hours of the whole course if the amounts of its parts add up to them: `30 h, 15 h, total 45 h`."""
    found = [*_AMOUNT.finditer(text)] if _WHOLE.search(text) else []
    ones = [_Amount.of(one) for one in found]
    if len(ones) < 3 or len({one.unit for one in ones}) > 1 or _UNITS[ones[0].unit][2]:  # noqa: PLR2004 - two parts and the whole
        return None
    if any(_RATE.match(text, one.end()) for one in found):
        return None
    total = max(one.hours for one in ones)
    return total if abs(sum(one.hours for one in ones) - 2 * total) < 1e-6 else None  # noqa: PLR2004 - rounding


def _states_parts(text: str) -> bool:
    """Return whether each of the amounts is that of a part of the course: `lectures 30 hours, practice 15 hours`."""
    parts = _AMOUNT.split(text)[:: _AMOUNT.groups + 1]
    named = [bool(_PART_OF_COURSE.search(part)) for part in parts]
    if _WHOLE.search(text) or _EITHER.search(text):
        return False
    return len(parts) > 2 and (all(named[:-1]) or all(named[1:]))  # noqa: PLR2004 - two amounts


def _repeats(amounts: list[_Amount], one: _Amount, between: str) -> bool:
    """Return whether an amount repeats an earlier one or a part of it: `3 hours (3 hours of video)`.

    Not so in `45 minutes of video + 45 minutes of practice`.
    """
    if one.within and not _UNITS[one.unit][2]:
        exact = [known for known in amounts if not _UNITS[known.unit][2]]
        return any(not known.within or known.unit == one.unit or "(" in between for known in exact)
    return bool(amounts) and amounts[-1].unit == one.unit and not _FURTHER.search(between)


def _is_bracketed(text: str, place: int) -> bool:
    return text.count("(", 0, place) > text.count(")", 0, place)


def _per(found: re.Match[str]) -> str:
    """Return `สัปดาห์ละ 3 ชั่วโมง` and `ๆ ละ 3 ชั่วโมง` as an amount for a period: `3 ชั่วโมง ต่อสัปดาห์`."""
    repeated = re.search(r"(วัน|สัปดาห์|อาทิตย์|เดือน)\s*$", found.string[: found.start()])
    period = found["period"] or (repeated and repeated[1])
    return f" {found['amount']} ต่อ{period} " if period else found[0]


def _total(amounts: list[_Amount], *, assumed: bool) -> Duration | None:
    hours = sum(one.hours for one in amounts)
    return _bounded(hours, assumed=assumed or any(_UNITS[one.unit][2] for one in amounts))


def _bounded(hours: float, *, assumed: bool) -> Duration | None:
    return Duration(round(hours, 6), assumed) if 0 < hours <= _ENDLESS else None
