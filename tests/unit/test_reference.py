"""The compiled planner gives the same bytes as the readable rule in plain Python."""

import subprocess
import sys
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.recommender.inputs import Inputs
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.index.catalog import View
from services.recommender.planner.optimizer import search
from services.recommender.planner.optimizer.solve import solve
from services.recommender.planner.pipeline import recommend
from services.recommender.reference import rule as reference
from services.recommender.rules import Rule
from shared.domain import Course, Prerequisite
from shared.errors import InvalidInput
from tests.evaluation import real
from tests.evaluation.generate import course_id
from tests.evaluation.quality import BUDGETS, DRAWN
from tests.evaluation.shapes import shaped
from tests.evaluation.worlds import HOURS, World, generated
from tests.support.builders import after, at, course, framework, inputs, view_of
from tests.support.random_plans import differences, entangled, officers, published

pytestmark = pytest.mark.timeout(900)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    officers(),
    st.builds(entangled, st.sampled_from([0, 4, 15, 25, 25]), st.sampled_from([3, 8]), st.integers(0, 10_000)),
    st.integers(0, 2),
)
def test_planner_and_readable_rule_give_the_same_bytes_in_a_small_world(
    plan: Inputs, courses: list[Course], left_out: int
) -> None:
    view = view_of(courses)
    try:
        before = [step.course.id for step in recommend(plan, view).steps]
    except InvalidInput:  # mandatory, and excluded by a rule
        with pytest.raises(InvalidInput):
            reference.recommend(plan, courses, 1)
        return
    assert differences(plan, view, courses) is None
    again = msgspec.structs.replace(plan, previous=before[left_out:])
    assert differences(again, view, courses) is None


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    officers(),
    st.builds(entangled, st.sampled_from([4, 15, 25]), st.sampled_from([3, 8]), st.integers(0, 10_000)),
    st.sampled_from([0, 1, 2, 3]),
)
def test_planner_and_readable_rule_give_the_same_bytes_for_short_paths(
    plan: Inputs, courses: list[Course], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (
            "inputs",
            "plan_validator.validate",
            "planner.exact.residual",
            "planner.optimizer.fixed_courses",
            "planner.optimizer.solve",
            "reference.rule",
        ):
            patch.setattr(f"services.recommender.{module}.MOST_STEPS", most)
        view = view_of(courses)
        try:
            path = recommend(plan, view)
        except InvalidInput:  # mandatory, and excluded by a rule
            return
        assert validate(path, plan, view.course) == []
        assert differences(plan, view, courses) is None


SKILLS = framework({"a": 3, "b": 1}, others=["x", "y"])
SPARE = [
    course("x1", ("x", 0, 1), hours=1),
    course("xy", ("x", 0, 2), ("y", 0, 1), hours=2),
    course("goal", ("a", 0, 3), requires=[at("x", 1), at("y", 1)]),
]
"""`x1` meets the prerequisite at the least price, and is not needed once `xy` is there: the path has its own order."""

DEAR = [course("long", ("a", 0, 1), hours=9), course("short", ("a", 0, 3), ("b", 0, 1), hours=5)]
TWICE = [
    course("p", ("x", 0, 1), hours=6),
    course("q", ("x", 0, 1), hours=10),
    course("goal", ("a", 0, 3), requires=[Prerequisite(any=[Prerequisite(all=[after("p"), after("p")]), after("q")])]),
]
"""`p` is required twice in one branch, and costs its hours once."""

PARTS = [
    course("one", ("a", 0, 1), hours=4),
    course("other", ("b", 0, 1), hours=4),
    course("whole", ("a", 0, 3), ("b", 0, 1), hours=8),
]


@pytest.mark.parametrize(
    ("wishes", "courses", "found"),
    [
        ({}, SPARE, ["xy", "goal"]),
        ({}, TWICE, ["p", "goal"]),
        ({}, [course("twin2", ("a", 0, 3)), course("twin1", ("a", 0, 3))], ["twin1"]),
        ({"cost_multipliers": {"whole": 2.0}, "budget_hours": 8}, PARTS, ["whole"]),
        (
            {"cost_multipliers": {"whole": 1000.0}, "budget_hours": 8},
            PARTS,
            ["whole"],
        ),  # the preference would leave too little
        ({"rules": [Rule("course", ["one", "other"], 1000.0)], "budget_hours": 8}, PARTS, ["whole"]),
        ({"pinned": ["long"], "budget_hours": 6}, DEAR, ["short"]),
        ({"pinned": ["long"], "max_steps": 0}, DEAR, []),
        ({"previous": ["long"]}, DEAR, ["short"]),
        ({"previous": ["before"]}, [course("before", ("a", 0, 2.6)), course("now", ("a", 0, 3))], ["now"]),
        ({"previous": ["before"]}, [course("before", ("a", 0, 2.7)), course("now", ("a", 0, 3))], ["before"]),
        ({"previous": ["long", "short"], "finishing": True}, DEAR, ["short"]),
        ({"previous": ["long"], "finishing": True}, DEAR, ["long"]),
        ({"previous": ["long", "gone"], "finishing": True}, DEAR, ["short"]),
        ({"previous": [], "finishing": True}, DEAR, []),
        ({"previous": ["short"]}, [*DEAR, course("new", ("a", 0, 3), ("b", 0, 1), hours=4)], ["short"]),
    ],
)
def test_planner_and_readable_rule_give_the_known_answer(
    wishes: dict[str, Any], courses: list[Course], found: list[str]
) -> None:
    plan = inputs(SKILLS, {"a": 0, "b": 0}, **wishes)
    assert [step.course.id for step in reference.recommend(plan, courses, 1).steps] == found
    assert differences(plan, view_of(courses), published(courses)) is None


def drawn(world: World, count: int) -> list[Inputs]:
    chance = np.random.default_rng(11)
    return [world.officer(chance, HOURS) for _ in range(count)]


def test_planner_and_readable_rule_give_the_same_bytes_and_candidates_in_a_generated_world(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[reference.Plan] = []

    class Noted(reference.Plan):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            made.append(self)

    monkeypatch.setattr(reference, "Plan", Noted)
    world = generated(1000, 200, 3)
    view = world.view()
    first, second = drawn(world, 2)
    before = [step.course.id for step in recommend(second, view).steps]
    changed = msgspec.structs.replace(
        second,
        completed=[],
        previous=before[1:],
        started=before[2:3],
        pinned=[course_id(7)],
        cost_multipliers=dict.fromkeys(before[3:5], 1.5),
        excluded=before[:1],
    )
    for plan in (first, changed):
        made.clear()
        assert differences(plan, view, world.courses) is None
        assert candidates(plan, view) == set(made[0].problem.courses)


def candidates(plan: Inputs, view: View) -> set[str]:
    """Return the ids of the courses that the planner selects for an officer."""
    found = solve(plan, view)
    numbers = found.search.problem.courses["number"][:-1].tolist()
    return {found.context.space.course_id(number) for number in numbers}


def test_a_beam_search_finds_a_better_path_where_courses_raise_several_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    number = 1068
    world = shaped("many skills", number)
    plan, view = world.officer(np.random.default_rng([number, 40]), 40.0), world.view()
    assert differences(plan, view, world.courses) is None
    found = recommend(plan, view).coverage.gained
    monkeypatch.setattr(search, "BEAM_GAPS", 100)
    assert recommend(plan, view).coverage.gained < found


@pytest.mark.parametrize(("name", "number"), [("gateways", 14), ("few courses", 14)])
def test_planner_and_readable_rule_give_the_same_bytes_where_gateways_open_many_courses(name: str, number: int) -> None:
    world = DRAWN[name](number)
    plan = world.officer(np.random.default_rng([number, 40]), BUDGETS[number % len(BUDGETS)])
    assert differences(plan, world.view(), world.courses) is None


def test_a_withdrawn_started_course_satisfies_no_condition() -> None:
    either = Prerequisite(any=[after("gone"), at("x", 1)])
    courses = [course("goal", ("a", 0, 2), requires=[either]), course("x", ("x", 0, 1), hours=3)]
    plan = inputs(framework({"a": 2}, others=["x"]), {"a": 0}, started=["gone"])
    assert differences(plan, view_of(courses), published(courses)) is None


@pytest.mark.skipif(real.folder() is None, reason="DATASETS_DIR is not set")
def test_planner_and_readable_rule_give_the_same_bytes_for_real_courses() -> None:
    world = real.real_courses()
    view = world.view()
    for plan in drawn(world, 3):
        assert differences(plan, view, world.courses) is None


WITHOUT_ARRAYS = """
import sys
sys.modules.update(numpy=None, numba=None)  # an import of either raises ImportError
import msgspec
from services.recommender.inputs import Inputs
from services.recommender.reference import recommend
from shared.domain import Course
plan, courses, revision = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[Inputs, list[Course], int])
sys.stdout.buffer.write(msgspec.json.encode(recommend(plan, courses, revision)))
"""


def test_the_readable_rule_gives_the_same_bytes_where_neither_numpy_nor_numba_is_installed() -> None:
    courses, required = entangled(25, 8, 3), framework({f"s{number:02}": 3 for number in range(8)})
    plan = inputs(required, {"s00": 0, "s01": 1, "s02": 0.5}, pinned=[courses[4].id])
    plan = msgspec.json.decode(msgspec.json.encode(plan), type=Inputs)
    path = recommend(plan, view_of(courses))
    assert path.steps
    given = msgspec.json.encode((plan, courses, path.versions.catalog))
    ran = subprocess.run([sys.executable, "-c", WITHOUT_ARRAYS], input=given, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout == msgspec.json.encode(path)
