"""One officer's problem instance: the part of the catalog's graph that a plan weighs, and the value of its courses."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from services.recommender.inputs import MICRO
from services.recommender.planner.index.graph import PrerequisiteGraph, Selection, subgraph
from services.recommender.planner.index.segment import Longs, offsets_of, ranges
from services.recommender.planner.index.vocabulary import Records
from services.recommender.planner.optimizer.closure_cost import Costs, Flags, empty_costs
from services.recommender.planner.optimizer.query import Query

WEIGHED_DTYPE = np.dtype([(field, np.int64) for field in ("number", "hours", "cost", "rank", "cosine", "effect")])
"""A course: its number in the catalog's graph, micro-hours, order among equals, cosine of what it teaches and of the
gaps in millionths, and where its effects on gaps begin."""

EFFECT_DTYPE = np.dtype([("gap", np.int64), ("value", np.int64)])
"""A gap, and the value held in it once a course is completed."""


class ProblemData(NamedTuple):
    """An instance of N courses. Costs and hours in micro-hours, levels in micro-levels, values in micro-levels."""

    graph: PrerequisiteGraph
    """Of the conditions only those that do not hold before the path."""
    courses: Records
    """(N + 1,) WEIGHED_DTYPE."""
    effects: Records
    """EFFECT_DTYPE: what each course is worth, gap by gap."""


class Instance(NamedTuple):
    """An instance, the levels of its skills before the path, and its costs, which are still to be computed."""

    problem: ProblemData
    levels: Longs
    costs: Costs


def build_instance(graph: PrerequisiteGraph, query: Query, costs: Costs, selected: Selection) -> Instance:
    """Return the instance of one officer: what is selected of the catalog."""
    part = subgraph(graph, selected, costs.ours)
    courses = np.zeros(len(part.courses) + 1, WEIGHED_DTYPE)
    weighed = courses[:-1]
    weighed["number"], weighed["cost"] = part.courses, costs.cost[part.courses]
    for name in ("hours", "rank"):
        weighed[name] = graph.courses[name][part.courses]
    counts = graph.courses["row"][part.courses + 1] - graph.courses["row"][part.courses]
    rows = graph.rows[ranges(graph.courses["row"][part.courses], counts)]
    owner = np.repeat(np.arange(len(weighed)), counts)
    weighed["cosine"] = _cosines(query, costs.ours, rows, owner, len(weighed))
    gap, high = query.skills["gap"][rows["skill"]], rows["high"]
    closing = np.flatnonzero(gap >= 0)
    closing = closing[high[closing] > query.current_level[gap[closing]]]
    effects = np.empty(len(closing), EFFECT_DTYPE)
    effects["gap"], effects["value"] = gap[closing], _values(query, gap[closing], high[closing])
    courses["effect"] = offsets_of(np.bincount(owner[closing], minlength=len(weighed)))
    problem = ProblemData(part.arrays, courses, effects)
    levels = query.skills["entry_level"][part.skills]
    own = empty_costs(part.arrays, np.ascontiguousarray(weighed["cost"]), np.zeros(len(part.skills), np.bool_))
    return Instance(problem, levels, own)


def _values(query: Query, gaps: Longs, levels: Longs) -> Longs:
    """Return the value of each of these levels of these gaps."""
    known = np.repeat(np.arange(len(query.current_level)), np.diff(query.begins)) << 32 | query.level_values["level"]
    found: Longs = query.level_values["value"][np.searchsorted(known, gaps << 32 | levels)]
    return found


def _cosines(query: Query, ours: Flags, rows: Records, owner: Longs, courses: int) -> Longs:
    """Return the cosine of the gap vector (values) and each teaching vector (levels gained), in millionths.

    To six places, so that no machine's last bit decides a tie.
    """
    gained = np.where(ours[rows["skill"]], (rows["high"] - rows["low"]) / MICRO, 0.0)
    size = np.append(query.size, 0.0)[query.skills["gap"][rows["skill"]]]
    dot = np.bincount(owner, gained * size, courses)
    own = np.bincount(owner, gained * gained, courses)
    both = np.sqrt(own) * sqrt(sum(query.size * query.size))
    cosines = np.divide(dot, both, out=np.zeros(courses), where=dot > 0)
    return (cosines * MICRO + 0.5).astype(np.int64)
