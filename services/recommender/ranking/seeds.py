"""What comes first in a path whatever it closes: started, mandatory and pinned courses, with what opens their doors."""

from typing import Literal

import numpy as np

from services.recommender.model import MICRO, MOST_STEPS, Inputs
from services.recommender.ranking.bundles import assemble
from services.recommender.ranking.index import View
from services.recommender.ranking.ledger import Pick, Seed
from services.recommender.ranking.notices import gone, left_out_reason, unknown_completed
from services.recommender.ranking.offers import offer_of
from services.recommender.ranking.outcome import Seeds, course_of, way_of
from services.recommender.ranking.pricing import (
    ALL_HOURS,
    COUNT,
    DONE,
    Bench,
    study_on,
)
from services.recommender.ranking.problem import COSINE, HOURS_LEFT, PRICES, STATUS, STEPS_LEFT, Problem
from services.recommender.ranking.reach import FAR
from services.recommender.ranking.search import (
    SIZE,
    route_of,
    take,
)
from services.recommender.ranking.seeker import Field
from services.recommender.ranking.segments import Longs
from shared.paths import Note

Left = Literal["withdrawn", "unknown", "excluded", "unreachable", "does_not_fit"]


class _Bed:
    """Plants one course after the other into a standing."""

    def __init__(self, inputs: Inputs, view: View, field: Field, problem: Problem, state: Longs, bench: Bench) -> None:
        self._inputs, self._view, self._field = inputs, view, field
        self._problem, self._state, self._bench = problem, state, bench
        self.seeds = Seeds([], [])

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
        elif seed == "pinned" and (short := self._short(way)) is not None:
            self._note(course_id, "does_not_fit", short)
        elif seed == "mandatory" and self._crowded(way):
            self._note(course_id, "does_not_fit")
        else:
            route = route_of(self._problem)
            take(self._problem, self._state, self._bench, way, route)
            for taken in route.ways[: int(route.figures[SIZE])].tolist():
                self._pick(taken, seed)

    def _short(self, way: int) -> float | None:
        """Return by how many hours a course's bundle does not fit, 0 where only steps run out; None: it fits."""
        assemble(self._problem, self._state, self._bench, way)
        figures, state = self._bench.figures, self._state
        short = max(int(figures[ALL_HOURS] - state[HOURS_LEFT]), 0) / MICRO
        return short if short or figures[COUNT] > state[STEPS_LEFT] else None

    def _crowded(self, way: int) -> bool:
        """Return whether a course's bundle is more than a path may hold."""
        assemble(self._problem, self._state, self._bench, way)
        return bool(self._bench.figures[COUNT] + len(self.seeds.picks) > MOST_STEPS)

    def _pick(self, way: int, seed: Seed) -> None:
        course = course_of(self._field, self._problem, self._view, way)
        self.seeds.picks.append(Pick(offer_of(course), 0, int(self._problem.ways[way, COSINE]) / MICRO, [], seed))

    def _note(self, course_id: str, kind: Left, short: float = 0.0) -> None:
        course = self._view.course(course_id)
        words = "no_steps" if kind == "does_not_fit" and not short else kind
        self.seeds.notes.append(
            Note(course_id, kind, left_out_reason(words, short), title=course.title if course else None)
        )

    def withdrawn(self) -> None:
        """Note the courses of the path before that are no longer offered, and completed ones that nobody knows."""
        told = {note.course for note in self.seeds.notes} | self._inputs.done
        for course_id in self._inputs.previous:
            if course_id not in told and self._view.course(course_id) is None:
                self._note(course_id, "withdrawn")
        self.seeds.notes.extend(unknown_completed(self._inputs, self._view.course))


def plant(inputs: Inputs, view: View, field: Field, problem: Problem, state: Longs, bench: Bench) -> Seeds:
    """Take the seeds in order: started, mandatory, pinned. Moves the state on."""
    bed = _Bed(inputs, view, field, problem, state, bench)
    wanted: list[tuple[Seed, list[str]]] = [
        ("started", inputs.started),
        ("mandatory", inputs.mandatory),
        ("pinned", inputs.pinned),
    ]
    for seed, course_ids in wanted:
        for course_id in dict.fromkeys(course_ids):
            bed.plant(course_id, seed)
    bed.withdrawn()
    return bed.seeds
