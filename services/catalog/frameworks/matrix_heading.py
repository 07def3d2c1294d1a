"""Recognises the columns of a table of requirements by their headings, in English and Thai."""

from collections.abc import Sequence

from services.catalog.frameworks.level_words import MARKS, NOT_REQUIRED, numbered_level
from services.catalog.frameworks.reading import Builder
from services.catalog.frameworks.tables import ColumnNames, Source, first_rows_of
from shared.errors import InvalidInput
from shared.texts import folded

_HEADINGS: dict[str, tuple[str, ...]] = {
    "job_group": ("job group", "role", "role name", "job role", "position", "กลุ่มงาน", "กลุ่ม", "ตำแหน่ง", "บทบาท"),
    "job_group_description": ("job group description", "role description"),
    "stage": ("ระยะ", "career stage"),
    "area": ("skill area", "domain", "category", "competence area", "มิติ", "ด้าน", "หมวด"),
    "skill": ("skill name", "competency", "competence", "unit", "ทักษะ", "สมรรถนะ", "หน่วยสมรรถนะ"),
    "skill_code": ("code", "skill code", "unit code", "รหัส", "รหัสหน่วยสมรรถนะ"),
    "skill_description": ("skill description", "คำอธิบายทักษะ"),
    "level": (
        "required level",
        "expected level",
        "target level",
        "skill level",
        "proficiency",
        "proficiency level",
        "ระดับ",
        "ระดับที่ต้องการ",
        "ระดับที่คาดหวัง",
        "ระดับที่กำหนด",
        "ระดับความคาดหวัง",
    ),
    "descriptor": ("skill level description", "level description", "คำอธิบายระดับ"),
    "weight": ("น้ำหนัก",),
    "ignore": (),
}
_IN_LANGUAGES = ("job_group", "stage", "area", "skill", "level")
COLUMNS = (
    *_HEADINGS,
    *(f"{name}_{part}" for name in _IN_LANGUAGES for part in ("id", "th", "en") if name != "level" or part != "id"),
)
ROW_NOTES = frozenset(
    map(
        folded,
        (
            "no", "no.", "#", "s/n", "item no.", "row", "ลำดับ", "ลำดับที่", "ที่", "ข้อ", "ข้อที่", "note", "notes",
            "remark", "remarks", "comment", "comments", "หมายเหตุ",
        ),
    )
)  # fmt: skip
"""The headings of columns that number the rows of a table, or hold notes on them."""

_HEADING_ROWS = 12
"""The names of the columns are looked for in this many rows."""


def heading_of(source: Source, builder: Builder) -> ColumnNames:
    """Return the names of the columns, which may have titles of the table above them and may be in two rows.

    In a heading of two rows, the first one leaves columns empty that the second one names: those of a group, as when
    merged cells are saved.
    """
    first, separator = first_rows_of(source, _HEADING_ROWS)
    titles = next((n for n, row in enumerate(first) if sum(map(bool, map(str.strip, row))) > 1), 0)
    upper, lower = ([" ".join(cell.split()) for cell in row] for row in [*first[titles : titles + 2], [], []][:2])
    lower += [""] * (len(upper) - len(lower))
    known = {folded(name) for names in (COLUMNS, *_HEADINGS.values()) for name in names}
    known |= {name.replace("_", " ") for name in COLUMNS} | {folded(name) for name in builder.options.columns.values()}
    pairs = [*zip(upper, lower, strict=False)]
    rest = [(above, below) for above, below in pairs if not {folded(above), folded(below)} & known]
    named = [below for _, below in rest if below]
    if (
        len(lower) > len(upper)
        or len(rest) == len(pairs)
        or any(above and below for above, below in pairs if (above, below) not in rest)
        or not any(below and not above for above, below in rest)
        or any(numbered_level(below) or folded(below) in NOT_REQUIRED | MARKS for below in named)
    ):
        return ColumnNames(upper, separator, titles + 1)
    names, group = list[str](), ""
    for above, below in pairs:
        group = above or group
        names.append(f"{group} {below}" if below and named.count(below) > 1 else below or above)
    builder.assume(f"the heading has two rows; the columns are: {', '.join(names)}")
    return ColumnNames(names, separator, titles + 2)


def columns_of(heading: Sequence[str], builder: Builder) -> dict[str, list[str]]:
    """Return {name of a column: its heading, or the headings that are joined}. Raises InvalidInput."""
    present = {folded(name): name.strip() for name in heading if name.strip()}
    found: dict[str, list[str]] = {}
    for name, given in builder.options.columns.items():
        if name not in COLUMNS:
            raise InvalidInput(f"{name!r} is no column; there are: {', '.join(COLUMNS)}", "map")
        wanted = [given] if folded(given) in present else [part.strip() for part in given.split("+")]
        if missing := [part for part in wanted if folded(part) not in present]:
            there = ", ".join(map(repr, present.values()))
            raise InvalidInput(f"there is no column {missing[0]!r}; the headings are {there}", "map")
        found[name] = [present[folded(part)] for part in wanted]
    taken = {folded(one) for names in found.values() for one in names}
    for name in COLUMNS:
        for guess in (name, name.replace("_", " "), *_HEADINGS.get(name, ())):
            if name not in found and folded(guess) in present and folded(guess) not in taken:
                found[name] = [present[folded(guess)]]
                taken.add(folded(guess))
                if guess != name:
                    builder.assume(f"column {present[folded(guess)]!r} is the {name.replace('_', ' ')}")
    return found
