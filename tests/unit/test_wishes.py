from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.recommender.api.unmatched_rules import unmatched
from services.recommender.inputs import Estimate, Inputs
from services.recommender.plan_validator.validate import validate
from services.recommender.planner.index.catalog import Snapshot, View
from services.recommender.planner.pipeline import recommend
from services.recommender.reference import rule as reference
from services.recommender.rules import Rule, TenantRules, check_tenant_rules, rules_within
from shared.decoding import convert
from shared.domain import Course, Framework, LocalizedText
from shared.errors import InvalidInput
from shared.paths import LearningPath
from tests.support.builders import MOMENT, after, catalog, course, framework, inputs, view_of
from tests.support.words import sentences

TWO = framework({"a": 2, "b": 2}, others=["x"])
NOTHING = {"a": 0, "b": 0}
COURSES = [
    course("a-long", ("a", 0, 2), hours=8),
    course("a-short", ("a", 0, 2), hours=4),
    course("b-first", ("b", 0, 1), hours=2),
    course("b-second", ("b", 1, 2), hours=2, requires=[after("b-first")]),
    course("extra", ("x", 0, 1), hours=3, requires=[after("x-basic")]),
    course("x-basic", ("x", 0, 1), hours=1),
]


def planned(courses: list[Course] | None = None, **wishes: Any) -> LearningPath:
    view = view_of(COURSES if courses is None else courses)
    plan = inputs(TWO, wishes.pop("levels", NOTHING), **wishes)
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    return path


def ids(path: LearningPath) -> list[str]:
    return [step.course.id for step in path.steps]


def test_without_preferences_the_course_with_most_value_per_hour_is_chosen() -> None:
    assert set(ids(planned())) == {"a-short", "b-first", "b-second"}


@pytest.mark.parametrize(
    ("wishes", "there", "gone"),
    [
        ({"rules": [Rule("course", ["a-short"], 0)]}, {"a-long"}, {"a-short"}),
        ({"rules": [Rule("course", ["a-long", "b-first"], -1)]}, {"a-long", "b-first"}, {"a-short", "b-second"}),
        ({"rules": [Rule("course", ["a-long"], 3)]}, {"a-long"}, {"a-short"}),
        ({"rules": [Rule("skill", ["b"], 0)]}, {"a-short"}, {"b-first", "b-second"}),
        ({"rules": [Rule("modality", ["classroom"], -1)]}, set(), {"a-short"}),
        ({"rules": [Rule("language", ["th"], 0)]}, set(), {"a-short"}),
        ({"rules": [Rule("provider", ["About provider"], 0)]}, set(), {"a-short"}),
        ({"rules": [Rule("provider", [" ABOUT\u200b  provider\n"], 0)]}, set(), {"a-short"}),
        ({"rules": [Rule("course", ["A-Short\u200b"], 0)]}, {"a-long"}, {"a-short"}),
        ({"rules": [Rule("skill", [" B"], 0)]}, {"a-short"}, {"b-first", "b-second"}),
        ({"rules": [Rule("language", ["TH "], 0)]}, set(), {"a-short"}),
        ({"rules": [Rule("modality", ["Online"], -1)]}, {"a-short"}, set()),
        ({"excluded": ["a-short"]}, {"a-long"}, {"a-short"}),
        ({"cost_multipliers": {"a-short": 3}}, {"a-long"}, {"a-short"}),
        ({"cost_multipliers": {"a-short": 1.5}}, {"a-short"}, {"a-long"}),
    ],
)
def test_preferences_change_the_choice(wishes: dict[str, Any], there: set[str], gone: set[str]) -> None:
    found = set(ids(planned(**wishes)))
    assert there <= found
    assert not gone & found


def test_mandatory_courses_come_with_their_prerequisites_beyond_the_budget() -> None:
    path = planned(mandatory=["extra"], budget_hours=3)
    assert ids(path) == ["x-basic", "extra"]
    assert [step.origin for step in path.steps] == ["mandatory", "mandatory"]
    assert path.over_budget_hours == 1
    assert "1 hour over the budget" in sentences(path).en


def test_a_pinned_course_is_planned_if_it_fits_and_noted_otherwise() -> None:
    assert ids(planned(pinned=["extra"], budget_hours=8))[:2] == ["x-basic", "extra"]
    path = planned(pinned=["extra"], budget_hours=3)
    assert "extra" not in ids(path)
    assert [(note.course, note.kind) for note in path.notes] == [("extra", "does_not_fit")]
    assert "1 hour" in sentences(path, path.notes[0]).en


def test_started_courses_stay_first_unless_withdrawn() -> None:
    path = planned(started=["b-second", "gone", "a-long"])
    assert ids(path)[:2] == ["b-second", "a-long"]
    assert [(note.course, note.kind) for note in path.notes] == [("gone", "withdrawn")]


def test_a_completion_counts_as_reached_if_it_is_later() -> None:
    late = MOMENT + timedelta(days=1)
    levels = {"a": Estimate(0, 0.5, MOMENT), "b": Estimate(2, 0.1, MOMENT)}
    view = view_of(COURSES)
    plan = msgspec.structs.replace(inputs(TWO), levels=levels, completed_at={"a-short": late})
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    assert (path.gaps[0].level, path.gaps[0].sd) == (2.0, 0.5)
    assert [(row.skill, row.kind) for row in path.assess_first] == [("a", "confirm")]
    early = msgspec.structs.replace(plan, completed_at={"a-short": MOMENT - timedelta(days=1)})
    assert recommend(early, view).gaps[0].level == 0


def test_the_previous_path_stays_unless_a_new_one_is_notably_better() -> None:
    before = ["a-long", "b-first", "b-second"]
    path = planned(previous=before)
    assert (set(ids(path)), path.kept) == (set(before), True)
    path = planned(previous=["a-long"])
    assert (set(ids(path)), path.kept) == ({"a-short", "b-first", "b-second"}, False)
    path = planned(previous=[*before, "gone"])
    assert path.kept is False
    assert [note.kind for note in path.notes] == ["withdrawn"]


def test_a_kept_path_without_a_course_that_adds_nothing_any_more_states_what_is_kept() -> None:
    path = planned(previous=["a-short", "b-first", "b-second", "a-long"])
    assert (set(ids(path)), path.kept) == ({"a-short", "b-first", "b-second"}, True)
    assert "What still helps of the previous path is kept" in sentences(path).en
    assert "เฉพาะส่วนที่ยังช่วยได้" in sentences(path).th


def test_the_validator_reports_a_course_of_a_kept_path_that_the_previous_path_lacks() -> None:
    plan, view = inputs(TWO, NOTHING, previous=["a-long", "b-first", "b-second"]), view_of(COURSES)
    path = recommend(plan, view)
    assert path.kept
    other = msgspec.structs.replace(plan, previous=["b-first", "b-second"])
    assert "a-long is in a path that was kept, and not in the previous path" in list(validate(path, other, view.course))


def test_a_requested_course_that_does_not_fit_states_its_missing_hours() -> None:
    path = planned(budget_hours=4)
    assert path.short_hours == 4
    assert "short by 4 hours" in sentences(path).en
    assert {row.cause for row in path.open} == {"budget"}


def test_a_mostly_uncertain_gap_is_to_be_assessed_first() -> None:
    plan = inputs(TWO, {"a": 1.9, "b": 0}, sd=0.8)
    path = recommend(plan, view_of(COURSES))
    assert [row.skill for row in path.assess_first] == ["a"]
    assert "1.9" in sentences(path, path.assess_first[0]).th


def test_preferences_never_cost_more_than_a_tenth_of_what_could_be_closed() -> None:
    courses = [course("wide", ("a", 0, 2), hours=4), course("little", ("b", 0, 0.5), hours=4)]
    path = planned(courses, rules=[Rule("course", ["little"], 1000)], budget_hours=4)
    assert ids(path) == ["wide"]


RULES = [Rule("language", ["th"], -1), Rule("skill", ["s01"], 0), Rule("skill", ["s02"], 2)]
WISHES = st.fixed_dictionaries({
    "mandatory": st.lists(st.integers(0, 29), max_size=2),
    "pinned": st.lists(st.integers(0, 29), max_size=2),
    "started": st.lists(st.integers(0, 35), max_size=2),
    "previous": st.lists(st.integers(0, 31), max_size=5),
    "budget_hours": st.sampled_from([None, 0, 10, 30]),
    "max_steps": st.sampled_from([None, 4]),
    "rules": st.lists(st.sampled_from(RULES), max_size=2),
    "cost_multipliers": st.dictionaries(st.sampled_from(["c00001", "c00002"]), st.just(1.5)),
})  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(WISHES, st.integers(0, 10_000), st.sampled_from([0, 0.5]))
def test_the_path_is_valid_for_any_preferences(wishes: dict[str, Any], seed: int, sd: float) -> None:
    courses = catalog(30, 6, seed)
    named = {
        field: [f"c{number:05}" for number in values]
        if field in ("mandatory", "pinned", "started", "previous")
        else values
        for field, values in wishes.items()
    }
    wanted = framework({f"s{n:02}": 3 for n in range(5)}, others=["s05"])
    plan: Inputs = msgspec.structs.replace(inputs(wanted, {"s00": 1}, sd=sd), **named)
    view = view_of(courses)
    path = recommend(plan, view)
    assert validate(path, plan, view.course) == []
    assert sum(row.contribution for step in path.steps for row in step.closes) == path.coverage.gained
    assert msgspec.json.encode(recommend(plan, view_of(courses[::-1]))) == msgspec.json.encode(path)


AGENCY = "สำนักงานพัฒนาน้ำ"
SPELT = AGENCY.replace("\u0e33", "\u0e4d\u0e32")
OURS = [
    msgspec.structs.replace(course("a-long", ("a", 0, 2), hours=8), provider=LocalizedText(th="อื่น")),
    msgspec.structs.replace(course("A-Short", ("a", 0, 2), hours=4), provider=LocalizedText(th=AGENCY, en="Water")),
    msgspec.structs.replace(course("b-all", ("b", 0, 2), hours=4), provider=LocalizedText(en="Other")),
]


@pytest.mark.parametrize(
    "rule",
    [
        Rule("provider", [SPELT], 0),
        Rule("provider", ["nothing", f"\ufeff{SPELT} "], 0),
        Rule("provider", ["WATER"], 0),
        Rule("provider", ["อื่น", "other"], -1),
        Rule("course", ["a-short"], 0),
        Rule("course", ["A-Long", "B-ALL"], -1),
    ],
)
def test_names_in_rules_are_compared_whatever_their_spelling(rule: Rule) -> None:
    plan = inputs(TWO, NOTHING, rules=[rule])
    view = view_of(OURS)
    path = recommend(plan, view)
    assert set(ids(path)) == {"a-long", "b-all"}
    assert validate(path, plan, view.course) == []
    assert reference.recommend(plan, OURS, 1) == path
    everything = recommend(inputs(TWO, NOTHING), view)
    assert set(ids(everything)) == {"A-Short", "b-all"}
    assert any("excluded by a rule" in sentences for sentences in validate(everything, plan, view.course))


def test_rules_without_matching_courses_are_reported() -> None:
    rules = [
        Rule("provider", [SPELT, "อี่น"], 0),
        Rule("course", ["a-SHORT", "a-shorter"], 2),
        Rule("skill", ["a", "z"], 2),
        Rule("language", ["th", "fr"], -1),
        Rule("modality", ["online", "on line"], 2),
        Rule("provider", ["\u200b"], 0),
    ]
    view = Snapshot().put_courses("shared", OURS, 1).put_framework("shared", TWO, 2).view("agency")
    found = unmatched(rules, ["b-all", "A-short"], view, [TWO])
    assert [one.field for one in found] == [
        "rules[0].values[1]",
        "rules[1].values[1]",
        "rules[2].values[1]",
        "rules[3].values[1]",
        "rules[4].values[1]",
        "rules[5].values[0]",
        "mandatory[1]",
    ]
    assert "'อี่น'" in found[0].detail


def test_a_provider_whose_only_course_is_withdrawn_is_unknown() -> None:
    snapshot = Snapshot().put_courses("shared", OURS, 1).changed({"shared": {"A-Short": None}}, {}, 2)
    view = snapshot.view("agency")
    rules = [Rule("provider", [AGENCY], 0), Rule("course", ["a-short"], 0)]
    assert [one.field for one in unmatched(rules, [], view, [])] == ["rules[0].values[0]", "rules[1].values[0]"]


@pytest.mark.parametrize(
    ("rules", "excluding"),
    [
        ([], []),
        ([Rule("course", ["a-long"], -1)], []),
        ([Rule("course", ["a-longer"], -1)], ["fw"]),
        ([Rule("course", ["a-longer", "a-long"], -1)], []),
        ([Rule("course", ["a-longer"], 0), Rule("course", ["a-longer"], 0)], []),
        ([Rule("course", ["a-long"], -1), Rule("skill", ["b"], -1)], ["fw"]),  # each of them has courses
        ([Rule("modality", ["classroom"], -1)], ["fw"]),
        ([Rule("language", ["th", "en"], 0)], ["fw"]),
        ([Rule("skill", ["c"], -1)], ["fw"]),  # a skill of the framework that no course teaches
        ([Rule("skill", ["z"], -1)], []),  # the framework does not have it, so officers do not follow the rule
        ([Rule("provider", ["Nobody"], 5)], []),
    ],
)
def test_rules_that_exclude_every_course_are_reported(rules: list[Rule], excluding: list[str]) -> None:
    two = framework({"a": 2}, others=["b", "c"])
    courses = [course("a-long", ("a", 0, 2)), course("b-all", ("b", 0, 2))]
    other = course("a-short", ("a", 0, 2))
    snapshot = Snapshot().put_courses("shared", [*courses, other], 1)
    view = snapshot.changed({"agency": {"mine": courses[0]}, "shared": {"a-short": None}}, {}, 2).view("agency")
    assert _without_courses(rules, view, two) == excluding
    assert (recommend(inputs(two, {"a": 0}, rules=rules_within(rules, two)), view).steps == []) == bool(excluding)
    assert _without_courses(rules, Snapshot().view("agency"), two) == []  # there are no courses to exclude


def _without_courses(rules: list[Rule], view: View, one: Framework) -> list[str]:
    found = [warned.detail for warned in unmatched(rules, [], view, [one]) if warned.field == "rules"]
    return [detail.partition("every course for ")[2].partition(";")[0] for detail in found]


@pytest.mark.parametrize(
    ("field", "values", "wrong"), [("color", ["x"], "rules[0].field"), ("course", [], "rules[0].values")]
)
def test_a_rule_names_a_known_field_and_a_value(field: str, values: list[str], wrong: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        convert({"rules": [{"field": field, "values": values, "bias": 0}]}, TenantRules)
    assert caught.value.field == wrong


def test_rules_contradict_each_other_across_spellings() -> None:
    for rules in (
        [Rule("provider", [AGENCY], 0), Rule("provider", [SPELT], -1)],
        [Rule("course", ["a-short"], 0), Rule("course", ["A-Short"], 3)],
    ):
        with pytest.raises(InvalidInput) as caught:
            inputs(TWO, NOTHING, rules=rules).check()
        assert caught.value.field == "rules[1].values[0]"
        with pytest.raises(InvalidInput) as caught:
            check_tenant_rules(TenantRules(rules=rules))
        assert caught.value.field == "rules[1].values[0]"
    with pytest.raises(InvalidInput) as caught:
        check_tenant_rules(TenantRules(rules=[Rule("course", ["A-Short"], 0)], mandatory=["a-short"]))
    assert caught.value.field == "rules[0].values[0]"
