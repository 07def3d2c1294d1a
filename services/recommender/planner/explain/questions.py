"""Questions about a path: why a course is not in it, similar courses, changes between two paths."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from services.recommender.inputs import MICRO, Inputs
from services.recommender.planner.course_spec import CourseCondition, course_spec
from services.recommender.planner.exact.minimum_closure import minimum_closure
from services.recommender.planner.exact.options import PathState, course_option, score_of
from services.recommender.planner.exact.residual import MissingHours, exclusion_reason
from services.recommender.planner.explain.path import card_of
from services.recommender.planner.index.catalog import View
from services.recommender.planner.index.vocabulary import VOCABULARY
from services.recommender.planner.optimizer.solve import PlanSolution, solve
from services.recommender.planner.value import ValueFunction
from shared.domain import Course
from shared.errors import NotFound
from shared.paths import UNRENDERED, Changes, LearningPath, Similar, WhyNot
from shared.paths import WhyNotCause as Cause

FIRM = ("started", "mandatory", "pinned")
"""Origins of the courses that come first in a path, whatever their value."""


def why_not(inputs: Inputs, view: View, path: LearningPath, course_id: str) -> WhyNot:
    """Return why a course is not in a path.

    If nothing else rules the course out, its shortest closure is computed at each position of the path, and the answer
    is about the position where its score is highest. `inputs`, `view`: those of the path. Raises NotFound for an
    unknown course.
    """
    course = view.course(course_id)
    if course is None:
        raise NotFound("no such course")
    if course_id in {step.course.id for step in path.steps}:
        return _answer(course, "in_path")
    if course_id in inputs.done:
        return _answer(course, "completed")
    if exclusion := exclusion_reason(inputs, course):
        return _answer(course, exclusion)
    if path.status in ("refused", "waiting_for_framework"):
        return _answer(course, "no_path")
    found = solve(inputs, view, extra=(course_id,))
    answer = _replayed(found, view, path, course)
    return _of_matches(answer, found.context.value, inputs.framework.id, course)


def _of_matches(answer: WhyNot, value: ValueFunction, framework: str, course: Course) -> WhyNot:
    """Return an answer with the confidence of what the course may close, if nobody has confirmed any of it."""
    spec = course_spec(course)
    rows = [row for (name, skill), row in spec.matched.items() if name == framework and skill in value.gaps]
    if not rows or any(name == framework and skill in value.gaps for name, skill in spec.teaches):
        return answer
    confidence = max(row.confidence for row in rows) / MICRO
    if answer.cause == "nothing_left" and not any(map(value.counts, rows)):
        return _answer(course, "unsure", confidence=confidence)
    return replace(answer, confidence=confidence)


def _replayed(found: PlanSolution, view: View, path: LearningPath, course: Course) -> WhyNot:
    """Return the best answer over all positions at which the shortest closure of the course could have been added.

    Started, mandatory and pinned courses come before it in any case.
    """
    inputs, value = found.context.inputs, found.context.value
    state = found.context.start.copy()
    placed: list[tuple[int, _PlacedClosure]] = []
    for place, step in enumerate([*path.steps, None]):
        if step is None or step.origin not in FIRM:
            if (closure := _closure_here(found, state, course.id)) is None:
                return _answer(course, "unreachable")
            placed.append((place, closure))
        if step and (spec := view.spec(step.course.id)):
            state.study(course_option(inputs, value, spec, spec.hours))
    gaining = [(place, closure) for place, closure in placed if closure.gain > 0]
    if not gaining:
        return _answer(course, "nothing_left")
    fitting = [(place, closure) for place, closure in gaining if closure.hours <= closure.left]
    if not fitting:
        _, closure = gaining[0]  # the earliest of these positions has the most hours left
        return _answer(
            course, "does_not_fit", MissingHours(closure.hours / MICRO, closure.left / MICRO, closure.proved)
        )
    if not (within := [(place, closure) for place, closure in fitting if closure.within]):
        return _answer(course, "does_not_fit")
    if found.finishing and within[-1][0] == len(path.steps):  # it would fit after the path, and close more
        return _answer(course, "kept")
    place, closure = max(within, key=lambda item: (item[1].score, -item[0]))
    taken = path.steps[place].score if place < len(path.steps) else 0.0
    cause: Cause = "worse_overall" if place < len(path.steps) and closure.score > taken else "lower_value"
    hours = closure.hours / MICRO
    score, at_most = float(closure.score), not closure.proved
    return WhyNot(course.id, cause, UNRENDERED, place + 1, closure.gain, hours, score, taken, at_most=at_most)


class _PlacedClosure(NamedTuple):
    """The shortest closure of a course at one position: its gain, hours and score, and the hours `left` there.

    `within`: the path may hold so many steps; `proved`: no closure is shorter.
    """

    gain: int
    hours: int
    score: int
    left: int
    within: bool
    proved: bool


def _closure_here(found: PlanSolution, state: PathState, course_id: str) -> _PlacedClosure | None:
    """Return the closure of a course with its figures; None if it is unreachable."""
    option = minimum_closure(state, [CourseCondition(course_id)], found.available)
    if option is None:
        return None
    target = found.available.option(course_id)
    if target and not option.courses:  # more courses than any path may hold
        return _PlacedClosure(state.after([target]).value - state.value, 0, 0, 0, within=False, proved=True)
    gain = state.after(option.courses).value - state.value
    score = score_of(gain, sum(one.cost for one in option.courses))
    return _PlacedClosure(
        gain, option.hours, score, max(state.hours, 0), 0 < len(option.courses) <= state.steps, option.proved
    )


def _answer(
    course: Course, cause: Cause, missing: MissingHours | None = None, confidence: float | None = None
) -> WhyNot:
    hours, at_most = (missing.hours, not missing.proved) if missing else (None, False)
    return WhyNot(course.id, cause, UNRENDERED, hours=hours, at_most=at_most, confidence=confidence)


def similar_courses(course_id: str, view: View, limit: int = 10, without: Collection[str] = ()) -> list[Similar]:
    """Return the `limit` most similar courses, by the cosine of the levels that they teach; equally similar ones by id.

    Omits the courses in `without` and those that share no skill. Raises NotFound if there is no such course.
    """
    if (course := view.course(course_id)) is None:
        raise NotFound("no such course")
    wanted = {
        VOCABULARY.skills[key]: high - low
        for key, (low, high) in course_spec(course).teaches.items()
        if key in VOCABULARY.skills
    }
    scores: list[tuple[float, str]] = []
    base, delta = view.catalog.base, view.catalog.delta
    for number, score in _alike(view, wanted):
        name = base.ids[number] if number < base.segment.size else delta[1][number - base.segment.size]
        deleted = number < base.segment.size and name in view.catalog.overlay
        if score > 0 and name != course_id and name not in without and not deleted:
            scores.append((-score, name))
    found = []
    for score, name in sorted(scores)[:limit]:
        if other := view.course(name):
            found.append(Similar(card_of(other), -score))
    return found


def _alike(view: View, wanted: dict[int, float]) -> list[tuple[int, float]]:
    """Return (number, cosine) of every course that teaches any of the wanted skills, cosines to six places."""
    found: list[tuple[int, float]] = []
    before = 0
    length = sum(size * size for size in wanted.values()) ** 0.5
    for segment in (view.catalog.base.segment, view.catalog.delta[0]):
        lists = [segment.taught(skill)["course"] for skill in wanted]
        numbers = np.unique(np.concatenate(lists)) if lists else np.zeros(0, np.int32)
        for number in numbers.tolist():
            rows = segment.rows[segment.info["row"][number] : segment.info["row"][number + 1]]
            gains = (rows["high"] - rows["low"]) / MICRO
            dot = sum(wanted.get(int(skill), 0.0) * gain for skill, gain in zip(rows["skill"], gains, strict=True))
            both = length * float(np.sqrt((gains * gains).sum()))
            found.append((before + number, round(float(dot) / both, 6) if both else 0.0))
        before += segment.size
    return found


def path_diff(before: LearningPath, after: LearningPath) -> Changes:
    """Return the differences of two paths. `moved`: the courses of both paths outside a longest common subsequence."""
    old = [step.course.id for step in before.steps]
    new = [step.course.id for step in after.steps]
    stayed = _shared_run(old, new)
    return Changes(
        added=[step.course for step in after.steps if step.course.id not in old],
        removed=[step.course for step in before.steps if step.course.id not in new],
        moved=[name for name in new if name in old and name not in stayed],
        hours=round(after.hours - before.hours, 6),
        coverage=round(after.coverage.after - before.coverage.after, 6),
    )


def _shared_run(old: Sequence[str], new: Sequence[str]) -> set[str]:
    """Return a longest common subsequence of the courses; the page's `changes` finds the same."""
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            same = old[i] == new[j]
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if same else max(lengths[i + 1][j], lengths[i][j + 1])
    run, i, j = set[str](), 0, 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            run.add(old[i])
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return run
