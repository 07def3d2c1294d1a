"""Frameworks: areas, skills, a level scale, job groups and the levels that they require."""

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from shared.domain.values import LEAST, FactName, Identifier, Level, LocalizedText, Prose, keep_millionths
from shared.errors import InvalidInput, UnknownName


class Provenance(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The source of one fact: `sourced` (with its page) or `illustrative` (made for the starter data)."""

    status: Literal["sourced", "illustrative"]
    url: str | None = None
    note: str | None = None


class ScaleLevel(Struct, frozen=True, forbid_unknown_fields=True):
    """One level of a framework's scale, with its name."""

    level: Level
    title: LocalizedText

    def __post_init__(self) -> None:
        keep_millionths(self, "level")


class Area(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A group of skills of a framework."""

    id: Identifier
    title: LocalizedText
    description: Prose | None = None
    provenance: dict[FactName, Provenance] = {}


class Skill(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A skill on which officers can be assessed. `code` is the publisher's own (TPQI, OCSC).

    `descriptors` describe what somebody at a level can do; courses are matched against them.
    """

    id: Identifier
    area: Identifier
    title: LocalizedText
    code: str | None = None
    synonyms: list[LocalizedText] = []
    descriptors: list[ScaleLevel] = []
    description: Prose | None = None
    provenance: dict[FactName, Provenance] = {}


class JobGroup(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Officers with the same kind of work and the same required levels."""

    id: Identifier
    title: LocalizedText
    description: Prose | None = None
    provenance: dict[FactName, Provenance] = {}


class Stage(Struct, frozen=True, forbid_unknown_fields=True):
    """A career stage within every job group."""

    id: Identifier
    title: LocalizedText


class Requirement(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The level that a job group needs. `stage` null applies to every stage without a row of its own."""

    job_group: Identifier
    skill: Identifier
    level: Level
    stage: Identifier | None = None
    weight: Annotated[float, Meta(gt=0, le=100)] = 1.0
    provenance: dict[FactName, Provenance] = {}

    def __post_init__(self) -> None:
        keep_millionths(self, "level")
        keep_millionths(self, "weight", least=LEAST)


class Relation(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A published relation between areas or skills; the planner does not use it.

    `child_of`: an area is part of another area. `precedes`: a skill is learnt before another one. `exact_match`: a
    skill is the same as one of another framework, whose address or id `target` is.
    """

    kind: Literal["child_of", "precedes", "exact_match"]
    origin: Identifier
    target: Annotated[str, Meta(min_length=1, max_length=500)]


class VersionMapping(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The successor of a skill, or of a job group, that an earlier version of the framework had.

    `exact`: another name for the same. `broader`: the former skill is a part of the new one. `partial`: the two
    overlap. A job group has exactly one successor, which is `exact`. `title`: the name of the former skill or group.
    `scale_top`: the highest level of the scale on which the former skill was measured, if that was another scale; then
    levels of the former skill are converted in proportion. Without `scale_top` they keep their numbers.
    """

    origin: Identifier
    target: Identifier
    kind: Literal["exact", "broader", "partial"] = "exact"
    of: Literal["skill", "job_group"] = "skill"
    title: LocalizedText | None = None
    scale_top: Annotated[float, Meta(gt=0, le=100)] | None = None


class Framework(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, dict=True):
    """A versioned competency framework: areas, skills, a level scale, job groups and their required levels.

    `version` grows by one with every change; the catalog sets it, so a request may leave it out. A `retired` framework
    accepts no new officers; officers who are registered under it stay.
    """

    id: Identifier
    title: LocalizedText
    scale: Annotated[list[ScaleLevel], Meta(min_length=2)]
    areas: Annotated[list[Area], Meta(min_length=1)]
    skills: Annotated[list[Skill], Meta(min_length=1)]
    job_groups: Annotated[list[JobGroup], Meta(min_length=1)]
    requirements: list[Requirement] = []
    stages: list[Stage] = []
    description: LocalizedText | None = None
    version: int = 0
    provenance: dict[FactName, Provenance] = {}
    relations: list[Relation] = []
    retired: bool = False
    mappings: list[VersionMapping] = []

    @cached_property
    def max_level(self) -> float:
        """The highest level of the scale."""
        return max(step.level for step in self.scale)

    @cached_property
    def level_step(self) -> float:
        """The mean distance between neighbouring levels of the scale."""
        return (self.max_level - min(step.level for step in self.scale)) / (len(self.scale) - 1)

    @cached_property
    def content_hash(self) -> str:
        """The SHA-256 of the framework's JSON, in hexadecimal."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()

    @cached_property
    def skills_by_id(self) -> Mapping[str, Skill]:
        """{skill id: skill}, in the framework's order."""
        return {skill.id: skill for skill in self.skills}

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {skill: place for place, skill in enumerate(self.skills_by_id)}

    def in_order(self, skills: Iterable[str]) -> list[Skill]:
        """Return the skills with these ids, in the framework's order; unknown ids are left out."""
        known = self.skills_by_id
        return [known[name] for name in sorted({*skills} & known.keys(), key=self._places.__getitem__)]

    @cached_property
    def successors(self) -> Mapping[tuple[str, str], list[VersionMapping]]:
        """{(`skill` or `job_group`, former id): the version mappings that name its successors}."""
        found: dict[tuple[str, str], list[VersionMapping]] = {}
        for row in self.mappings:
            found.setdefault((row.of, row.origin), []).append(row)
        return found

    @cached_property
    def _requirements_of(self) -> Mapping[str, list[Requirement]]:
        """The requirements of each job group. A large framework has 100,000 for 3,000 job groups."""
        found: dict[str, list[Requirement]] = {}
        for row in self.requirements:
            found.setdefault(row.job_group, []).append(row)
        return found

    def required(self, job_group: str, stage: str | None) -> dict[str, Requirement]:
        """Return {skill id: requirement} of a job group; a row for this stage overrides the row for every stage."""
        rows = [row for row in self._requirements_of.get(job_group, ()) if row.stage in (None, stage)]
        return {row.skill: row for row in sorted(rows, key=lambda row: row.stage is not None)}

    def check(self) -> None:
        """Check ids, references, required levels, relations and version mappings.

        Raises InvalidInput naming the field of the first fault.
        """
        known = {
            "areas": _distinct("areas", [area.id for area in self.areas]),
            "skills": _distinct("skills", [skill.id for skill in self.skills]),
            "job_groups": _distinct("job_groups", [group.id for group in self.job_groups]),
            "stages": _distinct("stages", [stage.id for stage in self.stages]) | {None},
        }
        levels: set[float] = set()
        for i, step in enumerate(self.scale):
            if step.level in levels:
                raise InvalidInput(f"the level {step.level:g} is given twice", f"scale[{i}].level")
            levels.add(step.level)
        for i, skill in enumerate(self.skills):
            if skill.area not in known["areas"]:
                raise UnknownName(f"unknown area {skill.area!r}", f"skills[{i}].area")
        seen: set[tuple[str, str, str | None]] = set()
        for i, row in enumerate(self.requirements):
            for name, kind in (("job_group", "job_groups"), ("skill", "skills"), ("stage", "stages")):
                if getattr(row, name) not in known[kind]:
                    raise UnknownName(f"unknown {name} {getattr(row, name)!r}", f"requirements[{i}].{name}")
            if row.level > self.max_level:
                raise InvalidInput(f"above the scale's top, {self.max_level:g}", f"requirements[{i}].level")
            if (place := (row.job_group, row.skill, row.stage)) in seen:
                raise InvalidInput("the same job group, skill and stage are given twice", f"requirements[{i}]")
            seen.add(place)
        self._check_relations(known["areas"], known["skills"])
        self._check_mappings({"skill": known["skills"], "job_group": known["job_groups"]})

    def _check_relations(self, areas: set[str | None], skills: set[str | None]) -> None:
        for i, relation in enumerate(self.relations):
            known = areas if relation.kind == "child_of" else skills
            for name in ("origin",) if relation.kind == "exact_match" else ("origin", "target"):
                if getattr(relation, name) not in known:
                    what = "area" if known is areas else "skill"
                    raise UnknownName(f"unknown {what} {getattr(relation, name)!r}", f"relations[{i}].{name}")
        for kind in ("child_of", "precedes"):
            if cycle := find_cycle((row.origin, row.target) for row in self.relations if row.kind == kind):
                raise InvalidInput(f"`{kind}` is a cycle: {cycle_text(cycle)}", "relations")

    def _check_mappings(self, known: Mapping[str, Container[str | None]]) -> None:
        for i, fault in mapping_faults(self.mappings, known):
            raise InvalidInput(fault.detail, f"mappings[{i}].{fault.field}")


def mapping_faults(
    mappings: Iterable[VersionMapping], known: Mapping[str, Container[str | None]]
) -> Iterator[tuple[int, InvalidInput]]:
    """Yield (position, fault) of each invalid version mapping.

    `known`: the present ids of skills and of job groups, by `skill` and `job_group`.
    """
    seen: set[tuple[str, str, str]] = set()
    for i, row in enumerate(mappings):
        what, place = row.of.replace("_", " "), (row.of, row.origin, row.target if row.of == "skill" else "")
        if row.target not in known[row.of]:
            yield i, UnknownName(f"unknown {what} {row.target!r}", "target")
        elif row.origin in known[row.of]:
            yield i, InvalidInput(f"{what} {row.origin!r} is still in the framework", "origin")
        elif row.of == "job_group" and row.scale_top is not None:
            yield i, InvalidInput("a job group has no level", "scale_top")
        elif row.of == "job_group" and row.kind != "exact":
            yield i, InvalidInput("a job group has an exact successor", "kind")
        elif place in seen:
            yield i, InvalidInput(f"{what} {row.origin!r} is mapped twice", "origin")
        seen.add(place)


def find_cycle(links: Iterable[tuple[str, str]]) -> list[str]:
    """Return one cycle of directed links, with its first node repeated at the end; empty if there is none."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for origin, target in links:
        sorter.add(target, origin)
    try:
        sorter.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def cycle_text(cycle: Sequence[str]) -> str:
    """Return a cycle as text; if it has more than 50 nodes, only the first 50 and how many there are."""
    most = 50
    if len(cycle) <= most:
        return " → ".join(cycle)
    return f"{' → '.join(cycle[:most])} → … ({len(cycle) - 1} in all)"


def _distinct(name: str, ids: list[str]) -> set[str | None]:
    seen: set[str | None] = set()
    for i, identifier in enumerate(ids):
        if identifier in seen:
            raise InvalidInput(f"{identifier!r} is given twice", f"{name}[{i}].id")
        seen.add(identifier)
    return seen
