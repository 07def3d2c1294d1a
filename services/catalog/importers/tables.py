"""Courses as a table: which column holds what. Pure.

A header's columns are mapped to facts (`services/catalog/importers/facts.py:FACTS`) by `map`: `title=Course name,
tags=Skills,tags=Category`, a column by its name or as `#3`, names with commas in quotes. Without `map` the columns must
be named by facts, as this project's export names them; otherwise the import is rejected, and the error contains a
guess, which `map=guess` accepts.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.catalog.importers.facts import FACTS, MANY, Fact, course_row
from shared.domain import Course
from shared.errors import InvalidInput, Malformed, TooLarge
from shared.imports.rows import ROW_LIMIT, Row, refused
from shared.imports.tables import unguarded
from shared.texts import folded

GUESS = "guess"
_CAPTIONS = 10
"""How many rows over the header may be titles."""

_LEAST_NAMED = 2
"""How many columns a second row of a header names at least."""
_NAMES: dict[str, str] = {
    "id": "id,course id,courseid,course_id,item id",
    "code": "code,course code,coursecode,course number,shortname,short name,รหัส,รหัสวิชา,รหัสหลักสูตร,รหัสรายวิชา",
    "title": "title,name,course,course name,course title,fullname,full name,long name,item title,ชื่อ,ชื่อวิชา,ชื่อรายวิชา,ชื่อหลักสูตร,หลักสูตร,รายวิชา",
    "title_th": "title th,title thai,thai title,name th,thai name,ชื่อไทย,ชื่อภาษาไทย,ชื่อหลักสูตร ไทย,ชื่อวิชา ไทย,ชื่อหลักสูตรภาษาไทย",
    "title_en": "title en,title english,english title,name en,english name,ชื่ออังกฤษ,ชื่อภาษาอังกฤษ,ชื่อหลักสูตร อังกฤษ,ชื่อวิชา อังกฤษ",
    "provider": "provider,org,institution,university,university name,university industry partner,partner,organization,organisation,school,publisher,หน่วยงาน,สถาบัน,ผู้จัด,มหาวิทยาลัย,หน่วยงานเจ้าของหลักสูตร,สถาบันการศึกษา",
    "provider_th": "provider th,institution th",
    "provider_en": "provider en,institution en",
    "hours": "hours,hour,learning hours,estimated learning hours,total hours,ชั่วโมง,จำนวนชั่วโมง,ชั่วโมงเรียน,จำนวนชั่วโมงเรียนรู้",
    "duration": "duration,time required,length,estimated time,workload,effort,ระยะเวลา,ระยะเวลาเรียน,เวลาเรียน",
    "languages": "language,languages,course language,in language,lang,ภาษา,ภาษาที่ใช้",
    "level": "level,difficulty,course level,educational level,course difficulty,difficulty level,ระดับ,ระดับความยาก",
    "tags": "tags,tag,skills,skill,course skills,associatedskills,associated skills,skills covered,skills learned,keywords,keyword,topics,topic,subject,subjects,category,categories,sub category,subcategory,teaches,ทักษะ,หมวดหมู่,หมวด,คำสำคัญ,กลุ่มวิชา",
    "prerequisites": "prerequisites,prerequisite,course prerequisites,entry requirements,วิชาบังคับก่อน,เงื่อนไขก่อนเรียน,เงื่อนไขรายวิชา,พื้นฐานที่ต้องมี",
    "description": "description,short description,summary,about,course description,abstract,รายละเอียด,คำอธิบาย,คำอธิบายรายวิชา,เนื้อหา",
    "url": "url,link,course url,course link,website,ลิงก์,ลิงค์,เว็บไซต์",
    "modality": "modality,mode,course mode,course format,delivery,delivery method,รูปแบบ,รูปแบบการเรียน,วิธีการเรียน",
    "starts": "starts,start,start date,startdate,วันที่เริ่ม,วันเริ่ม,วันเริ่มเรียน",
    "ends": "ends,end,end date,enddate,expires,valid until,วันที่สิ้นสุด,วันสิ้นสุด,สิ้นสุด",
    "rating": "rating,course rating,stars,คะแนน",
    "rating_count": "rating count,reviewcount,review count,reviews,ratings,number of ratings,num reviews",
    "accredited_against": "accredited against,accreditation,การรับรอง",
}
_FACT_OF = {folded(name): fact for fact, names in _NAMES.items() for name in names.split(",")}


_IDENTIFYING = ("id", "code", "url")
_TOTAL = re.compile(
    r"(?:(?:grand|sub)?[ -]?totals?(?: (?:hours|courses))?|sum|"
    r"(?:ยอด|ผล)?รวม(?:ทั้งสิ้น|ทั้งหมด|ย่อย|จำนวน|เวลา|ชั่วโมง|จำนวนชั่วโมง|หลักสูตร|จำนวนหลักสูตร)*)"
    r"(?:\s*[:=]?\s*[\d.,]+\s*(?:courses?|hours?|หลักสูตร|รายวิชา|วิชา|รายการ|ชั่วโมง|ชม\.?)?)?\s*[:.=]?"
)
"""What stands for the title in the row of totals under a table."""


@dataclass(frozen=True)
class Options:
    """How a list of courses is read. `columns`: the text of `map`.

    `accept_guess`: use the guess if nothing is written.
    """

    columns: str | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    header: bool = True
    encoding: str | None = None
    accept_guess: bool = False


def pairs(text: str, parameter: str) -> list[tuple[str, str]]:
    """Return the `fact=value` items of a parameter, separated by commas. Raises InvalidInput naming it."""
    found: list[tuple[str, str]] = []
    try:
        items = next(csv.reader([text.replace("\n", " ")], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise InvalidInput(
            "its items are to be separated by commas; quotes hold one with a comma in it", parameter
        ) from error
    for item in items:
        fact, mark, value = item.partition("=")
        if item.strip() == GUESS and parameter == "map":
            found.append((GUESS, ""))
        elif not mark or fact.strip() not in FACTS:
            raise InvalidInput(f"{item[:100]!r} is not one of: {', '.join(FACTS)}, followed by =", parameter)
        else:
            found.append((fact.strip(), value.strip().strip('"')))
    return found


def guessed(header: Sequence[str]) -> dict[str, list[int]]:
    """Guess which columns hold which fact, from their names in Thai or English."""
    found: dict[str, list[int]] = {}
    for number, name in enumerate(header):
        key = folded(re.sub(r"[\s_()\[\]./:-]+", " ", name))
        fact = key.replace(" ", "_") if key.replace(" ", "_") in FACTS else _FACT_OF.get(key)
        if fact == "teaches" and key != "teaches":
            fact = "tags"
        if fact and (fact in MANY or fact not in found):
            found.setdefault(fact, []).append(number)
    if "title" in found and ("title_th" in found or "title_en" in found):
        del found["title"]
    return found


def as_map(columns: Mapping[str, Sequence[int]], header: Sequence[str]) -> str:
    """Return a mapping of columns in the syntax of `map`."""
    items = []
    for fact, numbers in columns.items():
        for number in numbers:
            item = f"{fact}={header[number]}"
            items.append('"' + item.replace('"', '""') + '"' if re.search(r'[,"\n]', item) else item)
    return ",".join(items)


def columns_of(header: Sequence[str], options: Options) -> dict[str, list[int]]:
    """Return which columns hold which fact. Raises InvalidInput naming `map`."""
    names = [folded(name) for name in header]
    if options.columns is None:
        guess = guessed(header)
        certain = all(name.strip() in FACTS for name in header if name.strip())
        if not certain and not options.accept_guess:
            suggestion = as_map(guess, header) or "none"
            raise InvalidInput(
                f"say which column holds what; the guess is: {suggestion}. Take it with map=guess", "map"
            )
        found = guess
    else:
        found = {}
        named: set[str] = set()
        for fact, name in pairs(options.columns, "map"):
            if fact == GUESS:
                found |= guessed(header)
                continue
            if fact in named and fact not in MANY:
                raise InvalidInput(f"{fact} is given twice; only {' and '.join(sorted(MANY))} may", "map")
            named.add(fact)
            number = int(name[1:]) - 1 if re.fullmatch(r"#\d{1,4}", name) else None
            if number is None and names.count(folded(name)) > 1:
                raise InvalidInput(f"two columns are called {name[:100]!r}; name one by its number, such as #3", "map")
            if number is None and folded(name) in names:
                number = names.index(folded(name))
            if number is None or not 0 <= number < len(header):
                raise InvalidInput(f"there is no column {name[:100]!r}; there are: {', '.join(header)[:1000]}", "map")
            found[fact] = [*found[fact], number] if fact in MANY and fact in found else [number]
    if not any(fact.startswith("title") for fact in found):
        raise InvalidInput(f"no column holds the title; there are: {', '.join(header)[:1000]}", "map")
    return found


def _names(cells: Sequence[str]) -> list[str]:
    named = [" ".join(cell.split()) for cell in cells]
    while named and not named[-1]:
        named.pop()
    return named


def _joined(above: Sequence[str], below: Sequence[str]) -> list[str]:
    """Return the names of columns from two rows: those of the lower row, and of the upper one where that has none."""
    width = max(len(above), len(below))
    padded = ([*row, *[""] * (width - len(row))] for row in (above, below))
    return [lower or upper for upper, lower in zip(*padded, strict=True)]


class Table:
    """Converts rows of cells to courses. The first row may name the columns.

    Rows with one cell above it, such as a title over the whole width, are left out; so is none of a table with one
    column. A second row that names the columns below a name for several of them is part of the header.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._columns: dict[str, list[int]] = {}
        self._header: list[str] | None = None
        self._captions = 0
        self._grouped = False
        """Whether the header leaves columns without a name, which the next row may name."""

    @property
    def mapping(self) -> dict[str, list[str]]:
        """{fact: names of its columns}, once known."""
        header = self._header or []
        return {fact: [header[number] for number in numbers] for fact, numbers in self._columns.items()}

    @property
    def unused(self) -> list[str]:
        """The names of the columns that hold no fact."""
        used = {number for numbers in self._columns.values() for number in numbers}
        return [name for number, name in enumerate(self._header or []) if number not in used]

    @property
    def header(self) -> list[str]:
        """The names of the columns, empty before the first row."""
        return list(self._header or [])

    @property
    def width(self) -> int | None:
        """The number of columns, None before the first row."""
        return None if self._header is None else len(self._header)

    def end(self) -> None:
        """Raise InvalidInput naming `map` if every row was taken for a title: the table has one column."""
        if self._header is None and self._captions:
            raise InvalidInput("only one column holds anything; name it, such as title=#1", "map")

    def _is_header(self, cells: Sequence[str]) -> bool:
        """Return whether a row belongs to the header. Raises InvalidInput naming `map`."""
        if self._header is None and not self._options.header:
            self._header = [f"#{n}" for n in range(1, len(cells) + 1)]
            self._columns = columns_of(self._header, self._options)
            return False
        below = _names(cells)
        if self._header is None:
            if self._is_caption(cells):
                self._captions += 1
                return True
            self._header = below
            self._grouped = not all(below)
        elif not self._grouped:
            return False
        else:
            self._grouped = False
            if len(guessed(below)) < _LEAST_NAMED:
                return False
            self._header = _joined(self._header, below)
        try:
            self._columns = columns_of(self._header, self._options)
        except InvalidInput:
            if not self._grouped:
                raise
        return True

    def _is_caption(self, cells: Sequence[str]) -> bool:
        """Return whether a row over the header is a title of the table: one cell, which names no column."""
        named = _names(cells)
        if self._captions >= _CAPTIONS or len(cells) == 1 or sum(map(bool, named)) != 1:
            return False
        asked = self._options.columns or ""
        return not guessed(named) and "#" not in asked and folded(named[-1]) not in folded(asked)

    def row(self, number: int, cells: Sequence[str]) -> Row[Course] | None:
        """Return the course of a row, None for the header and an empty row. Raises InvalidInput naming `map`."""
        if not any(cell.strip() for cell in cells):
            return None
        if self._is_header(cells) or self._header is None:
            return None
        if sum(map(len, cells)) > ROW_LIMIT:
            return refused(number, TooLarge(f"a row may hold {ROW_LIMIT} bytes"), cells[0])
        if len(cells) != len(self._header) and any(cell.strip() for cell in cells[len(self._header) :]):
            problem = Malformed(f"has {len(cells)} columns; the first row has {len(self._header)}")
            return refused(number, problem, " ".join(cells).strip())
        stated: dict[str, Fact] = {}
        for fact, numbers in self._columns.items():
            found = [text for n in numbers if n < len(cells) and (text := unguarded(cells[n])).strip()]
            if found:
                stated[fact] = found if fact in MANY else found[0]
        if self._columns.get("title") == self._columns.get("description") is not None:
            whole = str(stated.get("title", ""))
            stated["title"] = re.split(r"(?<=\w)[.!?](?=\s)|\n", whole, maxsplit=1)[0].strip()
        if (words := _total(stated, cells)) is not None:
            detail = f"{words!r} marks a row of totals, which is not a course"
            return refused(number, InvalidInput(detail, "title"), words)
        return course_row(number, stated, self._options.defaults)


def _total(stated: Mapping[str, Fact], cells: Sequence[str]) -> str | None:
    """Return the word that says that a row without an id holds totals; None for other rows.

    It stands for the title, or in any cell of a row without a title.
    """
    if any(name in stated for name in _IDENTIFYING):
        return None
    titles = [str(stated[name]) for name in ("title", "title_th", "title_en") if name in stated]
    found = [text for text in titles or cells if _TOTAL.fullmatch(folded(text[:100]))]
    return found[0].strip() if found and len(found) >= len(titles) else None
