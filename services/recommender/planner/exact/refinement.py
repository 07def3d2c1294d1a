"""Improve a path by least closures: the search prices each prerequisite on its own, a closure costs its union.

A course that serves two conditions is counted twice in a price (`optimizer.closure_cost`), so its target may look too
dear to fit, or be reached by a longer way. Three kinds of change are tried on the path that the search found, with
`minimum_closure`:

    shorten    another, shorter set of prerequisites for a target of the path
    extend     the shortest way that raises an open skill, where its hours and steps are left
    force      a target that the search found no fitting way to, taken first; the search fills the rest of the hours

A change stands where the path closes more, or as much at less cost. The number of changes tried is limited.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

from services.recommender.planner.course_spec import SkillKey
from services.recommender.planner.exact.conditions import (
    AnyCondition,
    Condition,
    CourseCondition,
    CourseOption,
    LevelCondition,
    PathState,
    conditions_of,
    score_of,
)
from services.recommender.planner.exact.minimum_closure import TaughtLevel, minimum_closure, satisfies
from services.recommender.planner.exact.residual import GapBlocker, Pick, ResidualProblem, end_state, levels_reached
from services.recommender.planner.units import micro
from services.recommender.planner.value import ValueFunction

MAX_CHANGES = 12
"""Changes tried on one path."""

MAX_CLOSURE_EXPANSIONS = 8
"""Sets visited for one closure."""

MAX_FORCED = 2
"""Of them, those that search anew."""

CHANGE_THRESHOLD = 101
"""Per cent of what the path before closes: a new one that closes less does not replace it."""

P = TypeVar("P")


class PathDraft(NamedTuple, Generic[P]):
    """A path before it is told: its plan, its picks, what lies beyond them, and what keeps a skill from rising."""

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
        """What the courses cost together, in weighted micro-hours."""
        return sum(option.cost if (option := self.residual.available.option(name)) else 0 for name in self.names)


class PathBuilder(NamedTuple, Generic[P]):
    """How a path is made anew.

    `rebuilt`: the draft of a path of these courses. `fits`: whether the search has a way to a course within the hours
    that the seeds leave. `forced`: the courses of the path that the search finds with this course in it. `teachers`:
    (micro-level, id) of the courses that teach a skill, whether they can be used or not.
    """

    rebuilt: Callable[[list[str]], PathDraft[P]]
    fits: Callable[[str], bool]
    forced: Callable[[str], list[str]]
    teachers: Callable[[SkillKey], Iterable[tuple[int, str]]]


def new_draft(plan: P, picks: list[Pick], residual: ResidualProblem) -> PathDraft[P]:
    """Return a draft; each obstacle is looked up once."""
    return PathDraft(plan, picks, residual, cache(residual.blocker))


def refine(
    first: PathDraft[P], value: ValueFunction, entry_levels: Mapping[SkillKey, float], again: PathBuilder[P]
) -> PathDraft[P]:
    """Return the best path that the changes lead to. `entry_levels`: before the path."""
    best, left = first, MAX_CHANGES
    again = again._replace(teachers=cache(lambda skill, find=again.teachers: list(find(skill))))
    if first.residual.finishing:
        return first
    seen, searches = {tuple(first.names)}, MAX_FORCED
    while left > 0:
        for names in chain(_shorter(best, value, entry_levels, again), _longer(best, value)):
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
    """Return whether a path closes more, or as much at less cost. A path that was kept changes for 1 % or more."""
    mine, theirs = one.residual.end.value, other.residual.end.value
    if min(one.residual.end.hours, one.residual.end.steps) < min(other.residual.end.hours, other.residual.end.steps, 0):
        return False
    if other.residual.kept:
        return mine * 100 >= theirs * CHANGE_THRESHOLD and mine > theirs
    return mine > theirs or (mine == theirs and one.cost < other.cost)


def _shorter(
    draft: PathDraft[P], value: ValueFunction, entry_levels: Mapping[SkillKey, float], again: PathBuilder[P]
) -> Iterator[list[str]]:
    """Yield the path with the shortest prerequisites of each target that has two or more of its own."""
    if draft.residual.kept:
        return
    inputs, available, names = draft.residual.inputs, draft.residual.available, draft.names
    held = {(inputs.framework.id, skill): value.targets[skill].level for skill in value.gaps}
    levels, first = dict(entry_levels), 0
    for place, pick in enumerate(draft.picks):
        rows = {key: high for key, (_, high) in pick.spec.teaches.items()}
        gap_effects = [key for key, high in rows.items() if high > held.get(key, high)]
        if not (gap_effects or pick.seed):
            continue
        if place - first > 1 and not pick.seed:
            closure = draft.picks[first : place + 1]
            if _shared(levels, closure, draft, again):
                start = end_state(inputs, value, entry_levels, draft.picks[:first])
                found = minimum_closure(
                    start, [CourseCondition(pick.spec.id)], available, most_sets=MAX_CLOSURE_EXPANSIONS
                )
                if found and found.courses and found.hours < sum(one.spec.hours for one in closure):
                    instead = [option.id for option in found.courses]
                    yield [*names[:first], *instead, *(name for name in names[place + 1 :] if name not in instead)]
        for other in draft.picks[first : place + 1]:
            for key, (_, high) in other.spec.teaches.items():
                levels[key] = max(levels.get(key, 0.0), high)
        held |= {key: rows[key] for key in gap_effects}
        first = place + 1


def _shared(levels: Mapping[SkillKey, float], closure: list[Pick], draft: PathDraft[P], again: PathBuilder[P]) -> bool:
    """Return whether another course meets all that two or more of these but the last are there for, in fewer hours.

    It may need no level that is not held or needed there anyway.
    """
    ours, available = draft.residual.inputs.framework.id, draft.residual.available
    conditions = (condition for pick in closure for condition in _levels(conditions_of(pick.spec.entry(ours))))
    lacked = {condition for condition in conditions if micro(levels.get(condition.skill, 0.0)) < condition.level}
    served = [
        (
            spec.hours,
            {
                condition
                for condition in lacked
                if micro(spec.teaches.get(condition.skill, (0.0, 0.0))[1]) >= condition.level
            },
        )
        for spec in (pick.spec for pick in closure[:-1])
    ]
    if sum(bool(asked) for _, asked in served) < 2:  # noqa: PLR2004 - one course for two
        return False
    met: dict[str, set[LevelCondition]] = {}
    for condition in sorted(lacked):
        for high, name in again.teachers(condition.skill):
            if high >= condition.level:
                met.setdefault(name, set()).add(condition)
    for name in met.keys() - {pick.spec.id for pick in closure}:
        replaced = [hours for hours, conditions in served if conditions and conditions <= met[name]]
        if len(replaced) > 1 and (option := available.option(name)) and option.hours < sum(replaced):
            entry = (condition for condition in _levels(option.conditions) if condition not in lacked)
            if all(micro(levels.get(condition.skill, 0.0)) >= condition.level for condition in entry):
                return True
    return False


def _levels(conditions: Iterable[Condition]) -> Iterator[LevelCondition]:
    """Yield the levels among conditions, those of branches too."""
    for condition in conditions:
        if isinstance(condition, LevelCondition):
            yield condition
        elif isinstance(condition, AnyCondition):
            for branch in condition.branches:
                yield from _levels(branch)


def _longer(draft: PathDraft[P], value: ValueFunction) -> Iterator[list[str]]:
    """Yield the path with the shortest way to more of an open skill that fits behind it, worth most per cost first."""
    end, available = draft.residual.end, draft.residual.available
    options: list[list[CourseOption]] = []
    for skill, _ in _open(draft, value, ("little",)):
        reached = micro(levels_reached(draft.residual.inputs, value, draft.picks)[skill])
        key = (draft.residual.inputs.framework.id, skill)
        whole = available.highest(key, reached, micro(value.targets[skill].required))
        for level in {reached + 1, whole or 0}:
            found = (
                minimum_closure(end, [TaughtLevel(key, level)], available, max(end.steps, 0))
                if level > reached
                else None
            )
            if found and found.courses and found.hours <= end.hours:
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
    """Return the target worth most per cost that the search cannot fit and whose closure fits in all the hours."""
    start, available = (
        end_state(draft.residual.inputs, value, entry_levels, [p for p in draft.picks if p.seed]),
        draft.residual.available,
    )
    found: list[tuple[int, str]] = []
    for skill, blocker in _open(draft, value, ("budget",)):
        rise = TaughtLevel((draft.residual.inputs.framework.id, skill), 0)
        taught = [option for name in blocker.courses if (option := available.option(name)) and satisfies(option, rise)]
        for target in (option.id for option in taught[-1:]):
            if (target,) in seen or again.fits(target):
                continue
            closure = minimum_closure(start, [CourseCondition(target)], available, max(start.steps, 0))
            if closure and closure.courses and closure.hours <= start.hours:
                found.append((-_score(start, closure.courses), target))
    return min(found)[1] if found else None


def _open(draft: PathDraft[P], value: ValueFunction, causes: tuple[str, ...]) -> Iterator[tuple[str, GapBlocker]]:
    """Yield the open skills that something of worth is kept from for one of these causes."""
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
