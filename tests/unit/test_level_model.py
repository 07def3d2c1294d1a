"""The levels of a catalog, estimated together: from each row alone, and from the other courses."""

import pytest

from services.catalog.matching import CourseText, LevelRow, LevelTable
from services.catalog.matching.level_model import shipped
from shared.domain import Course, LocalizedText, Prerequisite, ScaleLevel, Skill, courses_named

DATA = Skill("data", "a", LocalizedText(en="Data analytics"))
LAW = Skill("law", "a", LocalizedText(en="Digital law"))


def scale(*levels: float) -> list[ScaleLevel]:
    return [ScaleLevel(level, LocalizedText(en=f"Grade {level:g} of all")) for level in levels]


def course(name: str, title: str = "Analytics", **more: object) -> CourseText:
    return CourseText(name, LocalizedText(en=title), **more)  # type: ignore[arg-type]


def table(*levels: float, skills: tuple[Skill, ...] = (DATA, LAW)) -> LevelTable:
    return LevelTable(skills, scale(*(levels or range(5))), shipped())


def row(*settled: float) -> list[LevelRow]:
    return [LevelRow("data", 1.0, (settled[0], settled[1]) if settled else None)]


def spans(*courses: tuple[CourseText, list[LevelRow]], on: LevelTable | None = None) -> list[tuple[float, float]]:
    levels = on or table()
    for text, rows in courses:
        levels.add(text, rows)
    return [(span.low, span.high) for span in levels.spans()]


def test_a_longer_course_leads_to_a_higher_level() -> None:
    short, long = spans((course("a", hours=3.0), row()), (course("b", hours=40.0), row()))
    assert short == (0, 1)
    assert long[1] > short[1]


def test_hours_count_relative_to_courses_of_the_same_skill() -> None:
    short = [(course(f"s{n}", hours=3.0), row()) for n in range(8)]
    long = [(course(f"l{n}", hours=30.0), row()) for n in range(8)]
    one = course("one", hours=9.0)
    among_short, among_long = spans(*short, (one, row()))[-1], spans(*long, (one, row()))[-1]
    assert among_short[1] > among_long[1]


@pytest.mark.parametrize("first", [(0.0, 1.0), (0.0, 2.0), (1.0, 3.0)])
def test_a_course_begins_where_the_one_before_it_ends(first: tuple[float, float]) -> None:
    known = (course("first"), row(*first))
    assert spans(known, (course("next", hours=12.0, after=("first",)), row()))[1][0] == first[1]


def test_a_course_ends_where_the_one_after_it_begins() -> None:
    first = (course("first", hours=12.0), row())
    assert spans(first, (course("next", after=("first",)), row(2.0, 3.0)))[0][1] == 2


@pytest.mark.parametrize(("usual", "entry"), [(3.0, 0), (11.0, 1)])
def test_a_course_much_longer_than_those_of_one_step_covers_more_steps(usual: float, entry: int) -> None:
    first = [(course(f"first{n}", hours=usual), row(0.0, 1.0)) for n in range(3)]
    second = [(course(f"second{n}", hours=8.0), row(1.0, 2.0)) for n in range(3)]
    after = (course("after", hours=18.0, after=("long",)), row(2.0, 3.0))
    assert spans((course("long", hours=14.0), row()), *first, *second, after)[0] == (entry, 2)


def test_courses_without_hours_are_compared_with_none() -> None:
    known = [(course("a", hours=8.0), row(1.0, 2.0)), (course("b", hours=16.0), row())]
    assert spans(*known, (course("c"), row(0.0, 2.0)))[:2] == spans(*known)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Statistics 1", "Statistics 2"),
        ("Statistics I", "Statistics II"),
        ("Statistics, part 1", "Statistics, part 2"),
        ("สถิติ ตอนที่ ๑", "สถิติ ตอนที่ ๒"),
    ],
)
def test_numbered_titles_follow_each_other(first: str, second: str) -> None:
    found = spans((course("a", first), row(0.0, 2.0)), (course("b", second, hours=12.0), row()))
    assert found[1][0] == 2


def test_courses_of_other_skills_and_cycles_change_nothing() -> None:
    alone = spans((course("b", hours=12.0, after=("a",)), row()))
    law = (course("a"), [LevelRow("law", 1.0, (3.0, 4.0))])
    assert spans(law, (course("b", hours=12.0, after=("a",)), row()))[1] == alone[0]
    circle = spans((course("a", hours=9.0, after=("b", "a")), row()), (course("b", hours=9.0, after=("a",)), row()))
    assert all(0 <= low < high <= 4 for low, high in circle)


def test_the_order_of_the_courses_does_not_matter() -> None:
    known = [(course(f"c{n}", hours=4.0 * n, after=(f"c{n - 1}",)), row()) for n in range(1, 7)]
    forth, back = spans(*known), spans(*reversed(known))
    assert forth == list(reversed(back))


def test_a_course_that_hardly_teaches_the_skill_hardly_changes_the_levels_of_others() -> None:
    def entry(confidence: float) -> float:
        levels = table()
        levels.add(course("next", hours=12.0, after=("first",)), row())
        levels.add(course("first"), [LevelRow("data", confidence, (0.0, 2.0))])
        return levels.spans()[0].entry_confidence

    unsure, sure = entry(0.05), entry(1.0)
    assert entry(0.0) == pytest.approx(unsure, abs=0.05)
    assert entry(0.0) < unsure < entry(0.5) < sure


def test_decided_levels_stay() -> None:
    assert spans((course("a", hours=40.0), row(0.0, 1.0)))[0] == (0, 1)


def test_the_required_entry_level_is_a_lower_bound() -> None:
    assert spans((course("a", hours=3.0, requires={"data": 2.0}), row()))[0][0] >= 2


def confidences(*courses: tuple[CourseText, list[LevelRow]]) -> list[float]:
    levels = table()
    for text, rows in courses:
        levels.add(text, rows)
    return [span.entry_confidence for span in levels.spans()]


def test_the_confidence_of_an_entry_is_one_where_people_decided_it() -> None:
    assert confidences((course("a", hours=3.0), row(2.0, 3.0))) == [1.0]


def test_the_confidence_of_an_entry_rises_with_what_is_known_about_it() -> None:
    first = (course("first"), row(0.0, 2.0))
    after = course("b", hours=12.0, after=("first",))
    alone, behind = confidences((after, row()))[0], confidences(first, (after, row()))[1]
    assert 0.5 <= alone < behind < 1


BY_FIRST = Prerequisite(course="first")
BY_LAW = Prerequisite(course="law")
BY_LEVEL = Prerequisite(framework="f", skill="data", level=2.5)


@pytest.mark.parametrize(
    ("conditions", "entry"),
    [
        ((BY_FIRST,), 0),
        ((Prerequisite(any=[BY_FIRST, BY_LEVEL]),), 0),
        ((Prerequisite(all=[BY_FIRST, BY_LAW]),), 0),
        ((BY_LAW, BY_FIRST), 0),
        ((Prerequisite(any=[BY_FIRST, BY_LAW]),), 2),  # "law" teaches nothing of the skill
        ((Prerequisite(any=[BY_FIRST, Prerequisite(course="not there")]),), 2),
        ((Prerequisite(any=[BY_FIRST, Prerequisite(framework="f", skill="data", level=0.5)]),), 2),
        ((Prerequisite(any=[BY_FIRST, Prerequisite(framework="g", skill="data", level=2.5)]),), 2),
    ],
)
def test_a_course_is_entered_by_way_of_the_courses_that_it_requires(
    conditions: tuple[Prerequisite, ...], entry: int
) -> None:
    levels = table()
    levels.add(course("first"), row(0.0, 2.0))
    levels.add(course("law"), [LevelRow("law", 1.0, (0.0, 2.0))])
    after = tuple(courses_named(list(conditions)))
    levels.add(course("next", hours=12.0, after=after, conditions=conditions, framework="f"), row(2.0, 3.0))
    assert levels.spans()[2] == (2, 3, entry, 1)


def test_several_courses_in_sequence_are_entered_at_the_entry_of_the_first() -> None:
    levels = table()
    for number in range(3):
        before = f"c{number - 1}"
        conditions = (Prerequisite(course=before),) if number else ()
        levels.add(course(f"c{number}", after=(before,), conditions=conditions), row(number, number + 1))
    assert [(span.low, span.entry) for span in levels.spans()] == [(0, 0), (1, 0), (2, 0)]


def test_courses_that_require_each_other_are_entered_at_their_own_level() -> None:
    levels = table()
    for one, other in (("first", "second"), ("second", "first")):
        levels.add(course(one, after=(other,), conditions=(Prerequisite(course=other),)), row(2.0, 3.0))
    assert [span.entry for span in levels.spans()] == [2, 2]


def test_a_required_course_that_ends_too_low_changes_no_entry() -> None:
    levels = table()
    levels.add(course("first"), row(0.0, 1.0))
    levels.add(course("next", after=("first",), conditions=(BY_FIRST,)), row(2.0, 3.0))
    assert levels.spans()[1].entry == 2


def test_the_confidence_of_an_entry_by_a_required_course_is_not_above_that_of_the_required_course() -> None:
    levels = table()
    levels.add(course("first", hours=12.0), row())
    levels.add(course("next", hours=12.0, after=("first",), conditions=(BY_FIRST,)), row(2.0, 3.0))
    first, second = levels.spans()
    assert second.entry == first.low < second.low
    assert second.entry_confidence <= first.entry_confidence < 1


@pytest.mark.parametrize("hours", [None, 0.5, 9.0, 200.0])
@pytest.mark.parametrize("title", ["Analytics", "Advanced analytics", "Introduction to analytics"])
def test_an_entry_is_more_likely_right_than_wrong(hours: float | None, title: str) -> None:
    assert 0.5 <= confidences((course("a", title, hours=hours), row()))[0] <= 1


def test_a_descriptor_raises_its_level() -> None:
    steps = [ScaleLevel(4, LocalizedText(en="Builds predictive models"))]
    described = Skill("data", "a", LocalizedText(en="Data analytics"), descriptors=steps)
    text = course("a", "Builds predictive models", hours=10.0)
    assert spans((text, row()), on=table(skills=(described,)))[0][1] > spans((text, row()))[0][1]


@pytest.mark.parametrize(
    "steps", [(0, 1), (0, 1, 2), (1, 2, 3), (0, 25, 50, 75, 100), tuple(range(8)), tuple(range(101))]
)
@pytest.mark.parametrize("hours", [None, 0.1, 12.0, 5000.0])
@pytest.mark.parametrize("stated", [None, "advanced"])
def test_levels_stay_on_any_scale(steps: tuple[float, ...], hours: float | None, stated: str | None) -> None:
    texts = [
        course("a", hours=hours, level=stated, requires={"data": 99.0}),
        course("b", hours=hours, after=("a", "not-there")),
    ]
    for low, high in spans(*((text, row()) for text in texts), on=table(*steps)):
        assert steps[0] <= low < high <= steps[-1]
        assert {low, high} <= set(steps)


def test_courses_in_entry_conditions_are_found_at_any_depth() -> None:
    one = Course(
        "c",
        LocalizedText(en="c"),
        LocalizedText(en="p"),
        3.0,
        languages=["en"],
        requires=[Prerequisite(any=[Prerequisite(course="a"), Prerequisite(all=[Prerequisite(course="b")])])],
    )
    assert CourseText.of(one, "f", {}).after == ("a", "b")
