"""Which column of a course list holds what: guessed by its name, or stated by a map."""

import msgspec
import pytest

from services.catalog.importers import Format, ListReader, Options
from services.catalog.importers.facts import id_by_url
from shared.errors import InvalidInput
from tests.support.course_lists import GUESS, THAI, courses, read, workbook


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


def test_one_column_may_be_title_and_description() -> None:
    options = Options(columns="code=#1,title=#2,description=#2", header=False)
    [one] = courses("csv", '6.002,"Circuits and Electronics. Fundamentals of circuits. More."\n', options)
    assert (one.title.en, one.description and one.description.en) == (
        "Circuits and Electronics",
        "Circuits and Electronics. Fundamentals of circuits. More.",
    )


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
            "title provider hours offered modality",
        ),
        ("CourseName|DurationHours|IsActive|CategoryName", "title duration offered tags"),
        ("หลักสูตร/Course|ชั่วโมง/Hours|ภาษา/Language", "title hours languages"),
        ("EXTERNAL_KEY|COURSE_NAME|AVAILABLE_IND", "title offered"),
        ("Course Name|About this course|Skills Gained|Learning Time", "title description tags duration"),
        ("ชื่อโครงการฝึกอบรม|จำนวนวัน|วันที่อบรม|วิธีการอบรม", "title duration starts modality"),
        ("ชื่อรายวิชา|สถาบันผู้พัฒนา|ลิงก์รายวิชา", "title provider url"),
        ("Asset ID|Asset Title|Content Type", "id title modality"),
        ("ชื่อโครงการ|ระหว่างวันที่", "title starts"),
        ("ชื่อวิชา|เปิดให้เรียน|วันที่เปิด|วันที่ปิด", "title offered starts ends"),
        ("ComponentID|Title|Prerequisites", "id title prerequisites"),
        ("LO Title|LO ID|LO Type", "title id modality"),
        ("Title|Skill 1|Skill 2|Level 1", "title tags"),
        ("title|prerequisites_raw", "title prerequisites"),
        ("LO Object ID|LO Title|LO Training Hours", "id title hours"),
        ("Item Title|Subject Area|Prerequisite Items", "title tags prerequisites"),
        ("Course Unique ID|Course Code|Course Name", "id code title"),
        ("Course name English|Course name Thai", "title_en title_th"),
        ("Title|Language Thai|ชม.", "title hours"),
        ("ชื่อหลักสูตร Course name|จำนวนชั่วโมง Hours|Provider หน่วยงาน|หลักสูตร Online", "title duration provider"),
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
        ("duration_ms", "5400000", 1.5),
        ("Duration (milliseconds)", '"5,400,000"', 1.5),
        ("durationInMs", "5400000", 1.5),
    ],
)
def test_a_bare_number_counts_in_the_unit_of_its_column(name: str, cell: str, hours: float) -> None:
    [one] = courses("csv", f"Title,{name}\nA course,{cell}\n")
    assert one.hours == hours


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


def sample_of(form: Format, body: bytes) -> tuple[list[str], dict[int, list[str]]]:
    """Return the columns of the sample of a file, and {number of a row: its cells}."""
    reader, _ = read(form, body, Options(accept_guess=True, sample=True))
    sample = reader.described["sample"]
    return sample.columns, {row.line: row.cells for row in sample.rows}


def test_the_sample_of_a_table_holds_its_first_rows_as_they_are_in_the_file() -> None:
    key = "0123456789abcdef.planted-secret-planted-secret-planted-secr"
    rows = [
        "List of courses",
        "",
        "Title,,Hours",
        f"=1+1,<b>x</b>,{key}",
        f'"{"ย" * 61}","a\nb",',
        "Z,z",
        ",,9",
        "Last,x,3",
    ]
    columns, cells = sample_of("csv", "\n".join([*rows, *["More,m,1"] * 9]).encode())
    assert columns == ["Title", "", "Hours"]
    assert key not in cells[4][2]
    assert cells == {
        4: ["=1+1", "<b>x</b>", cells[4][2]],
        5: ["ย" * 60 + "…", "a b", ""],
        7: ["", "", "9"],  # row 6 has too few cells to be read
        8: ["Last", "x", "3"],
        9: ["More", "m", "1"],
    }


def test_the_sample_of_a_wide_table_holds_100_columns_and_is_kept_on_request_only() -> None:
    wide = "\n".join([",".join(["title", *(f"c{n}" for n in range(1, 300))]), ",".join(["A"] * 300)]).encode()
    columns, cells = sample_of("csv", wide)
    assert (len(columns), columns[99], len(cells[2])) == (100, "c99", 100)
    assert read("csv", wide, GUESS)[0].described["sample"] is None
    assert sample_of("xlsx", workbook(["Title", "Hours"], ["A", 1.5], ["B", None])) == (
        ["Title", "Hours"],
        {2: ["A", "1.5"], 3: ["B", ""]},
    )


@pytest.mark.parametrize(
    ("table", "hours"),
    [
        ("Title,Duration Hours,Duration Minutes\nA,1,30\n", 1.5),
        ("Title,Duration (minutes),Duration (hours)\nA,45,0\n", 0.75),
        ("Title,Hours,Minutes\nA,1,30\n", 1.5),
        ("Title,Hours,Mins\nA,0,45\n", 0.75),
        ("ชื่อหลักสูตร,ชั่วโมง,นาที\nA,,๙๐\n", 1.5),
        ("Title,Hours,Minutes\nA,2,\n", 2),
        ("ชื่อหลักสูตร,ระยะเวลา (ชั่วโมง),ระยะเวลา (นาที)\nA,๒,๑๕\n", 2.25),
        ("Title,Duration (hours),Duration (minutes)\nA,1.5,90\n", 1.5),
        ("Title,Duration (hours),Duration (minutes)\nA,,90\n", 1.5),
        ("Item Title,Total Length (Hrs),Contact Hours\nA,1.5,2\n", 1.5),
        ("Item Title,Contact Hours\nA,2\n", 2),
        ("LO Title,LO Provider,Training Hours\nA,P,2\n", 2),
        ("หลักสูตร,ระยะเวลา (วัน),ระยะเวลา (ชั่วโมง)\nก,3,12\n", 12),
        ("หลักสูตร,ระยะเวลา (ชั่วโมง),ระยะเวลา (วัน)\nก,12,3\n", 12),
        ("หลักสูตร,ระยะเวลา (วัน),ระยะเวลา (ชั่วโมง)\nก,,4\n", 4),
        ("หลักสูตร,ระยะเวลา (วัน),ระยะเวลา (ชั่วโมง)\nก,2,\n", 12),
        ("Course,Duration (days),Duration (minutes)\nA,1,90\n", 1.5),
        ("ชื่อวิชา,หน่วยกิต\nก,3\n", 45),
        ("ชื่อวิชา,หน่วยกิต\nก,3(2-2-5)\n", 45),
        ("ชื่อวิชา,หน่วยกิต\nก,๓ (๓-๐-๖)\n", 45),
        ("ชื่อวิชา,หน่วยกิต\nก,3 (3–0–6)\n", 45),
        ("ชื่อวิชา,หน่วยกิต,ระยะเวลา\nก,3,20 ชั่วโมง\n", 20),
    ],
)
def test_a_duration_in_several_columns_is_read_from_all_of_them(table: str, hours: float) -> None:
    assert [one.hours for one in courses("csv", table)] == [hours]


def test_a_warning_of_assumed_hours_names_the_text_from_which_they_come() -> None:
    _, [row] = read("csv", "หลักสูตร,ระยะเวลา (วัน),ระยะเวลา (ชั่วโมง)\nก,1,0\n".encode())
    assert [one.detail for one in row.warnings] == ["6 are assumed for '1 วัน'"]
