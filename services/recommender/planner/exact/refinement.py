"""Refinement: extends a path by minimum closures of open skills that fit into the remaining hours and steps.

So a path never leaves out a course and states that it would fit. An extension is kept if the value of the path rises,
or stays the same at less cost. The number of extensions tried is limited.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Generic, TypeVar

from services.recommender.inputs import MICRO
from services.recommender.planner.course_spec import LevelCondition
from services.recommender.planner.exact.dependencies import Dependencies
from services.recommender.planner.exact.minimum_closure import minimum_closure
from services.recommender.planner.exact.options import CourseOption, PathState, score_of
from services.recommender.planner.exact.residual import GapBlocker, Pick, ResidualProblem
from services.recommender.planner.params import PARAMS
from services.recommender.planner.value import ValueFunction

P = TypeVar("P")


@dataclass(slots=True, eq=False)
class PathDraft(Generic[P]):
    """A path before it is explained: its plan, its picks, the residual problem, and the blockers of open gaps.

    `needs`: the dependencies of each pick. `blocker`: `ResidualProblem.blocker`, computed once for each skill.
    """

    plan: P
    picks: list[Pick]
    needs: list[Dependencies]
    residual: ResidualProblem
    blocker: Callable[[str], GapBlocker] = field(init=False)

    def __post_init__(self) -> None:
        self.blocker = cache(self.residual.blocker)

    @property
    def names(self) -> list[str]:
        """The ids of the path's courses, in order."""
        return [pick.option.id for pick in self.picks]

    @property
    def cost(self) -> int:
        """The cost of all courses together, in weighted micro-hours."""
        return sum(pick.option.cost for pick in self.picks)

    def is_proved(self, gain_bound: Callable[[list[str], int | None], int]) -> bool:
        """Return whether it is proved that no path with the same requested courses gains more.

        Such a path may take the hours of the budget, or the hours of this path if those are more. `gain_bound`: (ids of
        the requested courses, micro-hours or None) -> micro-levels that no path with these courses in these hours
        exceeds.
        """
        inputs = self.residual.inputs
        wanted = {*inputs.started, *inputs.mandatory, *inputs.pinned}
        requested = [name for name in self.names if name in wanted]
        hours = None
        if inputs.budget_hours is not None:
            hours = max(round(inputs.budget_hours * MICRO), sum(pick.option.hours for pick in self.picks))
        return self.residual.end.value >= gain_bound(requested, hours)


def refine(first: PathDraft[P], value: ValueFunction, rebuilt: Callable[[list[str]], PathDraft[P]]) -> PathDraft[P]:
    """Return the draft `first`, or a better one that extends it; at most `max_changes` extensions are tried.

    A path that is being studied (`finishing`) is not extended. `rebuilt`: returns the draft of the path of these course
    ids.
    """
    best, left, seen = first, PARAMS.max_changes, {tuple(first.names)}
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
        return mine * 100 >= theirs * PARAMS.change_threshold and mine > theirs
    return mine > theirs or (mine == theirs and one.cost < other.cost)


def _extended(draft: PathDraft[P], value: ValueFunction) -> Iterator[list[str]]:
    """Yield the path extended by the shortest closure that raises an open skill and fits, best value per cost first."""
    end, available = draft.residual.end, draft.residual.available
    options: list[list[CourseOption]] = []
    for key, level, required in draft.residual.open_gaps(value):
        if draft.blocker(key[1]).cause != "little":
            continue
        highest = available.highest(key, level, required)
        for goal in {level + 1, highest or level + 1}:
            limits = {"steps": max(end.steps, 0), "hours": end.hours}
            found = minimum_closure(end, [LevelCondition(key, goal)], available, **limits)
            if found and found.courses:
                options.append(found.courses)
    ranked = sorted((-_score(end, option), [one.id for one in option]) for option in options)
    yield from ([*draft.names, *names] for score, names in ranked if score < 0)


def _score(start: PathState, options: list[CourseOption]) -> int:
    return score_of(start.after(options).value - start.value, sum(option.cost for option in options))
