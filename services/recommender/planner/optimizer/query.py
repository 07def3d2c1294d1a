"""What one officer looks for, as the arrays that the compiled search reads: levels, gaps, and what everything costs."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.recommender.inputs import (
    EXCLUDE,
    INCLUDE_ONLY,
    MICRO,
    Inputs,
    Rule,
)
from services.recommender.planner.course_spec import SkillKey
from services.recommender.planner.index.catalog import Shelf
from services.recommender.planner.index.graph import FIRST_ROW, Mesh
from services.recommender.planner.index.segment import (
    EFFORT,
    HIGH,
    MODALITY,
    PROVIDER,
    SKILL,
    TONGUE,
    Ints,
    Longs,
    Segment,
)
from services.recommender.planner.index.vocabulary import MODALITIES, NAMES
from services.recommender.planner.optimizer.closure_cost import Flags, Prices, prices_of
from services.recommender.planner.units import FAR, NEVER, micro
from services.recommender.planner.value import Worth
from shared.skills import Framework
from shared.texts import folded

Factors = NDArray[np.float64]


class Kind(NamedTuple):
    """What a catalogue costs officers of one kind who hold nothing. `factor`: what multiplies hours, 0 not to be used.

    No usable course has a factor below `least`.
    """

    factor: NDArray[np.float64]
    least: float
    prices: Prices


DOOR, GAP, OURS = range(3)


class Seeker(NamedTuple):
    """One officer. `skills`: DOOR level for entries (micro-levels), GAP (-1: none), OURS (of this framework).

    Per gap: `cut`, the level held, and `size`; `tops[begins[g]:begins[g + 1]]`: (level, its worth). `met`: needs of the
    net that courses done before meet. `roots`: courses wanted whatever they close. `least`: no course costs less than
    its hours times this. For `reach.settle`, with what was started as done: `ours`, `lifted` doors per skill, `held`
    needs, `changed` courses, and how many needs were `known` before.
    """

    skills: Longs
    cut: Longs
    size: NDArray[np.float64]
    begins: Longs
    tops: Longs
    met: Ints
    roots: Ints
    least: float
    ours: Flags
    lifted: Longs
    held: Ints
    changed: Ints
    known: int


class Field(NamedTuple):
    """Where a plan looks: the whole base or its champions, by number, and what lies beside."""

    mesh: Mesh
    base: Segment
    base_numbers: Ints | None
    shelf: Shelf

    def course_id(self, number: int) -> str:
        """Return the id of a course."""
        if number >= self.base.size:
            return self.shelf.near[1][number - self.base.size]
        return self.shelf.base.ids[number if self.base_numbers is None else int(self.base_numbers[number])]

    def numbers(self, course_ids: Iterable[str]) -> list[int]:
        """Return the numbers of those of these courses that are to be seen, in order, each once."""
        names = [NAMES.courses.get(course_id, -1) for course_id in dict.fromkeys(course_ids)]
        if not names:
            return []
        beside = self.shelf.near[0].find(names)
        found = np.where(beside >= 0, beside + self.base.size, self.base.find(names))
        hidden = self.shelf.beside_names
        return [
            n
            for n, name in zip(found.tolist(), names, strict=True)
            if n >= self.base.size or (name not in hidden and n >= 0)
        ]


def field_of(shelf: Shelf, inputs: Inputs, also: Sequence[str] = ()) -> Field:
    """Return the champions and what lies beside them; the whole catalogue where champions could miss what is wanted."""
    shelf.base.build()
    base, numbers = shelf.base.segment, None
    if (champions := shelf.base.champions) and not any(rule.bias == INCLUDE_ONLY for rule in inputs.rules):
        names = [NAMES.courses.get(course_id, -1) for course_id in wanted_by(inputs, also)]
        if ((champions[0].find(names) >= 0) == (base.find(names) >= 0)).all():
            base, numbers = champions
    return Field(shelf.mesh(champions=numbers is not None), base, numbers, shelf)


def wanted_by(inputs: Inputs, also: Sequence[str]) -> list[str]:
    """Return the courses that a plan looks at whatever they close."""
    return [*inputs.started, *inputs.mandatory, *inputs.pinned, *inputs.previous, *also]


class Outlook(NamedTuple):
    """What an officer looks for, and prices that are still to be settled for this officer."""

    seeker: Seeker
    prices: Prices


def outlook_of(
    inputs: Inputs, worth: Worth, standing: Mapping[SkillKey, float], field: Field, also: Sequence[str], plain: bool
) -> Outlook:
    """Return the officer. `plain`: without what is preferred or put off, which only changes costs."""
    count = len(NAMES.skills)
    skills = np.zeros((count, 3), np.int64)
    skills[:, GAP] = -1
    skills[:, OURS] = ours = skills_of(inputs.framework.id, count)
    for key, level in standing.items():
        if (skill := NAMES.skills.get(key, count)) < count:
            skills[skill, DOOR] = micro(level)
    gaps = list(worth.gaps)
    tops: list[tuple[int, int]] = []
    begins = [0]
    for gap, name in enumerate(gaps):
        if (skill := NAMES.skills.get((inputs.framework.id, name), count)) < count:
            skills[skill, GAP] = gap
            levels = {*field.base.levels(skill), *field.shelf.near[0].levels(skill)}
            tops += [(level, worth.of(name, level / MICRO)) for level in sorted(levels)]
        begins.append(len(tops))
    prices, changed, least = _costs(inputs, field, ours, plain)
    met = needs_met(field, inputs.done)
    net = field.mesh.net
    started = [course for course in field.numbers(inputs.started) if prices.cost[course] > 0]
    opened = [int(net.course_need[course]) for course in started if net.course_need[course] >= 0]
    held = np.array([*met, *opened], np.int32)
    seeker = Seeker(
        skills=skills,
        cut=np.array([micro(worth.wants[name].level) for name in gaps], np.int64),
        size=np.array([worth.gaps[name] / MICRO for name in gaps], np.float64),
        begins=np.array(begins, np.int64),
        tops=np.array(tops, np.int64).reshape(-1, 2),
        met=np.array(met, np.int32),
        roots=np.array(field.numbers(wanted_by(inputs, also)), np.int32),
        least=float(least),
        ours=ours,
        lifted=_lifted(field, skills[:, DOOR], started),
        held=held,
        changed=changed,
        known=len(field.mesh.names),
    )
    return Outlook(seeker, prices)


def needs_met(field: Field, course_ids: Iterable[str]) -> list[int]:
    """Return the needs that these courses meet by having been done."""
    needs = [field.mesh.need(NAMES.needs.known(course_id)) for course_id in sorted(course_ids)]
    return [need for need in needs if need >= 0]


def _lifted(field: Field, doors: Longs, started: Sequence[int]) -> Longs:
    """Return the levels that entries are tested against once what was started is done: it comes first in any case."""
    lifted, net = doors.copy(), field.mesh.net
    for course in started:
        for row in net.rows[net.begins[course, FIRST_ROW] : net.begins[course + 1, FIRST_ROW]]:
            lifted[row[SKILL]] = max(lifted[row[SKILL]], row[HIGH])
    return lifted


def _costs(inputs: Inputs, field: Field, ours: NDArray[np.bool_], plain: bool) -> tuple[Prices, Ints, float]:
    """Return prices to be settled, the courses whose cost is not that of their kind, and the least factor."""
    kind, size, net = _kind(inputs, field, ours, plain), field.base.size, field.mesh.net
    factors, near = dict[int, float](), _factors(inputs, field.shelf.near[0], plain)

    def factor_of(course: int) -> float:
        usual = kind.factor[course] if course < size else near[course - size]
        return factors.get(course, float(usual))

    if not plain:
        for course_id, slow in inputs.slowed.items():
            factors.update({course: factor_of(course) * slow for course in field.numbers([course_id])})
    for course in field.numbers([*inputs.mandatory, *inputs.started]):
        factors[course] = factor_of(course) or 1.0
    factors.update(dict.fromkeys(field.numbers([*inputs.done, *inputs.excluded]), 0.0))
    for course in [course for course in factors if course >= size]:
        near[course - size] = factors.pop(course)
    hidden = field.shelf.hidden(field.base)
    cost = np.concatenate([kind.prices.cost, _cost(net.hours[size:], near)])
    cost[hidden] = 0
    for course, factor in factors.items():
        cost[course] = _cost(net.hours[course : course + 1], np.array([factor]))[0]
    least = min([kind.least, *(factor for factor in [*factors.values(), *near.tolist()] if factor > 0)])
    changed = np.array([*hidden.tolist(), *factors, *range(size, size + len(near))], np.int32)
    return Prices(cost, *_longer(kind.prices, len(near), len(net.asked))), changed, least


def _longer(prices: Prices, courses: int, needs: int) -> tuple[Longs, Longs]:
    """Return price and reach, copied, with room for so many more courses and so many needs in all."""
    price = np.concatenate([prices.price, np.full(courses, NEVER, np.int64)])
    return price, np.concatenate([prices.reach, np.full(needs - len(prices.reach), FAR, np.int64)])


def _cost(hours: Longs, factor: Factors) -> Longs:
    """Return what courses cost, micro-hours; 0 where they are not to be used."""
    cost = np.where(factor == 1.0, hours, np.maximum((hours * factor + 0.5).astype(np.int64), 1))
    return np.where(factor > 0, cost, 0)


def _kind(inputs: Inputs, field: Field, ours: NDArray[np.bool_], plain: bool) -> Kind:
    """Return the prices of the base for officers of the same framework, languages and rules who hold nothing."""
    key = (
        inputs.framework.id,
        tuple(sorted(inputs.languages)),
        msgspec.json.encode(inputs.rules),
        plain,
        field.base_numbers is None,
    )

    def made() -> Kind:
        factor = _factors(inputs, field.base, plain)
        net = field.shelf.base.mesh(champions=field.base_numbers is not None).net
        least = float(factor[factor > 0].min(initial=1.0))
        return Kind(factor, least, prices_of(net, ours, _cost(net.hours, factor)))

    return field.shelf.base.kind(key, made)


@lru_cache(maxsize=64)
def skills_of(framework: str, count: int) -> NDArray[np.bool_]:
    return np.array([name == framework for name, _ in list(NAMES.skills)[:count]], np.bool_)


def _factors(inputs: Inputs, segment: Segment, plain: bool) -> Factors:
    """Return per course by what its effort, languages and rules multiply its hours; 0: not to be used."""
    factors = segment.info[:-1, EFFORT] / MICRO
    if inputs.languages and segment.size:
        spoken = set(inputs.languages)
        factors *= np.array([not spoken.isdisjoint(tongue) for tongue in list(NAMES.tongues)], bool)[
            segment.info[:-1, TONGUE]
        ]
    for rule in inputs.rules:
        holding = _holding(rule, inputs.framework, segment)
        if rule.bias == INCLUDE_ONLY:
            factors[~holding] = 0
        elif rule.bias == EXCLUDE:
            factors[holding] = 0
        elif not plain:
            factors[holding] /= rule.bias
    return factors


def _holding(rule: Rule, framework: Framework, segment: Segment) -> NDArray[np.bool_]:
    """Return per course whether it holds any of the values of a rule."""
    names = rule.names
    if rule.field == "provider":
        return np.array([not names.isdisjoint(titles) for titles in list(NAMES.providers)], bool)[
            segment.info[:-1, PROVIDER]
        ]
    if rule.field == "language":
        return np.array([not names.isdisjoint(tongue) for tongue in list(NAMES.tongues)], bool)[
            segment.info[:-1, TONGUE]
        ]
    if rule.field == "modality":
        return np.array([modality in names for modality in MODALITIES], bool)[segment.info[:-1, MODALITY]]
    holding = np.zeros(segment.size, bool)
    if rule.field == "course":
        found = segment.find(NAMES.courses_like(names))
        holding[found[found >= 0]] = True
        return holding
    for skill in framework.skills:
        if folded(skill.id) in names:
            number = NAMES.skills.get((framework.id, skill.id), len(segment.lists))
            holding[segment.taught(number)[:, 0]] = True
    return holding
