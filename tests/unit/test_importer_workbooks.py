"""Course lists in Excel workbooks: headers, limits, and files that are no workbook."""

import io
import re
import zipfile

import openpyxl
import pytest
from openpyxl.chart import BarChart

from services.catalog.importers import Format, Options
from shared.domain import LocalizedText
from shared.errors import InvalidInput, Malformed, Problem, TooLarge
from tests.support.course_lists import THAI, courses, read, workbook


def test_a_workbook_is_read_cell_by_cell() -> None:
    body = workbook(["title", "code", "hours", "url"], [THAI, 101, 6.0, None], [None], ["two", "x", "2 h", ""])
    first, second = courses("xlsx", body, size=1000)
    assert (first.title.th, first.code, first.hours) == (THAI, "101", 6)
    assert second.hours == 2


def test_titles_over_a_table_and_names_in_two_rows_are_its_header() -> None:
    """As agencies write it: merged cells are empty but for the first."""
    body = workbook(
        ["หลักสูตรฝึกอบรม ปีงบประมาณ 2568", None, None],
        ["หน่วยงาน: สำนักงาน ก.พ."],
        ["ลำดับ", "หลักสูตร", None, "ระยะเวลา", None, "วันที่เริ่ม"],
        [None, "ชื่อไทย", "ชื่ออังกฤษ", "วัน", "ชั่วโมง", None],
        [1, "สถิติ", "Statistics", 2, 12, 45000],
        [2, "ข้อมูล", None, 3, "๑๘,๕", "1 มีนาคม 2568"],
    )
    reader, rows = read("xlsx", body)
    assert reader.columns[1] == ["ลำดับ"]
    assert reader.columns[0]["duration"] == ["ระยะเวลา วัน"]
    found = [(row.number, row.content.hours, str(row.content.starts)) for row in rows if row.content]
    assert found == [(5, 12.0, "2023-03-15"), (6, 18.5, "2025-03-01")]
    assert rows[0].content is not None
    assert rows[0].content.title == LocalizedText(th="สถิติ", en="Statistics")
    shifted = "รายชื่อหลักสูตร;;\nชื่อ;ชั่วโมง;คะแนน;reviews\nสถิติ;1,5;4,5;1.234\n".encode("cp874")
    (one,) = courses("csv", shifted)
    assert (one.hours, one.rating and (one.rating.mean, one.rating.count)) == (1.5, (4.5, 1234))


def test_names_of_columns_on_two_lines_and_line_ends_of_windows_are_read() -> None:
    body = workbook(["ชื่อหลักสูตร\nCourse name", "จำนวนชั่วโมง\nHours"], ["สถิติ_x000D_\nเบื้องต้น", 3])
    (one,) = courses("xlsx", body)
    assert (one.title.th, one.hours) == ("สถิติ\nเบื้องต้น", 3)


def test_a_first_course_below_a_header_with_gaps_is_a_course() -> None:
    rows = ["title,,hours", "Statistics,x,3", "hours,y,4"]
    assert [one.title.en for one in courses("csv", "\n".join(rows))] == ["Statistics", "hours"]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_table_with_one_column_of_another_name_is_not_taken_for_titles(form: Format) -> None:
    body = workbook(["สิ่งที่เรียน"], ["สถิติ"]) if form == "xlsx" else "สิ่งที่เรียน,\nสถิติ,\n".encode()
    with pytest.raises(InvalidInput) as caught:
        read(form, body)
    assert caught.value.field == "map"
    for columns in ("title=#1", "title=สิ่งที่เรียน"):
        (row,) = read(form, body, Options(columns=columns))[1]
        assert row.content is not None


def with_prefix(body: bytes, prefix: str) -> bytes:
    """Return a workbook whose sheet has a prefix before every name, as some programs write it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as given, zipfile.ZipFile(file, "w") as made:
        for name in given.namelist():
            part = given.read(name)
            if name.startswith("xl/worksheets/sheet"):
                part = re.sub(rb"(</?)(?=[a-z])", rb"\1" + prefix.encode(), part).replace(
                    b"xmlns=", f"xmlns:{prefix.rstrip(':')}=".encode()
                )
            made.writestr(name, part)
    return file.getvalue()


def bomb(name: str, size: int) -> bytes:
    """Return a workbook with one more part, whose decompressed size is stated as `size` bytes."""
    file = io.BytesIO(workbook(["title"], ["a"]))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, "")
        archive.getinfo(name).file_size = size
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (bomb("xl/worksheets/sheet9.xml", 600 << 20), TooLarge),
        (bomb("xl/sharedStrings2.xml", 60 << 20), TooLarge),
        (b"PK\x03\x04 nothing", Malformed),
        (b"", Malformed),
        (b"\xd0\xcf\x11\xe0" + bytes(100), Malformed),
        (workbook(["title"], ["a"])[:-100], Malformed),
    ],
)
def test_an_invalid_or_too_large_workbook_is_rejected_before_decompression(body: bytes, shape: type[Problem]) -> None:
    with pytest.raises(shape):
        read("xlsx", body)


def test_a_workbook_of_very_many_files_is_refused_before_they_are_listed() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(10_001):
            archive.writestr(str(number), b"")
    with pytest.raises(TooLarge, match="10000 files"):
        read("xlsx", packed.getvalue())


def test_a_zip_archive_is_no_workbook() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", "title\na\n")
    with pytest.raises(Malformed, match="no Excel workbook"):
        read("xlsx", file.getvalue())


@pytest.mark.parametrize("has_drawing", [True, False])
def test_a_workbook_of_charts_only_is_refused_by_name(*, has_drawing: bool) -> None:
    book, file = openpyxl.Workbook(), io.BytesIO()
    sheet = book.create_chartsheet("Chart")
    if has_drawing:
        sheet.add_chart(BarChart())
    book.remove(book.worksheets[0])
    book.save(file)
    with pytest.raises(Malformed, match="charts only"):
        read("xlsx", file.getvalue())


def test_a_row_of_a_workbook_has_the_limit_of_every_row() -> None:
    _, rows = read("xlsx", workbook(["title", *"abcdefghi"], ["x" * 32_000] * 10, ["a"]))
    assert [row.problems[0].status for row in rows if row.content is None] == [413]
    assert [row.content.title.en for row in rows if row.content] == ["a"]


def test_the_parts_of_a_workbook_that_are_read_at_once_are_bounded() -> None:
    parts = zipfile.ZipFile(io.BytesIO(workbook(["title"], ["a"])))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in parts.namelist():
            archive.writestr(name, parts.read(name) + (b" " * 9_000_000 if name == "xl/styles.xml" else b""))
    with pytest.raises(TooLarge, match="styles"):
        read("xlsx", file.getvalue())


def test_a_sheet_that_declares_a_huge_size_is_read_by_its_content() -> None:
    parts = zipfile.ZipFile(io.BytesIO(workbook(["title"], ["a"])))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in parts.namelist():
            text = parts.read(name)
            archive.writestr(name, text.replace(b'ref="A1:A2"', b'ref="A1:XFD1048576"'))
    assert [one.title.en for one in courses("xlsx", file.getvalue())] == ["a"]


def test_a_shown_sheet_comes_before_hidden_ones() -> None:
    book = openpyxl.Workbook()
    book.active.append(["x", "y"])
    book.active.append([1, 2])
    book.active.sheet_state = "hidden"
    shown = book.create_sheet()
    for row in (["ชื่อหลักสูตร"], [THAI]):
        shown.append(row)
    file = io.BytesIO()
    book.save(file)
    assert [one.title.th for one in courses("xlsx", file.getvalue())] == [THAI]


@pytest.mark.parametrize("prefix", ["", "x:"])
def test_cells_that_are_merged_downwards_hold_for_every_row(prefix: str) -> None:
    book = openpyxl.Workbook()
    rows = [
        ["Title", "Provider", "Hours"],
        ["A", "Agency 1", 1],
        ["B", None, 2],
        [None, None, None],
        ["C", "Agency 2", 3],
        ["D", None, 4],
    ]
    for row in rows:
        book.active.append(row)
    book.active.merge_cells("B2:B4")
    file = io.BytesIO()
    book.save(file)
    body = with_prefix(file.getvalue(), prefix) if prefix else file.getvalue()
    found = [(one.title.en, one.provider.en) for one in courses("xlsx", body)]
    assert found == [("A", "Agency 1"), ("B", "Agency 1"), ("C", "Agency 2"), ("D", "Provider not stated")]


def test_the_sheet_that_names_courses_is_read_and_the_others_are_told() -> None:
    book = openpyxl.Workbook()
    book.active.title = "คำชี้แจง"
    book.active.append(["กรุณากรอกทุกช่อง"])
    sheet = book.create_sheet("หลักสูตร")
    sheet.append(["บัญชีหลักสูตร ประจำปี ๒๕๖๗"])
    sheet.append(["ลำดับ", "ชื่อหลักสูตร", None, "ระยะเวลา", None, "ผู้จัด"])
    sheet.append([None, "ไทย", "อังกฤษ", "วัน", "ชั่วโมง", None])
    sheet.append([1, "การคิดเชิงระบบ", "Systems Thinking", 2, None, "สพร."])
    sheet.append(["๒", "ความปลอดภัย", "Security", "3", "๑๘", "สพร."])
    for cells in ("B2:C2", "D2:E2"):
        sheet.merge_cells(cells)
    file = io.BytesIO()
    book.save(file)
    _, rows = read("xlsx", file.getvalue())
    assert [(row.content.title.en, row.content.hours) for row in rows if row.content] == [
        ("Systems Thinking", 12),
        ("Security", 18),
    ]
    assert "'คำชี้แจง'" in rows[-1].warnings[-1].detail


def test_a_sheet_is_chosen_by_its_name() -> None:
    book = openpyxl.Workbook()
    for name, title in (("ปี 2567", "One"), ("ปี 2568", "Two")):
        sheet = book.create_sheet(name)
        sheet.append(["title", "hours"])
        sheet.append([title, 3])
    file = io.BytesIO()
    book.save(file)
    assert [one.title.en for one in courses("xlsx", file.getvalue())] == ["One"]
    (row,) = read("xlsx", file.getvalue(), Options(sheet="ปี 2568 "))[1]
    assert row.content
    assert row.content.title.en == "Two"
    assert [one.detail for one in row.warnings if not one.field] == [
        "the workbook holds more sheets, which are not read: 'ปี 2567'; `sheet` names one to read"
    ]
    with pytest.raises(InvalidInput) as refused:
        read("xlsx", file.getvalue(), Options(sheet="2566"))
    assert (refused.value.field, "ปี 2567, ปี 2568" in refused.value.detail) == ("sheet", True)


@pytest.mark.parametrize("length", [10, 5000])
def test_a_formula_without_a_result_is_refused_or_warned_of_and_never_left_out(length: int) -> None:
    """As programs write workbooks that do not calculate."""
    formula = f'=CONCATENATE("https://example.org/{"x" * length}","Course")'
    _, rows = read("xlsx", workbook(["title", "hours"], [formula, 3], ["B", "=1+2"], ["C", 4]))
    assert [(row.number, row.content is None) for row in rows] == [(2, True), (3, False), (4, False)]
    assert rows[0].problems[0].detail == f"{formula[:100]!r} is no title"
    assert rows[1].warnings[0].detail == "no duration is read from '=1+2'; 10 are assumed"


def test_a_formula_with_its_result_holds_the_result() -> None:
    raw = workbook(["title", "hours"], ["A", 7])
    sheet = zipfile.ZipFile(io.BytesIO(raw)).read("xl/worksheets/sheet1.xml")
    assert b"<v>7</v>" in sheet
    body = _replaced(raw, "xl/worksheets/sheet1.xml", sheet.replace(b"<v>7</v>", b"<f>3+4</f><v>7</v>"))
    assert [one.hours for one in courses("xlsx", body)] == [7]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_formula_that_links_a_text_holds_the_text_and_the_address(form: Format) -> None:
    linked = '=HYPERLINK("https://example.org/a","Course ""A""")'
    if form == "csv":
        body: str | bytes = 'title;hours\n"' + linked.replace('"', '""').replace(",", ";") + '";3\nB;4\n'
    else:
        body = workbook(["title", "hours"], [linked, 3], ["B", 4])
    assert [(one.title.en, one.url) for one in courses(form, body)] == [
        ('Course "A"', "https://example.org/a"),
        ("B", None),
    ]


def test_a_formula_that_links_a_text_gives_the_address_beside_its_result() -> None:
    raw = workbook(["title", "hours"], ['=HYPERLINK("https://example.org/a","A")', 3], ["B", 4])
    name = "xl/worksheets/sheet1.xml"
    sheet = zipfile.ZipFile(io.BytesIO(raw)).read(name)
    calculated = re.sub(rb'(<c r="A2")(>|.*?>)(<f>.*?</f>)<v ?/?>(</v>)?', rb'\1 t="str">\3<v>A</v>', sheet, count=1)
    assert b"<v>A</v>" in calculated
    found = courses("xlsx", _replaced(raw, name, calculated))
    assert [(one.title.en, one.url) for one in found] == [("A", "https://example.org/a"), ("B", None)]


def test_a_link_over_several_cells_of_a_row_gives_the_address() -> None:
    book = openpyxl.Workbook()
    for row in (["code", "title", "hours"], ["C1", "A", 3], ["C2", "B", 4]):
        book.active.append(row)
    book.active["A2"].hyperlink = "https://example.org/a"
    book.active["A2"].hyperlink.ref = "A2:C2"
    file = io.BytesIO()
    book.save(file)
    assert [one.url for one in courses("xlsx", file.getvalue())] == ["https://example.org/a", None]


@pytest.mark.parametrize("names", [("code", "title"), ("remark", "title")])
def test_a_link_over_several_rows_is_the_address_of_courses_with_codes(names: tuple[str, ...]) -> None:
    book = openpyxl.Workbook()
    for row in (names, ["C1", "A"], ["C2", "B"], ["C3", "C"]):
        book.active.append(row)
    book.active["B2"].hyperlink = "https://example.org/a"
    book.active["B2"].hyperlink.ref = "B2:B3"
    book.active["B4"].hyperlink = "https://example.org/c"
    file = io.BytesIO()
    book.save(file)
    found = courses("xlsx", file.getvalue())
    several = "https://example.org/a" if names[0] == "code" else None
    assert [one.url for one in found] == [several, several, "https://example.org/c"]
    assert len({one.id for one in found}) == 3


def _replaced(book: bytes, name: str, content: bytes) -> bytes:
    """Return a workbook with another content of one of its files."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(file, "w") as new:
        for one in old.namelist():
            new.writestr(one, content if one == name else old.read(one))
    return file.getvalue()


def shown_in(*cells: tuple[object, str | None, str | None], names: tuple[str, ...]) -> bytes:
    """Return a workbook with one row of cells: value, number format and address that the cell links to."""
    book = openpyxl.Workbook()
    book.active.append(names)
    for number, (value, number_format, link) in enumerate(cells, 1):
        cell = book.active.cell(2, number, value)
        cell.number_format = number_format or "General"
        cell.hyperlink = link
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("value", "number_format", "code"),
    [
        (123, "00000", "00123"),
        (123.0, "00000", "00123"),
        (101, '"CS"000', "CS101"),
        (7, r'"IT"\-000', "IT-007"),
        (123456, "0", "123456"),
        (12, "0.00", "12"),
        (12, "#,##0", "12"),
        ("007", "@", "007"),
    ],
)
def test_a_code_is_read_as_the_workbook_shows_it(value: object, number_format: str, code: str) -> None:
    body = shown_in((value, number_format, None), ("Statistics", None, None), names=("code", "title"))
    assert [one.code for one in courses("xlsx", body)] == [code]


@pytest.mark.parametrize(
    ("value", "number_format", "hours"),
    [
        (90, '0" นาที"', 1.5),
        (2, r'0\ "h"', 2),
        (2, '"ประมาณ "0', 2),
        (3, "00", 3),
        (1.5, "0.0", 1.5),
        (1.5, "00", 1.5),
        (6, '0" บาท"', 6),
    ],
)
def test_a_unit_of_time_in_a_number_format_counts(value: float, number_format: str, hours: float) -> None:
    body = shown_in(("A", None, None), (value, number_format, None), names=("title", "hours"))
    assert [(one.hours, "hours" in one.assumed) for one in courses("xlsx", body)] == [(hours, False)]


@pytest.mark.parametrize(
    ("names", "links", "url"),
    [
        (("title", "hours"), ("https://x.org/a?b=1&c=2", None), "https://x.org/a?b=1&c=2"),
        (("ชื่อหลักสูตร", "ลิงก์"), (None, "https://x.org/a"), "https://x.org/a"),
        (("title", "url"), ("https://x.org/title", "https://x.org/a"), "https://x.org/a"),
        (("title", "hours"), (None, "https://x.org/a"), None),
        (("title", "hours"), ("mailto:a@x.org", None), None),
    ],
)
def test_a_link_of_a_title_or_of_an_address_is_the_address_of_the_course(
    names: tuple[str, ...], links: tuple[str | None, ...], url: str | None
) -> None:
    cells = [(text, None, link) for text, link in zip(("Statistics", "3"), links, strict=True)]
    [course] = courses("xlsx", shown_in(*cells, names=names))
    assert (course.url, course.title.en) == (url, "Statistics")


def test_an_address_in_a_cell_counts_before_its_link() -> None:
    body = shown_in(("A", None, None), ("https://x.org/a", None, "https://x.org/b"), names=("title", "url"))
    assert [one.url for one in courses("xlsx", body)] == ["https://x.org/a"]


def test_cells_that_are_merged_over_rows_and_columns_hold_for_each_row() -> None:
    book = openpyxl.Workbook()
    for row in (["หมวดหมู่", "กลุ่ม", "title"], ["Data", None, "A"], [None, None, "B"]):
        book.active.append(row)
    book.active.merge_cells("A2:B3")
    file = io.BytesIO()
    book.save(file)
    assert [one.tags for one in courses("xlsx", file.getvalue())] == [["Data"], ["Data"]]


def test_a_header_of_two_rows_may_end_in_merged_cells() -> None:
    book = openpyxl.Workbook()
    for cells in (["รหัส", "หลักสูตร", "ระยะเวลา"], [None, None, "วัน", "ชั่วโมง"], ["A", "สถิติ", 2, 12]):
        book.active.append(cells)
    for merged in ("A1:A2", "B1:B2", "C1:D1"):
        book.active.merge_cells(merged)
    file = io.BytesIO()
    book.save(file)
    _, [row] = read("xlsx", file.getvalue())
    assert row.content
    assert (row.content.title.th, row.content.hours) == ("สถิติ", 12)


def test_a_header_may_be_in_three_rows() -> None:
    header = [
        ["ข้อมูลหลักสูตร", None, None, "ระยะเวลา", None, "ผู้จัด"],
        ["ชื่อ", None, "รหัส", "ทฤษฎี", "ปฏิบัติ", None],
        ["ไทย", "อังกฤษ", None, "(ชม.)", "(ชม.)", None],
    ]
    book = openpyxl.Workbook()
    for cells in (["บัญชีหลักสูตร"], *header, ["สถิติ", "Statistics", "S1", 3, 6, "ก.พ."]):
        book.active.append(cells)
    for merged in ("A1:F1", "A2:C2", "D2:E2", "A3:B3", "C3:C4", "F2:F4"):
        book.active.merge_cells(merged)
    file = io.BytesIO()
    book.save(file)
    reader, [row] = read("xlsx", file.getvalue())
    assert row.content
    assert row.content.title == LocalizedText(th="สถิติ", en="Statistics")
    assert (row.content.code, row.content.provider.th) == ("S1", "ก.พ.")
    assert reader.columns[1] == ["ทฤษฎี (ชม.)", "ปฏิบัติ (ชม.)"]


def test_a_course_below_a_header_of_two_rows_with_gaps_is_a_course() -> None:
    body = workbook(["หลักสูตร", None, "ระยะเวลา", None], ["ชื่อ", "รหัส", "ชั่วโมง"], ["รหัส", "ชั่วโมง", 3, None])
    assert [one.title.th for one in courses("xlsx", body)] == ["รหัส"]
