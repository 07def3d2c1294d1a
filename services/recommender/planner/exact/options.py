"""Courses as options for one officer, and the state along a path: integers, in plain Python."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import sqrt

from services.recommender.inputs import MICRO, Inputs, MatchedSpan
from services.recommender.planner.course_spec import (
    Condition,
    CourseCondition,
    CourseSpec,
    LevelCondition,
    SkillKey,
    cost_factor,
)
from services.recommender.planner.units import micro
from services.recommender.planner.value import CERTAIN, Stair, Stairs, ValueFunction, added, total_value, with_stair
from services.recommender.rules import EXCLUDE, INCLUDE_ONLY, names_of
from shared.domain import Course


@dataclass(frozen=True, slots=True, eq=False)
class CourseOption:
    """A course as one officer may use it. `cost`: weighted micro-hours; `hours`: micro-hours; `cosine` in millionths.

    `level_effects`: skill -> micro-level that the course leads to; `gap_effects`: gap -> stair. `unconfirmed`: gap ->
    micro-level of an unconfirmed row, which is a gap effect but no level effect.
    """

    conditions: tuple[Condition, ...]
    id: str
    cost: int
    hours: int
    spec: CourseSpec
    level_effects: Mapping[SkillKey, int]
    gap_effects: Mapping[str, Stair]
    cosine: int
    unconfirmed: Mapping[str, int] = field(default_factory=dict)

    def achieves(self, condition: Condition) -> bool:
        """Return whether completing the course satisfies a condition, or some condition in a branch of an `any`."""
        if isinstance(condition, LevelCondition):
            return self.level_effects.get(condition.skill, 0) >= condition.level
        if isinstance(condition, CourseCondition):
            return self.id == condition.course
        return any(self.achieves(one) for branch in condition.branches for one in branch)


@dataclass(slots=True)
class PathState:
    """The state along a path: hours and courses left, levels that count for entry, completed courses, stairs per gap.

    `hours`: micro-hours left; `steps`: courses left; `levels`: micro-levels. `value`: all that the path has gained so
    far, in micro-levels.
    """

    hours: int
    steps: int
    levels: dict[SkillKey, int]
    done: set[str]
    held: dict[str, Stairs]
    value: int = 0

    def copy(self) -> "PathState":
        """Return a copy."""
        return PathState(self.hours, self.steps, dict(self.levels), set(self.done), dict(self.held), self.value)

    def meets(self, condition: Condition) -> bool:
        """Return whether a condition holds."""
        if isinstance(condition, LevelCondition):
            return self.levels.get(condition.skill, 0) >= condition.level
        if isinstance(condition, CourseCondition):
            return condition.course in self.done
        return any(all(map(self.meets, branch)) for branch in condition.branches)

    def admits(self, option: CourseOption) -> bool:
        """Return whether a course can be entered."""
        return all(map(self.meets, option.conditions))

    def study(self, option: CourseOption) -> None:
        """Complete a course: spend its hours and one step; raise levels and stairs to what it teaches; none falls."""
        self.hours -= option.hours
        self.steps -= 1
        self.done.add(option.id)
        for skill, level in option.level_effects.items():
            self.levels[skill] = max(self.levels.get(skill, 0), level)
        for gap, step in option.gap_effects.items():
            held = self.held.get(gap, ())
            if (after := with_stair(held, step)) is not held:
                self.held[gap] = after
                self.value += total_value(after) - total_value(held)

    def after(self, options: Iterable[CourseOption]) -> "PathState":
        """Return the state after more courses, which are completed in this order."""
        then = self.copy()
        for option in options:
            then.study(option)
        return then

    def gain(self, gap: str, step: Stair) -> int:
        """Return by how much one more stair would raise the value of a gap, in micro-levels."""
        return added(self.held.get(gap, ()), step)

    def gains(self, option: CourseOption) -> bool:
        """Return whether a course by itself would add value in this state."""
        return any(self.gain(gap, step) for gap, step in option.gap_effects.items())


def score_of(gain: int, cost: int, exponent: float = 1.0) -> int:
    """Return the score of a closure: `gain` / (`cost` in hours) ** `exponent`, rounded down to a whole number.

    `gain`: micro-levels; `cost`: weighted micro-hours.
    """
    divisor = cost if exponent == 1 else int(MICRO * (cost / MICRO) ** exponent + 0.5)
    return gain * MICRO // max(divisor, 1)


def cost_multiplier(inputs: Inputs, course: Course, *, ignore_preferences: bool) -> float:
    """Return the factor that multiplies the hours of a course; 0 if it must not be used.

    `ignore_preferences`: boosts and deferrals do not count.
    """
    if course.id in inputs.done or course.id in inputs.excluded:
        return 0
    spoken = set(inputs.languages or course.languages)
    factor = 0.0 if spoken.isdisjoint(course.languages) else cost_factor(course) / MICRO
    for rule in inputs.rules:
        holds = not rule.names.isdisjoint(names_of(rule, course, inputs.framework.id))
        if rule.bias in (INCLUDE_ONLY, EXCLUDE):
            factor = factor if holds == (rule.bias == INCLUDE_ONLY) else 0
        elif holds and not ignore_preferences:
            factor /= rule.bias
    factor *= 1.0 if ignore_preferences else inputs.cost_multipliers.get(course.id, 1.0)
    return 1.0 if factor == 0 and course.id in {*inputs.mandatory, *inputs.started} else factor


def weighted_cost(spec: CourseSpec, factor: float) -> int:
    """Return the cost of a course, in weighted micro-hours. `factor` multiplies its hours; it is not 0."""
    return spec.hours if factor == 1 else max(int(spec.hours * factor + 0.5), 1)


def course_option(inputs: Inputs, value: ValueFunction, spec: CourseSpec, cost: int, cosine: int = 0) -> CourseOption:
    """Return a course as one officer may use it, with this `cosine` (see `similarity_of`)."""
    ours = inputs.framework.id
    conditions, level_effects = _entry_and_levels(spec, ours)
    gap_effects = {
        skill: (CERTAIN, value.certain(skill, micro(high) / MICRO))
        for (framework, skill), (_, high) in spec.teaches.items()
        if framework == ours and skill in value.gaps
    }
    matched = list(_unconfirmed(ours, value, spec)) if spec.matched else []
    return CourseOption(
        conditions=conditions,
        id=spec.id,
        cost=cost,
        hours=spec.hours,
        spec=spec,
        level_effects=level_effects,
        gap_effects=gap_effects | {skill: step for skill, _, step in matched},
        cosine=cosine,
        unconfirmed={skill: row.high for skill, row, _ in matched},
    )


@lru_cache(maxsize=4096)
def _entry_and_levels(spec: CourseSpec, framework: str) -> tuple[tuple[Condition, ...], dict[SkillKey, int]]:
    """Return the conditions of a course, and skill -> micro-level that it leads to: the same for every officer."""
    return spec.conditions(framework), {skill: micro(high) for skill, (_, high) in spec.teaches.items()}


def stairs_by_gap(options: Iterable[CourseOption]) -> dict[str, dict[int, Stair]]:
    """Return gap -> {position in `options` of a course that raises the gap: its stair}."""
    found = defaultdict[str, dict[int, Stair]](dict)
    for place, option in enumerate(options):
        for gap, step in option.gap_effects.items():
            found[gap][place] = step
    return found


def _unconfirmed(ours: str, value: ValueFunction, spec: CourseSpec) -> Iterator[tuple[str, MatchedSpan, Stair]]:
    """Yield the unconfirmed rows of a course that have value, each with its gap and its stair."""
    for (framework, skill), row in spec.matched.items():
        if framework == ours and skill in value.gaps and (step := value.matched(skill, row)):
            yield skill, row, step


def similarity_of(ours: str, value: ValueFunction, spec: CourseSpec) -> int:
    """Return the cosine between the gap vector (values) and the teaching vector (levels gained), in millionths.

    `ours`: the id of the officer's framework. Unconfirmed rows count with their confidence.
    """
    gaps = {skill: size / MICRO for skill, size in value.gaps.items()}
    teaches = [(key[1], high, low) for key, (low, high) in spec.teaches.items() if key[0] == ours]
    taught = {skill: (micro(high) - micro(low)) / MICRO for skill, high, low in teaches}
    for skill, row, _ in _unconfirmed(ours, value, spec):
        taught[skill] = (row.high - row.low) * row.percent // 100 / MICRO
    dot = sum(gained * gaps[skill] for skill, gained in taught.items() if skill in gaps)
    one, other = (sqrt(sum(size * size for size in vector.values())) for vector in (taught, gaps))
    return int(dot / (one * other) * MICRO + 0.5) if dot > 0 else 0
