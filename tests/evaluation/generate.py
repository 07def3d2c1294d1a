"""Generated catalogs: drawn as arrays, so that a million courses fit; turned into courses on demand.

What is drawn, so that figures mean something (every share is of the courses):

    skills      1 to 5 (35, 30, 20, 10, 5 %), popular ones more often (~ rank^-0.7); one course in 2,000 teaches 40
    levels      from 0, 1, 2, 3 (45, 27, 18, 10 %), a row sometimes one lower; to one level higher, or two (25 %)
    hours       2.5 x levels gained^0.7 x log-normal(0, 0.6), in half hours from 0.5 to 120: worth and cost go together,
                with noise, as in real catalogs
    prerequisites (besides `from`)
      course    25 %: mostly (80 %) an easier course of the same skill, else any course at all; of these 1 % are not in
                the catalog, and 1 % of the courses require each other in pairs, so there are circles too
      level     15 %: level 1 or 2 of any skill
      any       8 %: a course or a level; 2 %: (a course and a level) or a higher level
    language    Thai 50 %, English 30 %, both 20 %
    rating      4.4 +- 0.3, of 0 to 200 learners, drawn apart from everything else: it is independent here of what a
                course closes
    completion  each course has its own true probability, Beta(18, 2); what it publishes is drawn from that: 1 to 300
                learners and how many of them completed it, and of 40 % nothing at all
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.domain import Completions, Course, LocalizedText, Prerequisite, Rating, Teaches

FRAMEWORK = "generated"
TOP = 5
_NONE = -1
_WIDE = 40
_LANGUAGES = (["th"], ["en"], ["th", "en"])
_PROVIDER = LocalizedText(th="ผู้สอนสมมติ", en="Generated provider")

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Of some courses: (course [and skill at level]) or (other skill at other level). -1: the course has none."""

    course: Ints
    skill: Ints
    level: Ints
    other_skill: Ints
    other_level: Ints


@dataclass(frozen=True, slots=True)
class Learners:
    """Of some courses: the true probability to complete them, counts that follow from it, and how many rated them."""

    truth: NDArray[np.float64]
    started: Ints
    completed: Ints
    rated: Ints


@dataclass(frozen=True)
class Drawn:
    """A catalog as arrays. Rows of course i are `starts[i]:starts[i + 1]` of `skill_of`, `low`, `high`.

    `after`: the course required before, -1 none, `len(self)` or more: one that is not there.
    """

    skills: int
    starts: Ints
    skill_of: Ints
    low: Ints
    high: Ints
    hours: NDArray[np.float64]
    language: Ints
    rating: NDArray[np.float64]
    after: Ints
    at_skill: Ints
    at_level: Ints
    any_of: AnyOf
    learners: Learners
    framework: str = FRAMEWORK

    def __len__(self) -> int:
        return len(self.hours)

    @cached_property
    def names(self) -> list[str]:
        """The ids of the skills."""
        return [f"s{number:03}" for number in range(self.skills)]

    def __getitem__(self, number: int) -> Course:
        """Return one course, generated again."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        rows = range(int(self.starts[number]), int(self.starts[number + 1]))
        learners, rated = self.learners, int(self.learners.rated[number])
        counts = int(learners.started[number]), int(learners.completed[number])
        return Course(
            id=course_id(number),
            title=LocalizedText(th=f"หลักสูตรที่ {number}", en=f"Course {number}"),
            provider=_PROVIDER,
            hours=float(self.hours[number]),
            languages=_LANGUAGES[self.language[number]],
            teaches=[
                Teaches(self.framework, self.names[self.skill_of[row]], float(self.low[row]), float(self.high[row]))
                for row in rows
            ],
            requires=list(self._requires(number)),
            completions=Completions(*counts) if counts[0] else None,
            rating=Rating(float(self.rating[number]), rated) if rated else None,
        )

    def __iter__(self) -> Iterator[Course]:
        """Yield every course in the order of ids."""
        return map(self.__getitem__, range(len(self)))

    def ratings(self) -> dict[str, float]:
        """Return course id -> rating."""
        return {course_id(number): float(rating) for number, rating in enumerate(self.rating)}

    def completing(self) -> dict[str, float]:
        """Return course id -> the true probability that a learner completes it."""
        return {course_id(number): float(truth) for number, truth in enumerate(self.learners.truth)}

    def _at(self, skill: int, level: int) -> Prerequisite:
        return Prerequisite(framework=self.framework, skill=self.names[skill], level=float(level))

    def _requires(self, number: int) -> Iterator[Prerequisite]:
        if self.after[number] != _NONE:
            yield Prerequisite(course=course_id(self.after[number]))
        if self.at_skill[number] != _NONE:
            yield self._at(self.at_skill[number], self.at_level[number])
        any_of = self.any_of
        if any_of.course[number] != _NONE:
            first = Prerequisite(course=course_id(any_of.course[number]))
            if any_of.skill[number] != _NONE:
                first = Prerequisite(all=[first, self._at(any_of.skill[number], any_of.level[number])])
            yield Prerequisite(any=[first, self._at(any_of.other_skill[number], any_of.other_level[number])])


def course_id(number: int) -> str:
    """Return the id of a generated course; ids sort as numbers do."""
    return f"c{number:07}"


def draw(courses: int, skills: int, seed: int, framework: str = FRAMEWORK, top: int = TOP) -> Drawn:
    """Return a catalog drawn from a seed."""
    chance = np.random.default_rng([courses, skills, seed])
    popularity: NDArray[np.float64] = (np.arange(skills, dtype=np.float64) + 1.0) ** -0.7
    popularity /= popularity.sum()
    counts = chance.choice([1, 2, 3, 4, 5], p=[0.35, 0.3, 0.2, 0.1, 0.05], size=courses)
    counts[chance.random(courses) < 1 / 2000] = _WIDE
    taught = np.repeat(np.arange(courses), counts) * skills + _skills(chance, popularity, int(counts.sum()))
    taught = np.unique(taught)  # a skill once per course
    course_of, skill_of = taught // skills, taught % skills
    starts = np.searchsorted(course_of, np.arange(courses + 1))
    difficulty = chance.choice(4, p=[0.45, 0.27, 0.18, 0.1], size=courses)
    low = np.clip(difficulty[course_of] - (chance.random(len(taught)) < 0.3), 0, top - 1)
    high = np.minimum(low + 1 + (chance.random(len(taught)) < 0.25), top)
    gained = np.add.reduceat(high - low, starts[:-1])
    hours = 2.5 * gained**0.7 * chance.lognormal(0, 0.6, courses)
    lead = skill_of[starts[:-1] + (chance.random(courses) * np.diff(starts)).astype(np.int64)]
    after = np.where(chance.random(courses) < 0.25, _easier(chance, lead, difficulty), _NONE)
    after[(after != _NONE) & (chance.random(courses) < 0.01)] = courses
    _pairs(chance, after)
    has_level = chance.random(courses) < 0.15
    return Drawn(
        skills=skills,
        starts=starts,
        skill_of=skill_of,
        low=low,
        high=high,
        hours=np.clip(np.round(hours * 2) / 2, 0.5, 120),
        language=chance.choice(3, p=[0.5, 0.3, 0.2], size=courses),
        rating=np.clip(chance.normal(4.4, 0.3, courses), 1, 5).round(1),
        after=after,
        at_skill=np.where(has_level, _skills(chance, popularity, courses), _NONE),
        at_level=chance.integers(1, 3, courses),
        any_of=_any_of(chance, popularity, lead, difficulty),
        learners=_learners(np.random.default_rng([courses, skills, seed, 2]), courses),
        framework=framework,
    )


def _skills(chance: np.random.Generator, popularity: NDArray[np.float64], size: int) -> Ints:
    return np.searchsorted(np.cumsum(popularity)[:-1], chance.random(size))


def _learners(chance: np.random.Generator, count: int) -> Learners:
    truth = chance.beta(18, 2, count)
    started = np.where(chance.random(count) < 0.4, 0, chance.integers(1, 301, count))
    return Learners(truth, started, chance.binomial(started, truth), chance.integers(0, 201, count))


def _easier(chance: np.random.Generator, lead: Ints, difficulty: Ints) -> Ints:
    """Return, for each course, an easier one of the same lead skill; for a fifth, and where there is none, any."""
    count = len(lead)
    place = lead * 4 + difficulty
    order = np.argsort(place, kind="stable")
    sorted_places = place[order]
    first = np.searchsorted(sorted_places, lead * 4)
    easier = np.searchsorted(sorted_places, place) - first
    chosen = order[np.minimum(first + (chance.random(count) * easier).astype(np.int64), count - 1)]
    anywhere = chance.integers(0, count, count)
    return np.where((easier > 0) & (chance.random(count) < 0.8), chosen, anywhere)


def _pairs(chance: np.random.Generator, after: Ints) -> None:
    """Make one course in a hundred part of a pair in which each requires the other."""
    paired = chance.permutation(len(after))[: len(after) // 200 * 2].reshape(-1, 2)
    after[paired[:, 0]], after[paired[:, 1]] = paired[:, 1], paired[:, 0]


def _any_of(chance: np.random.Generator, popularity: NDArray[np.float64], lead: Ints, difficulty: Ints) -> AnyOf:
    count = len(lead)
    kind = chance.random(count)
    return AnyOf(
        course=np.where(kind < 0.1, _easier(chance, lead, difficulty), _NONE),
        skill=np.where(kind < 0.02, _skills(chance, popularity, count), _NONE),
        level=np.ones(count, np.int64),
        other_skill=_skills(chance, popularity, count),
        other_level=np.where(kind < 0.02, 2, 1),
    )
