"""Recognises the words of rows that are no entries of a table: totals (`รวม`, `Total: 12 courses`) and notes. Pure."""

import re

from shared.imports.numerals import THAI_DIGITS
from shared.texts import folded, names_in

_COUNT = r"[\d.,]+\s*(?:courses?|hours?|หลักสูตร|รายวิชา|วิชา|รายการ|ชั่วโมง|ชม\.?)?"
_COUNTED = re.compile(_COUNT)
_TOTAL = re.compile(
    r"(?:(?:grand|sub)?[ -]?totals?(?: (?:hours|courses))?|sum|average|ค่าเฉลี่ย|เฉลี่ย|"
    r"(?:ยอด|ผล|สรุป)*รวม(?:ทั้งสิ้น|ทั้งหมด|ย่อย|จำนวน|เวลา|ชั่วโมง|จำนวนชั่วโมง|หลักสูตร|จำนวนหลักสูตร)*|"
    r"สรุป(?:ยอด|ผล|จำนวน|ทั้งสิ้น|ทั้งหมด|หลักสูตร)*)"
    rf"(?:\s*[:=(,]?\s*{_COUNT}){{0,2}}\s*[:.=)]?"
)
"""The words that a row of totals under a table has in place of a title."""

LONGEST_LINE = 300
"""The characters of a line that are compared."""

_NOTE = re.compile(
    r"\*{0,3}\s*(?:(?:หมายเหตุ|ที่มา|แหล่งที่มา|แหล่งข้อมูล|ผู้จัดทำ|ผู้รายงาน|notes?|remarks?|sources?)\s*(?:[::].*)?|"
    r"ข้อมูล ?ณ ?(?:วันที่)?\s.*)"
)
_ITEM_OF_NOTE = re.compile(r"(?:\(?\d{1,2}\s*[.)]|[-–•·*])\s*\S.*")
"""A line of the note that begins above it."""


def is_note_text(text: str, *, after_note: bool = False) -> bool:
    """Return whether a text alone in a row is a note: `หมายเหตุ: …`. `after_note`: whether the row above is one."""
    words = folded(text[:LONGEST_LINE]).translate(THAI_DIGITS)
    return bool(_NOTE.fullmatch(words) or (after_note and _ITEM_OF_NOTE.fullmatch(words)))


def is_total(text: str) -> bool:
    """Return whether a text names a row of totals: `รวม`, `รวม / Total`, `Total: 12 courses`."""
    words = text[:100]
    return any(names and all(map(_TOTAL.fullmatch, names)) for names in ([folded(words)], names_in(words)))


def is_count(text: str) -> bool:
    """Return whether a text is only a number of things: `12 courses`."""
    return bool(_COUNTED.fullmatch(folded(text[:100])))
