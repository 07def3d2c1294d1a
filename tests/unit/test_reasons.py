import msgspec
import pytest

from services.recommender.planner.explain.messages import number
from services.recommender.planner.pipeline import recommend
from shared.domain import LocalizedText, Prerequisite
from tests.support.builders import after, at, course, framework, inputs, view_of


@pytest.mark.parametrize(("value", "words"), [(1, "1"), (10, "10"), (2.5, "2.5"), (0.333333, "0.33"), (100.0, "100")])
def test_numbers_are_written_as_people_do(value: float, words: str) -> None:
    assert number(value) == words


def test_a_step_says_what_it_closes_in_both_languages_with_its_own_numbers() -> None:
    plan = inputs(framework({"a": 3, "b": 2}, weights={"a": 3}), {"a": 1, "b": 1.25})
    step = recommend(plan, view_of([course("c", ("a", 1, 2), ("b", 0, 2), hours=6)])).steps[0]
    assert step.reason.th == (
        "ลดช่องว่าง «เรื่อง a» จากระดับ 1 เป็น 2 (ต้องการ 3 ความสำคัญสูง) และปิดช่องว่าง «เรื่อง b» จากระดับ 1.25 เป็น 2 "
        "(ต้องการ 2 ความสำคัญรอง) ใช้เวลา 6 ชั่วโมง"
    )
    assert step.reason.en == (
        "Narrows the gap in “About a” from level 1 to 2 (3 required, high importance) and closes the gap in “About b” "
        "from level 1.25 to 2 (2 required, lower importance). Takes 6 hours."
    )
    for row in step.closes:
        for value in (row.from_level, row.to_level, row.required, step.course.hours):
            assert number(value) in step.reason.th
            assert number(value) in step.reason.en


def test_a_pure_prerequisite_says_what_it_unlocks() -> None:
    courses = [course("x", ("x", 0, 2), hours=1), course("goal", ("a", 0, 1), requires=[at("x", 2)])]
    step = recommend(inputs(framework({"a": 1}, others=["x"]), {"a": 0}), view_of(courses)).steps[0]
    assert (
        step.reason.en
        == "Included because it unlocks “About goal” (needs “About x” at level 2 or above). Takes 1 hour."
    )
    assert step.reason.th == ("อยู่ในเส้นทางเพราะเป็นพื้นฐานของ «เรื่อง goal» (ต้องมี «เรื่อง x» ระดับ 2 ขึ้นไป) ใช้เวลา 1 ชั่วโมง")


def test_a_course_that_must_come_first_is_said_to() -> None:
    courses = [course("x", ("x", 0, 2)), course("goal", ("a", 0, 1), requires=[Prerequisite(any=[after("x")])])]
    step = recommend(inputs(framework({"a": 1}, others=["x"]), {"a": 0}), view_of(courses)).steps[0]
    assert "(this course must come first)" in step.reason.en
    assert "(ต้องเรียนหลักสูตรนี้ก่อน)" in step.reason.th


def test_a_level_that_was_only_assumed_is_said_to_be() -> None:
    path = recommend(inputs(framework({"a": 2})), view_of([course("c", ("a", 0, 2))]))
    assert "ยังไม่ได้ประเมิน" in path.steps[0].reason.th
    assert "not assessed yet" in path.steps[0].reason.en
    assert path.reason.th.startswith("เส้นทางชั่วคราว")
    assert path.reason.en.startswith("Provisional")


def test_what_does_not_fit_says_by_how_much() -> None:
    courses = [course("x", ("x", 0, 1), hours=3), course("goal", ("a", 0, 1), hours=5, requires=[after("x")])]
    path = recommend(inputs(framework({"a": 1}, others=["x"]), {"a": 0}, budget_hours=6.5), view_of(courses))
    assert path.open[0].reason.en == (
        "“About goal” teaches “About a” above level 0 (1 required), but takes 8 hours with its prerequisites; "
        "6.5 left, 1.5 too few."
    )
    assert "ต้องใช้อีก 8 ชั่วโมงรวมหลักสูตรพื้นฐาน เวลาเหลือ 6.5 ชั่วโมง ขาดอีก 1.5 ชั่วโมง" in path.open[0].reason.th


def test_the_path_says_what_it_comes_to() -> None:
    path = recommend(
        inputs(framework({"a": 4, "b": 1}), {"a": 0, "b": 0}), view_of([course("c", ("a", 0, 3), hours=2.5)])
    )
    assert path.reason.en == "1 course in 2.5 hours closes 60% of the gap; 2 skills stay below the requirement."
    assert path.reason.th == "เรียน 1 หลักสูตร รวม 2.5 ชั่วโมง ปิดช่องว่างได้ 60% ยังเหลือ 2 ทักษะที่ไม่ถึงระดับที่ต้องการ"


def test_reasons_stand_in_both_languages_where_a_title_has_only_one() -> None:
    only_thai = msgspec.structs.replace(course("c", ("b", 0, 1), requires=[after("x")]), title=LocalizedText(th="ไทย"))
    courses = [course("x", ("a", 0, 1)), only_thai]
    first = recommend(inputs(framework({"b": 1}, others=["a"]), {"b": 0}), view_of(courses)).steps[0]
    assert "«ไทย»" in first.reason.th
    assert "“ไทย”" in first.reason.en
