import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.recommender.inputs import Estimate, Inputs
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.index.catalog import Snapshot
from services.recommender.planner.pipeline import recommend, refused, waiting_for_framework
from shared.domain import Course, Prerequisite
from shared.paths import LearningPath
from tests.support.builders import DAY, TENANT, after, at, catalog, course, framework, inputs, profile, view_of
from tests.support.words import sentences


def ids(path: LearningPath) -> list[str]:
    return [step.course.id for step in path.steps]


def test_the_course_with_most_value_per_hour_comes_first_and_all_gaps_are_closed() -> None:
    courses = [
        course("slow", ("a", 0, 2), hours=8),
        course("fast", ("a", 0, 2), hours=2),
        course("b", ("b", 0, 1), hours=4),
    ]
    path = recommend(inputs(framework({"a": 2, "b": 1}), {"a": 0, "b": 0}), view_of(courses))
    assert ids(path) == ["fast", "b"]
    assert [step.score for step in path.steps] == [1_000_000, 250_000]
    assert [step.cumulative_hours for step in path.steps] == [2, 6]
    assert [other.course.id for other in path.steps[0].alternatives] == ["slow"]  # `b` is in the path itself
    assert (path.status, path.hours, path.open) == ("ready", 6, [])
    assert (path.coverage.before, path.coverage.after, path.coverage.gained) == (0, 1, 3_000_000)


def test_the_cost_of_a_course_includes_its_prerequisites() -> None:
    courses = [
        course("basic", ("x", 0, 1), hours=1),
        course("goal", ("a", 0, 3), hours=2, requires=[at("x", 1)]),
        course("plain", ("a", 0, 1), hours=2),
    ]
    path = recommend(inputs(framework({"a": 3}, others=["x"]), {"a": 0}), view_of(courses))
    assert ids(path) == ["basic", "goal"]
    assert [step.score for step in path.steps] == [1_000_000, 1_000_000]
    assert (path.steps[0].closes, path.steps[0].unlocks) == ([], ["goal"])
    assert [(row.from_level, row.to_level, row.contribution) for row in path.steps[1].closes] == [(0, 3, 3_000_000)]


def test_the_cheapest_branch_of_any_and_every_branch_of_all_are_planned() -> None:
    courses = [course(name, ("x", 0, 1), hours=hours) for name, hours in (("p", 5), ("q", 1), ("r", 2))]
    either = Prerequisite(any=[after("p"), Prerequisite(all=[after("q"), after("r")])])
    path = recommend(
        inputs(framework({"a": 1}, others=["x"]), {"a": 0}),
        view_of([*courses, course("goal", ("a", 0, 1), requires=[either])]),
    )
    assert ids(path) == ["q", "r", "goal"]
    dear = [course("r", ("x", 0, 1), hours=9), *courses[:2], course("goal", ("a", 0, 1), requires=[either])]
    assert ids(recommend(inputs(framework({"a": 1}, others=["x"]), {"a": 0}), view_of(dear))) == ["p", "goal"]


def test_a_branch_that_is_expensive_alone_is_planned_where_its_prerequisite_is_in_the_path() -> None:
    courses = [course("base", ("x", 0, 1), hours=6), course("d", ("d", 0, 1), hours=1, requires=[after("base")])]
    for goal in "abc":
        either = Prerequisite(any=[after(f"alone-{goal}"), after(f"next-{goal}")])
        courses += [
            course(f"alone-{goal}", ("x", 0, 1), hours=4),
            course(f"next-{goal}", ("x", 0, 1), hours=1, requires=[after("base")]),
            course(goal, (goal, 0, 1), hours=1, requires=[either]),
        ]
    plan = inputs(framework(dict.fromkeys("abcd", 1), others=["x"]), dict.fromkeys("abcd", 0), budget_hours=13)
    path = recommend(plan, view_of(courses))
    assert (path.hours, path.coverage.after) == (13, 1)
    assert {*ids(path)} == {"base", *"abcd", "next-a", "next-b", "next-c"}


def test_a_course_without_known_skills_is_planned_only_as_a_prerequisite() -> None:
    courses = [
        course("unknown", hours=1),
        course("stone", hours=1),
        course("goal", ("a", 0, 2), requires=[after("stone")]),
    ]
    path = recommend(inputs(framework({"a": 2}), {"a": 0}), view_of(courses))
    assert ids(path) == ["stone", "goal"]
    assert validate(path, inputs(framework({"a": 2}), {"a": 0}), {one.id: one for one in courses}.get) == []
    none = recommend(inputs(framework({"a": 2}), {"a": 0}), view_of(courses[:1]))
    assert (none.steps, sentences(none, none.open[0]).en) == (
        [],
        "No further course teaches “About a” above level 0 (2 required).",
    )


def test_a_completed_course_satisfies_conditions_and_is_not_suggested_again() -> None:
    courses = [course("first", ("a", 0, 1)), course("second", ("a", 0, 2), requires=[after("first")])]
    path = recommend(inputs(framework({"a": 2}), {"a": 0}, completed=["first"]), view_of(courses))
    assert ids(path) == ["second"]


def test_an_officer_below_from_takes_the_lower_course_first() -> None:
    courses = [
        course("high", ("a", 2, 3), hours=1),
        course("mid", ("a", 1, 2), hours=1),
        course("low", ("a", 0, 1), hours=1),
    ]
    assert ids(recommend(inputs(framework({"a": 3}), {"a": 0}), view_of(courses))) == ["low", "mid", "high"]
    assert ids(recommend(inputs(framework({"a": 3}), {"a": 1.5}), view_of(courses))) == ["mid", "high"]


@pytest.mark.parametrize(
    ("cause", "change", "courses"),
    [
        ("no_course", {}, []),
        ("budget", {"budget_hours": 1}, [course("a", ("a", 0, 2))]),
        ("budget", {"max_steps": 0}, [course("a", ("a", 0, 2))]),
        ("excluded", {"languages": ["th"]}, [course("a", ("a", 0, 2), languages=["en"])]),
        ("prerequisite", {}, [course("a", ("a", 0, 2), requires=[after("nowhere")])]),
        ("prerequisite", {}, [
            course("a", ("a", 0, 2), requires=[after("b")]), course("b", ("a", 0, 1), requires=[after("a")])]),
        ("prerequisite", {"languages": ["th"]}, [
            course("a", ("a", 0, 2), requires=[after("b")]), course("b", ("z", 0, 1), languages=["en"])]),
    ],
)  # fmt: skip
def test_an_open_gap_has_a_cause(cause: str, change: dict[str, Any], courses: list[Course]) -> None:
    plan = inputs(framework({"a": 2}), {"a": 0}, **change)
    path = recommend(plan, view_of(courses))
    assert (path.steps, [row.cause for row in path.open]) == ([], [cause])
    assert sentences(path, path.open[0]).th
    assert sentences(path).th
    assert not validate(path, plan, view_of(courses).course)


def test_an_officer_without_assessments_gets_a_provisional_path() -> None:
    path = recommend(inputs(framework({"a": 2})), view_of([course("a", ("a", 1, 2))]))
    assert (path.status, ids(path), path.gaps[0].assessed) == ("provisional", ["a"], False)


def test_an_officer_without_gaps_gets_no_steps_and_a_reason() -> None:
    path = recommend(inputs(framework({"a": 2}), {"a": 2}, sd=0.4), view_of([course("a", ("a", 1, 3))]))
    assert (path.status, path.steps, path.open, path.coverage.after) == ("ready", [], [], 1)
    assert sentences(path).en == "No gap: every required level is met."


def test_an_explicit_target_replaces_the_job_group() -> None:
    plan = Inputs(tenant=TENANT, framework=framework({"a": 1}, others=["b"]), as_of=DAY, target={"b": 2})
    path = recommend(plan, view_of([course("a", ("a", 0, 1)), course("b", ("b", 0, 2))]))
    assert (ids(path), [gap.skill for gap in path.gaps], path.job_group) == (["b"], ["b"], "")


def test_a_perfect_course_of_another_tenant_never_appears() -> None:
    snapshot = Snapshot().put_courses("shared", [course("fair", ("a", 0, 1))], 1)
    snapshot = snapshot.put_courses("theirs", [course("perfect", ("a", 0, 3), hours=0.1)], 2)
    path = recommend(inputs(framework({"a": 3}), {"a": 0}), snapshot.view(TENANT))
    assert ids(path) == ["fair"]
    assert not any(step.alternatives for step in path.steps)


def test_a_long_chain_and_a_self_prerequisite_are_handled() -> None:
    chain = [course(f"c{n:03}", ("x", 0, 1), requires=[after(f"c{n - 1:03}")] if n else []) for n in range(300)]
    goal = [
        course("goal", ("a", 0, 1), requires=[after("c299")]),
        course("self", ("a", 0, 1), requires=[after("self")]),
    ]
    path = recommend(inputs(framework({"a": 1}, others=["x"]), {"a": 0}), view_of(chain + goal))
    assert len(path.steps) == 301


def test_a_redundant_prerequisite_is_dropped_when_closures_are_joined() -> None:
    courses = [
        course("x1", ("x", 0, 1), hours=1),
        course("xy", ("x", 0, 2), ("y", 0, 1), hours=2),
        course("goal", ("a", 0, 1), requires=[at("x", 1), at("y", 1)]),
    ]
    assert ids(recommend(inputs(framework({"a": 1}, others=["x", "y"]), {"a": 0}), view_of(courses))) == ["xy", "goal"]


def test_paths_without_steps_have_a_reason() -> None:
    view = view_of([])
    waiting = waiting_for_framework(profile(), view.catalog_revision, DAY)
    assert (waiting.status, waiting.steps, waiting.versions.framework) == ("waiting_for_framework", [], "fw@1")
    no = refused(inputs(framework({"a": 1})), view.catalog_revision, "step 1: stands twice")
    assert no.status == "refused"
    assert "stands twice" in sentences(no).en
    assert sentences(waiting).th
    assert sentences(no).th


# --- properties over generated catalogs ----------------------------------------------------------------------------

LEVELS = st.dictionaries(st.sampled_from([f"s{n:02}" for n in range(8)]), st.sampled_from([0, 0.5, 1, 1.5, 2, 3]))
PLANS = st.builds(
    lambda levels, sd, budget, languages, steps, completed: inputs(
        framework({f"s{n:02}": 2 + n % 3 for n in range(6)}, weights={"s01": 2.5, "s02": 0.3}, others=["s06", "s07"]),
        levels, sd=sd, budget_hours=budget, languages=languages, max_steps=steps,
        completed=[f"c{n:05}" for n in completed],
    ),
    LEVELS,
    st.sampled_from([0, 0.4, 1]),
    st.sampled_from([None, 0, 7.5, 20, 60]),
    st.sampled_from([[], ["th"]]),
    st.sampled_from([None, None, 3]),
    st.lists(st.integers(0, 39), max_size=3),
)  # fmt: skip
CATALOGS = st.builds(catalog, st.integers(0, 40), st.just(8), st.integers(0, 10_000))
thorough = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@thorough
@given(PLANS, CATALOGS)
def test_every_path_passes_the_independent_validator(plan: Inputs, courses: list[Course]) -> None:
    view = view_of(courses)
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    assert len(set(ids(path))) == len(path.steps)
    assert all(step.closes or step.unlocks for step in path.steps)
    assert msgspec.json.decode(msgspec.json.encode(path), type=type(path)) == path


@thorough
@given(PLANS, CATALOGS, st.randoms(use_true_random=False))
def test_the_order_of_the_catalog_changes_no_byte(plan: Inputs, courses: list[Course], draw: random.Random) -> None:
    first = msgspec.json.encode(recommend(plan, view_of(courses)))
    draw.shuffle(courses)
    snapshot = Snapshot().put_courses("shared", [], 1)
    for one in courses:
        snapshot = snapshot.put_courses("shared", [one], 1)
    assert msgspec.json.encode(recommend(plan, snapshot.view(TENANT))) == first


@thorough
@given(st.floats(0, 3), st.floats(0.5, 2), st.floats(0, 1), st.floats(0.2, 3))
def test_a_larger_gap_gives_the_course_that_closes_it_more_value(
    level: float, further: float, sd: float, weight: float
) -> None:
    whole = course("it", ("a", 0, 5), ("b", 0, 1))
    yardstick = framework({"a": 5, "b": 1}, weights={"a": weight})
    near, far = (
        recommend(
            msgspec.structs.replace(inputs(yardstick, {"b": 0}), levels={"a": Estimate(held, sd), "b": Estimate(0, 0)}),
            view_of([whole]),
        )
        for held in (level + further, level)
    )
    assert ids(near) == ids(far) == ["it"]
    assert far.coverage.gained > near.coverage.gained
    assert far.coverage.gap > near.coverage.gap
    assert far.coverage.before < near.coverage.before
