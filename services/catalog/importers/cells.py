"""Returns the text of a cell of a workbook, as Excel shows it where that tells more than the value. Pure.

text_of(6.0)                            "6"
shown(123, "00000")                     "00123": a code whose zeros only the number format states
shown(101, '"CS"000')                   "CS101"
shown(90, '0" นาที"')                    "90 นาที"
"""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from services.catalog.importers.durations import UNITS_OF_TIME
from shared.texts import folded

_LITERAL = r'(?:"[^"]*"|\\.|[ -])*'
_FORMAT = re.compile(rf"(?P<before>{_LITERAL})(?P<digits>0+|#,##0|General)(?P<after>{_LITERAL})")
_QUOTES = re.compile(r'"([^"]*)"|\\(.)')
_PREFIX = re.compile(r"[A-Za-z]{1,10}[ ./_-]?")
"""The letters before the number of a code."""

_CARRIAGE_RETURN = "_x000D_"
"""How a workbook writes the first character of a line end of Windows; the second one follows as it is."""

_ROUNDED_FROM = 1e15
"""A spreadsheet keeps 15 digits of a number, so that those of larger ones are lost."""

_UNIT = re.compile(rf"(?:{UNITS_OF_TIME})\.?")


class _Shape(NamedTuple):
    """What a number format adds to a whole number: letters before it, zeros up to a width, a unit of time after it."""

    prefix: str
    width: int
    unit: str


def shown(value: float, number_format: str) -> str:
    """Return the text of a number in a number format; formats of other kinds than those above add nothing."""
    shape = _shape(number_format)
    text = text_of(value)
    return f"{shape.prefix}{text.zfill(shape.width)}{shape.unit}" if shape and text.isdigit() else text


@lru_cache(maxsize=1000)
def _shape(number_format: str) -> _Shape | None:
    if not (found := _FORMAT.fullmatch(number_format.partition(";")[0])):
        return None
    before, after = (_QUOTES.sub(r"\1\2", found[name]) for name in ("before", "after"))
    prefix = before if _PREFIX.fullmatch(before) else ""
    unit = f" {after.strip()}" if _UNIT.fullmatch(folded(after)) else ""
    width = len(found["digits"]) if set(found["digits"]) == {"0"} else 0
    return _Shape(prefix, width, unit) if (prefix or not before) and (unit or not after) else None


def text_of(value: object) -> str:
    """Return the text of a value without its number format: whole numbers without decimals, dates as in ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and abs(value) >= _ROUNDED_FROM:
        return f"{value:.14E}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes = round(value.total_seconds() / 60)
        return f"{minutes // 60}:{minutes % 60:02}"
    return str(value).replace(_CARRIAGE_RETURN, "")
