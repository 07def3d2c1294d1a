"""Course lists in CSV: each trap of real files, in a few lines."""

from datetime import date
from typing import Any

import msgspec
import pytest

from services.assessment.model import ImportedOfficer
from services.catalog.importers import Format, ListReader, Options
from services.catalog.importers.facts import id_by_code, id_by_url
from shared.domain import Course
from shared.errors import InvalidInput, Problem
from shared.imports.rows import ROW_LIMIT
from shared.imports.tables import CsvReader, FieldTable
from tests.support.course_lists import GUESS, THAI, courses, read, results_of, workbook


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


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_first_line_that_names_the_separator_is_no_header(mark: str, end: str) -> None:
    reader = CsvReader(FieldTable(ImportedOfficer))
    lines = (f"sep={mark}", mark.join(("officer", "job_group", "agency")), mark.join(("officer-1", "service", "north")))
    [row] = [row for row in reader.feed(end.join((*lines, "")).encode()) if row]
    assert row.content == ImportedOfficer(officer="officer-1", job_group="service", agency="north")
    assert row.number == 3


def test_an_open_quote_at_the_end_or_before_much_text_loses_only_its_own_row() -> None:
    count = ROW_LIMIT // 200  # more text than one row may hold
    lines = [f"row {n} {'x' * 200},{n}" for n in range(count)]
    _, rows = read("csv", "\n".join(["title,code", '"open,1', *lines, '"open at the end,2']).encode())
    assert [row.number for row in rows if row.content is None] == [2, count + 3]
    assert sum(row.content is not None for row in rows) == count


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


@pytest.mark.parametrize(
    ("body", "hours", "assumed"),
    [
        ("Title,Duration,Duration Unit\na,90,Minutes\n", 1.5, False),
        ("Title,Duration,Duration Type\na,2,days\n", 12, True),
        ("Title,Duration,Duration Unit\na,3 hours,Minutes\n", 3, False),
        ("ชื่อหลักสูตร,ระยะเวลา,หน่วยเวลา\na,๙๐,นาที\n", 1.5, False),
        ("Title,Weeks,Hours per week\na,6,3\n", 18, False),
        ("title,min_effort,max_effort,weeks_to_complete\na,2,4,6\n", 18, False),
        ("Title,Weeks\na,6\n", 24, True),
        ("Title,Weeks\na,4-6\n", 20, True),
        ("Title,Weeks,Hours per week\na,6,3-5 hours\n", 24, False),
        ("Title,Weeks,Hours per week\na,6 weeks,3-5 hours per week\n", 24, False),
        ("Title,Weeks,Hours per week\na,6,varies\n", 24, True),
        ("title,min_effort,max_effort,weeks_to_complete\na,0,0,6\n", 24, True),
        ("Title,Hours,Weeks,Hours per week\na,20,6,3\n", 20, False),
        ("Title,Hours\na,6 - 8\n", 7, False),
    ],
)
def test_the_unit_and_the_pace_of_a_duration_stand_in_columns_of_their_own(
    body: str, hours: float, assumed: bool
) -> None:
    [one] = courses("csv", body)
    assert (one.hours, "hours" in one.assumed) == (hours, assumed)


def test_a_span_of_days_begins_and_ends_a_course() -> None:
    spans = ["15 - 17 มกราคม 2567", "๓๐ ม.ค. ๒๕๖๗ ถึง ๒ ก.พ. ๒๕๖๗", "1 Mar - 5 Apr 2024", "2024-03-01 to 2024-03-05"]
    found = courses("csv", "\n".join(["title,dates", *(f"{n},{one}" for n, one in enumerate(spans, 1000))]))
    assert [(str(one.starts), str(one.ends)) for one in found] == [
        ("2024-01-15", "2024-01-17"),
        ("2024-01-30", "2024-02-02"),
        ("2024-03-01", "2024-04-05"),
        ("2024-03-01", "2024-03-05"),
    ]


def test_a_first_day_without_a_year_is_before_the_last_one() -> None:
    spans = ["28 ธ.ค. - 5 ม.ค. 2567", "Dec 28 - Jan 5, 2024", "1 มี.ค. - 5 มี.ค. ๒๕๖๗", "2023 - 2024"]
    found = courses("csv", "\n".join(["title,dates", *(f'{n},"{one}"' for n, one in enumerate(spans, 1000))]))
    assert [(str(one.starts), str(one.ends)) for one in found] == [
        ("2023-12-28", "2024-01-05"),
        ("2023-12-28", "2024-01-05"),
        ("2024-03-01", "2024-03-05"),
        ("2023-01-01", "2024-12-31"),
    ]


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        ("15 - มกราคม 2567", "2024-01-15"),
        ("2024-01-15 10:00 - 12:00", "2024-01-15"),
        ("15 ม.ค. 2567 เวลา 09.00 - 16.00 น.", "2024-01-15"),
        ("ถึง 17 ม.ค. 2567", None),
        ("17-15 Jan 2024", None),
    ],
)
def test_other_words_between_two_numbers_are_no_span(words: str, starts: str | None) -> None:
    _, [row] = read("csv", f"title,dates\na,{words}\n".encode())
    assert row.content
    assert row.content.ends is None
    assert row.content.starts == (date.fromisoformat(starts) if starts else None)
    assert [one.detail for one in row.warnings if one.field in ("starts", "ends")] == (
        [] if starts else [f"{words!r}: not read as a date"]
    )


def test_an_end_in_words_leaves_the_first_day() -> None:
    _, [row] = read("csv", b"title,dates\na,15 Jan 2024 - open\n")
    assert row.content
    assert (row.content.starts, row.content.ends) == (date(2024, 1, 15), None)
    assert [one.detail for one in row.warnings if one.field == "ends"] == ["'open': not read as a date"]


def test_what_is_in_brackets_is_no_further_language() -> None:
    _, [row] = read("csv", b"title,language\na,Chinese (Simplified/Traditional) & English\n")
    assert row.content
    assert row.content.languages == ["zh", "en"]
    assert "languages" not in [one.field for one in row.warnings]


@pytest.mark.parametrize("words", ["Open", "Available: 12 seats", "Closed captions", "Self-paced", "Current"])
def test_other_words_about_a_course_do_not_refuse_it(words: str) -> None:
    _, [row] = read("csv", f"title,status\nClosed loop control,{words}\n".encode())
    assert row.problems == []


def test_languages_in_one_cell_are_all_read() -> None:
    found = courses("csv", "title,language\na,ไทย/อังกฤษ\nb,ภาษาไทยและภาษาอังกฤษ\nc,Thai and English\nd,Thai & English\n")
    assert [one.languages for one in found] == [["th", "en"]] * 4


def test_a_rating_that_is_not_read_is_named() -> None:
    _, [row] = read("csv", b"title,rating,reviews\na,very good,12\n")
    assert [one.detail for one in row.warnings if one.field == "rating"] == [
        "left out: no number is read from 'very good'"
    ]


@pytest.mark.parametrize("url", ["javascript:x", "ftp://x.example/a", "/course/view.php?id=7", "ดูที่เว็บไซต์", "https:///"])
def test_a_course_is_kept_without_a_link_that_is_no_address(url: str) -> None:
    _, [row, same] = read("csv", f"title,url\na,{url}\nb,HTTPS://x.example/b\n".encode())
    assert row.content
    assert row.content.url is None
    assert [one.detail for one in row.warnings if one.field == "url"] == [
        f"{url!r} is no address that begins with http:// or https://; it is left out"
    ]
    assert row.content.id == courses("csv", "title\na\n")[0].id
    assert same.content
    assert same.content.url == "https://x.example/b"


def test_an_address_that_is_too_long_is_left_out_as_such() -> None:
    _, [row] = read("csv", f"title,url\na,https://x.example/{'a' * 2000}\n".encode())
    assert row.content
    assert row.content.url is None
    assert [one.detail for one in row.warnings if one.field == "url"] == [
        "left out: an address may hold 2000 characters"
    ]


@pytest.mark.parametrize(("column", "cell"), [("url", f"{'www.' * 500}!"), ("language", f"Thai{chr(9) * 100_000}x")])
def test_a_cell_takes_time_in_proportion_to_its_length(column: str, cell: str) -> None:
    """With a pattern that tries every way to divide such a cell, this test does not end."""
    _, [row] = read("csv", f"title,{column}\na,{cell}\n".encode())
    assert row.content


@pytest.mark.parametrize("hours", ["-5", "3-", "1e999"])
def test_invalid_hours_are_reported_with_their_text(hours: str) -> None:
    _, [row] = read("csv", f"title,hours\na,{hours}\n".encode())
    assert [one.detail for one in row.warnings][:1] == [f"no duration is read from {hours!r}"]


def test_every_fault_of_a_row_is_reported_with_its_text() -> None:
    _, [row] = read("csv", b"code,title,hours\nC 1,,20000\n", Options(columns="guess"))
    assert sorted((one.field, one.status) for one in row.problems) == [("hours", 422), ("title", 422)]
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


LONG = "https://www.x.example/learn/An-Introduction-to-the-Analysis-of-Public-Data-and-Statistics/?utm_source=a&lang=th"


@pytest.mark.parametrize(
    ("identifier", "known"),
    [
        (id_by_code("Uni", "CS 101"), "uni-cs101-bb792db91474"),
        (id_by_code("สำนักงาน ก.พ.", "ดจ 101"), "101-5798b0f3bdd2"),
        (id_by_url(LONG), "an-introduction-to-the-analysis-of-publi-aa284a752895"),
        (id_by_url("https://x.example/หลักสูตร"), "c-f88e5158deeb"),
        (id_by_url("https://somebody:hidden@x.example"), id_by_url("https://x.example")),
    ],
)
def test_the_id_of_an_imported_course_is_the_same_in_every_version(identifier: str, known: str) -> None:
    """Another id would import every course of an agency a second time."""
    assert identifier == known


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("title,headline,description", {"title": ["title"], "description": ["description"]}),
        ("ชื่อโครงการ,ชื่อหลักสูตร", {"title": ["ชื่อหลักสูตร"]}),
        ("ชื่อโครงการ,หน่วยงานผู้พัฒนา,หน่วยงาน", {"title": ["ชื่อโครงการ"], "provider": ["หน่วยงาน"]}),
        ("title,contact hours,hours", {"title": ["title"], "hours": ["hours"]}),
    ],
)
def test_the_usual_name_of_a_fact_is_taken_before_one_that_means_something_near(
    header: str, taken: dict[str, list[str]]
) -> None:
    reader = ListReader("csv", GUESS)
    assert not any([*reader.feed(f"{header}\n".encode()), *reader.end()])
    assert reader.columns[0] == taken


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
        ("catalog_course,catalog_course_title,Owners,Level Type", "code title provider level"),
        ("Content URN|Title|Locale|Avg. Rating|Number of Reviews", "id title languages rating rating_count"),
        ("canvas_course_id,course_id,long_name,status", "id title offered"),
        ("ชื่อหลักสูตร / Course name|ผู้จัด (Provider)|วันที่เริ่มอบรม|Subject(s)", "title provider starts tags"),
        ("ชื่อหลักสูตร (ภาษาไทย)|ชื่อหลักสูตร (ภาษาอังกฤษ)|จำนวนวัน", "title_th title_en duration"),
        ("dc.title|dc.subject|dc.identifier.uri|dc.description.abstract", "title tags url description"),
        ("Title|Hours per week|จำนวนชั่วโมง/วัน|Category/Level", "title weekly_hours"),
        ("Title|Hours (week)|hours_day", "title"),
        ("Title|Image / URL|Registration (start)|Duration(s)", "title duration"),
        ("ชื่อหลักสูตร|ชื่อหลักสูตรภาษาอังกฤษ|ชั่วโมง", "title title_en hours"),
        (
            "Training Title|Training Provider|Training Hours|Training Active|Training Type",
            "title provider hours offered",
        ),
        ("CourseName|DurationHours|IsActive|CategoryName", "title duration offered tags"),
        ("หลักสูตร/Course|ชั่วโมง/Hours|ภาษา/Language", "title hours languages"),
        ("EXTERNAL_KEY|COURSE_NAME|AVAILABLE_IND", "title offered"),
        ("Course Name|About this course|Skills Gained|Learning Time", "title description tags duration"),
        ("ชื่อโครงการฝึกอบรม|จำนวนวัน|วันที่อบรม|วิธีการอบรม", "title duration starts modality"),
        ("ชื่อรายวิชา|สถาบันผู้พัฒนา|ลิงก์รายวิชา", "title provider url"),
    ],
)
def test_columns_of_other_platforms_are_guessed(header: str, facts: str) -> None:
    reader, _ = read("csv", f"{header}\n".encode())
    assert sorted(reader.columns[0]) == sorted(facts.split())


@pytest.mark.parametrize(
    "header", ["Name (instructor),Title", "Training Name,Title", "Title,Name (instructor)", "ชื่อ / นามสกุล,ชื่อหลักสูตร"]
)
def test_a_column_with_only_the_name_of_a_fact_is_the_surer_one(header: str) -> None:
    reader, _ = read("csv", f"{header}\n".encode())
    assert reader.columns[0]["title"] in (["Title"], ["ชื่อหลักสูตร"])


def test_a_title_without_a_language_stays_beside_one_in_english() -> None:
    [one] = courses("csv", f"ชื่อหลักสูตร,Course name (English)\n{THAI},Data\n")
    assert msgspec.to_builtins(one.title) == {"th": THAI, "en": "Data"}


@pytest.mark.parametrize("header", ["ชื่อหลักสูตร,Course name", "Course Title,ชื่อวิชา", "ชื่อหลักสูตร / Course,Title,ชื่อรายวิชา"])
def test_titles_in_columns_of_thai_and_english_names_are_one_title_in_both(header: str) -> None:
    names = header.split(",")
    cells = [THAI if name.startswith("ชื่อ") else "Data" for name in names]
    [one] = courses("csv", f"{header}\n{','.join(cells)}\n")
    assert msgspec.to_builtins(one.title) == {"th": THAI, "en": "Data"}


@pytest.mark.parametrize("header", ["หลักสูตร,Course name", "ชื่อ,Course name", "ชื่อโครงการ,Course name"])
def test_a_thai_column_that_may_hold_something_else_is_not_the_other_title(header: str) -> None:
    reader, _ = read("csv", f"{header}\n".encode())
    assert [fact for fact in reader.columns[0] if fact.startswith("title")] == ["title"]


def test_a_title_that_says_nothing_is_no_title() -> None:
    body = f"Title (TH),Title (EN)\n{THAI},null\nNone,N/A\n"
    _, (named, nameless) = read("csv", body.encode())
    assert named.content
    assert msgspec.to_builtins(named.content.title) == {"th": THAI}
    assert [one.field for one in nameless.problems] == ["title"]


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


@pytest.mark.parametrize(
    ("columns", "cells", "field"),
    [
        ("rating,rating_count", "7,3", "rating.mean"),
        ("rating,rating_count", "4,2000000000", "rating.count"),
        ("started,completed", "2000000000,1", "completions.started"),
        ("started,completed", "1,2", "completions"),  # neither of the two is wrong alone
    ],
)
def test_a_warning_of_wrong_numbers_names_the_number(columns: str, cells: str, field: str) -> None:
    _, [row] = read("csv", f"title,{columns}\nA,{cells}\n".encode())
    assert row.content
    assert (row.content.rating, row.content.completions) == (None, None)
    assert [one.field for one in row.warnings if one.detail.startswith("left out: ")] == [field]


def test_a_warning_of_tags_that_are_left_out_names_the_column() -> None:
    _, [row] = read("csv", f"title,tags\nA,{'x' * 2000}\n".encode())
    assert row.content
    assert row.content.tags == []
    assert [one.field for one in row.warnings if "left out" in one.detail] == ["tags"]


@pytest.mark.parametrize(
    ("row", "hours", "warning"),
    [
        ("a,1.30 ชม.,", 1.3, "1.3 are taken for '1.30 ชม.'; write 1:30 if that is hours and minutes"),
        ("a,,1.30", 1.3, "1.3 are taken for '1.30'; write 1:30 if that is hours and minutes"),
        ("a,,1.5", 1.5, None),
        ("a,4 weeks 12 hours,", 12, "12 are taken for '4 weeks 12 hours', without '4 weeks'"),
    ],
)
def test_hours_that_may_be_meant_otherwise_are_warned_of(row: str, hours: float, warning: str | None) -> None:
    _, [found] = read("csv", f"title,duration,hours\n{row}\n".encode())
    assert found.content
    assert found.content.hours == hours
    assert [one.detail for one in found.warnings] == ([warning] if warning else [])


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


@pytest.mark.parametrize(
    ("row", "detail"), [("x1,,3", "is missing: a course needs a title"), (",N/A,3", "'N/A' is no title")]
)
def test_a_course_without_a_title_is_refused_in_plain_words(row: str, detail: str) -> None:
    _, [found] = read("csv", f"id,title,hours\n{row}\n".encode())
    assert found.content is None
    assert [(one.field, one.detail) for one in found.problems] == [("title", detail)]


@pytest.mark.parametrize(
    ("name", "cell", "hours"),
    [
        ("ระยะเวลา (นาที)", "๙๐", 1.5),
        ("Content Length (min)", "90", 1.5),
        ("duration_minutes", "90", 1.5),
        ("Duration (seconds)", "5400", 1.5),
        ("Duration (s)", "5400", 1.5),
        ("Hour(s)", "2", 2),
        ("Duration (weeks)", "2-3", 10),
        ("จำนวนวัน", "3", 18),
        ("จำนวน (ชม.)", "6", 6),
        ("จำนวน (ชม.)", "6 วัน", 36),
        ("Length (hh:mm:ss)", "01:30:00", 1.5),
        ("จำนวนชั่วโมง", "สามสิบ", 30),
        ("จำนวนชั่วโมงการอบรม (ชม.)", "หก ชม.", 6),
        ("ชั่วโมง,ระยะเวลา (นาที)", "1,๓๐", 1.5),
        ("Hours,Duration (minutes)", "1,90", 1),
        ("Hours,Duration (minutes)", ",45", 0.75),
        ("Hours,Duration", "1,45 minutes", 1),
    ],
)
def test_a_bare_number_counts_in_the_unit_of_its_column(name: str, cell: str, hours: float) -> None:
    [one] = courses("csv", f"Title,{name}\nA course,{cell}\n")
    assert one.hours == hours


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
    ("header", "row"),
    [
        ("课程编号,课程名称,学时,难度,语言,开课单位,先修课程", "C1,数据,12,初级,中文,U,无"),
        ("課程代碼,課程名稱,時數,程度,語言,主辦單位", "C1,數據,12,初級,中文,U"),
        ("Mã khóa học,Tên khóa học,Thời lượng (giờ),Trình độ,Ngôn ngữ,Đơn vị", "C1,Dữ liệu,12,Cơ bản,Tiếng Việt,U"),
        (
            "Code,Intitulé de la formation,Durée,Niveau,Langue,Organisme,Prérequis",
            "C1,Données,12 heures,Débutant,Français,U,Aucun",
        ),
        (
            "Kode,Nama Kursus,Durasi,Tingkat,Bahasa,Penyelenggara,Prasyarat",
            "C1,Data,12 jam,Pemula,Bahasa Indonesia,U,Tidak ada",
        ),
        ("Kod Kursus,Nama Kursus,Tempoh (jam),Tahap,Bahasa,Penganjur", "C1,Data,12,Asas,Bahasa Melayu,U"),
        ("Código,Nombre del curso,Duración (horas),Nivel,Idioma,Institución", "C1,Datos,12,Principiante,Español,U"),
        ("Kursnummer,Kurstitel,Dauer,Niveau,Sprache,Anbieter", "C1,Daten,12 Stunden,Anfänger,Deutsch,U"),
        ("科目コード,講座名,学習時間,レベル,言語,提供機関", "C1,データ,12時間,初級,日本語,U"),
    ],
)
def test_columns_in_other_languages_are_recognised(header: str, row: str) -> None:
    reader, [found] = read("csv", f"{header}\n{row}\n".encode())
    assert reader.table
    assert (reader.table.unused, found.warnings) == ([], [])
    assert found.content
    one = found.content
    assert (one.code, one.hours, one.educational_level, one.provider.en) == ("C1", 12, "beginner", "U")
    assert "languages" not in one.assumed
    assert one.languages[0] in ("zh", "vi", "fr", "id", "ms", "es", "de", "ja")


@pytest.mark.parametrize("words", ["每周3小时，共6周", "6周，每周3小时"])
def test_a_pace_before_its_amount_is_not_read_as_a_duration(words: str) -> None:
    _, [found] = read("csv", f'课程名称,时长\n数据,"{words}"\n'.encode())
    assert found.content
    assert "hours" in found.content.assumed


def test_rows_over_a_table_may_have_several_cells() -> None:
    above = "Report generated,2025-01-01,\nหน่วยงาน:,สำนักงาน ก.พ.,,หน้า 1\n,,\n"
    body = above + "Course Name,Hours,Provider\nA,3,P\n"
    for options in (GUESS, Options(columns="title=Course Name,hours=Hours,provider=Provider")):
        _, [row] = read("csv", body.encode(), options)
        assert row.content
        assert (row.number, row.content.title.en, row.content.hours) == (5, "A", 3)
    named = "Kurzbezeichnung,Umfang\n" + "Daten,12\n" * 20
    with pytest.raises(InvalidInput) as refused:
        read("csv", named.encode())
    assert refused.value.detail == "no column holds the title; there are: Kurzbezeichnung, Umfang"
    with pytest.raises(InvalidInput) as refused:
        read("csv", b"Kurzbezeichnung,Umfang\nCourse,12\n")  # a course that is called so is no header
    assert refused.value.detail == "no column holds the title; there are: Kurzbezeichnung, Umfang"


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


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("List<A> and Map<K,V>", "List<A> and Map<K,V>"),
        ("Vector<Table> in C++", "Vector<Table> in C++"),
        ("Data<B>base</B> design", "Database design"),
        ("One<BR>two<P>three", "One\ntwothree"),
        ("Read <b>this", "Read this"),
    ],
)
def test_types_in_angle_brackets_are_no_html(written: str, shown: str) -> None:
    assert [one.title.en for one in courses("csv", f'title,code\n"{written}",1\n')] == [shown]


def test_many_types_in_angle_brackets_are_read_in_linear_time() -> None:
    """Each of the 200 courses would take seconds where the text is searched for the end of each of them."""
    text = "a<B>" * 12_000
    lines = "".join(f"Course {n},{n},{text}\n" for n in range(200))
    assert len(courses("csv", f"title,code,description\n{lines}")) == 200


@pytest.mark.parametrize("form", ["csv", "ndjson", "jsonld"])
@pytest.mark.parametrize("body", ["<?xml version='1.0'?>\n<manifest identifier='x'/>", "<m:courseStructure/>"])
def test_the_manifest_of_a_package_is_refused_as_such(form: Format, body: str) -> None:
    with pytest.raises(Problem) as refused:
        read(form, body.encode())
    assert "manifest of a package" in refused.value.detail
