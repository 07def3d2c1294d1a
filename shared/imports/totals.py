"""Recognises the words that a row of totals has in place of a name: `รวม`, `Total: 12 courses`. Pure."""

import re

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


def is_total(text: str) -> bool:
    """Return whether a text names a row of totals: `รวม`, `รวม / Total`, `Total: 12 courses`."""
    words = text[:100]
    return any(names and all(map(_TOTAL.fullmatch, names)) for names in ([folded(words)], names_in(words)))


def is_count(text: str) -> bool:
    """Return whether a text is only a number of things: `12 courses`."""
    return bool(_COUNTED.fullmatch(folded(text[:100])))
