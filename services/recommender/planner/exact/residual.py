"""What keeps a skill from rising above the level that a finished path reaches, and how many hours more would do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from services.recommender.inputs import (
    EXCLUDE,
    INCLUDE_ONLY,
    MICRO,
    MOST_STEPS,
    Inputs,
    names_of,
)
from services.recommender.planner.course_spec import Offer, SkillKey
from services.recommender.planner.exact.conditions import Done, Standing, Way, way_of
from services.recommender.planner.exact.minimum_closure import (
    WEIGHED,
    Least,
    Rise,
    Stock,
    cheapest,
    helps,
    least,
    without_spare,
)
from services.recommender.planner.units import NO_LIMIT, micro
from services.recommender.planner.value import Worth
from shared.paths import UNSAID, CourseName, Note
from shared.skills import Course

Seed = Literal["started", "mandatory", "pinned"]


class RunnerUp(Struct, frozen=True):
    """A candidate that lost a pick. `score`: micro-levels per hour of its bundle."""

    course: Course
    score: int


class Pick(Struct, frozen=True):
    """A course taken into the path, with the score of the bundle that brought it in."""

    offer: Offer
    score: int
    similarity: float
    runners_up: list[RunnerUp]
    seed: Seed | None = None


Barred = Literal["language", "rule", "feedback"]


class Short(Struct, frozen=True):
    """Hours that are needed and hours that are left. `proved`: no way takes fewer; else it is the shortest found."""

    needed: float
    left: float
    proved: bool = True

    @property
    def missing(self) -> float:
        """Hours, to six places."""
        return round(self.needed - self.left, 6)


class Obstacle(Struct, frozen=True):
    """Why a skill stays below what is required. `nearest`: the course that would come next.

    `courses`: the ids of the shortest way found to it. `short` is set where the hours are what is missing; `barred`
    where it is not to be used. Without hours a budget of steps is what is missing.
    """

    cause: Literal["no_course", "budget", "little", "prerequisite", "excluded", "kept"]
    nearest: CourseName | None = None
    short: Short | None = None
    barred: Barred | None = None
    courses: list[str] = []


Left = Literal["withdrawn", "unknown", "excluded", "unreachable", "does_not_fit"]


def gone(inputs: Inputs, course_id: str) -> Literal["withdrawn", "unknown"]:
    """Return what is known of a course that is not to be seen: it was offered once, or only its name was ever given."""
    return "withdrawn" if course_id in inputs.previous or course_id in inputs.started else "unknown"


def left_out(course_id: str, kind: Left, course: Course | None, short: Short | None = None) -> Note:
    """Return the note on a course that was wanted. `short`: the hours, where they are what is missing."""
    return Note(
        course_id,
        kind,
        UNSAID,
        title=course.title if course else None,
        missing_hours=short.missing if short else None,
        at_most=bool(short and not short.proved),
    )


def unknown_completed(inputs: Inputs, find: Callable[[str], Course | None]) -> list[Note]:
    """Return a note on every completed course that is not to be seen, by id."""
    return [Note(name, "unknown", UNSAID, completed=True) for name in sorted(inputs.done) if find(name) is None]


def pinned_in(end: Standing, course_id: str, stock: Stock) -> tuple[list[str], Short | None]:
    """Return the shortest way to a pinned course in order of study; or none, and the hours where those are missing."""
    left, target = max(end.hours, 0), [Done(course_id)]
    within = least(end, target, stock, max(end.steps, 0))
    if within and within.courses and within.hours <= left:
        return [way.id for way in within.courses], None
    found = least(end, target, stock)
    if found and found.courses and found.hours > left:
        return [], Short(found.hours / MICRO, left / MICRO, found.proved and not stock.unsure)
    return [], None


class Beyond(NamedTuple):
    """What lies beyond the end of a path: where the officer then stands, and the courses that may still be taken.

    `above` (skill, micro-level): the courses that teach a skill beyond a level, whether they may be taken or not.
    """

    inputs: Inputs
    end: Standing
    stock: Stock
    above: Callable[[str, int], Iterable[Course]]
    kept: bool = False
    finishing: bool = False

    def obstacle(self, skill: str, reached: float) -> Obstacle:
        """Return what keeps a skill at the level that the path reaches: hours, a closed door, a bar, no course."""
        need = Rise((self.inputs.framework.id, skill), micro(reached) + 1)
        found = least(self.end, [need], self.stock)
        if found is None:
            return self._out_of_reach(skill, micro(reached))
        if not found.courses:  # more courses than any path may hold
            return Obstacle("budget", _named(next(self.stock.meeting(need)).offer.course))
        nearest = _named(next(way for way in found.courses if helps(way, need)).offer.course)
        courses, left = [way.id for way in found.courses], max(self.end.hours, 0)
        if found.hours > left:
            short = Short(found.hours / MICRO, left / MICRO, self._proved(found))
            return Obstacle("budget", nearest, short, courses=courses)
        steps = max(self.end.steps, 0)
        within = found if len(courses) <= steps else least(self.end, [need], self.stock, steps)
        if within is None or within.hours > left:
            return Obstacle("budget", nearest, courses=courses)
        if self.finishing:
            return Obstacle("kept", nearest, courses=courses)
        return Obstacle("little", nearest, courses=courses)

    def _proved(self, found: Least) -> bool:
        return found.proved and not self.stock.unsure

    def _out_of_reach(self, skill: str, reached: int) -> Obstacle:
        """Return what keeps a skill from rising where no course that can be entered and used raises it."""
        above = sorted(self.above(skill, reached), key=lambda course: (course.hours, course.id))
        for course in above:
            if why_barred(self.inputs, course) is None:
                return Obstacle("prerequisite", _named(course))
        for course in above:
            return Obstacle("excluded", _named(course), barred=why_barred(self.inputs, course) or "rule")
        return Obstacle("no_course")

    def short(self, worth: Worth, reached: Mapping[str, float]) -> Short | None:
        """Return how many hours it takes to close all that courses can close, beside those left.

        None where hours are not missing.
        """
        if self.inputs.budget_hours is None:
            return None
        targets = []
        for skill in worth.gaps:
            key, held = (self.inputs.framework.id, skill), micro(reached[skill])
            wanted = micro(worth.wants[skill].required)
            if (
                worth.wants[skill].lacks(reached[skill])
                and (level := self.stock.highest(key, held, wanted)) is not None
            ):
                targets.append(Rise(key, level))
        if not targets:
            return None
        hours, proved, left = *self._together(targets), max(self.end.hours, 0)
        return Short(hours / MICRO, left / MICRO, proved) if hours > left else None

    def _together(self, targets: list[Rise]) -> tuple[int, bool]:
        """Return the hours of a way to all targets, and whether none is shorter.

        The way to one begins where those to the others end, the one that takes longest first; what is then spare is
        left out. It is proved where it takes no more than one of them takes at least.
        """
        apart = {target: least(self.end, [target], self.stock, most_sets=0) for target in targets}
        now, taken = self.end.copy(), list[Way]()
        for target, _ in sorted(apart.items(), key=lambda item: (-item[1].hours if item[1] else 0, item[0])):
            if any(helps(way, target) for way in taken):
                continue
            if (more := cheapest(now, [target], self.stock)) is None:
                return 0, False  # more courses than any path may hold: no number is told
            for way in more:
                now.study(way)
            taken += more
        if len(taken) <= WEIGHED:
            taken = without_spare(self.end, taken, targets)
        hours = sum(way.hours for way in taken)
        floor = max(alone.floor for alone in apart.values() if alone)
        return hours, hours <= floor and not self.stock.unsure


def _named(course: Course) -> CourseName:
    return CourseName(course.id, course.title)


def end_of(inputs: Inputs, worth: Worth, doors: Mapping[SkillKey, float], picks: Sequence[Pick]) -> Standing:
    """Return where an officer stands after a path. `doors`: the levels that entries are tested against before it."""
    end = Standing(
        hours=NO_LIMIT if inputs.budget_hours is None else round(inputs.budget_hours * MICRO),
        steps=MOST_STEPS if inputs.max_steps is None else min(inputs.max_steps, MOST_STEPS),
        levels={skill: micro(level) for skill, level in doors.items()},
        done=set(inputs.done),
        held=dict.fromkeys(worth.gaps, 0),
    )
    for pick in picks:
        end.study(way_of(inputs, worth, pick.offer, 1.0))
    return end


def reached_by(inputs: Inputs, worth: Worth, picks: Sequence[Pick]) -> dict[str, float]:
    """Return required skill -> the level that a path reaches."""
    held = {skill: want.level for skill, want in worth.wants.items()}
    for pick in picks:
        for (framework, skill), (_, level) in pick.offer.teaches.items():
            if framework == inputs.framework.id and skill in held:
                held[skill] = max(held[skill], level)
    return held


def why_barred(inputs: Inputs, course: Course) -> Barred | None:
    """Return why a course that can be seen is not to be used; None where it is."""
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
