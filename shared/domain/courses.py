"""Courses: what they teach and require, and other facts that their platform gives."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import force_setattr

from shared.domain.values import (
    LEAST,
    Hours,
    Identifier,
    Language,
    Level,
    LocalizedText,
    Prose,
    ShortText,
    keep_millionths,
    millionths,
)


class Teaches(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A skill that a course teaches, from a level to a level at least a millionth higher.

    Only officers who hold the level `from` can enter the course. `mapped_from`: the provider states this other skill,
    `framework/skill`, and a framework states that both are the same; only the catalog adds such rows.
    """

    framework: Identifier
    skill: Identifier
    from_level: Level = field(name="from")
    to_level: Level = field(name="to")
    mapped_from: Annotated[str, Meta(max_length=200)] | None = None

    def __post_init__(self) -> None:
        if self.to_level <= self.from_level:
            raise ValueError("`to` must be above `from`")
        keep_millionths(self, "from_level", "to_level")
        if self.to_level <= self.from_level:  # less than a millionth apart
            force_setattr(self, "to_level", max(self.to_level, LEAST))
            force_setattr(self, "from_level", millionths(self.to_level - LEAST))


Confidence = Annotated[float, Meta(gt=0, lt=1, description="the probability that it is right")]


class MatchedRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A skill that a course probably teaches, from a level to a level, matched by its description and not confirmed.

    `from`: the level from which an officer can take the course, together with the courses that it requires.
    `confidence`: the probability that the course teaches the skill and that whoever holds `from` can do so.
    `threshold`: the least such confidence at which the skill is certain enough: four of five matches of skills that
    were as certain were right. It is lower, the less certain the entry is. `mapped_from`: the provider
    states this other skill, `framework/skill`, and a framework states that both are the same; then the description was
    not used, and only the levels are estimated.
    """

    framework: Identifier
    skill: Identifier
    from_level: Level = field(name="from")
    to_level: Level = field(name="to")
    confidence: Confidence
    threshold: Annotated[float, Meta(ge=0, le=1)]
    source: Literal["matched"] = "matched"
    mapped_from: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.to_level <= self.from_level:
            raise ValueError("`to` must be above `from`")
        keep_millionths(self, "from_level", "to_level", "confidence", "threshold")


class Prerequisite(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One entry condition: a completed course, a level of a skill, any of several conditions, or all of several.

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

    @property
    def required_level(self) -> tuple[str, str, float] | None:
        """(framework, skill, level) of a condition on a level; None for other forms."""
        if self.framework is UNSET or self.skill is UNSET or self.level is UNSET:
            return None
        return self.framework, self.skill, self.level

    def holds(self, completed: Callable[[str], bool], reached: Callable[[str, str, float], bool]) -> bool:
        """Return whether the condition holds.

        `completed`: whether a course is completed. `reached`: whether a framework's skill is at a level or above.
        """
        if self.course is not UNSET:
            return completed(self.course)
        if self.any is not UNSET:
            return any(one.holds(completed, reached) for one in self.any)
        if self.all is not UNSET:
            return all(one.holds(completed, reached) for one in self.all)
        if self.framework is UNSET or self.skill is UNSET or self.level is UNSET:
            return False
        return reached(self.framework, self.skill, self.level)


StatedFact = Literal["duration", "level", "prerequisites"]


class Completions(Struct, frozen=True, forbid_unknown_fields=True):
    """How many learners have started a course on its platform, and how many of them have completed it."""

    started: Annotated[int, Meta(ge=0, le=1_000_000_000)]
    completed: Annotated[int, Meta(ge=0)]

    def __post_init__(self) -> None:
        if self.completed > self.started:
            raise ValueError("`completed` must not be above `started`")


class Rating(Struct, frozen=True, forbid_unknown_fields=True):
    """The mean rating of a course by its learners, from 1 to 5, and the number of ratings."""

    mean: Annotated[float, Meta(ge=1, le=5)]
    count: Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Course(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A course of the catalog. All conditions in `requires` must hold before it begins.

    If `teaches` is empty, the skills are unknown: the course enters a path only as a prerequisite of another one, or
    through `matched`. `completions` and `rating` are the platform's own figures, if it has any. `code` is the
    provider's own code, `tags` are its keywords. `matched`: skills matched by the description and not confirmed; only
    the catalog sets it, and no skill is in both `matched` and `teaches`.

    `corequisites` should be taken before or at the same time, and learners who have taken one of `antirequisites` are
    not admitted; both are displayed and not enforced, as are `starts` and `ends`. `stated` keeps the provider's wording
    of facts, whether it could be parsed or not; `assumed` names the facts that the provider did not state.
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


def single_conditions(conditions: Iterable[Prerequisite]) -> Iterator[Prerequisite]:
    """Yield the conditions on one course or one level in prerequisites, at any depth."""
    for condition in conditions:
        if condition.any is UNSET and condition.all is UNSET:
            yield condition
        for branches in (condition.any, condition.all):
            if branches is not UNSET:
                yield from single_conditions(branches)


def courses_named(conditions: Iterable[Prerequisite]) -> Iterator[str]:
    """Yield the id of every course in prerequisites, at any depth."""
    return (one.course for one in single_conditions(conditions) if one.course is not UNSET)


def skills_named(conditions: Iterable[Prerequisite]) -> Iterator[tuple[str, str]]:
    """Yield (framework, skill) of every level in prerequisites, at any depth."""
    return (level[:2] for one in single_conditions(conditions) if (level := one.required_level))
