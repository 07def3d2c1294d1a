"""An independent validator of finished paths: it simulates every step and shares no rule with the planner.

Its rules: an officer below `from` cannot enter unless the course was started already; all conditions must hold before a
course; unconfirmed levels do not count; no course twice; no unknown or excluded course and none that a rule forbids;
nothing over the budget except started and mandatory courses; started courses first and in their order; and no number
that does not follow from the inputs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from statistics import NormalDist

from msgspec import UNSET
from msgspec.structs import replace

from services.recommender.inputs import (
    EXCLUDE,
    INCLUDE_ONLY,
    MICRO,
    MOST_STEPS,
    Inputs,
    Rule,
    SkillTarget,
)
from services.recommender.plan_validator.expected_gain import dependents, expected_gain
from services.recommender.plan_validator.statements import false_statements
from shared.domain import Course, MatchedRow, Prerequisite
from shared.paths import Closes, LearningPath, Step
from shared.texts import folded

HOURS_SLACK = 1e-5
"""Hours; sums of hours are kept in millionths."""

WORTH_SLACK = 2
"""Micro-levels; two roundings per contribution."""

SHARE_SLACK = 60
"""Micro-levels; a share of a worth is taken to a part of its last hundred."""

Find = Callable[[str], Course | None]


def validate(path: LearningPath, inputs: Inputs, find: Find) -> list[str]:
    """Return what is wrong with a path, one sentence each; empty if it is valid.

    `find` returns a course that the officer's tenant currently sees, or None.
    """
    if path.status in ("waiting_for_framework", "refused"):
        return [f"{path.status}, yet it has steps"] if path.steps else []
    start = _Walk(inputs, find)
    walk = start.copy()
    return [
        *_faults(path, inputs, find, walk),
        *_dependencies(path, start, find),
        *false_statements(path, inputs.framework, walk, find),
    ]


def infeasibilities(path: LearningPath, inputs: Inputs, find: Find) -> list[str]:
    """Return why the courses of a path cannot be studied in order, or do not gain what it says.

    Texts are not checked.
    """
    return _faults(path, inputs, find, _Walk(inputs, find))


def _faults(path: LearningPath, inputs: Inputs, find: Find, walk: "_Walk") -> list[str]:
    """Return what is wrong with a path but for its texts and dependencies. Moves `walk` from the start to the end."""
    return [*_head(path, inputs, walk), *_wishes(path, inputs, find), *walk.steps(path), *_coverage(path, walk)]


def _head(path: LearningPath, inputs: Inputs, walk: "_Walk") -> Iterator[str]:
    yield from _budget(path, inputs)
    if path.framework != inputs.framework.id or path.job_group != inputs.job_group or path.stage != inputs.stage:
        yield "made for another framework, job group or stage"
    if path.versions.framework != f"{inputs.framework.id}@{inputs.framework.version}":
        yield f"made from framework {path.versions.framework}"
    if path.successions != inputs.successions:
        yield "says otherwise what became of what the framework no longer has"
    if path.versions.profile != inputs.profile_sequence or path.as_of != inputs.as_of:
        yield "made from another profile or date"
    assessed = any(want.assessed for want in walk.targets.values()) or not walk.targets
    if path.status != ("ready" if assessed else "provisional"):
        yield f"status {path.status} does not tell whether anything was assessed"


def _budget(path: LearningPath, inputs: Inputs) -> Iterator[str]:
    if path.budget_hours != inputs.budget_hours:
        yield "made for another budget"
    over = 0.0 if inputs.budget_hours is None else path.hours - inputs.budget_hours
    firm = {"started", "mandatory"}
    if over > HOURS_SLACK and any(step.origin not in firm for step in path.steps):
        yield f"{path.hours:g} hours are over the budget of {inputs.budget_hours:g}"
    if abs((path.over_budget_hours or 0.0) - max(over, 0.0)) > HOURS_SLACK:
        yield f"over the budget by {over:g} hours, not {path.over_budget_hours or 0:g}"
    most = MOST_STEPS if inputs.max_steps is None else min(inputs.max_steps, MOST_STEPS)
    if len(path.steps) > most and any(step.origin not in firm for step in path.steps):
        yield f"{len(path.steps)} steps are over the limit of {most}"


def _wishes(path: LearningPath, inputs: Inputs, find: Find) -> Iterator[str]:
    taken = [step.course.id for step in path.steps]
    noted = {note.course for note in path.notes}
    done = {*inputs.completed, *inputs.completed_at}
    started = [name for name in dict.fromkeys(inputs.started) if name not in done]
    kept = [name for name in started if name not in inputs.excluded and find(name) is not None]
    if taken[: len(kept)] != kept:
        yield "what was started does not come first, in its order"
    for name in [*started, *inputs.mandatory, *inputs.pinned]:
        if name not in done and name not in taken and name not in noted:
            yield f"{name} was wanted, is not there, and nothing is said of it"
    for step in path.steps:
        if step.origin == "started" and step.course.id not in inputs.started:
            yield f"{step.course.id} was not started"
    if any(step.origin == "mandatory" for step in path.steps) and not set(inputs.mandatory) & set(taken):
        yield "something is called mandatory, and nothing is"


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


class _Walk:
    """Takes the steps in order, as the officer would."""

    def __init__(self, inputs: Inputs, find: Find) -> None:
        self._inputs = inputs
        self._find = find
        self.levels = inputs.entry_levels()
        self.done = {*inputs.completed, *inputs.completed_at}
        self._hours = 0.0
        self.targets = self._after_completions()
        self.held = {skill: want.level for skill, want in self.targets.items()}
        self.completed: dict[str, list[MatchedRow]] = {skill: [] for skill in self.targets}
        self.sure = self._sure_before()
        self.start = {skill: dict(rows) for skill, rows in self.sure.items()}
        self.unconfirmed: dict[str, list[MatchedRow]] = {skill: [] for skill in self.targets}

    def gains(self, skill: str, percent: int, level: float) -> float:
        """Return the micro-levels that a level with this confidence (per cent) adds."""
        return _added(self.sure[skill], percent, _worth(self.targets[skill], level))

    def may_gain(self, row: MatchedRow) -> float:
        """Return the micro-levels that an unconfirmed row adds, if it counts."""
        return self.gains(row.skill, _percent(row), row.to_level) if self.counts(row) else 0.0

    def counts(self, row: MatchedRow) -> bool:
        """Return whether an unconfirmed row counts for the officer."""
        least = self._inputs.least_confidence
        sure = row.confidence >= (row.threshold if least is None else least)
        return sure and _percent(row) > 0 and row.from_level <= self.targets[row.skill].level

    def matches(self, course: Course) -> dict[str, MatchedRow]:
        """Return the unconfirmed rows of a course for required skills; the most confident of each."""
        found: dict[str, MatchedRow] = {}
        if not course.matched:
            return found
        confirmed = {(row.framework, row.skill) for row in course.teaches}
        for row in course.matched:
            mine = row.framework == self._inputs.framework.id and row.skill in self.targets
            if mine and (row.framework, row.skill) not in confirmed:
                other = found.get(row.skill, row)
                found[row.skill] = min(other, row, key=lambda one: (-one.confidence, one.to_level, one.from_level))
        return found

    def _sure_before(self) -> dict[str, dict[int, float]]:
        """Return skill -> per cent of confidence -> value, from unconfirmed rows of courses completed since."""
        found: dict[str, dict[int, float]] = {skill: {} for skill in self.targets}
        least = self._inputs.least_confidence
        for name in self.done:
            course, when = self._find(name), self._inputs.completed_at.get(name)
            for skill, row in self.matches(course).items() if course else ():
                if row.confidence < (row.threshold if least is None else least):
                    continue
                if not self._measured_since(self._inputs.framework.id, skill, when):
                    self.completed[skill].append(row)
                    worth = _worth(self.targets[skill], row.to_level)
                    found[skill][_percent(row)] = max(worth, found[skill].get(_percent(row), 0.0))
        return found

    def _measured_since(self, framework: str, skill: str, when: datetime | None) -> bool:
        """Return whether a skill is known to have been measured after a course was completed."""
        ours = framework == self._inputs.framework.id
        held = self._inputs.levels if ours else self._inputs.elsewhere.get(framework, {})
        if skill not in held:
            return False
        measured = held[skill].measured_at
        return when is None or measured is None or when <= measured

    def _after_completions(self) -> dict[str, SkillTarget]:
        """Raise levels to what completed courses teach, unless the skill was measured after the course."""
        wants, ours = self._inputs.targets(), self._inputs.framework.id
        for name in self.done:
            course, when = self._find(name), self._inputs.completed_at.get(name)
            rows = [(row.framework, row.skill, row.to_level) for row in self._inputs.taught.get(name, [])]
            noted = {(framework, skill) for framework, skill, _ in rows}
            since = [row for row in course.teaches if (row.framework, row.skill) not in noted] if course else []
            rows += [(row.framework, row.skill, row.to_level) for row in since]
            for framework, skill, to in rows:
                if self._measured_since(framework, skill, when):
                    continue
                self.levels[framework, skill] = max(self.levels.get((framework, skill), 0.0), to)
                if framework == ours and skill in wants:
                    level = min(to, self._inputs.framework.max_level)
                    wants[skill] = replace(wants[skill], level=max(wants[skill].level, level))
        return wants

    def steps(self, path: LearningPath) -> Iterator[str]:
        for position, step in enumerate(path.steps, 1):
            for fault in self._step(position, step):
                yield f"step {position} ({step.course.id}): {fault}"
        if abs(path.hours - self._hours) > HOURS_SLACK:
            yield f"{path.hours:g} hours in all, the courses take {self._hours:g}"
        rows = {gap.skill: gap for gap in path.gaps}
        if set(rows) != set(self.targets) or len(path.gaps) != len(rows):
            yield "the gaps are not the required skills"
        for skill, want in self.targets.items():
            reached = self.held[skill]
            if (row := rows.get(skill)) and (row.level, row.reached, row.required) != (
                want.level,
                reached,
                want.required,
            ):
                yield f"the gap of {skill} is not as simulated"
        below = [skill for skill, want in self.targets.items() if self.held[skill] < want.required]
        if [row.skill for row in path.open] != below:
            yield "the open skills are not those that stay below the requirement"

    def _level(self, skill: str) -> float:
        return self.levels.get((self._inputs.framework.id, skill), 0.0)

    def _step(self, position: int, step: Step) -> Iterator[str]:
        if step.position != position:
            yield f"stands at position {step.position}"
        if step.course.id in self.done:
            yield "is done already or stands twice"
        course = self._find(step.course.id)
        if course is None:
            yield "is unknown, withdrawn or of another tenant"
            return
        if step.course.hours != course.hours or step.course.title != course.title or step.requires != course.requires:
            yield "is not as the catalog has it"
        yield from self._allowed(course, started=step.origin == "started")
        if step.origin != "started":
            yield from self._entry(course)
        yield from self._closes(course, step.closes)
        self._hours += course.hours
        if abs(step.cumulative_hours - self._hours) > HOURS_SLACK:
            yield f"cumulative hours {step.cumulative_hours:g}, not {self._hours:g}"
        self.take(course)

    def copy(self) -> "_Walk":
        """Return an independent copy."""
        other = copy(self)
        other.levels, other.done, other.held = dict(self.levels), set(self.done), dict(self.held)
        other.sure = {skill: dict(rows) for skill, rows in self.sure.items()}
        other.unconfirmed = {skill: list(rows) for skill, rows in self.unconfirmed.items()}
        return other

    def enters(self, course: Course) -> bool:
        """Return whether a course can be entered."""
        return not any(self._entry(course))

    def take(self, course: Course) -> None:
        """Complete a course: levels rise to what it teaches, and none falls."""
        self.done.add(course.id)
        for skill, reached in self._taught(course).items():
            self.levels[skill] = max(self.levels.get(skill, 0.0), reached)
            if skill[0] == self._inputs.framework.id and skill[1] in self.held:
                self.held[skill[1]] = max(self.held[skill[1]], reached)
                self._hold(skill[1], 100, reached)
        for name, row in self.matches(course).items():
            if self.counts(row):
                self.unconfirmed[name].append(row)
                self._hold(name, _percent(row), row.to_level)

    def _hold(self, skill: str, percent: int, level: float) -> None:
        held = self.sure[skill]
        held[percent] = max(_worth(self.targets[skill], level), held.get(percent, 0.0))

    def bars(self, course: Course) -> bool:
        """Return whether a course must not be used."""
        return any(self._allowed(course, started=course.id in self._inputs.started))

    def _allowed(self, course: Course, *, started: bool) -> Iterator[str]:
        if course.id in self._inputs.excluded:
            yield "was marked as not relevant"
        if course.id in self._inputs.mandatory or started:
            return
        if self._inputs.languages and not set(self._inputs.languages) & set(course.languages):
            yield "is not offered in a language of the officer"
        for rule in self._inputs.rules:
            holding = _holds_value(rule, course, self._inputs.framework.id)
            if (rule.bias == EXCLUDE and holding) or (rule.bias == INCLUDE_ONLY and not holding):
                yield f"is kept out by a rule on its {rule.field}"

    def _taught(self, course: Course) -> dict[tuple[str, str], float]:
        rows = sorted(course.teaches, key=lambda row: row.to_level)
        return {(row.framework, row.skill): row.to_level for row in rows}

    def _entry(self, course: Course) -> Iterator[str]:
        lowest: dict[str, float] = {}
        for row in course.teaches:
            if row.framework == self._inputs.framework.id:
                lowest[row.skill] = min(row.from_level, lowest.get(row.skill, row.from_level))
        for skill, level in lowest.items():
            if self._level(skill) < level:
                yield f"begins at level {level:g} of {skill}, the officer is at {self._level(skill):g}"
        for condition in course.requires:
            if not self._holds(condition):
                yield "a prerequisite does not hold"

    def _holds(self, condition: Prerequisite) -> bool:
        if condition.course is not UNSET:
            return condition.course in self.done
        if condition.any is not UNSET:
            return any(self._holds(branch) for branch in condition.any)
        if condition.all is not UNSET:
            return all(self._holds(branch) for branch in condition.all)
        if condition.framework is UNSET or condition.skill is UNSET or condition.level is UNSET:
            return False
        return self.levels.get((condition.framework, condition.skill), 0.0) >= condition.level

    def _closes(self, course: Course, rows: list[Closes]) -> Iterator[str]:
        taught = {skill: to for (name, skill), to in self._taught(course).items() if name == self._inputs.framework.id}
        closed = {skill: to for skill, to in taught.items() if self._is_open(skill) and to > self.held[skill]}
        sure = [row for row in rows if row.confidence is None]
        if {row.skill: row.to_level for row in sure} != closed or len(sure) != len(closed):
            yield "what it closes is not what it teaches"
            return
        yield from self._unconfirmed_closes(course, [row for row in rows if row.confidence is not None])
        for row in rows:
            want = self.targets[row.skill]
            if row.mapped_from != self._source(course, row.skill):
                yield f"{row.skill} is not mapped from {row.mapped_from or 'nothing'}"
            percent = 100 if row.confidence is None else round(row.confidence * MICRO) // 10_000
            added = self.gains(row.skill, percent, row.to_level)
            slack = _slack({**self.sure[row.skill], percent: added})
            facts = (row.required, row.weight, row.from_level)
            if abs(row.contribution - added) > slack or facts != (want.required, want.weight, self.held[row.skill]):
                yield f"{row.skill} is worth {added:.0f}, not {row.contribution}"

    def _is_open(self, skill: str) -> bool:
        """Return whether a skill is required and its level is still below the requirement."""
        want = self.targets.get(skill)
        return want is not None and _is_short(want, self.held[skill])

    def _source(self, course: Course, skill: str) -> str | None:
        """Return the skill of another framework that a course's row of a skill comes from."""
        taught = [row for row in course.teaches if (row.framework, row.skill) == (self._inputs.framework.id, skill)]
        if taught:
            return next((row.mapped_from for row in taught), None) if all(row.mapped_from for row in taught) else None
        row = self.matches(course).get(skill)
        return row.mapped_from or None if row else None

    def _unconfirmed_closes(self, course: Course, rows: list[Closes]) -> Iterator[str]:
        """Check the gaps that a course may close by its description: all that add value, and no other."""
        matches = {skill: row for skill, row in self.matches(course).items() if self._is_open(skill)}
        added = {skill: self.may_gain(row) for skill, row in matches.items()}
        stated = {row.skill: (row.to_level, row.confidence) for row in rows}
        counting = {skill for skill, row in matches.items() if self.counts(row)}
        if len(stated) != len(rows) or not stated.keys() <= counting:
            yield "what it may close is not what is matched to it"
        elif missing := {skill for skill, more in added.items() if more > SHARE_SLACK} - stated.keys():
            yield f"nothing is said of {', '.join(sorted(missing))}, which is matched to it"
        elif any(stated[skill] != (matches[skill].to_level, matches[skill].confidence) for skill in stated):
            yield "how surely it may close a gap, or up to which level, is not as it is matched"


def _coverage(path: LearningPath, walk: _Walk) -> Iterator[str]:
    wants = walk.targets.values()
    slack = WORTH_SLACK + sum(map(_slack, walk.start.values()))
    gap = sum(_added(walk.start[skill], 100, _worth(want, want.required)) for skill, want in walk.targets.items())
    required = sum(MICRO * want.weight * want.required for want in wants)
    gained = sum(row.contribution for step in path.steps for row in step.closes)
    if path.coverage.gained != gained:
        yield f"gained {path.coverage.gained}, the steps add up to {gained}"
    if abs(path.coverage.gap - gap) > slack or gained > path.coverage.gap:
        yield f"the gap is {gap:.0f}, not {path.coverage.gap}, or more is gained than that"
    for name, stated, left in (("before", path.coverage.before, gap), ("after", path.coverage.after, gap - gained)):
        share = max(1 - left / required, 0.0) if required else 1.0
        if abs(stated - share) > (slack / required if required else 0) + 1e-6:
            yield f"coverage {name} is {share:.6f}, not {stated:.6f}"


def _dependencies(path: LearningPath, start: _Walk, find: Find) -> Iterator[str]:
    """Check everything that depends on which steps a step requires."""
    courses = [course for step in path.steps if (course := find(step.course.id))]
    if len(courses) < len(path.steps):
        return
    depends_on = dependents(start, courses, {step.course.id for step in path.steps if step.origin == "started"})
    for place, step in enumerate(path.steps):
        unlocked = [courses[later].id for later in range(len(courses)) if place in depends_on[later]]
        if step.unlocks != unlocked:
            yield f"step {place + 1} ({step.course.id}): unlocks {unlocked}, not {step.unlocks}"
        if not step.closes and not unlocked and step.origin is None:
            yield f"step {place + 1} ({step.course.id}): closes nothing and unlocks nothing"
    taken = {step.course.id for step in path.steps}
    for step in path.steps:
        if not taken.isdisjoint(other.course.id for other in step.alternatives):
            yield f"step {step.position} ({step.course.id}): an alternative stands in the path"
    matches = [start.matches(course) for course in courses]
    gain = expected_gain(courses, depends_on, list(_parts(courses, matches, path.framework, start)))
    held = [{**start.start[skill], **_sureness(matches, skill)} for skill in start.targets]
    stated, slack = path.coverage.expected, WORTH_SLACK + sum(map(_slack, held))
    if stated is None or stated > path.coverage.gained or abs(stated - gain) > slack:
        yield f"expected to gain {gain:.0f}, not {stated}"


def _parts(
    courses: Sequence[Course], matches: Sequence[Mapping[str, MatchedRow]], framework: str, start: _Walk
) -> Iterator[list[float]]:
    """Yield, for each band of confidence of each required skill, the micro-levels that each course adds to it.

    `matches`: the unconfirmed rows of each course, by skill.
    """
    offered = [_offered(course, matched, framework, start) for course, matched in zip(courses, matches, strict=True)]
    for skill, want in start.targets.items():
        if not any(skill in rows for rows in offered):
            continue
        sure = [
            max(((percent, _worth(want, level)) for percent, level in rows.get(skill, ())), default=(0, 0.0))
            for rows in offered
        ]
        held, below = start.start[skill], 0
        for edge in sorted({100, *held, *(percent for percent, _ in sure)} - {0}):
            before = max((worth for percent, worth in held.items() if percent >= edge), default=0.0)
            width = (edge - below) / 100
            yield [width * max(worth - before, 0.0) if percent >= edge else 0.0 for percent, worth in sure]
            below = edge


def _offered(
    course: Course, matched: Mapping[str, MatchedRow], framework: str, start: _Walk
) -> dict[str, list[tuple[int, float]]]:
    """Return skill -> (confidence in per cent, level) of every row of a course that counts."""
    offered: dict[str, list[tuple[int, float]]] = {}
    for taught in course.teaches:
        if taught.framework == framework:
            offered.setdefault(taught.skill, []).append((100, taught.to_level))
    for skill, row in matched.items():
        if start.counts(row):
            offered.setdefault(skill, []).append((_percent(row), row.to_level))
    return offered


def _sureness(matches: Sequence[Mapping[str, MatchedRow]], skill: str) -> dict[int, float]:
    """Return the per cents of confidence of the unconfirmed rows of a skill."""
    return {_percent(row[skill]): 0.0 for row in matches if skill in row}


def _slack(held: Mapping[int, float]) -> int:
    """Return the tolerance in micro-levels for the value of a skill, which is larger if shares were rounded."""
    return SHARE_SLACK if held.keys() - {100} else WORTH_SLACK


def _percent(row: MatchedRow) -> int:
    """Return a confidence in whole per cent, rounded down."""
    return round(row.confidence * MICRO) // 10_000


def _added(held: dict[int, float], percent: int, worth: float) -> float:
    """Return what a value with this confidence adds to what is held."""
    return _expected({**held, percent: max(worth, held.get(percent, 0.0))}) - _expected(held)


def _expected(held: dict[int, float]) -> float:
    """Return the mean of the highest value, given the value held at each per cent of confidence or more."""
    total, below = 0.0, 0
    for edge in sorted(held):
        total += (edge - below) / 100 * max(worth for percent, worth in held.items() if percent >= edge)
        below = edge
    return total


def _worth(want: SkillTarget, level: float) -> float:
    """Return the value of `level` in micro-levels: the expected shortfall of the normal distribution below it."""
    if level <= want.level or not _is_short(want, want.level):
        return 0.0
    counted = _below(want, want.level) if want.level > want.measured else 0.0
    return _below(want, level if _is_short(want, level) else want.required) - counted


def _below(want: SkillTarget, top: float) -> float:
    """Return the expected shortfall of the measured level below a level, in micro-levels."""
    if want.sd == 0:
        return MICRO * want.weight * (top - want.measured)
    belief = NormalDist(want.measured, want.sd)
    return MICRO * want.weight * ((top - want.measured) * belief.cdf(top) + want.sd**2 * belief.pdf(top))


def _is_short(want: SkillTarget, level: float) -> bool:
    """Return whether a level is below the requirement by the smallest gap or more, to the millionth."""
    micro = round(MICRO * want.required) - round(MICRO * level)
    return micro > 0 and micro >= round(MICRO * want.smallest)
