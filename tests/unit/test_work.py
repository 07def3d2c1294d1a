"""The work of one request is bounded: what is counted, where it ends, how it is shown. Nothing looks at a clock."""

import math
import random
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from services.recommender.inputs import MOST_STEPS, Estimate, Inputs
from services.recommender.plan_validator.validate import validate
from services.recommender.planner import pipeline
from services.recommender.planner.index.catalog import View
from services.recommender.planner.optimizer import solve as solution
from services.recommender.planner.optimizer.search import search
from services.recommender.planner.optimizer.solve import MAX_VISITS, TRACE_VISITS
from services.recommender.planner.optimizer.state import SLOT_BOUND_DTYPE
from services.recommender.planner.optimizer.trace import trace_path
from services.recommender.planner.units import UNLIMITED
from services.recommender.rules import Rule
from shared.domain import Course, Framework
from shared.paths import LearningPath
from tests.support.builders import after, catalog, course, framework, inputs, view_of
from tests.support.plain import plain_value_bound
from tests.support.words import sentences, why_not_sentences

LIMIT_TH, LIMIT_EN = "การค้นหาถึงขีดจำกัดแล้ว", "The search reached its limit"


def chain(length: int) -> tuple[list[Course], Framework]:
    """Return courses that each need the previous one and teach a skill of their own, all of them required."""
    names = [f"k{n:04}" for n in range(length)]
    courses = [
        course(name, (f"s{n:04}", 0, 3), hours=1 + n % 3, requires=[after(names[n - 1])] if n else [])
        for n, name in enumerate(names)
    ]
    return courses, framework({f"s{n:04}": 3 for n in range(length)})


def wide(count: int, skills: int) -> tuple[list[Course], Framework]:
    """Return generated courses, and a framework that requires all of their skills."""
    return catalog(count, skills, seed=1), framework({f"s{n:02}": 4 for n in range(skills)})


PREFER = [Rule("provider", ["About provider"], 1.5), Rule("language", ["th"], 2.0)]


def from_nothing(yardstick: Framework, rules: list[Rule] | None = None) -> Inputs:
    """Return the inputs of an officer who holds nothing of all that is required."""
    levels = {skill.id: Estimate(0, 0.3) for skill in yardstick.skills}
    return msgspec.structs.replace(inputs(yardstick), levels=levels, rules=rules or [])


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list of how many visits each search and, after all searches, the tracing of the path took."""
    found: list[int] = []

    def searched(problem, seeded, bench, exponents):  # type: ignore[no-untyped-def]
        before = int(bench.counters["visits_left"][0])
        result = search(problem, seeded, bench, exponents)
        found.append(before - int(bench.counters["visits_left"][0]))
        return result

    def traced(one, *more):  # type: ignore[no-untyped-def]
        before = int(one.workspace.counters["visits_left"][0])
        result = trace_path(one, *more)
        found.append(before - int(one.workspace.counters["visits_left"][0]))
        return result

    monkeypatch.setattr(solution, "search", searched)
    monkeypatch.setattr(pipeline, "trace_path", traced)
    return found


def path_of(plan: Inputs, view: View) -> LearningPath:
    path = pipeline.recommend(plan, view)
    assert validate(path, plan, view.course) == []
    return path


def is_limited(path: LearningPath) -> bool:
    assert (LIMIT_TH in sentences(path).th) == (LIMIT_EN in sentences(path).en)
    return LIMIT_EN in sentences(path).en


@pytest.mark.parametrize(
    ("world", "rules"),
    [
        (chain(300), []),
        (chain(300), PREFER),
        (chain(1000), []),
        (wide(2400, 99), []),
        (wide(2400, 99), PREFER),
    ],
    ids=["chain", "chain, preferences", "long chain", "everything", "everything, preferences"],
)
def test_a_plan_that_reaches_the_work_limit_returns_the_best_path_and_reports_it(
    world: tuple[list[Course], Framework], rules: list[Rule], spent: list[int]
) -> None:
    courses, yardstick = world
    path = path_of(from_nothing(yardstick, rules), view_of(courses))
    assert is_limited(path)
    assert 0 < len(path.steps) <= MOST_STEPS
    assert path.coverage.gained > 0
    # Over the limits by no more than a few walks through the path: without them a chain of 300 takes 200,000,000.
    walks = 5 * MOST_STEPS * max(MOST_STEPS, len(path.gaps))
    assert sum(spent[:-1]) < MAX_VISITS + walks
    assert spent[-1] < TRACE_VISITS + walks
    assert len(spent) == (3 if rules else 2)


def test_a_long_chain_is_planned_up_to_the_maximum_length() -> None:
    courses, yardstick = chain(MOST_STEPS + 50)
    path = path_of(from_nothing(yardstick), view_of(courses))
    assert [step.course.id for step in path.steps] == [one.id for one in courses[:MOST_STEPS]]
    assert {gap.cause for gap in path.open} == {"budget"}
    assert all("would hold more courses than it may" in sentences(path, gap).en for gap in path.open)


@pytest.mark.parametrize("budget", [None, 20.0, 60.0])
def test_an_ordinary_plan_is_the_same_without_any_limit(monkeypatch: pytest.MonkeyPatch, budget: float | None) -> None:
    courses, yardstick = wide(2400, 12)
    plan, view = msgspec.structs.replace(from_nothing(yardstick, PREFER), budget_hours=budget), view_of(courses)
    path = path_of(plan, view)
    assert not is_limited(path)
    monkeypatch.setattr(solution, "MAX_VISITS", UNLIMITED)
    monkeypatch.setattr(solution, "TRACE_VISITS", UNLIMITED)
    assert path_of(plan, view) == path


@pytest.mark.parametrize("visits", [0, 1, 100, 1_000, 10_000, 100_000])
def test_the_path_is_feasible_at_any_work_limit(monkeypatch: pytest.MonkeyPatch, visits: int) -> None:
    courses, yardstick = wide(400, 20)
    plan, view = from_nothing(yardstick, PREFER), view_of(courses)
    monkeypatch.setattr(solution, "MAX_VISITS", visits)
    monkeypatch.setattr(solution, "TRACE_VISITS", visits)
    path = path_of(plan, view)
    assert is_limited(path)
    again = path_of(msgspec.structs.replace(plan, previous=[step.course.id for step in path.steps][::-1]), view)
    assert again.coverage.gained >= 0


def test_a_mandatory_course_with_too_many_prerequisites_is_noted_and_the_rest_is_planned() -> None:
    courses, yardstick = chain(MOST_STEPS + 50)
    plan = msgspec.structs.replace(from_nothing(yardstick), mandatory=[courses[-1].id, courses[9].id])
    path = path_of(plan, view_of(courses))
    assert [(note.course, note.kind) for note in path.notes] == [(courses[-1].id, "does_not_fit")]
    assert "would hold more courses than it may" in sentences(path, path.notes[0]).en
    assert [step.course.id for step in path.steps][:10] == [one.id for one in courses[:10]]
    assert len(path.steps) <= MOST_STEPS


def test_many_started_courses_stay_first() -> None:
    courses = [course(f"k{n:04}", ("a", 0, 1)) for n in range(MOST_STEPS + 5)]
    plan = inputs(framework({"a": 1, "b": 1}), {"a": 0, "b": 0}, started=[one.id for one in courses])
    path = path_of(plan, view_of([*courses, course("b", ("b", 0, 1))]))
    assert [step.course.id for step in path.steps] == [one.id for one in courses]
    assert [(gap.skill, gap.cause) for gap in path.open] == [("b", "budget")]


def test_questions_about_a_path_at_its_limit_are_answered() -> None:
    courses, yardstick = chain(MOST_STEPS + 50)
    plan, view = from_nothing(yardstick), view_of(courses)
    path = pipeline.recommend(plan, view)  # a test above has such a path validated
    found = pipeline.why_not(plan, view, path, courses[-1].id)
    assert (found.cause, found.hours) == ("does_not_fit", None)
    assert "would hold more courses than it may" in why_not_sentences(found).en


class Counted:
    """Rows of an array; counts how many are looked up."""

    def __init__(self, rows: Any) -> None:
        self.rows, self.count = rows, 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> Any:
        self.count += 1
        return self.rows[place]


def bounded(hours: list[int], gains: list[int], budget: int) -> tuple[int, int]:
    """Return the bound of courses with a skill each, and how many rows of skills are looked up for it."""
    size = len(hours)
    courses = np.zeros(size + 1, [("hours", np.int64), ("effect", np.int64)])
    courses["hours"][:size], courses["effect"] = hours, range(size + 1)
    effects = np.zeros(size, [("slot", np.int64), ("value", np.int64)])
    effects["slot"], effects["value"] = range(size), gains
    targets = np.zeros(size, [("course", np.int64)])
    targets["course"] = range(size)
    left = np.zeros(1, [("hours", np.int64)])
    left["hours"] = budget
    slots = Counted(np.zeros(size, SLOT_BOUND_DTYPE))
    found = plain_value_bound(
        SimpleNamespace(courses=courses, effects=effects),
        SimpleNamespace(held=np.zeros(size, np.int64), left=left),
        SimpleNamespace(slot_bounds=slots),
        targets,
    )
    return found, slots.count


def test_the_bound_of_a_path_takes_the_fastest_gains_first() -> None:
    draw = random.Random(1)  # noqa: S311 - no secret
    hours, gains = ([draw.choice([1, 2, 3, 4]) for _ in range(60)] for _ in range(2))
    expected, left = 0.0, 70.0
    for gain, needed in sorted(zip(gains, hours, strict=True), key=lambda row: row[1] / row[0]):
        taken = min(1.0, left / needed)
        expected, left = expected + gain * taken, left - needed * taken
    assert math.floor(expected) <= bounded(hours, gains, 70)[0] <= math.ceil(expected) + 1


def test_the_bound_of_a_path_does_not_look_up_every_skill_for_every_skill() -> None:
    draw = random.Random(2)  # noqa: S311 - no secret
    for size in (100, 800):
        hours, gains = ([draw.randrange(1, 9) for _ in range(size)] for _ in range(2))
        assert bounded(hours, gains, 10 * size)[1] < 20 * size * math.log2(size)
