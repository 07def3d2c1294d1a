"""What one officer looks for, as the arrays that the compiled search reads: levels, gaps, and what may be used."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.recommender.model import EXCLUDE, INCLUDE_ONLY, MICRO, Inputs, Rule
from services.recommender.ranking.bounds import bounds_of
from services.recommender.ranking.extract import DOOR, GAP, OURS, Seeker, Sources
from services.recommender.ranking.gaps import Worth
from services.recommender.ranking.index import Shelf
from services.recommender.ranking.names import MODALITIES, NAMES, micro
from services.recommender.ranking.offers import SkillKey
from services.recommender.ranking.segments import MODALITY, PROVIDER, TONGUE, Ints, Longs, Segment

Factors = NDArray[np.float64]


class Field(NamedTuple):
    """Where a plan looks: the arrays, the ids of the courses in them, and which of them were replaced since."""

    sources: Sources
    base: Segment
    base_numbers: Ints | None
    shelf: Shelf

    def course_id(self, number: int) -> str:
        """Return the id of a course."""
        if number >= self.base.size:
            return self.shelf.near[1][number - self.base.size]
        return self.shelf.base.ids[number if self.base_numbers is None else int(self.base_numbers[number])]

    def numbers(self, names: Sequence[int]) -> Ints:
        """Return the numbers of those of these courses that are to be seen."""
        near = Shelf.numbers(self.shelf.near[0], names)
        held = set(self.shelf.beside_names)
        base = Shelf.numbers(self.base, [name for name in names if name not in held])
        return np.concatenate([base, near + np.int32(self.base.size)]).astype(np.int32)


def field_of(shelf: Shelf, inputs: Inputs, also: Sequence[str] = ()) -> Field:
    """Return the champions and what lies beside them; the whole catalogue where champions could miss what is wanted."""
    shelf.base.build()
    base, numbers = shelf.base.segment, None
    if (champions := shelf.base.champions) and not any(rule.bias == INCLUDE_ONLY for rule in inputs.rules):
        wanted = wanted_by(inputs, also)
        if len(Shelf.numbers(champions[0], wanted)) == len(Shelf.numbers(base, wanted)):
            base, numbers = champions
    return Field(shelf.sources(numbers is not None), base, numbers, shelf)


def wanted_by(inputs: Inputs, also: Sequence[str]) -> list[int]:
    """Return the names of the courses that a plan looks at whatever they close."""
    return names_of([*inputs.started, *inputs.mandatory, *inputs.pinned, *inputs.previous, *also])


def names_of(course_ids: Iterable[str]) -> list[int]:
    """Return the numbers of courses that were ever seen, in order, each once."""
    return list(dict.fromkeys(NAMES.courses[name] for name in course_ids if name in NAMES.courses))


def seeker_of(
    inputs: Inputs, worth: Worth, standing: Mapping[SkillKey, float], field: Field, also: Sequence[str], plain: bool
) -> Seeker:
    """Return the officer. `plain`: without what is preferred or put off, which only changes costs."""
    count = len(NAMES.skills)
    skills = np.zeros((count, 3), np.int64)
    skills[:, GAP] = -1
    skills[:, OURS] = _skills_of(inputs.framework.id, count)
    for key, level in standing.items():
        if (skill := NAMES.skills.get(key, count)) < count:
            skills[skill, DOOR] = micro(level)
    gaps = list(worth.gaps)
    tops: list[tuple[int, int]] = []
    begins = [0]
    for gap, name in enumerate(gaps):
        if (skill := NAMES.skills.get((inputs.framework.id, name), count)) < count:
            skills[skill, GAP] = gap
            levels = _levels(field.base, skill) | _levels(field.shelf.near[0], skill)
            tops += [(level, worth.of(name, level / MICRO)) for level in sorted(levels)]
        begins.append(len(tops))
    factor = _usable(inputs, field, plain)
    lowest = float(factor[factor > 0].min(initial=1.0))
    return Seeker(
        skills=skills,
        cut=np.array([micro(worth.wants[name].level) for name in gaps], np.int64),
        size=np.array([worth.gaps[name] / MICRO for name in gaps], np.float64),
        begins=np.array(begins, np.int64),
        tops=np.array(tops, np.int64).reshape(-1, 2),
        factor=factor,
        least=lowest,
        done=np.array(sorted(names_of(inputs.done)), np.int32),
        roots=field.numbers(wanted_by(inputs, also)),
        bounds=_bounds(inputs, field, plain),
    )


def _usable(inputs: Inputs, field: Field, plain: bool) -> Factors:
    factor = np.concatenate([_factors(inputs, part, plain) for part in (field.base, field.shelf.near[0])])
    factor[Shelf.numbers(field.base, field.shelf.beside_names)] = 0
    return factor


def _bounds(inputs: Inputs, field: Field, plain: bool) -> Longs:
    """Return what needs cost at most; it stands for all officers of the same framework, languages and rules."""
    if inputs.excluded or inputs.slowed or inputs.done or inputs.mandatory or inputs.started:
        return np.zeros(0, np.int64)
    kind = (inputs.framework.id, tuple(sorted(inputs.languages)), msgspec.json.encode(inputs.rules), plain)
    known = field.shelf.bounds
    if (found := known.get(kind)) is None:
        known[kind] = found = bounds_of(
            field.sources, _usable(inputs, field, plain), _skills_of(inputs.framework.id, len(NAMES.skills))
        )
    return found


@lru_cache(maxsize=64)
def _skills_of(framework: str, count: int) -> NDArray[np.bool_]:
    return np.array([name == framework for name, _ in list(NAMES.skills)[:count]], np.bool_)


def _levels(segment: Segment, skill: int) -> set[int]:
    return set(segment.taught(skill)[:, 1].tolist())


def _factors(inputs: Inputs, segment: Segment, plain: bool) -> Factors:
    """Return per course what multiplies its hours; 0: not to be used."""
    factors = np.ones(segment.size)
    if inputs.languages:
        spoken = set(inputs.languages)
        factors *= np.array([not spoken.isdisjoint(tongue) for tongue in list(NAMES.tongues)], bool)[
            segment.info[:-1, TONGUE]
        ]
    for rule in inputs.rules:
        holding = _holding(rule, inputs.framework.id, segment)
        if rule.bias == INCLUDE_ONLY:
            factors[~holding] = 0
        elif rule.bias == EXCLUDE:
            factors[holding] = 0
        elif not plain:
            factors[holding] /= rule.bias
    if not plain:
        for course_id, factor in inputs.slowed.items():
            factors[Shelf.numbers(segment, names_of([course_id]))] *= factor
    above = Shelf.numbers(segment, names_of([*inputs.mandatory, *inputs.started]))
    factors[above[factors[above] == 0]] = 1
    factors[Shelf.numbers(segment, names_of([*inputs.done, *inputs.excluded]))] = 0
    return factors


def _holding(rule: Rule, framework: str, segment: Segment) -> NDArray[np.bool_]:
    """Return per course whether it holds any of the values of a rule."""
    values = set(rule.values)
    if rule.field == "provider":
        return np.array([not values.isdisjoint(titles) for titles in list(NAMES.providers)], bool)[
            segment.info[:-1, PROVIDER]
        ]
    if rule.field == "language":
        return np.array([not values.isdisjoint(tongue) for tongue in list(NAMES.tongues)], bool)[
            segment.info[:-1, TONGUE]
        ]
    if rule.field == "modality":
        return np.array([modality in values for modality in MODALITIES], bool)[segment.info[:-1, MODALITY]]
    holding = np.zeros(segment.size, bool)
    if rule.field == "course":
        holding[Shelf.numbers(segment, names_of(rule.values))] = True
        return holding
    for value in values:
        skill = NAMES.skills.get((framework, value), len(segment.lists))
        holding[segment.taught(skill)[:, 0]] = True
    return holding
