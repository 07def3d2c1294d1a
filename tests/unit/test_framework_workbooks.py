"""Frameworks as matrices in Excel workbooks."""

import io
import zipfile
from collections.abc import Iterable
from typing import Any

import msgspec
import openpyxl
import pytest

from services.catalog.framework_reading import read_framework
from services.catalog.frameworks import Options, Reading, Source
from shared.domain import LocalizedText
from shared.errors import InvalidInput, Malformed, TooLarge, Unsupported

NAMED = Options(id="mine", title=LocalizedText(en="Mine"))
OTHER_SHEET: list[list[Any]] = [["อ่านก่อน"], ["ผู้จัดทำ", "กพ."]]


def read(
    sheets: dict[str, list[list[Any]]], merged: Iterable[str] = (), name: str = "csv", sheet: str | None = None
) -> Reading:
    """Return the framework of a workbook; cells are merged in its first sheet. `sheet`: the one to read."""
    book = openpyxl.Workbook()
    for title, rows in sheets.items():
        made = book.create_sheet(title)
        for row in rows:
            made.append(row)
    book.remove(book.worksheets[0])
    for cells in merged:
        book.worksheets[0].merge_cells(cells)
    file = io.BytesIO()
    book.save(file)
    return read_framework(name, [Source("matrix.xlsx", file.getvalue())], msgspec.structs.replace(NAMED, sheet=sheet))


def with_rows(*rows: str) -> bytes:
    """Return a workbook whose sheet holds a matrix of one skill, and then these rows as XML."""
    book, given, made = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    for row in (["สมรรถนะ", "ธุรการ"], ["สารบรรณ", 2]):
        book.active.append(row)
    book.save(given)
    with zipfile.ZipFile(given) as whole, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as changed:
        for name in whole.namelist():
            part = whole.read(name)
            if name == "xl/worksheets/sheet1.xml":
                part = part.replace(b"</sheetData>", "".join((*rows, "</sheetData>")).encode())
            changed.writestr(name, part)
    return made.getvalue()


def levels_of(reading: Reading) -> dict[tuple[str | None, str | None], float]:
    """Return {(job group, skill): level}, by Thai titles."""
    assert reading.framework, reading.faults
    titles = {one.id: one.title.th for one in reading.framework.job_groups}
    titles |= {one.id: one.title.th for one in reading.framework.skills}
    return {(titles[row.job_group], titles[row.skill]): row.level for row in reading.framework.requirements}


def test_a_matrix_in_a_workbook_is_read_with_its_merged_cells() -> None:
    rows: list[list[Any]] = [
        ["ตารางสมรรถนะ; ปี 2568"],
        ["ด้าน", "สมรรถนะ", "บริหาร", None, "วิชาการ"],
        [None, None, "ต้น", "สูง", None],
        ["ข้อมูล", "สถิติ", 1, 2.5, 3],
        [None, "กฎหมาย", None, 2, "-"],
        [],
        ["บริการ", "ออกแบบ", 1, "๒", 1],
    ]
    found = read({"ตาราง": rows}, ["A1:E1", "A2:A3", "B2:B3", "C2:D2", "E2:E3", "A4:A5"])
    assert levels_of(found) == {
        ("ต้น", "สถิติ"): 1,
        ("สูง", "สถิติ"): 2.5,
        ("วิชาการ", "สถิติ"): 3,
        ("สูง", "กฎหมาย"): 2,
        ("ต้น", "ออกแบบ"): 1,
        ("สูง", "ออกแบบ"): 2,
        ("วิชาการ", "ออกแบบ"): 1,
    }
    assert found.framework
    areas = {one.id: one.title.th for one in found.framework.areas}
    assert [areas[one.area] for one in found.framework.skills] == ["ข้อมูล", "ข้อมูล", "บริการ"]
    assert found.assumed[0] == "the heading has two rows; the columns are: ด้าน, สมรรถนะ, ต้น, สูง, วิชาการ"


def test_a_level_that_is_merged_over_columns_holds_for_each_of_them() -> None:
    rows: list[list[Any]] = [
        ["ตารางระดับ", None, None, None],
        ["สมรรถนะ", "บริหาร", "วิชาการ", "บริการ"],
        ["สถิติ", 2, None, None],
        ["กฎหมาย", "สูง", None, 1],
        [None, None, None, None],
        ["ออกแบบ", 1, None, 3],
        ["เขียน", None, None, 3],
    ]
    found = read({"a": rows}, ["A1:D1", "B3:D3", "B4:C4", "B6:C7"])
    assert levels_of(found) == {
        **{(group, "สถิติ"): 2 for group in ("บริหาร", "วิชาการ", "บริการ")},
        **{(group, "กฎหมาย"): 3 for group in ("บริหาร", "วิชาการ")},
        ("บริการ", "กฎหมาย"): 1,
        **{(group, skill): 1 for group in ("บริหาร", "วิชาการ") for skill in ("ออกแบบ", "เขียน")},
        **{("บริการ", skill): 3 for skill in ("ออกแบบ", "เขียน")},
    }


def test_the_rows_of_a_workbook_are_named_by_their_numbers() -> None:
    found = read({"a": [["ตำแหน่ง", "สมรรถนะ", "ระดับ"], [], ["ธุรการ", "สารบรรณ", 1], ["ธุรการ", "การเงิน", "มาก"]]})
    assert [(one.row, one.field) for one in found.faults] == [(4, "level")]


@pytest.mark.parametrize("first", [True, False])
def test_the_sheet_that_holds_the_matrix_is_read_and_the_others_are_told(first: bool) -> None:
    matrix: list[list[Any]] = [["สมรรถนะ", "ธุรการ"], ["สารบรรณ", 2]]
    sheets = {"ก": matrix, "ข": OTHER_SHEET} if first else {"ข": OTHER_SHEET, "ก": matrix}
    found = read(sheets)
    assert levels_of(found) == {("ธุรการ", "สารบรรณ"): 2}
    assert found.assumed[0] == "sheet 'ก' is read, and not: 'ข'; `sheet` names one to read"


def test_a_sheet_is_chosen_by_its_name() -> None:
    sheets: dict[str, list[list[Any]]] = {
        "ปี 2567": [["สมรรถนะ", "ธุรการ"], ["สารบรรณ", 2]],
        "ปี 2568": [["สมรรถนะ", "ธุรการ"], ["สารบรรณ", 3]],
    }
    assert levels_of(read(sheets)) == {("ธุรการ", "สารบรรณ"): 2}
    assert levels_of(read(sheets, sheet="ปี 2568 ")) == {("ธุรการ", "สารบรรณ"): 3}
    with pytest.raises(InvalidInput) as refused:
        read(sheets, sheet="2566")
    assert (refused.value.field, "ปี 2567, ปี 2568" in refused.value.detail) == ("sheet", True)


def test_a_workbook_in_the_old_format_or_for_another_kind_of_file_is_refused() -> None:
    with pytest.raises(Malformed, match="old format"):
        read_framework("csv", [Source("a.xls", b"\xd0\xcf\x11\xe0" + bytes(600))], NAMED)
    with pytest.raises(Unsupported, match="Excel workbook"):
        read({"a": [["สมรรถนะ", "ธุรการ"], ["สารบรรณ", 2]]}, name="case-1.1")


def test_a_matrix_with_more_columns_than_are_read_is_refused() -> None:
    wide: list[list[Any]] = [["ตำแหน่ง", *(f"ทักษะ {n}" for n in range(500))], ["ธุรการ", *[1] * 500]]
    with pytest.raises(TooLarge, match="500 columns"):
        read({"a": wide})
    found = read({"a": [row[:-1] for row in wide]})
    assert len(levels_of(found)) == 499


def test_separators_within_the_lines_of_a_cell_divide_no_columns() -> None:
    for title in ("ตาราง\nก; ข; ค; ง", "ตาราง\nก\tข\tค\tง"):
        assert levels_of(read({"a": [[title], ["สมรรถนะ", "ธุรการ"], ["สารบรรณ", 2]]})) == {("ธุรการ", "สารบรรณ"): 2}


def test_line_ends_of_windows_within_cells_are_line_ends() -> None:
    found = read({"a": [["ตำแหน่ง_x000D_\nPosition", "สมรรถนะ", "ระดับ"], ["ธุรการ", "สารบรรณ_x000D_\nกลาง", 2]]})
    assert levels_of(found) == {("ธุรการ", "สารบรรณ\nกลาง"): 2}


@pytest.mark.parametrize("place", [100_004, 2_000_000_000])
def test_rows_below_very_many_empty_ones_are_not_read_and_this_is_told(place: int) -> None:
    reading = read_framework("csv", [Source("a.xlsx", with_rows(f'<row r="{place}"><c><v>1</v></c></row>'))], NAMED)
    assert levels_of(reading) == {("ธุรการ", "สารบรรณ"): 2}
    assert reading.assumed[0] == "over 100000 rows of sheet 'Sheet' are empty; the rest is not read"


@pytest.mark.parametrize("rows", [[], [[None, None]]])
def test_a_workbook_without_cells_is_refused_for_its_missing_headings(rows: list[list[Any]]) -> None:
    with pytest.raises(InvalidInput, match="the headings are missing"):
        read({"a": rows})
