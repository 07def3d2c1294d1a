"""The valid statements of an officer, and their effect on the next path."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommender.feedback import DEFERRED_FACTOR, RETAINED_PER_COURSE, Action, Feedback, apply_feedback
from services.recommender.inputs import PlanRequest, inputs_for
from services.recommender.provenance import hash_of
from services.recommender.rules import Rule, TenantRules, rules_within
from shared.errors import Conflict, InvalidInput
from tests.support.builders import DAY, framework, profile

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SKILL_FRAMEWORK = framework({"reading": 3})


def after(*actions: tuple[str, Action], feedback: Feedback | None = None) -> Feedback:
    feedback = feedback or Feedback()
    for course, action in actions:
        feedback = apply_feedback(feedback, course, action, at=NOW, now=NOW)
    return feedback


def test_the_newest_statement_about_a_course_is_valid() -> None:
    feedback = after(("a", "not_relevant"), ("a", "pin"), ("b", "not_now"))
    assert (feedback.courses_with("not_relevant"), feedback.courses_with("pin"), feedback.courses_with("not_now")) == (
        [],
        ["a"],
        ["b"],
    )
    assert feedback.cost_multipliers() == {"b": DEFERRED_FACTOR}
    assert feedback.sequence == 3


def test_a_completion_stays_valid_until_it_is_taken_back() -> None:
    feedback = after(("a", "started"), ("a", "completed"), ("a", "not_relevant"))
    assert feedback.completed_at() == {"a": NOW}
    assert feedback.courses_with("not_relevant") == feedback.courses_with("started") == []
    with pytest.raises(Conflict):
        apply_feedback(feedback, "a", "started", at=NOW, now=NOW)
    back = after(("a", "undo"), ("a", "undo"), feedback=feedback)
    assert (back.completed_at(), back.courses_with("started")) == ({}, ["a"])


def test_undo_takes_back_the_newest_statement_and_restores_the_one_before() -> None:
    feedback = after(("a", "not_relevant"), ("a", "pin"), ("a", "undo"))
    assert feedback.courses_with("not_relevant") == ["a"]
    assert feedback.sequence == 3
    assert after(("a", "undo"), feedback=feedback).statements == []
    with pytest.raises(Conflict) as caught:
        after(("a", "undo"), ("a", "undo"), feedback=feedback)
    assert caught.value.field == "course"


def test_a_mandatory_course_cannot_be_dismissed_and_overrides_an_older_dismissal() -> None:
    with pytest.raises(Conflict) as caught:
        apply_feedback(Feedback(), "a", "not_relevant", at=NOW, now=NOW, mandatory=["a"])
    assert caught.value.field == "action"
    dismissed = after(("a", "not_relevant"), ("b", "not_relevant"))
    inputs = inputs_for(PlanRequest(profile(), DAY, dismissed, rules=TenantRules(1, mandatory=["a"])), SKILL_FRAMEWORK)
    assert (inputs.mandatory, inputs.excluded) == (["a"], ["b"])
    inputs.check()


def test_a_statement_in_the_future_is_rejected() -> None:
    with pytest.raises(InvalidInput) as caught:
        apply_feedback(Feedback(), "a", "completed", at=NOW + timedelta(hours=1), now=NOW)
    assert caught.value.field == "at"


def test_started_courses_stay_in_the_order_of_the_previous_path() -> None:
    feedback = after(("c", "started"), ("x", "started"), ("a", "started"))
    assert feedback.started(["a", "b", "c"]) == ["a", "c", "x"]
    inputs = inputs_for(PlanRequest(profile(), DAY, feedback, ["a", "b", "c"]), SKILL_FRAMEWORK)
    assert (inputs.started, inputs.previous) == (["a", "c", "x"], ["a", "b", "c"])


def test_statements_about_a_course_are_bounded_and_completions_are_always_kept() -> None:
    feedback = after(("a", "completed"), *[("a", action) for _ in range(9) for action in ("pin", "not_now")])
    assert len(feedback.about("a")) == RETAINED_PER_COURSE
    assert "a" in feedback.completed_at()


def test_completions_of_one_course_are_bounded_too_and_the_newest_is_kept() -> None:
    feedback = after(*[("a", "completed") for _ in range(40)], *[("a", "pin") for _ in range(40)])
    assert len(feedback.about("a")) == RETAINED_PER_COURSE
    assert [one.sequence for one in feedback.about("a") if one.action == "completed"] == [40]
    assert feedback.completed_at()


ACTIONS: list[Action] = ["completed", "started", "not_relevant", "not_now", "pin", "undo"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(ACTIONS)), max_size=40))
def test_after_any_statements_a_course_has_one_state_and_the_inputs_are_valid(
    actions: list[tuple[str, Action]],
) -> None:
    feedback = Feedback()
    for course, action in actions:
        try:
            feedback = apply_feedback(feedback, course, action, at=NOW, now=NOW)
        except Conflict:
            continue
    sorts = [set(feedback.courses_with(action)) for action in ("started", "not_relevant", "not_now", "pin")]
    sorts.append(set(feedback.completed_at()))
    assert sum(map(len, sorts)) == len(set.union(*sorts))
    assert [one.sequence for one in feedback.statements] == sorted({one.sequence for one in feedback.statements})
    inputs_for(PlanRequest(profile(), DAY, feedback), SKILL_FRAMEWORK).check()


def test_rules_about_skills_of_another_framework_are_ignored() -> None:
    rules = [Rule("skill", ["reading", "elsewhere"], 2), Rule("skill", ["elsewhere"], -1), Rule("course", ["c"], 0)]
    assert rules_within(rules, SKILL_FRAMEWORK) == [Rule("skill", ["reading"], 2), Rule("course", ["c"], 0)]


def test_different_contents_have_different_hashes() -> None:
    assert hash_of(after(("a", "pin"))) == hash_of(after(("a", "pin")))
    assert hash_of(after(("a", "pin"))) != hash_of(after(("a", "not_now")))


def test_statements_are_read_and_written_under_their_stored_name() -> None:
    stored = b'{"sequence":1,"said":[{"sequence":1,"course":"a","action":"pin","at":"2026-11-23T09:00:00Z"}]}'
    feedback = msgspec.json.decode(stored, type=Feedback)
    assert feedback.courses_with("pin") == ["a"]
    assert msgspec.json.encode(feedback) == stored
