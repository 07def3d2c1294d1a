"""Levels, weights and hours as they come in: kept to the millionth, capped at the scale, compared within one owner."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.assessment.model import Result, SubmitAssessment
from services.assessment.scoring import check as check_assessment
from services.catalog.model import FrameworkScale, check_course
from services.recommender.inputs import Estimate, PlanRequest, inputs_for
from services.recommender.plan_pool import plan_stateless, solve
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.index.catalog import Snapshot, View
from services.recommender.planner.pipeline import recommend
from services.recommender.reference import rule as reference
from shared.domain import SHARED_TENANT, Course, Framework, Prerequisite, Requirement, ScaleLevel, SkillLevel, Teaches
from shared.paths import LearningPath
from tests.support.builders import DAY, FRAMEWORK, MOMENT, TENANT, at, course, framework, inputs, profile, text, view_of

NOISY = 0.7 * 3
"""2.0999999999999996."""


def names(path: LearningPath) -> list[str]:
    return [step.course.id for step in path.steps]


def scaled(*levels: float, required: float) -> Framework:
    """Return a framework of one skill with this scale."""
    scale = [ScaleLevel(level, text(f"{level}")) for level in levels]
    return msgspec.structs.replace(framework({"a": required}), scale=scale)


@pytest.mark.parametrize(
    ("build", "rounded"),
    [
        (lambda: Teaches(FRAMEWORK, "a", 0, NOISY).to_level, 2.1),
        (lambda: msgspec.convert({"framework": "f", "skill": "a", "from": NOISY, "to": 3}, Teaches).from_level, 2.1),
        (lambda: Prerequisite(framework=FRAMEWORK, skill="a", level=NOISY).level, 2.1),
        (lambda: Requirement("g", "a", NOISY).level, 2.1),
        (lambda: Requirement("g", "a", 2, weight=1e-9).weight, 1e-6),
        (lambda: ScaleLevel(NOISY, text("x")).level, 2.1),
        (lambda: SkillLevel(FRAMEWORK, "a", NOISY, 0.1 * 3, MOMENT).sd, 0.3),
        (lambda: course("c", ("a", 0, 1), hours=1e-9).hours, 1e-6),
        (lambda: course("c", ("a", 0, 1), hours=0.1 + 0.2).hours, 0.3),
        (lambda: msgspec.structs.replace(profile(), weekly_hours=0.1 + 0.2).weekly_hours, 0.3),
        (lambda: Result("a", NOISY).level, 2.1),
        (lambda: Estimate(NOISY, 0.1 * 3).level, 2.1),
        (lambda: inputs(framework({"a": 3}), target={"a": NOISY}).target, {"a": 2.1}),
        (lambda: inputs(framework({"a": 3}), budget_hours=0.1 + 0.2).budget_hours, 0.3),
    ],
)
def test_numbers_are_rounded_to_the_millionth_at_every_entry(build: Callable[[], Any], rounded: object) -> None:
    assert build() == rounded


@pytest.mark.parametrize(
    ("low", "high", "rounded"),
    [(NOISY, 2.1000000000000005, (2.099999, 2.1)), (0, 1e-9, (0, 1e-6)), (99.9999999, 100, (99.999999, 100))],
)
def test_a_course_whose_levels_are_less_than_a_millionth_apart_teaches_a_millionth(
    low: float, high: float, rounded: tuple[float, float]
) -> None:
    # Such courses were stored before levels were kept to the millionth.
    row = msgspec.convert({"framework": "f", "skill": "a", "from": low, "to": high}, Teaches)
    assert (row.from_level, row.to_level) == rounded
    assert msgspec.json.decode(msgspec.json.encode(row), type=Teaches) == row


def test_of_two_equally_near_millionths_the_even_one_is_kept() -> None:
    assert [ScaleLevel(level, text("x")).level for level in (0.0000005, 0.0000015)] == [0, 0.000002]


@pytest.mark.parametrize(
    "build",
    [
        lambda: Teaches(FRAMEWORK, "a", -0.0, 1).from_level,
        lambda: Requirement("g", "a", -0.0).level,
        lambda: ScaleLevel(-0.0, text("x")).level,
        lambda: msgspec.json.decode(b'{"level":-0.0,"skill":"a"}', type=Result).level,
        lambda: SkillLevel(FRAMEWORK, "a", -1e-9, -0.0, MOMENT).level,
        lambda: Estimate(-0.0, 0.3).level,
        lambda: Estimate(1, -0.0).sd,
        lambda: (inputs(framework({"a": 3}), target={"a": -0.0}).target or {})["a"],
        lambda: inputs(framework({"a": 3}), budget_hours=-0.0).budget_hours,
    ],
)
def test_zero_has_no_sign(build: Callable[[], float]) -> None:
    assert str(build()) == "0.0"


def test_a_level_of_minus_zero_is_planned_like_zero() -> None:
    def planned(zero: float) -> bytes:
        courses = [course("one", ("a", zero, 2)), course("two", ("a", 2, 3))]
        plan = inputs(framework({"a": 3, "b": zero}), {"a": zero})
        return msgspec.json.encode(plan_stateless(plan, view_of(courses)))

    assert planned(-0.0) == planned(0.0)


def test_a_computed_level_satisfies_a_written_condition() -> None:
    courses = [course("one", ("a", 0, NOISY)), course("two", ("a", 2.1, 3))]
    plan = inputs(framework({"a": 3}), {"a": 0})
    assert names(plan_stateless(plan, view_of(courses))) == ["one", "two"]
    assert names(reference.recommend(plan, courses, 1)) == ["one", "two"]


def noisy(level: float) -> st.SearchStrategy[float]:
    return st.floats(-2e-7, 2e-7).map(lambda noise: max(level + noise, 0.0))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_differences_below_half_a_millionth_change_nothing(data: st.DataObject) -> None:
    def built(draw: Callable[[float], float]) -> tuple[Any, list[Course]]:
        rows = [(0.0, 1.1), (1.1, 2.3), (2.3, 3.0)]
        chain = [course(f"c{n}", ("a", draw(low), draw(high)), hours=draw(2.5)) for n, (low, high) in enumerate(rows)]
        goal = course("goal", ("b", 0, draw(1.7)), requires=[at("a", draw(2.3))], hours=draw(1.25))
        yardstick = framework({"a": draw(3.0), "b": draw(1.7)}, weights={"a": draw(1.3)})
        return inputs(yardstick, {"a": draw(0.3), "b": 0}, budget_hours=draw(8.75)), [*chain, goal]

    plan, courses = built(lambda level: data.draw(noisy(level)))
    exact = recommend(*_inputs_and_view(*built(lambda level: level)))
    found = recommend(*_inputs_and_view(plan, courses))
    assert validate(found, plan, view_of(courses).course) == []
    assert msgspec.json.encode(found) == msgspec.json.encode(exact)


def _inputs_and_view(plan: Any, courses: list[Course]) -> tuple[Any, View]:
    return plan, view_of(courses)


def test_a_level_above_the_top_by_rounding_noise_is_on_the_scale() -> None:
    top = scaled(0, 1, 2.1, required=2)
    body = SubmitAssessment(FRAMEWORK, "test", [Result("a", 2.1000000000000005)], MOMENT)
    check_assessment(body, top, MOMENT)
    check_course(
        course("c", ("a", 0, 2.1000000000000005)), {FRAMEWORK: FrameworkScale(top.max_level, frozenset("a"))}, []
    )


# --- a scale that is shorter now --------------------------------------------------------------------------------------


def test_an_officer_measured_above_the_scale_counts_as_its_top() -> None:
    shorter = scaled(0, 1, 2, 3, required=3)
    view = Snapshot().put_framework(SHARED_TENANT, shorter, 1).view(TENANT)
    found = solve(PlanRequest(profile(levels={"a": 4}), DAY), view)
    assert (found.path.status, found.violations) == ("ready", [])
    assert [(gap.level, gap.reached) for gap in found.path.gaps] == [(3, 3)]
    assert found.path.coverage.before == 1


def test_a_request_for_one_measured_above_the_scale_is_answered() -> None:
    courses = [course("next", ("b", 0, 2), requires=[at("a", 3)])]
    yardstick = msgspec.structs.replace(framework({"a": 3, "b": 2}), scale=scaled(0, 1, 2, 3, required=1).scale)
    path = plan_stateless(inputs(yardstick, {"a": 4, "b": 0}), view_of(courses))
    assert ([gap.level for gap in path.gaps], names(path)) == ([3, 0], ["next"])


def test_a_requirement_above_the_scale_counts_as_its_top() -> None:
    plan = inputs(scaled(0, 1, 2, 3, required=4), {"a": 0})
    path = plan_stateless(plan, view_of([course("top", ("a", 0, 3))]))
    assert ([gap.required for gap in path.gaps], path.open) == ([3], [])


def test_a_scale_that_begins_above_zero_allows_officers_below_it() -> None:
    courses = [course("first", ("a", 0, 1)), course("next", ("a", 1, 4))]
    plan = inputs(scaled(1, 2, 3, 4, 5, required=4), {"a": 0})
    assert names(plan_stateless(plan, view_of(courses))) == ["first", "next"]
    high = inputs(scaled(1, 2, 3, 4, 5, required=4), {"a": 9})
    assert [gap.level for gap in plan_stateless(high, view_of(courses)).gaps] == [5]


# --- whose version it is ----------------------------------------------------------------------------------------------


def versions(shared: int, own: int) -> View:
    """Return a view with the shared framework and the tenant's own in these versions, 0: not there."""
    snapshot = Snapshot()
    for owner, version in ((SHARED_TENANT, shared), (TENANT, own)):
        if version:
            snapshot = snapshot.put_framework(owner, framework({"a": 3}, version=version), 1)
    return snapshot.view(TENANT)


@pytest.mark.parametrize(
    ("owner", "version", "shared", "own", "found"),
    [
        (SHARED_TENANT, 2, 2, 0, 2),
        (SHARED_TENANT, 2, 1, 0, None),
        (SHARED_TENANT, 2, 2, 1, 1),  # the agency has put its own in the meantime
        (SHARED_TENANT, 2, 1, 1, 1),  # the shared one is late, and no longer the one to plan by
        (TENANT, 1, 5, 0, None),  # the agency's own is on its way
        (TENANT, 2, 5, 1, None),
        (TENANT, 2, 0, 2, 2),
        (None, 2, 2, 1, 1),
        (None, 2, 1, 1, None),
        (None, 1, 0, 0, None),
    ],
)
def test_versions_of_a_framework_are_compared_within_one_owner(
    owner: str | None, version: int, shared: int, own: int, found: int | None
) -> None:
    one = msgspec.structs.replace(profile(), framework_owner=owner, framework_version=version)
    arrived = versions(shared, own).arrived(one)
    assert (arrived.version if arrived else None) == found


def test_an_older_profile_event_reads_as_it_did() -> None:
    written = msgspec.json.encode(profile())
    assert b"framework_owner" not in written
    assert msgspec.json.decode(written, type=type(profile())).framework_owner is None
    inputs_for(PlanRequest(profile(), DAY), framework({"a": 3})).check()
