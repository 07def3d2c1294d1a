from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.recommender.inputs import Estimate
from services.recommender.plan_validator.officer_state import OfficerState
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.pipeline import recommend, waiting_for_framework
from shared.domain import MatchedRow
from shared.paths import UNRENDERED, AssessFirst, CourseName, LearningPath, Note, UnlockCondition
from tests.support.builders import DAY, MOMENT, after, at, course, framework, inputs, profile, text, view_of

COURSES = [
    course("basic", ("x", 0, 1), hours=1),
    course("goal", ("a", 0, 3), hours=2, requires=[at("x", 1)]),
    course("low", ("b", 0, 1), hours=1.5),
    course("high", ("b", 1, 2), hours=2, requires=[after("low")]),
    course("foreign", ("b", 0, 2), hours=9, languages=["en"]),
]
VIEW = view_of(COURSES)
PLAN = inputs(framework({"a": 3, "b": 3}, others=["x"]), {"a": 0, "b": 0}, sd=0.4, budget_hours=8, languages=["th"])
PATH = recommend(PLAN, VIEW)


def nearest(course: CourseName) -> LearningPath:
    return replace(PATH, open=[replace(PATH.open[0], nearest=course)])


def with_step(number: int, **changes: Any) -> LearningPath:
    steps = list(PATH.steps)
    steps[number] = replace(steps[number], **changes)
    return replace(PATH, steps=steps)


def with_row(number: int, **changes: Any) -> LearningPath:
    return with_step(number, closes=[replace(PATH.steps[number].closes[0], **changes)])


def reordered(*order: int) -> LearningPath:
    hours, steps = 0.0, []
    for position, number in enumerate(order, 1):
        hours += PATH.steps[number].course.hours
        steps.append(replace(PATH.steps[number], position=position, cumulative_hours=hours))
    return replace(PATH, steps=steps, hours=hours)


def test_the_path_used_for_corruptions_is_valid() -> None:
    assert [step.course.id for step in PATH.steps] == ["basic", "goal", "low", "high"]
    assert validate(PATH, PLAN, VIEW.course) == []


CORRUPTIONS = {
    "order": reordered(1, 0, 2, 3),
    "course before its own prerequisite": reordered(0, 1, 3, 2),
    "a missing prerequisite": reordered(1, 2, 3),
    "a course twice": reordered(0, 0, 1, 2, 3),
    "a position": with_step(1, position=5),
    "an unknown course": with_step(0, course=replace(PATH.steps[0].course, id="nowhere")),
    "the hours of a course": with_step(0, course=replace(PATH.steps[0].course, hours=0.5)),
    "the title of a course": with_step(0, course=replace(PATH.steps[0].course, title=text("another"))),
    "what a course requires": with_step(1, requires=[]),
    "cumulative hours": with_step(2, cumulative_hours=99),
    "hours in all": replace(PATH, hours=1.0),
    "a level before": with_row(1, from_level=1.0),
    "a level after": with_row(1, to_level=2.0),
    "a requirement": with_row(1, required=2.0),
    "a weight": with_row(1, weight=9.0),
    "a contribution": with_row(1, contribution=PATH.steps[1].closes[0].contribution + 5),
    "a gap closed twice": with_step(1, closes=PATH.steps[1].closes * 2),
    "nothing closed": with_step(1, closes=[]),
    "the title of a gap closed": with_row(1, title=text("another")),
    "the level that a step opens": with_step(0, unlock_conditions={"goal": UnlockCondition("x", text("x"), 0.5)}),
    "the skill that a step opens": with_step(0, unlock_conditions={"goal": UnlockCondition("a", text("a"), 1.0)}),
    "the title of what a step opens": with_step(0, unlock_conditions={"goal": UnlockCondition("x", text("y"), 1.0)}),
    "a course to come first that need not": with_step(0, unlock_conditions={"goal": UnlockCondition()}),
    "a condition of a course that is not unlocked": with_step(0, unlock_conditions={"high": UnlockCondition()}),
    "a course to come next that does not raise the skill": nearest(CourseName("foreign", text("foreign"))),
    "a course to come next that nobody knows": nearest(CourseName("nowhere", text("nowhere"))),
    "a skill kept out that is not": replace(PATH, open=[replace(PATH.open[0], cause="excluded", exclusion="rule")]),
    "no way on where hours are missing": replace(PATH, open=[replace(PATH.open[0], cause="budget", hours=9.0)]),
    "an open gap concealed": replace(PATH, open=[]),
    "a level reached": replace(PATH, gaps=[replace(PATH.gaps[0], reached=2.0), *PATH.gaps[1:]]),
    "a gap concealed": replace(PATH, gaps=PATH.gaps[1:]),
    "what is gained": replace(PATH, coverage=replace(PATH.coverage, gained=1)),
    "what is expected": replace(PATH, coverage=replace(PATH.coverage, expected=PATH.coverage.gained)),
    "the whole gap": replace(PATH, coverage=replace(PATH.coverage, gap=PATH.coverage.gap + 100)),
    "coverage before": replace(PATH, coverage=replace(PATH.coverage, before=0.5)),
    "coverage after": replace(PATH, coverage=replace(PATH.coverage, after=1.0)),
    "the status": replace(PATH, status="provisional"),
    "the job group": replace(PATH, job_group="other"),
    "the framework's version": replace(PATH, versions=replace(PATH.versions, framework="fw@2")),
    "the profile": replace(PATH, versions=replace(PATH.versions, profile=2)),
    "the date": replace(PATH, as_of=date(2020, 1, 1)),
    "the budget": replace(PATH, budget_hours=100),
    "a course unlocked that is entered without": with_step(0, unlocks=["goal", "low"]),
    "a course unlocked concealed": with_step(0, unlocks=[]),
    "steps where none may be": replace(PATH, status="refused"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_kind_of_corruption_is_rejected(name: str) -> None:
    assert validate(CORRUPTIONS[name], PLAN, VIEW.course)


MATCHED = replace(course("guess"), matched=[MatchedRow("fw", "b", 0, 2.8, 0.7, 0.4)])
NOTED_VIEW = view_of([*COURSES, MATCHED, course("did", ("a", 0, 1))])
NOTED_PLAN = replace(
    PLAN, levels={"a": Estimate(0, 0.4, MOMENT), "b": Estimate(2.5, 2, MOMENT)}, pinned=["gone", "foreign"]
)
NOTED_PLAN = replace(NOTED_PLAN, completed_at=dict.fromkeys(("did", "guess"), MOMENT + timedelta(1)))
NOTED = recommend(NOTED_PLAN, NOTED_VIEW)


def assessed(number: int, **changes: Any) -> LearningPath:
    rows = list(NOTED.assess_first)
    rows[number] = replace(rows[number], **changes)
    return replace(NOTED, assess_first=rows)


def noted(number: int, **changes: Any) -> LearningPath:
    rows = list(NOTED.notes)
    rows[number] = replace(rows[number], **changes)
    return replace(NOTED, notes=rows)


def test_the_statements_used_for_corruptions_are_true() -> None:
    assert [(one.skill, one.kind, one.level) for one in NOTED.assess_first] == [
        ("a", "confirm", None),
        ("b", "first", None),
        ("b", "matched", 2.8),
    ]
    assert [(note.course, note.kind) for note in NOTED.notes] == [("gone", "withdrawn"), ("foreign", "excluded")]
    assert validate(NOTED, NOTED_PLAN, NOTED_VIEW.course) == []


NOTED_CORRUPTIONS = {
    "the level before a completion": assessed(0, measured=0.5),
    "a completion that nobody assessed": assessed(0, measured=None),
    "a completion of nothing": assessed(1, kind="confirm"),
    "a skill that is none": assessed(1, title=text("another")),
    "a level that no match has": assessed(2, level=3.0),
    "a confidence that no match has": assessed(2, confidence=0.9),
    "a match of another skill": assessed(2, skill="a", title=text("a")),
    "nothing missing": replace(NOTED, assess_first=[AssessFirst("a", text("a"), UNRENDERED, "matched", level=1.0)]),
    "a course that is here reported as gone": noted(1, kind="withdrawn"),
    "a course that is gone reported as excluded": noted(0, kind="excluded"),
    "an excluded course reported as unreachable": noted(1, kind="unreachable"),
    "the title of a course that was wanted": noted(1, title=text("another")),
    "a title of what nobody knows": noted(0, title=text("gone")),
    "hours that are not missing": noted(1, kind="does_not_fit", missing_hours=-1.0),
    "a course reported as unreachable that can be entered": replace(
        NOTED, notes=[*NOTED.notes, Note("low", "unreachable", UNRENDERED, title=text("low"))]
    ),
}


@pytest.mark.parametrize("name", NOTED_CORRUPTIONS)
def test_every_false_statement_about_a_path_is_rejected(name: str) -> None:
    assert validate(NOTED_CORRUPTIONS[name], NOTED_PLAN, NOTED_VIEW.course)


@pytest.mark.parametrize(
    "change",
    [
        {"budget_hours": 3.0},
        {"max_steps": 2},
        {"languages": ["en"]},
        {"completed": ["goal"]},
        {"levels": {}},
        {"job_group": "nobody"},
    ],
)
def test_a_path_is_rejected_under_other_inputs(change: dict[str, Any]) -> None:
    assert validate(PATH, replace(PLAN, **change), VIEW.course)


def test_a_path_with_a_withdrawn_or_changed_course_is_rejected() -> None:
    left = view_of([one for one in COURSES if one.id != "low"])
    assert any("withdrawn" in fault for fault in validate(PATH, PLAN, left.course))
    stricter = view_of([*COURSES[:2], course("low", ("b", 0.5, 1), hours=1.5), *COURSES[3:]])
    assert any("begins at level 0.5" in fault for fault in validate(PATH, PLAN, stricter.course))


def test_a_path_without_steps_is_valid_if_it_has_a_reason() -> None:
    assert validate(waiting_for_framework(profile(), VIEW.catalog_revision, DAY), PLAN, VIEW.course) == []


def test_the_state_of_the_officer_is_not_copied_for_each_open_skill(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[OfficerState] = []
    original = OfficerState.copy

    def counted(state: OfficerState) -> OfficerState:
        copies.append(state)
        return original(state)

    monkeypatch.setattr(OfficerState, "copy", counted)
    made = []
    for count in (5, 50):
        skills = [f"s{number}" for number in range(count)]
        view = view_of([course(f"c-{skill}", (skill, 0, 3), hours=2) for skill in skills])
        plan = inputs(framework(dict.fromkeys(skills, 3)), dict.fromkeys(skills, 0.0), sd=0.4, budget_hours=3)
        path = recommend(plan, view)
        assert {row.cause for row in path.open} == {"budget"}
        copies.clear()
        assert validate(path, plan, view.course) == []
        made.append(len(copies))
    assert made[0] == made[1]
