"""An independent validator of finished paths: it simulates every step and shares no rule with the planner.

Its rules: an officer below `from` cannot enter unless the course was started already; all conditions must hold before a
course; unconfirmed levels do not count; no course twice; no unknown or excluded course and none that a rule forbids;
nothing over the budget except started and mandatory courses; started courses first and in their order; and no number
that does not follow from the inputs.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from services.recommender.inputs import MICRO, MOST_STEPS, Inputs
from services.recommender.plan_validator.expected_gain import dependents, expected_gain
from services.recommender.plan_validator.officer_state import CONFIRMED, Find, OfficerState, percent_of, taught_levels
from services.recommender.plan_validator.statements import false_statements
from shared.domain import Course, Framework, MatchedRow
from shared.paths import Closes, LearningPath, Step

HOURS_SLACK = 1e-5
"""Tolerance in hours, because sums of hours are kept in millionths."""

WORTH_SLACK = 2
"""Tolerance in micro-levels, because each contribution is rounded twice."""

SHARE_SLACK = 60
"""Tolerance in micro-levels where shares of a value in per cent are rounded."""


def validate(
    path: LearningPath, inputs: Inputs, find: Find, frameworks: Mapping[str, Framework] = MappingProxyType({})
) -> list[str]:
    """Return what is wrong with a path, one sentence each; empty if it is valid.

    `find` returns a course that the officer's tenant currently sees, or None. `frameworks`: by id, those that the
    tenant sees.
    """
    if path.status in ("waiting_for_framework", "refused"):
        return [f"{path.status}, yet it has steps"] if path.steps else []
    start = OfficerState(inputs, find)
    end = start.copy()
    return [
        *faults(path, inputs, find, start, end),
        *_dependencies(path, start, find),
        *false_statements(path, {**frameworks, inputs.framework.id: inputs.framework}, end, find),
    ]


def faults(path: LearningPath, inputs: Inputs, find: Find, start: OfficerState, end: OfficerState) -> list[str]:
    """Return what is wrong with a path, one sentence each; its texts and dependencies are not checked.

    `end`: a copy of `start`, which is moved to the end of the path.
    """
    return [
        *_head(path, inputs, start),
        *_wishes(path, inputs, find),
        *_steps(path, end, find),
        *_coverage(path, start),
    ]


def _head(path: LearningPath, inputs: Inputs, start: OfficerState) -> Iterator[str]:
    yield from _budget(path, inputs)
    if path.framework != inputs.framework.id or path.job_group != inputs.job_group or path.stage != inputs.stage:
        yield "made for another framework, job group or stage"
    if path.versions.framework != f"{inputs.framework.id}@{inputs.framework.version}":
        yield f"made from framework {path.versions.framework}"
    if path.successions != inputs.successions:
        yield "its successions are not those of the inputs"
    if path.versions.profile != inputs.profile_sequence or path.as_of != inputs.as_of:
        yield "made from another profile or date"
    assessed = any(target.assessed for target in start.targets.values()) or not start.targets
    if path.status != ("ready" if assessed else "provisional"):
        yield f"status {path.status} does not agree with whether anything was assessed"


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
    done = inputs.done
    started = [name for name in dict.fromkeys(inputs.started) if name not in done]
    kept = [name for name in started if name not in inputs.excluded and find(name) is not None]
    if taken[: len(kept)] != kept:
        yield "the started courses do not come first in their order"
    for name in [*started, *inputs.mandatory, *inputs.pinned]:
        if name not in done and name not in taken and name not in noted:
            yield f"{name} was requested, is not in the path, and no note says why"
    for step in path.steps:
        if path.kept and step.origin is None and step.course.id not in inputs.previous:
            yield f"{step.course.id} is in a path that was kept, and not in the previous path"
        if step.origin == "started" and step.course.id not in inputs.started:
            yield f"{step.course.id} was not started"
    if any(step.origin == "mandatory" for step in path.steps) and not set(inputs.mandatory) & set(taken):
        yield "a step is marked mandatory, and no mandatory course is in the path"


def _steps(path: LearningPath, state: OfficerState, find: Find) -> Iterator[str]:
    """Check every step and the levels that the path reaches. Moves `state` from the start to the end."""
    hours = 0.0
    for position, step in enumerate(path.steps, 1):
        if course := find(step.course.id):
            hours += course.hours
        for fault in _step(position, step, course, state, hours):
            yield f"step {position} ({step.course.id}): {fault}"
    if abs(path.hours - hours) > HOURS_SLACK:
        yield f"{path.hours:g} hours in all, the courses take {hours:g}"
    rows = {gap.skill: gap for gap in path.gaps}
    if set(rows) != set(state.targets) or len(path.gaps) != len(rows):
        yield "the gaps are not the required skills"
    for skill, target in state.targets.items():
        facts = target.level, state.reached[skill], target.required
        if (row := rows.get(skill)) and (row.level, row.reached, row.required) != facts:
            yield f"the gap of {skill} is not as simulated"
    below = [skill for skill, target in state.targets.items() if state.reached[skill] < target.required]
    if [row.skill for row in path.open] != below:
        yield "the open skills are not those that stay below the requirement"


def _step(position: int, step: Step, course: Course | None, state: OfficerState, hours: float) -> Iterator[str]:
    """Check one step in the state before it, and take its course. `hours`: of the path up to and with it."""
    if step.position != position:
        yield f"has position {step.position}"
    if step.course.id in state.done:
        yield "is completed already or is in the path twice"
    if course is None:
        yield "is unknown, withdrawn or of another tenant"
        return
    if step.course.hours != course.hours or step.course.title != course.title or step.requires != course.requires:
        yield "is not as the catalog has it"
    yield from state.exclusions(course, started=step.origin == "started")
    if step.origin != "started":
        yield from state.unmet_conditions(course)
    yield from _closes(course, step.closes, state)
    if abs(step.cumulative_hours - hours) > HOURS_SLACK:
        yield f"cumulative hours {step.cumulative_hours:g}, not {hours:g}"
    state.take(course)


def _closes(course: Course, rows: list[Closes], state: OfficerState) -> Iterator[str]:
    """Check which gaps a course is stated to close, and by how much."""
    taught = {skill: to for (name, skill), to in taught_levels(course).items() if name == state.framework}
    closed = {skill: to for skill, to in taught.items() if state.is_open(skill) and to > state.reached[skill]}
    confirmed = [row for row in rows if row.confidence is None]
    if {row.skill: row.to_level for row in confirmed} != closed or len(confirmed) != len(closed):
        yield "the gaps that it closes are not those that it teaches"
        return
    yield from _unconfirmed_closes(course, [row for row in rows if row.confidence is not None], state)
    for row in rows:
        target = state.targets[row.skill]
        if row.mapped_from != state.source_of(course, row.skill):
            yield f"{row.skill} is not mapped from {row.mapped_from or 'nothing'}"
        percent = CONFIRMED if row.confidence is None else percent_of(row.confidence)
        gain = state.gain(row.skill, percent, row.to_level)
        slack = _slack([*state.held[row.skill], percent])
        facts = (row.required, row.weight, row.from_level)
        if abs(row.contribution - gain) > slack or facts != (target.required, target.weight, state.reached[row.skill]):
            yield f"{row.skill} has the value {gain:.0f}, not {row.contribution}"


def _unconfirmed_closes(course: Course, rows: list[Closes], state: OfficerState) -> Iterator[str]:
    """Check the gaps that a course may close by its description: all that add value, and no other."""
    if not rows and not course.matched:
        return
    matches = {skill: row for skill, row in state.matches(course).items() if state.is_open(skill)}
    gains = {skill: state.matched_gain(row) for skill, row in matches.items()}
    stated = {row.skill: (row.to_level, row.confidence) for row in rows}
    counting = {skill for skill, row in matches.items() if state.counts(row)}
    if len(stated) != len(rows) or not stated.keys() <= counting:
        yield "the gaps that it may close are not those that are matched to it"
    elif missing := {skill for skill, gain in gains.items() if gain > SHARE_SLACK} - stated.keys():
        yield f"nothing is stated for {', '.join(sorted(missing))}, which is matched to it"
    elif any(stated[skill] != (matches[skill].to_level, matches[skill].confidence) for skill in stated):
        yield "the confidence or the level of a gap that it may close is not that of the match"


def _coverage(path: LearningPath, start: OfficerState) -> Iterator[str]:
    targets = start.targets
    slack = WORTH_SLACK + sum(map(_slack, start.held.values()))
    gap = sum(start.gain(skill, CONFIRMED, target.required) for skill, target in targets.items())
    required = sum(MICRO * target.weight * target.required for target in targets.values())
    gained = sum(row.contribution for step in path.steps for row in step.closes)
    if path.coverage.gained != gained:
        yield f"gained {path.coverage.gained}, the steps add up to {gained}"
    if abs(path.coverage.gap - gap) > slack or gained > path.coverage.gap:
        yield f"the gap is {gap:.0f}, not {path.coverage.gap}, or more is gained than that"
    for name, stated, left in (("before", path.coverage.before, gap), ("after", path.coverage.after, gap - gained)):
        share = max(1 - left / required, 0.0) if required else 1.0
        if abs(stated - share) > (slack / required if required else 0) + 1e-6:
            yield f"coverage {name} is {share:.6f}, not {stated:.6f}"


def _dependencies(path: LearningPath, start: OfficerState, find: Find) -> Iterator[str]:
    """Check everything that depends on which steps a step requires."""
    courses = [course for step in path.steps if (course := find(step.course.id))]
    if len(courses) < len(path.steps):
        return
    begun = {step.course.id for step in path.steps if step.origin == "started"}
    depends_on = dependents(start.entry_state(), courses, begun)
    for place, step in enumerate(path.steps):
        unlocked = [courses[later].id for later in range(len(courses)) if place in depends_on[later]]
        if step.unlocks != unlocked:
            yield f"step {place + 1} ({step.course.id}): unlocks {unlocked}, not {step.unlocks}"
        if not step.closes and not unlocked and step.origin is None:
            yield f"step {place + 1} ({step.course.id}): closes nothing and unlocks nothing"
    taken = {step.course.id for step in path.steps}
    for step in path.steps:
        if not taken.isdisjoint(other.course.id for other in step.alternatives):
            yield f"step {step.position} ({step.course.id}): an alternative is in the path"
    matches = [start.matches(course) for course in courses]
    gain = expected_gain(courses, depends_on, _parts(courses, matches, path.framework, start))
    percents = {skill: [*held] for skill, held in start.held.items()}
    for matched in matches:
        for skill, row in matched.items():
            percents[skill].append(percent_of(row.confidence))
    stated, slack = path.coverage.expected, WORTH_SLACK + sum(map(_slack, percents.values()))
    if stated > path.coverage.gained or abs(stated - gain) > slack:
        yield f"expected to gain {gain:.0f}, not {stated}"


def _parts(
    courses: Sequence[Course], matches: Sequence[Mapping[str, MatchedRow]], framework: str, start: OfficerState
) -> Iterator[dict[int, float]]:
    """Yield, for each band of confidence of each required skill: position of a course -> micro-levels it adds to it.

    `matches`: the unconfirmed rows of each course, by skill.
    """
    offers = defaultdict[str, dict[int, tuple[int, float]]](dict)
    for place, (course, matched) in enumerate(zip(courses, matches, strict=True)):
        for (name, skill), level in taught_levels(course).items():
            if name == framework and skill in start.targets:
                offers[skill][place] = CONFIRMED, start.value(skill, level)
        for skill, row in matched.items():  # no skill that the course teaches
            if start.counts(row):
                offers[skill][place] = percent_of(row.confidence), start.value(skill, row.to_level)
    for skill, offered in offers.items():
        held, below = start.held[skill], 0
        for edge in sorted({CONFIRMED, *held, *(percent for percent, _ in offered.values())}):
            before = max((value for percent, value in held.items() if percent >= edge), default=0.0)
            width = (edge - below) / 100
            yield {
                place: width * (value - before)
                for place, (percent, value) in offered.items()
                if percent >= edge and value > before
            }
            below = edge


def _slack(percents: Iterable[int]) -> int:
    """Return the tolerance in micro-levels for the value of a skill, which is larger if shares were rounded.

    `percents`: the confidences, in per cent, of what is held of the skill.
    """
    return WORTH_SLACK if {CONFIRMED}.issuperset(percents) else SHARE_SLACK
