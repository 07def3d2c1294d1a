"""Tells from the name of a column which fact it holds. Pure.

fact_of("ชื่อหลักสูตร / Course name")     Column("title")
fact_of("ระยะเวลา (นาที)")               Column("duration", "นาที"): a bare number in it counts minutes
fact_of("Remarks")                       None
with_unit("ระยะเวลา (นาที)", "90")        "90 นาที"
"""

import re
from functools import lru_cache
from typing import NamedTuple

from services.catalog.importers.column_names import ELSEWHERE, LESS_SURE, NAMES
from services.catalog.importers.durations import UNITS_OF_MINUTES, UNITS_OF_PERIODS, UNITS_OF_TIME
from services.catalog.importers.facts import FACTS
from shared.texts import folded, names_in

_FACT_OF = {
    folded(name): fact for names in (*ELSEWHERE, NAMES) for fact, words in names.items() for name in words.split(",")
}
_LESS_SURE = frozenset(map(folded, LESS_SURE))
_CLOCK = r"h{1,2}:m{1,2}(?::s{1,2})?"
_UNIT = rf"(?P<unit>{UNITS_OF_TIME}|{_CLOCK})\.?"
_WITH_UNIT = re.compile(
    rf"(?P<name>.+?)(?:\s*[(\[]\s*(?:in\s|หน่วย\s?:?|เป็น)?\s*{_UNIT}\s*[)\]]|[\s_,:-]+(?:in[\s_]+)?{_UNIT.replace('unit', 'other')})"
)
_THAI_AMOUNT = re.compile(
    rf"(?:จำนวน|ระยะเวลา|เวลา)\s*[(\[]?\s*{_UNIT}\s*[)\]]?(?:\s*(?:ที่)?(?:อบรม|เรียน|เรียนรู้|ฝึกอบรม|การอบรม|การเรียนรู้))?"
)
_UNITS_OF_NAMES = {"estimated content length": "minutes", "หน่วยกิต": "หน่วยกิต"}
"""{name of a column: its unit}, if the name is the unit, or if only the platform's documentation states it (Udemy)."""

_NUMBER = re.compile(r"[\d๐-๙.,\s–-]*[\d๐-๙]\s*(?:\([\d๐-๙]{1,2}(?:[-–][\d๐-๙]{1,2}){2}\)\s*)?")
"""A number, perhaps with the hours of a week that make up credits: `3(2-2-5)`."""

_OF_A_COURSE = re.compile(
    r"(?:course|lo|training|learning|content|item|asset|component|activity|customfield|custom field)[\s_.]+(?P<name>.+)"
)
"""Words that may come before the name of a fact: `Training Title`."""

_ONE_OF_SEVERAL = re.compile(r"(?P<name>.+?)[\s_#.-]*\d{1,2}")
"""The name of one of several columns: `Skill 1`, `Skill 2`."""

_WORD_IN_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PARTS = re.compile(r"\s*[/|()\[\]]\s*")
_LANGUAGES = {
    **dict.fromkeys(("th", "tha", "thai", "ไทย", "ภาษาไทย", "ภาษา ไทย"), "th"),
    **dict.fromkeys(("en", "eng", "english", "อังกฤษ", "ภาษาอังกฤษ"), "en"),
}
_IN_A_LANGUAGE = re.compile(rf"(?P<name>.+) (?P<language>{'|'.join(_LANGUAGES)})")


class Column(NamedTuple):
    """What the name of a column tells: the fact, and the unit of a duration, empty if the name states none.

    `partly`: the name has further words, or is one of LESS_SURE. If several columns could hold the fact, one whose name
    is not `partly` is used.
    """

    fact: str
    unit: str = ""
    partly: bool = False


@lru_cache(maxsize=4096)
def fact_of(name: str) -> Column | None:
    """Return what a column with this name usually holds; None if the name is unknown."""
    for words in (name, _WORD_IN_CAMEL_CASE.sub(" ", name)):
        if fact := _known(words):
            key = folded(words.replace("_", " "))
            return Column(fact, _UNITS_OF_NAMES.get(key, ""), partly=key in _LESS_SURE)
    plain = folded(words)
    if (found := _OF_A_COURSE.fullmatch(plain)) and (fact := _known(found["name"])):
        return Column(fact, partly=True)
    if (found := _ONE_OF_SEVERAL.fullmatch(plain)) and _known(found["name"]) == "tags":
        return Column("tags", partly=True)
    if re.fullmatch(UNITS_OF_MINUTES, plain):
        return Column("duration", plain)
    if found := _THAI_AMOUNT.fullmatch(plain):
        return Column("duration", found["unit"])
    if (found := _WITH_UNIT.fullmatch(plain)) and _is_counted(found["name"], unit := found["unit"] or found["other"]):
        return Column("duration", "" if re.fullmatch(_CLOCK, unit) else unit)
    if (found := _IN_A_LANGUAGE.fullmatch(plain)) and (fact := _known(found["name"])) in (
        "title",
        "provider",
        "description",
    ):
        return Column(f"{fact}_{_LANGUAGES[found['language']]}")
    in_both = {_known(one) for one in names_in(name)}
    if len(in_both) == 1 and (fact := in_both.pop()):
        return Column(fact)
    parts = [part for part in _PARTS.split(plain) if part]
    languages = {language for part in parts if (language := _LANGUAGES.get(part))}
    if len(languages) == 1 and len(parts) == 2 and (fact := _known(parts[0])) in ("title", "provider", "description"):  # noqa: PLR2004 - a name and its language
        return Column(f"{fact}_{languages.pop()}")
    facts = {fact for part in parts if (fact := _known(part))}
    is_time = any(re.fullmatch(UNITS_OF_TIME, part) for part in parts)
    same = all(map(_known, parts))
    if len(parts) < 2 or len(facts) != 1 or (is_time and not same) or not _known(parts[0]):  # noqa: PLR2004 - a name and another one
        return None
    return Column(facts.pop(), partly=not same)


def with_unit(name: str, text: str) -> str:
    """Return the text of a column; a number without a unit gets the unit of time in the name of the column."""
    column = fact_of(name)
    if column is None or not column.unit or not _NUMBER.fullmatch(text):
        return text
    return f"{text.strip()} {column.unit}"


def _is_counted(name: str, unit: str) -> bool:
    """Return whether a column counts a unit of time, as in `Duration (hours)`; hours per week or day are a pace."""
    fact = _known(name)
    return (
        fact == "duration"
        or bool(_THAI_AMOUNT.fullmatch(name))
        or (fact == "hours" and not re.fullmatch(UNITS_OF_PERIODS, unit))
    )


def _known(name: str) -> str | None:
    key = folded(re.sub(r"[\s_()\[\]./:?*-]+", " ", re.sub(r"(?<=[a-z])\(s\)|['’]", "", name, flags=re.IGNORECASE)))
    fact = key.replace(" ", "_") if key.replace(" ", "_") in FACTS else _FACT_OF.get(key)
    return "tags" if fact == "teaches" and key != "teaches" else fact
