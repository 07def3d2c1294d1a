"""Rows of a course list that are no course: totals, courses that are not offered, rows without a title."""

import json

import msgspec
import pytest

from services.catalog.importers import Format, ListReader, Options
from shared.errors import InvalidInput, Problem
from tests.support.course_lists import THAI, courses, read, workbook


def test_every_fault_of_a_row_is_reported_with_its_text() -> None:
    _, [row] = read("csv", b"code,title,hours\nC 1,,20000\n", Options(columns="guess"))
    assert sorted((one.field, one.status) for one in row.problems) == [("hours", 422), ("title", 422)]
    assert row.begins == "C 1"


def test_a_title_that_says_nothing_is_no_title() -> None:
    body = f"Title (TH),Title (EN)\n{THAI},null\nNone,N/A\n"
    _, (named, nameless) = read("csv", body.encode())
    assert named.content
    assert msgspec.to_builtins(named.content.title) == {"th": THAI}
    assert [one.field for one in nameless.problems] == ["title"]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("word", ["รวม", "รวมทั้งสิ้น", "รวมทั้งสิ้น 12 หลักสูตร", "Total", "GRAND TOTAL:", "ยอดรวม"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_row_of_totals_is_refused_and_is_no_course(form: Format, word: str, place: int) -> None:
    cells = [["No.", "title", "hours"], ["1", "Course", "3"], ["", "", "3"]]
    cells[2][place] = word
    body = workbook(*cells) if form == "xlsx" else "\n".join(map(",".join, cells)).encode()
    _, rows = read(form, body)
    assert [(row.number, row.content is None) for row in rows] == [(2, False), (3, True)]
    assert [(one.field, one.detail) for one in rows[1].problems] == [
        ("title", f"{word!r} marks a row of totals, which is not a course")
    ]


@pytest.mark.parametrize("row", ["x1,Total", "x1,รวม", ",Total quality management", ",รวมพลังสร้างสรรค์", ",Summary"])
def test_a_course_whose_title_is_like_a_total_is_a_course(row: str) -> None:
    assert [one.hours for one in courses("csv", f"id,title,hours\n{row},3\n")] == [3]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("row", ["รวม,,2 หลักสูตร,18", ",รวม,2 หลักสูตร,18", "Total,Total,12,18", ",Grand total,,18"])
def test_a_word_for_totals_in_another_column_than_the_title_marks_a_row_of_totals(form: Format, row: str) -> None:
    cells = [["No.", "code", "title", "hours"], ["1", "A", "1984", "3"], row.split(",")]
    _, rows = read(form, workbook(*cells) if form == "xlsx" else "\n".join(map(",".join, cells)).encode())
    assert [row.content is None for row in rows] == [False, True]
    assert rows[1].problems[0].detail.endswith("marks a row of totals, which is not a course")


@pytest.mark.parametrize("row", ["Total,Statistics,3", "x1,12 courses,3", ",1984,3"])
def test_a_row_that_something_else_names_is_no_row_of_totals(row: str) -> None:
    assert [one.hours for one in courses("csv", f"id,title,hours\n{row}\n")] == [3]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_row_that_repeats_the_header_is_no_course(form: Format) -> None:
    cells = [["ชื่อหลักสูตร", "Hours"], ["A", "3"], ["\ufeffชื่อหลักสูตร", " Hours"], ["B", "4"]]
    _, rows = read(form, workbook(*cells) if form == "xlsx" else "\n".join(map(",".join, cells)).encode())
    assert [(row.number, row.content is None) for row in rows] == [(2, False), (3, True), (4, False)]
    assert rows[1].problems[0].detail == "the row repeats the names of the columns, and is no course"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("names", "row"),
    [
        (["HOURS", "Provider", "course NAME"], ["4", "P", "B"]),
        (["Course name", "Hours (minutes)", "Provider"], ["B", "240", "P"]),
        (["Course name", "Duration (minutes)", "Provider", "No."], ["B", "240", "P", "1"]),
        (["ชื่อหลักสูตร", "ระยะเวลา (ชั่วโมง)", "หน่วยงาน"], ["B", "4", "P"]),
        (["Course name", "ระยะเวลา", "", "Provider"], ["", "วัน", "ชั่วโมง", ""]),
    ],
)
def test_the_header_of_a_joined_page_is_no_course_and_names_the_columns_of_the_rows_below(
    form: Format, names: list[str], row: list[str]
) -> None:
    cells = [["Course name", "Hours", "Provider"], ["A", "3", "P"], names, row, ["B", "1", "4", "P"]]
    cells = cells[: 5 if "" in row else 4]
    _, rows = read(form, workbook(*cells) if form == "xlsx" else "\n".join(map(",".join, cells)).encode())
    found = [row.content and (row.content.title.en, row.content.hours, row.content.provider.en) for row in rows]
    assert found == [("A", 3, "P"), None, ("B", 4, "P")]
    assert rows[1].problems[0].detail == "the row repeats the names of the columns, and is no course"
    assert not rows[1].is_entry


def test_a_first_row_that_names_as_many_columns_as_the_header_gets_a_result() -> None:
    _, rows = read(
        "csv", b"Title,Category,Language\nCourse,Skills,Thai\nStatistics,Data,Thai\n", Options(columns="guess")
    )
    assert [row.number for row in rows] == [2, 3]
    assert rows[0].problems[0].detail == "the row repeats the names of the columns, and is no course"


def test_a_joined_page_whose_columns_are_not_known_ends_the_reading() -> None:
    body = b"Name,Std\nA,3\nName,Title\nB,4\n"
    reader = ListReader("csv", Options(columns="title=Name,hours=Std"))
    with pytest.raises(InvalidInput, match="no column 'Std'"):
        [*reader.feed(body), *reader.end()]


@pytest.mark.parametrize("row", ["Language,Skills,Thai,3", "Course,Statistics,Thai,3", "Title,,,"])
def test_a_course_whose_cells_are_names_of_columns_is_a_course(row: str) -> None:
    assert len(courses("csv", f"title,tags,languages,hours\n{row}\nB,x,th,4\n")) == 2


@pytest.mark.parametrize("word", ["รวมทั้งสิ้น", "Total"])
def test_a_complete_course_with_an_id_is_one_whatever_its_title(word: str) -> None:
    whole = {"id": "x1", "title": {"th": word}, "provider": {"th": "ผู้จัด"}, "hours": 3.0, "languages": ["th"]}
    assert [one.id for one in courses("ndjson", json.dumps(whole).encode())] == ["x1"]
    del whole["id"]
    _, [row] = read("ndjson", json.dumps(whole).encode())
    assert (row.content, [one.field for one in row.problems]) == (None, ["id"])


@pytest.mark.parametrize(
    ("row", "detail"), [("x1,,3", "is missing: a course needs a title"), (",N/A,3", "'N/A' is no title")]
)
def test_a_course_without_a_title_is_refused_in_plain_words(row: str, detail: str) -> None:
    _, [found] = read("csv", f"id,title,hours\n{row}\n".encode())
    assert found.content is None
    assert [(one.field, one.detail) for one in found.problems] == [("title", detail)]


@pytest.mark.parametrize("words", ["N/A", "-", "null", "#REF!", "#N/A", "Loading...", "?", "(ว่าง)"])
@pytest.mark.parametrize("identifier", ["x-1", "N/A", ""])
def test_a_row_whose_title_says_nothing_is_no_course(words: str, identifier: str) -> None:
    _, [row] = read("csv", f"id,title,provider\n{identifier},{words},P\n".encode())
    assert [(one.field, one.detail) for one in row.problems] == [("title", f"{words!r} is no title")]
    assert row.begins in (identifier, words, f"{identifier} {words} P".strip())


@pytest.mark.parametrize(
    ("name", "no", "yes"),
    [
        ("status", "deleted", "active"),
        ("visible", "0", "1"),
        ("สถานะ", "ยกเลิก", "เปิดรับสมัคร"),
        ("published", "FALSE", "TRUE"),
        ("Availability", "Closed", "Open"),
        ("Enrollment status", "Enrollment closed", "Open for enrollment"),
        ("สถานะการรับสมัคร", "ปิดรับสมัครแล้ว", "เปิดรับสมัคร"),
        ("สถานะ", "ปิดรับสมัคร", "กำลังเปิดรับ"),
        ("Available", "N", "Y"),
        ("Hidden", "Yes", "No"),
        ("archived", "true", "false"),
    ],
)
def test_a_course_that_its_provider_does_not_offer_is_refused(name: str, no: str, yes: str) -> None:
    _, rows = read("csv", f"title,{name}\nA,{no}\nB,{yes}\nC,\n".encode())
    fact = "hidden" if name in ("Hidden", "archived") else "offered"
    assert [[one.field for one in row.problems] for row in rows] == [[fact], [], []]
    assert rows[0].problems[0].detail == f"{no!r} says that it is not offered"


@pytest.mark.parametrize(
    ("status", "visible", "refused"), [("active", "0", "0"), ("active", "1", ""), ("inactive", "1", "inactive")]
)
def test_every_column_about_the_offer_counts(status: str, visible: str, refused: str) -> None:
    _, [row] = read("csv", f"id,fullname,status,visible,delete\n1,A,{status},{visible},0\n".encode())
    expected = [("offered", f"'{refused}' says that it is not offered")] if refused else []
    assert [(one.field, one.detail) for one in row.problems] == expected


def test_a_row_of_an_upload_that_deletes_a_course_is_refused() -> None:
    _, rows = read("csv", b"shortname,fullname,customfield_hours,delete\nA1,A,6,0\nA2,B,3,1\n")
    assert [row.problems[0].field if row.problems else row.content and row.content.hours for row in rows] == [
        6,
        "hidden",
    ]


@pytest.mark.parametrize("form", ["csv", "ndjson", "jsonld"])
@pytest.mark.parametrize("body", ["<?xml version='1.0'?>\n<manifest identifier='x'/>", "<m:courseStructure/>"])
def test_the_manifest_of_a_package_is_refused_as_such(form: Format, body: str) -> None:
    with pytest.raises(Problem) as refused:
        read(form, body.encode())
    assert "manifest of a package" in refused.value.detail


@pytest.mark.parametrize(
    "line", ["หน้า 3/5", "รายงานหลักสูตร หน้า ๒", "Page 3 of 5", "หมวดที่ 1 ดิจิทัล", "หมวด ก. ภาษา", "รายชื่อหลักสูตร ปี ๒๕๖๗"]
)
def test_a_line_between_courses_is_no_course(line: str) -> None:
    body = f"รายชื่อหลักสูตร ปี 2567,,\nชื่อหลักสูตร,ชั่วโมง,หน่วยงาน\nสถิติ,6,กพ\n{line},,\n{line},3,\n"
    _, rows = read("csv", body.encode())
    assert [(row.number, row.content is None) for row in rows] == [(3, False), (4, True), (5, False)]
    assert not rows[1].is_entry
    assert rows[1].problems[0].detail.endswith("is a line between courses, and is no course")


@pytest.mark.parametrize("words", ["Average", "ค่าเฉลี่ย", "Grand Total (2 courses)", "รวม 2 หลักสูตร 7 ชั่วโมง"])
def test_a_row_of_counts_is_no_course(words: str) -> None:
    _, rows = read("csv", f"no,title,hours\n1,A,3\n,{words},3\n".encode())
    assert [row.content is None for row in rows] == [False, True]
    assert rows[1].problems[0].detail == f"{words!r} marks a row of totals, which is not a course"


@pytest.mark.parametrize("row", ["สรุป,2 หลักสูตร,7", "X,,\nสรุป,,", '"สรุป, 2 หลักสูตร",,7', "สรุปรวม,,7", "สรุปยอด,,7"])
def test_a_row_with_the_thai_word_for_a_summary_is_a_row_of_totals(row: str) -> None:
    _, rows = read("csv", f"title,tags,hours\nA,,3\n{row}\n".encode())
    assert rows[-1].problems[0].detail.endswith("marks a row of totals, which is not a course")


def test_a_course_about_summaries_is_a_course() -> None:
    assert [one.title.th for one in courses("csv", "title\nการเขียนสรุป\nสรุปความ\n")] == ["การเขียนสรุป", "สรุปความ"]


def test_the_rows_of_a_joined_page_with_fewer_columns_are_refused_with_the_reason() -> None:
    _, rows = read("csv", b"Course name,Hours,Provider\nA,3,P\nCourse name,Hours\nB,4\n")
    assert [row.content is None for row in rows] == [False, True, True]
    assert [row.problems[0].detail for row in rows[1:]] == ["has 2 columns; the first row has 3"] * 2


def test_a_kind_of_content_that_tells_no_modality_gives_no_warning() -> None:
    _, rows = read("csv", b"Asset ID,Title,Content Type,Hours\na1,A,Course,3\na2,B,Video,1\na3,C,Hologram,1\n")
    found = [row.content for row in rows if row.content]
    assert [(one.id, one.modality) for one in found] == [("a1", "online"), ("a2", "online"), ("a3", "online")]
    assert [[one.field for one in row.warnings] for row in rows] == [[], [], ["modality"]]
