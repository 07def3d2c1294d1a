"""Reads courses from the rows of a table, and finds which column holds which fact. Pure.

The parameter `map` tells this for the facts in `services/catalog/importers/facts.py:FACTS`, as in `title=Course
name,tags=Skills,tags=Category`. A column is named by its heading, in quotes if it has a comma, or by its number as
`#3`. Without `map`, the headings must be names of facts, as in this project's export. Otherwise the import is rejected,
and the error holds a guess, which `map=guess` accepts.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType

from services.catalog.importers.columns import Column, fact_of, with_unit
from services.catalog.importers.durations import UNITS_OF_HOURS, UNITS_OF_MINUTES, UNITS_OF_PERIODS
from services.catalog.importers.facts import FACTS, MANY, Fact, course_row
from services.catalog.importers.totals import IDENTIFYING, TITLES, is_note, line_row, totals_row
from services.catalog.importers.words import language_of_writing
from shared.domain import Course
from shared.errors import InvalidInput, Malformed, TooLarge
from shared.imports.columns import GUESS, MappedTable, as_map, mapped, pairs
from shared.imports.numerals import THAI_DIGITS
from shared.imports.rows import BEGINNING, ROW_LIMIT, Row, SampleRow, TableSample, beginning, refused
from shared.imports.tables import is_empty, unguarded
from shared.imports.totals import LONGEST_LINE
from shared.texts import folded

_CAPTIONS = 10
"""The most rows above the header; they hold titles of the table."""

_LEAST_NAMED = 2
"""A second row belongs to the header if it names at least this many columns."""

_LONGEST_NAME = 100
"""A row below the header with a longer cell does not name columns again."""

_NAMES = 2000
"""The facts of columns are guessed for this many columns, the first ones."""

_SAMPLE_ROWS, _SAMPLE_COLUMNS = 5, 100

_OWN = frozenset({"educational_level", "corequisites", "antirequisites", "stated", "assumed", "example"})
"""The facts that together only tables have that this project exported; their texts are no HTML."""

_PACES = ("effort", "workload")
"""Names of columns that hold the hours per week if another column holds how long a course lasts."""

_NO_LINKS: Mapping[int, str] = MappingProxyType({})
_FOR_TITLES = re.compile(r"ชื่อ.|.name|title")

HYPERLINK = re.compile(
    r'=\s*HYPERLINK\(\s*"(?P<url>(?:[^"]|"")*)"\s*(?:[,;]\s*"(?P<text>(?:[^"]|"")*)"\s*)?\)', re.IGNORECASE
)
"""A formula that links a text to an address; without a text it shows the address."""

_MINUTES = re.compile(r"([\d๐-๙]+) (?:minutes?|mins?|นาที)")


@dataclass(frozen=True)
class Options:
    """How a list of courses is read.

    `columns`: the text of the parameter `map`. `defaults`: {fact: value for courses without it}. `header`: whether the
    first row names the columns. `encoding`: None to detect it. `sheet`: the name of a workbook's sheet. `accept_guess`:
    whether to use the guess if `columns` is None and the columns are not named by facts. `sample`: whether to keep the
    first rows as a sample.
    """

    columns: str | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    header: bool = True
    encoding: str | None = None
    sheet: str | None = None
    accept_guess: bool = False
    sample: bool = False


def guessed(header: Sequence[str]) -> dict[str, list[int]]:
    """Return a guess which columns hold which fact, from their names: {fact: numbers of columns, from 0}."""
    found: dict[str, list[int]] = {}
    columns = [(number, column) for number, name in enumerate(header[:_NAMES]) if (column := fact_of(name))]
    for number, column in sorted(columns, key=lambda one: one[1].partly):
        if column.fact in MANY or column.fact not in found:
            found.setdefault(column.fact, []).append(number)
    _of_several_durations(found, [(number, column) for number, column in columns if column.fact == "duration"], header)
    if "duration" in found and any(column.partly for number, column in columns if [number] == found.get("hours")):
        del found["hours"]
    found |= _titles_in_both(header, [number for number, column in columns if column == ("title", "", False)]) | found
    if {"title_th", "title_en"} <= found.keys():
        found.pop("title", None)
    return found


def _of_several_durations(
    found: dict[str, list[int]], columns: Sequence[tuple[int, Column]], header: Sequence[str]
) -> None:
    """Find the columns that state one duration together: a length and a pace, hours and minutes, or days and hours.

    An effort is a pace also without a length, as in Open edX; a workload alone may be the time of the whole course.
    """
    paces = [number for number, _ in columns if folded(header[number]) in _PACES]
    lengths = [number for number, _ in columns if number not in paces]
    is_pace = lengths or "weeks" in found or any(folded(header[number]) == "effort" for number in paces)
    if paces and "weekly_hours" not in found and is_pace:
        found["weekly_hours"] = paces[:1]
        found.pop("duration")
        found |= {"duration": lengths[:1]} if lengths else {}
    hours, minutes, periods = (
        [number for number, column in columns if re.fullmatch(unit, folded(column.unit))]
        for unit in (UNITS_OF_HOURS, UNITS_OF_MINUTES, UNITS_OF_PERIODS)
    )
    if "hours" in found:
        return
    if hours and minutes:
        found |= {"hours": hours[:1], "duration": minutes[:1]}
    elif periods and (exact := hours or minutes):
        found |= {"hours": exact[:1], "duration": periods[:1]}


def _titles_in_both(header: Sequence[str], titles: Sequence[int]) -> dict[str, list[int]]:
    """Return the columns of the Thai and the English title if the names of both say that they are titles.

    `ชื่อหลักสูตร` and `Course name` hold one title in both; `หลักสูตร` beside `Course name` may be a programme.
    """
    named = [number for number in titles if _FOR_TITLES.search(folded(header[number]))]
    languages = {language_of_writing(header[number]): number for number in reversed(named)}
    return {f"title_{language}": [number] for language, number in languages.items()} if len(languages) > 1 else {}


def add_minutes(stated: dict[str, Fact], columns: Sequence[str]) -> None:
    """Join the bare numbers of a column of hours and a column of minutes: 1 and 30 are an hour and a half.

    `columns`: the names of the columns that hold the duration.
    """
    hours, minutes = (str(stated.get(name, "")).strip() for name in ("hours", "duration"))
    hours = re.sub(rf"\s(?:{UNITS_OF_HOURS})$", "", folded(hours))
    if not re.fullmatch(r"[\d๐-๙]+", hours) or not (found := _MINUTES.fullmatch(minutes)):
        return
    column = fact_of(columns[0]) if columns else None
    if column and column.unit and int(found[1]) < 60:  # noqa: PLR2004 - 60 or more minutes are the whole duration
        stated["duration"] = stated["hours"] = f"{int(hours)} hours {int(found[1])} minutes"


def columns_of(header: Sequence[str], options: Options) -> dict[str, list[int]]:
    """Return which columns hold which fact, by `map` or their names: {fact: numbers of columns, from 0}.

    Raises InvalidInput, which names `map`, if that is not known, or if no column holds the title.
    """
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
        found = mapped(options.columns, header, FACTS, MANY, guessed)
    if not any(fact.startswith("title") for fact in found):
        names = ", ".join(name[:_LONGEST_NAME] for name in header)
        raise InvalidInput(
            "no column holds the title; name it, such as title=Course, or title=#1 with header=false if the first row "
            f"is a course. There are: {names[:1000]}",
            "map",
        )
    return found


def _linked(cells: Sequence[str], links: Mapping[int, str]) -> tuple[Sequence[str], Mapping[int, str]]:
    """Return cells and links with the text and the address of each formula `=HYPERLINK("https://x.org","A")`."""
    found = {n: made for n, cell in enumerate(cells) if (made := HYPERLINK.fullmatch(cell.strip()))}
    if not found:
        return cells, links
    texts = list(cells)
    for n, made in found.items():
        texts[n] = (made["text"] or made["url"]).replace('""', '"')
    return texts, {**links, **{n: made["url"] for n, made in found.items() if "://" in made["url"]}}


def _cut(cell: str) -> str:
    """Return the beginning of a cell, in which API keys and passwords are masked."""
    text = " ".join(cell.split())
    begins = beginning(text) or ""
    return f"{begins}…" if len(text) > len(begins) == BEGINNING else begins


def _names(cells: Sequence[str]) -> list[str]:
    width = len(cells)
    while width and not cells[width - 1].strip():
        width -= 1
    return [" ".join(cell.split()) for cell in cells[:width]]


def _joined(above: Sequence[str], below: Sequence[str]) -> list[str]:
    """Return the names of columns from a header of two rows: the lower name, or the upper one if the lower is empty.

    A lower name that tells no fact alone, such as `ไทย` below `ชื่อหลักสูตร`, is put after the upper name, which may
    stand over several columns; so is one that stands below several names.
    """
    width = max(len(above), len(below))
    padded = ([*row, *[""] * (width - len(row))] for row in (above, below))
    names: list[str] = []
    group = ""
    for upper, lower in zip(*padded, strict=True):
        group = upper or (group if lower else "")
        both = f"{group} {lower}"
        needs_group = fact_of(both) if not fact_of(lower) else upper and lower != upper and below.count(lower) > 1
        names.append(both if group and lower and needs_group else lower or upper)
    return names


class Table(MappedTable):
    """Converts rows of cells to courses; the header, a row that names the columns, comes first.

    Up to ten rows above the header are skipped, such as a title of the table or the date of a report, if none of their
    cells names the column of titles. In a table with one column no row is skipped. The header may have two rows: a cell
    of the first one may name a group of columns, and the cells below it the single columns. A row further below that
    names columns again, as in pages that were joined, is the header of the rows below it.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._options = options
        self._captions = 0
        self._over: set[str] = set()
        """The titles of the table above its header, folded; pages that were joined repeat them."""
        self._above: tuple[list[str], InvalidInput] | None = None
        """The first row that names no column of titles, with the problem; the header may follow."""
        self._grouped = False
        """Whether the header leaves columns without a name, which the next row may name."""
        self._begun = False
        """Whether a row below the header was read."""
        self._noted = False
        """Whether the last row was a note below the table."""
        self._first: list[SampleRow] = []
        self.shared_links: AbstractSet[str] = frozenset()
        """The addresses to which several rows of the sheet link; they tell no course from another."""

    @property
    def sample(self) -> TableSample | None:
        """The first rows below the header; None if the options ask for none, or if there are none yet."""
        return TableSample(self.header[:_SAMPLE_COLUMNS], list(self._first)) if self._first else None

    def end(self) -> None:
        """Raise InvalidInput, which names `map`, if no row of the table was a header."""
        if self._header is None and self._above:
            self._header, problem = self._above
            raise problem
        if self._header is None and self._captions:
            raise InvalidInput("only one column holds anything; name it, such as title=#1", "map")

    def _is_header(self, cells: Sequence[str]) -> bool:
        """Return whether a row belongs to the header, or stands above it. Raises InvalidInput, which names `map`."""
        if self._header is None and not self._options.header:
            self._header = [f"#{n}" for n in range(1, len(cells) + 1)]
            self._columns = columns_of(self._header, self._options)
            return False
        below = _names(cells)
        if self._header is None:
            if self._is_caption(cells):
                self._captions += 1
                self._over.add(folded("".join(below)[:LONGEST_LINE]).translate(THAI_DIGITS))
                return True
            self._header = below
            self._grouped = not all(below)
        elif not self._grouped:
            return False
        else:
            self._grouped = False
            joined = self._with_lower_names(self._header, below)
            if joined is None:
                return False
            self._header = joined
            self._grouped = not all(joined)
        try:
            columns = columns_of(self._header, self._options)
            if self._above and self._guesses and len(columns) < _LEAST_NAMED:
                raise self._above[1]
            self._columns = columns
        except InvalidInput as problem:
            if self._grouped:
                self._above = self._above or (self._header, problem)
            else:
                self._pass_over(self._header, problem)
        return True

    def _with_lower_names(self, upper: list[str], below: list[str]) -> list[str] | None:
        """Return the names of columns from the header so far and the row below it; None if that row is a course."""
        joined = _joined(upper, below)
        if len(guessed([name if lower else "" for name, lower in zip(joined, below, strict=False)])) < _LEAST_NAMED:
            return None if self._columns else below
        if not self._columns:  # the rows above may be about other columns
            return joined if guessed(joined[len(below) :]) else joined[: len(below)]
        return joined if not self._guesses or any(name.startswith("title") for name in guessed(joined)) else None

    def _is_header_again(self, cells: Sequence[str]) -> bool:
        """Return whether a row below the header names columns again; the rows below it then have the columns it names.

        Most of its cells are names of columns, of this header or usual ones, and one of them is that of a title. Raises
        InvalidInput, which names `map`, if the columns of the rows below are not known.
        """
        names, header = _names(cells), self._header or []
        if len(names) == len(header) and all(
            folded(one) == folded(name) for one, name in zip(names, header, strict=True)
        ):
            return True
        names = [name for name in names if name]
        if not self._options.header or len(names) < _LEAST_NAMED or max(map(len, names)) > _LONGEST_NAME:
            return False
        known = {folded(name): fact for fact, columns in self.mapping.items() for name in columns}
        facts = [column.fact if (column := fact_of(name)) else known.get(folded(name)) for name in names]
        named = [fact for name, fact in zip(names, facts, strict=True) if fact or name in header]
        if len(named) * 2 <= len(names) or len(named) < _LEAST_NAMED or not any(fact in TITLES for fact in named):
            return False
        self._header, self._columns, self._above, self._captions = None, {}, None, 0
        return self._is_header(cells)

    @property
    def _guesses(self) -> bool:
        return self._options.columns is None or GUESS in self._options.columns

    def _pass_over(self, names: list[str], problem: InvalidInput) -> None:
        """Skip a row that names no column of titles, as a row above the header.

        Raises `problem`, or the problem of the first such row, if the row must be the header.
        """
        self._above = self._above or (names, problem)
        names_title = any(fact.startswith("title") for fact in guessed(names))
        if names_title or self.asks_for(names) or "#" in (self._options.columns or ""):
            raise problem
        if self._captions >= _CAPTIONS:
            self._header, problem = self._above
            raise problem
        self._captions += 1
        self._header = None

    def _is_caption(self, cells: Sequence[str]) -> bool:
        """Return whether a row is a title of the table above the header: it has one cell, which names no column."""
        named = _names(cells)
        if self._captions >= _CAPTIONS or len(cells) == 1 or sum(map(bool, named)) != 1:
            return False
        asked = self._options.columns or ""
        return not guessed(named) and "#" not in asked and folded(named[-1]) not in folded(asked)

    def _stated(self, cells: Sequence[str], links: Mapping[int, str]) -> dict[str, Fact]:
        """Return the facts that the cells of a row state."""
        header = self._header or []
        stated: dict[str, Fact] = {}
        for fact, numbers in self._columns.items():
            given = ((header[n], unguarded(cells[n])) for n in numbers if n < len(cells))
            found = [with_unit(name, cell) for name, cell in given if cell.strip()]
            if found:
                stated[fact] = found if fact in MANY else found[0]
        if links and "://" not in stated.get("url", ""):
            places = (n for fact in ("url", *TITLES) for n in self._columns.get(fact, ()))
            link = next((links[n] for n in places if n in links), "")
            if link and (link not in self.shared_links or stated.keys() & {"id", "code"}):
                stated["url"] = link
        add_minutes(stated, [header[n] for n in self._columns.get("duration", ())])
        if self._columns.get("title") == self._columns.get("description") is not None:
            whole = str(stated.get("title", ""))
            stated["title"] = re.split(r"(?<=\w)[.!?](?=\s)|\n", whole, maxsplit=1)[0].strip()
        return stated

    def asks_for(self, cells: Sequence[str]) -> bool:
        """Return whether a row holds all names of columns that `map` contains; False without `map`."""
        if self._options.columns in (None, GUESS):
            return False
        wanted = {folded(name) for fact, name in pairs(self._options.columns or "", "map", FACTS) if fact != GUESS}
        return wanted <= {folded(" ".join(cell.split())) for cell in cells}

    def _is_across(self, cells: Sequence[str], across: Sequence[tuple[int, int]]) -> bool:
        """Return whether the cells of a row that hold a text are merged over columns of several facts."""
        columns = {n for numbers in self._columns.values() for n in numbers}
        texts = [n for n, cell in enumerate(cells, 1) if cell.strip()]
        return any(first in texts and len(columns & {*range(first - 1, last)}) > 1 for first, last in across)

    def row(
        self,
        number: int,
        cells: Sequence[str],
        links: Mapping[int, str] = _NO_LINKS,
        across: Sequence[tuple[int, int]] = (),
    ) -> Row[Course] | None:
        """Return the course of a row, None for an empty row and the header; a faulty row is returned as rejected.

        `number`: the number of the row in the file. `links`: {number of a cell, from 0: the address that it links to};
        the address of the course is that of its cell for the address, or else of its title. An address to which several
        rows link is used only for courses with an id or a code. `across`: (first column, last column), from 1, of the
        cells that are merged to the right. Raises InvalidInput, which names `map`, if the header is not known.
        """
        if is_empty(cells):
            return None
        cells, links = _linked(cells, links)
        if self._is_header(cells) or self._header is None:
            return None
        if sum(map(len, cells)) > ROW_LIMIT:
            return refused(number, TooLarge(f"a row may hold {ROW_LIMIT} bytes"), cells[0])
        width = len(self._header)
        if self._is_header_again(cells):
            if not self._begun and len(self._header) > width:  # the second row of a header that ends in a group's name
                return None
            repeated = InvalidInput("the row repeats the names of the columns, and is no course", "title")
            return refused(number, repeated, " ".join(_names(cells)), is_entry=False)
        if self._options.sample and len(self._first) < _SAMPLE_ROWS:
            shown = [*cells, *[""] * len(self._header)][: min(len(self._header), _SAMPLE_COLUMNS)]
            self._first.append(SampleRow(number, [_cut(cell) for cell in shown]))
        if not is_empty(cells[len(self._header) :]):
            problem = Malformed(f"has {len(cells)} columns; the first row has {len(self._header)}")
            return refused(number, problem, " ".join(cells).strip())
        self._begun = True
        stated = self._stated(cells, links)
        self._noted = is_note(cells, after_note=self._noted)
        is_line = self._noted or self._is_across(cells, across)
        if row := totals_row(number, stated, cells) or line_row(number, cells, self._over, is_line=is_line):
            return row
        row = course_row(number, stated, self._options.defaults, is_html=not self._columns.keys() >= _OWN)
        if not any(name in stated for name in (*IDENTIFYING, *TITLES)):
            row.begins = beginning(" ".join(" ".join(cells).split()))
        return row
