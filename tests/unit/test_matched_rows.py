"""What is only matched to a course: worth by its confidence, no entry, no level, and never shown as confirmed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.recommender.inputs import MICRO, Estimate, Inputs
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.explain.questions import similar_courses, why_not
from services.recommender.planner.index.catalog import Snapshot
from services.recommender.planner.pipeline import recommend
from services.recommender.planner.value import share
from shared.compact_paths import CompactPath, compact, encoded, expanded
from shared.domain import SHARED_TENANT, Course, MatchedRow, Prerequisite, Teaches
from shared.messages import why_not_with_sentences, with_sentences
from shared.paths import LearningPath
from tests.support.builders import FRAMEWORK, MOMENT, TENANT, after, at, course, framework, inputs, view_of
from tests.support.random_plans import differences, published

NEEDS = framework({"a": 3, "b": 2}, others=["x"])


def matched(
    course_id: str, *rows: tuple[str, float, float, float], threshold: float = 0.4, hours: float = 2, **more: Any
) -> Course:
    """Return a course to which (skill, from, to, confidence) rows are matched."""
    found = [
        MatchedRow(
            framework=FRAMEWORK,
            skill=skill,
            from_level=low,
            to_level=high,
            confidence=confidence,
            threshold=threshold,
        )
        for skill, low, high, confidence in rows
    ]
    return replace(course(course_id, hours=hours, **more), matched=found)


def path_of(plan: Inputs, *courses: Course) -> LearningPath:
    """Return the path over these courses: sound by the validator, and the same by the rule that is to be read."""
    stock = published(courses)
    view = view_of(stock)
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    assert differences(plan, view, stock) is None
    return path


def taken(path: LearningPath) -> list[str]:
    return [step.course.id for step in path.steps]


def contributions(path: LearningPath) -> dict[tuple[str, str], int]:
    return {(step.course.id, row.skill): row.contribution for step in path.steps for row in step.closes}


BOTH_LOW = inputs(NEEDS, {"a": 0, "b": 2})


def test_an_unconfirmed_row_is_worth_its_confidence_and_raises_no_level() -> None:
    path = path_of(BOTH_LOW, matched("guess", ("a", 0, 3, 0.72)))
    (row,) = path.steps[0].closes
    assert (row.from_level, row.to_level, row.confidence, row.contribution) == (0, 3, 0.72, 3 * 720_000)
    assert (path.coverage.gained, path.coverage.gap) == (2_160_000, 3_000_000)
    assert next(gap.reached for gap in path.gaps if gap.skill == "a") == 0
    (left,) = path.open
    assert (left.skill, left.cause, left.level, left.confidence) == ("a", "unconfirmed", 3, 0.72)
    assert left.nearest is not None
    assert left.nearest.id == "guess"


def test_the_reason_states_the_confidence_in_both_languages_rounded_down() -> None:
    path = with_sentences(path_of(BOTH_LOW, matched("guess", ("a", 0, 3, 0.729))))
    step, (left,) = path.steps[0], path.open
    assert "matched by its description, not confirmed (72 %)" in (step.reason.en or "")
    assert "จับคู่จากคำอธิบายหลักสูตร ยังไม่ได้ยืนยัน (72 %)" in (step.reason.th or "")
    assert "matched to it, not confirmed (72 %)" in (left.reason.en or "")
    assert "ระบบจับคู่ให้ ยังไม่ได้ยืนยัน (72 %)" in (left.reason.th or "")
    assert "1 course is matched to skills" in (path.reason.en or "")
    assert "Closes" not in (step.reason.en or "")


def mapped(course_id: str, *, levels: bool) -> Course:
    """Return a course whose provider states a skill of ESCO that is `a` of the framework."""
    given = course(course_id, ("x-1", 0, 1), of="esco")
    if levels:
        return replace(given, teaches=[*given.teaches, Teaches(FRAMEWORK, "a", 0, 3, "esco/x-1")])
    row = matched("", ("a", 0, 3, 0.999_999)).matched[0]
    return replace(given, matched=[replace(row, mapped_from="esco/x-1")])


@pytest.mark.parametrize("levels", [True, False])
def test_the_reason_of_a_mapped_row_states_that_it_is_mapped_in_both_languages(*, levels: bool) -> None:
    plan, stock = BOTH_LOW, mapped("there", levels=levels)
    path = path_of(plan, stock)
    (row,) = path.steps[0].closes
    assert (row.mapped_from, row.confidence is None) == ("esco/x-1", levels)
    stored = msgspec.json.decode(msgspec.json.encode(encoded(compact(path))), type=CompactPath)
    step = with_sentences(expanded(stored)).steps[0]
    assert "mapped from a skill of the framework “esco” that its provider states" in (step.reason.en or "")
    assert "เทียบเคียงจากทักษะที่ผู้จัดระบุตามกรอบ “esco”" in (step.reason.th or "")
    assert "description" not in (step.reason.en or "")
    assert ("not confirmed" in (step.reason.en or "")) != levels
    for lie in (None, "esco/x-2"):
        closes = [replace(row, mapped_from=lie)]
        untrue = replace(path, steps=[replace(path.steps[0], closes=closes)])
        assert any("is not mapped from" in one for one in validate(untrue, plan, view_of([stock]).course))


def test_a_row_that_is_given_beside_a_mapped_one_is_not_reported_as_mapped() -> None:
    both = mapped("both", levels=True)
    both = replace(both, teaches=[*both.teaches, Teaches(FRAMEWORK, "a", 0, 2)])
    assert path_of(BOTH_LOW, both).steps[0].closes[0].mapped_from is None


def test_a_second_match_of_a_level_adds_nothing_unless_it_is_more_confident() -> None:
    sure, twin = matched("sure", ("a", 0, 3, 0.9), hours=1), matched("twin", ("a", 0, 3, 0.9), hours=1)
    assert taken(path_of(BOTH_LOW, sure, twin, matched("doubt", ("a", 0, 3, 0.5), hours=0.5))) == ["sure"]


def test_after_a_confirmed_level_a_match_is_worth_its_share_of_the_rest() -> None:
    path = path_of(BOTH_LOW, course("known", ("a", 0, 2), hours=9), matched("guess", ("a", 0, 3, 0.72), hours=1))
    assert contributions(path) == {("guess", "a"): 2_160_000, ("known", "a"): 560_000}
    assert path.coverage.gained == 2_000_000 + 720_000
    assert [gap.reached for gap in path.gaps] == [2, 2]


def test_matches_of_several_levels_combine_by_confidence_and_level() -> None:
    low, high = matched("low", ("a", 0, 2, 0.9)), matched("high", ("a", 0, 3, 0.5))
    path = path_of(BOTH_LOW, low, high)
    assert path.coverage.gained == 1_500_000 + 800_000  # 3 with 50 %, and 2 with the other 40 of 90 %
    assert path.open[0].confidence == 0.9


@pytest.mark.parametrize("worth", [0, 1, 71, 72, 99, 100, 199, 2_008_491])
def test_shares_add_up_and_never_fall_when_the_value_rises(worth: int) -> None:
    assert (share(100, worth), share(0, worth)) == (worth, 0)
    assert abs(share(72, worth) - 0.72 * worth) < 25
    for percent in range(100):
        part = share(percent + 1, worth) - share(percent, worth)
        assert 0 <= part <= share(percent + 1, worth + 1) - share(percent, worth + 1)


def test_a_confirmed_row_replaces_a_matched_one() -> None:
    guess = matched("guess", ("a", 0, 3, 0.9), hours=1)
    path = path_of(BOTH_LOW, guess, course("known", ("a", 0, 3), hours=2))
    assert taken(path) == ["known"]
    assert path.open == []
    both = replace(course("both", ("a", 0, 1)), matched=guess.matched)
    assert [row.confidence for row in path_of(BOTH_LOW, both).steps[0].closes] == [None]


def test_an_unconfirmed_level_satisfies_no_entry_condition() -> None:
    guess, goal = matched("guess", ("x", 0, 2, 0.99), ("a", 0, 1, 0.9)), course("goal", ("a", 1, 3), ("b", 0, 2))
    behind = course("behind", ("b", 0, 2), requires=[at("x", 1)])
    plan = inputs(NEEDS, {"a": 0, "b": 0})
    assert taken(path_of(plan, guess, goal, behind)) == ["guess"]
    confirmed = replace(guess, matched=[], teaches=course("guess", ("x", 0, 2), ("a", 0, 1)).teaches)
    assert taken(path_of(plan, confirmed, goal, behind)) == ["guess", "goal"]


def test_an_unconfirmed_from_level_prevents_no_entry_and_gives_no_value_below_it() -> None:
    guess = matched("guess", ("a", 2, 3, 0.9), ("x", 3, 4, 0.9))
    goal = course("goal", ("b", 0, 2), requires=[after("guess")])
    plan = inputs(NEEDS, {"a": 0, "b": 0})
    path = path_of(plan, guess, goal)
    assert taken(path) == ["guess", "goal"]
    assert contributions(path) == {("goal", "b"): 2_000_000}
    assert contributions(path_of(inputs(NEEDS, {"a": 2, "b": 0}), guess, goal))["guess", "a"] == 900_000


@pytest.mark.parametrize(
    ("least", "threshold", "counts"),
    [
        (None, 0.6, True),
        (None, 0.600001, False),
        (0.5, 0.9, True),
        (0.6, 0.9, True),
        (0.600001, 0.1, False),
        (0.0, 1.0, True),
        (1.0, 0.0, False),
    ],
)
def test_a_row_below_the_least_confidence_is_left_out(least: float | None, threshold: float, counts: bool) -> None:
    guess = matched("guess", ("a", 0, 3, 0.6), threshold=threshold)
    plan = replace(BOTH_LOW, least_confidence=least)
    assert taken(path_of(plan, guess)) == (["guess"] if counts else [])
    answer = why_not_with_sentences(why_not(plan, view_of([guess]), path_of(plan, guess), "guess"))
    assert answer.cause == ("in_path" if counts else "unsure")
    if not counts:
        assert "not confirmed (60 %)" in (answer.reason.en or "")
        assert "ยังไม่ได้ยืนยัน (60 %)" in (answer.reason.th or "")


def test_why_not_states_that_a_course_is_only_matched() -> None:
    courses = [matched("guess", ("a", 0, 1, 0.5), hours=9), course("known", ("a", 0, 3), hours=1)]
    plan = replace(BOTH_LOW, budget_hours=10)
    answer = why_not_with_sentences(why_not(plan, view_of(courses), path_of(plan, *courses), "guess"))
    assert answer.confidence == 0.5
    assert "matched to it, not confirmed (50 %)" in (answer.reason.en or "")
    assert why_not(plan, view_of([*courses, courses[1]]), path_of(plan, *courses), "known").confidence is None


def test_unconfirmed_matches_do_not_make_courses_similar() -> None:
    guess, known = matched("guess", ("a", 0, 3, 0.9)), course("known", ("a", 0, 3))
    assert similar_courses("known", view_of([guess, known])) == []
    assert similar_courses("guess", view_of([guess, known])) == []


def test_a_matched_course_that_does_not_fit_is_named_with_its_hours() -> None:
    plan = replace(BOTH_LOW, budget_hours=1)
    path = with_sentences(
        path_of(plan, matched("guess", ("a", 0, 3, 0.7), hours=5), matched("long", ("a", 0, 3, 0.9), hours=6))
    )
    (left,) = path.open
    assert (left.cause, left.courses, left.hours, left.missing_hours) == ("budget", ["guess"], 5, 4)
    assert (left.level, left.confidence, left.at_most) == (3, 0.7, False)
    assert "may raise" in (left.reason.en or "")
    assert "teaches" not in (left.reason.en or "")
    assert path.short_hours is None


def measured(levels: dict[str, float], done: dict[str, int], **wishes: Any) -> Inputs:
    """Return an officer measured at these levels, who completed courses so many days later."""
    plan = inputs(NEEDS, **wishes)
    dated = {name: MOMENT + timedelta(days) for name, days in done.items()}
    return replace(
        plan, levels={skill: Estimate(level, 0, MOMENT) for skill, level in levels.items()}, completed_at=dated
    )


def test_a_completed_unconfirmed_course_changes_no_level_and_its_value_is_gained() -> None:
    guess, rest = matched("guess", ("a", 0, 2, 0.7), hours=1), course("rest", ("a", 0, 3), hours=30)
    goal = course("goal", ("b", 0, 2), requires=[at("a", 1)])
    low = {"a": 0.0, "b": 0.0}
    assert contributions(path_of(measured(low, {}, budget_hours=20), guess, rest, goal)) == {("guess", "a"): 1_400_000}
    done = path_of(measured(low, {"guess": 1}, budget_hours=20), guess, rest, goal)
    assert taken(done) == []
    assert next(gap.level for gap in done.gaps if gap.skill == "a") == 0
    assert (done.coverage.gap, done.coverage.before) == (3_600_000, 0.28)
    later = path_of(measured(low, {"guess": 1}, budget_hours=40), guess, rest, goal)
    assert contributions(later) == {("rest", "a"): 1_600_000, ("goal", "b"): 2_000_000}
    (entry,) = [one for one in with_sentences(done).assess_first if one.kind == "matched"]
    assert (entry.skill, entry.level, entry.confidence) == ("a", 2, 0.7)
    assert "matched to it, not confirmed (70 %)" in (entry.reason.en or "")


def test_no_course_stays_that_another_one_of_the_path_makes_redundant() -> None:
    """The search knows the cheapest branch of a choice; the path opens the other one too."""
    guess, low = matched("guess", ("a", 0, 2, 0.7), hours=1), course("low", ("a", 0, 2), hours=2)
    either = Prerequisite(any=[after("guess"), after("low")])
    high = course("high", ("a", 2, 3), hours=2, requires=[either])
    path = path_of(inputs(NEEDS, {"a": 0, "b": 2}), guess, low, high)
    assert taken(path) == ["low", "high"]


def test_a_match_to_confirm_leads_above_the_current_level() -> None:
    """Of two completed courses the surer one leads no higher than a third, whose row is confirmed."""
    surer, higher = matched("surer", ("a", 0, 1, 0.9)), matched("higher", ("a", 0, 2.5, 0.7))
    done = dict.fromkeys(("surer", "higher", "sure"), 1)
    path = path_of(measured({"a": 0.0, "b": 2.0}, done), surer, higher, course("sure", ("a", 0, 1.5)))
    kinds = [(one.kind, one.level) for one in path.assess_first]
    assert kinds == [("confirm", None), ("matched", 2.5)]


def test_a_later_assessment_replaces_the_gain_of_a_completion() -> None:
    guess = matched("guess", ("a", 0, 2, 0.7))
    known = {"a": 0.0, "b": 2.0}
    assert path_of(measured(known, {"guess": 1}), guess).coverage.gap == 1_600_000
    assert path_of(measured(known, {"guess": -1}), guess).coverage.gap == 3_000_000


def test_confirming_after_a_completion_counts_the_level_and_rejecting_counts_nothing() -> None:
    plan, guess = measured({"a": 0.0, "b": 2.0}, {"guess": 1}), matched("guess", ("a", 0, 2, 0.7))
    confirmed = replace(guess, matched=[], teaches=course("guess", ("a", 0, 2)).teaches)
    assert next(gap.level for gap in path_of(plan, confirmed).gaps if gap.skill == "a") == 2
    assert path_of(plan, replace(guess, matched=[])).coverage.gap == 3_000_000
    noted = replace(plan, taught={"guess": course("guess", ("x", 0, 1)).teaches})
    assert next(gap.level for gap in path_of(noted, confirmed).gaps if gap.skill == "a") == 2


def test_finishing_a_path_with_matched_rows_leaves_its_other_steps_as_they_were() -> None:
    courses = [
        matched("one", ("a", 0, 2, 0.8), hours=1),
        course("two", ("b", 0, 2), hours=2),
        matched("three", ("a", 0, 3, 0.75), hours=3),
        course("four", ("a", 0, 1), hours=5),
    ]
    low = {"a": 0.0, "b": 0.0}
    path = path_of(measured(low, {}, budget_hours=20), *courses)
    left, promised = taken(path), path.coverage.gained
    assert len(left) == 4
    for count in range(1, 5):
        done = measured(low, dict.fromkeys(left[:count], 1), budget_hours=20)
        then = path_of(replace(done, previous=left[count:], finishing=True), *courses)
        assert taken(then) == left[count:]
        assert path.coverage.gap - then.coverage.gap + then.coverage.gained == promised
    assert promised == 2_000_000 + 1_000_000 + 750_000 * 2 + 50_000


def test_matched_courses_are_found_among_champions_and_in_the_overlay(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [matched(f"m{n:02}", ("a", 0, 3, 0.4 + n / 100), hours=1 + n % 7) for n in range(40)]
    many += [course(f"c{n:02}", ("a", 0, 1), hours=3 + n) for n in range(20)]
    own = [matched("own", ("b", 0, 2, 0.9)), matched("m39", ("a", 0, 3, 0.1))]  # the second hides a shared one
    plan = inputs(NEEDS, {"a": 0, "b": 0}, budget_hours=30)

    def planned(*, champions: bool) -> LearningPath:
        snapshot = Snapshot().put_courses(SHARED_TENANT, published(many), 1).put_courses(TENANT, published(own), 2)
        view = snapshot.view(TENANT)
        path = recommend(plan, view)
        assert validate(path, plan, view.course) == []
        assert (view.catalog.base.champions is not None) == champions
        return path

    monkeypatch.setattr("services.recommender.planner.index.catalog.MERGE_THRESHOLD", 2)
    whole = planned(champions=False)
    assert differences(plan, view_of(published(many)), published(many)) is None
    monkeypatch.setattr("services.recommender.planner.index.catalog.CHAMPIONS_FROM", 5)
    few = planned(champions=True)
    assert {"own", "m38"} <= set(taken(whole))
    assert few.coverage.gained == whole.coverage.gained


def test_the_compact_path_carries_the_confidence_and_a_confirmed_one_none() -> None:
    path = path_of(inputs(NEEDS, {"a": 0, "b": 0}), matched("guess", ("a", 0, 3, 0.72)), course("known", ("b", 0, 2)))
    sent = msgspec.json.encode(encoded(compact(path)))
    closes = {step[0]: step[5] for step in msgspec.json.decode(sent)["steps"]}
    assert closes == {"guess": [[0, 3, 2_160_000, 0.72]], "known": [[1, 2, 2_000_000]]}
    again = expanded(msgspec.json.decode(sent, type=CompactPath))
    assert [step.closes for step in again.steps] == [step.closes for step in path.steps]
    assert (again.gaps, again.open) == (path.gaps, path.open)


GUESSED = [matched("guess", ("a", 0, 3, 0.72)), course("known", ("b", 0, 2)), course("next", ("b", 0, 1), hours=9)]
PLAN = inputs(NEEDS, {"a": 0, "b": 0})


def corrupted(change: Callable[[LearningPath], LearningPath]) -> list[str]:
    view = view_of(GUESSED)
    path = recommend(PLAN, view)
    assert validate(path, PLAN, view.course) == []
    return validate(change(path), PLAN, view.course)


def with_closes(path: LearningPath, **changes: Any) -> LearningPath:
    steps = [
        replace(step, closes=[replace(row, **changes) for row in step.closes]) if step.course.id == "guess" else step
        for step in path.steps
    ]
    return replace(path, steps=steps)


def with_open(path: LearningPath, **changes: Any) -> LearningPath:
    return replace(path, open=[replace(row, **changes) for row in path.open])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: with_closes(path, confidence=None), id="shown as confirmed"),
        pytest.param(lambda path: with_closes(path, confidence=0.9), id="surer than it is"),
        pytest.param(lambda path: with_closes(path, to_level=2.0), id="another level"),
        pytest.param(lambda path: with_closes(path, contribution=3 * MICRO), id="worth as if confirmed"),
        pytest.param(lambda path: with_open(path, cause="no_course", nearest=None), id="no course"),
        pytest.param(lambda path: with_open(path, confidence=None), id="open without a confidence"),
        pytest.param(lambda path: with_open(path, confidence=0.73), id="open with another confidence"),
        pytest.param(lambda path: with_open(path, level=2.0), id="open with another level"),
        pytest.param(lambda path: replace(path, open=[]), id="not open"),
        pytest.param(
            lambda path: replace(
                path, gaps=[replace(gap, reached=3.0) if gap.skill == "a" else gap for gap in path.gaps]
            ),
            id="reached",
        ),
    ],
)
def test_the_validator_rejects_an_unconfirmed_row_that_is_overstated(
    change: Callable[[LearningPath], LearningPath],
) -> None:
    assert corrupted(change)


def test_the_validator_rejects_a_course_entered_through_an_unconfirmed_row() -> None:
    courses = [matched("guess", ("a", 0, 1, 0.99)), course("goal", ("a", 1, 3))]
    sure = [replace(courses[0], matched=[], teaches=course("guess", ("a", 0, 1)).teaches), courses[1]]
    path = recommend(BOTH_LOW, view_of(sure))
    assert taken(path) == ["guess", "goal"]
    faults = validate(path, BOTH_LOW, view_of(courses).course)
    assert any("begins at level 1 of a" in fault for fault in faults)
