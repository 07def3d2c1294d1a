"""Questions about a plan: why a course is not in it, which courses are alike, what changed between two paths."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from services.recommender.model import MICRO, Inputs
from services.recommender.ranking.bundles import assemble
from services.recommender.ranking.index import View
from services.recommender.ranking.ledger import card_of
from services.recommender.ranking.names import NAMES
from services.recommender.ranking.notices import why_not_reason
from services.recommender.ranking.obstacles import why_barred
from services.recommender.ranking.offers import offer_of
from services.recommender.ranking.outcome import Planned, way_of
from services.recommender.ranking.pricing import (
    ALL_COST,
    ALL_HOURS,
    COUNT,
    GAIN,
    study_on,
)
from services.recommender.ranking.problem import HOURS_LEFT, PRICES, STEPS_LEFT
from services.recommender.ranking.reach import FAR, score_of
from services.recommender.ranking.segments import HIGH, LOW, ROW, Longs
from services.recommender.ranking.solution import planned
from shared.errors import NotFound
from shared.paths import Changes, LearningPath, Similar, WhyNot
from shared.paths import WhyNotCause as Cause
from shared.skills import Course


def why_not(inputs: Inputs, view: View, path: LearningPath, course_id: str) -> WhyNot:
    """Return why a course is not in a path: its bundle, replayed at the step where it is worth most.

    `inputs` and `view` are those of the path. Raises NotFound where there is no such course.
    """
    course = view.course(course_id)
    if course is None:
        raise NotFound("no such course")
    if course_id in {step.course.id for step in path.steps}:
        return _answer(course, "in_path")
    if course_id in inputs.done:
        return _answer(course, "completed")
    if barred := why_barred(inputs, course):
        return _answer(course, barred)
    if path.status in ("refused", "waiting_for_framework"):
        return _answer(course, "no_path")
    found = planned(inputs, view, also=(course_id,))
    return _replayed(found, path, course)


def _replayed(found: Planned, path: LearningPath, course: Course) -> WhyNot:
    """Return the answer of the best of all places where the bundle could have stood."""
    goal = way_of(found.field, found.problem, course.id)
    bids = [_bid(found, now, goal) for now in _standings(found, path)] if goal >= 0 else []
    fitting = [(bid, place) for place, bid in enumerate(bids) if bid and bid.gain > 0 and not bid.missing]
    if fitting:
        bid, place = max(fitting, key=lambda item: (item[0].score, -item[1]))
        taken = path.steps[place].score if place < len(path.steps) else 0.0
        cause: Cause = "as_a_whole" if bid.score > taken > 0 else "worth_less"
        hours = bid.hours / MICRO
        reason = why_not_reason(cause, step=place + 1, score=bid.score, taken=taken, hours=hours)
        return WhyNot(course.id, cause, reason, place + 1, bid.gain, hours, float(bid.score), taken)
    if missing := [bid.missing for bid in bids if bid and bid.gain > 0]:
        short = min(missing)
        return _answer(course, "does_not_fit", 0.0 if short == _CROWDED else short / MICRO)
    return _answer(course, "nothing_left" if any(bids) else "unreachable")


_CROWDED = 1
"""Micro-hours by which a bundle does not fit where hours are not what is missing: it has too many courses."""


class _Bid(NamedTuple):
    """A bundle at one place: what it gains, takes and scores, and by how many micro-hours it does not fit."""

    gain: int
    hours: int
    score: int
    missing: int


def _bid(found: Planned, now: Longs, goal: int) -> _Bid | None:
    """Return the bid of a course; None where it is out of reach or taken."""
    if now[found.problem.at[PRICES] + goal] >= FAR:
        return None
    assemble(found.problem, now, found.bench, goal)
    figures = found.bench.figures
    hours, gain = int(figures[ALL_HOURS]), int(figures[GAIN])
    crowded = _CROWDED * int(figures[COUNT] > now[STEPS_LEFT])
    missing = max(hours - int(now[HOURS_LEFT]), 0) or crowded
    return _Bid(gain, hours, int(score_of(gain, int(figures[ALL_COST]), 1.0)), missing)


def _standings(found: Planned, path: LearningPath) -> Iterator[Longs]:
    """Yield the standing before every step of a path, and after the last."""
    now = found.before.copy()
    yield now
    for step in path.steps:
        way = way_of(found.field, found.problem, step.course.id)
        if way < 0:
            return
        study_on(found.problem, now, found.bench, np.array([way]))
        yield now


def no_path(course_id: str) -> WhyNot:
    """Return why a course is not in a path where none could be given."""
    return WhyNot(course_id, "no_path", why_not_reason("no_path"))


def _answer(course: Course, cause: Cause, hours: float = 0.0) -> WhyNot:
    return WhyNot(course.id, cause, why_not_reason(cause, hours=round(hours, 2)), hours=hours or None)


def similar(course_id: str, view: View, limit: int = 10, without: Collection[str] = ()) -> list[Similar]:
    """Return the courses that teach most alike, by the cosine of the levels that they gain; equals by id.

    None of those `without`, and none that has no skill in common. Raises NotFound where there is no such course.
    """
    if (course := view.course(course_id)) is None:
        raise NotFound("no such course")
    wanted = {
        NAMES.skills[key]: high - low for key, (low, high) in offer_of(course).teaches.items() if key in NAMES.skills
    }
    scores: list[tuple[float, str]] = []
    base, near = view.shelf.base, view.shelf.near
    for number, score in _alike(view, wanted):
        name = base.ids[number] if number < base.segment.size else near[1][number - base.segment.size]
        hidden = number < base.segment.size and name in view.shelf.beside
        if score > 0 and name != course_id and name not in without and not hidden:
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
    for segment in (view.shelf.base.segment, view.shelf.near[0]):
        lists = [segment.taught(skill)[:, 0] for skill in wanted]
        numbers = np.unique(np.concatenate(lists)) if lists else np.zeros(0, np.int32)
        for number in numbers.tolist():
            rows = segment.rows[segment.info[number, ROW] : segment.info[number + 1, ROW]]
            gains = (rows[:, HIGH] - rows[:, LOW]) / MICRO
            dot = sum(wanted.get(int(skill), 0.0) * gain for skill, gain in zip(rows[:, 0], gains, strict=True))
            both = length * float(np.sqrt((gains * gains).sum()))
            found.append((before + number, round(float(dot) / both, 6) if both else 0.0))
        before += segment.size
    return found


def changes(before: LearningPath, after: LearningPath) -> Changes:
    """Return what differs between two paths. `moved`: courses of both outside a longest run that both orders share."""
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
    """Return a longest sequence of courses that stand in this order in both; the page's `changes.js` finds the same."""
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
