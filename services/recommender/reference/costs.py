"""The readable rule of docs/ranking.md, first part: effects, costs and conditions of courses, and the shortlist.

A *condition* is satisfied by what the officer holds, or by any one of its *achievers*: a course that leads there, or a
branch of an `any`. Levels are in micro-levels, hours and costs in micro-hours: integers.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.recommender.inputs import MICRO, Inputs
from services.recommender.planner.course_spec import (
    AnyCondition,
    Condition,
    CourseCondition,
    LevelCondition,
    SkillKey,
    course_spec,
)
from services.recommender.planner.exact.options import (
    CourseOption,
    PathState,
    cost_multiplier,
    course_option,
    score_of,
    similarity_of,
    weighted_cost,
)
from services.recommender.planner.params import PARAMS
from services.recommender.planner.units import UNREACHABLE
from services.recommender.planner.value import ValueFunction
from shared.domain import Course


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """A branch of an `any`. It costs as much as its conditions together.

    Of equally cheap branches the first is chosen.
    """

    conditions: tuple[Condition, ...]
    id: str = ""
    cost: int = 0
    hours: int = 0


Achiever = CourseOption | Branch
Gains = Mapping[CourseOption, Mapping[str, int]]


class Costs(NamedTuple):
    """Costs in one state, in micro-hours: the closure cost of each course or branch, the lowest cost of each condition.

    `optimizer.closure_cost.Costs` holds the same costs in arrays, for the compiled planner.
    """

    achievers: Mapping[Achiever, int]
    conditions: Mapping[Condition, int]

    def of(self, achiever: Achiever) -> int:
        """Return the closure cost of a course or branch; UNREACHABLE if it cannot be reached or is completed."""
        return self.achievers.get(achiever, UNREACHABLE)


@dataclass(frozen=True, slots=True)
class ProblemData:
    """The courses that can matter for an officer, and the achievers of all their conditions.

    The compiled planner has the same as arrays: `optimizer.instance.ProblemData`.
    """

    courses: Mapping[str, CourseOption]
    achievers: Mapping[Condition, Sequence[Achiever]]
    unit: Literal["weighted hours", "hours", "courses"] = "weighted hours"
    """What a course costs: its weighted hours, its plain hours, or an hour like every other course."""

    def price(self, achievers: Iterable[Achiever]) -> int:
        """Return the sum of what `achievers` cost by themselves, without their conditions, in micro-hours."""
        if self.unit == "courses":
            return sum(MICRO for one in achievers if isinstance(one, CourseOption))
        return sum(one.hours if self.unit == "hours" else one.cost for one in achievers)

    def costs(
        self,
        state: PathState,
        only: Collection[CourseOption] | None = None,
        join: Callable[[Iterable[int]], int] = sum,
    ) -> Costs:
        """Return the costs in a state, of all courses that are not completed or of the courses `only`.

        They are a fixed point: all closure costs begin at UNREACHABLE, and are computed again until none changes.
        `join`: adds up the costs of a course's conditions, or takes the largest of them (`max`).
        """
        courses = [option for option in self.courses.values() if option.id not in state.done] if only is None else only
        branches = [one for achievers in self.achievers.values() for one in achievers if isinstance(one, Branch)]
        priced: list[Achiever] = [*branches, *courses]
        met = {condition for condition in self.achievers if state.meets(condition)}
        prices = {one: self.price([one]) for one in priced}
        costs = Costs(dict.fromkeys(priced, UNREACHABLE), {})
        while True:
            conditions = {
                condition: 0 if condition in met else min((costs.of(one) for one in achievers), default=UNREACHABLE)
                for condition, achievers in self.achievers.items()
            }
            lower = {
                one: min(prices[one] + join([0, *(conditions[need] for need in one.conditions)]), UNREACHABLE)
                for one in priced
            }
            if lower == costs.achievers:
                return Costs(lower, conditions)
            costs = Costs(lower, conditions)

    def closure(self, target: CourseOption, costs: Costs) -> list[CourseOption]:
        """Return the courses of the closure of `target`, a reachable course, sorted by closure cost, then by id.

        The closure is the target with the cheapest achiever of each of its unmet conditions, of each of their
        conditions, and so on.
        """
        found = self._closure(target, costs)
        return sorted(
            (one for one in found if isinstance(one, CourseOption)), key=lambda option: (costs.of(option), option.id)
        )

    def conditions_in(self, target: CourseOption, costs: Costs) -> set[Condition]:
        """Return the unmet conditions of all courses and branches in the closure of `target`."""
        found = self._closure(target, costs)
        return {condition for one in found for condition in one.conditions if costs.conditions[condition] > 0}

    def _closure(self, target: CourseOption, costs: Costs) -> list[Achiever]:
        found, looked = list[Achiever]([target]), 0
        while looked < len(found):
            unmet = [condition for condition in found[looked].conditions if costs.conditions[condition] > 0]
            cheapest = [min(self.achievers[condition], key=lambda one: (costs.of(one), one.id)) for condition in unmet]
            found += [one for one in dict.fromkeys(cheapest) if one not in found]
            looked += 1
        return found


@dataclass(frozen=True, slots=True)
class Selection:
    """The courses and branches chosen so far, and for each condition the achievers that are kept (`near`).

    `index.graph.Selection` holds the same choice as masks over the graph, for the compiled planner.

    `wanted_meet`: returns whether the wanted courses (fixed, and of the previous path) may satisfy a branch.
    """

    whole: ProblemData
    costs: Costs
    wanted_meet: Callable[[Branch], bool]
    chosen: set[Achiever]
    near: dict[Condition, Sequence[Achiever]]

    def courses(self) -> dict[str, CourseOption]:
        """Return the chosen courses by id."""
        return {one.id: one for one in self.chosen if isinstance(one, CourseOption)}

    def follow(self) -> None:
        """Choose the near achievers of every condition of the chosen courses and branches, recursively."""
        waiting = list(self.chosen)
        while waiting:
            for condition in waiting.pop().conditions:
                if condition not in self.near:
                    self.near[condition] = near_achievers(self.whole, self.costs, condition, self.wanted_meet)
                    waiting += [one for one in self.near[condition] if one not in self.chosen]
                    self.chosen.update(self.near[condition])

    def add_branches(self) -> bool:
        """Choose every reachable branch of the unmet conditions in `near`. Return whether any branch is newly chosen.

        The cost of a branch counts a course once for every condition that needs it. So a branch that seems expensive
        may be the cheapest, because the path may have its courses already for other conditions.
        """
        before = len(self.chosen)
        for condition, kept in self.near.items():
            if self.costs.conditions[condition] > 0:
                branches = [one for one in self.whole.achievers[condition] if isinstance(one, Branch)]
                found = {*kept, *(one for one in branches if self.costs.of(one) < UNREACHABLE)}
                self.near[condition] = [one for one in self.whole.achievers[condition] if one in found]
                self.chosen.update(found)
        return len(self.chosen) > before

    def achievers(self) -> dict[Condition, Sequence[Achiever]]:
        """Return condition -> achievers, for the conditions in `near`.

        The achievers of a level are all chosen courses that lead there; those of another condition are the ones in
        `near`.
        """
        return {
            condition: [one for one in self.whole.achievers[condition] if one in self.chosen]
            if isinstance(condition, LevelCondition)
            else kept
            for condition, kept in self.near.items()
        }


class PlanContext(NamedTuple):
    """What is known of a plan before there is a path; `optimizer.query.PlanContext` is that of the compiled planner.

    `courses`: every published course, by id. `start`: the state before the path. `ignore_preferences`: boosts and
    deferrals change no cost.
    """

    inputs: Inputs
    courses: Mapping[str, Course]
    value: ValueFunction
    start: PathState
    ignore_preferences: bool = False


def build_instance(context: PlanContext, also: Collection[str] = ()) -> tuple[ProblemData, ProblemData]:
    """Return the problem of the chosen courses, and the problem of all reachable courses.

    `also`: courses that are chosen in any case.
    """
    inputs, courses, value, start, ignore_preferences = context
    factors = [
        (course, cost_multiplier(inputs, course, ignore_preferences=ignore_preferences)) for course in courses.values()
    ]
    specs = [(course_spec(course), factor) for course, factor in factors if factor > 0]
    usable = {
        spec.id: course_option(
            inputs, value, spec, weighted_cost(spec, factor), similarity_of(inputs.framework.id, value, spec)
        )
        for spec, factor in specs
    }
    whole = ProblemData(usable, achievers_of(usable))
    after_started = start.copy()
    for option in (usable[name] for name in inputs.started if name in usable):
        after_started.study(option)  # started courses come first in any case
    costs = whole.costs(after_started, usable.values())
    wanted = {*inputs.started, *inputs.mandatory, *inputs.pinned, *inputs.previous, *also} & usable.keys()
    chosen: set[Achiever] = {usable[name] for name in wanted}
    then = start.copy()
    for name in wanted:
        then.study(usable[name])

    def wanted_meet(branch: Branch) -> bool:
        """Return whether the wanted courses may satisfy a branch, so that a path through it stays feasible."""
        single = [condition for condition in branch.conditions if not isinstance(condition, AnyCondition)]
        return bool(wanted) and all(map(then.meets, single))

    selected = Selection(whole, costs, wanted_meet, chosen, {})
    gains = gains_within_reach(usable.values(), value, costs)
    chosen.update(shortlist(inputs, gains, costs))
    selected.follow()
    if len(selected.courses()) < PARAMS.small_instance:
        chosen.update(worthiest(gains, {option: option.cost for option in gains}))
        selected.follow()
    chosen.update(shared_prerequisites(whole, costs, chosen, selected.near))
    selected.follow()
    while len(selected.courses()) < PARAMS.small_instance and selected.add_branches():
        selected.follow()
    within_reach = {option.id: option for option in usable.values() if costs.of(option) < UNREACHABLE}
    reachable = ProblemData(within_reach, achievers_of(within_reach))
    return ProblemData(selected.courses(), selected.achievers()), reachable


def near_achievers(
    whole: ProblemData, costs: Costs, condition: Condition, wanted_meet: Callable[[Branch], bool]
) -> list[Achiever]:
    """Return the achievers of `condition` that an instance keeps.

    These are the achievers that cost at most 1 / `cost_tolerance` more than the cheapest one; the shortest course,
    unless the condition holds; and each branch that the wanted courses may satisfy (`wanted_meet`).
    """
    reach, achievers = costs.conditions[condition], whole.achievers[condition]
    most = reach + reach // PARAMS.cost_tolerance if reach < UNREACHABLE else -1
    courses = [one for one in achievers if isinstance(one, CourseOption) and costs.of(one) < UNREACHABLE]
    shortest = sorted(courses, key=lambda one: (one.hours, one.id))[:1] if most > 0 else []
    return [
        one
        for one in achievers
        if costs.of(one) <= most
        or one in shortest
        or (isinstance(one, Branch) and costs.of(one) < UNREACHABLE and wanted_meet(one))
    ]


def shared_prerequisites(
    whole: ProblemData, costs: Costs, chosen: Collection[Achiever], near: Collection[Condition]
) -> list[CourseOption]:
    """Return the courses that each cost less than the conditions that they satisfy; at most `max_shared`, best first.

    Only courses that are not yet chosen, and conditions on levels in `near`, count. Each condition costs as much as its
    cheapest achiever. A course costs its own cost and that of its conditions outside `near`, because the path satisfies
    the others anyway.
    """
    scores: dict[CourseOption, int] = {}
    for option in whole.courses.values():
        levels = [one for one in near if isinstance(one, LevelCondition) and option in whole.achievers[one]]
        saved = sum(costs.conditions[one] for one in levels if costs.conditions[one] < UNREACHABLE)
        spent = option.cost + sum(costs.conditions[one] for one in option.conditions if one not in near)
        if option not in chosen and costs.of(option) < UNREACHABLE and spent < saved:
            scores[option] = score_of(saved, spent)
    return sorted(scores, key=lambda option: (-scores[option], option.id))[: PARAMS.max_shared]


def gains_within_reach(usable: Iterable[CourseOption], value: ValueFunction, costs: Costs) -> Gains:
    """Return reachable course -> gap -> what the course alone gains there in micro-levels, for what gains something."""
    found = {
        option: {gap: value.alone(gap, step) for gap, step in option.gap_effects.items() if value.alone(gap, step)}
        for option in usable
    }
    return {option: gains for option, gains in found.items() if gains and costs.of(option) < UNREACHABLE}


def shortlist(inputs: Inputs, gains: Gains, costs: Costs) -> list[CourseOption]:
    """Return the candidates: the cheapest per gap and level, and those of the highest value per closure cost.

    A course may occur several times. Courses whose row of a gap is unconfirmed are compared only with each other.
    `gains`: see `gains_within_reach`.
    """
    found: list[CourseOption] = []
    alikes = defaultdict[tuple[str, int, bool], list[CourseOption]](list)
    for option in gains:
        for gap in gains[option]:
            matched = gap in option.unconfirmed
            level = option.unconfirmed[gap] if matched else option.level_effects[inputs.framework.id, gap]
            alikes[gap, level, matched].append(option)
    for alike in alikes.values():
        found += sorted(alike, key=lambda option: (costs.of(option), option.id))[: PARAMS.top_by_cost]
    closure_costs = {option: costs.of(option) for option in gains}
    for exponent in PARAMS.shortlist_exponents(inputs.max_steps):
        found += worthiest(gains, closure_costs, exponent)
    return found


def worthiest(gains: Gains, cost: Mapping[CourseOption, int], exponent: float = 1.0) -> list[CourseOption]:
    """Return the courses of the highest value per `cost`, in micro-hours, to a power; at most `top_by_density`."""
    scores = {option: score_of(sum(gains[option].values()), cost[option], exponent) for option in gains}
    return sorted(scores, key=lambda option: (-scores[option], option.id))[: PARAMS.top_by_density]


def achievers_of(courses: Mapping[str, CourseOption]) -> dict[Condition, Sequence[Achiever]]:
    """Return condition -> achievers, for each condition of `courses` and each condition within a branch."""
    teachers = defaultdict[SkillKey, list[CourseOption]](list)
    for option in courses.values():
        for skill in option.level_effects:
            teachers[skill].append(option)
    achievers: dict[Condition, Sequence[Achiever]] = {}
    waiting = [condition for option in courses.values() for condition in option.conditions]
    while waiting:
        condition = waiting.pop()
        if condition in achievers:
            continue
        if isinstance(condition, LevelCondition):
            achievers[condition] = [
                option
                for option in teachers[condition.skill]
                if option.level_effects[condition.skill] >= condition.level
            ]
        elif isinstance(condition, CourseCondition):
            achievers[condition] = [courses[condition.course]] if condition.course in courses else []
        else:
            achievers[condition] = [Branch(conditions) for conditions in condition.branches]
            waiting += [inner for branch in condition.branches for inner in branch]
    return achievers
