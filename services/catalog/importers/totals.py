"""Recognises rows that are no courses in a table of courses: `Total: 12 courses`, `Page 3 of 5`. Pure."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from services.catalog.importers.facts import Fact
from shared.domain import Course
from shared.errors import InvalidInput
from shared.imports.numerals import THAI_DIGITS
from shared.imports.rows import Row, refused
from shared.imports.totals import LONGEST_LINE, is_count, is_note_text, is_total
from shared.texts import folded

IDENTIFYING = ("id", "code", "url")
TITLES = ("title", "title_th", "title_en")
_PAGE = re.compile(r"(?:page|p\.)\s*\d+(?:\s*(?:of|/)\s*\d+)?|(?:.*\s)?หน้า(?:ที่)?\s*\d+(?:\s*(?:/|จาก|ของ)\s*\d+)?")
_SECTION = re.compile(r"หมวด(?:ที่|วิชา(?:ที่)?)?\s*(?:\d+|[ก-ฮ])(?:[\s.:)-].*)?")


def is_note(cells: Sequence[str], *, after_note: bool = False) -> bool:
    """Return whether the only text of a row is a note below a table; `after_note`: the row above is one."""
    texts = [cell.strip() for cell in cells if cell.strip()]
    if len(cells) == 1 or len(texts) != 1:
        return False
    return is_note_text(texts[0], after_note=after_note)


def totals_row(number: int, stated: Mapping[str, Fact], cells: Sequence[str] = ()) -> Row[Course] | None:
    """Return the rejected row for a row of totals, None for a row of a course.

    `stated`: the facts of the row. `cells`: all cells of the row, in which the word is looked for without a title.
    """
    if (words := _total(stated, cells)) is None:
        return None
    problem = InvalidInput(f"{words!r} marks a row of totals, which is not a course", "title")
    return refused(number, problem, words, is_entry=False)


def line_row(number: int, cells: Sequence[str], over: AbstractSet[str], *, is_line: bool = False) -> Row[Course] | None:
    """Return the rejected row for a line between the courses, None for a row of a course.

    Its only text is a number of a page, the name of a section, or one of `over`, the folded texts above the header.
    `is_line`: whether something else shows that a row with one text is such a line.
    """
    texts = [cell.strip() for cell in cells if cell.strip()]
    if len(cells) == 1 or len(texts) != 1:
        return None
    words = folded(texts[0][:LONGEST_LINE]).translate(THAI_DIGITS)
    if not (is_line or words in over or _PAGE.fullmatch(words) or _SECTION.fullmatch(words)):
        return None
    problem = InvalidInput(f"{texts[0][:100]!r} is a line between courses, and is no course", "title")
    return refused(number, problem, texts[0], is_entry=False)


def _total(stated: Mapping[str, Fact], cells: Sequence[str]) -> str | None:
    """Return the word for totals of a row, None for a row of a course.

    The word is all that names the row: its id, code, address and title. A title such as `12 courses` names nothing. If
    nothing names the row, the word may be in any cell.
    """
    named = [str(stated[name]) for name in IDENTIFYING if name in stated]
    titles = [str(stated[name]) for name in TITLES if name in stated]
    named += [text for text in titles if not is_count(text)]
    found = [text for text in named or cells if is_total(text)]
    return found[0].strip() if found and len(found) >= len(named) else None
