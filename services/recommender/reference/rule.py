"""The rule of docs/ranking.md to be read: the same learning path as the compiled planner, byte for byte.

Plain Python over courses as they are published: no index, no arrays, nothing remembered, nothing skipped. What a course
closes, costs and needs stands in `costs`; here stands what is done with it. It has neither the planner's
limit on courses visited nor its champion lists: it looks at all there is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from services.recommender.inputs import (
    EXCLUDE,
    INCLUDE_ONLY,
    MICRO,
    MOST_STEPS,
    Inputs,
)
from services.recommender.planner.course_spec import SkillKey, offer_of
from services.recommender.planner.exact.conditions import Standing, Way, score_of
from services.recommender.planner.exact.minimum_closure import Stock
from services.recommender.planner.exact.refinement import (
    WORTH_A_CHANGE,
    PathPlan,
    PathPlanner,
    draft_of,
    improved,
)
from services.recommender.planner.exact.residual import (
    Beyond,
    Left,
    Pick,
    RunnerUp,
    Seed,
    Short,
    end_of,
    gone,
    left_out,
    pinned_in,
    reached_by,
    unknown_completed,
)
from services.recommender.planner.explain.path import Told, path_of, serving
from services.recommender.planner.units import FAR, NO_LIMIT, micro
from services.recommender.planner.value import Worth, believed
from services.recommender.reference.costs import Prices, Problem, problem_of
from shared.paths import LearningPath, Note
from shared.skills import Course

EXPONENTS = (1.0, 0.8, 0.6, 0.4, 0.1)
"""A greedy pass divides gain by cost to each of these powers; the best path of all passes counts."""

ROUNDS = 2
"""Passes of local search over the courses of a path."""

OPINION = 90
"""Per cent of what could be closed that preferences (boosts, courses put off) must leave."""

RUNNERS_UP = 3
"""Courses left out that are shown for each step."""


def recommend(inputs: Inputs, courses: Iterable[Course], catalogue_revision: int) -> LearningPath:
    """Return the officer's learning path over these courses. Raises InvalidInput as the planner does."""
    inputs.check()
    by_id = {course.id: course for course in courses}
    wants, doors = believed(inputs, by_id.get)
    worth = Worth(wants)
    first = preferred(inputs, by_id, worth, doors)

    def told(names: list[str]) -> PathPlan[Plan]:
        """Return the path of these courses."""
        again = retold(first, names, worth, doors)
        again.kept = False
        return draft(again, worth, doors)

    def forced(name: str) -> list[str]:
        """Return the path that the search finds with this course in it."""
        return draft(preferred(replace(inputs, pinned=[*inputs.pinned, name]), by_id, worth, doors), worth, doors).names

    best = improved(draft(first, worth, doors), worth, doors, PathPlanner(told, first.fits, forced, first.teachers))
    plan, short = best.plan, best.beyond.short(worth, reached_by(inputs, worth, best.picks))
    whole = Told(best.picks, best.obstacle, plan.notes, short, plan.kept, finishing=plan.finishing)
    return path_of(inputs, worth, doors, whole, catalogue_revision)


def preferred(inputs: Inputs, courses: Mapping[str, Course], worth: Worth, doors: Mapping[SkillKey, float]) -> "Plan":
    """Return the plan; without preferences where those would leave too little."""
    plan = planned(inputs, courses, worth, doors, plain=False)
    if inputs.slowed or any(rule.bias not in (INCLUDE_ONLY, EXCLUDE) for rule in inputs.rules):
        other = planned(inputs, courses, worth, doors, plain=True)
        if plan.end.worth * 100 < other.end.worth * OPINION:
            plan = other
    return plan


def draft(plan: "Plan", worth: Worth, doors: Mapping[SkillKey, float]) -> PathPlan["Plan"]:
    """Return the path of a plan without what serves nothing, told as if it were kept."""
    inputs = plan.inputs
    picks = serving(inputs, worth, doors, plan.picks)
    names = [pick.offer.id for pick in picks]
    if len(picks) < len(plan.picks) or not inputs.done.union(names).issuperset(inputs.previous):
        plan = retold(plan, names, worth, doors)
        picks = serving(inputs, worth, doors, plan.picks)
    beyond = Beyond(inputs, end_of(inputs, worth, doors, picks), plan.stock, plan.above, plan.kept, plan.finishing)
    return draft_of(plan, picks, beyond)


def planned(
    inputs: Inputs, courses: Mapping[str, Course], worth: Worth, doors: Mapping[SkillKey, float], *, plain: bool
) -> "Plan":
    """Return the plan; anew where what is pinned fits only by way of courses that it did not look at."""
    also: list[str] = []
    while True:
        plan = Plan(inputs, courses, worth, doors, also, plain=plain)
        if not (missing := [name for name in plan.missing if name not in also]):
            return plan
        also += missing


def retold(plan: "Plan", names: list[str], worth: Worth, doors: Mapping[SkillKey, float]) -> "Plan":
    """Return the plan as the path of these courses is told when it is kept: from the inputs and the path alone."""
    inputs = replace(plan.inputs, previous=names, finishing=True)
    again = planned(inputs, plan.courses, worth, doors, plain=plan.plain)
    again.inputs, again.notes, again.kept, again.finishing = plan.inputs, plan.notes, plan.kept, plan.finishing
    return again


class Bid(NamedTuple):
    """The bundle of a goal that fits, in order of study, and its score."""

    goal: Way
    bundle: list[Way]
    score: int


def bids(problem: Problem, now: Standing, prices: Prices, goals: Iterable[Way], exponent: float = 1.0) -> list[Bid]:
    """Return what these courses bid, best first; of equals the higher cosine, the lower cost, the lower id."""
    found = []
    for goal in goals:
        if prices.of(goal) == FAR or not now.gains(goal):
            continue
        bundle = problem.bundle(goal, prices)
        if sum(way.hours for way in bundle) > now.hours or len(bundle) > now.steps:
            continue
        cost = sum(way.cost for way in bundle)
        if score := score_of(gain_of(now, bundle), cost, exponent):
            found.append(((-score, -goal.cosine, cost, goal.id), Bid(goal, bundle, score)))
    return [bid for _, bid in sorted(found, key=lambda item: item[0])]


def gain_of(now: Standing, courses: Iterable[Way]) -> int:
    """Return what these courses close together."""
    then = now.copy()
    for way in courses:
        then.study(way)
    return then.worth - now.worth


def walked(problem: Problem, now: Standing, courses: Iterable[Way]) -> tuple[list[Way], Standing]:
    """Return those of these courses that can be entered one after the other, and the standing at the end."""
    entered, then = [], now.copy()
    for way in courses:
        if problem.admits(then, way):
            then.study(way)
            entered.append(way)
    return entered, then


def lean(problem: Problem, now: Standing, courses: Sequence[Way], tried: Sequence[Way]) -> tuple[list[Way], Standing]:
    """Walk courses without, from the end, each of those tried whose loss loses nothing and shuts no door."""
    kept, end = walked(problem, now, courses)
    for way in reversed(tried):
        rest = [other for other in kept if other is not way]
        entered, then = walked(problem, now, rest)
        if entered == rest and then.worth == end.worth:
            kept, end = rest, then
    return kept, end


def goals_of(problem: Problem, now: Standing) -> list[Way]:
    """Return the courses that are in reach and close something. What only later comes into reach is no goal."""
    prices = problem.prices(now)
    return [way for way in problem.courses.values() if prices.of(way) < FAR and now.gains(way)]


def greedy(problem: Problem, now: Standing, goals: Collection[Way], exponent: float = 1.0) -> list[Way]:
    """Return T0: again and again the bundle that bids most, until none fits or closes anything. Moves `now` on."""
    route: list[Way] = []
    while found := bids(problem, now, problem.prices(now), goals, exponent):
        bundle = found[0].bundle
        bundle, _ = lean(problem, now, bundle, bundle[:-1])
        for way in bundle:
            now.study(way)
        route += bundle
    return route


class Route(NamedTuple):
    """A way through after the seeds: what is held at its end, less what it costs, its courses."""

    worth: int
    saved: int
    courses: list[Way]

    def better(self, other: "Route") -> "Route":
        """Return the other where it closes more, or as much at less cost."""
        return other if (other.worth, other.saved) > (self.worth, self.saved) else self


def route_of(problem: Problem, seeded: Standing, courses: Sequence[Way]) -> Route:
    """Return the route of these courses, without what loses nothing."""
    kept, end = lean(problem, seeded, courses, courses)
    return Route(end.worth, -sum(way.cost for way in kept), kept)


def best_route(problem: Problem, seeded: Standing, goals: Collection[Way]) -> Route:
    """Return T1: the best T0 of several exponents, then tried without each of its courses in turn."""
    best = Route(-1, 0, [])
    for exponent in EXPONENTS:
        best = best.better(route_of(problem, seeded, greedy(problem, seeded.copy(), goals, exponent)))
    for _ in range(ROUNDS):
        before = best
        for place in reversed(range(len(before.courses))):
            if place >= len(best.courses):
                continue
            out = best.courses[place]
            rest = [way for way in best.courses if way is not out]
            start, now = lean(problem, seeded, rest, rest)
            more = greedy(problem, now, [goal for goal in goals if goal is not out])
            best = best.better(route_of(problem, seeded, start + more))
        if best is before:
            break
    return best


class Plan:
    """One officer's plan: `picks`, `notes`, whether the path before was `kept`, standings `seeded` and at the `end`."""

    def __init__(  # noqa: PLR0913 - what a plan is made from
        self,
        inputs: Inputs,
        courses: Mapping[str, Course],
        worth: Worth,
        doors: Mapping[SkillKey, float],
        also: Collection[str] = (),
        *,
        plain: bool,
    ) -> None:
        self.inputs, self.courses, self.plain = inputs, courses, plain
        self.picks: list[Pick] = []
        self.notes: list[Note] = []
        self.end = Standing(
            hours=NO_LIMIT if inputs.budget_hours is None else round(inputs.budget_hours * MICRO),
            steps=MOST_STEPS if inputs.max_steps is None else min(inputs.max_steps, MOST_STEPS),
            levels={skill: micro(level) for skill, level in doors.items()},
            done=set(inputs.done),
            held=dict.fromkeys(worth.gaps, 0),
        )
        self.worth, self.doors = worth, doors
        self.problem, reachable = problem_of(inputs, courses.values(), worth, self.end, also, plain=plain)
        self.stock = self._stock(reachable)
        self.missing: list[str] = []
        self._seed()
        self.seeded, self.goals = self.end, goals_of(self.problem, self.end)
        route = self._before()
        self.finishing, self.kept = inputs.finishing and route is not None, False
        if route is None or not inputs.finishing:
            found = best_route(self.problem, self.seeded, self.goals)
            if route is not None and self._left():
                self.kept = found.worth * 100 < route.worth * WORTH_A_CHANGE
            route = route if route is not None and self.kept else self._in_order(found)
        picks, self.end = self._told(route, in_order=True)
        self.picks += picks

    def _in_order(self, route: Route) -> Route:
        """Return a route in the order in which it is studied; in its own where the cheapest opener was spare."""
        picks, end = self._told(route, in_order=False)
        if end.worth != route.worth:
            return route
        return route_of(self.problem, self.seeded, [self.problem.courses[pick.offer.id] for pick in picks])

    def _seed(self) -> None:
        """Take what comes first whatever it closes: what is started, mandatory, pinned."""
        inputs = self.inputs
        wanted: dict[Seed, list[str]]
        wanted = {"started": inputs.started, "mandatory": inputs.mandatory, "pinned": inputs.pinned}
        for seed, names in wanted.items():
            for name in dict.fromkeys(names):
                if name not in self.end.done:
                    self._plant(name, seed)
        told = {note.course for note in self.notes}
        for name in inputs.previous:
            if name not in self.courses and name not in told and name not in inputs.done:
                self._note(name, "withdrawn")
        self.notes += unknown_completed(inputs, self.courses.get)

    def _plant(self, name: str, seed: Seed) -> None:
        """Take a course, with what opens its door unless it was started; or note why not."""
        if name not in self.courses:
            return self._note(name, gone(self.inputs, name))
        if name not in self.problem.courses:
            return self._note(name, "excluded")
        way, prices = self.problem.courses[name], self.problem.prices(self.end)
        bundle = [way]
        if seed != "started":
            if prices.of(way) == FAR:
                return self._note(name, "unreachable")
            bundle = self.problem.bundle(way, prices)
            if seed == "mandatory" and len(bundle) + len(self.picks) > MOST_STEPS:
                return self._note(name, "does_not_fit")
            hours = sum(one.hours for one in bundle)
            if seed == "pinned" and (hours > self.end.hours or len(bundle) > self.end.steps):
                bundle = self._pinned(name)
            else:
                bundle, _ = lean(self.problem, self.end, bundle, bundle[:-1])
        for one in bundle:
            self.end.study(one)
            self.picks.append(Pick(one.offer, 0, one.cosine / MICRO, [], seed))
        return None

    def _pinned(self, name: str) -> list[Way]:
        """Return the shortest way to a pinned course; where it does not fit or is not known, note that."""
        found, short = pinned_in(self.end, name, self.stock)
        if not found:
            self._note(name, "does_not_fit", short)
        elif not all(one in self.problem.courses for one in found):
            self.missing += found
        else:
            return [self.problem.courses[one] for one in found]
        return []

    def _note(self, name: str, kind: Left, short: Short | None = None) -> None:
        self.notes.append(left_out(name, kind, self.courses.get(name), short))

    def _left(self) -> list[str]:
        """Return the courses of the path before that are still to be done after the seeds."""
        return [name for name in self.inputs.previous if name not in self.seeded.done]

    def _before(self) -> Route | None:
        """Return the route of the path before; None where it can no longer be studied."""
        names = self._left()
        ways = [self.problem.courses[name] for name in names if name in self.problem.courses]
        entered, then = walked(self.problem, self.seeded, ways)
        if len(entered) < len(names) or (names and min(then.hours, then.steps) < 0):
            return None
        return route_of(self.problem, self.seeded, ways)

    def _told(self, route: Route, *, in_order: bool) -> tuple[list[Pick], Standing]:
        """Return the picks of a route after the seeds, and the standing at their end.

        As if the route were all there is, the bundle worth most per hour comes next; with `in_order` as they stand.
        Beside each stand the best other bundles of all courses that still fit.
        """
        picks: list[Pick] = []
        now, inside, left = self.seeded.copy(), self.seeded.copy(), route.courses
        inside.hours = inside.steps = NO_LIMIT
        while left:
            if in_order:
                last = next((place for place, way in enumerate(left, 1) if inside.gains(way)), len(left))
                bundle = left[:last]
            else:
                goals = [goal for goal in self.goals if goal in left]
                found = bids(self.problem, inside, self.problem.prices(inside, only=left), goals)
                if not found:
                    break
                bundle, _ = lean(self.problem, inside, found[0].bundle, found[0].bundle[:-1])
            score = score_of(gain_of(inside, bundle), sum(way.cost for way in bundle))
            rivals = bids(self.problem, now, self.problem.prices(now), self.goals)
            others = [RunnerUp(bid.goal.offer.course, bid.score) for bid in rivals if bid.goal not in route.courses]
            for way in bundle:
                runners_up = others[:RUNNERS_UP] if way is bundle[-1] else []
                picks.append(Pick(way.offer, score, way.cosine / MICRO, runners_up))
                now.study(way)
                inside.study(way)
            left = [way for way in left if way not in bundle]
        return picks, now

    def fits(self, name: str) -> bool:
        """Return whether the search has a way to a course within the hours that the seeds leave."""
        way, prices = self.problem.courses.get(name), self.problem.prices(self.seeded)
        if way is None or prices.of(way) == FAR:
            return False
        bundle = self.problem.bundle(way, prices)
        return len(bundle) <= MOST_STEPS and sum(one.hours for one in bundle) <= self.seeded.hours

    def teachers(self, skill: SkillKey) -> list[tuple[int, str]]:
        """Return (micro-level, id) of the courses that teach a skill."""
        taught = ((offer_of(course).teaches.get(skill), course.id) for course in self.courses.values())
        return [(micro(row[1]), name) for row, name in taught if row]

    def _stock(self, known: Mapping[str, Way]) -> Stock:
        """Return the courses that the officer may use and can reach."""
        taught = sorted(known.values(), key=lambda way: (way.hours, way.id))
        return Stock(lambda skill: [(way.lifts[skill], way.id) for way in taught if skill in way.lifts], known.get)

    def above(self, skill: str, level: int) -> list[Course]:
        """Return the courses, not done, that teach a skill beyond a micro-level."""
        courses = [course for course in self.courses.values() if course.id not in self.inputs.done]
        return [course for course in courses if self._reached_by(course, skill) > level]

    def _reached_by(self, course: Course, skill: str) -> int:
        _, high = offer_of(course).teaches.get((self.inputs.framework.id, skill), (0.0, 0.0))
        return micro(high)
