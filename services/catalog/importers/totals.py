"""Recognises rows of totals in a table of courses, such as `Total: 12 courses`. Pure."""

import re
from collections.abc import Mapping, Sequence

from services.catalog.importers.facts import Fact
from shared.domain import Course
from shared.errors import InvalidInput
from shared.imports.rows import Row, refused
from shared.texts import folded

IDENTIFYING = ("id", "code", "url")
TITLES = ("title", "title_th", "title_en")
_TOTAL = re.compile(
    r"(?:(?:grand|sub)?[ -]?totals?(?: (?:hours|courses))?|sum|"
    r"(?:ยอด|ผล)?รวม(?:ทั้งสิ้น|ทั้งหมด|ย่อย|จำนวน|เวลา|ชั่วโมง|จำนวนชั่วโมง|หลักสูตร|จำนวนหลักสูตร)*)"
    r"(?:\s*[:=]?\s*[\d.,]+\s*(?:courses?|hours?|หลักสูตร|รายวิชา|วิชา|รายการ|ชั่วโมง|ชม\.?)?)?\s*[:.=]?"
)
"""The words that a row of totals under a table has in place of a title."""


def totals_row(number: int, stated: Mapping[str, Fact], cells: Sequence[str] = ()) -> Row[Course] | None:
    """Return the rejected row for a row of totals, None for a row of a course.

    `stated`: the facts of the row. `cells`: all cells of the row, in which the word is looked for without a title.
    """
    if (words := _total(stated, cells)) is None:
        return None
    return refused(number, InvalidInput(f"{words!r} marks a row of totals, which is not a course", "title"), words)


def _total(stated: Mapping[str, Fact], cells: Sequence[str]) -> str | None:
    """Return the word for totals in a row without an id, which is in the title, or without a title in any cell.

    Returns None for other rows.
    """
    if any(name in stated for name in IDENTIFYING):
        return None
    titles = [str(stated[name]) for name in TITLES if name in stated]
    found = [text for text in titles or cells if _TOTAL.fullmatch(folded(text[:100]))]
    return found[0].strip() if found and len(found) >= len(titles) else None
