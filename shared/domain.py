"""The words of the domain: frameworks, courses and skill profiles, as they travel between the services.

Every shape refuses bad values when it is built or decoded (`msgspec.ValidationError` or `InvalidInput`, both naming
the field). Text stands in Thai and English side by side. Nothing here fixes a number of areas, job groups or levels.

Levels, weights and hours are kept to the millionth from here on (`keep_millionths`), so 0.7 * 3 is 2.1 for every
reader, stored or sent, and two of them are compared as they are.
"""

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import force_setattr

from shared.errors import InvalidInput
from shared.texts import shows_something

SHARED_TENANT = "shared"
"""The tenant whose frameworks and courses every tenant sees; a tenant's own entry of the same id stands before it."""

Identifier = Annotated[
    # `$` alone would let a line end through
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)", description="ASCII, up to 64 characters"),
]
ShortText = Annotated[str, Meta(min_length=1, max_length=300)]
LongText = Annotated[str, Meta(min_length=1, max_length=5000)]
Level = Annotated[float, Meta(ge=0, le=100, description="on the framework's own scale; 0 = none")]
Hours = Annotated[float, Meta(gt=0, le=10_000)]
FactName = Annotated[str, Meta(pattern=r"^[^\x00]*$(?!\n)", description="the name of a field")]
"""A key that MongoDB keeps: no NUL."""
Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}$(?!\n)", description="ISO 639 code")]


NO_TEXT = ("(ไม่มีข้อความ)", "(no text)")
"""What stands in place of a Thai and an English text of which neither shows anything."""


def key_of(tenant: str, identifier: str) -> str:
    """Return the key under which a document is stored and its events are ordered: `tenant/id`."""
    return f"{tenant}/{identifier}"


def millionths(value: float, least: float = 0.0) -> float:
    """Return a number to the nearest millionth, of two equally near the even one; never below `least`, never -0.0."""
    return max(round(value, 6), least) + 0.0


def keep_millionths(record: Struct, *fields: str, least: float = 0.0) -> None:
    """Keep these numbers of a record that is being built to the millionth. For `__post_init__`."""
    for name in fields:
        value = getattr(record, name)
        if not isinstance(value, float) or (value >= 1 and value.is_integer()):
            continue
        if (kept := millionths(value, least)) != value or not value:
            force_setattr(record, name, kept)  # -0.0 equals 0.0 and is written otherwise


LEAST = 0.000_001
"""What is smaller but not zero counts as this: an hour, a weight or what a course teaches is never nothing."""


class LocalizedText(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The same words in Thai and in English; one of the two may be missing, not both.

    A text without a visible character counts as missing. Where both are so, as they could once be stored, words to
    that effect stand in their place, so that no page shows an empty one; a request with such a text is refused.
    """

    th: ShortText | None = None
    en: ShortText | None = None

    def __post_init__(self) -> None:
        th = self.th if self.th and shows_something(self.th) else None
        en = self.en if self.en and shows_something(self.en) else None
        if th is self.th and en is self.en and (th or en):
            return
        if not (th or en or (self.th and self.th.strip()) or (self.en and self.en.strip())):
            raise ValueError("needs a Thai (`th`) or an English (`en`) text")
        if not (th or en):
            th, en = NO_TEXT
        force_setattr(self, "th", th)
        force_setattr(self, "en", en)

    @property
    def shows_nothing(self) -> bool:
        """Whether this is what stands in place of a text without a visible character."""
        return (self.th, self.en) == NO_TEXT


class Prose(LocalizedText, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A longer text in Thai and in English, such as a description; one of the two may be missing, not both."""

    th: LongText | None = None
    en: LongText | None = None


# --- frameworks ------------------------------------------------------------------------------------------------------


class Provenance(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where one fact comes from: `sourced` (with its page) or `illustrative` (ours, to be replaced by the agency's)."""

    status: Literal["sourced", "illustrative"]
    url: str | None = None
    note: str | None = None


class ScaleLevel(Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a framework's scale, and what it is called."""

    level: Level
    title: LocalizedText

    def __post_init__(self) -> None:
        keep_millionths(self, "level")


class Area(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A group of skills."""

    id: Identifier
    title: LocalizedText
    description: Prose | None = None
    provenance: dict[FactName, Provenance] = {}


class Skill(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One thing an officer can be assessed on. `code` is the publisher's own (TPQI, OCSC).

    `descriptors` says what somebody at a level can do; courses are matched to them.
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
    """Officers of the same kind of work, of whom the same levels are required."""

    id: Identifier
    title: LocalizedText
    description: Prose | None = None
    provenance: dict[FactName, Provenance] = {}


class Stage(Struct, frozen=True, forbid_unknown_fields=True):
    """A stage of a career, within every job group."""

    id: Identifier
    title: LocalizedText


class Requirement(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The level that a job group needs. `stage` null holds for every stage that has no row of its own."""

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
    """A relation between areas or skills as published; the planner does not use it.

    `child_of`: an area lies within another area. `precedes`: a skill is learnt before another one. `exact_match`: a
    skill is the same as one of another framework, whose address or id `target` is.
    """

    kind: Literal["child_of", "precedes", "exact_match"]
    origin: Identifier
    target: Annotated[str, Meta(min_length=1, max_length=500)]


class VersionMapping(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What has taken the place of a skill, or a job group, that the framework had in an earlier version.

    `exact`: another name for the same. `broader`: the former skill is a part of the new one. `partial`: the two
    overlap. A job group has one successor, and an exact one. `title`: what the former one was called.
    """

    origin: Identifier
    target: Identifier
    kind: Literal["exact", "broader", "partial"] = "exact"
    of: Literal["skill", "job_group"] = "skill"
    title: LocalizedText | None = None


class Framework(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, dict=True):
    """A versioned yardstick: areas, skills, a level scale, job groups and the levels that they require.

    `version` counts up by one with every change; the catalog sets it, so a body need not carry it. Nobody is
    registered anew under one that is `retired`; whoever is under it stays and goes on.
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

    @property
    def max_level(self) -> float:
        """The top of the scale."""
        return max(step.level for step in self.scale)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256, in hexadecimal, of the JSON."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()

    @cached_property
    def skills_by_id(self) -> Mapping[str, Skill]:
        """The skills by id, in their order."""
        return {skill.id: skill for skill in self.skills}

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {skill: place for place, skill in enumerate(self.skills_by_id)}

    def in_order(self, skills: Iterable[str]) -> list[Skill]:
        """Return those of these skills that the framework has, in its order."""
        known = self.skills_by_id
        return [known[name] for name in sorted({*skills} & known.keys(), key=self._places.__getitem__)]

    @cached_property
    def successors(self) -> Mapping[tuple[str, str], list[VersionMapping]]:
        """The mappings by what they are of (`skill`, `job_group`) and the former id."""
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
        """Return skill id -> requirement of a job group; a row of the stage stands before the row of every stage."""
        rows = [row for row in self._requirements_of.get(job_group, ()) if row.stage in (None, stage)]
        return {row.skill: row for row in sorted(rows, key=lambda row: row.stage is not None)}

    def check(self) -> None:
        """Raise InvalidInput, naming the field, for dangling references and duplicates."""
        known = {
            "areas": _distinct("areas", [area.id for area in self.areas]),
            "skills": _distinct("skills", [skill.id for skill in self.skills]),
            "job_groups": _distinct("job_groups", [group.id for group in self.job_groups]),
            "stages": _distinct("stages", [stage.id for stage in self.stages]) | {None},
        }
        for i, skill in enumerate(self.skills):
            if skill.area not in known["areas"]:
                raise InvalidInput(f"unknown area {skill.area!r}", f"skills[{i}].area")
        seen: set[tuple[str, str, str | None]] = set()
        for i, row in enumerate(self.requirements):
            for name, kind in (("job_group", "job_groups"), ("skill", "skills"), ("stage", "stages")):
                if getattr(row, name) not in known[kind]:
                    raise InvalidInput(f"unknown {name} {getattr(row, name)!r}", f"requirements[{i}].{name}")
            if row.level > self.max_level:
                raise InvalidInput(f"above the scale's top, {self.max_level:g}", f"requirements[{i}].level")
            if (place := (row.job_group, row.skill, row.stage)) in seen:
                raise InvalidInput("the same job group, skill and stage stand twice", f"requirements[{i}]")
            seen.add(place)
        self._check_relations(known["areas"], known["skills"])
        self._check_mappings({"skill": known["skills"], "job_group": known["job_groups"]})

    def _check_relations(self, areas: set[str | None], skills: set[str | None]) -> None:
        for i, relation in enumerate(self.relations):
            known = areas if relation.kind == "child_of" else skills
            for name in ("origin",) if relation.kind == "exact_match" else ("origin", "target"):
                if getattr(relation, name) not in known:
                    what = "area" if known is areas else "skill"
                    raise InvalidInput(f"unknown {what} {getattr(relation, name)!r}", f"relations[{i}].{name}")
        for kind in ("child_of", "precedes"):
            if cycle := find_cycle((row.origin, row.target) for row in self.relations if row.kind == kind):
                raise InvalidInput(f"`{kind}` is a cycle: {cycle_text(cycle)}", "relations")

    def _check_mappings(self, known: Mapping[str, Container[str | None]]) -> None:
        for i, fault in mapping_faults(self.mappings, known):
            raise InvalidInput(fault.detail, f"mappings[{i}].{fault.field}")


def mapping_faults(
    mappings: Iterable[VersionMapping], known: Mapping[str, Container[str | None]]
) -> Iterator[tuple[int, InvalidInput]]:
    """Yield what is wrong with mappings, by place and field. `known`: the present ids by what they are of."""
    seen: set[tuple[str, str, str]] = set()
    for i, row in enumerate(mappings):
        what, place = row.of.replace("_", " "), (row.of, row.origin, row.target if row.of == "skill" else "")
        if row.target not in known[row.of]:
            yield i, InvalidInput(f"unknown {what} {row.target!r}", "target")
        elif row.origin in known[row.of]:
            yield i, InvalidInput(f"{what} {row.origin!r} is still in the framework", "origin")
        elif row.of == "job_group" and row.kind != "exact":
            yield i, InvalidInput("a job group has an exact successor", "kind")
        elif place in seen:
            yield i, InvalidInput(f"{what} {row.origin!r} is mapped twice", "origin")
        seen.add(place)


def find_cycle(links: Iterable[tuple[str, str]]) -> list[str]:
    """Return one cycle of directed links, its first node again at the end; empty where there is none."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for origin, target in links:
        sorter.add(target, origin)
    try:
        sorter.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def cycle_text(cycle: Sequence[str]) -> str:
    """Return a cycle as words; of one over 50 nodes the first ones, and how many there are."""
    most = 50
    if len(cycle) <= most:
        return " → ".join(cycle)
    return f"{' → '.join(cycle[:most])} → … ({len(cycle) - 1} in all)"


def _distinct(name: str, ids: list[str]) -> set[str | None]:
    seen: set[str | None] = set()
    for i, identifier in enumerate(ids):
        if identifier in seen:
            raise InvalidInput(f"{identifier!r} stands twice", f"{name}[{i}].id")
        seen.add(identifier)
    return seen


# --- courses ---------------------------------------------------------------------------------------------------------


class Teaches(Struct, frozen=True, forbid_unknown_fields=True):
    """What a course teaches, from a level to a level, a millionth at least. Whoever is below `from` cannot enter."""

    framework: Identifier
    skill: Identifier
    from_level: Level = field(name="from")
    to_level: Level = field(name="to")

    def __post_init__(self) -> None:
        if self.to_level <= self.from_level:
            raise ValueError("`to` must be above `from`")
        keep_millionths(self, "from_level", "to_level")
        if self.to_level <= self.from_level:  # less than a millionth apart
            force_setattr(self, "to_level", max(self.to_level, LEAST))
            force_setattr(self, "from_level", millionths(self.to_level - LEAST))


Confidence = Annotated[float, Meta(gt=0, lt=1, description="the probability that it is right")]


class MatchedRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A skill that a course probably teaches, from a level to a level, by its description; nobody has confirmed it.

    Matches as confident as `threshold` were right four times in five.
    """

    framework: Identifier
    skill: Identifier
    from_level: Level = field(name="from")
    to_level: Level = field(name="to")
    confidence: Confidence
    threshold: Annotated[float, Meta(ge=0, le=1)]
    source: Literal["matched"] = "matched"

    def __post_init__(self) -> None:
        if self.to_level <= self.from_level:
            raise ValueError("`to` must be above `from`")
        keep_millionths(self, "from_level", "to_level", "confidence", "threshold")


class Prerequisite(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One condition of entry: a course done, a level reached, any of several, or all of several.

    Exactly one of these forms: {course}, {framework, skill, level}, {any: [...]}, {all: [...]}.
    """

    course: Identifier | UnsetType = UNSET
    framework: Identifier | UnsetType = UNSET
    skill: Identifier | UnsetType = UNSET
    level: Level | UnsetType = UNSET
    any: Annotated[list["Prerequisite"], Meta(min_length=1)] | UnsetType = UNSET
    all: Annotated[list["Prerequisite"], Meta(min_length=1)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        given = {name for name in self.__struct_fields__ if getattr(self, name) is not UNSET}
        if given not in ({"course"}, {"framework", "skill", "level"}, {"any"}, {"all"}):
            raise ValueError("needs exactly one of `course`, `framework` + `skill` + `level`, `any`, `all`")
        keep_millionths(self, "level")


StatedFact = Literal["duration", "level", "prerequisites"]


class Completions(Struct, frozen=True, forbid_unknown_fields=True):
    """How many learners have started a course on its platform, and how many of them have completed it."""

    started: Annotated[int, Meta(ge=0, le=1_000_000_000)]
    completed: Annotated[int, Meta(ge=0)]

    def __post_init__(self) -> None:
        if self.completed > self.started:
            raise ValueError("`completed` must not be above `started`")


class Rating(Struct, frozen=True, forbid_unknown_fields=True):
    """What learners think of a course: the mean of so many ratings from 1 to 5."""

    mean: Annotated[float, Meta(ge=1, le=5)]
    count: Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Course(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A course of the catalog. All of `requires` must hold before it begins.

    Of one that `teaches` nothing the skills are not known yet: it can be in a path only as a prerequisite of another,
    or by what is `matched`.
    `completions` and `rating` are the platform's own facts, where it has them. `code` is the provider's own, `tags` are
    its words for what the course is about. `matched` is what it teaches by its description, unconfirmed; the catalog
    alone sets it, and none of it is in `teaches`.

    `corequisites` are to be taken before or at the same time, and whoever has taken one of `antirequisites` is not
    admitted; both are shown and not enforced, as are `starts` and `ends`. `stated` keeps the provider's own words for
    what was read from them, or could not be; `assumed` names the facts that the provider did not state.
    """

    id: Identifier
    title: LocalizedText
    provider: LocalizedText
    hours: Hours
    languages: Annotated[list[Language], Meta(min_length=1)]
    teaches: list[Teaches] = []
    requires: list[Prerequisite] = []
    description: Prose | None = None
    url: Annotated[str, Meta(pattern=r"^https?://", max_length=2000)] | None = None
    modality: Literal["online", "classroom", "blended"] = "online"
    accredited_against: list[str] = []
    example: bool = False
    completions: Completions | None = None
    rating: Rating | None = None
    code: ShortText | None = None
    tags: Annotated[list[ShortText], Meta(max_length=200)] = []
    educational_level: Literal["beginner", "intermediate", "advanced", "mixed"] | None = None
    corequisites: Annotated[list[Identifier], Meta(max_length=50)] = []
    antirequisites: Annotated[list[Identifier], Meta(max_length=50)] = []
    starts: date | None = None
    ends: date | None = None
    stated: dict[StatedFact, Annotated[str, Meta(min_length=1, max_length=2000)]] = {}
    assumed: list[Literal["hours", "languages", "provider"]] = []
    matched: list[MatchedRow] = []

    def __post_init__(self) -> None:
        keep_millionths(self, "hours", least=LEAST)


def courses_named(conditions: list[Prerequisite]) -> Iterator[str]:
    """Yield the id of every course that a list of prerequisites names, at any depth."""
    for condition in conditions:
        if condition.course is not UNSET:
            yield condition.course
        for branch in (condition.any, condition.all):
            if branch is not UNSET:
                yield from courses_named(branch)


# --- officers --------------------------------------------------------------------------------------------------------


class SkillLevel(Struct, frozen=True, omit_defaults=True):
    """The present estimate of one level: mean, standard deviation (levels), and when it was measured."""

    framework: Identifier
    skill: Identifier
    level: Level
    sd: Annotated[float, Meta(ge=0, le=100)]
    measured_at: datetime

    def __post_init__(self) -> None:
        keep_millionths(self, "level", "sd")


class Profile(Struct, frozen=True, omit_defaults=True):
    """What the recommender needs to know about an officer. `sequence` grows by one with every accepted change.

    `framework_version` counts the changes of the framework as `framework_owner` publishes it: the tenant, or `shared`.
    Two owners count apart. None: written before owners were noted.
    """

    tenant: Identifier
    officer: Identifier
    sequence: int
    framework: Identifier
    framework_version: int
    job_group: Identifier
    agency: Identifier
    stage: Identifier | None = None
    languages: list[Language] = []
    weekly_hours: Hours | None = None
    deadline: date | None = None
    levels: list[SkillLevel] = []
    framework_owner: Identifier | None = None

    def __post_init__(self) -> None:
        keep_millionths(self, "weekly_hours", least=LEAST)

    @property
    def key(self) -> str:
        """`tenant/officer`: the officer's document key and Kafka key."""
        return key_of(self.tenant, self.officer)
