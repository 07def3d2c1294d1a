"""The residual problem at the end of a path: what blocks the open gaps, and how many more hours would close them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

from services.recommender.inputs import MICRO, MOST_STEPS, Inputs, MatchedSpan
from services.recommender.planner.course_spec import Condition, CourseCondition, LevelCondition, SkillKey
from services.recommender.planner.exact.minimum_closure import AvailableCourses, MinimumClosure, minimum_closure
from services.recommender.planner.exact.options import CourseOption, PathState
from services.recommender.planner.units import UNLIMITED, micro
from services.recommender.planner.value import ValueFunction
from services.recommender.rules import EXCLUDE, INCLUDE_ONLY, names_of
from shared.domain import Course
from shared.paths import UNRENDERED, CourseName, Note

Origin = Literal["started", "mandatory", "pinned"]


class RunnerUp(Struct, frozen=True):
    """A candidate that was not picked. `score`: of its closure, in micro-levels per weighted hour."""

    course: Course
    score: int


class Pick(Struct, frozen=True):
    """A course of the path, and the score of the closure that added it, in micro-levels per weighted hour.

    `origin`: set if the course was requested, so that it comes first whatever its value.
    """

    option: CourseOption
    score: int = 0
    runners_up: list[RunnerUp] = []
    origin: Origin | None = None


Exclusion = Literal["language", "rule", "feedback"]


class MissingHours(Struct, frozen=True):
    """The hours that some courses need, and the hours left in the budget.

    `proved`: no sequence of courses needs fewer hours; otherwise `needed` are the hours of the shortest sequence found.
    """

    needed: float
    left: float
    proved: bool = True

    @property
    def hours(self) -> float:
        """The missing hours: needed minus left, to six decimals."""
        return round(self.needed - self.left, 6)


class GapBlocker(Struct, frozen=True):
    """Why a skill stays below the requirement. `nearest`: the course that would raise the skill next.

    `courses`: the ids of the shortest sequence found that includes `nearest`. `matched`: the row of `nearest`, if
    nobody has confirmed that it raises the skill. `missing` is set if hours are missing, `exclusion` if the course must
    not be used. A `budget` without missing hours means that steps are missing.
    """

    cause: Literal["no_course", "budget", "little", "prerequisite", "excluded", "kept"]
    nearest: CourseName | None = None
    missing: MissingHours | None = None
    exclusion: Exclusion | None = None
    courses: list[str] = []
    matched: MatchedSpan | None = None


LeftOutCause = Literal["withdrawn", "unknown", "excluded", "unreachable", "does_not_fit"]


def missing_course_cause(inputs: Inputs, course_id: str) -> Literal["withdrawn", "unknown"]:
    """Return why a course is not visible: it was withdrawn, or the catalog never had a course with this id.

    A course that was started, pinned or in the previous path counts as withdrawn, because the catalog offered it then.
    """
    offered = (inputs.previous, inputs.started, inputs.pinned)
    return "withdrawn" if any(course_id in names for names in offered) else "unknown"


def left_out(course_id: str, cause: LeftOutCause, course: Course | None, missing: MissingHours | None = None) -> Note:
    """Return the note on a requested course. `missing`: the missing hours, if hours are the reason."""
    return Note(
        course_id,
        cause,
        UNRENDERED,
        title=course.title if course else None,
        missing_hours=missing.hours if missing else None,
        at_most=bool(missing and not missing.proved),
    )


def unknown_completed(inputs: Inputs, find: Callable[[str], Course | None]) -> list[Note]:
    """Return a note on every completed course that is not visible, by id."""
    return [Note(name, "unknown", UNRENDERED, completed=True) for name in sorted(inputs.done) if find(name) is None]


def pinned_closure(
    end: PathState, course_id: str, available: AvailableCourses
) -> tuple[list[str], MissingHours | None]:
    """Return the ids of the minimum closure of a pinned course, in order of study, and None.

    If the closure does not fit at the state `end`, return no ids, and the missing hours if hours are what is missing.
    """
    left, goal = max(end.hours, 0), [CourseCondition(course_id)]
    within = minimum_closure(end, goal, available, steps=max(end.steps, 0), hours=left)
    if within and within.courses:
        return [option.id for option in within.courses], None
    found = minimum_closure(end, goal, available)
    if found and found.courses and found.hours > left:
        return [], MissingHours(found.hours / MICRO, left / MICRO, found.proved)
    return [], None


class ResidualProblem(NamedTuple):
    """The state at the end of a path, and the courses that may still be taken."""

    inputs: Inputs
    end: PathState
    available: AvailableCourses
    kept: bool = False
    finishing: bool = False

    def open_gaps(self, value: ValueFunction) -> Iterator[tuple[SkillKey, int, int]]:
        """Yield each gap that the path leaves open, with the micro-levels that it reaches and that are required."""
        for skill in value.gaps:
            key, target = (self.inputs.framework.id, skill), value.targets[skill]
            if target.lacks((level := self.end.levels[key]) / MICRO):
                yield key, level, micro(target.required)

    def blocker(self, skill: str) -> GapBlocker:
        """Return what keeps a skill at the level that the path reaches: hours, a condition, an exclusion, no course."""
        reached = self.end.levels[key := (self.inputs.framework.id, skill)]
        condition = LevelCondition(key, reached + 1)
        found = minimum_closure(self.end, [condition], self.available)
        if found is None:
            return self._unconfirmed(skill) or self._out_of_reach(skill, reached)
        if not found.courses:  # more courses than any path may hold
            shortest = next(self.available.achievers(condition))
            return GapBlocker("budget", _named(self.available.known(shortest.id).spec.course))
        nearest = next(option for option in found.courses if option.achieves(condition))
        return self._within_limits(condition, found, nearest, None)

    def _within_limits(
        self, goal: Condition, found: MinimumClosure, nearest: CourseOption, matched: MatchedSpan | None
    ) -> GapBlocker:
        """Return why the shortest sequence to a goal, which can be studied after the path, is not in it."""
        course, courses, left = (
            _named(nearest.spec.course),
            [option.id for option in found.courses],
            max(self.end.hours, 0),
        )
        if found.hours > left:
            # Of unconfirmed rows only the way to one course is known.
            proved = found.proved and (matched is None or found.courses == [nearest])
            missing = MissingHours(found.hours / MICRO, left / MICRO, proved)
            return GapBlocker("budget", course, missing, courses=courses, matched=matched)
        steps = max(self.end.steps, 0)
        fits = len(courses) <= steps
        if not fits and (within := minimum_closure(self.end, [goal], self.available, steps=steps, hours=left)):
            fits = bool(within.courses)
        if not fits:
            return GapBlocker("budget", course, courses=courses, matched=matched)
        return GapBlocker("kept" if self.finishing else "little", course, courses=courses, matched=matched)

    def _unconfirmed(self, skill: str) -> GapBlocker | None:
        """Return what blocks the shortest course that may raise a skill by its description; None if there is none."""
        key = (self.inputs.framework.id, skill)
        for name in self.available.matched(skill, self.end):
            option = self.available.option(name)
            step = option.gap_effects.get(skill) if option and skill in option.unconfirmed else None
            if option and step and self.end.gain(skill, step) and name not in self.end.done:
                goal = CourseCondition(option.id)
                found = minimum_closure(self.end, [goal], self.available)
                if found and found.courses:
                    return self._within_limits(goal, found, option, option.spec.matched[key])
        return None

    def _out_of_reach(self, skill: str, reached: int) -> GapBlocker:
        """Return why a skill stays low if no course that can be entered and used raises it."""
        course = next(iter(self.available.above(skill, reached)), None)
        if course is None:
            return GapBlocker("no_course")
        if exclusion := exclusion_reason(self.inputs, course):
            return GapBlocker("excluded", _named(course), exclusion=exclusion)
        return GapBlocker("prerequisite", _named(course))

    def missing_hours(self, value: ValueFunction) -> MissingHours | None:
        """Return the hours that it takes to close all that courses can close, and the hours left after the path.

        Returns None if no hours are missing, or if the officer has no budget.
        """
        if self.inputs.budget_hours is None:
            return None
        targets = [
            LevelCondition(key, level)
            for key, reached, required in self.open_gaps(value)
            if (level := self.available.highest(key, reached, required)) is not None
        ]
        found, left = minimum_closure(self.end, targets, self.available), max(self.end.hours, 0)
        if found is None or found.hours <= left:
            return None
        return MissingHours(found.hours / MICRO, left / MICRO, found.proved)


def _named(course: Course) -> CourseName:
    return CourseName(course.id, course.title)


def state_before(inputs: Inputs, value: ValueFunction, entry_levels: Mapping[SkillKey, float]) -> PathState:
    """Return the state before a path. `entry_levels`: (framework, skill) -> level that counts for entry."""
    return PathState(
        hours=UNLIMITED if inputs.budget_hours is None else round(inputs.budget_hours * MICRO),
        steps=MOST_STEPS if inputs.max_steps is None else min(inputs.max_steps, MOST_STEPS),
        levels={skill: micro(level) for skill, level in entry_levels.items()},
        done=set(inputs.done),
        held=dict(value.stairs),
    )


def exclusion_reason(inputs: Inputs, course: Course) -> Exclusion | None:
    """Return why a visible course must not be used; None if it may be."""
    if course.id in inputs.excluded:
        return "feedback"
    if course.id in inputs.mandatory or course.id in inputs.started:
        return None
    if inputs.languages and set(inputs.languages).isdisjoint(course.languages):
        return "language"
    for rule in inputs.rules:
        if rule.bias in (INCLUDE_ONLY, EXCLUDE) and (rule.bias == EXCLUDE) != rule.names.isdisjoint(
            names_of(rule, course, inputs.framework.id)
        ):
            return "rule"
    return None
