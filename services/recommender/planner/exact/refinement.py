"""Extend a path: more of an open skill, by the minimum closure where it fits into the hours and steps that are left.

So a path never leaves room for what it says would fit. An extension stands where the path closes more, or as much at
less cost. The number of extensions tried is limited.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Generic, NamedTuple, TypeVar

from services.recommender.inputs import MICRO
from services.recommender.planner.exact.conditions import CourseOption, LevelCondition, PathState, score_of
from services.recommender.planner.exact.minimum_closure import minimum_closure
from services.recommender.planner.exact.residual import GapBlocker, Pick, ResidualProblem, levels_reached
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import micro
from services.recommender.planner.value import ValueFunction

MAX_CHANGES = PARAMS.max_changes
CHANGE_THRESHOLD = PARAMS.change_threshold
P = TypeVar("P")


class PathDraft(NamedTuple, Generic[P]):
    """A path before it is explained: its plan, its picks, the residual problem, and the blockers of open gaps."""

    plan: P
    picks: list[Pick]
    residual: ResidualProblem
    blocker: Callable[[str, float], GapBlocker]

    @property
    def names(self) -> list[str]:
        """The courses of the path, in order."""
        return [pick.spec.id for pick in self.picks]

    @property
    def cost(self) -> int:
        """The cost of all courses together, in weighted micro-hours."""
        return sum(option.cost if (option := self.residual.available.option(name)) else 0 for name in self.names)

    def is_proved(self, gain_bound: Callable[[list[str], int | None], int]) -> bool:
        """Return whether no path gains more that holds the requested courses of this one.

        It may take the hours of the budget, or those of this path if they are more. `gain_bound` returns micro-levels
        that no path with these courses and in these micro-hours gains.
        """
        inputs = self.residual.inputs
        wanted = {*inputs.started, *inputs.mandatory, *inputs.pinned}
        requested = [name for name in self.names if name in wanted]
        hours = None
        if inputs.budget_hours is not None:
            hours = max(round(inputs.budget_hours * MICRO), sum(pick.spec.hours for pick in self.picks))
        return self.residual.end.value >= gain_bound(requested, hours)


def new_draft(plan: P, picks: list[Pick], residual: ResidualProblem) -> PathDraft[P]:
    """Return a draft; each gap blocker is computed once."""
    return PathDraft(plan, picks, residual, cache(residual.blocker))


def refine(first: PathDraft[P], value: ValueFunction, rebuilt: Callable[[list[str]], PathDraft[P]]) -> PathDraft[P]:
    """Return the path with the extensions that make it better. `rebuilt`: returns the draft of a path of courses."""
    best, left, seen = first, MAX_CHANGES, {tuple(first.names)}
    improved = not first.residual.finishing
    while improved:
        improved = False
        for names in _extended(best, value):
            if tuple(names) in seen:
                continue
            if left <= 0:
                return best
            seen.add(tuple(names))
            left -= 1
            if _better(other := rebuilt(names), best):
                best, improved = other, True
                break
    return best


def _better(one: PathDraft[P], other: PathDraft[P]) -> bool:
    """Return whether a path closes more, or as much at less cost. A kept path changes only for 1 % or more."""
    mine, theirs = one.residual.end.value, other.residual.end.value
    if min(one.residual.end.hours, one.residual.end.steps) < min(other.residual.end.hours, other.residual.end.steps, 0):
        return False
    if other.residual.kept:
        return mine * 100 >= theirs * CHANGE_THRESHOLD and mine > theirs
    return mine > theirs or (mine == theirs and one.cost < other.cost)


def _extended(draft: PathDraft[P], value: ValueFunction) -> Iterator[list[str]]:
    """Yield the path extended by the shortest closure that raises an open skill and fits, best value per cost first."""
    end, available = draft.residual.end, draft.residual.available
    inputs, reached = draft.residual.inputs, levels_reached(draft.residual.inputs, value, draft.picks)
    options: list[list[CourseOption]] = []
    for skill in value.gaps:
        if not value.targets[skill].lacks(reached[skill]) or draft.blocker(skill, reached[skill]).cause != "little":
            continue
        key, level = (inputs.framework.id, skill), micro(reached[skill])
        highest = available.highest(key, level, micro(value.targets[skill].required))
        for goal in {level + 1, highest or level + 1}:
            limits = {"steps": max(end.steps, 0), "hours": end.hours}
            found = minimum_closure(end, [LevelCondition(key, goal)], available, **limits)
            if found and found.courses:
                options.append(found.courses)
    ranked = sorted((-_score(end, option), [one.id for one in option]) for option in options)
    yield from ([*draft.names, *names] for score, names in ranked if score < 0)


def _score(start: PathState, options: list[CourseOption]) -> int:
    then = start.copy()
    for option in options:
        then.study(option)
    return score_of(then.value - start.value, sum(option.cost for option in options))
