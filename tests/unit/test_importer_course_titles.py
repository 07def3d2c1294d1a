"""Prerequisites that name courses by their titles."""

import pytest

from services.catalog.importers import Format
from tests.support.course_lists import courses, read, workbook

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
def test_a_title_of_a_course_above_is_required(text: str, titles: list[str]) -> None:
    assert required(f"New,A,{text}") == [titles]


def test_only_one_course_of_the_same_provider_above_is_required() -> None:
    rows = ("Excel เบื้องต้น,B,", "Again,A,Excel เบื้องต้น", "Other,C,Excel เบื้องต้น", "Before,A,After", "After,A,")
    assert required(*rows) == [[], ["Excel เบื้องต้น"], [], [], []]
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
