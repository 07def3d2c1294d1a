"""The compact form of a path, in which it is stored and announced: codes, numbers, ids and titles, without repetition.

    compact(path)              -> the compact path; encoded(that) is its JSON
    expanded(stored)           -> the path with its derived fields; without alternatives and sentences
    alternatives(path)         -> ids and scores of the runners-up, which are stored with it and not announced

Rows are JSON arrays: the fields of their struct in order, without trailing fields that hold their defaults. A skill is
given by its position among the `gaps`, a provider by its position among the `providers`.
"""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import astuple, fields

from shared.domain import LocalizedText, Prerequisite
from shared.paths import (
    MICRO,
    UNRENDERED,
    AssessFirst,
    Closes,
    CourseCard,
    CourseName,
    Coverage,
    Gap,
    LearningPath,
    Note,
    OpenGap,
    Step,
    Succession,
    Successor,
    UnlockCondition,
    Versions,
    Whole,
)

Title = tuple[str | None, str | None]
"""A title in Thai and in English."""


class CompactGap(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A required skill; see Gap. An empty `area` stands for the area of the row before."""

    skill: str
    title: Title
    area: str
    level: float
    required: float
    reached: float
    sd: float
    weight: float = 1.0
    assessed: bool = True


class CompactClose(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A gap that a step narrows. `skill`: its position among the gaps. `to_level`: the level after the step.

    `contribution`: what the step adds to the value of the path, in micro-levels. `confidence`: the probability that the
    course teaches the skill, if the skill was only matched and nobody has confirmed it. `mapped_from`: see Closes.
    """

    skill: Whole
    to_level: float
    contribution: Whole
    confidence: float | None = None
    mapped_from: str | None = None


class CompactUnlock(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A later step that cannot be entered without this one. `step`: its position among the steps.

    `because`: "course" if this step is a prerequisite of the later one; "skill" if the later one needs the level of a
    skill, which is given by its position among the gaps or else by id and title; None if other steps lie between.
    `framework`: of the skill, if it is not that of the path.
    """

    step: Whole
    because: Literal["course", "skill"] | None = None
    skill: Whole | str | None = None
    level: float | None = None
    title: Title | None = None
    framework: str | None = None


class CompactStep(Struct, frozen=True, array_like=True, omit_defaults=True):
    """One course of the path. `provider`: position among the providers."""

    course: str
    title: Title
    provider: Whole
    hours: float
    languages: list[str]
    closes: list[CompactClose]
    similarity: float
    score: float
    url: str | None = None
    requires: list[Prerequisite] = []
    unlocks: list[CompactUnlock] = []
    origin: Literal["started", "mandatory", "pinned"] | None = None


class CompactOpen(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A requirement that the path does not reach, and the cause; see OpenGap. `skill`: its position among the gaps."""

    skill: Whole
    cause: Literal["no_course", "budget", "little", "prerequisite", "excluded", "too_small", "kept", "unconfirmed"]
    courses: list[str] = []
    nearest: tuple[str, Title] | None = None
    hours: float | None = None
    missing_hours: float | None = None
    at_most: bool = False
    exclusion: Literal["language", "rule", "feedback"] | None = None
    level: float | None = None
    confidence: float | None = None


class CompactAssess(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A skill to be assessed; see AssessFirst. `skill`: its position among the gaps."""

    skill: Whole
    kind: Literal["first", "confirm", "matched"] = "first"
    measured: float | None = None
    level: float | None = None
    confidence: float | None = None


class CompactNote(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A requested course that is not in the path; see Note."""

    course: str
    kind: Literal["withdrawn", "unknown", "excluded", "unreachable", "does_not_fit"]
    title: Title | None = None
    completed: bool = False
    missing_hours: float | None = None
    at_most: bool = False


class CompactSuccession(Struct, frozen=True, array_like=True, omit_defaults=True):
    """What has replaced a skill, job group or stage of the officer that the framework no longer has; see Succession."""

    kind: Literal["skill", "job_group", "stage"]
    id: str
    successors: list[tuple[str, Title, Literal["exact", "broader", "partial"]]] = []
    title: Title | None = None
    surpassed: list[str] = []


class CompactCoverage(Struct, frozen=True, array_like=True):
    """The coverage of a path; see Coverage."""

    before: float
    after: float
    gap: Whole
    gained: Whole
    expected: Whole


class CompactPath(Struct, frozen=True, omit_defaults=True):
    """A LearningPath without the fields that follow from the others; `versions` names the framework."""

    job_group: str
    versions: Versions
    as_of: date
    coverage: CompactCoverage
    status: Literal["ready", "provisional", "waiting_for_framework", "refused"] = "ready"
    providers: list[Title] = []
    gaps: list[CompactGap] = []
    steps: list[CompactStep] = []
    open: list[CompactOpen] = []
    stage: str | None = None
    budget_hours: float | None = None
    short_hours: float | None = None
    short_at_most: bool = False
    assess_first: list[CompactAssess] = []
    notes: list[CompactNote] = []
    kept: bool = False
    limited: bool = False
    finishing: bool = False
    proved: bool = False
    refusal: str | None = None
    successions: list[CompactSuccession] = []


_SIMILARITY_PLACES = 3
"""The decimal places of a similarity, which is shown as a whole per cent."""


def alternatives(path: LearningPath) -> list[list[tuple[str, float]]]:
    """Return, for each step, (course id, score) of each of its runners-up."""
    return [[(other.course.id, _short(other.score)) for other in step.alternatives] for step in path.steps]


# --- compacting ------------------------------------------------------------------------------------------------------


def compact(path: LearningPath) -> CompactPath:
    """Return the compact form of a path, as it is stored and announced."""
    skills = {gap.skill: place for place, gap in enumerate(path.gaps)}
    places = {step.course.id: place for place, step in enumerate(path.steps)}
    providers: dict[Title, int] = {}
    same = {name: getattr(path, name) for name in _AS_THEY_ARE}
    areas = ["", *(gap.area for gap in path.gaps)]
    whole = path.coverage
    return CompactPath(
        **same,
        coverage=CompactCoverage(whole.before, whole.after, whole.gap, whole.gained, whole.expected),
        gaps=[_gap(gap, "" if gap.area == area else gap.area) for gap, area in zip(path.gaps, areas, strict=False)],
        steps=[_step(step, skills, places, providers) for step in path.steps],
        open=[_open(row, skills[row.skill]) for row in path.open],
        assess_first=[
            CompactAssess(skills[one.skill], one.kind, one.measured, one.level, one.confidence)
            for one in path.assess_first
        ],
        notes=[
            CompactNote(note.course, note.kind, _title(note.title), note.completed, note.missing_hours, note.at_most)
            for note in path.notes
        ],
        providers=list(providers),
        successions=[
            CompactSuccession(
                one.kind,
                one.id,
                [(to.id, _named(to.title), to.match) for to in one.successors],
                _title(one.title),
                one.surpassed,
            )
            for one in path.successions
        ],
    )


_AS_THEY_ARE = (
    *("status", "job_group", "versions", "as_of", "stage", "budget_hours", "short_hours", "short_at_most"),
    *("kept", "limited", "finishing", "proved", "refusal"),
)


def _named(text: LocalizedText) -> Title:
    return text.th, text.en


def _title(text: LocalizedText | None) -> Title | None:
    return _named(text) if text else None


def _gap(gap: Gap, area: str) -> CompactGap:
    return CompactGap(
        gap.skill, _named(gap.title), area, gap.level, gap.required, gap.reached, gap.sd, gap.weight, gap.assessed
    )


def _step(step: Step, skills: dict[str, int], places: dict[str, int], providers: dict[Title, int]) -> CompactStep:
    course = step.course
    return CompactStep(
        course.id,
        _named(course.title),
        providers.setdefault(_named(course.provider), len(providers)),
        course.hours,
        course.languages,
        [
            CompactClose(skills[row.skill], row.to_level, row.contribution, row.confidence, row.mapped_from)
            for row in step.closes
        ],
        round(step.similarity, _SIMILARITY_PLACES),
        step.score,
        course.url,
        step.requires,
        [_unlock(places[other], step.unlock_conditions.get(other), skills) for other in step.unlocks],
        step.origin,
    )


def _unlock(place: int, condition: UnlockCondition | None, skills: dict[str, int]) -> CompactUnlock:
    if condition is None:
        return CompactUnlock(place)
    if condition.skill is None:
        return CompactUnlock(place, "course")
    if condition.framework is None and condition.skill in skills:
        return CompactUnlock(place, "skill", skills[condition.skill], condition.level)
    title = _title(condition.title)
    return CompactUnlock(place, "skill", condition.skill, condition.level, title, condition.framework)


def _open(row: OpenGap, skill: int) -> CompactOpen:
    return CompactOpen(
        skill,
        row.cause,
        row.courses,
        (row.nearest.id, _named(row.nearest.title)) if row.nearest else None,
        row.hours,
        row.missing_hours,
        row.at_most,
        row.exclusion,
        row.level,
        row.confidence,
    )


def encoded(path: CompactPath) -> dict[str, Any]:
    """Return the builtins that a compact path has in JSON: rows without trailing fields that hold their defaults."""
    found: dict[str, Any] = {}
    for name, value, default in zip(CompactPath.__struct_fields__, astuple(path), _defaults(CompactPath), strict=True):
        if value != default:
            found[name] = [_row(one) for one in value] if isinstance(value, list) else _short(value)
    found["coverage"] = _row(path.coverage)
    return found


def _row(row: Any) -> Any:
    if not isinstance(row, Struct):
        return row
    values, defaults = list(astuple(row)), _defaults(type(row))
    while values and values[-1] == defaults[len(values) - 1]:
        values.pop()
    return [
        [_row(one) for one in value] if name in ("closes", "unlocks") else _short(value)
        for name, value in zip(row.__struct_fields__, values, strict=False)
    ]


def _short(value: Any) -> Any:
    """Return a whole number as an int, because 2 is shorter than 2.0 in JSON, and any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def _defaults(shape: type[Struct]) -> list[Any]:
    """Return the defaults of a struct's fields, in their order."""
    return [one.default_factory() if callable(one.default_factory) else one.default for one in fields(shape)]


# --- expanding -------------------------------------------------------------------------------------------------------


def expanded(path: CompactPath) -> LearningPath:
    """Return a full path with its derived fields, without alternatives and sentences.

    Raises ValueError if a row refers to a position outside its list; no service announces such a path.
    """
    try:
        return _expanded(path)
    except (LookupError, TypeError) as error:
        raise ValueError(f"the rows of a path do not fit together: {error!r}") from None


def _expanded(path: CompactPath) -> LearningPath:
    gaps = _gaps(path.gaps)
    steps, hours = _steps(path, gaps)
    budget = path.budget_hours
    over = None if budget is None or hours <= budget else round(hours - budget, 6) or None
    same: dict[str, Any] = {name: getattr(path, name) for name in _AS_THEY_ARE}
    whole = path.coverage
    return LearningPath(
        **same,
        framework=path.versions.framework.rpartition("@")[0],
        coverage=Coverage(whole.before, whole.after, whole.gap, whole.gained, whole.expected),
        steps=steps,
        gaps=gaps,
        open=[_open_gap(row, gaps[row.skill]) for row in path.open],
        hours=hours,
        reason=UNRENDERED,
        over_budget_hours=over,
        assess_first=[_assess_first(one, gaps[one.skill]) for one in path.assess_first],
        notes=[
            Note(
                note.course, note.kind, UNRENDERED, _text(note.title), note.completed, note.missing_hours, note.at_most
            )
            for note in path.notes
        ],
        successions=[
            Succession(
                one.kind,
                one.id,
                [Successor(name, LocalizedText(*title), match) for name, title, match in one.successors],
                _text(one.title),
                one.surpassed,
            )
            for one in path.successions
        ],
    )


def _text(title: Title | None) -> LocalizedText | None:
    return LocalizedText(*title) if title else None


def _assess_first(one: CompactAssess, gap: Gap) -> AssessFirst:
    return AssessFirst(gap.skill, gap.title, UNRENDERED, one.kind, one.measured, one.level, one.confidence)


def _gaps(rows: Sequence[CompactGap]) -> list[Gap]:
    gaps: list[Gap] = []
    for row in rows:
        title, area = LocalizedText(*row.title), row.area or (gaps[-1].area if gaps else "")
        gaps.append(Gap(row.skill, title, area, row.level, row.sd, row.assessed, row.required, row.reached, row.weight))
    return gaps


def _steps(path: CompactPath, gaps: Sequence[Gap]) -> tuple[list[Step], float]:
    """Return the steps and their total hours."""
    held = {place: gap.level for place, gap in enumerate(gaps)}
    providers = [LocalizedText(*title) for title in path.providers]
    steps: list[Step] = []
    spent = 0
    for place, row in enumerate(path.steps):
        spent += round(row.hours * MICRO)
        closes = []
        for one in row.closes:
            gap = gaps[one.skill]
            closes.append(
                Closes(
                    skill=gap.skill,
                    title=gap.title,
                    from_level=held[one.skill],
                    to_level=one.to_level,
                    required=gap.required,
                    weight=gap.weight,
                    contribution=one.contribution,
                    confidence=one.confidence,
                    mapped_from=one.mapped_from,
                )
            )
            if one.confidence is None:  # only what is confirmed raises the level
                held[one.skill] = one.to_level
        conditions = [(path.steps[one.step].course, _condition(one, gaps)) for one in row.unlocks]
        title, provider = LocalizedText(*row.title), providers[row.provider]
        steps.append(
            Step(
                position=place + 1,
                course=CourseCard(row.course, title, provider, row.hours, row.languages, row.url),
                closes=closes,
                requires=row.requires,
                reason=UNRENDERED,
                similarity=row.similarity,
                score=row.score,
                cumulative_hours=spent / MICRO,
                alternatives=[],
                unlocks=[name for name, _ in conditions],
                unlock_conditions={name: condition for name, condition in conditions if condition},
                origin=row.origin,
            )
        )
    return steps, spent / MICRO


def _condition(row: CompactUnlock, gaps: Sequence[Gap]) -> UnlockCondition | None:
    if row.because is None:
        return None
    if row.because == "course":
        return UnlockCondition()
    if isinstance(row.skill, int):
        return UnlockCondition(gaps[row.skill].skill, gaps[row.skill].title, row.level)
    return UnlockCondition(row.skill, _text(row.title), row.level, row.framework)


def _open_gap(row: CompactOpen, gap: Gap) -> OpenGap:
    return OpenGap(
        gap.skill,
        gap.title,
        gap.required,
        gap.reached,
        row.cause,
        UNRENDERED,
        row.courses,
        row.hours,
        row.missing_hours,
        row.at_most,
        CourseName(row.nearest[0], LocalizedText(*row.nearest[1])) if row.nearest else None,
        row.exclusion,
        row.level,
        row.confidence,
    )
