"""Conditions of entry, a course as one officer may use it, and where the officer stands: integers, in plain Python."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

from msgspec import UNSET

from services.recommender.inputs import EXCLUDE, INCLUDE_ONLY, MICRO, Inputs, names_of
from services.recommender.planner.course_spec import Offer, SkillKey, effort_of, level_condition
from services.recommender.planner.units import micro
from services.recommender.planner.value import Worth
from shared.skills import Course, Prerequisite


class Level(NamedTuple):
    """The need that a level of a skill is held."""

    skill: SkillKey
    level: int


class Done(NamedTuple):
    """The need that a course is done."""

    course: str


class AnyOf(NamedTuple):
    """The need that every need of any one branch is met."""

    branches: tuple[tuple["Need", ...], ...]


Need = Level | Done | AnyOf


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A course as one officer may use it. `lifts`: skill -> level; `closes`: gap -> worth; `cosine` in millionths."""

    needs: tuple[Need, ...]
    id: str
    cost: int
    hours: int
    offer: Offer
    lifts: Mapping[SkillKey, int]
    closes: Mapping[str, int]
    cosine: int


@dataclass(slots=True)
class Standing:
    """Where the officer stands: hours and courses left, levels at the next door, courses done, worth held per gap."""

    hours: int
    steps: int
    levels: dict[SkillKey, int]
    done: set[str]
    held: dict[str, int]

    @property
    def worth(self) -> int:
        """All that is held."""
        return sum(self.held.values())

    def copy(self) -> "Standing":
        """Return one that can go its own way."""
        return Standing(self.hours, self.steps, dict(self.levels), set(self.done), dict(self.held))

    def study(self, way: Way) -> None:
        """Do a course: what it teaches rises, nothing falls."""
        self.hours -= way.hours
        self.steps -= 1
        self.done.add(way.id)
        for skill, level in way.lifts.items():
            self.levels[skill] = max(self.levels.get(skill, 0), level)
        for gap, worth in way.closes.items():
            self.held[gap] = max(self.held[gap], worth)

    def gains(self, way: Way) -> bool:
        """Return whether a course by itself closes anything."""
        return any(worth > self.held[gap] for gap, worth in way.closes.items())


def score_of(gain: int, cost: int, exponent: float = 1.0) -> int:
    """Return micro-levels per hour, the hours to the power of an exponent."""
    divisor = cost if exponent == 1 else int(MICRO * (cost / MICRO) ** exponent + 0.5)
    return gain * MICRO // max(divisor, 1)


def factor_of(inputs: Inputs, course: Course, *, plain: bool) -> float:
    """Return what multiplies the hours of a course; 0 where it is not to be used."""
    if course.id in inputs.done or course.id in inputs.excluded:
        return 0
    spoken = set(inputs.languages or course.languages)
    factor = 0.0 if spoken.isdisjoint(course.languages) else effort_of(course) / MICRO
    for rule in inputs.rules:
        holds = not rule.names.isdisjoint(names_of(rule, course, inputs.framework.id))
        if rule.bias in (INCLUDE_ONLY, EXCLUDE):
            factor = factor if holds == (rule.bias == INCLUDE_ONLY) else 0
        elif holds and not plain:
            factor /= rule.bias
    factor *= 1.0 if plain else inputs.slowed.get(course.id, 1.0)
    return 1.0 if factor == 0 and course.id in {*inputs.mandatory, *inputs.started} else factor


def way_of(inputs: Inputs, worth: Worth, offer: Offer, factor: float) -> Way:
    """Return a course as one officer may use it."""
    ours = inputs.framework.id
    return Way(
        needs=tuple(dict.fromkeys(needs_of(offer.entry(ours)))),
        id=offer.id,
        cost=offer.hours if factor == 1 else max(int(offer.hours * factor + 0.5), 1),
        hours=offer.hours,
        offer=offer,
        lifts={skill: micro(high) for skill, (_, high) in offer.teaches.items()},
        closes=closes_of(inputs, worth, offer),
        cosine=cosine_of(ours, worth, offer),
    )


def closes_of(inputs: Inputs, worth: Worth, offer: Offer) -> dict[str, int]:
    """Return gap -> what the level that a course leads to is worth."""
    return {
        skill: worth.of(skill, micro(high) / MICRO)
        for (framework, skill), (_, high) in offer.teaches.items()
        if framework == inputs.framework.id and skill in worth.gaps
    }


def cosine_of(ours: str, worth: Worth, offer: Offer) -> int:
    """Return the cosine of the gap vector (worth) and the teaching vector (levels gained), in millionths."""
    gaps = {skill: size / MICRO for skill, size in worth.gaps.items()}
    teaches = [(key[1], high, low) for key, (low, high) in offer.teaches.items() if key[0] == ours]
    taught = {skill: (micro(high) - micro(low)) / MICRO for skill, high, low in teaches}
    dot = sum(gained * gaps[skill] for skill, gained in taught.items() if skill in gaps)
    one, other = (sqrt(sum(size * size for size in vector.values())) for vector in (taught, gaps))
    return int(dot / (one * other) * MICRO + 0.5) if dot > 0 else 0


def needs_of(conditions: Iterable[Prerequisite]) -> list[Need]:
    """Return conditions of entry as needs; those of an `all` stand for themselves."""
    needs: list[Need] = []
    for condition in conditions:
        if condition.all is not UNSET:
            needs += needs_of(condition.all)
        elif condition.any is not UNSET:
            needs.append(AnyOf(tuple(tuple(dict.fromkeys(needs_of([branch]))) for branch in condition.any)))
        elif condition.course is not UNSET:
            needs.append(Done(condition.course))
        else:
            skill, level = level_condition(condition)
            needs.append(Level(skill, micro(level)))
    return needs
