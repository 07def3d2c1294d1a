"""The officer's state at one point of a path, simulated: levels, completed courses, and the value of what is held."""

from collections.abc import Callable, Iterator
from copy import copy
from datetime import datetime
from statistics import NormalDist

from msgspec.structs import replace

from services.recommender.inputs import MICRO, Inputs, SkillTarget
from services.recommender.rules import EXCLUDE, INCLUDE_ONLY, Rule
from shared.domain import Course, MatchedRow
from shared.texts import folded

Find = Callable[[str], Course | None]
"""Returns a course that the officer's tenant currently sees, by id."""

CONFIRMED = 100
"""The confidence, in per cent, of a level that a course teaches, or that was measured."""


class EntryState:
    """What decides whether an officer can enter a course, before the path and after courses that are taken.

    `levels`: (framework, skill) -> level; `done`: completed courses.
    """

    def __init__(self, framework: str, levels: dict[tuple[str, str], float], done: set[str]) -> None:
        self.framework, self.levels, self.done = framework, levels, done

    def enters(self, course: Course) -> bool:
        """Return whether a course can be entered."""
        return not any(self.unmet_conditions(course))

    def unmet_conditions(self, course: Course) -> Iterator[str]:
        """Yield one sentence for each level or prerequisite that is missing to enter a course."""
        lowest: dict[str, float] = {}
        for row in course.teaches:
            if row.framework == self.framework:
                lowest[row.skill] = min(row.from_level, lowest.get(row.skill, row.from_level))
        for skill, level in lowest.items():
            present = self.levels.get((self.framework, skill), 0.0)
            if present < level:
                yield f"begins at level {level:g} of {skill}, the officer is at {present:g}"
        for condition in course.requires:
            if not condition.holds(self.done.__contains__, self._reaches):
                yield "a prerequisite does not hold"

    def _reaches(self, framework: str, skill: str, level: float) -> bool:
        return self.levels.get((framework, skill), 0.0) >= level

    def copy(self) -> "EntryState":
        """Return an independent copy."""
        return EntryState(self.framework, dict(self.levels), set(self.done))

    def take(self, course: Course) -> None:
        """Complete a course: levels rise to what it teaches, and none falls."""
        self.done.add(course.id)
        for row in course.teaches:
            key = row.framework, row.skill
            self.levels[key] = max(self.levels.get(key, 0.0), row.to_level)


class OfficerState(EntryState):
    """The officer before the path, and then after each course that is taken.

    `targets`: required skill -> target and estimate before the path; `reached`: required skill -> level. `held`:
    required skill -> {confidence in per cent: value in micro-levels}. `unconfirmed`: the matched rows of courses taken,
    and `completed`: those of courses completed before the path, by required skill.
    """

    def __init__(self, inputs: Inputs, find: Find) -> None:
        self._inputs = inputs
        self._find = find
        self.targets = inputs.targets()
        super().__init__(inputs.framework.id, inputs.entry_levels(self.targets), inputs.done)
        self._raise_by_completions()
        self._values: dict[tuple[str, float], float] = {}
        self.reached = {skill: target.level for skill, target in self.targets.items()}
        self.completed: dict[str, list[MatchedRow]] = {skill: [] for skill in self.targets}
        self.held = self._held_before()
        self.unconfirmed: dict[str, list[MatchedRow]] = {skill: [] for skill in self.targets}

    def entry_state(self) -> EntryState:
        """Return a copy of what decides about entry: levels and completed courses."""
        return EntryState.copy(self)

    def copy(self) -> "OfficerState":
        """Return an independent copy."""
        other = copy(self)
        other.levels, other.done, other.reached = dict(self.levels), set(self.done), dict(self.reached)
        other.held = {skill: dict(values) for skill, values in self.held.items()}
        other.unconfirmed = {skill: list(rows) for skill, rows in self.unconfirmed.items()}
        return other

    # --- courses -----------------------------------------------------------------------------------------------------

    def take(self, course: Course) -> None:
        """Complete a course: levels rise to what it teaches, and none falls.

        The values of its rows are then held too.
        """
        super().take(course)
        for (framework, skill), level in taught_levels(course).items():
            if framework == self.framework and skill in self.reached:
                self.reached[skill] = max(self.reached[skill], level)
                self._hold(skill, CONFIRMED, level)
        for skill, row in self.matches(course).items():
            if self.counts(row):
                self.unconfirmed[skill].append(row)
                self._hold(skill, percent_of(row.confidence), row.to_level)

    def _hold(self, skill: str, percent: int, level: float) -> None:
        held = self.held[skill]
        held[percent] = max(self.value(skill, level), held.get(percent, 0.0))

    def is_excluded(self, course: Course) -> bool:
        """Return whether a course must not be used."""
        return any(self.exclusions(course, started=course.id in self._inputs.started))

    def exclusions(self, course: Course, *, started: bool) -> Iterator[str]:
        """Yield one sentence for each reason why a course must not be used.

        `started`: the officer had started the course, so languages and rules do not exclude it.
        """
        if course.id in self._inputs.excluded:
            yield "was marked as not relevant"
        if course.id in self._inputs.mandatory or started:
            return
        if self._inputs.languages and not set(self._inputs.languages) & set(course.languages):
            yield "is not offered in a language of the officer"
        for rule in self._inputs.rules:
            holding = _holds_value(rule, course, self.framework)
            if (rule.bias == EXCLUDE and holding) or (rule.bias == INCLUDE_ONLY and not holding):
                yield f"is excluded by a rule on its {rule.field}"

    # --- values ------------------------------------------------------------------------------------------------------

    def is_open(self, skill: str) -> bool:
        """Return whether a skill is required and its level is still below the requirement."""
        target = self.targets.get(skill)
        return target is not None and _is_below(target, self.reached[skill])

    def gain(self, skill: str, percent: int, level: float) -> float:
        """Return the micro-levels that a level of a skill, with this confidence in per cent, adds to what is held."""
        return added(self.held[skill], percent, self.value(skill, level))

    def value(self, skill: str, level: float) -> float:
        """Return the value of a level of a required skill in micro-levels; computed once for all copies."""
        if (known := self._values.get((skill, level))) is None:
            known = self._values[skill, level] = value_of(self.targets[skill], level)
        return known

    def matched_gain(self, row: MatchedRow) -> float:
        """Return the micro-levels that an unconfirmed row adds to what is held; 0 if the row does not count."""
        return self.gain(row.skill, percent_of(row.confidence), row.to_level) if self.counts(row) else 0.0

    def counts(self, row: MatchedRow) -> bool:
        """Return whether an unconfirmed row counts: it is confident enough, and its `from` was held before the path."""
        starts_below = row.from_level <= self.targets[row.skill].level
        return self._is_confident(row) and percent_of(row.confidence) > 0 and starts_below

    def matches(self, course: Course) -> dict[str, MatchedRow]:
        """Return skill -> unconfirmed row of a course, for required skills; of several rows the most confident one."""
        found: dict[str, MatchedRow] = {}
        if not course.matched:
            return found
        confirmed = {(row.framework, row.skill) for row in course.teaches}
        for row in course.matched:
            mine = row.framework == self.framework and row.skill in self.targets
            if mine and (row.framework, row.skill) not in confirmed:
                other = found.get(row.skill, row)
                found[row.skill] = min(other, row, key=lambda one: (-one.confidence, one.to_level, one.from_level))
        return found

    def source_of(self, course: Course, skill: str) -> str | None:
        """Return the `framework/skill` that a provider states and from which the course's row of a skill is mapped.

        None if no row of the skill is mapped, or a confirmed row is not.
        """
        taught = [row for row in course.teaches if (row.framework, row.skill) == (self.framework, skill)]
        if taught:
            return next((row.mapped_from for row in taught), None) if all(row.mapped_from for row in taught) else None
        row = self.matches(course).get(skill)
        return row.mapped_from or None if row else None

    def _is_confident(self, row: MatchedRow) -> bool:
        least = self._inputs.least_confidence
        return row.confidence >= (row.threshold if least is None else least)

    # --- before the path ---------------------------------------------------------------------------------------------

    def _raise_by_completions(self) -> None:
        """Raise levels to what completed courses teach, unless the skill was measured after the course."""
        for name in self.done:
            course, when = self._find(name), self._inputs.completed_at.get(name)
            rows = list(self._inputs.taught.get(name, []))
            recorded = {(row.framework, row.skill) for row in rows}
            rows += [row for row in course.teaches if (row.framework, row.skill) not in recorded] if course else []
            for row in rows:
                if self._measured_since(row.framework, row.skill, when):
                    continue
                key = row.framework, row.skill
                self.levels[key] = max(self.levels.get(key, 0.0), row.to_level)
                if row.framework == self.framework and (target := self.targets.get(row.skill)):
                    level = min(row.to_level, self._inputs.framework.max_level)
                    self.targets[row.skill] = replace(target, level=max(target.level, level))

    def _held_before(self) -> dict[str, dict[int, float]]:
        """Return the values of unconfirmed rows of completed courses, and note the rows in `completed`."""
        found: dict[str, dict[int, float]] = {skill: {} for skill in self.targets}
        for name in self.done:
            course, when = self._find(name), self._inputs.completed_at.get(name)
            for skill, row in self.matches(course).items() if course else ():
                if self._is_confident(row) and not self._measured_since(self.framework, skill, when):
                    self.completed[skill].append(row)
                    value, percent = self.value(skill, row.to_level), percent_of(row.confidence)
                    found[skill][percent] = max(value, found[skill].get(percent, 0.0))
        return found

    def _measured_since(self, framework: str, skill: str, when: datetime | None) -> bool:
        """Return whether a skill is known to have been measured after a course was completed."""
        estimate = self._inputs.known(framework, skill)
        if estimate is None:
            return False
        return when is None or estimate.measured_at is None or when <= estimate.measured_at


def taught_levels(course: Course) -> dict[tuple[str, str], float]:
    """Return (framework, skill) -> the highest level that a course teaches."""
    rows = sorted(course.teaches, key=lambda row: row.to_level)
    return {(row.framework, row.skill): row.to_level for row in rows}


def _holds_value(rule: Rule, course: Course, framework: str) -> bool:
    held: dict[str, set[str | None]] = {
        "course": {course.id},
        "provider": {course.provider.th, course.provider.en},
        "language": {*course.languages},
        "modality": {course.modality},
        "skill": {row.skill for row in course.teaches if row.framework == framework},
    }
    wanted = {folded(value) for value in rule.values}
    return any(folded(name) in wanted for name in held[rule.field] if name)


def percent_of(confidence: float) -> int:
    """Return a confidence, from 0 to 1, in whole per cent: rounded to millionths, then rounded down."""
    return round(confidence * MICRO) // 10_000


def added(held: dict[int, float], percent: int, value: float) -> float:
    """Return what a value with this confidence (per cent) adds to what is held, in micro-levels."""
    if not held:
        return percent / 100 * max(value, 0.0)
    return _expected({**held, percent: max(value, held.get(percent, 0.0))}) - _expected(held)


def _expected(held: dict[int, float]) -> float:
    """Return the mean of the highest value, given the value held at each per cent of confidence or more."""
    total, below = 0.0, 0
    for edge in sorted(held):
        total += (edge - below) / 100 * max(value for percent, value in held.items() if percent >= edge)
        below = edge
    return total


def value_of(target: SkillTarget, level: float) -> float:
    """Return the value of a level in micro-levels: how far the officer is expected to be below it, times the weight.

    The estimate is a normal distribution. What completed courses have already gained is subtracted. 0 if the level is
    not above the officer's, or if the skill is no gap.
    """
    if level <= target.level or not _is_below(target, target.level):
        return 0.0
    counted = _shortfall(target, target.level) if target.level > target.measured else 0.0
    return _shortfall(target, level if _is_below(target, level) else target.required) - counted


def _shortfall(target: SkillTarget, top: float) -> float:
    """Return the expected shortfall of the measured level below a level, in micro-levels."""
    if target.sd == 0:
        return MICRO * target.weight * (top - target.measured)
    estimate = NormalDist(target.measured, target.sd)
    return MICRO * target.weight * ((top - target.measured) * estimate.cdf(top) + target.sd**2 * estimate.pdf(top))


def _is_below(target: SkillTarget, level: float) -> bool:
    """Return whether a level is below the requirement by the smallest gap or more, to the millionth."""
    if level >= target.required:
        return False
    micro = round(MICRO * target.required) - round(MICRO * level)
    return micro > 0 and micro >= round(MICRO * target.smallest)
