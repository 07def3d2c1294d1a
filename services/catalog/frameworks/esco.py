"""Reads and writes ESCO's CSV files: skills, groups of skills, occupations, and the skills that an occupation needs.

The files are recognised by their headings, so their names and their number do not matter; they may be in an archive.
Case, spaces and signs in a heading do not matter, and the names of SKOS are known too (`prefLabel`). Unknown columns,
which later versions of ESCO add, are ignored. `Options.columns` names columns with other headings.

An occupation becomes a job group. ESCO has no levels: an occupation needs a skill or not. It is assumed that an
essential skill has a larger weight than an optional one, and the report says so.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from typing import Any, Literal

from services.catalog.frameworks.builder import EVERYBODY, Builder
from services.catalog.frameworks.report import NotKept, Options, Reading, not_held
from services.catalog.frameworks.tables import Row, Source, archive, lines_of, row_of, rows_of, table
from services.catalog.frameworks.texts import Given, clean, decimal, escaped, plain
from shared.domain import Framework, LocalizedText, Provenance
from shared.errors import InvalidInput
from shared.texts import folded

OPTIONAL_WEIGHT = 0.5
_Kind = Literal["skills", "occupations", "groups", "links", "broader", "related"]
"""A kind of files. `links`: which skills an occupation needs; `related`: skills that go with other skills."""

_FIELDS: dict[_Kind, tuple[str, ...]] = {
    "skills": (
        "concepttype",
        "concepturi",
        "skilltype",
        "preferredlabel",
        "altlabels",
        "description",
        "broaderconcepturi",
        "status",
    ),
    "occupations": ("concepttype", "concepturi", "preferredlabel", "altlabels", "description", "code", "status"),
    "groups": ("concepttype", "concepturi", "preferredlabel", "description"),
    "links": ("occupationuri", "relationtype", "skilluri", "skilltype"),
    "broader": ("concepttype", "concepturi", "broadertype", "broaderuri"),
    "related": (),
}
_LOOKED_AT = 50
"""The type of the items of a list is looked for in this many rows, the first ones."""

_TYPES: dict[str, _Kind] = {"SkillGroup": "groups", "KnowledgeSkillCompetence": "skills", "Occupation": "occupations"}
_ADDRESSES: dict[str, _Kind] = {"/esco/skill/": "skills", "/esco/occupation/": "occupations"}
"""{part of the address of an item: the list of such items}; a list may have no types."""

_SKOS = {"uri": "concepturi", "preflabel": "preferredlabel", "altlabel": "altlabels"}
_COLUMNS = {
    name.lower(): name
    for name in (
        "conceptUri", "skillType", "preferredLabel", "altLabels", "description", "definition", "status", "iscoGroup",
        "broaderConceptUri", "broaderUri", "occupationUri", "relationType", "skillUri", "originalSkillUri",
        "relatedSkillUri",
    )
}  # fmt: skip
"""{name in lower case: name} of the columns that are read."""

_NO_GROUP = {"knowledge": "knowledge", "skill/competence": "skill-competence"}


def read(sources: list[Source], options: Options) -> Reading:
    """Return the framework that ESCO's files hold, with a report.

    Raises Malformed; InvalidInput if there is no list of skills, or `options.columns` names an unknown column.
    """
    builder = Builder(options)
    files: dict[_Kind, list[Source]] = {kind: [] for kind in _FIELDS}
    headings = {source: row_of(source)[0] for source in sources}
    mapped = _mapped(options.columns, [name.strip() for names in headings.values() for name in names if name.strip()])
    named = {source: [_name(name, mapped) for name in names] for source, names in headings.items()}
    kinds = _kinds(named)
    for source, heading in named.items():
        if (kind := kinds[source]) is None:
            builder.not_kept(f"file {source.name}")
            continue
        for name in heading:
            if name not in _FIELDS[kind] and kind != "related":
                builder.not_kept(f"column {name!r} of {source.name}")
        files[kind].append(source)
        if (language := re.search(r"_([a-z]{2})\.csv$", source.name)) and language[1] not in ("en", "th"):
            builder.assume(f"the words are in {language[1]!r}; they are kept as English ones")
    if not files["skills"]:
        there = ", ".join(dict.fromkeys(repr(name.strip()[:100]) for names in headings.values() for name in names))
        raise InvalidInput(
            "there is no list of skills: a file with the columns conceptUri, skillType, preferredLabel; "
            f"the headings are {there[:1000] or 'missing'}; `map` names a column with another heading"
        )
    _Files(builder, files, mapped).give()
    return builder.build()


def _mapped(columns: Mapping[str, str], headings: list[str]) -> dict[str, str]:
    """Return {folded heading: name of its column}. Raises InvalidInput for an unknown column or a missing heading."""
    found = {}
    for name, heading in columns.items():
        if name.lower() not in _COLUMNS:
            raise InvalidInput(f"{name!r} is no column; there are: {', '.join(_COLUMNS.values())}", "map")
        if folded(heading) not in map(folded, headings):
            there = ", ".join(map(repr, dict.fromkeys(headings)))
            raise InvalidInput(f"there is no column {heading!r}; the headings are {there}", "map")
        found[folded(heading)] = name.lower()
    return found


def _name(heading: str, mapped: Mapping[str, str]) -> str:
    """Return the name of the column with a heading: `concepturi` for `Concept URI`."""
    plain_name = re.sub(r"[\W_]+", "", folded(heading))
    return mapped.get(folded(heading)) or _SKOS.get(plain_name, plain_name)


def _kinds(headings: Mapping[Source, list[str]]) -> dict[Source, _Kind | None]:
    """Return what each file holds, from its columns, or from its first rows if it has no `skillType` and `iscoGroup`.

    A file that is recognised by its first rows is read only if there is no complete list of skills or occupations: ESCO
    adds lists of some of them (`researchOccupationsCollection`, `greenShareOcc`), which have fewer columns.
    """
    kinds = {source: _kind(heading) for source, heading in headings.items()}
    whole = {*kinds.values()}
    for source, heading in headings.items():
        if kinds[source] is None and {"concepturi", "preferredlabel"}.issubset(heading):
            listed = _listed(source)
            kinds[source] = listed if listed == "groups" or listed not in whole else None
    return kinds


def _kind(heading: list[str]) -> _Kind | None:
    has = set(heading).issuperset
    if has(("occupationuri", "relationtype", "skilluri")):
        return "links"
    if has(("concepturi", "broaderuri")):
        return "broader"
    if has(("originalskilluri", "relatedskilluri")):
        return "related"
    if has(("concepturi", "skilltype", "preferredlabel")):
        return "skills"
    return "occupations" if has(("concepturi", "iscogroup", "preferredlabel")) else None


def _listed(source: Source) -> _Kind | None:
    """Return what a list holds, from the types in its first rows, or else from the addresses; None without both."""
    rows, listed = csv.reader(lines_of(source), delimiter=row_of(source)[1]), set[str]()
    with suppress(csv.Error):  # reported when the rows are read
        listed.update(cell for row in islice(rows, _LOOKED_AT) for cell in row)
    typed = next((kind for name, kind in _TYPES.items() if name in listed), None)
    return typed or next((kind for part, kind in _ADDRESSES.items() if any(part in cell for cell in listed)), None)


class _Files:
    """Reads the tables one after the other, and the skills twice, because their groups must be known first."""

    def __init__(self, builder: Builder, files: Mapping[_Kind, list[Source]], mapped: Mapping[str, str]) -> None:
        self._builder = builder
        self._mapped = mapped
        self._files = files
        self._skills: set[str] = set()
        self._groups: dict[str, Row] = {}
        self._broader: dict[str, list[str]] = {}

    def _rows(self, kind: _Kind, builder: Builder | None = None) -> Iterator[Row]:
        for source in self._files[kind]:
            yield from rows_of(source, builder or self._builder, lambda heading: _name(heading, self._mapped))

    def give(self) -> None:
        """Pass all areas, skills, job groups and requirements to the builder."""
        builder = self._builder
        self._groups = {row.get("concepturi"): row for row in self._rows("groups")}
        unheard = Builder(builder.options)  # faults are reported when the list itself is read
        for row in chain(self._rows("broader"), self._rows("skills", unheard)):
            above = (row.get("broaderuri") or row.get("broaderconcepturi").replace("|", "\n")).split()
            if above:
                self._broader.setdefault(row.get("concepturi"), []).extend(above)
        builder.head(
            id="esco",
            title=LocalizedText(en="ESCO: European Skills, Competences, Qualifications and Occupations"),
            provenance={
                "scale": Provenance("illustrative", note="ESCO has no levels: 0 is without the skill, 1 with it"),
                "requirements": Provenance(
                    "illustrative",
                    note=f"essential skills weigh 1, optional ones {OPTIONAL_WEIGHT}; the weights are ours",
                ),
            },
        )
        builder.assume(
            f"ESCO has no levels: 0 is without, 1 with the skill; an optional skill weighs {OPTIONAL_WEIGHT}"
        )
        builder.level(0.0, Given("", {"th": "ไม่มี", "en": "Without"}))
        builder.level(1.0, Given("", {"th": "มี", "en": "With"}))
        used = dict.fromkeys(self._give_skill(row) for row in self._rows("skills"))
        for area in used:
            if group := self._groups.get(area):
                title = Given(group.get("preferredlabel"))
                builder.area(_last(area), title, row=group.number, description=_stated(group))
            elif area:
                builder.area(area, Given(area.replace("-", " / ")))
        occupations = self._give_occupations()
        for row in self._rows("links"):
            self._give_link(row, occupations)
        for row in self._rows("related"):
            kind, ends = row.get("relationtype"), (row.get("originalskilluri"), row.get("relatedskilluri"))
            builder.not_kept(f"{kind} skill of a skill", " → ".join(map(_last, ends)))

    def _give_occupations(self) -> set[str]:
        """Pass the occupations to the builder, and return their addresses."""
        occupations: set[str] = set()
        for row in self._rows("occupations"):
            if row.get("status").lower() == "obsolete":
                self._builder.not_kept("obsolete occupation", row.get("preferredlabel"))
                continue
            occupations.add(row.get("concepturi"))
            if self._named(row):
                name, title = row.get("concepturi"), Given(row.get("preferredlabel"))
                self._builder.job_group(_last(name), title, row=row.number, description=_stated(row))
                self._not_kept(row, "code", "altlabels")
        return occupations

    def _named(self, row: Row) -> bool:
        if row.get("concepturi"):
            return True
        self._builder.fault("has no conceptUri", row=row.number, field="conceptUri", verdict="untrue")
        return False

    def _not_kept(self, row: Row, *columns: str) -> None:
        for name in columns:
            if words := row.get(name):
                self._builder.not_kept(f"{name} of an occupation", f"{row.get('preferredlabel')}: {words}")

    def _give_skill(self, row: Row) -> str:
        """Pass a skill to the builder; return the address of its area, or its own id if it is in no group."""
        if row.get("status").lower() == "obsolete":
            self._builder.not_kept("obsolete skill", row.get("preferredlabel"))
            return ""
        self._skills.add(row.get("concepturi"))
        if not self._named(row):
            return ""
        builder, address = self._builder, row.get("concepturi")
        area = self._area(address) or _NO_GROUP.get(row.get("skilltype"), "other")
        label = row.get("preferredlabel")
        labels = map(clean, chain.from_iterable(part.split(" | ") for part in row.get("altlabels").split("\n")))
        synonyms = [
            text
            for words in dict.fromkeys(labels)
            if words and folded(words) != folded(label)
            if (text := builder.text(Given(escaped(words)), row=row.number, id=_last(address), field="altLabels"))
        ]
        builder.skill(
            _last(address),
            Given(label),
            area=_last(area) if "/" in area else area,
            row=row.number,
            code=address,
            synonyms=synonyms,
            description=_stated(row),
        )
        return area

    def _area(self, address: str) -> str:
        """Return the address of the nearest group above a skill, empty without one; of equally near ones, the first."""
        waiting, seen = [address], {address}
        while waiting:
            above = [one for name in waiting for one in self._broader.get(name, ()) if one not in seen]
            if groups := [one for one in above if one in self._groups]:
                for other in groups[1:]:
                    self._builder.not_kept("further group of a skill", f"{_last(address)} → {_last(other)}")
                return groups[0]
            waiting = list(dict.fromkeys(above))
            seen.update(waiting)
        return ""

    def _give_link(self, row: Row, occupations: set[str]) -> None:
        kind, occupation, skill = (row.get(name) for name in ("relationtype", "occupationuri", "skilluri"))
        name = f"{_last(occupation)} / {_last(skill)}"
        if missing := [field for field, words in (("occupationUri", occupation), ("skillUri", skill)) if not words]:
            self._builder.fault(f"has no {missing[0]}", row=row.number, field=missing[0], verdict="untrue")
        elif kind not in ("essential", "optional"):
            reason = f"{kind!r} is neither essential nor optional"
            self._builder.fault(reason, row=row.number, id=name, field="relationType", verdict="untrue")
        elif occupation not in occupations:
            self._builder.not_kept("skill of an occupation that the files do not hold", name)
        elif skill not in self._skills:
            self._builder.not_kept("requirement of a skill that the files do not hold", name)
        else:
            weight = 1.0 if kind == "essential" else OPTIONAL_WEIGHT
            self._builder.require(_last(occupation), _last(skill), 1.0, row=row.number, weight=weight)


def _stated(row: Row) -> Given:
    return Given(row.get("description", "definition"))


def _last(address: str) -> str:
    return address.rstrip("/").rpartition("/")[2]


# --- writing ---------------------------------------------------------------------------------------------------------

_BASE = "http://data.europa.eu/esco"


def write(framework: Framework) -> tuple[bytes, list[NotKept]]:
    """Return a framework as a ZIP archive of ESCO's files, and the data that they cannot hold, such as levels."""
    skills = {
        skill.id: skill.code if _is_own(skill.code, skill.id) else f"{_BASE}/skill/{skill.id}"
        for skill in framework.skills
    }
    areas = {area.id: f"{_BASE}/skill/{area.id}" for area in framework.areas}
    kind = "KnowledgeSkillCompetence"
    files = {
        "skills_en.csv": table(
            ("conceptType", "conceptUri", "skillType", "preferredLabel", "altLabels", "description"),
            [
                (kind, skills[one.id], "", plain(one.title), _lines(one.synonyms), plain(one.description))
                for one in framework.skills
            ],
        ),
        "skillGroups_en.csv": table(
            ("conceptType", "conceptUri", "preferredLabel", "description"),
            [("SkillGroup", areas[one.id], plain(one.title), plain(one.description)) for one in framework.areas],
        ),
        "broaderRelationsSkillPillar.csv": table(
            ("conceptType", "conceptUri", "broaderType", "broaderUri"),
            [(kind, skills[one.id], "SkillGroup", areas[one.area]) for one in framework.skills],
        ),
        "occupations_en.csv": table(
            ("conceptType", "conceptUri", "iscoGroup", "preferredLabel", "altLabels", "description"),
            [
                ("Occupation", f"{_BASE}/occupation/{one.id}", "", plain(one.title), "", plain(one.description))
                for one in framework.job_groups
                if one != EVERYBODY
            ],
        ),
        "occupationSkillRelations.csv": table(
            ("occupationUri", "relationType", "skillType", "skillUri"),
            [
                (f"{_BASE}/occupation/{one.job_group}", _essential(one.weight), "", skills[one.skill])
                for one in framework.requirements
                if one.stage is None and one.level > 0
            ],
        ),
    }  # fmt: skip
    parts: list[Any] = [*framework.areas, *framework.skills, *framework.job_groups]
    esco = len(framework.scale) == 2 and framework.max_level == 1  # noqa: PLR2004 - without the skill, and with it
    lost = [
        ("id, title or description of the framework", [framework.id]),
        ("level of the scale", [] if esco else [decimal(step.level) for step in framework.scale]),
        (
            "level of a requirement",
            [f"{one.job_group} / {one.skill}" for one in framework.requirements if one.level != 1],
        ),
        (
            "weight of a requirement",
            [one.skill for one in framework.requirements if one.weight not in (1.0, OPTIONAL_WEIGHT)],
        ),
        ("requirement of one stage", [one.skill for one in framework.requirements if one.stage]),
        ("stage", [one.id for one in framework.stages]),
        ("relation", [f"{one.origin} → {one.target}" for one in framework.relations]),
        ("mapping", [f"{one.origin} → {one.target}" for one in framework.mappings]),
        ("descriptor", [one.id for one in framework.skills if one.descriptors]),
        ("code", [one.id for one in framework.skills if one.code and not _is_own(one.code, one.id)]),
        ("second language", [one.id for one in parts if one.title.th and one.title.en]),
        ("provenance", [one.id for one in parts if one.provenance]),
    ]
    return archive(files), not_held(lost)


def _is_own(code: str | None, name: str) -> bool:
    return bool(code and code.startswith(("http://", "https://")) and _last(code) == name)


def _essential(weight: float) -> str:
    return "optional" if weight < 1 else "essential"


def _lines(texts: list[LocalizedText]) -> str:
    return "\n".join(" ".join(plain(text).splitlines()) for text in texts)
