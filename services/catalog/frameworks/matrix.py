"""Reads a framework from a table of requirements: the level of each skill that each job group needs.

A long table has a row for each requirement, with columns for the job group, the skill and the level. A wide table has a
row for each skill and a column for each job group, or the reverse; the cell holds the level. A third kind has a row for
each skill and a column for each level; the cell holds what the level of the skill means. Columns are recognised by
their headings in English and Thai, and the report names them; `Options.columns` overrides this.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from services.catalog.frameworks.builder import Builder
from services.catalog.frameworks.level_words import (
    KNOWN_SCALES,
    MARKS,
    known_scale,
    numbered_level,
    place_of,
    plain_level,
    requires_nothing,
)
from services.catalog.frameworks.matrix_heading import columns_of, heading_of, is_note
from services.catalog.frameworks.matrix_sections import AreaNames, NamedRow
from services.catalog.frameworks.report import Options, Reading
from services.catalog.frameworks.tables import Row, Source, rows_of
from services.catalog.frameworks.texts import Given, clean, decimal, identifier, title_of, titles_together
from shared.domain import LocalizedText, ScaleLevel
from shared.errors import InvalidInput
from shared.imports.tables import has_no_result
from shared.imports.totals import is_note_text, is_total
from shared.texts import folded

_LEAST_LEVELS = 2
"""A table that holds what each level means has at least this many columns with the name of a level."""

_USUAL_TOP = 10
"""The highest level of usual scales without names."""

_NAMELESS = "names nothing in its first columns"
_DEFAULT_AREA = LocalizedText(th="ทักษะ", en="Skills")


@dataclass
class _Seen:
    """A part found so far: its id, its titles, and the rows where they first occurred."""

    titles: Given
    row: int
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Cell:
    """A level as written in the file, with its job group and skill."""

    row: int
    job_group: str
    skill: str
    stage: str | None
    words: str
    weight: str
    descriptor: str = ""


@dataclass
class _Column:
    """What the rows so far write in a column. `above`: the last value; `empty`: rows without one below a value."""

    above: str | None = None
    written: int = 0
    empty: int = 0
    repeats: bool = False

    def see(self, value: str | None) -> None:
        """Count the value of the next row, None if it has none."""
        if value is None:
            self.empty += self.above is not None
            return
        self.repeats = self.repeats or value == self.above
        self.written += 1
        self.above = value

    @property
    def is_merged(self) -> bool:
        """Whether each value stands once above the rows that it holds for, as when a sheet with merged cells is saved.

        No two successive rows repeat a value, and half of the rows or more have none.
        """
        return not self.repeats and self.empty >= self.written > 0


def read(sources: list[Source], options: Options) -> Reading:
    """Return the framework of a table, the only file, with a report.

    Raises Malformed; InvalidInput if there are several files, or a needed column is missing.
    """
    if len(sources) != 1:
        raise InvalidInput(f"is to be one file; there are {len(sources)}")
    builder = Builder(options)
    heading = heading_of(sources[0], builder)
    matrix = _Matrix(builder, heading.names)
    noted = False
    for row in rows_of(sources[0], builder, heading=heading):
        only = next(iter(row.cells.values()), "") if len(row.cells) == 1 else ""
        noted = is_note_text(only, after_note=noted)
        if words := matrix.total_of(row):
            builder.not_kept("a column or row of totals", f"row {row.number}: {words}")
        elif noted:
            builder.not_kept("a note below the table", f"row {row.number}: {only[:100]}")
        else:
            matrix.take(row)
    matrix.finish()
    return builder.build()


class _Matrix:
    def __init__(self, builder: Builder, heading: Sequence[str]) -> None:
        self._builder = builder
        self._columns = columns_of(heading, builder)
        taken = {folded(name) for names in self._columns.values() for name in names}
        rest = [name.strip() for name in heading if name.strip() and folded(name) not in taken]
        for name in rest:
            if is_total(name):
                builder.not_kept("a column or row of totals", name)
            elif is_note(name):
                builder.not_kept(f"column {name!r}")
        self._rest = [name for name in rest if not is_total(name) and not is_note(name)]
        self._across = self._orientation(heading)
        self._parts: dict[str, dict[str, _Seen]] = {name: {} for name in ("job_group", "stage", "area", "skill")}
        self._scale: dict[float, Given] = {}
        self._cells: list[_Cell] = []
        self._merged = {name: _Column() for name in ("job_group", "area", "skill")}
        self._below: list[tuple[str, _Cell]] = []
        """(the column without a value, the cell with the value above it, empty if there is none)."""
        self._areas_above: dict[str, str] = {}
        """{skill whose row names no area: the area above it}."""
        self._reported: set[tuple[str, str | None]] = set()
        self._sections = AreaNames()

    def _has(self, name: str) -> bool:
        return any(key in self._columns for key in (name, f"{name}_id", f"{name}_th", f"{name}_en"))

    def _orientation(self, heading: Sequence[str]) -> str | None:
        """Return what the columns of a wide table are: `job_group` or `skill`; None for a long table."""
        missing = [name for name in ("job_group", "skill") if not self._has(name)]
        if not missing and "level" in self._columns:
            for name in self._rest:
                self._builder.not_kept(f"column {name!r}")
            return None
        if len(missing) == 1 and "level" not in self._columns and self._rest:
            self._without_repeated()
            return missing[0]
        missing += [] if "level" in self._columns else ["level"]
        found = ", ".join(repr(name.strip()) for name in heading) or "missing"
        raise InvalidInput(f"no column is known as {', '.join(missing)}; the headings are {found}", "map")

    def _without_repeated(self) -> None:
        """Leave one of the columns of levels with the same name, and report the others, whose levels are not read."""
        columns = {folded(name): name for name in self._rest}
        for key, name in columns.items():
            if sum(key == folded(one) for one in self._rest) > 1:
                reason = f"several columns of levels are called {name!r}: the levels of one of them only can be read"
                self._builder.fault(reason, row=1, id=name, field="level", verdict="untrue")
        self._rest = [*columns.values()]

    # --- rows --------------------------------------------------------------------------------------------------------

    def total_of(self, row: Row) -> str:
        """Return the word for totals that a row has in place of a skill or a job group; empty without one."""
        named = [titles.text for name in ("job_group", "skill") if (titles := self._titles(row, name))]
        return next(filter(is_total, named), "")

    def take(self, row: Row) -> None:
        """Collect the parts and the level of a row."""
        names = {name: self._part(row, name) for name in self._parts if name != self._across}
        if self._across:
            self._take_wide(row, names.get("job_group"), names.get("skill"))
            return
        job_group, skill, words = names["job_group"], names["skill"], self._words(row, "level")
        if titles := self._titles(row, "level"):
            if (level := numbered_level(words)) is None:
                self._builder.fault("a named level needs a number", row=row.number, field="level", verdict="untrue")
                return
            self._scale.setdefault(level[0], titles)
        if words and not titles:
            self._merged["job_group"].see(job_group)
            self._merged["skill"].see(skill)
        if not job_group and not skill:
            if words and not titles:
                self._builder.fault("names no skill", row=row.number, field="skill", verdict="untrue")
        elif words:
            stage, weight, descriptor = names["stage"], self._words(row, "weight"), self._words(row, "descriptor")
            above = {name: column.above or "" for name, column in self._merged.items()}
            whole = (job_group or above["job_group"], skill or above["skill"])
            cell = _Cell(row.number, *whole, stage, words, weight, descriptor)
            if job_group and skill:
                self._cells.append(cell)
            else:
                self._below.append(("skill" if job_group else "job_group", cell))
        elif job_group and skill:
            self._without(row.number, "level", f"{job_group} / {skill}")

    def _without(self, row: int, name: str, identifier: str) -> None:
        reason = f"has no {name.replace('_', ' ')}"
        self._builder.fault(reason, row=row, id=identifier, field=name, verdict="untrue")

    def _take_wide(self, row: Row, job_group: str | None, skill: str | None) -> None:
        may_have_sections = self._across == "job_group" and not self._has("area")
        is_alone = len(row.cells) == 1 and row.cells.keys().isdisjoint(map(folded, self._rest))
        if may_have_sections and (skill or is_alone):
            self._sections.see(NamedRow(row.number, next(iter(row.cells.values())), skill, is_alone))
        elif not (job_group or skill):
            self._builder.fault(_NAMELESS, row=row.number, verdict="untrue")
        if not (job_group or skill):
            return
        for heading in self._rest:
            other = self._note(str(self._across), folded(heading), title_of(heading), 1)
            if words := row.get(folded(heading)):
                weight = self._words(row, "weight")
                self._cells.append(_Cell(row.number, job_group or other, skill or other, None, words, weight))

    def _words(self, row: Row, name: str) -> str:
        found = [row.get(folded(heading)) for heading in self._columns.get(name, ())]
        if len(found) > 1:
            found = [words for words in found if not requires_nothing(words)]
        return " – ".join(words for words in found if words)

    def _titles(self, row: Row, name: str) -> Given | None:
        by_language = {key: words for key in ("th", "en") if (words := self._words(row, f"{name}_{key}"))}
        plain = self._words(row, name) if name != "level" else ""
        if not by_language:
            return title_of(plain) if plain else None
        return Given(plain, by_language)

    def _part(self, row: Row, name: str) -> str | None:
        """Return the id of the part that a row names, or None."""
        raw, titles = self._words(row, f"{name}_id"), self._titles(row, name)
        if not raw and titles is None:
            return None
        titles = titles or Given(raw)
        more: dict[str, Any] = {}
        if description := self._words(row, f"{name}_description"):
            more["description"] = Given(description)
        if name == "skill":
            more |= {"code": clean(self._words(row, "skill_code")) or None, "area": self._part(row, "area")}
            self._merged["area"].see(more["area"])
        key = self._note(name, raw or folded(titles.text or titles.en() or titles.th()), titles, row.number, more)
        if name == "skill" and not more["area"] and (above := self._merged["area"].above):
            self._areas_above.setdefault(key, above)
        return key

    def _note(self, name: str, raw: str, titles: Given, row: int, more: Mapping[str, Any] | None = None) -> str:
        """Note an area, skill, job group or stage, and return its id.

        If it was noted before, the first row counts, and a different title or area is reported.
        """
        key = identifier(raw)
        given = {field: value for field, value in (more or {}).items() if value is not None}
        seen = self._parts[name].setdefault(key, _Seen(titles, row, given))
        if [*map(folded, (seen.titles.th(), seen.titles.en()))] != [*map(folded, (titles.th(), titles.en()))]:
            reason = f"is titled {seen.titles.en() or seen.titles.th()!r} in row {seen.row}, which is kept"
            self._builder.fault(reason, row=row, id=key, field=name, verdict="changed")
        other = (key, given.get("area"))
        if (
            given.get("area", seen.more.get("area")) != seen.more.get("area", given.get("area"))
            and other not in self._reported
        ):
            self._reported.add(other)
            reason = f"is in {seen.more['area']!r} in row {seen.row}, which is kept; here in {given['area']!r}"
            self._builder.fault(reason, row=row, id=key, field="area", verdict="changed")
        seen.more = given | seen.more
        return key

    # --- levels ------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Pass all parts to the builder, and the requirements on the scale found from the levels."""
        builder = self._builder
        self._take_sections()
        self._fill_merged()
        descriptors = self._take_level_columns()
        levels = self._levels()
        for name, add in (("area", builder.area), ("stage", builder.stage), ("job_group", builder.job_group)):
            for key, seen in self._titled_parts(name):
                add(key, seen.titles, row=seen.row, **seen.more)
        if any("area" not in seen.more for seen in self._parts["skill"].values()):
            builder.area("skills", Given("", {"th": str(_DEFAULT_AREA.th), "en": str(_DEFAULT_AREA.en)}))
            builder.assume("skills without an area are put into one area, `skills`")
        for cell in self._cells:
            if (level := levels.get(cell.words)) is None:
                self._unknown_level(cell)
                continue
            if cell.descriptor:
                found = descriptors.setdefault(cell.skill, [])
                found += [one for one in builder.descriptors(level, Given(cell.descriptor)) if one not in found]
            weight = numbered_level(cell.weight) if cell.weight else (1.0, "")
            if weight is None:
                reason = f"{cell.weight!r} is no number"
                builder.fault(reason, row=cell.row, id=cell.skill, field="weight", verdict="untrue")
                continue
            builder.require(cell.job_group, cell.skill, level, row=cell.row, stage=cell.stage, weight=weight[0])
        for key, seen in self._titled_parts("skill"):
            steps = sorted(descriptors.get(key, []), key=lambda one: one.level)
            builder.skill(key, seen.titles, row=seen.row, **{"area": "skills", "descriptors": steps, **seen.more})

    def _titled_parts(self, name: str) -> Iterator[tuple[str, _Seen]]:
        """Yield the parts of a kind with their ids; one whose title is a formula without a result is reported."""
        parts = self._parts[name]
        both = titles_together([seen.titles.text for seen in parts.values()]) if name != "skill" else {}
        for key, seen in parts.items():
            seen.titles = both.get(seen.titles.text, seen.titles)
            if has_no_result(words := seen.titles.en()):
                reason = f"{words[:100]!r} is a formula without a result, and no title"
                self._builder.fault(reason, row=seen.row, id=key, field=name, verdict="untrue")
            else:
                yield key, seen

    def _take_sections(self) -> None:
        """Take the names of sections for areas; without sections, a name outside the column of skills is a fault."""
        areas = [*self._sections.areas()]
        for heading, skills in areas:
            area = self._note("area", folded(heading.text), title_of(heading.text), heading.row)
            if heading.skill and not any(heading.skill in others for _, others in areas):
                self._parts["skill"].pop(heading.skill, None)
            for skill in skills:
                self._parts["skill"][skill].more.setdefault("area", area)
        if areas:
            names = ", ".join(heading.text for heading, _ in areas)
            self._builder.assume(f"a row with a name alone is the area of the skills below it: {names[:500]}")
            return
        for row in self._sections.unnamed:
            self._builder.fault(_NAMELESS, row=row.row, verdict="untrue")

    def _fill_merged(self) -> None:
        """Take the cells below a merged one for its value, if the column is merged; otherwise report them."""
        for name, cell in self._below:
            if self._merged[name].is_merged and cell.job_group and cell.skill:
                self._cells.append(cell)
            else:
                self._without(cell.row, name, cell.skill if name == "job_group" else cell.job_group)
        self._cells.sort(key=lambda cell: cell.row)
        if self._merged["area"].is_merged:
            for skill, area in self._areas_above.items():
                self._parts["skill"][skill].more.setdefault("area", area)
        for name, column in self._merged.items():
            if column.is_merged and (name == "area" or any(name == one for one, _ in self._below)):
                self._builder.assume(
                    f"an empty cell of the {name.replace('_', ' ')} has the value above it, as merged cells"
                )

    def _take_level_columns(self) -> dict[str, list[ScaleLevel]]:
        """Return {skill: descriptors} and remove the cells if columns named by levels hold mostly texts; else {}."""
        if not self._across:
            return {}
        scales = [self._builder.options.scale, *(("none", *one) for one in KNOWN_SCALES)]
        names = set(map(folded, self._rest))
        level_names = max(scales, key=lambda one: len(names & set(map(folded, one))))
        places = {identifier(folded(name)): float(i) for i, name in enumerate(level_names)}
        cells = [cell for cell in self._cells if cell.job_group in places]
        is_level = MARKS | set(map(folded, level_names))
        unnumbered = [cell for cell in cells if numbered_level(cell.words) is None]
        texts = [cell for cell in unnumbered if not requires_nothing(cell.words) and folded(cell.words) not in is_level]
        columns = [name for name in self._rest if folded(name) in map(folded, level_names)]
        if self._across != "job_group" or len(columns) < _LEAST_LEVELS or 2 * len(texts) <= len(cells):
            found = ", ".join(self._rest)
            self._builder.assume(f"a column for each {self._across.replace('_', ' ')}: {found}")
            return {}
        self._builder.assume(f"columns named by levels hold what each level of a skill means: {', '.join(columns)}")
        for name in self._rest:
            if name not in columns:
                self._builder.not_kept(f"column {name!r}")
        self._name_scale(level_names, columns)
        self._parts["job_group"], self._cells = {}, []
        descriptors: dict[str, list[ScaleLevel]] = {}
        for cell in cells:
            steps = self._builder.descriptors(places[cell.job_group], Given(cell.words))
            descriptors.setdefault(cell.skill, []).extend(steps)
        return descriptors

    def _name_scale(self, level_names: Sequence[str], written: Iterable[str]) -> None:
        """Name the levels of the scale, from 0 on; `written` holds the names in the spelling of the file."""
        spelt = {place_of(one, level_names): one for one in written}
        for i, name in enumerate(level_names):
            self._scale.setdefault(float(i), Given(spelt.get(i, name.capitalize() if name.isascii() else name)))

    def _unknown_level(self, cell: _Cell) -> None:
        name = f"{cell.job_group} / {cell.skill}"
        if requires_nothing(cell.words):
            self._builder.not_kept("a row that says that no level is required", f"row {cell.row}: {name}")
            return
        reason = f"{cell.words[:100]!r} is no level of the scale; name the levels from 0 on with `scale`"
        if folded(cell.words) in MARKS:
            reason = f"{cell.words!r} marks a skill without its level; say with `mark` which level a mark means"
        self._builder.fault(reason, row=cell.row, id=name, field="level", verdict="untrue")

    def _levels(self) -> dict[str, float]:
        """Return {text: level} for all levels that can be parsed, and pass the scale to the builder."""
        options, words = self._builder.options, sorted({cell.words for cell in self._cells})
        levels: dict[str, float] = {}
        numbers: dict[str, set[float]] = {}
        """{name: the numbers with which it is written}."""
        for one in words:
            if (number := numbered_level(one)) is not None:
                levels[one] = number[0]
                if number[1]:
                    self._scale.setdefault(number[0], Given(number[1]))
                    numbers.setdefault(plain_level(number[1]), set()).add(number[0])
            elif options.mark is not None and folded(one) in MARKS:
                levels[one] = options.mark
        named = [one for one in words if one not in levels and not requires_nothing(one) and folded(one) not in MARKS]
        if not options.scale:
            levels |= {one: min(of) for one in named if len(of := numbers.get(plain_level(one), ())) == 1}
            named = [one for one in named if plain_level(one) not in numbers]
        level_names = options.scale or known_scale(named)
        places = {one: place for one in named if (place := place_of(one, level_names)) is not None}
        levels |= {one: float(place) for one, place in places.items()}
        if options.scale or (named and level_names):
            if not options.scale:
                self._builder.assume(f"the levels are, from 0: {', '.join(level_names)}")
            self._name_scale(level_names, named)
        self._give_scale(levels)
        return levels

    def _give_scale(self, levels: Mapping[str, float]) -> None:
        if not self._scale:
            top = max(2, ceil(max(levels.values(), default=0)))
            self._builder.assume(f"the file names no levels; the scale is 0 to {top}{self._highest(levels)}")
            self._scale = {float(i): Given("", {"th": f"ระดับ {i}", "en": f"Level {i}"}) for i in range(top + 1)}
        if min(self._scale) > 0:
            self._scale[0.0] = Given("", {"th": "ไม่มี", "en": "None"})
        for level, titles in sorted(self._scale.items()):
            self._builder.level(level, titles)

    def _highest(self, levels: Mapping[str, float]) -> str:
        """Return words that name the only cell with the highest level, if that may be a mistake, else an empty text.

        That is so above the usual scales, if the next level is at most half as high.
        """
        *lower, highest = [0.0, *sorted({0.0, *levels.values()})]
        cells = [cell for cell in self._cells if levels.get(cell.words) == highest]
        if highest <= _USUAL_TOP or len(cells) != 1 or lower[-1] * 2 > highest:
            return ""
        [cell] = cells
        return f" because of row {cell.row} alone ({cell.job_group} / {cell.skill}: {decimal(highest)})"
