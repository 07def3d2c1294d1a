"""Parses the words of a cell: lists, durations, levels, languages, dates. Thai and English; pure.

Every function returns the parsed value, or None if the text does not state it. None of them guesses: an assumption,
such as the hours of a training day, is reported as assumed.
"""

import ast
import html
import json
import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import MINYEAR, UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from shared.texts import folded

HOURS_A_DAY, HOURS_A_WEEK, HOURS_A_MONTH, HOURS_A_CREDIT = 6.0, 4.0, 16.0, 15.0
"""What is assumed where only days, weeks, months or credits are stated: a training day, and part-time study."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TAG = re.compile(
    r"</?(?:a|b|br|div|em|font|h[1-6]|i|img|li|ol|p|small|span|strong|sub|sup|table|tbody|td|th|tr|u|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])(?:\s[^<>]*)?/?>", re.IGNORECASE)
_NOTHING = frozenset(
    folded(word)
    for word in (
        "", "-", "--", "—", "n/a", "na", "n.a.", "none", "none.", "null", "nil", "nan", "not mentioned", "not-mentioned",
        "not stated", "unknown", "tbd", "tba", "[]", "{}", "ไม่มี", "ไม่ระบุ", "ไม่กำหนด", "ไม่ได้ระบุ", "ว่าง",
        "(ว่าง)", "(blank)", "#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!", "#error!", "loading...",
    )
)  # fmt: skip
_LONGEST_NOTHING = 40
_LONGEST_WORDS = 300
"""The most characters of a duration, a level or a date; a longer text is prose and is not searched."""

_THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")


def plain(text: str) -> str:
    """Return the visible text of a cell: entities and HTML resolved once, no control characters, no outer spaces."""
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip().strip("\ufeff\u200b").strip()


def is_placeholder(text: str) -> bool:
    """Return whether a cell means that there is no value: empty, `N/A`, `not-mentioned`, `#REF!`, `...`, `ไม่ระบุ`."""
    if len(text) > _LONGEST_NOTHING:
        return False
    return folded(text) in _NOTHING or not any(char.isalnum() for char in text)


def list_of(text: str) -> list[str]:
    """Return the items of a list in any of its forms: JSON, a Python literal, separated by lines, `;`, `|` or `,`.

    Commas inside brackets do not separate items.
    """
    text = text.strip()
    if text[:1] in "[(" and text[-1:] in "])":
        for read in (json.loads, ast.literal_eval):
            try:
                found = read(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(found, list | tuple):
                return _distinct(plain(str(one)) for one in found if isinstance(one, str | int | float))
    text = plain(text)  # before it is divided: an entity ends with a semicolon
    for mark in ("\n", ";", "|"):
        if mark in text:
            return _distinct(text.split(mark))
    return _distinct(_between_commas(text))


def _between_commas(text: str) -> Iterator[str]:
    """Yield the parts between commas that are not inside brackets."""
    begin = depth = 0
    for mark in re.finditer(r"[,、()\[\]]", text):
        if mark[0] in "([":
            depth += 1
        elif mark[0] in ")]":
            depth = max(depth - 1, 0)
        elif not depth:
            yield text[begin : mark.start()]
            begin = mark.end()
    yield text[begin:]


def _distinct(parts: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for part in parts:
        if not is_placeholder(one := part.strip()):
            found.setdefault(folded(one), one)
    return list(found.values())


def number_of(text: str) -> float | None:
    """Return the one number of a cell: `4.2stars`, `16,400`, `4,5`, `๑๒`, `สามสิบ`."""
    if _THAI_NUMBER.fullmatch(text.strip()) and (digits := _thai_number(text)).isdecimal():
        return float(digits)
    found = re.findall(_NUMBER, text.translate(_THAI_DIGITS))
    return _number(found[0]) if len(found) == 1 and _ONE_NUMBER.fullmatch(found[0]) else None


def count_of(text: str) -> int | None:
    """Return the one whole number of a cell, in which `1.234` and `1,234` are thousands."""
    digits = re.findall(_NUMBER, text.translate(_THAI_DIGITS))
    if len(digits) == 1 and re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits[0]):
        return int(re.sub(r"[.,]", "", digits[0]))
    number = number_of(text)
    return None if number is None else int(number)


# --- durations -------------------------------------------------------------------------------------------------------


class Duration(NamedTuple):
    """Hours of study. `assumed`: days, weeks, months, credits or a bound were turned into hours.

    `between`: the text states a range, and the hours are its middle. `unread`: amounts in the text that do not count.
    `doubtful`: a number of hours that may mean hours and minutes.
    """

    hours: float
    assumed: bool
    between: bool = False
    unread: tuple[str, ...] = ()
    doubtful: str | None = None


_WORD_NUMBERS = {
    "half an": 0.5, "half a": 0.5, "a half": 0.5, "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30,
    "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100,
}  # fmt: skip
_WORD = "|".join(sorted(_WORD_NUMBERS, key=len, reverse=True))
_ONES, _TEENS, _TENS = (
    "|".join(word for word, n in _WORD_NUMBERS.items() if n in numbers and word not in ("a", "an"))
    for numbers in (range(1, 10), range(10, 20), range(20, 100))
)
_BELOW_HUNDRED = rf"(?:(?:{_TENS})(?:(?:\s*-\s*|\s+)(?:{_ONES}))?|{_TEENS}|{_ONES})"
_WORDS_OF_A_NUMBER = (
    rf"(?<![\w-])(?P<words>(?:(?:(?:a|{_ONES})\s+)?hundred(?:\s+(?:and\s+)?{_BELOW_HUNDRED})?|{_BELOW_HUNDRED})"
    r"(?:\s+and\s+a\s+half)?|half\s+an?|an?\s+half|an?)"
)
"""One number in English words. Two numbers are not added: `a one hour talk`, `three two-hour sessions`."""
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(word for word, n in _WORD_NUMBERS.items() if n > 1)})\b")
"""The words for numbers other than one, which is also a pronoun."""
_FRACTIONS = {"½|(?<![\\d/])1/2": ".5", "¼|(?<![\\d/])1/4": ".25", "¾|(?<![\\d/])3/4": ".75"}
_THAI_DIGIT_WORDS = {
    "หนึ่ง": 1, "เอ็ด": 1, "สอง": 2, "ยี่": 2, "สาม": 3, "สี่": 4, "ห้า": 5, "หก": 6, "เจ็ด": 7, "แปด": 8, "เก้า": 9,
}  # fmt: skip
_THAI_PLACE_WORDS = {"สิบ": 10, "ร้อย": 100, "พัน": 1000}
_THAI_WORD = "|".join((*_THAI_DIGIT_WORDS, *_THAI_PLACE_WORDS))
_THAI_NUMBER = re.compile(rf"(?:{_THAI_WORD})(?:\s?(?:{_THAI_WORD}))*(?![\u0e30-\u0e3a\u0e45-\u0e4e])")
"""A number in Thai words; a vowel after it would make another word of it, such as `สามารถ`."""
_UNITS = {
    "second": (r"seconds?|secs?|s|วินาที", 1 / 3600, False),
    "minute": (r"minutes?|mins?|minutos?|นาที", 1 / 60, False),
    "hour": (r"hours?|hrs?|horas?|heures?|h|ชั่วโมง|ชม", 1.0, False),
    "day": (r"days?|d|วัน", HOURS_A_DAY, True),
    "week": (r"weeks?|wks?|semanas?|semaines?|w|สัปดาห์|อาทิตย์", HOURS_A_WEEK, True),
    "month": (r"months?|mos?|mes(?:es)?|mois|เดือน", HOURS_A_MONTH, True),
    "year": (r"years?|yrs?|ปี", 12 * HOURS_A_MONTH, True),
    "credit": (r"credits?|หน่วยกิต", HOURS_A_CREDIT, True),
}
_UNIT = "|".join(f"(?P<{name}>{pattern})" for name, (pattern, _, _) in _UNITS.items())
UNITS_OF_TIME = "|".join(pattern for pattern, _, _ in _UNITS.values())
"""A pattern of the names of units."""
UNITS_OF_PERIODS = "|".join(_UNITS[unit][0] for unit in ("day", "week", "month", "year"))

_NUMBER = r"\d+(?:[.,]\d+)*"
_ONE_NUMBER = re.compile(r"\d+(?:[.,]\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_AMOUNT = re.compile(
    rf"(?P<low>{_NUMBER})\s*(?:(?:-|–|—|to|or|ถึง|หรือ)\s*(?P<high>{_NUMBER}))?\+?\s*-?\s*(?:{_UNIT})\.?(?![a-z])"
)
_WORDS_BEFORE_A_UNIT = re.compile(rf"{_WORDS_OF_A_NUMBER}[\s-]+(?=(?:{_UNIT})\b|(?:to|or|-|–)\s*\d)")
_RATE = re.compile(
    r"(?:\s*(?:of\s+\w+\s*)?(?:per|/|a|each|every|ต่อ|ละ)\s*(?P<week>week|wk|สัปดาห์|อาทิตย์)|"
    r"\s*(?:per|/|a|each|every|ต่อ|ละ)\s*(?P<day>day|วัน)|\s*(?:per|/|a|each|every|ต่อ|ละ)\s*(?P<month>month|เดือน))"
)
_ISO = re.compile(
    rf"^p(?:(?P<year>{_NUMBER})y)?(?:(?P<month>{_NUMBER})m)?(?:(?P<week>{_NUMBER})w)?(?:(?P<day>{_NUMBER})d)?"
    rf"(?:t(?:(?P<hour>{_NUMBER})h)?(?:(?P<minute>{_NUMBER})m)?(?:(?P<second>{_NUMBER})s)?)?$"
)
_SHORT_MINUTES = re.compile(r"^(\d{1,3})\s?m(?:\s?(\d{1,2})\s?s)?$")
_LEAST_MINUTES = 15
"""From which number on a lone `m` means minutes; below it may be months, and is not read."""

_UNIT_A_PERIOD = re.compile(r"(?<![a-z])(hours?|hrs?|h|minutes?|mins?|days?)\s+an?\s+(day|week|month)\b")
_FURTHER = re.compile(r"\+|\b(?:and|plus)\b|และ|บวก")
_CLOCK = re.compile(r"^(\d{1,3}):([0-5]\d)(?::([0-5]\d))?\s*(?:hours?|hrs?|h|ชั่วโมง|ชม\.?)?$")
_AND_A_HALF = re.compile(r"(\d+)\s*(hours?|hrs?|ชั่วโมง|ชม\.?|days?|วัน|weeks?|สัปดาห์)\s*(?:and\s+a\s+half|ครึ่ง)")
_EACH = re.compile(
    rf"(?:(?P<period>วัน|สัปดาห์|อาทิตย์|เดือน)\s*|ๆ\s*)ละ\s*(?:ประมาณ\s*)?"
    rf"(?P<amount>{_NUMBER}(?:\s*(?:-|–|ถึง)\s*{_NUMBER})?\s*(?:{_UNIT})\.?)"
)
_MINUTES_AFTER_HOURS = re.compile(r"(\d\s*(?:hours?|hrs?|h|ชั่วโมง|ชม\.?))\s*(\d+)\s*(?:m|น\.?)(?![a-z\u0e00-\u0e7f])")
_BOUND = re.compile(r"less than|under|up to|at most|more than|over|at least|ไม่เกิน|น้อยกว่า|มากกว่า|อย่างน้อย|\d\s?\+")
_THEN = re.compile(r"\s*(?:and|และ|,)?\s*")
"""What is between the parts of one duration: `1 day and 2 hours`."""

_CLOCK_LIKE = re.compile(r"\d{1,3}[.,](?!25|50|75|00)[0-5]\d")
_PERIODS = {"day": 1.0, "week": 7.0, "month": 28.0, "year": 336.0}
_ENDLESS = 10_000


def duration_of(text: str) -> Duration | None:
    """Return the hours of study in a duration: ISO 8601, a clock, or amounts with units, in words or figures.

    A range gives its middle. `6 weeks, 3-5 hours per week` is 24 hours; for days, weeks or months alone, a bare number
    or a bound, the hours are assumed.
    """
    return _duration(text) if len(text) <= _LONGEST_WORDS else None


def doubtful_hours(number: str) -> bool:
    """Return whether a number of hours may mean hours and minutes, as in `1.30`; `1.25`, `1.50` and `1.75` do not."""
    return bool(_CLOCK_LIKE.fullmatch(number.translate(_THAI_DIGITS)))


@lru_cache(maxsize=4096)
def _duration(text: str) -> Duration | None:
    text = _with_decimals(folded(text).translate(_THAI_DIGITS))
    if iso := _ISO.match(text):
        parts = {unit: number for unit, value in iso.groupdict().items() if value and (number := _number(value))}
        hours = sum(number * _UNITS[unit][1] for unit, number in parts.items())
        return _bounded(hours, assumed=any(_UNITS[unit][2] for unit in parts))
    if clock := _CLOCK.match(text):
        return _bounded(int(clock[1]) + int(clock[2]) / 60 + int(clock[3] or 0) / 3600, assumed=False)
    if (short := _SHORT_MINUTES.match(text)) and (short[2] or int(short[1]) >= _LEAST_MINUTES):
        return _bounded(int(short[1]) / 60 + int(short[2] or 0) / 3600, assumed=not short[2])
    if re.fullmatch(_NUMBER, text):
        read = _bounded(_number(text), assumed=True)
        return read and read._replace(doubtful=text if doubtful_hours(text) else None)
    text = _UNIT_A_PERIOD.sub(r"\1 per \2", text)
    text = _THAI_NUMBER.sub(lambda found: f" {_thai_number(found[0])} ", text)
    for _ in range(2):  # the second of "one to two hours" comes first
        text = _WORDS_BEFORE_A_UNIT.sub(lambda found: f"{_english_number(found['words'])} ", text)
    text = _AND_A_HALF.sub(r"\1.5 \2", text).replace("ครึ่ง", "0.5 ")
    text = _EACH.sub(_per, text)
    text = _MINUTES_AFTER_HOURS.sub(r"\1 \2 min", text)
    rest = _AMOUNT.sub(" ", text)
    if re.search(r"\d", rest) or re.match(r"^[-−–]\s*[\dp]", text):
        return None  # a number that nothing is known of
    read = _of_amounts(text)
    return read and read._replace(unread=(*read.unread, *_NUMBER_WORD.findall(rest)))


def _with_decimals(text: str) -> str:
    """Return a text with fractions as decimals: `1½`, `1 1/2`."""
    for sign, decimals in _FRACTIONS.items():
        text = re.sub(rf"(\d*)\s?(?:{sign})(?![\d/])", lambda found: f"{int(found[1] or 0)}{decimals}", text)  # noqa: B023 - used at once
    return text


def _thai_number(words: str) -> str:
    """Return a number in Thai words in digits, and `สองสาม`, two or three, as a range."""
    whole, digits = 0, list[int]()
    for word in re.findall(_THAI_WORD, words):
        if place := _THAI_PLACE_WORDS.get(word):
            whole += (digits.pop() if digits else 1) * place
        else:
            digits.append(_THAI_DIGIT_WORDS[word])
    if len(digits) > 1:
        return "-".join(str(whole + digit) for digit in digits)
    return str(whole + sum(digits))


def _english_number(words: str) -> str:
    """Return a number in English words in digits: `twenty-five`, `one hundred and twenty`."""
    number = 0.0
    for word in re.findall(rf"\b(?:{_WORD})\b", words):
        value = _WORD_NUMBERS[word]
        number = (number or 1) * value if word == "hundred" else number + value
    return f"{number:g}"


def _of_amounts(text: str) -> Duration | None:
    bound = bool(_BOUND.search(text))
    amounts: list[_Amount] = []
    rates: list[tuple[float, str]] = []
    unread: list[_Amount] = []
    between, doubtful = False, None
    end = 0
    for found in _AMOUNT.finditer(text):
        one = _Amount.of(found)
        between = between or bool(found["high"])
        if one.unit == "hour" and (unlikely := [n for n in found.group("low", "high") if n and doubtful_hours(n)]):
            doubtful = doubtful or unlikely[0]
        if rate := _RATE.match(text, found.end()):
            if rates:
                unread.append(one)
            rates.append((one.hours, next(name for name in ("day", "week", "month") if rate[name])))
        elif _repeats(amounts, one, text[end : found.start()]):
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
        each, period = rates[0]
        read = _bounded(each * days / _PERIODS[period], assumed=bound)
        unread += [one for one in amounts if one not in lasting]
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


class _Amount(NamedTuple):
    """A number with a unit in a text. `within`: it is in brackets."""

    value: float
    unit: str
    text: str
    place: tuple[int, int]
    within: bool

    @classmethod
    def of(cls, found: re.Match[str]) -> "_Amount":
        low = _number(found["low"])
        value = (low + _number(found["high"])) / 2 if found["high"] else low
        unit = next(name for name in _UNITS if found[name])
        return cls(value, unit, found[0].strip(), found.span(), _is_bracketed(found.string, found.start()))

    @property
    def hours(self) -> float:
        return self.value * _UNITS[self.unit][1]


def _is_one_duration(text: str, lasting: list[_Amount], exact: list[_Amount]) -> bool:
    """Return whether days and the hours after them add up: `1d 2h`, but not `2 days 12 hours`, which says one twice."""
    (_, end), (start, _) = lasting[-1].place, exact[0].place
    follows = end <= start and _THEN.fullmatch(text, end, start) is not None
    return follows and lasting[-1].unit == "day" and sum(one.hours for one in exact) < HOURS_A_DAY


def _repeats(amounts: list[_Amount], one: _Amount, between: str) -> bool:
    """Return whether an amount says again what came before: `3 hours (3 hours of video)`, `2 h 10 min (1 h of video)`.

    Not so in `45 minutes of video + 45 minutes of practice`.
    """
    if one.within and not _UNITS[one.unit][2]:
        return any(not _UNITS[known.unit][2] for known in amounts)
    return bool(amounts) and amounts[-1].unit == one.unit and not _FURTHER.search(between)


def _is_bracketed(text: str, place: int) -> bool:
    return text.count("(", 0, place) > text.count(")", 0, place)


def _per(found: re.Match[str]) -> str:
    """Return `สัปดาห์ละ 3 ชั่วโมง` and `ๆ ละ 3 ชั่วโมง` as an amount for a period: `3 ชั่วโมง ต่อสัปดาห์`."""
    repeated = re.search(r"(วัน|สัปดาห์|อาทิตย์|เดือน)\s*$", found.string[: found.start()])
    period = found["period"] or (repeated and repeated[1])
    return f" {found['amount']} ต่อ{period} " if period else found[0]


def _number(text: str) -> float:
    """Return a number in which a comma separates thousands or, if it cannot, decimals: `1,200`, `1,5`, `1.234,5`."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        return float(text.replace(",", ""))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}", text):
        return float(text.replace(".", "").replace(",", "."))
    whole, _, rest = text.replace(",", ".").partition(".")
    return float(f"{whole}.{rest.replace('.', '')}") if rest else float(whole)


def _total(amounts: list[_Amount], *, assumed: bool) -> Duration | None:
    hours = sum(one.hours for one in amounts)
    return _bounded(hours, assumed=assumed or any(_UNITS[one.unit][2] for one in amounts))


def _bounded(hours: float, *, assumed: bool) -> Duration | None:
    return Duration(round(hours, 6), assumed) if 0 < hours <= _ENDLESS else None


# --- levels, languages, ways of teaching -----------------------------------------------------------------------------

EducationalLevel = Literal["beginner", "intermediate", "advanced", "mixed"]
_LEVELS: list[tuple[EducationalLevel, str]] = [
    ("mixed", r"all levels|any level|mixed|every level|ทุกระดับ|ทุกคน|หลายระดับ"),
    (
        "intermediate",
        r"intermediate|medium|middle|working|practitioner|ปานกลาง|ระดับกลาง|ขั้นกลาง|กลาง",
    ),
    ("advanced", r"advanced|expert|proficient|master|สูง|เชี่ยวชาญ|ชำนาญ"),
    (
        "beginner",
        (
            r"beginner|introductory|introduction|basic|foundation|foundational|fundamental|fundamentals|elementary|entry|"
            r"novice|starter|awareness|เบื้องต้น|เริ่มต้น|พื้นฐาน|ระดับต้น|ขั้นต้น|ต้น|ง่าย"
        ),
    ),
]
_ABOUT_LEVELS = re.compile(r"\b(level|course|stage|and|to|or|of|the|for|learners?|students?)\b|ระดับ|ขั้น|หลักสูตร|ถึง|และ")


def level_of(text: str) -> EducationalLevel | None:
    """Return the level that a Thai or English word names; None for other words."""
    return _level(text) if len(text) <= _LONGEST_WORDS else None


@lru_cache(maxsize=4096)
def _level(text: str) -> EducationalLevel | None:
    left = folded(text)
    found: list[EducationalLevel] = []
    for level, pattern in _LEVELS:
        thai_or_word = rf"(?<![a-z])(?:{pattern})(?![a-z])"
        if re.search(thai_or_word, left):
            found.append(level)
            left = re.sub(thai_or_word, " ", left)
    if not found or re.search(r"[^\W\d_]", _ABOUT_LEVELS.sub(" ", left)):
        return None
    return found[0] if len(found) == 1 else "mixed"


_LANGUAGES = {
    "th": "thai tha ไทย ภาษาไทย", "en": "english eng อังกฤษ ภาษาอังกฤษ", "zh": "chinese mandarin cantonese 中文 汉语 漢語 zho chi จีน ภาษาจีน",
    "ja": "japanese 日本語 jpn ญี่ปุ่น ภาษาญี่ปุ่น", "ko": "korean 한국어 kor เกาหลี ภาษาเกาหลี", "fr": "french français francais fra fre ฝรั่งเศส",
    "de": "german deutsch deu ger เยอรมัน", "es": "spanish español espanol castellano spa สเปน", "pt": "portuguese português por",
    "ru": "russian русский rus รัสเซีย", "ar": "arabic العربية ara อาหรับ", "it": "italian italiano ita", "nl": "dutch nld",
    "pl": "polish pol", "tr": "turkish türkçe tur", "vi": "vietnamese vie เวียดนาม", "id": "indonesian bahasa ind อินโดนีเซีย",
    "ms": "malay msa มลายู มาเลย์", "hi": "hindi hin", "lo": "lao ลาว", "km": "khmer เขมร", "my": "burmese พม่า", "uk": "ukrainian",
    "el": "greek", "he": "hebrew", "sv": "swedish", "da": "danish", "no": "norwegian", "fi": "finnish", "cs": "czech",
    "hu": "hungarian", "ro": "romanian", "bg": "bulgarian", "ca": "catalan", "et": "estonian", "kk": "kazakh",
    "mn": "mongolian", "fa": "persian farsi", "ur": "urdu", "bn": "bengali", "ta": "tamil", "te": "telugu", "sk": "slovak",
    "sr": "serbian", "hr": "croatian", "lt": "lithuanian", "lv": "latvian", "eu": "basque", "tl": "tagalog filipino",
}  # fmt: skip
_CODES = {folded(word): code for code, words in _LANGUAGES.items() for word in words.split()}


def language_of(text: str) -> str | None:
    """Return the ISO 639 code of a language by its name or tag: `ภาษาไทย`, `Chinese (Simplified)`, `en-US`."""
    name = folded(re.sub(r"[\u064b-\u0652]", "", text[:_LONGEST_WORDS]))  # Arabic vowel signs
    if re.fullmatch(r"[a-z]{2}(?:[-_][a-z0-9]+)*", name):
        return name[:2]
    word = re.split(r"[\s(\-_,/]", name, maxsplit=1)[0]
    return _CODES.get(name) or _CODES.get(word)


def language_of_writing(text: str) -> str:
    """Return `th` for a text with Thai letters, else `en`."""
    return "th" if re.search(r"[\u0e01-\u0e2e]", text) else "en"


Modality = Literal["online", "classroom", "blended"]


def modality_of(text: str) -> Modality | None:
    """Return how a course is delivered: online, in a classroom, or both."""
    name = folded(text[:_LONGEST_WORDS])
    online = re.search(r"online|mooc|e-?learning|self-?paced|distance|virtual|remote|ออนไลน์|ทางไกล", name)
    onsite = re.search(
        r"on-?site|on-?campus|classroom|in-?person|face|full-?time|part-?time|workshop|ห้องเรียน|อบรม|onground", name
    )
    if re.search(r"blended|hybrid|ผสม", name) or (online and onsite):
        return "blended"
    if online:
        return "online"
    return "classroom" if onsite or re.search(r"instructor-?\s?led", name) else None


# --- dates -----------------------------------------------------------------------------------------------------------

_BUDDHIST, _FIRST_BUDDHIST, _NEVER = 543, 2400, 2050
_SECONDS = re.compile(r"1\d{9}(?:\d{3})?")
"""Seconds or milliseconds since 1970, as learning platforms count time."""

_YEAR_MONTH = re.compile(r"(20[0-4]\d|25\d\d)(0[1-9]|1[0-2])")
"""A year and a month. As days of a workbook these would be before 1912 or after 2040."""

_DAY_ZERO, _FIRST_COUNTED, _LAST_COUNTED, _FIRST_YEAR = date(1899, 12, 30), 25_569, 300_000, 1970
"""The days that a workbook counts, from 1970 on, also those of years of the Buddhist Era."""

_MONTHS = (
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม",
    "ม.ค. ก.พ. มี.ค. เม.ย. พ.ค. มิ.ย. ก.ค. ส.ค. ก.ย. ต.ค. พ.ย. ธ.ค.",
)
_MONTH_NUMBERS = {folded(name).replace(".", ""): n for names in _MONTHS for n, name in enumerate(names.split(), 1)}
_MONTH = (
    rf"(?P<month>{'|'.join(re.escape(name) for names in _MONTHS for name in folded(names).split())}|[\u0e00-\u0e7f.]+)"
)
_WEEKDAY = re.compile(
    r"^(?:วัน)?(?:จันทร์|อังคาร|พุธ|พฤหัสบดี|พฤหัส|ศุกร์|เสาร์|อาทิตย์)(?:ที่)?\s*|^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+|^วันที่\s*"
)
_BY_MONTH = (
    rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s/.-]*{_MONTH}\.?[\s/.,-]*(?P<year>\d{{4}}|\d\d)",
    rf"{_MONTH}\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})",
    rf"{_MONTH}\.?\s*(?P<year>\d{{4}})",
)
"""Dates that name the month, the last ones without a day."""


class InvalidDate(ValueError):
    """Raised for a text that is not a date. Its text is shown to people: `locales/refusals/th.json` has it in Thai."""


def date_of(text: str, *, last: bool = False) -> date | None:
    """Return a date in the Gregorian calendar; None for one that means never: 2599, 9999.

    Years from 2400 on are Buddhist Era. Days come before months, as in Thai writing. A number of five or six digits is
    a day as workbooks count them, or a year and a month, such as 202401; one of ten or thirteen digits counts seconds
    or milliseconds since 1970, and 0 is no date. A year or a month means its first day, or with `last` its last one.
    Raises InvalidDate.
    """
    if len(text) > _LONGEST_WORDS:
        raise InvalidDate("not read as a date")
    words = _WEEKDAY.sub("", folded(text).translate(_THAI_DIGITS).replace("พ.ศ.", "").replace("ค.ศ.", "")).strip()
    if words == "0":
        return None
    year, month, day = _counted(words) or _written(words)
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


def _written(words: str) -> tuple[int, int | None, int | None]:
    """Return year, month and day as they are written, None for what is not. Raises InvalidDate."""
    year: int
    month: int | None
    day: int | None
    if found := re.match(r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[t ].*)?$", words):
        year, month, day = (int(part) for part in found.groups())
    elif found := re.match(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?: .*)?$", words):
        day, month, year = (int(part) for part in found.groups())
    elif by_month := _by_month(words):
        year, month, day = by_month
    elif re.fullmatch(r"\d{4}", words):
        year, month, day = int(words), None, None
    elif found := re.fullmatch(r"(\d{4})(\d{2})(\d{2})", words):
        year, month, day = (int(part) for part in found.groups())
    else:
        raise InvalidDate("not read as a date")
    return year, month, day


def _by_month(words: str) -> tuple[int, int, int | None] | None:
    """Return year, month and, if it is given, day of a date that names the month. Two digits of a year are Buddhist in Thai."""
    for pattern in _BY_MONTH:
        if (found := re.fullmatch(pattern, words)) and (month := _MONTH_NUMBERS.get(found["month"].replace(".", ""))):
            year = int(found["year"])
            if len(found["year"]) == 2:  # noqa: PLR2004 - the digits of a short year
                year += 2500 if re.search(r"[\u0e00-\u0e7f]", found["month"]) else 2000
            day = found.groupdict().get("day")
            return year, month, int(day) if day else None
    return None
