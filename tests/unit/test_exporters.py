"""An exported catalog is imported unchanged, and no spreadsheet evaluates its cells."""

import io
import itertools
import json

import msgspec
import openpyxl
import pytest

from services.catalog import exporters
from services.catalog.importers import Format, Options
from shared.decoding import decode
from shared.domain import Course, LocalizedText, MatchedRow, Prose, Teaches
from shared.imports.tables import guarded, unguarded
from tests.support.course_lists import courses, read

WHOLE = decode(
    json.dumps({
        "id": "whole",
        "title": {"th": '=ชื่อ, "อ้าง"', "en": "+SUM(A1)"},
        "provider": {"th": "หน่วยงาน", "en": "'=Agency"},
        "hours": 1.5,
        "languages": ["th", "en"],
        "teaches": [{"framework": "f", "skill": "s", "from": 0.5, "to": 2}],
        "requires": [{"any": [{"course": "a"}, {"framework": "f", "skill": "s", "level": 1}]}],
        "description": {"en": "two\nlines"},
        "url": "https://x.example/?a=1&b=2",
        "modality": "blended",
        "accredited_against": ["ว6"],
        "example": True,
        "completions": {"started": 5, "completed": 3},
        "rating": {"mean": 4.25, "count": 7},
        "code": "0012",
        "tags": ["a, b", "c;d"],
        "educational_level": "advanced",
        "corequisites": ["x"],
        "antirequisites": ["y"],
        "starts": "2026-01-02",
        "ends": "2027-01-02",
        "stated": {"duration": "90 min"},
        "assumed": ["languages"],
    }).encode(),
    Course,
)  # fmt: skip
LITTLE = decode(
    b'{"id": "little", "title": {"en": "N/A"}, "provider": {"en": "P"}, "hours": 3, "languages": ["en"]}', Course
)


@pytest.mark.parametrize("form", ["ndjson", "csv", "xlsx"])
def test_an_export_is_imported_unchanged(form: Format) -> None:
    file = io.BytesIO()
    exporters.write(form, [WHOLE, LITTLE], file)
    _, rows = read(form, file.getvalue(), Options())
    assert [row.content for row in rows] == [WHOLE, LITTLE]
    assert list(itertools.chain(*(row.warnings for row in rows))) == []


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "text", ["The <b> tag", "Use <p> & <br>", "<script>x</script>", "a &amp; b", "&lt;x&gt;", "<!-- c -->"]
)
def test_text_like_html_is_exported_and_imported_unchanged(form: Format, text: str) -> None:
    both = LocalizedText(th=f"แท็ก {text}", en=text)
    course = msgspec.structs.replace(
        WHOLE, title=both, provider=both, description=Prose(en=text), code=text, tags=[text], stated={"level": text}
    )
    file = io.BytesIO()
    exporters.write(form, [course], file)
    [row] = read(form, file.getvalue(), Options())[1]
    assert (row.content, row.warnings, row.problems) == (course, [], [])


def test_json_ld_is_exported_without_properties_that_it_has_no_term_for() -> None:
    file = io.BytesIO()
    exporters.write("jsonld", [WHOLE, LITTLE], file)
    assert json.loads(file.getvalue())["@context"] == "https://schema.org"
    first, second = courses("jsonld", file.getvalue())
    for name in (
        "id",
        "title",
        "provider",
        "hours",
        "languages",
        "url",
        "modality",
        "code",
        "rating",
        "starts",
        "ends",
    ):
        assert getattr(first, name) == getattr(WHOLE, name), name
    assert (second.id, second.title, second.hours) == (LITTLE.id, LITTLE.title, 3)


def test_no_cell_of_an_export_is_evaluated_by_a_spreadsheet() -> None:
    file = io.BytesIO()
    exporters.write("xlsx", [WHOLE], file)
    cells = [cell for row in openpyxl.load_workbook(file).active.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells if cell.value} == {"s"}


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "\u00a0=1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "'=1",
        "''\t",
    ],
)
def test_a_cell_that_a_spreadsheet_might_compute_is_guarded_and_read_as_it_was(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"
    assert unguarded(guarded(cell)) == cell


@pytest.mark.parametrize("cell", ["", "'", "''", "'tis", "1-1", "ก=1", " a", "https://example.org/=1"])
def test_any_other_cell_is_written_as_it_is(cell: str) -> None:
    assert guarded(cell) == unguarded(cell) == cell


@pytest.mark.parametrize("form", ["ndjson", "csv", "xlsx", "jsonld"])
def test_what_only_the_catalog_sets_is_not_exported(form: Format) -> None:
    given, mapped = Teaches("esco", "a", 0, 1), Teaches("agency", "mapped-skill", 0, 1, "esco/a")
    match = MatchedRow("agency", "matched-skill", 0, 1, 0.7, 0.5)
    one = Course("c", LocalizedText(en="T"), LocalizedText(en="P"), 1.0, ["en"], [given, mapped], matched=[match])
    file = io.BytesIO()
    exporters.write(form, [one], file)
    found = courses(form, file.getvalue())
    assert "agency" not in msgspec.json.encode(found).decode()
    if form != "jsonld":  # it has no levels
        assert found == [msgspec.structs.replace(one, teaches=[given], matched=[])]
