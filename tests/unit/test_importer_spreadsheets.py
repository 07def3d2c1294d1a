"""What people and spreadsheet programs write into lists of courses: notes, sections, rounded numbers, list marks."""

import io

import openpyxl
import pytest

from services.catalog.importers import Format
from services.catalog.importers.durations import duration_of
from services.catalog.importers.words import list_of
from shared.errors import Malformed
from tests.support.course_lists import courses, read, workbook


@pytest.mark.parametrize(
    ("text", "hours", "between"),
    [
        ("บรรยาย 30 ชั่วโมง ปฏิบัติ 15 ชั่วโมง", 45, False),
        ("ทฤษฎี 3 ชม. ปฏิบัติ 3 ชม.", 6, False),
        ("30h lecture, 15h lab", 45, False),
        ("video 3 hours, workshop 3 hours", 6, False),
        ("3 hours of video, 3 hours of exercises", 6, False),
        ("วิดีโอ 3 ชม. สัมมนา 3 ชม.", 6, False),
        ("3 hours (3 hours of video)", 3, False),
        ("video 3 hours or workshop 3 hours", 3, False),
        ("บรรยาย 30 ชม. ปฏิบัติ 15 ชม. รวม 45 ชม.", 45, False),
        ("Total 45h: lecture 30h, lab 15h", 45, False),
        ("online 3 hours or onsite 6 hours", 3, False),
        ("ออนไลน์ 3 ชม. หรือ ในห้อง 6 ชม.", 3, False),
        ("3 hours, 3 hours", 3, False),
        ("1 วัน (6 ชั่วโมง 30 นาที)", 6.5, False),
        ("2 hours (2 hours of video, 30 minutes of reading)", 2, False),
        ("30 นาที - 1 ชั่วโมง", 0.75, True),
        ("1 hour to 90 minutes", 1.25, True),
        ("3 ชั่วโมง - 4 ชั่วโมง", 3.5, True),
        ("1 hour - 30 minutes", 1.5, False),
        ("2 business days", 12, False),
    ],
)
def test_amounts_of_parts_add_up_and_ranges_may_have_two_units(text: str, hours: float, between: bool) -> None:
    read = duration_of(text)
    assert read is not None
    assert (read.hours, read.between) == (hours, between)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("x • y • z", ["x", "y", "z"]),
        ("- x\n- y", ["x", "y"]),
        ("1. x 2. y", ["x", "y"]),
        ("x;#1;#y;#2", ["x", "y"]),
        ("x;#y", ["x", "y"]),
        ('{x,"y z"}', ["x", "y z"]),
        ("C#, Python 3. Basics", ["C#", "Python 3. Basics"]),
        ("A - B testing", ["A - B testing"]),
    ],
)
def test_marks_of_lists_are_no_part_of_their_items(text: str, items: list[str]) -> None:
    assert list_of(text) == items


@pytest.mark.parametrize(
    "note",
    [
        "หมายเหตุ : หลักสูตรอาจเปลี่ยนแปลง",
        "หมายเหตุ",
        "ที่มา: สำนักงาน ก.พ.",
        "ข้อมูล ณ วันที่ ๑ มกราคม ๒๕๖๘",
        "Note: subject to change",
        "* หมายเหตุ: ไม่มีค่าใช้จ่าย",
    ],
)
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_note_below_a_table_is_no_course(form: Format, note: str) -> None:
    rows = [("title", "hours"), ("หมายเหตุในงานเขียน", ""), ("First", "3"), (note, "")]
    rows += [("1. เรียนฟรี", ""), ("2. Other", ""), ("3. Third", "4")]
    body = workbook(*rows) if form == "xlsx" else "\n".join(map(",".join, rows)).encode()
    _, found = read(form, body)
    assert [row.number for row in found if row.problems] == [4, 5, 6]
    assert [row.content.hours for row in found if row.content] == [10, 3, 4]


def test_a_cell_that_is_merged_over_the_columns_of_facts_is_no_course() -> None:
    book = openpyxl.Workbook()
    for row in (("title", "more", "hours"), ("กลุ่มดิจิทัล",), ("First", None, 3), ("Second", None, None)):
        book.active.append(row)
    book.active.merge_cells("A2:C2")
    book.active.merge_cells("A4:B4")
    file = io.BytesIO()
    book.save(file)
    _, found = read("xlsx", file.getvalue())
    assert [(row.number, bool(row.problems)) for row in found] == [(2, True), (3, False), (4, False)]


@pytest.mark.parametrize("fact", ["id", "code"])
@pytest.mark.parametrize("words", ["2.02E+11", "2,02e+11", "1E+15"])
def test_a_number_that_a_spreadsheet_rounded_names_no_course(fact: str, words: str) -> None:
    _, found = read("csv", f"{fact};title\n{words};First\n{words};Second\n".encode())
    assert [row.content.title.en for row in found if row.content] == ["First", "Second"]
    assert len({row.content.id for row in found if row.content}) == 2
    assert all(fact in [one.field for one in row.warnings] for row in found)


def test_a_number_with_more_digits_than_a_workbook_keeps_names_no_course() -> None:
    found = courses("xlsx", workbook(("code", "title"), (1.2345678901234568e17, "First"), (123456789012345, "Second")))
    assert [one.code for one in found] == [None, "123456789012345"]


def test_characters_without_width_make_no_other_id() -> None:
    found = courses("csv", "id,title\nCS\u200b101,First\n\ufeffCS102,Second\n\u200eCS-3\u00ad,Third\n")
    assert [one.id for one in found] == ["CS101", "CS102", "CS-3"]


def test_a_date_outside_the_calendar_costs_no_course() -> None:
    _, [row] = read("csv", b"title,start date\nFirst,1/1/0068\n")
    assert row.content
    assert [one.detail for one in row.warnings if one.field == "starts"] == ["'1/1/0068': there is no such year"]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<html><table><tr><td>title</td></tr></table>", "this is HTML or XML"),
        ("\ufeff <!DOCTYPE html><table>", "this is HTML or XML"),
        ('<?xml version="1.0"?><Workbook>', "this is HTML or XML"),
        ('[{"title": "A"}]', "this is JSON"),
        ('{"courses": []}', "this is JSON"),
    ],
)
def test_another_format_that_is_sent_as_a_table_is_named(form: Format, body: str, kind: str) -> None:
    with pytest.raises(Malformed, match=f"^{kind}"):
        read(form, body.encode())
