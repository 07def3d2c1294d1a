"""What a table of requirements writes for a level: a number, a name, a mark, or that none is required."""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain

from shared.domain import millionths
from shared.imports.dates import is_month
from shared.imports.numerals import THAI_DIGITS
from shared.texts import folded, names_in

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
    ("พื้นฐาน", "กลาง", "สูง"),
    ("พื้นฐาน", "กลาง", "สูง", "เชี่ยวชาญ"),
    ("เบื้องต้น", "กลาง", "สูง"),
    ("เบื้องต้น", "กลาง", "สูง", "เชี่ยวชาญ"),
    ("เบื้องต้น", "ปานกลาง", "สูง", "เชี่ยวชาญ"),
)
NOT_REQUIRED = frozenset(
    map(
        folded,
        (
            "not in use", "not used", "not required", "not applicable", "n/a", "-", "–", "ไม่ใช้", "ไม่ต้องการ", "ไม่จำเป็น",
            "ไม่เกี่ยวข้อง", "ไม่กำหนด", "false",
        ),
    )
)  # fmt: skip
_PLACES = {
    name: {i for one in KNOWN_SCALES for i, other in enumerate(one, 1) if other == name}
    for name in chain(*KNOWN_SCALES)
}
"""{name of a level: its places in the known scales, from 1 on}."""

MARKS = frozenset(("x", "✓", "✔", "/", "yes", "y", "●", "•", "o", "ใช่", "ต้องมี", "true"))
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Marks of direction and spaces without a width, which programs put around a number."""

_NUMBER = re.compile(
    r"(?:(?:level|lv|l|ระดับ(?:ที่)?)\.?)?\s*([0-9]{1,3}(?:[.,][0-9]{1,20})?)"
    r"(?:\s*[-–:.)]\s*(\D.*)|\s*\(([^()\d]+)\)|\s+([^\W\d].*))?",
    re.IGNORECASE | re.DOTALL,
)


def plain_level(name: str) -> str:
    """Return the folded name of a level without a word for level before it: `สูง` for `ระดับสูง`; `none` for `ไม่มี`."""
    plain = re.sub(r"^(?:ระดับ|ขั้น)\s*", "", folded(name))
    return "none" if plain == "ไม่มี" else plain


def requires_nothing(words: str) -> bool:
    """Return whether a text says, in one language or in both, that no level is required."""
    return folded(words) in NOT_REQUIRED or (bool(parts := names_in(words)) and NOT_REQUIRED.issuperset(parts))


def known_scale(named: Iterable[str]) -> tuple[str, ...]:
    """Return the shortest known scale, from level 0 on, that contains all these names; empty if there is none."""
    wanted = set(named)
    scales = (("none", *one) for one in KNOWN_SCALES)
    return min((one for one in scales if all(place_of(name, one) is not None for name in wanted)), key=len, default=())


def place_of(name: str, scale: Sequence[str]) -> int | None:
    """Return the place of a level in a scale; a name in two languages, `สูง (Advanced)`, has that of a part of it.

    Return None for another name, and for one whose parts contradict each other.
    """
    places = {plain_level(one): i for i, one in enumerate(scale)}
    if (place := places.get(plain_level(name))) is not None:
        return place
    parts = set(map(plain_level, names_in(name)))
    known = parts & places.keys()
    if len(found := {places[part] for part in known}) != 1:
        return None
    place = found.pop()
    return None if any(_contradicts(part, known, place) for part in parts - known) else place


def _contradicts(part: str, known: AbstractSet[str], place: int) -> bool:
    """Return whether a part of a name says another level than the parts that are known in a scale.

    That is another number, a level of the same language (`Basic/Intermediate`), or a level that is more than one place
    away in every known scale (`พื้นฐาน (Advanced)`): scales of five levels and of four differ by one.
    """
    if number := numbered_level(part):
        return number[0] != place
    others = _PLACES.get(part, set())
    return bool(others) and (
        any(part.isascii() == one.isascii() for one in known) or all(abs(place - one) > 1 for one in others)
    )


def is_level(words: str, scale: Sequence[str]) -> bool:
    """Return whether a text is a level, a mark, or says that none is required. `scale`: further names of levels."""
    named = bool(known_scale([words])) or place_of(words, scale) is not None
    return named or requires_nothing(words) or folded(words) in MARKS or numbered_level(words) is not None


def numbered_level(words: str) -> tuple[float, str] | None:
    """Return (number, name) of a level that is written as a number with an optional name; None for other texts.

    After a space alone, the name is a known one: `3 สูง`. A number that a formula computed, such as 2.6666666666666665,
    is rounded to millionths. `2-Mar` is what a spreadsheet made of `2-3`, and no level.
    """
    if not (found := _NUMBER.fullmatch(_UNSEEN.sub("", words.translate(THAI_DIGITS)).strip())):
        return None
    if found[4] and not known_scale([found[4]]):
        return None
    name = (found[2] or found[3] or found[4] or "").strip()
    return None if is_month(name) else (millionths(float(found[1].replace(",", "."))), name)
