"""Improve a path by minimum closures: the search adds up the costs of conditions, a closure costs its union.

Two kinds of change are tried on the path that the search found, with `minimum_closure`:

    extend     the shortest way that raises an open skill, where its hours and steps are left
    force      a target that the search found no fitting way to, taken first; the search fills the rest of the hours

A change stands where the path closes more, or as much at less cost. The number of changes tried is limited.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Generic, NamedTuple, TypeVar

from services.recommender.planner.course_spec import SkillKey
from services.recommender.planner.exact.conditions import (
    CourseCondition,
    CourseOption,
    LevelCondition,
    PathState,
    score_of,
)
from services.recommender.planner.exact.minimum_closure import minimum_closure
from services.recommender.planner.exact.residual import GapBlocker, Pick, ResidualProblem, end_state, levels_reached
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import micro
from services.recommender.planner.value import ValueFunction

MAX_CHANGES = PARAMS.max_changes
MAX_FORCED = PARAMS.max_forced
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


class PathBuilder(NamedTuple, Generic[P]):
    """Functions that compute a new path.

    `rebuilt`: the draft of a path of these courses. `fits`: whether the search has a closure of a course within the
    hours that the fixed courses leave. `forced`: the courses of the path that the search finds with this course in it.
    """

    rebuilt: Callable[[list[str]], PathDraft[P]]
    fits: Callable[[str], bool]
    forced: Callable[[str], list[str]]


def new_draft(plan: P, picks: list[Pick], residual: ResidualProblem) -> PathDraft[P]:
    """Return a draft; each gap blocker is computed once."""
    return PathDraft(plan, picks, residual, cache(residual.blocker))


def refine(
    first: PathDraft[P], value: ValueFunction, entry_levels: Mapping[SkillKey, float], again: PathBuilder[P]
) -> PathDraft[P]:
    """Return the best path that the changes lead to. `entry_levels`: before the path."""
    best, left = first, MAX_CHANGES
    if first.residual.finishing:
        return first
    seen, searches = {tuple(first.names)}, MAX_FORCED
    while left > 0:
        for names in _longer(best, value):
            if tuple(names) in seen:
                continue
            seen.add(tuple(names))
            left -= 1
            if _better(other := again.rebuilt(names), best):
                best = other
                break
            if left <= 0:
                return best
        else:
            if (target := _unseen(best, value, entry_levels, again, seen)) is None or searches <= 0:
                return best
            seen.add((target,))
            searches -= 1
            left -= 1
            if _better(other := again.rebuilt(again.forced(target)), best):
                best = other
    return best


def _better(one: PathDraft[P], other: PathDraft[P]) -> bool:
    """Return whether a path closes more, or as much at less cost. A kept path changes only for 1 % or more."""
    mine, theirs = one.residual.end.value, other.residual.end.value
    if min(one.residual.end.hours, one.residual.end.steps) < min(other.residual.end.hours, other.residual.end.steps, 0):
        return False
    if other.residual.kept:
        return mine * 100 >= theirs * CHANGE_THRESHOLD and mine > theirs
    return mine > theirs or (mine == theirs and one.cost < other.cost)


def _longer(draft: PathDraft[P], value: ValueFunction) -> Iterator[list[str]]:
    """Yield the path extended by the shortest closure that raises an open skill and fits, best value per cost first."""
    end, available = draft.residual.end, draft.residual.available
    options: list[list[CourseOption]] = []
    for skill, _ in _open(draft, value, ("little",)):
        reached = micro(levels_reached(draft.residual.inputs, value, draft.picks)[skill])
        key = (draft.residual.inputs.framework.id, skill)
        whole = available.highest(key, reached, micro(value.targets[skill].required))
        for level in {reached + 1, whole or 0}:
            limits = {"steps": max(end.steps, 0), "hours": end.hours}
            found = minimum_closure(end, [LevelCondition(key, level)], available, **limits) if level > reached else None
            if found and found.courses:
                options.append(found.courses)
    ranked = sorted((-_score(end, option), [one.id for one in option]) for option in options)
    yield from ([*draft.names, *names] for score, names in ranked if score < 0)


def _unseen(
    draft: PathDraft[P],
    value: ValueFunction,
    entry_levels: Mapping[SkillKey, float],
    again: PathBuilder[P],
    seen: set[tuple[str, ...]],
) -> str | None:
    """Return the best target per cost that the search cannot fit although its closure fits in all the hours."""
    start, available = (
        end_state(draft.residual.inputs, value, entry_levels, [p for p in draft.picks if p.origin]),
        draft.residual.available,
    )
    found: list[tuple[int, str]] = []
    for skill, blocker in _open(draft, value, ("budget",)):
        if blocker.short and blocker.short.proved and micro(blocker.short.needed) > start.hours:
            continue  # before the path fewer conditions hold, so it takes no less there
        key = (draft.residual.inputs.framework.id, skill)
        taught = [one for name in blocker.courses if (one := available.option(name)) and key in one.level_effects]
        for target in (option.id for option in taught[-1:]):
            if (target,) in seen or again.fits(target):
                continue
            limits = {"steps": max(start.steps, 0), "hours": start.hours}
            closure = minimum_closure(start, [CourseCondition(target)], available, **limits)
            if closure and closure.courses:
                found.append((-_score(start, closure.courses), target))
    return min(found)[1] if found else None


def _open(draft: PathDraft[P], value: ValueFunction, causes: tuple[str, ...]) -> Iterator[tuple[str, GapBlocker]]:
    """Yield the open skills that one of these causes keeps from gaining value."""
    reached = levels_reached(draft.residual.inputs, value, draft.picks)
    for skill in value.gaps:
        if value.targets[skill].lacks(reached[skill]):
            blocker = draft.blocker(skill, reached[skill])
            if blocker.cause in causes:
                yield skill, blocker


def _score(start: PathState, options: list[CourseOption]) -> int:
    then = start.copy()
    for option in options:
        then.study(option)
    return score_of(then.value - start.value, sum(option.cost for option in options))
