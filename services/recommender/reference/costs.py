"""The rule of docs/ranking.md to be read, first half: what a course closes, costs and needs, and which can matter.

A *need* is a condition of entry. It is met by what the officer holds, or by any one of its *openers*: a course that
leads there, or a branch of an `any`. Levels are in micro-levels, hours and costs in micro-hours: integers.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.recommender.inputs import (
    Inputs,
)
from services.recommender.planner.course_spec import (
    SkillKey,
    offer_of,
)
from services.recommender.planner.exact.conditions import (
    AnyOf,
    Done,
    Level,
    Need,
    Standing,
    Way,
    factor_of,
    score_of,
    way_of,
)
from services.recommender.planner.units import FAR
from services.recommender.planner.value import Worth
from shared.skills import Course

PER_LEVEL = 2
"""Per gap and level reached, so many of the cheapest candidates are weighed."""

BY_WORTH = 24
"""And so many more of those worth most by themselves for their price, to the powers of 1 and 0.4."""

SLACK = 4
"""What costs up to a quarter more than the cheapest opener of a need is weighed with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """A branch of an `any`. It costs what its needs cost; of equals the first stands first."""

    needs: tuple[Need, ...]
    id: str = ""
    cost: int = 0


Opener = Way | Branch


class Prices(NamedTuple):
    """What each course or branch costs with all that opens its door, and each need by its cheapest opener."""

    openers: Mapping[Opener, int]
    needs: Mapping[Need, int]

    def of(self, opener: Opener) -> int:
        """Return a price; FAR where it is out of reach or done."""
        return self.openers.get(opener, FAR)


@dataclass(frozen=True, slots=True)
class Problem:
    """The courses that can matter to an officer, and the openers of every need of theirs."""

    courses: Mapping[str, Way]
    openers: Mapping[Need, Sequence[Opener]]

    def meets(self, now: Standing, need: Need) -> bool:
        """Return whether a need is met."""
        if isinstance(need, Level):
            return now.levels.get(need.skill, 0) >= need.level
        if isinstance(need, Done):
            return need.course in now.done
        return any(self.admits(now, branch) for branch in self.openers[need])

    def admits(self, now: Standing, opener: Opener) -> bool:
        """Return whether a course can be entered, or every need of a branch is met."""
        return all(self.meets(now, need) for need in opener.needs)

    def prices(self, now: Standing, only: Collection[Way] | None = None) -> Prices:
        """Return the prices, of all courses not done or of some: out of reach at first, then lower until none falls."""
        courses = [way for way in self.courses.values() if way.id not in now.done] if only is None else only
        branches = [one for openers in self.openers.values() for one in openers if isinstance(one, Branch)]
        priced: list[Opener] = [*branches, *courses]
        met = {need for need in self.openers if self.meets(now, need)}
        prices = Prices(dict.fromkeys(priced, FAR), {})
        while True:
            needs = {
                need: 0 if need in met else min((prices.of(one) for one in openers), default=FAR)
                for need, openers in self.openers.items()
            }
            lower = {one: min(one.cost + sum(needs[need] for need in one.needs), FAR) for one in priced}
            if lower == prices.openers:
                return Prices(lower, needs)
            prices = Prices(lower, needs)

    def bundle(self, goal: Way, prices: Prices) -> list[Way]:
        """Return a course in reach with the cheapest openers of all its needs, in the order of price, then id."""
        found, looked = list[Opener]([goal]), 0
        while looked < len(found):
            unmet = [need for need in found[looked].needs if prices.needs[need] > 0]
            cheapest = [min(self.openers[need], key=lambda one: (prices.of(one), one.id)) for need in unmet]
            found += [one for one in dict.fromkeys(cheapest) if one not in found]
            looked += 1
        return sorted((one for one in found if isinstance(one, Way)), key=lambda way: (prices.of(way), way.id))


def problem_of(  # noqa: PLR0913 - what an officer's problem is made of
    inputs: Inputs, courses: Iterable[Course], worth: Worth, start: Standing, also: Collection[str] = (), *, plain: bool
) -> tuple[Problem, dict[str, Way]]:
    """Return what can matter to an officer at the start, and all that can be reached.

    `also`: courses that matter in any case. `plain`: what is preferred or put off changes no cost.
    """
    factors = [(course, factor_of(inputs, course, plain=plain)) for course in courses]
    usable = {course.id: way_of(inputs, worth, offer_of(course), factor) for course, factor in factors if factor > 0}
    whole = Problem(usable, openers_of(usable))
    begun = start.copy()
    for way in (usable[name] for name in inputs.started if name in usable):
        begun.study(way)  # what is started comes first in any case
    prices = whole.prices(begun, usable.values())
    wanted = {*inputs.started, *inputs.mandatory, *inputs.pinned, *inputs.previous, *also} & usable.keys()
    chosen: set[Opener] = {usable[name] for name in wanted}
    then = start.copy()
    for name in wanted:
        then.study(usable[name])

    def wanted_meet(branch: Branch) -> bool:
        """Return whether what is wanted may meet a branch: a path that uses a dear one can be studied all the same."""
        single = [need for need in branch.needs if not isinstance(need, AnyOf)]
        return bool(wanted) and all(whole.meets(then, need) for need in single)

    chosen.update(shortlist(inputs.framework.id, usable.values(), prices))
    near: dict[Need, Sequence[Opener]] = {}
    waiting = list(chosen)
    while waiting:
        for need in waiting.pop().needs:
            if need not in near:
                reach = prices.needs[need]
                most = reach + reach // SLACK if reach < FAR else -1
                near[need] = [
                    one
                    for one in whole.openers[need]
                    if prices.of(one) <= most or (isinstance(one, Branch) and prices.of(one) < FAR and wanted_meet(one))
                ]
                waiting += [one for one in near[need] if one not in chosen]
                chosen.update(near[need])
    reachable = {way.id: way for way in usable.values() if prices.of(way) < FAR}
    return Problem({one.id: one for one in chosen if isinstance(one, Way)}, near), reachable


def shortlist(ours: str, usable: Iterable[Way], prices: Prices) -> list[Way]:
    """Return the candidates to weigh: the cheapest per gap and level, and those worth most for their price."""
    candidates = [way for way in usable if any(way.closes.values()) and prices.of(way) < FAR]
    found: list[Way] = []
    for gap, level in {(gap, way.lifts[ours, gap]) for way in candidates for gap in way.closes if way.closes[gap]}:
        alike = [way for way in candidates if way.closes.get(gap) and way.lifts[ours, gap] == level]
        found += sorted(alike, key=lambda way: (prices.of(way), way.id))[:PER_LEVEL]
    for exponent in (1.0, 0.4):
        scores = {way: score_of(sum(way.closes.values()), prices.of(way), exponent) for way in candidates}
        found += sorted(candidates, key=lambda way: (-scores[way], way.id))[:BY_WORTH]
    return found


def openers_of(courses: Mapping[str, Way]) -> dict[Need, Sequence[Opener]]:
    """Return the openers of each need of these courses, and of each need inside those."""
    teachers = defaultdict[SkillKey, list[Way]](list)
    for way in courses.values():
        for skill in way.lifts:
            teachers[skill].append(way)
    openers: dict[Need, Sequence[Opener]] = {}
    waiting = [need for way in courses.values() for need in way.needs]
    while waiting:
        need = waiting.pop()
        if need in openers:
            continue
        if isinstance(need, Level):
            openers[need] = [way for way in teachers[need.skill] if way.lifts[need.skill] >= need.level]
        elif isinstance(need, Done):
            openers[need] = [courses[need.course]] if need.course in courses else []
        else:
            openers[need] = [Branch(needs) for needs in need.branches]
            waiting += [inner for branch in need.branches for inner in branch]
    return openers
