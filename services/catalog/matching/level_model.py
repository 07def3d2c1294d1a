"""Estimates the levels before and after each course of a catalog for the skills that it probably teaches.

    table = LevelTable(framework.skills, framework.scale, shipped())
    table.add(text, [LevelRow("dt-analytics", 0.9), ...])         # every course of the catalog
    spans = table.spans()                                           # of each row, in the order of `add`

Each row has a probability for every pair of levels (entry, exit). A log-linear model computes it from level words, from
the hours (absolute, and relative to the courses of the same skill), and from whether the course has entry conditions.
If the provider states a level or no hours, the rule in `levels` gives the pair instead; if people have decided, their
decision does. Then the rows of one skill correct each other in two ways. First, a course probably begins where an
earlier course ends, which is a prerequisite, or has the number before in its title ("Statistics 1", "Statistics 2");
this is loopy belief propagation (Pearl 1988). Second, of two courses that begin or end at the same level, the longer
one covers more levels. The result is the median of the entries, the median of the exits, and the probability that an
officer at that entry can enter the course: an officer who takes a course too early loses all its hours.

The weights are in `levels.json`, written by `python -m tests.evaluation.matching --fit-levels`.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from services.catalog.matching.entry_levels import EntryConditions, PrerequisiteRow, with_required_courses
from services.catalog.matching.levels import WORDS, LevelBand, described, span
from services.catalog.matching.texts import CourseText
from shared.domain import ScaleLevel, Skill, millionths

FEATURES = 7
"""The features of a row: a constant, the hours, the hours relative to those of the skill, a flag for the level words of
each of three bands, and a flag for entry conditions."""
WEIGHTS = 3 * FEATURES + 3 + 2
"""The number of weights: one of each feature for each of the first three columns of `basis`, one for each of its other
three columns, and one each for the hours compared at the entry and at the exit."""
USUAL_HOURS = 10.0
MEDIAN = 0.5
STEPS = 12
"""The most steps between levels that the model distinguishes; a finer scale is reduced to this number."""
_DOUBT = 0.03
"""The weight of levels that contradict the course before, an entry condition or the rule; those that agree have 1."""
_PRIOR_ROWS = 2.0
"""The usual hours of a skill are averaged as if it had this many more courses of the mean hours of the catalog."""
_OTHERS = 0.5
"""This is added to the number of courses with which hours are compared, so that few courses count little."""
_COMPARISONS = 2
"""How many times the hours are compared; each time, the levels of the other courses are known better."""
_DESCRIBED = 3.0
"""How much a title that contains the whole descriptor of a level adds to the log odds of the level."""
_ROUNDS = 6
_AT_ONCE = 20_000
_NUMBERS = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}
_NUMBERED = re.compile(
    r"^(.*?)[\s:,(-]*(?:ตอนที่|ภาคที่|ภาค|ระดับ|เล่ม|part|level|module|course)?\s*\b([1-9๑-๙]|i{1,3}|iv|v)\)?$"
)

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Edges = Sequence[tuple[int, int]]
"""Pairs of rows of one skill: that of a course, and that of a course which follows it."""


class LevelWeights(Struct, frozen=True):
    """The weights of the model, and the data they were fitted on."""

    weights: Annotated[list[float], Meta(min_length=WEIGHTS, max_length=WEIGHTS)]
    data: str


class LevelRow(Struct, frozen=True):
    """A skill that a course teaches, with a confidence from 0 to 1.

    `settled`: the levels before and after the course, if they are known and need no estimate.
    """

    skill: str
    confidence: float
    settled: tuple[float, float] | None = None


class LevelSpan(NamedTuple):
    """The levels before (`low`) and after (`high`) a course that probably teaches a skill.

    `entry`: the level from which an officer can enter after the courses that it requires; `low` at most.
    `entry_confidence`: the probability that an officer at `entry` can do so, if the course teaches the skill.
    """

    low: float
    high: float
    entry: float
    entry_confidence: float


def shipped() -> LevelWeights:
    """Return the weights that the package contains."""
    return msgspec.json.decode(files(__package__).joinpath("levels.json").read_bytes(), type=LevelWeights)


def pairs(steps: int) -> Places:
    """Return all pairs (lower, higher) of the level indices 0 to `steps`, as an array of pairs x 2."""
    return np.array([(low, high) for low in range(steps) for high in range(low + 1, steps + 1)], dtype=np.intp)


def basis(steps: int) -> Floats:
    """Return six figures for each pair of `pairs`, as an array of pairs x 6.

    The figures are the lower and the higher level as shares of the scale, whether the pair is wider than one step, and
    the squares of the lower share, of the higher share and of their difference.
    """
    low, high = (pairs(steps) / steps).T
    wide = pairs(steps) @ np.array([-1, 1]) > 1
    return np.stack([low, high, wide.astype(float), low**2, high**2, (high - low) ** 2], axis=1)


def log_odds(weights: Floats, features: Floats, longer: Floats, steps: int) -> Floats:
    """Return the log odds of each pair of levels, up to a constant of each row, as an array of rows x pairs.

    `weights`: (`WEIGHTS`,). `features`: rows x `FEATURES`. `longer`: rows x 2 x steps, from `LevelTable.longer`.
    """
    shape = basis(steps)
    by_pair = features @ weights[: 3 * FEATURES].reshape(3, FEATURES).T
    return by_pair @ shape[:, :3].T + shape[:, 3:] @ weights[3 * FEATURES : -2] + compared(longer, steps) @ weights[-2:]


def compared(longer: Floats, steps: int) -> Floats:
    """Return how much longer each course is than the others, at the entry and at the exit of each pair.

    The result is rows x pairs x 2, in the unit of `longer` (rows x 2 x steps). It is 0 for a pair of one step, because
    it favours wide pairs only.
    """
    below, above = pairs(steps).T
    wide = (above - below > 1)[None, :, None]
    return np.asarray(np.stack([longer[:, 0, below], longer[:, 1, above - 1]], axis=2) * wide)


class LevelTable:
    """Estimates the levels of many rows together. A row is a course and a skill of one framework that it teaches.

    `add` the rows of each course, then call `spans`.
    """

    def __init__(self, skills: Sequence[Skill], scale: Sequence[ScaleLevel], weights: LevelWeights) -> None:
        self._scale = scale
        self._levels = _thinned(sorted({step.level for step in scale}))
        self._steps = len(self._levels) - 1
        self._skills = {skill.id: (place, skill) for place, skill in enumerate(skills)}
        self._weights = np.asarray(weights.weights)
        self._pairs = pairs(self._steps)
        self._skill, self._course = array("l"), array("l")
        self._confidence, self._hours, self._signs = array("d"), array("d"), array("d")
        self._settled: dict[int, tuple[int, int]] = {}
        self._ruled: dict[int, tuple[int, int]] = {}
        self._asked: dict[int, int] = {}
        self._requires: dict[int, CourseText] = {}
        self._described: dict[int, tuple[int, float]] = {}
        self._after: list[tuple[int, str]] = []
        self._courses: dict[str, int] = {}
        self._series: dict[tuple[str, int], int] = {}
        self._numbered: list[tuple[int, tuple[str, int]]] = []

    def has(self, skill: str) -> bool:
        """Return whether the framework has a skill of this id."""
        return skill in self._skills

    def add(self, course: CourseText, rows: Sequence[LevelRow]) -> None:
        """Add a course with the skills that it teaches; call this once for each course.

        The framework must have every skill of `rows`; `has` tells whether it does.
        """
        number = self._courses.setdefault(course.id, len(self._courses))
        for title in course.titles:
            if found := _NUMBERED.match(title):
                stem, count = found[1], _NUMBERS.get(found[2]) or int(found[2])
                self._series.setdefault((stem, count), number)
                self._numbered.append((number, (stem, count - 1)))
        self._after += [(number, before) for before in course.after]
        if course.after:
            self._requires[number] = course
        if not rows:
            return
        texts = [*course.titles, *course.normalised_tags]
        words = [float(any(WORDS[band].search(text) for text in texts)) for band in LevelBand]
        hours = np.log(np.clip(course.hours, 0.5, 200.0) / USUAL_HOURS) if course.hours is not None else np.nan
        for row in rows:
            place, skill = self._skills[row.skill]
            at = len(self._skill)
            self._skill.append(place)
            self._course.append(number)
            self._confidence.append(row.confidence)
            self._hours.append(hours)
            self._signs.extend([*words, float(bool(course.after or course.requires))])
            if row.settled is not None:
                self._settled[at] = self._places(*row.settled)
                continue
            if course.hours is None or course.level is not None:
                self._ruled[at] = self._places(*span(course, skill, self._scale))
            elif found_level := described(course, skill, self._levels):
                self._described[at] = found_level
            if (required := course.requires.get(row.skill)) is not None:
                reached = max((place for place, level in enumerate(self._levels) if level <= required), default=0)
                self._asked[at] = min(reached, self._steps - 1)

    def spans(self) -> list[LevelSpan]:
        """Return the span of every row, in the order of `add`: the median entry and exit, at least one step apart."""
        if not self._skill:
            return []
        edges = self._edges()
        beliefs, reaches = self._beliefs(edges)
        entries = np.zeros((len(beliefs), self._steps))
        exits = np.zeros((len(beliefs), self._steps))
        for at, (below, above) in enumerate(self._pairs):
            entries[:, below] += beliefs[:, at]
            exits[:, above - 1] += beliefs[:, at]
        enterable = np.minimum(np.cumsum(entries, axis=1), 1.0)
        lows = np.minimum((enterable < MEDIAN).sum(axis=1), self._steps - 1)
        highs = np.maximum(np.minimum((np.cumsum(exits, axis=1) < MEDIAN).sum(axis=1) + 1, self._steps), lows + 1)
        behind = with_required_courses(enterable, self._conditions(edges, reaches), self._levels)
        firsts = np.minimum((behind < MEDIAN).sum(axis=1), lows)
        confidences = behind[np.arange(len(firsts)), firsts]
        return [
            LevelSpan(self._levels[low], self._levels[high], self._levels[first], millionths(float(confidence)))
            for low, high, first, confidence in zip(lows, highs, firsts, confidences, strict=True)
        ]

    def features(self) -> Floats:
        """Return the features of every row, as an array of rows x `FEATURES`; hours are logarithms."""
        skill = np.asarray(self._skill)
        hours, confidence = np.asarray(self._hours), np.asarray(self._confidence)
        known = ~np.isnan(hours)
        mean = float(np.average(hours[known], weights=confidence[known])) if confidence[known].sum() else 0.0
        weight = np.bincount(skill[known], confidence[known], len(self._skills)) + _PRIOR_ROWS
        usual = (
            np.bincount(skill[known], (confidence * hours)[known], len(self._skills)) + _PRIOR_ROWS * mean
        ) / weight
        usual_of_row = usual[skill]
        stated = np.where(known, hours, usual_of_row)
        rest = np.asarray(self._signs).reshape(-1, 4)
        return np.column_stack([np.ones(len(skill)), stated, stated - usual_of_row, rest])

    def longer(self, beliefs: Floats) -> Floats:
        """Return how much longer each course is than the other courses of the skill, as logarithms of hours.

        The result is rows x 2 x steps: `[:, 0, i]` compares with the courses that begin at level `i`, `[:, 1, i]` with
        those that end at level `i + 1`. `beliefs`, rows x pairs, is the probability of each pair; rows of zeros do not
        count among the others. The result is 0 where the hours are not known.
        """
        hours, skill = np.asarray(self._hours), np.asarray(self._skill)
        known = ~np.isnan(hours)
        weight = np.asarray(self._confidence) * known
        hours = np.where(known, hours, 0.0)
        longer = np.zeros((len(skill), 2, self._steps))
        for side, ends in enumerate((self._pairs[:, 0], self._pairs[:, 1] - 1)):
            for step in range(self._steps):
                at_step = weight * beliefs[:, ends == step].sum(axis=1)
                others = np.bincount(skill, at_step, len(self._skills))[skill] - at_step
                total = np.bincount(skill, at_step * hours, len(self._skills))[skill] - at_step * hours
                longer[:, side, step] = known * (others * hours - total) / (others + _OTHERS)
        return longer

    def _beliefs(self, edges: Edges) -> tuple[Floats, Floats]:
        """Return the probability of every pair of levels, rows x pairs, and what `_propagated` returns of the edges."""
        features = self.features()
        follows = np.zeros(len(features), dtype=bool)
        follows[[after for _, after in edges]] = True
        features[:, -1] = np.maximum(features[:, -1], follows)
        beliefs, reaches = self._given(features, np.zeros((len(features), 2, self._steps)), edges)
        for _ in range(_COMPARISONS):
            beliefs, reaches = self._given(features, self.longer(beliefs), edges)
        return beliefs, reaches

    def _given(self, features: Floats, longer: Floats, edges: Edges) -> tuple[Floats, Floats]:
        """Return the same as `_beliefs`. `longer`: from `longer`."""
        beliefs = np.empty((len(features), len(self._pairs)))
        for start in range(0, len(beliefs), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            odds = log_odds(self._weights, features[part], longer[part], self._steps)
            beliefs[part] = np.exp(odds - odds.max(axis=1, keepdims=True))
        below, above = self._pairs.T
        for at, (place, shared) in self._described.items():
            beliefs[at] *= np.exp(_DESCRIBED * shared * (above == place))
        for known, doubt in ((self._ruled, _DOUBT), (self._settled, 0.0)):
            for at, (low, high) in known.items():
                beliefs[at] = np.where((below == low) & (above == high), 1.0, doubt / len(self._pairs))
        for at, place in self._asked.items():
            beliefs[at] *= np.where(below == place, 1.0, np.where(below > place, _DOUBT, 0.0))
        beliefs /= beliefs.sum(axis=1, keepdims=True)
        fits = np.where(above[:, None] == below[None, :], 1.0, _DOUBT)
        return _propagated(beliefs, edges, np.asarray(self._confidence), fits, above[:, None] >= below[None, :])

    def _conditions(self, edges: Edges, reaches: Floats) -> dict[int, EntryConditions]:
        """Return {row: entry conditions} for the rows whose course requires a course that teaches the skill.

        `reaches`: (edges,), the probability that a course ends at the entry level of the next one, or above.
        """
        courses, skills = list(self._courses), list(self._skills)
        rows = defaultdict[int, dict[str, PrerequisiteRow]](dict)
        for (before, after), reached in zip(edges, reaches, strict=True):
            rows[after][courses[self._course[before]]] = PrerequisiteRow(
                before, self._confidence[before] * float(reached)
            )
        return {
            at: EntryConditions(course.conditions, course.framework, skills[self._skill[at]], required)
            for at, required in rows.items()
            if (course := self._requires.get(self._course[at])) is not None
        }

    def _edges(self) -> list[tuple[int, int]]:
        """Return (row, row) for each skill that two courses teach, the second of which follows the first."""
        rows = defaultdict[int, dict[int, int]](dict)
        for at, (course, skill) in enumerate(zip(self._course, self._skill, strict=True)):
            rows[course].setdefault(skill, at)
        named = [(self._courses[before], after) for after, before in self._after if before in self._courses]
        named += [(self._series[place], after) for after, place in self._numbered if place in self._series]
        return [
            (rows[before][skill], at)
            for before, after in dict.fromkeys(named)
            if before != after and before in rows and after in rows
            for skill, at in rows[after].items()
            if skill in rows[before]
        ]

    def _places(self, low: float, high: float) -> tuple[int, int]:
        """Return the indices of the steps nearest to two levels; the second is above the first."""
        levels = np.asarray(self._levels)
        below, above = (int(np.abs(levels - level).argmin()) for level in (low, high))
        below = min(below, self._steps - 1)
        return below, max(above, below + 1)


def _thinned(levels: Sequence[float]) -> list[float]:
    """Return the levels, or `STEPS` + 1 of them at equal distances, including the first and the last."""
    if len(levels) <= STEPS + 1:
        return list(levels)
    return [levels[round(place * (len(levels) - 1) / STEPS)] for place in range(STEPS + 1)]


def _propagated(
    beliefs: Floats, edges: Edges, confidence: Floats, fits: Floats, reaching: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return beliefs, rows x pairs, after messages along the edges; and of each edge the probability of `reaching`.

    `confidence`: (rows,), the probability that the course of a row teaches its skill; if it does not, nothing follows
    from it for another row. `fits`: (pairs, pairs), how well a pair of the earlier course fits a pair of the later one.
    `reaching`: (pairs, pairs), whether the earlier course ends at the entry level of the later one, or above; the
    probability is that of courses that both teach the skill.
    """
    if not edges:
        return beliefs, np.zeros(0)
    before, after = np.array(edges, dtype=np.intp).T
    fits = fits / fits.mean()
    own = np.log(np.maximum(beliefs, 1e-12))
    forth, back = np.zeros((len(edges), beliefs.shape[1])), np.zeros((len(edges), beliefs.shape[1]))
    for _ in range(_ROUNDS):
        total = own.copy()
        np.add.at(total, after, forth)
        np.add.at(total, before, back)
        forth, back = (
            _message(total[before] - back, fits, confidence[before]),
            _message(total[after] - forth, fits.T, confidence[after]),
        )
    total = own
    np.add.at(total, after, forth)
    np.add.at(total, before, back)
    first, second = _shares(total[before] - back), _shares(total[after] - forth)
    reached = ((first @ (fits * reaching)) * second).sum(axis=1) / ((first @ fits) * second).sum(axis=1)
    belief = _shares(total)
    return belief / belief.sum(axis=1, keepdims=True), reached


def _shares(logarithms: Floats) -> Floats:
    """Return what the logarithms stand for, as shares of the largest of each row."""
    return np.asarray(np.exp(logarithms - logarithms.max(axis=1, keepdims=True)))


def _message(belief: Floats, fits: Floats, confidence: Floats) -> Floats:
    """Return the messages along the edges, edges x pairs, as logarithms. `belief`: logarithms, edges x pairs.

    `confidence`: (edges,), the probability that the course which sends the message teaches the skill. `fits`: with the
    mean 1.
    """
    sent = _shares(belief)
    message = confidence[:, None] * (sent / sent.sum(axis=1, keepdims=True) @ fits - 1) + 1
    return np.asarray(np.log(message / message.sum(axis=1, keepdims=True)))
