import msgspec
import pytest
from msgspec.structs import replace

from services.recommender.plan_validator.validate import validate
from services.recommender.planner.index.catalog import Snapshot
from services.recommender.planner.pipeline import recommend
from services.recommender.reference import rule as reference
from shared.compact_paths import compact, expanded
from shared.domain import LocalizedText, Prerequisite, Teaches
from shared.messages import with_sentences
from shared.templates import number
from tests.support.builders import after, at, course, framework, inputs, text, view_of
from tests.support.words import sentences


@pytest.mark.parametrize(("value", "words"), [(1, "1"), (10, "10"), (2.5, "2.5"), (0.333333, "0.33"), (100.0, "100")])
def test_numbers_are_formatted_for_people(value: float, words: str) -> None:
    assert number(value) == words


def test_a_step_states_what_it_closes_in_both_languages_with_its_numbers() -> None:
    plan = inputs(framework({"a": 3, "b": 2}, weights={"a": 3}), {"a": 1, "b": 1.25})
    path = recommend(plan, view_of([course("c", ("a", 1, 2), ("b", 0, 2), hours=6)]))
    step = path.steps[0]
    words = sentences(path, step)
    assert words.th == (
        "ลดช่องว่าง “เรื่อง a” จากระดับ 1 เป็น 2 (ต้องการระดับ 3 ความสำคัญสูง) ปิดช่องว่าง “เรื่อง b” จากระดับ 1.25 เป็น 2 "
        "(ต้องการระดับ 2 ความสำคัญรอง) ใช้เวลา 6 ชั่วโมง"
    )
    assert words.en == (
        "Narrows the gap in “About a” from level 1 to 2 (3 required, high importance). Closes the gap in “About b” "
        "from level 1.25 to 2 (2 required, lower importance). Takes 6 hours."
    )
    for row in step.closes:
        for value in (row.from_level, row.to_level, row.required, step.course.hours):
            assert number(value) in words.th
            assert number(value) in words.en


def test_a_pure_prerequisite_states_what_it_unlocks() -> None:
    courses = [course("x", ("x", 0, 2), hours=1), course("goal", ("a", 0, 1), requires=[at("x", 2)])]
    path = recommend(inputs(framework({"a": 1}, others=["x"]), {"a": 0}), view_of(courses))
    words = sentences(path, path.steps[0])
    assert words.en == "Unlocks “About goal” (needs “About x” at level 2 or above). Takes 1 hour."
    assert words.th == "เป็นพื้นฐานของ “เรื่อง goal” (ต้องมี “เรื่อง x” ระดับ 2 ขึ้นไป) ใช้เวลา 1 ชั่วโมง"


def test_an_unlocked_course_that_needs_a_skill_of_another_framework_names_its_title() -> None:
    both = replace(
        course("both", ("a", 0, 1), hours=1), teaches=[Teaches("fw", "a", 0, 1), Teaches("other", "a", 0, 2)]
    )
    goal = course("goal", ("a", 0, 3), requires=[at("a", 2, of="other")])
    plan, snapshot = inputs(framework({"a": 3}), {"a": 0}), Snapshot().put_courses("shared", [both, goal], 1)
    other = replace(framework({}, others=["a"]), id="other")
    other = replace(other, skills=[replace(one, title=text("law")) for one in other.skills])
    for view, named in (
        (snapshot.put_framework("shared", other, 2).view("agency"), "About law"),
        (snapshot.view("agency"), "a"),  # the tenant does not see that framework
    ):
        path = recommend(plan, view)
        assert f"Unlocks “About goal” (needs “{named}” at level 2 or above)" in sentences(path, path.steps[0]).en
        announced = expanded(compact(path))
        assert sentences(announced, announced.steps[0]) == sentences(path, path.steps[0])
        assert reference.recommend(plan, [both, goal], view.catalog_revision, view.frameworks) == path
        assert validate(path, plan, view.course, view.frameworks) == []
        (condition,) = path.steps[0].unlock_conditions.values()
        for wrong in (
            replace(condition, title=text("a")),
            replace(condition, framework=None, title=text("a")),
            replace(condition, level=1.0),
        ):
            steps = [replace(path.steps[0], unlock_conditions={"goal": wrong}), *path.steps[1:]]
            assert validate(replace(path, steps=steps), plan, view.course, view.frameworks)


def test_a_course_that_must_come_first_has_that_reason() -> None:
    courses = [course("x", ("x", 0, 2)), course("goal", ("a", 0, 1), requires=[Prerequisite(any=[after("x")])])]
    path = recommend(inputs(framework({"a": 1}, others=["x"]), {"a": 0}), view_of(courses))
    assert "(this course must come first)" in sentences(path, path.steps[0]).en
    assert "(ต้องเรียนหลักสูตรนี้ก่อน)" in sentences(path, path.steps[0]).th


def test_an_assumed_level_is_stated_as_assumed() -> None:
    path = recommend(inputs(framework({"a": 2})), view_of([course("c", ("a", 0, 2))]))
    assert "ยังไม่ได้ประเมิน" in sentences(path, path.steps[0]).th
    assert "not assessed yet" in sentences(path, path.steps[0]).en
    assert sentences(path).th.startswith("เส้นทางชั่วคราว")
    assert sentences(path).en.startswith("Provisional")


def test_a_course_that_does_not_fit_states_the_missing_hours() -> None:
    courses = [course("x", ("x", 0, 1), hours=3), course("goal", ("a", 0, 1), hours=5, requires=[after("x")])]
    path = recommend(inputs(framework({"a": 1}, others=["x"]), {"a": 0}, budget_hours=6.5), view_of(courses))
    assert sentences(path, path.open[0]).en == (
        "“About goal” teaches “About a” above level 0 (1 required). It takes 8 hours with its prerequisites; 6.5 left, "
        "1.5 too few."
    )
    assert "ต้องใช้อีก 8 ชั่วโมงรวมหลักสูตรพื้นฐาน เวลาเหลือ 6.5 ชั่วโมง ขาดอีก 1.5 ชั่วโมง" in sentences(path, path.open[0]).th


def test_the_path_states_its_totals() -> None:
    path = recommend(
        inputs(framework({"a": 4, "b": 1}), {"a": 0, "b": 0}), view_of([course("c", ("a", 0, 3), hours=2.5)])
    )
    assert sentences(path).en == "1 course in 2.5 hours closes 60% of the gap. 2 skills stay below the requirement."
    assert sentences(path).th == "เรียน 1 หลักสูตร รวม 2.5 ชั่วโมง ปิดช่องว่างได้ 60% ยังเหลือ 2 ทักษะที่ไม่ถึงระดับที่ต้องการ"


def test_reasons_are_in_both_languages_although_a_title_has_only_one() -> None:
    only_thai = msgspec.structs.replace(course("c", ("b", 0, 1), requires=[after("x")]), title=LocalizedText(th="ไทย"))
    courses = [course("x", ("a", 0, 1)), only_thai]
    path = recommend(inputs(framework({"b": 1}, others=["a"]), {"b": 0}), view_of(courses))
    assert "“ไทย”" in sentences(path, path.steps[0]).th
    assert "“ไทย”" in sentences(path, path.steps[0]).en


def test_a_path_is_rendered_in_the_requested_languages() -> None:
    path = recommend(inputs(framework({"a": 2})), view_of([course("c", ("a", 0, 2))]))
    thai, english, both = with_sentences(path, ["th"]), with_sentences(path, ["en"]), with_sentences(path)
    assert [(reason.th is None, reason.en is None) for reason in (thai.reason, english.reason, both.reason)] == [
        (False, True),
        (True, False),
        (False, False),
    ]
    assert thai.steps[0].reason.messages == both.steps[0].reason.messages != []
    assert path.reason.messages == []
