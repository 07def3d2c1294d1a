"""What a table of requirements writes for a level: a number, a name, a mark, or that none is required."""

import re
from collections.abc import Iterable

from shared.imports.numerals import THAI_DIGITS
from shared.texts import folded

KNOWN_SCALES = (
    ("awareness", "working", "practitioner", "expert"),
    ("basic", "intermediate", "advanced", "highly advanced"),
    ("foundation", "intermediate", "advanced", "highly specialised"),
    ("beginner", "intermediate", "advanced", "expert"),
    ("novice", "advanced beginner", "competent", "proficient", "expert"),
    ("low", "medium", "high"),
    ("รู้และเข้าใจ", "ปฏิบัติงานได้", "ชำนาญ", "เชี่ยวชาญ"),
    ("พื้นฐาน", "ปานกลาง", "สูง", "เชี่ยวชาญ"),
    ("ต้น", "กลาง", "สูง"),
)
NOT_REQUIRED = frozenset(
    map(folded, ("not in use", "not used", "not required", "not applicable", "n/a", "-", "–", "ไม่ใช้", "ไม่ต้องการ"))
)
MARKS = frozenset(("x", "✓", "✔", "/", "yes", "y", "●", "•", "o", "ใช่", "ต้องมี"))
_NUMBER = re.compile(
    r"(?:(?:level|lv|l|ระดับ(?:ที่)?)\.?)?\s*([0-9]{1,3}(?:[.,][0-9]{1,6})?)(?:\s*[-–:.)]\s*(\D.*))?",
    re.IGNORECASE | re.DOTALL,
)


def known_scale(named: Iterable[str]) -> tuple[str, ...]:
    """Return the known scale, from level 0 on, that contains all these names; empty if there is none."""
    wanted = set(map(folded, named))
    return next((("none", *one) for one in KNOWN_SCALES if wanted <= set(one)), ())


def numbered_level(words: str) -> tuple[float, str] | None:
    """Return (number, name) of a level that is written as a number with an optional name; None for other texts."""
    if not (found := _NUMBER.fullmatch(words.translate(THAI_DIGITS).strip())):
        return None
    return float(found[1].replace(",", ".")), (found[2] or "").strip()
