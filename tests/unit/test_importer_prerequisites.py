"""Prerequisites in words: read where every word is understood, else left to the reader."""

from typing import Any

import msgspec
import pytest

from services.catalog.importers.prerequisites import code_key, conditions_of, requires_nothing


def c(name: str) -> dict[str, Any]:
    return {"course": name}


@pytest.mark.parametrize(
    ("text", "requires"),
    [
        ("CS 101", [c("cs101")]),
        ("CS101, CS 102 and CS-103", [c("cs101"), c("cs102"), c("cs-103")]),
        ("CS 101, CS 102, or CS 103", [{"any": [c("cs101"), c("cs102"), c("cs103")]}]),
        ("CS 101 and (MATH 2 or MATH 3)", [c("cs101"), {"any": [c("math2"), c("math3")]}]),
        ("A and (B or C)", [c("a"), {"any": [c("b"), c("c")]}]),
        ("CS 101 or CS 102 and CS 103", [{"any": [c("cs101"), {"all": [c("cs102"), c("cs103")]}]}]),
        (
            "(CS 101 or CS 102) and (CS 103 or CS 104)",
            [{"any": [c("cs101"), c("cs102")]}, {"any": [c("cs103"), c("cs104")]}],
        ),
        ("CS 101 and either CS 102 or CS 103", [c("cs101"), {"any": [c("cs102"), c("cs103")]}]),
        ("either CS 101 or CS 102 and CS 103", [{"any": [c("cs101"), c("cs102")]}, c("cs103")]),
        ("One of CS 101, CS 102, CS 103", [{"any": [c("cs101"), c("cs102"), c("cs103")]}]),
        ("CS 1 and one of CS 22, CS 33 and CS 44", [c("cs1"), {"any": [c("cs22"), c("cs33"), c("cs44")]}]),
        ("at least one of CS 11 or CS 12, and CS 30", [{"any": [c("cs11"), c("cs12")]}, c("cs30")]),
        ("any of (CS 101, CS 102); CS 103", [{"any": [c("cs101"), c("cs102")]}, c("cs103")]),
        ("หนึ่งใน คพ 101, คพ 102", [{"any": [c("คพ101"), c("คพ102")]}]),
        ("Prerequisites: 6.041 or 6.042.", [{"any": [c("6.041"), c("6.042")]}]),
        ("วิชาบังคับก่อน: คพ 101 และ คพ 102", [c("คพ101"), c("คพ102")]),
        ("คพ 101 หรือ คพ 102", [{"any": [c("คพ101"), c("คพ102")]}]),
        ("15-122 and 204111", [c("15-122"), c("204111")]),
        ("CS 101 or 102", [{"any": [c("cs101"), c("cs102")]}]),
        ("CS 101, 102, and MATH 103", [c("cs101"), c("cs102"), c("math103")]),
        ("คพ 101 หรือ 102", [{"any": [c("คพ101"), c("คพ102")]}]),
        ("CS 225/ECE 225, CS 101/102", [{"any": [c("cs225"), c("ece225")]}, {"any": [c("cs101"), c("cs102")]}]),
        ("either CS 101 or both CS 102 and CS 103", [{"any": [c("cs101"), {"all": [c("cs102"), c("cs103")]}]}]),
        ("Students must have completed CS 101", [c("cs101")]),
        ("Prereq: successful completion of CS 101", [c("cs101")]),
        ("ผู้เรียนต้องผ่านรายวิชา คพ 101 มาก่อน", [c("คพ101")]),
        ("ต้องสอบผ่าน 204111 ก่อน", [c("204111")]),
    ],
)  # fmt: skip
def test_an_expression_is_parsed(text: str, requires: list[dict[str, Any]]) -> None:
    found = conditions_of(text, code_key)
    assert (found.understood, found.whole, msgspec.to_builtins(found.requires)) == (True, True, requires)


@pytest.mark.parametrize(
    ("text", "requires", "corequisites", "antirequisites"),
    [
        ("CS 101; concurrent with CS 102", ["cs101"], ["cs102"], []),
        ("CS 101 and concurrent enrollment in CS 102", ["cs101"], ["cs102"], []),
        ("Corequisite: CS 102", [], ["cs102"], []),
        ("คพ 101 และเรียนพร้อมกับ คพ 102", ["คพ101"], ["คพ102"], []),
        ("not for those who took CS 99", [], [], ["cs99"]),
        ("CS 101. Not open to students with credit for CS 99 or CS 98.", ["cs101"], [], ["cs99", "cs98"]),
        ("ไม่เปิดสำหรับผู้ที่เคยเรียน คพ 100", [], [], ["คพ100"]),
        ("Prerequisite or corequisite: CS 102", [], ["cs102"], []),
        ("CS 101 and CS 102 (may be taken concurrently); CS 103", ["cs101", "cs103"], ["cs102"], []),
        ("คพ 101 ศึกษาพร้อมกันได้", [], ["คพ101"], []),
        ("CS 101 และ CS 102 (สามารถลงทะเบียนเรียนควบคู่กันได้)", ["cs101"], ["cs102"], []),
    ],
)
def test_corequisites_and_antirequisites_are_parsed_separately(
    text: str, requires: list[str], corequisites: list[str], antirequisites: list[str]
) -> None:
    found = conditions_of(text, code_key)
    assert found.understood
    assert [one.course for one in found.requires] == requires
    assert (found.corequisites, found.antirequisites) == (corequisites, antirequisites)


@pytest.mark.parametrize(
    "text",
    [
        "CS 101 or consent of instructor",
        "CS 101 and permission of the department",
        "คพ 101 หรือได้รับอนุญาตจากผู้สอน",
        "CS 101 or equivalent",
        "CS 101 (or equivalent experience)",
        "คพ 101 หรือเทียบเท่า",
        "CS 101 with a grade of C or better",
        "CS 101 (minimum grade C)",
        "C- or better in CS 101",
        'CS 101 with a minimum grade of "B"',
    ],
)
def test_consent_a_grade_and_an_equivalent_are_kept_in_the_text_only(text: str) -> None:
    found = conditions_of(text, code_key)
    assert (found.understood, found.whole, len(found.requires)) == (True, False, 1)


@pytest.mark.parametrize("between", [" or equivalent and ", ", or equivalent, and ", " or consent of instructor, and "])
def test_what_may_take_the_place_of_a_course_belongs_to_that_course_alone(between: str) -> None:
    found = conditions_of(f"CS 101{between}CS 102", code_key)
    assert (found.whole, msgspec.to_builtins(found.requires)) == (False, [c("cs101"), c("cs102")])
    either = conditions_of("CS 101, CS 102, or consent of instructor", code_key)
    assert msgspec.to_builtins(either.requires) == [{"any": [c("cs101"), c("cs102")]}]


@pytest.mark.parametrize(
    "text",
    [
        "12-15",
        "2020-2021",
        "a good command of English",
        "a CS 100-level course",
        "two of CS 101, CS 102, CS 103",
        "one of CS 101",
        "any of (CS 101, CS 102",
        "CS 101 and a good command of English",
        "CS 101 and",
        "and CS 101",
        "CS 101 (or CS 102)",
        "CS 101 or graduate standing",
        "consent of instructor",
        "Python 3",
        "Windows 10",
        "Grade 12",
        "มัธยมศึกษาปีที่ 6",
        "concurrent with CS 101 or CS 102",
        "CS 101 or MATH 120 (may be taken concurrently)",
        "CS 101 and 3 years of experience",
        "CS 101 or 15 credits",
        "CS 101 or 4711",
        "101 or 102",
        "CS 101 recommended",
        "CS 101 unless waived",
        "students who have taken CS 101 may not enroll",
        "ต้องเรียนก่อน คพ 101",
        "ไม่ต้องผ่าน คพ 101",
        "both " * 300 + "CS 101 and CS 102",
        "(" * 500 + "CS 101" + ")" * 500,
        "CS 101 " * 1000,
        "",
    ],
)
def test_a_text_that_is_not_fully_understood_is_not_enforced(text: str) -> None:
    found = conditions_of(text, code_key)
    assert (found.understood, found.requires, found.corequisites) == (False, [], [])


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("No prior experience required.", True),
        ("no prerequisites", True),
        ("None required", True),
        ("None enforced", True),
        ("No previous experience necessary!", True),
        ("Ninguno.", True),
        ("Aucun.", True),
        ("Ninguno salvo CS 101", False),
        ("Prerequisites: none", True),
        ("ไม่มีวิชาบังคับก่อน", True),
        ("วิชาบังคับก่อน : ไม่มี", True),
        ("ไม่จำเป็นต้องมีพื้นฐานมาก่อน", True),
        ("No prior experience required, but CS 101 helps", False),
        ("ไม่มีพื้นฐานต้องเรียน คพ 101 ก่อน", False),
        ("ควรมีพื้นฐานคอมพิวเตอร์", False),
        ("", False),
    ],
)
def test_a_text_may_state_that_nothing_is_required(text: str, *, nothing: bool) -> None:
    assert requires_nothing(text) == nothing


def test_in_a_file_with_ids_conditions_refer_to_ids() -> None:
    found = conditions_of("intro-1 and (intro_2 or SQL)", str, ids=True)
    assert msgspec.to_builtins(found.requires) == [c("intro-1"), {"any": [c("intro_2"), c("SQL")]}]
    assert not conditions_of("algebra and geometry", str, ids=True).understood


@pytest.mark.parametrize("text", ["CS 101-103", "CS101-CS103 and CS101-105", "MATH 201 - 204"])
def test_codes_from_one_to_another_are_not_read_as_one_code(text: str) -> None:
    assert not conditions_of(text, str.casefold).understood


@pytest.mark.parametrize(
    "text",
    [
        "CS101 AND NOT CS102", "NOT CS101", "NO", "TBC", "SEE NOTES", "UNLESS CS101", "CS101 RECOMMENDED", "OPTIONAL",
        "GPA 2.00", "ISO 27001", "IELTS 6.5", "PRE-REQ FOR CS102", "CS101 XOR CS102",
    ],
)  # fmt: skip
def test_prose_in_capitals_is_no_id(text: str) -> None:
    """In a file with ids, a word in capitals may be one; `NOT` before an id means the contrary of requiring it."""
    assert not conditions_of(text, code_key, ids=True).understood


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize(
    "text",
    ["1. CS101 2. CS102", "1) CS101\n2) CS102", "- CS101\n- CS102", "• CS101 • CS102", "CS101 (3-0-6), CS102 (2-2-5)"],
)
def test_the_marks_of_a_list_and_hours_of_credits_are_no_courses(text: str, *, ids: bool) -> None:
    found = conditions_of(text, code_key, ids=ids)
    assert msgspec.to_builtins(found.requires) == [c("cs101"), c("cs102")]


@pytest.mark.parametrize(
    ("text", "name"),
    [("Co-req CS101", "corequisites"), ("Coreqs: CS101", "corequisites"), ("Anti-req: CS101", "antirequisites")],
)
@pytest.mark.parametrize("ids", [True, False])
def test_short_words_for_other_conditions_are_read(text: str, name: str, *, ids: bool) -> None:
    found = conditions_of(text, code_key, ids=ids)
    assert (found.requires, getattr(found, name)) == ([], ["cs101"])


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "TOEIC 600", "CS101 or TOEFL 550", "HSK 4", "ITIL 4", "COBIT 2019", "PMP 6", "NIST 800-53", "IEC 27001",
        "COVID 19", "Excel 2016", "พ.ร.บ. 2562", "พรบ. 2562", "พ.ศ. 2562", "มอก. 9001", "หมวด 12",
        "CS101 1. CS102", "CS101 2567", "5G 101",
    ],
)  # fmt: skip
def test_numbers_of_tests_standards_laws_and_lists_are_no_courses(text: str, *, ids: bool) -> None:
    assert not conditions_of(text, code_key, ids=ids).understood
