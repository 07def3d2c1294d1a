"""One officer before one catalog, in the auditor's own reading of the rules: who may enter what, and its value.

The planner's arrays and costs are not used. The value of a level is the one definition that is shared (`gaps`): it is
what is being maximised, and the validator works it out by itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from services.recommender.inputs import MICRO, MOST_STEPS, Inputs
from services.recommender.planner.completions import posterior_targets
from services.recommender.planner.value import ValueFunction
from shared.domain import Course, Prerequisite

Leaf = tuple[str, float]
"""A skill of the officer's framework and the level that is needed of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A course as the auditor reads it. `hours` in micro-hours; `low` and `high`: skill -> from and to."""

    course: Course
    hours: int
    low: Mapping[str, float]
    high: Mapping[str, float]

    @property
    def id(self) -> str:
        return self.course.id


@dataclass(slots=True)
class State:
    """The officer's state at one point. `levels` satisfy prerequisites; `held` are the estimates of required skills.

    The two differ where a course was done: it satisfies prerequisites in full, and counts by half in the estimate.
    """

    levels: dict[str, float]
    held: dict[str, float]
    done: set[str]

    def copy(self) -> "State":
        return State(dict(self.levels), dict(self.held), set(self.done))


class Problem:
    """`candidates`: the courses in a language of the officer that are not completed, in the order given."""

    def __init__(self, inputs: Inputs, courses: Iterable[Course]) -> None:
        self.inputs = inputs
        self.framework = inputs.framework.id
        courses = list(courses)
        self._targets, self.entry_levels = posterior_targets(inputs, {course.id: course for course in courses}.get)
        self.value = ValueFunction(self._targets)
        self.budget = round((inputs.budget_hours or 0) * MICRO)
        self.steps = MOST_STEPS if inputs.max_steps is None else inputs.max_steps
        languages = set(inputs.languages)
        self.candidates = [
            self._candidate(course)
            for course in courses
            if course.id not in inputs.completed and (not languages or languages & set(course.languages))
        ]
        self._elsewhere = {key: level for key, level in self.entry_levels.items() if key[0] != self.framework}

    def _candidate(self, course: Course) -> Candidate:
        low: dict[str, float] = {}
        high: dict[str, float] = {}
        for row in course.teaches:
            if row.framework == self.framework:
                low[row.skill] = min(row.from_level, low.get(row.skill, row.from_level))
                high[row.skill] = max(row.to_level, high.get(row.skill, row.to_level))
        return Candidate(course, max(round(course.hours * MICRO), 1), low, high)

    def start(self) -> State:
        """Return the officer's state before any course."""
        levels = {skill: level for (name, skill), level in self.entry_levels.items() if name == self.framework}
        return State(levels, {skill: want.level for skill, want in self._targets.items()}, set(self.inputs.completed))

    def holds(self, state: State, condition: Prerequisite) -> bool:
        """Return whether a condition of entry holds."""
        if condition.course is not UNSET:
            return condition.course in state.done
        if condition.any is not UNSET:
            return any(self.holds(state, branch) for branch in condition.any)
        if condition.all is not UNSET:
            return all(self.holds(state, branch) for branch in condition.all)
        assert condition.framework is not UNSET
        assert condition.skill is not UNSET
        assert condition.level is not UNSET
        if condition.framework != self.framework:
            return self._elsewhere.get((condition.framework, condition.skill), 0.0) >= condition.level
        return state.levels.get(condition.skill, 0.0) >= condition.level

    def admits(self, state: State, candidate: Candidate) -> bool:
        """Return whether the officer may enter."""
        if any(state.levels.get(skill, 0.0) < level for skill, level in candidate.low.items()):
            return False
        return all(self.holds(state, condition) for condition in candidate.course.requires)

    def take(self, state: State, candidate: Candidate) -> None:
        """Do a course."""
        state.done.add(candidate.id)
        for skill, level in candidate.high.items():
            state.levels[skill] = max(level, state.levels.get(skill, 0.0))
            if skill in state.held:
                state.held[skill] = max(level, state.held[skill])

    def gain(self, state: State, candidate: Candidate) -> int:
        """Return what a course adds to what is held, in micro-levels."""
        return sum(
            max(self.value.of(skill, level) - self.value.of(skill, state.held[skill]), 0)
            for skill, level in candidate.high.items()
            if skill in self.value.gaps
        )

    def gained(self, candidates: Iterable[Candidate]) -> int:
        """Return the value of these courses, if all are completed, in micro-levels."""
        best: dict[str, int] = {}
        for candidate in candidates:
            for skill, level in candidate.high.items():
                best[skill] = max(best.get(skill, 0), self.value.of(skill, level))
        return sum(best.values())

    def studied(self, chosen: Sequence[Candidate]) -> list[Candidate]:
        """Return those of the chosen that can be entered at all, in an order in which they can.

        A standing only grows, so taking whatever is open loses nothing.
        """
        state, order, left = self.start(), list[Candidate](), list(chosen)
        while opened := [candidate for candidate in left if self.admits(state, candidate)]:
            for candidate in opened:
                self.take(state, candidate)
            order += opened
            taken = set(opened)
            left = [candidate for candidate in left if candidate not in taken]
        return order

    def essential(self, chosen: Sequence[Candidate]) -> list[Candidate]:
        """Return a part of a path that has the same value, and loses value or entry without any one of its courses."""
        kept, value = list(chosen), self.gained(chosen)
        for candidate in reversed(chosen):
            rest = [other for other in kept if other is not candidate]
            if self.gained(rest) == value and len(self.studied(rest)) == len(rest):
                kept = rest
        return self.studied(kept)


def leaves(conditions: Iterable[Prerequisite]) -> Iterator[Prerequisite]:
    """Yield the single conditions on courses and levels, at any depth."""
    for condition in conditions:
        branches = condition.all if condition.all is not UNSET else condition.any
        if branches is UNSET:
            yield condition
        else:
            yield from leaves(branches)
