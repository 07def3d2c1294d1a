"""One officer as a query: levels, gaps and costs as the arrays that the compiled search reads."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import MICRO, Inputs
from services.recommender.planner.course_spec import CourseCondition, SkillKey
from services.recommender.planner.exact.options import PathState
from services.recommender.planner.index.catalog import BaseSegment, TenantCatalog, View
from services.recommender.planner.index.graph import IndexedGraph
from services.recommender.planner.index.segment import Ints, Longs, Segment
from services.recommender.planner.index.vocabulary import MODALITIES, VOCABULARY, Records
from services.recommender.planner.optimizer.closure_cost import ADDING, Costs, costs_from, empty_costs, specialise
from services.recommender.planner.params import PARAMS
from services.recommender.planner.references import by_reference
from services.recommender.planner.units import FORBIDDEN, UNREACHABLE, micro
from services.recommender.planner.value import CERTAIN, Stair, ValueFunction
from services.recommender.rules import EXCLUDE, INCLUDE_ONLY, Rule
from shared.domain import Framework
from shared.texts import folded

Factors = NDArray[np.float64]


class CostProfile(NamedTuple):
    """The costs that officers of one framework, with the same languages and rules, share.

    They are computed for an officer who holds nothing.
    """

    factor: NDArray[np.float64]
    """(N,): multiplies the hours of each course; 0 where it must not be used."""
    costs: Costs


SKILL_DTYPE = np.dtype([("entry_level", np.int64), ("gap", np.int64)])
"""A skill: the micro-level that counts at entry, and its number among the gaps or -1."""

LEVEL_VALUE_DTYPE = np.dtype([("level", np.int64), ("value", np.int64), ("whole", np.int64)])
"""A micro-level, its value, and its value without regard to unconfirmed gains (`whole`), in micro-levels."""

UNCONFIRMED_DTYPE = np.dtype(
    [(field, np.int64) for field in ("course", "gap", "group", "value", "whole", "percent", "gain")]
)
"""An unconfirmed row that counts: course, gap, its value alone, the value of its level if confirmed (`whole`), its
confidence in per cent, and the micro-levels that it gains times its confidence.

Rows of one gap that lead to the same level are of one `group`, counted from 0.
"""

STAIR_DTYPE = np.dtype([(field, np.int64) for field in ("gap", "percent", "whole")])
"""An unconfirmed gain of completed courses: gap, confidence in per cent, value in micro-levels; see `planner.value`."""


@by_reference
class Query(NamedTuple):
    """One officer, for the compiled search over the S skills of the vocabulary and the officer's G gaps.

    Gaps are numbered in the order of `ValueFunction.gaps`, courses and conditions as in the graph of the search space.
    """

    skills: Records
    """(S,) SKILL_DTYPE."""
    current_level: Longs
    """(G,): micro-level held."""
    size: NDArray[np.float64]
    """(G,): value of closing the gap, in levels."""
    begins: Longs
    """(G + 1,): where the rows of each gap begin in `level_values`."""
    level_values: Records
    """LEVEL_VALUE_DTYPE: per gap the levels that courses teach the skill to, ascending."""
    met: Ints
    """Numbers, in the graph of the search space, of the conditions that completed courses satisfy."""
    forced: Ints
    """Numbers, in the graph of the search space, of courses that must be candidates whatever they close."""
    unconfirmed: Records
    """UNCONFIRMED_DTYPE, sorted by course."""
    stairs: Records
    """STAIR_DTYPE: of each gap the most confident first."""
    exponents: NDArray[np.float64]
    """(E,): the exponents of the closure cost for which the shortlist has the courses of the highest value per cost."""


class SearchSpace(NamedTuple):
    """The courses that a search considers: the base or only its champions, and the overlay.

    `graph` numbers them: the courses of `base` first, then those of the overlay. `base_numbers`: the number in the
    whole base of each champion; None: `base` is the whole base.
    """

    graph: IndexedGraph
    base: Segment
    base_numbers: Ints | None
    catalog: TenantCatalog

    def course_id(self, number: int) -> str:
        """Return the id of the course with this number in the graph of the search space."""
        if number >= self.base.size:
            return self.catalog.delta[1][number - self.base.size]
        return self.catalog.base.ids[number if self.base_numbers is None else int(self.base_numbers[number])]

    def numbers(self, course_ids: Iterable[str]) -> list[int]:
        """Return the numbers, in the graph, of the visible courses among `course_ids`; in order, without duplicates."""
        return [number for number in self.numbered(list(dict.fromkeys(course_ids))) if number >= 0]

    def numbered(self, course_ids: Sequence[str]) -> list[int]:
        """Return for each of `course_ids` its number in the graph; -1 if the course is not visible."""
        if not course_ids:
            return []
        names = [VOCABULARY.courses.get(course_id, -1) for course_id in course_ids]
        overlay = self.catalog.delta[0].find(names)
        found = np.where(overlay >= 0, overlay + self.base.size, self.base.find(names)).tolist()
        deleted, size = self.catalog.overlay_names, self.base.size
        return [n if n >= size or name not in deleted else -1 for n, name in zip(found, names, strict=True)]


def search_space(catalog: TenantCatalog, inputs: Inputs, also: Sequence[str] = ()) -> SearchSpace:
    """Return the search space of the champions and the overlay; of the whole catalog if champions may not suffice.

    They may not suffice if a rule permits only certain courses, or if a forced course is no champion. `also`: ids of
    further forced courses.
    """
    catalog.base.build()
    base, numbers = catalog.base.segment, None
    if (champions := catalog.base.champions) and not any(rule.bias == INCLUDE_ONLY for rule in inputs.rules):
        names = [VOCABULARY.courses.get(course_id, -1) for course_id in forced_courses(inputs, also)]
        if ((champions[0].find(names) >= 0) == (base.find(names) >= 0)).all():
            base, numbers = champions
    return SearchSpace(catalog.graph(champions=numbers is not None), base, numbers, catalog)


def forced_courses(inputs: Inputs, also: Sequence[str]) -> list[str]:
    """Return the ids of the courses that must be candidates whatever they close; `also` is included."""
    return [*inputs.started, *inputs.mandatory, *inputs.pinned, *inputs.previous, *also]


def forced_numbers(inputs: Inputs, space: SearchSpace, also: Sequence[str]) -> Ints:
    """Return (F,) the numbers, in the graph of `space`, of the visible courses of `forced_courses`."""
    return np.array(space.numbers(forced_courses(inputs, also)), np.int32)


class PlanContext(NamedTuple):
    """What is known of a plan before there is a path. `space`: the courses that the search considers.

    `start`: the state before the path, which nobody changes. `ignore_preferences`: boosts and deferrals change no cost.
    """

    inputs: Inputs
    view: View
    value: ValueFunction
    start: PathState
    space: SearchSpace
    ignore_preferences: bool = False


def build_query(context: PlanContext, also: Sequence[str]) -> tuple[Query, Costs]:
    """Return the query of an officer, and the costs after the started courses, which come first in any case.

    `also`: ids of further courses that must be candidates.
    """
    inputs, value, space = context.inputs, context.value, context.space
    count = len(VOCABULARY.skills)
    skills = np.zeros(count, SKILL_DTYPE)
    skills["gap"] = -1
    ours = skills_of(inputs.framework.id, count)
    skills["entry_level"] = levels_by_skill(context.start.levels, count)
    gaps = list(value.gaps)
    level_values: list[tuple[int, int, int]] = []
    begins = [0]
    for gap, name in enumerate(gaps):
        if (skill := VOCABULARY.skills.get((inputs.framework.id, name), count)) < count:
            skills[skill]["gap"] = gap
            levels = {*space.base.levels(skill), *space.catalog.delta[0].levels(skill)}
            level_values += [
                (level, value.of(name, level / MICRO), value.certain(name, level / MICRO)) for level in sorted(levels)
            ]
        begins.append(len(level_values))
    costs, changed = _costs(inputs, space, ours, context.ignore_preferences)
    met = conditions_met(space, inputs.done)
    arrays = space.graph.arrays
    started = [course for course in space.numbers(inputs.started) if costs.cost[course] > 0]
    opened = [int(arrays.courses[course]["own_condition"]) for course in started]
    held = np.array([*met, *(condition for condition in opened if condition >= 0)], np.int32)
    begun = _levels_after_started(space, skills["entry_level"], started)
    specialise(arrays, begun, held, changed, costs)
    query = Query(
        skills=skills,
        current_level=np.array([micro(value.targets[name].level) for name in gaps], np.int64),
        size=np.array([value.gaps[name] / MICRO for name in gaps], np.float64),
        begins=np.array(begins, np.int64),
        level_values=np.array(level_values, LEVEL_VALUE_DTYPE),
        met=np.array(met, np.int32),
        forced=forced_numbers(inputs, space, also),
        unconfirmed=_unconfirmed(space, inputs.framework.id, value),
        stairs=np.array(
            [(gaps.index(name), *step) for name in gaps for step in value.stairs.get(name, ())], STAIR_DTYPE
        ),
        exponents=np.array(PARAMS.shortlist_exponents(inputs.max_steps), np.float64),
    )
    return query, costs


def levels_by_skill(levels: Mapping[SkillKey, int], count: int) -> Longs:
    """Return (count,) the micro-levels of the first `count` skills of the vocabulary; 0 for a skill without a level."""
    found = np.zeros(count, np.int64)
    for key, level in levels.items():
        if (skill := VOCABULARY.skills.get(key, count)) < count:
            found[skill] = level
    return found


def counted(rows: Records, value: ValueFunction) -> NDArray[np.bool_]:
    """Return a mask of the matched rows (MATCHED_DTYPE) that are confident enough to count."""
    least = rows["threshold"] if value.least_confidence is None else value.least_confidence
    return np.asarray(rows["confidence"] >= least, np.bool_)


def gains_of(rows: Records, skill: str, value: ValueFunction, gain: Callable[[str, Stair], int]) -> Longs:
    """Return what the stair of each matched row (MATCHED_DTYPE) of a gap gains; equal stairs are computed once.

    `gain`: (gap, stair) -> micro-levels.
    """
    percents = rows["confidence"].astype(np.int64) * CERTAIN // MICRO
    stairs, place = np.unique(rows["high"].astype(np.int64) * (CERTAIN + 1) + percents, return_inverse=True)
    levels, percents = (part.tolist() for part in np.divmod(stairs, CERTAIN + 1))
    gains = [
        gain(skill, (percent, value.certain(skill, level / MICRO)))
        for level, percent in zip(levels, percents, strict=True)
    ]
    return np.array(gains, np.int64)[place]


def _unconfirmed(space: SearchSpace, framework: str, value: ValueFunction) -> Records:
    """Return the unconfirmed rows that have value for the officer; see `ValueFunction.matched`."""
    parts: list[Records] = []
    groups = 0
    for gap, name in enumerate(value.gaps):
        skill = VOCABULARY.skills.get((framework, name), -1)
        base, overlay = space.base.matched_to(skill), space.catalog.delta[0].matched_to(skill)
        if not len(base) + len(overlay):
            continue
        rows = np.concatenate([base, overlay])
        course = np.concatenate([base["course"], overlay["course"] + np.int32(space.base.size)])
        percent = rows["confidence"].astype(np.int64) * CERTAIN // MICRO
        levels, group = np.unique(rows["high"], return_inverse=True)
        certain = np.array([value.certain(name, level / MICRO) for level in levels.tolist()], np.int64)
        added = gains_of(rows, name, value, value.alone)
        counting = counted(rows, value) & (rows["low"] <= micro(value.targets[name].level)) & (added > 0)
        found = np.zeros(int(counting.sum()), UNCONFIRMED_DTYPE)
        found["course"], found["gap"], found["value"] = course[counting], gap, added[counting]
        found["whole"], found["percent"] = certain[group][counting], percent[counting]
        found["group"] = groups + group[counting]
        found["gain"] = (rows["high"] - rows["low"]).astype(np.int64)[counting] * percent[counting] // CERTAIN
        parts.append(found)
        groups += len(levels)
    if not parts:
        return np.zeros(0, UNCONFIRMED_DTYPE)
    together = np.concatenate(parts)
    return together[np.argsort(together["course"], kind="stable")]


def conditions_met(space: SearchSpace, course_ids: Iterable[str]) -> list[int]:
    """Return the numbers, in the graph of `space`, of the conditions that these completed courses satisfy.

    A condition on a course counts; conditions on levels and branches do not.
    """
    completed = map(CourseCondition, sorted(course_ids))
    conditions = [space.graph.condition(VOCABULARY.conditions.number(one)) for one in completed]
    return [condition for condition in conditions if condition >= 0]


def _levels_after_started(space: SearchSpace, entry_levels: Longs, started: Sequence[int]) -> Longs:
    """Return the levels that count for entry after the started courses."""
    levels_after_started, arrays = entry_levels.copy(), space.graph.arrays
    for course in started:
        for row in arrays.rows[arrays.courses[course]["row"] : arrays.courses[course + 1]["row"]]:
            levels_after_started[row["skill"]] = max(levels_after_started[row["skill"]], row["high"])
    return levels_after_started


def _costs(inputs: Inputs, space: SearchSpace, ours: NDArray[np.bool_], ignore_preferences: bool) -> tuple[Costs, Ints]:
    """Return costs to specialise, and the courses whose cost differs from their profile's."""
    cost_profile, size = _cost_profile(inputs, space, ours, ignore_preferences), space.base.size
    factors = np.concatenate([cost_profile.factor, _factors(inputs, space.catalog.delta[0], ignore_preferences)])
    slowed = {} if ignore_preferences else inputs.cost_multipliers
    deferred, wanted = space.numbers(slowed), space.numbers([*inputs.mandatory, *inputs.started])
    deleted, barred = space.catalog.deleted(space.base), space.numbers([*inputs.done, *inputs.excluded])
    factors[deferred] *= [slowed[space.course_id(course)] for course in deferred]
    factors[wanted] = np.where(factors[wanted] > 0, factors[wanted], 1.0)
    factors[barred] = factors[deleted] = 0.0
    changed = np.array([*deleted.tolist(), *deferred, *wanted, *barred, *range(size, len(factors))], np.int32)
    arrays = space.graph.arrays
    cost, closure_cost, condition_cost = (
        np.concatenate([known, np.full(count - len(known), filling, np.int64)])
        for known, count, filling in (
            (cost_profile.costs.cost, len(factors), 0),
            (cost_profile.costs.closure_cost, len(factors), FORBIDDEN),
            (cost_profile.costs.condition_cost, arrays.sizes[1], UNREACHABLE),
        )
    )
    cost[changed] = _cost(arrays.courses["hours"][changed], factors[changed])
    return Costs(cost, closure_cost, condition_cost, ours), changed


def _cost(hours: Longs, factor: Factors) -> Longs:
    """Return the courses' costs in micro-hours; 0 for those that must not be used."""
    cost = np.where(factor == 1.0, hours, np.maximum((hours * factor + 0.5).astype(np.int64), 1))
    return np.where(factor > 0, cost, 0)


def _cost_profile(inputs: Inputs, space: SearchSpace, ours: NDArray[np.bool_], ignore_preferences: bool) -> CostProfile:
    """Return the costs shared by officers of the same framework, languages and rules who hold nothing."""
    key = (
        inputs.framework.id,
        tuple(sorted(inputs.languages)),
        msgspec.json.encode(inputs.rules),
        ignore_preferences,
        space.base_numbers is None,
    )

    def made() -> CostProfile:
        factor = _factors(inputs, space.base, ignore_preferences)
        arrays = space.catalog.base.graph(champions=space.base_numbers is not None).arrays
        costs = empty_costs(arrays, _cost(arrays.courses["hours"][:-1], factor), ours)
        costs_from(arrays, np.zeros(0, np.int64), np.zeros(0, np.int32), ADDING, costs)
        return CostProfile(factor, costs)

    return space.catalog.base.cost_profile(key, made)


def usable_courses(inputs: Inputs, base: BaseSegment) -> NDArray[np.bool_]:
    """Return a mask (N,) of the courses of a base that the officer's languages and the rules permit."""
    key = "usable", inputs.framework.id, tuple(sorted(inputs.languages)), msgspec.json.encode(inputs.rules)
    return base.cost_profile(key, lambda: _factors(inputs, base.segment, ignore_preferences=True) > 0)


@lru_cache(maxsize=64)
def skills_of(framework: str, count: int) -> NDArray[np.bool_]:
    """Return a mask (count,) of the first `count` skills of the vocabulary: those of a framework."""
    found = np.zeros(count, np.bool_)
    found[[skill for skill in list(VOCABULARY.skills_of.get(framework, ())) if skill < count]] = True
    return found


def _factors(inputs: Inputs, segment: Segment, ignore_preferences: bool) -> Factors:
    """Return per course the factor of its hours from effort, languages and rules; 0: must not be used."""
    factors = segment.info["cost_factor"][:-1] / MICRO
    if inputs.languages and segment.size:
        spoken = set(inputs.languages)
        factors *= np.array(
            [not spoken.isdisjoint(language_set) for language_set in list(VOCABULARY.language_sets)], bool
        )[segment.info["languages"][:-1]]
    factors[~_admitted(inputs.rules, inputs.framework, segment)] = 0
    for rule in inputs.rules:
        if rule.bias not in (INCLUDE_ONLY, EXCLUDE) and not ignore_preferences:
            factors[_holding(rule, inputs.framework, segment)] /= rule.bias
    return factors


def admits_none(rules: Sequence[Rule], framework: Framework, catalog: TenantCatalog) -> bool:
    """Return whether a catalog has courses and the rules exclude each of them for officers of a framework."""
    base, delta = catalog.base.segment, catalog.delta[0]
    admitted = _admitted(rules, framework, base)
    there = np.ones(base.size, bool)
    there[catalog.deleted(base)] = False
    return bool(there.any() or delta.size) and not (admitted[there].any() or _admitted(rules, framework, delta).any())


def _admitted(rules: Sequence[Rule], framework: Framework, segment: Segment) -> NDArray[np.bool_]:
    """Return a mask (N,) of the courses that no rule excludes."""
    admitted = np.ones(segment.size, bool)
    for rule in rules:
        if rule.bias in (INCLUDE_ONLY, EXCLUDE):
            admitted &= _holding(rule, framework, segment) == (rule.bias == INCLUDE_ONLY)
    return admitted


def _holding(rule: Rule, framework: Framework, segment: Segment) -> NDArray[np.bool_]:
    """Return per course whether it has any of the values of a rule."""
    names = rule.names
    numbered: dict[str, tuple[str, Iterable[Collection[str]]]] = {
        "provider": ("provider", list(VOCABULARY.providers)),
        "language": ("languages", list(VOCABULARY.language_sets)),
        "modality": ("modality", [{modality} for modality in MODALITIES]),
    }
    if rule.field in numbered:
        column, held = numbered[rule.field]
        matching = np.array([not names.isdisjoint(one) for one in held], bool)
        return np.asarray(matching[segment.info[column][:-1]])
    holding = np.zeros(segment.size, bool)
    if rule.field == "course":
        found = segment.find(VOCABULARY.courses_like(names))
        holding[found[found >= 0]] = True
        return holding
    for skill in framework.skills:
        if folded(skill.id) in names:
            holding[segment.taught(VOCABULARY.skills.get((framework.id, skill.id), -1))["course"]] = True
    return holding
