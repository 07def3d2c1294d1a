"""One officer's problem instance: the part of the catalog's graph that a plan weighs, and the value of its courses."""

from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from services.recommender.inputs import MICRO
from services.recommender.planner.index.graph import PrerequisiteGraph, Selection, subgraph
from services.recommender.planner.index.segment import Longs, offsets_of, ranges
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.optimizer.closure_cost import Costs, Flags, empty_costs
from services.recommender.planner.optimizer.query import Query
from services.recommender.planner.references import by_reference
from services.recommender.planner.value import CERTAIN

WEIGHED_DTYPE = np.dtype(
    [(field, np.int64) for field in ("number", "hours", "cost", "rank", "cosine", "gaps", "effect")]
)
"""A course of an instance.

Its number in the catalog's graph; micro-hours; cost in micro-hours; its order among equals (`rank`); the cosine between
what it teaches and the gaps, in millionths; how many gaps it raises before the path; and where it begins in `effects`.
"""

SLOT_DTYPE = np.dtype([(field, np.int64) for field in ("gap", "below", "percent", "gained")])
"""A slot: the part of the value of a gap that belongs to the confidences above `below` and up to `percent` per cent,
and the micro-levels of it that completed courses have gained.

A course counts in the slots up to its own confidence. A gap without unconfirmed rows has one slot, up to 100. Slots are
explained in `planner.value` as the bands under the stairs of a skill.
"""

EFFECT_DTYPE = np.dtype([("slot", np.int64), ("value", np.int64)])
"""An effect of a course: a slot, and the micro-levels held in it once the course is completed."""


@by_reference
class ProblemData(NamedTuple):
    """An instance of N courses for the compiled search. Costs and hours: micro-hours; levels and values: micro-levels.

    `graph` has these N courses under numbers of their own, here called rows. The readable rule has the same as plain
    objects: `reference.costs.ProblemData`.
    """

    graph: PrerequisiteGraph
    """Of the conditions only those that do not hold before the path."""
    courses: Records
    """(N + 1,) WEIGHED_DTYPE."""
    effects: Records
    """EFFECT_DTYPE: per course its effects; each slot at most once."""


class Instance(NamedTuple):
    """A problem instance as it is built; `initial_state` computes its closure and condition costs.

    `slots`: the number of slots (G). `levels`: (S,) micro-level before the path of each skill of the instance's graph.
    """

    problem: ProblemData
    slots: int
    levels: Longs
    costs: Costs

    def again(self) -> "Instance":
        """Return the same instance with new arrays for closure and condition costs, for another search to fill in."""
        return self._replace(costs=empty_costs(self.problem.graph, self.costs.cost, self.costs.ours))


def build_instance(graph: PrerequisiteGraph, query: Query, costs: Costs, selected: Selection) -> Instance:
    """Return the problem instance of one officer.

    `graph`: that of the search space; `query`, `costs`: those of the officer; `selected`: the part of the graph that
    the plan weighs.
    """
    part = subgraph(graph, selected, costs.ours)
    count = len(part.courses)
    courses = np.zeros(count + 1, WEIGHED_DTYPE)
    weighed = courses[:-1]
    weighed["number"], weighed["cost"] = part.courses, costs.cost[part.courses]
    for name in ("hours", "rank"):
        weighed[name] = graph.courses[name][part.courses]
    rows, owner = part.rows, part.owner
    # Unconfirmed rows of these courses, each with the place of its course.
    places = np.minimum(np.searchsorted(part.courses, query.unconfirmed["course"]), max(count - 1, 0))
    of_these = part.courses[places] == query.unconfirmed["course"] if count else np.zeros(len(places), np.bool_)
    matched, holder = query.unconfirmed[of_these], places[of_these]
    weighed["cosine"] = _cosines(query, costs.ours, rows, owner, matched, holder, count)
    gap, high = query.skills["gap"][rows["skill"]], rows["high"]
    closing = np.flatnonzero(gap >= 0)
    closing = closing[high[closing] > query.current_level[gap[closing]]]
    whole = _whole_values(query, gap[closing], high[closing])
    slots = _slots(query, matched)
    course, effects = _effects(
        slots,
        np.append(owner[closing], holder),
        np.append(gap[closing], matched["gap"]),
        np.append(np.full(len(closing), CERTAIN), matched["percent"]),
        np.append(whole, matched["whole"]),
    )
    courses["effect"] = offsets_of(np.bincount(course, minlength=count))
    raised = effects["value"] > 0
    pairs = np.unique(course[raised] * len(slots) + slots["gap"][effects["slot"][raised]])
    weighed["gaps"] = np.bincount(pairs // max(len(slots), 1), minlength=count)
    levels = query.skills["entry_level"][part.skills]
    own = empty_costs(part.arrays, np.ascontiguousarray(weighed["cost"]), np.zeros(len(part.skills), np.bool_))
    return Instance(ProblemData(part.arrays, courses, effects), len(slots), levels, own)


def _whole_values(query: Query, gaps: Longs, levels: Longs) -> Longs:
    """Return the value of each of these levels of these gaps, ignoring unconfirmed gains."""
    known = np.repeat(np.arange(len(query.current_level)), np.diff(query.begins)) << 32 | query.level_values["level"]
    found: Longs = query.level_values["whole"][np.searchsorted(known, gaps << 32 | levels)]
    return found


def _slots(query: Query, matched: Records) -> Records:
    """Return the slots of all gaps: SLOT_DTYPE, by gap, the least confident first. `matched`: unconfirmed rows."""
    edges = np.zeros((len(query.current_level), CERTAIN + 1), np.bool_)
    edges[:, CERTAIN] = True
    edges[matched["gap"], matched["percent"]] = True
    edges[query.stairs["gap"], query.stairs["percent"]] = True
    gaps, percents = np.nonzero(edges[:, 1:])
    slots = np.zeros(len(gaps), SLOT_DTYPE)
    slots["gap"], slots["percent"] = gaps, percents + 1
    slots["below"][1:] = np.where(gaps[1:] == gaps[:-1], slots["percent"][:-1], 0)
    for gap, percent, whole in query.stairs.tolist():
        held = (slots["gap"] == gap) & (slots["percent"] <= percent)
        slots["gained"] = np.where(held, np.maximum(slots["gained"], _share(slots, whole)), slots["gained"])
    return slots


def _share(slots: Records, whole: Any) -> Longs:
    """Return the part of each of these values that belongs to its slot; see `share` of `planner.value`."""
    above, below, rest = slots["percent"], slots["below"], whole % CERTAIN
    found: Longs = (above - below) * (whole // CERTAIN) + np.minimum(rest, above) - np.minimum(rest, below)
    return found


def _effects(slots: Records, course: Longs, gap: Longs, percent: Longs, whole: Longs) -> tuple[Longs, Records]:
    """Return (courses, effects): what levels of gaps add to each slot up to their confidence."""
    first, last = np.searchsorted(slots["gap"], gap), np.searchsorted(slots["gap"], gap, "right")
    level, slot = np.repeat(np.arange(len(gap)), last - first), ranges(first, last - first)
    counts = slots["percent"][slot] <= percent[level]
    level, slot = level[counts], slot[counts]
    effects = np.empty(len(slot), EFFECT_DTYPE)
    effects["slot"] = slot
    effects["value"] = np.maximum(_share(slots[slot], whole[level]) - slots["gained"][slot], 0)
    order = np.argsort(course[level], kind="stable")
    return course[level][order], effects[order]


def _cosines(
    query: Query, ours: Flags, rows: Records, owner: Longs, matched: Records, holder: Longs, courses: int
) -> Longs:
    """Return the cosine of the gap vector (values) and each teaching vector (levels gained), in millionths.

    Rounded to six decimals, so that ties do not depend on the machine's floating-point details.
    """
    gained = np.where(ours[rows["skill"]], (rows["high"] - rows["low"]) / MICRO, 0.0)
    gained = np.append(gained, matched["gain"] / MICRO)
    gap = np.append(query.skills["gap"][rows["skill"]], matched["gap"])
    course = np.append(owner, holder)
    dot = np.bincount(course, gained * np.append(query.size, 0.0)[gap], courses)
    own = np.bincount(course, gained * gained, courses)
    both = np.sqrt(own) * sqrt(sum(query.size * query.size))
    cosines = np.divide(dot, both, out=np.zeros(courses), where=dot > 0)
    return (cosines * MICRO + 0.5).astype(np.int64)
