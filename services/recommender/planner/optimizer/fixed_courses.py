"""What comes first in a path whatever it closes: started, mandatory and pinned courses, with what opens their doors."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from services.recommender.inputs import MICRO, MOST_STEPS, Inputs
from services.recommender.planner.course_spec import SkillKey, offer_of
from services.recommender.planner.exact.minimum_closure import Stock
from services.recommender.planner.exact.residual import (
    Left,
    Pick,
    Seed,
    Short,
    end_of,
    gone,
    left_out,
    pinned_in,
    unknown_completed,
)
from services.recommender.planner.index.catalog import View
from services.recommender.planner.index.segment import Longs
from services.recommender.planner.optimizer.closure import assemble
from services.recommender.planner.optimizer.instance import (
    COSINE,
    HOURS_LEFT,
    NUMBER,
    PRICES,
    STATUS,
    STEPS_LEFT,
    Problem,
)
from services.recommender.planner.optimizer.query import Field
from services.recommender.planner.optimizer.search import SIZE, route_of, take
from services.recommender.planner.optimizer.state import (
    ALL_HOURS,
    COUNT,
    DONE,
    Bench,
    study_on,
)
from services.recommender.planner.units import FAR
from services.recommender.planner.value import Worth
from shared.paths import Note
from shared.skills import Course


class Seeds(NamedTuple):
    """What comes first whatever it closes, and what was wanted and cannot."""

    picks: list[Pick]
    notes: list[Note]


def course_of(field: Field, problem: Problem, view: View, way: int) -> Course:
    """Return the course of a way."""
    course = view.course(field.course_id(int(problem.ways[way, NUMBER])))
    if course is None:
        raise LookupError(f"way {way} is no course of this view")
    return course


def way_of(field: Field, problem: Problem, course_id: str) -> int:
    """Return the way of a course; -1 where the problem has none."""
    for number in field.numbers([course_id]):
        for way in np.flatnonzero(problem.ways[:, NUMBER] == number).tolist():
            return int(way)
    return -1


class Ground(NamedTuple):
    """What seeds are planted in: an officer, who stands at these `doors`, and the courses there are."""

    inputs: Inputs
    view: View
    worth: Worth
    doors: Mapping[SkillKey, float]
    field: Field
    stock: Stock


class _Bed:
    """Plants one course after the other into a standing. `missing`: courses that would be needed and are not known."""

    def __init__(self, ground: Ground, problem: Problem, state: Longs, bench: Bench) -> None:
        self._inputs, self._view, self._field = ground.inputs, ground.view, ground.field
        self._ground, self._problem, self._state, self._bench = ground, problem, state, bench
        self.seeds = Seeds([], [])
        self.missing: list[str] = []

    def plant(self, course_id: str, seed: Seed) -> None:
        """Take a course with what opens its door, or note why not."""
        course = self._view.course(course_id)
        if course_id in self._inputs.done:
            return
        if course is None:
            self._note(course_id, gone(self._inputs, course_id))
            return
        way = way_of(self._field, self._problem, course_id)
        if way < 0:
            self._note(course_id, "excluded")
        elif self._state[self._problem.at[STATUS] + way] == DONE:
            return
        elif seed == "started":
            study_on(self._problem, self._state, self._bench, np.array([way]))
            self._pick(way, seed)
        elif self._state[self._problem.at[PRICES] + way] >= FAR:
            self._note(course_id, "unreachable")
        elif seed == "pinned" and not self._fits(way):
            self._pin(course_id)
        elif seed == "mandatory" and self._crowded(way):
            self._note(course_id, "does_not_fit")
        else:
            route = route_of(self._problem)
            take(self._problem, self._state, self._bench, way, route)
            for taken in route.ways[: int(route.figures[SIZE])].tolist():
                self._pick(taken, seed)

    def _fits(self, way: int) -> bool:
        assemble(self._problem, self._state, self._bench, way)
        figures, state = self._bench.figures, self._state
        return bool(figures[ALL_HOURS] <= state[HOURS_LEFT] and figures[COUNT] <= state[STEPS_LEFT])

    def _pin(self, course_id: str) -> None:
        """Take a course by the shortest way there is, where the cheapest does not fit; or note what is missing."""
        ground, picks = self._ground, self.seeds.picks
        end = end_of(ground.inputs, ground.worth, ground.doors, picks)
        courses, short = pinned_in(end, course_id, ground.stock)
        if not courses:
            return self._note(course_id, "does_not_fit", short)
        ways = [way_of(self._field, self._problem, name) for name in courses]
        if min(ways) < 0:
            self.missing += courses
            return None
        study_on(self._problem, self._state, self._bench, np.array(ways))
        for way in ways:
            self._pick(way, "pinned")
        return None

    def _crowded(self, way: int) -> bool:
        """Return whether a course's bundle is more than a path may hold."""
        assemble(self._problem, self._state, self._bench, way)
        return bool(self._bench.figures[COUNT] + len(self.seeds.picks) > MOST_STEPS)

    def _pick(self, way: int, seed: Seed) -> None:
        course = course_of(self._field, self._problem, self._view, way)
        self.seeds.picks.append(Pick(offer_of(course), 0, int(self._problem.ways[way, COSINE]) / MICRO, [], seed))

    def _note(self, course_id: str, kind: Left, short: Short | None = None) -> None:
        self.seeds.notes.append(left_out(course_id, kind, self._view.course(course_id), short))

    def withdrawn(self) -> None:
        """Note the courses of the path before that are no longer offered, and completed ones that nobody knows."""
        told = {note.course for note in self.seeds.notes} | self._inputs.done
        for course_id in self._inputs.previous:
            if course_id not in told and self._view.course(course_id) is None:
                self._note(course_id, "withdrawn")
        self.seeds.notes.extend(unknown_completed(self._inputs, self._view.course))


def plant(ground: Ground, problem: Problem, state: Longs, bench: Bench) -> tuple[Seeds, list[str]]:
    """Take the seeds in order: started, mandatory, pinned. Moves the state on.

    Returns them, and the courses that the problem must also know, or something pinned seems not to fit.
    """
    bed, inputs = _Bed(ground, problem, state, bench), ground.inputs
    wanted: list[tuple[Seed, list[str]]] = [
        ("started", inputs.started),
        ("mandatory", inputs.mandatory),
        ("pinned", inputs.pinned),
    ]
    for seed, course_ids in wanted:
        for course_id in dict.fromkeys(course_ids):
            bed.plant(course_id, seed)
    bed.withdrawn()
    return bed.seeds, bed.missing
