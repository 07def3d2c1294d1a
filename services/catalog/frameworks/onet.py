"""Reads and writes O*NET's tables: elements, occupations, and ratings of elements for each occupation.

The files are recognised by their headings. An element becomes a skill, the group above the element an area, and an
occupation a job group. A rating on the scale LV (0 to 7) becomes the required level, and a rating on the scale IM (1 to
5) the weight of the requirement.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from services.catalog.frameworks.builder import EVERYBODY, Builder
from services.catalog.frameworks.report import NotKept, Options, Reading, not_held
from services.catalog.frameworks.tables import Row, Source, archive, row_of, rows_of, table
from services.catalog.frameworks.texts import Given, decimal, plain
from shared.domain import Framework, LocalizedText, ScaleLevel
from shared.errors import InvalidInput
from shared.texts import folded

TOP = 7
_NOT_GIVEN = ("n/a", "na", "n.a.", "not available")
_Kind = Literal["ratings", "occupations", "content", "anchors"]
_CODE = "o*net-soc code"
_FIELDS: dict[_Kind, tuple[str, ...]] = {
    "ratings": (
        _CODE,
        "title",
        "element id",
        "element name",
        "scale id",
        "data value",
        "recommend suppress",
        "not relevant",
    ),
    "occupations": (_CODE, "title", "description"),
    "content": ("element id", "element name", "description"),
    "anchors": ("element id", "element name", "scale id", "anchor value", "anchor description"),
}
_GROUPS = {
    "1": "Worker characteristics",
    "2": "Worker requirements",
    "3": "Experience requirements",
    "4": "Occupational requirements",
    "5": "Workforce characteristics",
    "6": "Occupation-specific information",
}


def read(sources: list[Source], options: Options) -> Reading:
    """Return the framework that O*NET's tables hold, with a report. Raises Malformed; InvalidInput without ratings."""
    builder = Builder(options)
    rows: dict[_Kind, list[Row]] = {kind: [] for kind in _FIELDS}
    for source in sources:
        heading = [folded(name) for name in row_of(source)[0]]
        if (kind := _kind(heading)) is None:
            builder.not_kept(f"file {source.name}")
            continue
        for name in heading:
            if name not in _FIELDS[kind] and name != "scale name":
                builder.not_kept(f"column {name!r} of {source.name}")
        rows[kind] += rows_of(source, builder)
    if not rows["ratings"]:
        raise InvalidInput("there are no ratings: a table with O*NET-SOC Code, Element ID, Scale ID and Data Value")
    _Tables(builder, rows).give()
    return builder.build()


def _kind(heading: list[str]) -> _Kind | None:
    has = set(heading).issuperset
    if has((_CODE, "element id", "scale id", "data value")):
        return "ratings"
    if has(("element id", "anchor value", "anchor description")):
        return "anchors"
    if has((_CODE, "title", "description")):
        return "occupations"
    return "content" if has(("element id", "element name", "description")) else None


class _Tables:
    def __init__(self, builder: Builder, rows: Mapping[_Kind, list[Row]]) -> None:
        self._builder = builder
        self._rows = rows
        self._content = {row.get("element id"): row for row in rows["content"]}
        self._skills: dict[str, Row] = {}
        self._occupations: dict[str, Row] = {}

    def give(self) -> None:
        """Pass all areas, skills, job groups and requirements to the builder."""
        builder = self._builder
        builder.head(id="onet", title=LocalizedText(en="O*NET"))
        for level in range(TOP + 1):
            builder.level(float(level), Given("", {"th": f"ระดับ {level}", "en": f"Level {level}"}))
        self._give_requirements()
        for name in dict.fromkeys(_above(element) for element in self._skills):
            row = self._content.get(name)
            title = row.get("element name") if row else _GROUPS.get(name, name)
            builder.area(name, Given(title), description=Given(row.get("description") if row else ""))
        descriptors = self._descriptors()
        for element, row in self._skills.items():
            content = self._content.get(element)
            title = row.get("element name") or (content.get("element name") if content else "") or element
            builder.skill(
                element,
                Given(title),
                area=_above(element),
                row=row.number,
                code=element,
                descriptors=descriptors.get(element, []),
                description=Given(content.get("description") if content else ""),
            )
        titled = {row.get(_CODE): row for row in self._rows["occupations"]}
        for code, row in self._occupations.items():
            titled_row = titled.get(code)
            title = (titled_row or row).get("title") or code
            builder.job_group(
                code,
                Given(title),
                row=row.number,
                description=Given(titled_row.get("description") if titled_row else ""),
            )
        for code in titled:
            if code not in self._occupations:
                builder.not_kept("occupation without ratings", code)

    def _give_requirements(self) -> None:
        builder = self._builder
        levels: dict[tuple[str, str], tuple[float, int]] = {}
        weights: dict[tuple[str, str], tuple[float, int]] = {}
        for row in self._rows["ratings"]:
            place = (row.get(_CODE), row.get("element id"))
            if (value := self._value(row, place)) is None:
                continue
            is_importance = row.get("scale id").upper() == "IM"
            ratings = weights if is_importance else levels
            if place in ratings:
                verdict: Any = "changed" if ratings[place][0] == value else "untrue"
                reason = f"is given twice, also in row {ratings[place][1]}"
                builder.fault(reason, row=row.number, id=" / ".join(place), field="Data Value", verdict=verdict)
                continue
            ratings[place] = value, row.number
            if not is_importance:
                self._occupations.setdefault(place[0], row)
                self._skills.setdefault(place[1], row)
        for place, (level, number) in levels.items():
            weight, _ = weights.get(place, (1.0, 0))
            builder.require(*place, level, row=number, weight=weight)
        for place in weights:
            if place not in levels:
                builder.not_kept("importance without a level", " / ".join(place))
        if without := len(levels.keys() - weights.keys()):
            builder.assume(f"a requirement without an importance (scale IM) weighs 1; there are {without}")

    def _value(self, row: Row, place: tuple[str, str]) -> float | None:
        """Return a rating on the scale LV or IM; None, and a fault, for one that is invalid or suppressed."""
        scale, words, name = row.get("scale id").upper(), row.get("data value"), " / ".join(place)
        for field, words_of in (("O*NET-SOC Code", place[0]), ("Element ID", place[1])):
            if not words_of:
                self._builder.fault(f"has no {field}", row=row.number, id=name, field=field, verdict="untrue")
                return None
        if scale not in ("LV", "IM"):
            self._builder.not_kept(f"rating on the scale {scale or 'none'}", name)
            return None
        for field in ("recommend suppress", "not relevant"):
            if row.get(field).upper() == "Y":
                self._builder.not_kept(f"{scale} rating marked {field!r}", name)
                return None
        if words.lower() in _NOT_GIVEN:
            self._builder.not_kept(f"{scale} rating without a value", name)
            return None
        least, most = (0, TOP) if scale == "LV" else (1, 5)
        try:
            value = float(words)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            reason = f"{words[:40]!r} is no number from {least} to {most}, as the scale {scale} has them"
            self._builder.fault(reason, row=row.number, id=name, field="Data Value", verdict="untrue")
            return None
        return value

    def _descriptors(self) -> dict[str, list[ScaleLevel]]:
        found: dict[str, list[ScaleLevel]] = {}
        for row in self._rows["anchors"]:
            element, words = row.get("element id"), row.get("anchor value")
            if row.get("scale id").upper() not in ("LV", "") or element not in self._skills:
                self._builder.not_kept("anchor of another scale or element", element)
                continue
            try:
                level = float(words)
            except ValueError:
                level = math.nan
            if not 0 <= level <= TOP:
                reason = f"{words[:40]!r} is no number from 0 to {TOP}"
                self._builder.fault(reason, row=row.number, id=element, field="Anchor Value")
                continue
            found.setdefault(element, []).extend(self._builder.descriptors(level, Given(row.get("anchor description"))))
        return {element: sorted(steps, key=lambda one: one.level) for element, steps in found.items()}


def _above(element: str) -> str:
    """Return the group of an element: 2.A.1.a is in 2.A.1."""
    return element.rpartition(".")[0] or element


# --- writing ---------------------------------------------------------------------------------------------------------


def write(framework: Framework) -> tuple[bytes, list[NotKept]]:
    """Return a framework as a ZIP archive of O*NET's tables, and the data that the tables cannot hold."""
    codes = {skill.id: skill.id for skill in framework.skills}
    named = {group.id: plain(group.title) for group in framework.job_groups}
    ratings: list[tuple[Any, ...]] = []
    held = [row for row in framework.requirements if row.stage is None and row.level <= TOP]
    for row in held:
        element = (row.job_group, named[row.job_group], codes[row.skill], plain(_skill(framework, row.skill)))
        ratings.append((*element, "LV", decimal(row.level)))
        if 1 <= row.weight <= 5:  # noqa: PLR2004 - the scale of importance
            ratings.append((*element, "IM", decimal(row.weight)))
    anchors = [
        (skill.id, plain(skill.title), "LV", decimal(one.level), plain(one.title))
        for skill in framework.skills
        for one in skill.descriptors
    ]
    elements: list[Any] = [*framework.areas, *framework.skills]
    content = [(one.id, plain(one.title), plain(one.description)) for one in elements]
    groups = [(one.id, plain(one.title), plain(one.description)) for one in framework.job_groups if one != EVERYBODY]
    files = {
        "Skills.txt": table(
            ("O*NET-SOC Code", "Title", "Element ID", "Element Name", "Scale ID", "Data Value"), ratings, "\t"
        ),
        "Occupation Data.txt": table(("O*NET-SOC Code", "Title", "Description"), groups, "\t"),
        "Content Model Reference.txt": table(("Element ID", "Element Name", "Description"), content, "\t"),
        "Level Scale Anchors.txt": table(
            ("Element ID", "Element Name", "Scale ID", "Anchor Value", "Anchor Description"), anchors, "\t"
        ),
    }
    return archive(files), _not_held(framework)


def _not_held(framework: Framework) -> list[NotKept]:
    parts: list[Any] = [*framework.areas, *framework.skills, *framework.job_groups]
    required = {row.skill for row in framework.requirements}
    groups = {row.job_group for row in framework.requirements}
    lost: list[tuple[str, Iterable[str]]] = [
        ("id, title or description of the framework", [framework.id]),
        ("level of the scale", [decimal(one.level) for one in framework.scale] if framework.max_level != TOP else []),
        ("area of a skill", [one.id for one in framework.skills if _above(one.id) != one.area]),
        ("skill that nobody needs", [one.id for one in framework.skills if one.id not in required]),
        ("job group that needs nothing", [one.id for one in framework.job_groups if one.id not in groups]),
        (
            "requirement of one stage, or above 7",
            [row.skill for row in framework.requirements if row.stage or row.level > TOP],
        ),
        ("weight below 1 or above 5", [row.skill for row in framework.requirements if not 1 <= row.weight <= 5]),  # noqa: PLR2004 - the ends of its scale
        ("stage", [one.id for one in framework.stages]),
        ("relation", [f"{one.origin} → {one.target}" for one in framework.relations]),
        ("mapping", [f"{one.origin} → {one.target}" for one in framework.mappings]),
        ("code or synonym", [one.id for one in framework.skills if one.synonyms or one.code not in (None, one.id)]),
        ("second language", [one.id for one in parts if one.title.th and one.title.en]),
        ("provenance", [one.id for one in parts if one.provenance]),
    ]
    return not_held(lost)


def _skill(framework: Framework, name: str) -> LocalizedText:
    return next(skill.title for skill in framework.skills if skill.id == name)
