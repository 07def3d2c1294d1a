"""Recognises the columns of a table of requirements by their headings, in English and Thai."""

from collections.abc import Sequence

from services.catalog.frameworks.builder import Builder
from services.catalog.frameworks.level_words import MARKS, numbered_level, requires_nothing
from services.catalog.frameworks.report import Options
from services.catalog.frameworks.tables import ColumnNames, Source, first_rows_of
from shared.errors import InvalidInput
from shared.texts import folded, names_in

_HEADINGS: dict[str, tuple[str, ...]] = {
    "job_group": (
        "job group",
        "role",
        "role name",
        "job role",
        "job title",
        "position",
        "กลุ่มงาน",
        "กลุ่ม",
        "ตำแหน่ง",
        "ตำแหน่งงาน",
        "ชื่อตำแหน่ง",
        "บทบาท",
    ),
    "job_group_description": ("job group description", "role description"),
    "stage": ("ระยะ", "career stage"),
    "area": (
        "skill area",
        "domain",
        "category",
        "competence area",
        "skill category",
        "competency category",
        "มิติ",
        "ด้าน",
        "หมวด",
        "กลุ่มสมรรถนะ",
        "กลุ่มทักษะ",
    ),
    "skill": (
        "skill name",
        "competency",
        "competency name",
        "competence",
        "unit",
        "ทักษะ",
        "ชื่อทักษะ",
        "สมรรถนะ",
        "ชื่อสมรรถนะ",
        "หน่วยสมรรถนะ",
    ),
    "skill_code": ("code", "skill code", "unit code", "รหัส", "รหัสหน่วยสมรรถนะ"),
    "skill_description": (
        "skill description",
        "description",
        "definition",
        "คำอธิบายทักษะ",
        "คำอธิบายสมรรถนะ",
        "คำอธิบาย",
        "คำจำกัดความ",
        "คำนิยาม",
        "นิยาม",
        "ความหมาย",
        "รายละเอียด",
    ),
    "level": (
        "required level",
        "expected level",
        "target level",
        "skill level",
        "proficiency",
        "proficiency level",
        "required proficiency",
        "expected proficiency",
        "required rating",
        "expected rating",
        "ระดับ",
        "ระดับที่ต้องการ",
        "ระดับที่คาดหวัง",
        "ระดับที่กำหนด",
        "ระดับความคาดหวัง",
        "ระดับสมรรถนะ",
        "ระดับสมรรถนะที่คาดหวัง",
        "ระดับความชำนาญ",
        "ระดับความชำนาญที่คาดหวัง",
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
_COLUMN_OF = {
    folded(heading): name for name in COLUMNS for heading in (name, name.replace("_", " "), *_HEADINGS.get(name, ()))
}
_LANGUAGES = {
    **dict.fromkeys(("th", "thai", "ไทย", "ภาษาไทย"), "th"),
    **dict.fromkeys(("en", "english", "อังกฤษ", "ภาษาอังกฤษ"), "en"),
}
_ROW_NOTES = frozenset(
    map(
        folded,
        (
            "no", "no.", "#", "s/n", "item no.", "row", "ลำดับ", "ลำดับที่", "ที่", "ข้อ", "ข้อที่", "note", "notes",
            "remark", "remarks", "comment", "comments", "หมายเหตุ",
        ),
    )
)  # fmt: skip
HEADING_ROWS = 12
"""The names of the columns are looked for in this many rows."""


def is_note(heading: str) -> bool:
    """Return whether a column with this heading numbers the rows of a table, or holds notes: `ลำดับ / No.`."""
    names = names_in(heading)
    return folded(heading) in _ROW_NOTES or (bool(names) and _ROW_NOTES.issuperset(names))


def column_of(heading: str) -> str | None:
    """Return the column that usually has this heading, which may name it in two languages; None if it is unknown.

    column_of("กลุ่มงาน / Job group")     job_group
    column_of("สมรรถนะ (ภาษาไทย)")        skill_th
    """
    if found := _COLUMN_OF.get(folded(heading)):
        return found
    parts = names_in(heading)
    languages = {_LANGUAGES[part] for part in parts if part in _LANGUAGES}
    names = {_COLUMN_OF.get(part) for part in parts if part not in _LANGUAGES}
    name = names.pop() if len(names) == 1 else None
    if name is None or not languages:
        return name
    column = f"{name}_{'-'.join(languages)}"
    return column if column in COLUMNS else None


def names_columns(row: Sequence[str], options: Options) -> bool:
    """Return whether a row of a table names the job group or the skill, and another column."""
    names = [" ".join(cell.split()) for cell in row if cell.strip()]
    given = {folded(name) for name in options.columns.values()}
    return len(names) > 1 and any(
        folded(name) in given or (column_of(name) or "").startswith(("job_group", "skill")) for name in names
    )


def heading_of(source: Source, builder: Builder) -> ColumnNames:
    """Return the names of the columns, which may have titles of the table above them and may be in two rows.

    They are in the first rows that name a job group or a skill, or else in the first one with several cells.
    """
    first, separator = first_rows_of(source, HEADING_ROWS)
    titles = next((n for n, row in enumerate(first) if sum(map(bool, map(str.strip, row))) > 1), 0)
    headings = [_heading_in(first[n : n + 2], builder.options) for n in range(titles, max(len(first), titles + 1))]
    n = next((n for n, (names, _) in enumerate(headings) if names_columns(names, builder.options)), 0)
    names, rows = headings[n]
    for row in first[titles : titles + n]:
        builder.not_kept("a row above the heading", ", ".join(filter(None, map(str.strip, row))))
    if rows > 1:
        builder.assume(f"the heading has two rows; the columns are: {', '.join(filter(None, names))}")
    return ColumnNames(names, separator, titles + n + rows)


def _heading_in(rows: Sequence[Sequence[str]], options: Options) -> tuple[list[str], int]:
    """Return the names of columns in the first of these rows, or in both, and in how many rows they are.

    In a heading of two rows, the first one leaves columns empty that the second one names: those of a group, as when
    merged cells are saved. A cell that is merged downwards may have its name in both rows.
    """
    upper, lower = ([" ".join(cell.split()) for cell in row] for row in [*rows, [], []][:2])
    lower += [""] * (len(upper) - len(lower))
    lower[: len(upper)] = ["" if below == above else below for above, below in zip(upper, lower, strict=False)]
    given = {folded(name) for name in options.columns.values()}
    pairs = [*zip(upper, lower, strict=False)]
    rest = [pair for pair in pairs if not any(column_of(name) or folded(name) in given for name in pair)]
    named = [below for _, below in rest if below]
    if (
        len(lower) > len(upper)
        or len(rest) == len(pairs)
        or any(above and below for above, below in pairs if (above, below) not in rest)
        or not any(below and not above for above, below in rest)
        or any(numbered_level(below) or requires_nothing(below) or folded(below) in MARKS for below in named)
    ):
        return upper, 1
    names, group = list[str](), ""
    for above, below in pairs:
        group = above or group
        names.append(f"{group} {below}" if below and named.count(below) > 1 else below or above)
    return names, 2


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
    for key, written in present.items():
        if key not in taken and (column := column_of(written)) and column not in found:
            found[column] = [written]
            builder.assume(f"column {written!r} is the {column.replace('_', ' ')}")
    return found
