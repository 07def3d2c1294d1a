"""The bound on the gain of any path of an instance, by which a path is proved optimal; see `exact.slot_bounds`."""

from collections.abc import Collection

from services.recommender.planner.exact.slot_bounds import knapsack, slot_bounds
from services.recommender.planner.optimizer.instance import ProblemData


def gain_bound(problem: ProblemData, slots: int, requested: Collection[int], hours: int | None) -> int:
    """Return micro-levels that no path exceeds. `requested`: rows of courses that every path holds, in its hours.

    `hours`: micro-hours of a path; None: no limit.
    """
    starts, lengths = problem.courses["effect"].tolist(), problem.courses["hours"].tolist()
    effects = problem.effects.tolist()
    held, left = [0] * slots, hours
    for row in requested:
        left = None if left is None else left - lengths[row]
        for slot, value in effects[starts[row] : starts[row + 1]]:
            held[slot] = max(held[slot], value)
    added = [(slot, value - held[slot]) if value > held[slot] else None for slot, value in effects]
    courses = (
        (lengths[row], [one for one in added[starts[row] : starts[row + 1]] if one])
        for row in range(len(starts) - 1)
        if left is None or lengths[row] <= left
    )
    return sum(held) + knapsack(slot_bounds(slots, courses), left)
