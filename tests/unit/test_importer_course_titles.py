"""Prerequisites that name courses by their titles."""

import pytest

from services.catalog.importers import Format, ListReader, Options
from services.catalog.importers.course_titles import leave_unknown
from services.catalog.importers.prerequisites import conditions_of
from shared.errors import Warned
from tests.support.course_lists import GUESS, courses, read, workbook

ABOVE = "title,provider,prerequisites\nExcel เบื้องต้น,A,\nWord เบื้องต้น / Basic Word,A,\nPride and Prejudice,A,\n"


def required(*rows: str) -> list[list[str]]:
    """Return the titles of the courses that each of these rows requires, with further rows above them."""
    found = courses("csv", ABOVE + "".join(f"{row}\n" for row in rows))
    titles = {course.id: course.title.th or course.title.en for course in found}
    return [[titles[str(one.course)] or "" for one in course.requires] for course in found[3:]]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("excel  เบื้องต้น", ["Excel เบื้องต้น"]),
        ("Basic Word", ["Word เบื้องต้น"]),
        ("Word เบื้องต้น / Basic Word", ["Word เบื้องต้น"]),
        ("Pride and Prejudice", ["Pride and Prejudice"]),
        ('"Excel เบื้องต้น, Basic Word"', ["Excel เบื้องต้น", "Word เบื้องต้น"]),
        ('"Excel เบื้องต้น\nWord เบื้องต้น / Basic Word"', ["Excel เบื้องต้น", "Word เบื้องต้น"]),
        ("- Excel เบื้องต้น", ["Excel เบื้องต้น"]),
        ('"Excel เบื้องต้น, ใจรัก"', []),
        ("Excel เบื้องต้น หรือ Basic Word", []),
        ("ควรผ่าน Excel เบื้องต้น", []),
        ("Excel", []),
        ("New", []),  # itself
    ],
)
def test_a_title_of_a_course_is_required(text: str, titles: list[str]) -> None:
    assert required(f"New,A,{text}") == [titles]


def test_only_one_course_of_the_same_provider_is_required() -> None:
    rows = ("Excel เบื้องต้น,B,", "Again,A,Excel เบื้องต้น", "Other,C,Excel เบื้องต้น", "Before,A,After", "After,A,")
    assert required(*rows) == [[], ["Excel เบื้องต้น"], [], ["After"], []]
    table = "code,title,prerequisites\n1,Excel,\n2,Excel,\n3,Word,Excel\n"
    assert [course.requires for course in courses("csv", table)] == [[], [], []]


@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonld"])
def test_the_warning_stays_only_where_no_course_has_the_title(form: Format) -> None:
    cells = [["title", "prerequisites"], ["Excel", ""], ["Word", "Excel"], ["Power", "Access"]]
    bodies = {
        "csv": "\n".join(map(",".join, cells)).encode(),
        "xlsx": workbook(*cells),
        "jsonld": (
            b'[{"@type":"Course","name":"Excel"},{"@type":"Course","name":"Word","coursePrerequisites":"Excel"},'
            b'{"@type":"Course","name":"Power","coursePrerequisites":"Access"}]'
        ),
    }
    _, rows = read(form, bodies[form])
    assert [len(row.content.requires) for row in rows if row.content] == [0, 1, 0]
    warned = [[one.detail for one in row.warnings if one.field == "requires"] for row in rows]
    assert warned == [[], [], ["kept as text and not enforced: 'Access'"]]
    assert [row.content.stated.get("prerequisites") for row in rows if row.content] == [None, "Excel", "Access"]


def test_rows_that_may_name_a_course_below_wait_for_the_end_of_the_list_but_the_first_row_of_a_course_counts() -> None:
    reader = ListReader("csv", GUESS)
    lines = ["code,title,prerequisites", "1,Two,One", "2,Three,Excel 101", "1,Two,One", "3,One,", "4,Four,CS9 or CS 3"]
    rows = [row for row in (*reader.feed("\n".join(lines).encode()), *reader.end()) if row]
    assert [row.number for row in rows] == [2, 5, 6, 3, 4]


def test_a_doubtful_name_of_a_course_is_required_only_if_there_is_such_a_course() -> None:
    body = (
        "id,title,prerequisites\n1,One,ISO27001\n2,Two,ITIL4\nITIL4,ITIL,\n4,Four,ITIL4 and ISO27001\n"
        "5,Five,Excel 101\n6,Six,CS-101\n7,Seven,B.Sc.\n8,Eight,COVID-19; ITIL4\n"
    )
    _, rows = read("csv", body.encode())
    for row in rows:
        leave_unknown(row, {"ITIL4"})
    found = [row.content for row in rows if row.content]
    assert [[one.course for one in course.requires] for course in found] == [
        [], ["ITIL4"], [], [], [], ["CS-101"], [], [],
    ]  # fmt: skip
    warned = [[one for one in row.warnings if one.field == "requires"] for row in rows]
    assert [len(one) for one in warned] == [1, 0, 0, 1, 1, 0, 1, 1]
    assert warned[0] == [Warned("requires", "kept as text and not enforced: 'ISO27001'")]
    assert found[0].stated == {"prerequisites": "ISO27001"}


@pytest.mark.parametrize(
    ("code", "is_doubtful"),
    [
        *dict.fromkeys(
            ("TOEIC-600", "ISO27001", "ITIL4", "B.Sc", "K-12", "M.6", "MBA", "JLPT-N5", "4.0", "Grade-12"), True
        ).items(),
        *dict.fromkeys(("M101", "K101", "MA101", "CS-101", "PDPA", "C9", "AZ-900", "2110101", "ISAC-1"), False).items(),
    ],
)
def test_a_name_is_doubtful_if_it_is_rarely_that_of_a_course(code: str, is_doubtful: bool) -> None:
    assert bool(conditions_of(code, str, ids=True).doubtful) is is_doubtful


def test_conditions_of_an_export_are_not_doubtful() -> None:
    body = b'id,title,hours,requires,prerequisites\n1,One,3,"[{""course"":""ISO27001""}]",ITIL4\n'
    [row] = read("csv", body, Options(columns="guess"))[1]
    leave_unknown(row, set())
    assert row.content
    assert [one.course for one in row.content.requires] == ["ISO27001"]
