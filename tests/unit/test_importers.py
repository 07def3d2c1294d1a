"""Lists of courses in every format: each trap of real files, in a few lines."""

import io
import itertools
import json
import zipfile
from collections.abc import Iterable
from typing import Any

import msgspec
import openpyxl
import pytest

from services.catalog import exporters
from services.catalog.importers import Format, ListReader, Options
from services.catalog.importers.facts import id_by_code, id_by_url
from shared.decoding import decode
from shared.domain import Course, LocalizedText, MatchedRow, Teaches
from shared.errors import InvalidInput, Malformed, Problem, TooLarge
from shared.imports.encodings import Recoder, eight_bit
from shared.imports.rows import ROW_LIMIT, Row
from shared.imports.tables import CsvReader, guarded, unguarded

THAI = "การเขียนโปรแกรมภาษาไพทอนเบื้องต้น"
GUESS = Options(columns="guess")


def read(
    form: Format, body: bytes, options: Options = GUESS, size: int = 1 << 20
) -> tuple[ListReader, list[Row[Course]]]:
    reader = ListReader(form, options)
    try:
        pieces: Iterable[bytes] = (body[at : at + size] for at in range(0, len(body), size))
        rows = [row for piece in pieces for row in reader.feed(piece)] + list(reader.end())
    finally:
        reader.close()
    return reader, [row for row in rows if row]


def courses(form: Format, body: bytes | str, options: Options = GUESS, size: int = 1 << 20) -> list[Course]:
    _, rows = read(form, body.encode() if isinstance(body, str) else body, options, size)
    return [row.content for row in rows if row.content]


def results_of(rows: list[Row[Course]]) -> list[tuple[int, str]]:
    return [(row.number, (row.content.title.en or "") if row.content else row.problems[0].detail) for row in rows]


def workbook(*rows: Iterable[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


# --- encodings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("cp874", "cp874"),
        ("tis-620", "cp874"),
    ],
)
def test_a_thai_file_is_read_in_every_encoding_and_chunking(encoding: str, found: str, size: int) -> None:
    body = f"code,title\nA1,{THAI}\nA2,Plain English\n".encode(encoding)
    reader, rows = read("csv", body, size=size)
    assert reader.encoding == found
    assert [row.content.title.th or row.content.title.en for row in rows if row.content] == [THAI, "Plain English"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_utf_16_of_thai_letters_alone_needs_no_byte_order_mark(encoding: str, size: int) -> None:
    reader, rows = read("csv", f"ชื่อวิชา,ชั่วโมง\n{THAI},3\n".encode(encoding), size=size)
    assert (reader.encoding, [row.content and row.content.title.th for row in rows]) == (encoding, [THAI])


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_western_file_is_read_as_cp1252(size: int) -> None:
    reader, rows = read("csv", "title\nCafé – “naïve”\nMünchen\n".encode("cp1252"), size=size)
    assert (reader.encoding, results_of(rows)) == ("cp1252", [(2, "Café – “naïve”"), (3, "München")])


def test_an_ascii_start_of_any_length_does_not_decide() -> None:
    start = "title\n" + "plain\n" * 50_000
    assert courses("csv", (start + THAI).encode("cp874"), size=4096)[-1].title.th == THAI
    assert courses("csv", (start + "Café").encode("cp1252"), size=4096)[-1].title.en == "Café"
    assert courses("csv", (start + THAI).encode(), size=4096)[-1].title.th == THAI


def test_single_faults_in_utf_8_do_not_turn_the_file_into_another_encoding() -> None:
    _, rows = read("csv", f"title\n{THAI}\n".encode() + b"Caf\xe9\n" + f"{THAI} 2\n".encode())
    assert [row.content.title.th for row in rows if row.content] == [THAI, None, f"{THAI} 2"]
    assert rows[1].content
    assert (rows[1].content.title.en, any("cp1252" in one.detail for one in rows[1].warnings)) == ("Café", True)


def test_an_encoding_may_be_named_and_an_unknown_one_is_rejected() -> None:
    body = "title\nก\n".encode("cp874")  # one letter is no evidence
    assert eight_bit(body) == "cp1252"
    for name in ("TIS-620", "cp874", "windows-874", "ISO_8859-11"):
        assert courses("csv", body, Options(columns="guess", encoding=name))[0].title.th == "ก"
    assert (
        courses("csv", "title\né\n".encode("cp1252"), Options(columns="guess", encoding="latin-1"))[0].title.en == "é"
    )
    with pytest.raises(InvalidInput) as refused:
        Recoder("klingon")
    assert refused.value.field == "encoding"


# --- CSV -------------------------------------------------------------------------------------------------------------


def test_a_table_is_read_by_its_columns_and_a_guess_is_reported_first() -> None:
    body = (
        "Course Name,ชื่อภาษาไทย,Provider,Skills,Category,Level,Duration,Language,Rating,Reviews,End date,Link,Logo\n"
        "Data &amp; You ,ข้อมูลกับคุณ,Uni,\"['SQL', 'R, basics']\",Data,Beginner Level,Approx. 12 hours,English,4.5,"
        '"1,200",31/12/2568,https://x.example/learn/data?utm_source=a,https://x.example/a.png\n'
    )
    with pytest.raises(InvalidInput) as refused:
        read("csv", body.encode(), Options())
    assert refused.value.field == "map"
    assert "title_th=ชื่อภาษาไทย" in refused.value.detail
    reader, [row] = read("csv", body.encode(), Options(columns="guess,title_en=Course Name"))
    assert reader.table
    assert reader.table.unused == ["Logo"]
    assert row.content
    assert msgspec.to_builtins(row.content) == {
        "id": id_by_url("http://www.x.example/learn/data/"),
        "title": {"th": "ข้อมูลกับคุณ", "en": "Data & You"},
        "provider": {"en": "Uni"},
        "hours": 12.0,
        "languages": ["en"],
        "url": "https://x.example/learn/data?utm_source=a",
        "rating": {"mean": 4.5, "count": 1200},
        "tags": ["SQL", "R, basics", "Data"],
        "educational_level": "beginner",
        "ends": "2025-12-31",
        "stated": {"duration": "Approx. 12 hours", "level": "Beginner Level"},
    }
    assert row.warnings == []


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ("title=Nowhere", "no column Nowhere"),
        ("title=#9", "no column"),
        ("colour=A", "is not one of"),
        ("code=A", "no column holds the title"),
        ('"title=A', "separated by commas"),
        ("title", "is not one of"),
        ("title=A,title=B", "title is given twice"),
        ("title=C", "two columns are called 'C'"),
    ],
)
def test_a_map_that_does_not_fit_is_rejected_by_name(columns: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read("csv", b"A,B,C,c\n1,2,3,4\n", Options(columns=columns))
    assert refused.value.field == "map"
    assert problem.replace("Nowhere", "'Nowhere'") in refused.value.detail


@pytest.mark.parametrize(
    ("header", "facts"),
    [
        ("shortname,fullname,summary,startdate,enddate,lang", "code title description starts ends languages"),
        ("course_id,short_name,long_name,start_date,course_format", "id code title starts modality"),
        ("Item ID|Item Title|Total Hours|Delivery Method", "id title hours modality"),
        (
            "Course Name,University/Industry Partner,Skills Learned,Estimated Learning Hours",
            "title provider tags hours",
        ),
    ],
)
def test_columns_of_other_platforms_are_guessed(header: str, facts: str) -> None:
    reader, _ = read("csv", f"{header}\n".encode())
    assert sorted(reader.columns[0]) == sorted(facts.split())


def test_a_title_that_says_nothing_is_no_title() -> None:
    body = f"Title (TH),Title (EN)\n{THAI},null\nNone,N/A\n"
    _, (named, nameless) = read("csv", body.encode())
    assert named.content
    assert msgspec.to_builtins(named.content.title) == {"th": THAI}
    assert [one.field for one in nameless.problems] == ["title"]


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


def test_cells_that_are_merged_downwards_hold_for_every_row() -> None:
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
    found = [(one.title.en, one.provider.en) for one in courses("xlsx", file.getvalue())]
    assert found == [("A", "Agency 1"), ("B", "Agency 1"), ("C", "Agency 2"), ("D", "Provider not stated")]


def test_json_ld_of_plugins_is_read_with_its_references_and_exact_workload() -> None:
    page = {
        "@context": "https://schema.org",
        "@graph": [
            {
                "@type": ["Course", "Product"],
                "name": ["Digital Law"],
                "provider": {"@type": "Organization", "@id": "#org"},
                "timeRequired": "P3W",
                "hasPart": [{"@type": "Course", "name": "Part 1"}, {"@type": "Syllabus", "name": "S"}],
                "hasCourseInstance": [{"@type": "CourseInstance", "courseWorkload": "PT22H"}],
            },
            {"@type": "Organization", "@id": "#org", "name": "Agency A"},
        ],
    }
    _, [row] = read("jsonld", json.dumps(page).encode())
    assert row.content
    assert (row.content.provider.en, row.content.hours, row.content.assumed) == ("Agency A", 22.0, ["languages"])
    assert "parts of this one are left out: 1, such as 'Part 1'" in row.warnings[0].detail


def test_a_range_of_hours_is_reported_and_its_words_are_kept() -> None:
    _, [row] = read("csv", "title,hours\nก,2-3 ชม.\n".encode())
    assert row.content
    assert (row.content.hours, row.content.stated, row.content.assumed) == (
        2.5,
        {"duration": "2-3 ชม."},
        ["provider", "languages"],
    )
    assert "2.5, the middle, are taken for '2-3 ชม.'" in [one.detail for one in row.warnings]


def test_a_rating_without_its_number_of_ratings_is_reported() -> None:
    _, [row] = read("csv", b"title,rating\nA,4.7stars\n")
    assert [one.detail for one in row.warnings if one.field == "rating"] == ["left out: rating_count is not stated"]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_separator_and_end_of_line_is_read(mark: str, end: str) -> None:
    body = end.join([f"title{mark}code", f'"a{mark} ""b"""{mark}1', f"c{mark}2", ""])
    assert [(one.title.en, one.code) for one in courses("csv", body)] == [(f'a{mark} "b"', "1"), ("c", "2")]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_open_quote_loses_only_its_own_row(size: int) -> None:
    body = 'title,code\nfirst,1\n"never closed,2\nthird,3\n"two\nlines",4\nfifth,"5"\n'
    _, rows = read("csv", body.encode(), size=size)
    text = "a quote is opened here and not closed"
    assert results_of(rows) == [(2, "first"), (3, text), (4, "third"), (5, "two\nlines"), (6, "fifth")]
    assert rows[1].begins == '"never closed,2'


def test_an_open_quote_at_the_end_or_before_much_text_loses_only_its_own_row() -> None:
    lines = [f"row {n},{n}" for n in range(30_000)]
    _, rows = read("csv", "\n".join(["title,code", '"open,1', *lines, '"open at the end,2']).encode())
    assert [row.number for row in rows if row.content is None] == [2, 30_003]
    assert sum(row.content is not None for row in rows) == 30_000


def test_lines_inside_an_open_quote_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read_sizes: list[int] = []
    cells = CsvReader._cells

    def counted(reader: CsvReader[Course], raw: bytes) -> Any:
        read_sizes.append(len(raw))
        return cells(reader, raw)

    monkeypatch.setattr(CsvReader, "_cells", counted)
    body = b"title,code\n" + b'"open\n' + b'""\n' * 900 + b'",1\nnext,2\n'
    _, rows = read("csv", body)
    assert [(row.number, row.content is None) for row in rows] == [(2, True), (3, False)]
    assert sum(read_sizes) < 2 * len(body)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_literal_quotes_over_several_lines_are_kept(size: int) -> None:
    body = b'title,code\r\n"a ""b""\r\n""c"" d\r\ne""",1\r\nnext,2\r\n'
    _, rows = read("csv", body, size=size)
    assert results_of(rows) == [(2, 'a "b"\n"c" d\ne"'), (3, "next")]


def test_rows_of_another_width_are_rejected_and_the_rest_is_read() -> None:
    _, rows = read("csv", b"title,code\na,1,more\nb\nc,3,,\nd,4\n\n")
    assert [(row.number, row.content is None) for row in rows] == [(2, True), (3, True), (4, False), (5, False)]
    assert [row.problems[0].detail for row in rows[:2]] == [
        "has 3 columns; the first row has 2",
        "has 1 columns; the first row has 2",
    ]


def test_a_row_without_end_is_rejected_and_never_buffered() -> None:
    reader = ListReader("csv", GUESS)
    found = list(reader.feed(b"title,code\n"))
    for _ in range(20):
        found += reader.feed(b"x" * ROW_LIMIT)
    found += [*reader.feed(b"\nnext,2\n"), *reader.end()]
    rows = [row for row in found if row]
    assert {row.problems[0].status for row in rows if row.content is None} == {413}
    assert [row.content.title.en for row in rows if row.content] == ["next"]


def test_nul_bytes_and_controls_are_left_out() -> None:
    assert [one.title.en for one in courses("csv", b"title\nab\x00c\x07\n")] == ["abc"]


def test_a_binary_file_is_no_csv() -> None:
    for body in (workbook(["title"], ["a"]), b"\xd0\xcf\x11\xe0" + b"\x00" * 100):
        with pytest.raises(Problem):
            read("csv", body)


@pytest.mark.parametrize("url", ["https://[::1", "https://[x]/", "http://\u2100/"])
def test_an_invalid_address_loses_at_most_its_row(url: str) -> None:
    _, rows = read("csv", f"title,url\na,{url}\nb,https://example.org/b\n".encode())
    assert [row.number for row in rows] == [2, 3]
    assert rows[1].content
    assert id_by_url(url) == id_by_url(url.upper())


@pytest.mark.parametrize("hours", ["-5", "3-", "1e999"])
def test_invalid_hours_are_reported_with_their_text(hours: str) -> None:
    _, [row] = read("csv", f"title,hours\na,{hours}\n".encode())
    assert [one.detail for one in row.warnings][:1] == [f"no duration is read from {hours!r}"]


def test_every_fault_of_a_row_is_reported_with_its_text() -> None:
    _, [row] = read("csv", b"code,title,url,hours\nC 1,,javascript:x,20000\n", Options(columns="guess"))
    assert sorted((one.field, one.status) for one in row.problems) == [("hours", 422), ("title", 422), ("url", 422)]
    assert row.begins == "C 1"


def test_missing_facts_are_assumed_and_listed_as_assumed() -> None:
    [plain] = courses("csv", f"title\n{THAI}\n")
    assert (plain.hours, plain.languages, plain.assumed) == (10, ["th"], ["provider", "hours", "languages"])
    given = Options(columns="guess", defaults={"provider": "หน่วยงาน", "hours": "6", "languages": "ไทย, English"})
    [with_defaults] = courses("csv", f"title\n{THAI}\n", given)
    assert (with_defaults.provider.th, with_defaults.hours, with_defaults.languages) == ("หน่วยงาน", 6, ["th", "en"])
    assert with_defaults.assumed == []


def test_one_column_may_be_title_and_description() -> None:
    options = Options(columns="code=#1,title=#2,description=#2", header=False)
    [one] = courses("csv", '6.002,"Circuits and Electronics. Fundamentals of circuits. More."\n', options)
    assert (one.title.en, one.description and one.description.en) == (
        "Circuits and Electronics",
        "Circuits and Electronics. Fundamentals of circuits. More.",
    )


def test_a_long_description_is_kept_and_a_longer_one_is_cut_at_a_word() -> None:
    _, rows = read("csv", f"title,description\na,{'x' * 5000}\nb,{'y' * 5001}\n".encode())
    assert [len(row.content.description.en or "") for row in rows if row.content and row.content.description] == [
        5000
    ] * 2
    assert [[one.field for one in row.warnings if "cut" in one.detail] for row in rows] == [[], ["description.en"]]


def test_prerequisites_of_a_provider_name_its_courses() -> None:
    body = (
        "provider,code,title,prerequisites\n"
        'Uni,CS 102,Two,"CS101 and (MATH 201 or MATH 202); concurrent with CS 103"\n'
        "Uni,CS 101,One,basic algebra\n"
        "Uni,CS 104,Four,\"['CS 101', 'CS 102']\"\n"
    )
    two, one, four = courses("csv", body)
    assert one.id == id_by_code("uni", "cs101")
    assert msgspec.to_builtins(two.requires) == [
        {"course": one.id},
        {"any": [{"course": id_by_code("Uni", "MATH 201")}, {"course": id_by_code("Uni", "MATH 202")}]},
    ]
    assert two.corequisites == [id_by_code("Uni", "CS 103")]
    assert (one.requires, one.stated) == ([], {"prerequisites": "basic algebra"})
    assert [row.course for row in four.requires] == [one.id, two.id]


def test_two_spellings_of_one_course_have_one_id_and_keep_their_spelling() -> None:
    nikhahit = THAI.replace("ำ", "\u0e4d\u0e32")
    body = f"provider,code,title\nสํานักงาน,CS 1,{nikhahit}\nสำนักงาน\u200b,cs1,{THAI}\n"
    first, second = courses("csv", body)
    assert first.id == second.id
    assert first.provider.th == "สํานักงาน"


# --- Excel -----------------------------------------------------------------------------------------------------------


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
    assert reader.columns[1] == ["ลำดับ", "วัน"]
    found = [(row.number, row.content.hours, str(row.content.starts)) for row in rows if row.content]
    assert found == [(5, 12.0, "2023-03-15"), (6, 18.5, "2025-03-01")]
    assert rows[0].content is not None
    assert rows[0].content.title == LocalizedText(th="สถิติ", en="Statistics")
    shifted = "รายชื่อหลักสูตร;;\nชื่อ;ชั่วโมง;คะแนน;reviews\nสถิติ;1,5;4,5;1.234\n".encode("cp874")
    (one,) = courses("csv", shifted)
    assert (one.hours, one.rating and (one.rating.mean, one.rating.count)) == (1.5, (4.5, 1234))


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


def bomb(name: str, size: int) -> bytes:
    file = io.BytesIO(workbook(["title"], ["a"]))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w", force_zip64=True) as part:
        for _ in range(size // (1 << 20)):
            part.write(bytes(1 << 20))
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


def test_a_zip_archive_is_no_workbook() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", "title\na\n")
    with pytest.raises(Malformed, match="no Excel workbook"):
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


# --- JSON-LD ---------------------------------------------------------------------------------------------------------

NODE = {
    "@context": "http://192.0.2.1/never/fetched",
    "@type": "Course",
    "name": [{"@language": "th", "@value": THAI}, {"@language": "en", "@value": "Python for beginners"}],
    "description": 'About {brackets} [and] "quotes" \\ and &amp;',
    "provider": {"@type": "Organization", "name": "Uni"},
    "courseCode": "CS 1",
    "inLanguage": ["th-TH", {"@type": "Language", "name": "English"}],
    "educationalLevel": {"@type": "DefinedTerm", "name": "Beginner"},
    "teaches": ["loops", {"@type": "DefinedTerm", "name": "lists"}],
    "keywords": "code, Python",
    "coursePrerequisites": [{"@type": "Course", "courseCode": "CS 99", "name": "Before"}],
    "hasCourseInstance": {
        "@type": "CourseInstance",
        "courseMode": ["MOOC", "online"],
        "courseSchedule": {"@type": "Schedule", "duration": "PT3H", "repeatCount": 5},
        "endDate": "2026-12-31",
    },
    "aggregateRating": {"ratingValue": 4.5, "ratingCount": 12},
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 5, 64, 100_000])
@pytest.mark.parametrize(
    "form",
    [
        json.dumps,
        lambda node: json.dumps([node]),
        lambda node: json.dumps(
            {"@context": "https://schema.org", "@graph": [{"@type": "WebPage", "name": "x"}, node]}
        ),
        lambda node: json.dumps({"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "item": node}]}),
        lambda node: json.dumps(node, indent=2, ensure_ascii=False),
        lambda node: f"<html><script type='application/ld+json'>{json.dumps(node)}</script></html>",
        lambda node: json.dumps({f"http://schema.org/{key}" if key[0] != "@" else key: node[key] for key in node}),
    ],
)
def test_a_course_in_json_ld_is_read_in_every_form_and_chunking(form: Any, size: int) -> None:
    [one] = courses("jsonld", form(NODE), size=size)
    assert msgspec.to_builtins(one) == {
        "id": id_by_code("Uni", "CS 1"),
        "title": {"th": THAI, "en": "Python for beginners"},
        "provider": {"en": "Uni"},
        "hours": 15.0,
        "languages": ["th", "en"],
        "requires": [{"course": id_by_code("Uni", "CS 99")}],
        "description": {"en": 'About {brackets} [and] "quotes" \\ and &'},
        "code": "CS 1",
        "tags": ["loops", "lists", "code", "Python"],
        "educational_level": "beginner",
        "rating": {"mean": 4.5, "count": 12},
        "ends": "2026-12-31",
        "stated": {"duration": "15 hours", "level": "Beginner", "prerequisites": "CS 99"},
    }


def test_nodes_are_read_one_by_one_and_an_invalid_one_loses_only_itself() -> None:
    nodes = [
        json.dumps({"@id": "#u", "@type": "Organization", "name": "Uni"}),
        json.dumps({"@type": "Course", "name": "one", "provider": {"@id": "#u"}}),
        '{"@type": "Course", "name": broken}',
        json.dumps({"@type": "Course", "name": "x" * ROW_LIMIT}),
        json.dumps({"@type": ["Course", "Product"], "name": "two"}),
    ]
    _, rows = read("jsonld", ('{"@graph": [' + ",".join(nodes) + "]}").encode(), size=1000)
    assert [(row.number, row.content is not None) for row in rows] == [(1, True), (2, False), (3, False), (4, True)]
    assert rows[0].content
    assert rows[0].content.provider.en == "Uni"
    assert rows[2].problems[0].status == 413


def test_courses_inside_a_page_and_providers_that_come_later_are_found() -> None:
    course = {"@type": ["Course", "LearningResource"], "name": "Inside", "provider": {"@id": "#late"}}
    offer = {"@type": "Offer", "itemOffered": {"@type": "schema:Course", "schema:name": "Offered"}}
    trail = {"@type": "BreadcrumbList", "itemListElement": [{"@type": "ListItem", "item": {"name": "Home"}}]}
    graph = [
        {"@type": "WebPage", "mainEntity": course},
        {"@type": "WebSite", "hasPart": [trail]},
        {"@type": "School", "hasOfferCatalog": {"@type": "OfferCatalog", "itemListElement": [offer]}},
        {"@type": "Course", "name": "Nobody's", "provider": {"@id": "#never"}},
        {"@type": "Organization", "@id": "#late", "name": "Late"},
    ]
    _, rows = read("jsonld", json.dumps({"@graph": graph}).encode())
    found = {(row.number, row.content.title.en, row.content.provider.en) for row in rows if row.content}
    assert found == {
        (1, "Inside", "Late"),
        (2, "Offered", "Provider not stated"),
        (3, "Nobody's", "Provider not stated"),
    }


@pytest.mark.parametrize("body", ['{"@type": "Course", "name": "a"', "[", '{"a": "', "<html>nothing</html>"])
def test_incomplete_or_missing_json_ld_is_reported(body: str) -> None:
    try:
        _, rows = read("jsonld", body.encode())
    except Malformed:
        return
    assert [row.content for row in rows] == [None]


def test_a_page_with_unclosed_scripts_is_read_in_linear_time() -> None:
    """It would take days where every one of them is looked for an end."""
    for page in (b"<script " * 2_000_000, b"<script ld+json>" * 1_000_000, b"<SCRIPT ld+json" * 1_000_000 + b">"):
        with pytest.raises(Malformed):
            read("jsonld", page)


def test_json_ld_of_a_page_with_other_scripts_is_read() -> None:
    page = '<script>let a = "<script>ld+json";</script><SCRIPT Type="application/ld+json">%s</SCRIPT ><script>'
    assert [one.code for one in courses("jsonld", (page % json.dumps(NODE)).encode())] == ["CS 1"]


def test_json_ld_of_any_depth_does_not_crash_the_reader() -> None:
    deep = '{"@type": "Course", "name": "a", "provider": ' + '{"name": ' * 3000 + '"x"' + "}" * 3000 + "}"
    _, rows = read("jsonld", deep.encode())
    assert len(rows) == 1


# --- export ----------------------------------------------------------------------------------------------------------

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
