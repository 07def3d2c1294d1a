"""Frameworks as matrices of requirements: each fault is reported with its row, its field and why."""

import io
import zipfile
from datetime import UTC, datetime

import pytest

from services.catalog.frameworks import Options, Reading, Source, builder, read, write
from services.catalog.frameworks.builder import PROSE_LIMIT, TITLE_LIMIT
from shared.domain import LocalizedText
from shared.errors import InvalidInput

NAMED = Options(id="mine", title=LocalizedText(en="Mine"))


EXPERTS = Options(id="mine", title=LocalizedText(en="Mine"), scale=("None", "Aware", "Able"))


def table(*lines: str, options: Options = NAMED, encoding: str = "utf-8") -> Reading:
    return read("csv", [Source("matrix.csv", "\n".join(lines).encode(encoding))], options)


def faults_of(reading: Reading) -> list[tuple[str, int | None, str | None]]:
    return [(fault.verdict, fault.row, fault.field) for fault in reading.faults]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_matrix_is_read_in_every_separator_and_encoding(separator: str, encoding: str) -> None:
    lines = ["กลุ่มงาน,ทักษะ,ระดับ", "ธุรการ,สารบรรณ,2", "ธุรการ,การเงิน,๑", "บริการ,สารบรรณ,ระดับ 3"]
    found = table(*(line.replace(",", separator) for line in lines), encoding=encoding).framework
    assert found
    assert [group.title.th for group in found.job_groups] == ["ธุรการ", "บริการ"]
    assert [row.level for row in found.requirements] == [2, 1, 3]
    assert [step.level for step in found.scale] == [0, 1, 2, 3]


@pytest.mark.parametrize("raw", ["\n \nrole,skill,level\n\nclerk,law,2\n", "role,skill,level\rclerk,law,2\r"])
def test_empty_rows_and_old_line_ends_are_ignored(raw: str) -> None:
    found = read("csv", [Source("matrix.csv", raw.encode())], NAMED)
    assert found.framework, found.faults
    assert (found.rows, [row.level for row in found.framework.requirements]) == (1, [2])


def test_a_row_in_which_formulas_keep_nothing_is_empty() -> None:
    found = table('="",=""', "role,skill,level", 'clerk,="law",2,=""', '="",="",=""')
    assert found.framework, found.faults
    assert (found.rows, [row.level for row in found.framework.requirements]) == (1, [2])


def test_a_written_table_contains_no_formula() -> None:
    found = table("role,skill,level", "=cmd(),law,2", "'=twice,law,1").framework
    assert found
    assert [group.title.en for group in found.job_groups] == ["=cmd()", "=twice"]
    written = write("csv", found, datetime(2026, 1, 1, tzinfo=UTC)).data
    assert b",=" not in written
    assert b"'=cmd()" in written
    assert read("csv", [Source("matrix.csv", written)], NAMED).framework == found


def test_a_wide_matrix_is_read_in_both_orientations() -> None:
    long = table("role,skill,level", "clerk,filing,1", "clerk,law,2", "chief,law,3").framework
    roles = table("role,filing,law", "clerk,1,2", "chief,,3").framework
    skills = table("skill,clerk,chief", "filing,1,", "law,2,3").framework
    assert long
    assert roles
    assert skills
    rows = {(row.job_group, row.skill, row.level) for row in long.requirements}
    assert rows == {(row.job_group, row.skill, row.level) for row in roles.requirements}
    assert rows == {(row.job_group, row.skill, row.level) for row in skills.requirements}


def test_named_levels_need_a_known_or_a_given_scale() -> None:
    known = table("role,skill,level", "clerk,filing,Practitioner", "clerk,law,awareness").framework
    assert known
    assert [row.level for row in known.requirements] == [3, 1]
    unknown = table("role,skill,level", "clerk,filing,Able", "clerk,law,Banana")
    assert (unknown.framework, faults_of(unknown)) == (None, [("untrue", 2, "level"), ("untrue", 3, "level")])
    given = table("role,skill,level", "clerk,filing,Able", options=EXPERTS).framework
    assert given
    assert [(step.level, step.title.en) for step in given.scale] == [(0, "None"), (1, "Aware"), (2, "Able")]
    assert given.requirements[0].level == 2


def test_a_mark_is_a_level_only_if_the_option_defines_it() -> None:
    lines = ("skill,clerk,chief", "filing,✓,", "law,x,✓")
    refused = table(*lines)
    assert refused.framework is None
    assert {fault.reason.split("; ")[-1] for fault in refused.faults} == {"say with `mark` which level a mark means"}
    taken = table(*lines, options=Options(id="m", title=LocalizedText(en="M"), mark=2)).framework
    assert taken
    assert [row.level for row in taken.requirements] == [2, 2, 2]


def test_a_line_that_introduces_a_list_is_no_descriptor() -> None:
    cell = '"You can:\n- file letters\n- find them: all"'
    reading = table("role,skill,level,level description", f"clerk,filing,1,{cell}", "chief,filing,2,Can decide:")
    assert reading.framework
    texts = [step.title.en for step in reading.framework.skills[0].descriptors]
    assert texts == ["file letters", "find them: all", "Can decide:"]
    assert [(lost.count, lost.examples) for lost in reading.not_kept] == [(1, ["You can:"])]


def test_a_text_among_levels_is_no_descriptor() -> None:
    refused = table("skill,Beginner,Advanced", "filing,1,2", "law,2,see note")
    assert refused.framework is None
    assert [(fault.row, fault.id, fault.field) for fault in refused.faults] == [(3, "advanced / law", "level")]


def test_columns_named_by_levels_hold_descriptors_where_they_hold_texts() -> None:
    texts = table("skill,Awareness,Working,roles", "filing,Knows files,Files letters,clerk", "law,,Reads laws,")
    assert texts.framework
    assert [(step.level, step.title.en) for step in texts.framework.scale] == [
        (0, "None"), (1, "Awareness"), (2, "Working"), (3, "Practitioner"), (4, "Expert"),
    ]  # fmt: skip
    steps = {skill.id: [(one.level, one.title.en) for one in skill.descriptors] for skill in texts.framework.skills}
    assert steps == {"filing": [(1, "Knows files"), (2, "Files letters")], "law": [(2, "Reads laws")]}
    assert [group.id for group in texts.framework.job_groups] == ["everybody"]
    assert [lost.what for lost in texts.not_kept] == ["column 'roles'"]
    levels = table("skill,Beginner,Expert", "filing,1,2").framework
    assert levels
    assert [(one.job_group, one.level) for one in levels.requirements] == [("beginner", 1), ("expert", 2)]
    own = table("skill,Aware,Able", "filing,Knows files,Files letters", options=EXPERTS).framework
    assert own
    assert [one.level for one in own.skills[0].descriptors] == [1, 2]


def test_every_fault_of_a_table_is_reported_and_the_rest_is_imported_on_request() -> None:
    lines = (
        "role,skill,level,weight,skill description",
        "clerk,filing,1,,Keeps records",
        "clerk,,1,,",
        ",filing,1,,",
        "clerk,law,,,",
        "clerk,law,5,heavy,",
        "clerk,law,2,0,",
        "clerk,filing,2,,",
        "clerk,filing,1,,",
        "clerk,tax,1,,,,stray",
        "clerk,tax,not required,,",
        "clerk,tax,1,2.5,",
    )
    reading = table(*lines)
    assert reading.framework is None
    assert set(faults_of(reading)) == {
        ("untrue", 3, "skill"),
        ("untrue", 4, "job_group"),
        ("untrue", 5, "level"),
        ("untrue", 6, "weight"),
        ("untrue", 7, "weight"),
        ("untrue", 8, "level"),
        ("changed", 9, None),
        ("untrue", 10, None),
    }
    assert [(lost.what, lost.count) for lost in reading.not_kept] == [("a row that says that no level is required", 1)]
    rest = table(*lines, options=Options(id="m", title=LocalizedText(en="M"), skip_refused=True)).framework
    assert rest
    assert [(row.skill, row.level, row.weight) for row in rest.requirements] == [("filing", 1, 1), ("tax", 1, 2.5)]
    assert rest.skills[0].description
    assert rest.skills[0].description.en == "Keeps records"


def test_an_unclosed_quote_is_reported_with_its_row() -> None:
    reading = table("role,skill,level", "clerk,filing,1", 'clerk,"law,2', "clerk,tax,3")
    assert reading.framework is None
    assert (reading.faults[0].row, "never closed" in reading.faults[0].reason) == (3, True)


def test_columns_are_joined_as_mapped_and_unknown_ones_are_named() -> None:
    lines = (
        "Family,Role,Role Level,Skill Name,Skill Level",
        "IT,Architect,Lead,Design,Expert",
        "IT,CIO,NOT IN USE,Design,Working",
    )
    mapped = Options(id="m", title=LocalizedText(en="M"), columns={"job_group": "Role + Role Level", "area": "family"})
    found = table(*lines, options=mapped).framework
    assert found
    assert [group.title.en for group in found.job_groups] == ["Architect – Lead", "CIO"]
    assert found.areas[0].id == "it"
    for columns in ({"job_group": "Rolle"}, {"role": "Role"}):
        with pytest.raises(InvalidInput) as wrong:
            table(*lines, options=Options(columns=columns))
        assert wrong.value.field == "map"
    with pytest.raises(InvalidInput, match="no column is known as job_group, skill, level"):
        table("a,b", "1,2")


def test_long_titles_are_cut_and_kept_whole_in_the_description() -> None:
    name = "a skill " * 60
    reading = table("role,skill,level,skill description", f"clerk,{name},1,{'x' * 6000}")
    assert reading.framework
    skill = reading.framework.skills[0]
    assert skill.title.en
    assert skill.description
    assert skill.description.en
    assert (len(skill.title.en), len(skill.description.en)) == (TITLE_LIMIT, PROSE_LIMIT)
    assert skill.description.en.startswith(name.strip())
    assert [fault.verdict for fault in reading.faults] == ["changed", "changed"]


@pytest.mark.parametrize(("length", "whole"), [(TITLE_LIMIT, False), (TITLE_LIMIT + 1, True)])
def test_only_a_title_that_is_cut_is_put_before_the_description(length: int, *, whole: bool) -> None:
    reading = table("role,skill,level,skill description", f"clerk,{'s' * length},1,what it is")
    assert reading.framework
    description = reading.framework.skills[0].description
    assert description
    assert description.en == (f"{'s' * length}\nwhat it is" if whole else "what it is")


def test_faults_past_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "FAULTS_LIMIT", 20)
    reading = table("role,skill,level", *(f"clerk,skill-{n},bad" for n in range(25)))
    assert (len(reading.faults), reading.further_faults, reading.framework) == (20, 5, None)


def archive_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def test_an_archive_in_an_archive_is_refused_by_its_name_and_what_a_mac_adds_is_left_out() -> None:
    matrix = b"job_group,skill,level\nA,S,1\n"
    mac = {"m.csv": matrix, "__MACOSX/._m.csv": b"\x00\x05\x16\x07", "__MACOSX/._old.zip": b"\x00\x05\x16\x07"}
    reading = read("csv", [Source("m.zip", archive_of(mac))], NAMED)
    assert reading.framework
    assert [skill.title.en for skill in reading.framework.skills] == ["S"]
    for beside in ({}, {"m.csv": matrix}):
        outer = archive_of({**beside, "tables/inner.ZIP": archive_of({"m.csv": matrix})})
        with pytest.raises(InvalidInput, match=r"holds another one, 'tables/inner\.ZIP': unpack the outer one"):
            read("csv", [Source("m.zip", outer)], NAMED)


def requirements_of(reading: Reading) -> list[tuple[str, str, float]]:
    assert reading.framework, reading.faults
    return [(one.job_group, one.skill, one.level) for one in reading.framework.requirements]


def test_the_cells_below_a_merged_role_or_skill_have_its_value() -> None:
    """As a spreadsheet saves merged cells: only the first one has the value."""
    whole = table("role,skill,level", "a,s,1", "a,t,2", "a,u,1", "b,s,2", "b,t,1", "b,u,2")
    by_role = table("role,skill,level", "a,s,1", ",t,2", ",u,1", "b,s,2", ",t,1", ",u,2")
    by_skill = table("skill,role,level", "s,a,1", ",b,2", "t,a,2", ",b,1", "u,a,1", ",b,2")
    assert requirements_of(by_role) == requirements_of(whole)
    assert sorted(requirements_of(by_skill)) == sorted(requirements_of(whole))
    assert not by_role.faults
    assert "an empty cell of the job group has the value above it, as merged cells" in by_role.assumed


@pytest.mark.parametrize("heading", ["area,skill,a,b", "area,skill,role,level"])
def test_the_skills_below_a_merged_area_are_in_it(heading: str) -> None:
    cells = ("1,2",) * 5 if heading.endswith("a,b") else ("a,1",) * 5
    names = ("X,s", ",t", ",u", "Y,v", ",w")
    reading = table(heading, *(f"{name},{cell}" for name, cell in zip(names, cells, strict=True)))
    assert reading.framework
    assert [(one.id, one.area) for one in reading.framework.skills] == [
        *(("s", "x"), ("t", "x"), ("u", "x"), ("v", "y"), ("w", "y"))
    ]


def test_a_single_row_without_a_role_is_reported_and_a_row_above_every_role_too() -> None:
    repeated = table("role,skill,level", "a,s,1", "a,t,1", ",u,1", ",v,1", ",w,1")
    few = table("role,skill,level", "a,s,1", "b,t,1", "c,s,1", ",t,1")
    first = table("role,skill,level", ",s,1", "a,t,1", ",u,1")
    assert [fault[1:] for fault in faults_of(repeated)] == [(4, "job_group"), (5, "job_group"), (6, "job_group")]
    assert [fault[1:] for fault in faults_of(few)] == [(5, "job_group")]
    assert [fault[1:] for fault in faults_of(first)] == [(2, "job_group")]


TWO_ROWS = [
    ["ทักษะ,กลุ่มข้าราชการ,,", ",ผู้บริหาร,วิชาการ,บริการ"],
    ["ตารางสมรรถนะดิจิทัล,,,", "ประจำปี 2567", ",กลุ่มข้าราชการ,,", "ทักษะ,ผู้บริหาร,วิชาการ,บริการ"],
    ["ทักษะ,ผู้บริหาร,กลุ่มปฏิบัติการ,", ",,วิชาการ,บริการ"],
]


@pytest.mark.parametrize("heading", TWO_ROWS)
def test_a_heading_in_two_rows_and_titles_above_it_are_read(heading: list[str]) -> None:
    found = table(*heading, "การใช้งาน,2,1,1", "ความปลอดภัย,3,2,1").framework
    assert found
    assert [one.title.th for one in found.job_groups] == ["ผู้บริหาร", "วิชาการ", "บริการ"]
    assert [one.title.th for one in found.skills] == ["การใช้งาน", "ความปลอดภัย"]
    assert [row.level for row in found.requirements] == [2, 1, 1, 3, 2, 1]


def test_names_that_several_groups_of_columns_have_keep_the_name_of_the_group() -> None:
    read = table("รหัส,ทักษะ,บริหาร,,วิชาการ,", ",,ต้น,ปลาย,ต้น,ปลาย", "D1,การใช้งาน,2,3,1,2")
    assert read.framework
    assert [one.title.th for one in read.framework.job_groups] == ["บริหาร ต้น", "บริหาร ปลาย", "วิชาการ ต้น", "วิชาการ ปลาย"]
    assert read.assumed[0].startswith("the heading has two rows; the columns are: รหัส, ทักษะ, บริหาร ต้น,")


def test_a_first_row_of_levels_is_no_second_row_of_the_heading() -> None:
    found = table("ทักษะ,บริหาร,", ",1,2").framework
    assert found is None


def test_cells_in_a_column_without_a_name_are_counted() -> None:
    read = table("skill,clerk,", "law,2,1")
    assert read.framework
    assert [(one.what, one.examples) for one in read.not_kept] == [("a cell in a column without a name", ["row 2: 1"])]


@pytest.mark.parametrize("total", ["รวม", "รวม / Total", "รวมทั้งสิ้น (Total)", "รวม Total"])
def test_totals_are_neither_skills_nor_job_groups(total: str) -> None:
    read = table(f"ทักษะ,บริหาร,บริการ,{total}", "การใช้งาน,2,1,3", f"{total},2,1,3")
    assert read.framework
    assert [one.title.th for one in read.framework.skills] == ["การใช้งาน"]
    assert [one.title.th for one in read.framework.job_groups] == ["บริหาร", "บริการ"]
    assert [(one.what, one.count) for one in read.not_kept] == [("a column or row of totals", 2)]


@pytest.mark.parametrize(
    "heading",
    [
        "ลำดับที่,ทักษะ,ธุรการ,บริการ,หมายเหตุ",
        "No.,Skill,ธุรการ,บริการ,Remarks",
        "ลำดับ / No.,ทักษะ / Skill,ธุรการ,บริการ,หมายเหตุ (Remarks)",
        "ที่ No.,ทักษะ Skill,ธุรการ,บริการ,หมายเหตุ : Note",
    ],
)
def test_numbers_of_rows_and_remarks_are_no_levels(heading: str) -> None:
    reading = table(heading, "1,สารบรรณ,2,3,ตามประกาศ", "2,การเงิน,1,,")
    assert reading.framework
    assert not reading.faults
    assert [group.title.th for group in reading.framework.job_groups] == ["ธุรการ", "บริการ"]
    assert [row.level for row in reading.framework.requirements] == [2, 3, 1]
    assert [lost.what for lost in reading.not_kept] == [f"column {heading.split(',')[at]!r}" for at in (0, 4)]


def test_of_two_columns_of_levels_with_the_same_name_one_is_not_read_and_the_whole_is_refused() -> None:
    reading = table("skill,Clerk,clerk ", "law,3,1")
    assert reading.framework is None
    assert ("untrue", 1, "level") in faults_of(reading)
    assert not any("says the same" in fault.reason for fault in reading.faults)


def test_levels_are_read_under_their_usual_headings_and_abbreviations() -> None:
    found = table("ตำแหน่ง,สมรรถนะ,ระดับที่คาดหวัง", "ธุรการ,ข้อมูล,Lv.3", "ธุรการ,กฎหมาย,ระดับที่ ๒").framework
    assert found
    assert [row.level for row in found.requirements] == [3, 2]


def test_escaped_html_of_a_cell_is_text() -> None:
    found = table(
        "role,skill,skill_code,level", "Web,The &lt;table&gt; element of <b>HTML</b>,a &lt;br&gt;,2"
    ).framework
    assert found
    assert (found.skills[0].title.en, found.skills[0].code) == ("The <table> element of HTML", "a <br>")


@pytest.mark.parametrize(
    "heading",
    [
        "กลุ่มงาน / Job group,ทักษะ / Skill,ระดับ / Level",
        "ตำแหน่งงาน,ชื่อสมรรถนะ (ภาษาไทย),ระดับความชำนาญที่คาดหวัง",
        "Job Title,Competency Name,Expected Rating",
        "กลุ่มงาน Job group,Competency สมรรถนะ,ระดับ - Level",
        "กลุ่มงาน : Job group,สมรรถนะ [Competency],ระดับ (Level)",
        '"กลุ่มงาน\nJob group","สมรรถนะ\nCompetency","ระดับ\nLevel"',
    ],
)
def test_headings_in_two_languages_and_of_other_systems_are_recognised(heading: str) -> None:
    found = table(heading, "ธุรการ,สารบรรณ,2").framework
    assert found
    assert [(row.level, found.skills_by_id[row.skill].title.th) for row in found.requirements] == [(2, "สารบรรณ")]


def test_a_job_group_that_is_named_like_a_column_in_brackets_is_a_job_group() -> None:
    found = table("skill,Manager (role),Clerk (position)", "law,2,1").framework
    assert found
    assert [one.title.en for one in found.job_groups] == ["Manager (role)", "Clerk (position)"]


def test_rows_of_several_cells_above_the_heading_are_counted() -> None:
    read = table("หน่วยงาน,สำนักงาน ก.พ.,", "ปี,๒๕๖๙,", ",บริหาร,", "ทักษะ,ต้น,สูง", "สารบรรณ,1,2")
    assert read.framework, read.faults
    assert [one.title.th for one in read.framework.job_groups] == ["ต้น", "สูง"]
    assert [(one.what, one.examples) for one in read.not_kept] == [
        ("a row above the heading", ["หน่วยงาน, สำนักงาน ก.พ.", "ปี, ๒๕๖๙"])
    ]


@pytest.mark.parametrize(
    ("words", "level"),
    [("2.6666666666666665", 2.666667), ("0.30000000000000004", 0.3), ("\u200f2", 2), ("3 (ชำนาญ)", 3)],
)
def test_levels_are_read_as_formulas_and_programs_write_them(words: str, level: float) -> None:
    found = table("ทักษะ,ธุรการ", f"สารบรรณ,{words}").framework
    assert found
    assert [row.level for row in found.requirements] == [level]
    assert ("ชำนาญ" in words) == ("ชำนาญ" in [step.title.th for step in found.scale])


def test_ticked_boxes_are_marks_and_others_require_nothing() -> None:
    lines = ("ทักษะ,ธุรการ,วิชาการ", "สารบรรณ,TRUE,FALSE")
    assert [fault.field for fault in table(*lines).faults] == ["level"]
    found = table(*lines, options=Options(id="mine", title=LocalizedText(en="Mine"), mark=2)).framework
    assert found
    assert [row.level for row in found.requirements] == [2]


@pytest.mark.parametrize("words", ["#REF!", "=SUM(A1:A3)", "=Sheet2!A2", "=B7"])
@pytest.mark.parametrize(
    "lines", [("ทักษะ,ธุรการ", "{},2"), ("ทักษะ,{}", "สารบรรณ,2"), ("ตำแหน่ง,ทักษะ,ระดับ", "{},สารบรรณ,2")]
)
def test_a_formula_without_a_result_is_no_title(lines: tuple[str, ...], words: str) -> None:
    reading = table(*(line.format(words) for line in lines))
    assert reading.framework is None
    assert f"{words!r} is a formula without a result, and no title" in [one.reason for one in reading.faults]


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        (["พื้นฐาน", "กลาง", "สูง"], [1, 2, 3]),
        (["ระดับต้น", "ระดับกลาง", "ขั้นสูง"], [1, 2, 3]),
        (["เบื้องต้น", "ไม่จำเป็น", "เชี่ยวชาญ"], [1, 4]),
        (["พื้นฐาน (Basic)", "กลาง / Intermediate", "สูง Advanced"], [1, 2, 3]),
        (["พื้นฐาน", "กลาง", "ขั้นสูง (Advanced)"], [1, 2, 3]),
        (["1 พื้นฐาน", "๒ กลาง (Intermediate)", "3 สูง"], [1, 2, 3]),
        (["ไม่มี", "กลาง", "สูง (3)"], [0, 2, 3]),
        (["เริ่มต้น (Novice)", "ชำนาญ (Proficient)", "เชี่ยวชาญ (Expert)"], [1, 4, 5]),
        (["ไม่จำเป็น / Not required", "4 สูง", "สูง"], [4, 4]),
    ],
)
def test_levels_in_thai_words_are_read(words: list[str], levels: list[float]) -> None:
    found = table("ทักษะ,ธุรการ,วิชาการ,บริหาร", f"สารบรรณ,{','.join(words)}").framework
    assert found
    assert [row.level for row in found.requirements] == levels


@pytest.mark.parametrize(
    "words",
    [
        *("พื้นฐาน (Advanced)", "3 คน", "มาก (Advanced),มาก", "สูง (4)", "Advanced (Level 4)", "Basic/Intermediate"),
        "3 มาก,4 มาก,มาก",
    ],
)
def test_a_text_whose_parts_are_no_one_level_is_refused(words: str) -> None:
    groups = ",".join(f"กลุ่ม {place}" for place in range(1 + words.count(",")))
    reading = table(f"ทักษะ,{groups}", f"สารบรรณ,{words}")
    assert reading.framework is None
    assert ("untrue", 2, "level") in faults_of(reading)


def test_a_cell_takes_time_in_proportion_to_its_length() -> None:
    """With a pattern that tries every place in a row of spaces, this test does not end."""
    reading = table("skill,clerk,chief", f"law,high{' ' * 300_000}x,1")
    assert ("untrue", 2, "level") in faults_of(reading)


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        ("1,99", "the scale is 0 to 99 because of row 2 alone (chief / filing: 99)"),
        ("1,3", "the scale is 0 to 3"),
        ("60,99", "the scale is 0 to 99"),
        ("99,99", "the scale is 0 to 99"),
    ],
)
def test_a_cell_that_alone_makes_the_scale_very_high_is_named(levels: str, sentence: str) -> None:
    found = table("skill,clerk,chief", f"filing,{levels}")
    assert f"the file names no levels; {sentence}" in found.assumed


@pytest.mark.parametrize(
    "heading", ["ผู้บริหาร/Executives,นักวิชาการ/Academic staff", "ผู้บริหาร (Executives),นักวิชาการ(Academic staff)"]
)
def test_job_groups_that_are_all_titled_in_both_languages_are_divided(heading: str) -> None:
    found = table(f"สมรรถนะ,{heading}", "การใช้งาน (Excel),2,1", "การนำเสนอ (Canva),1,1").framework
    assert found
    assert [group.title for group in found.job_groups] == [
        LocalizedText(th="ผู้บริหาร", en="Executives"),
        LocalizedText(th="นักวิชาการ", en="Academic staff"),
    ]
    assert [skill.title for skill in found.skills] == [
        LocalizedText(th="การใช้งาน (Excel)"),
        LocalizedText(th="การนำเสนอ (Canva)"),
    ]


def test_long_titles_without_a_second_language_are_refused_after_one_look_at_each_letter() -> None:
    long = "ก" * 200_000
    assert table(f"สมรรถนะ,{long},{long}ข", "การใช้งาน,2,1").faults


@pytest.mark.parametrize(
    "heading", ["ผู้บริหาร/CIO,นักวิชาการ/IT", "ผู้บริหาร/Executives,นักวิชาการ", "ผู้บริหาร (Executives),นักวิชาการ/Academics"]
)
def test_job_groups_that_are_titled_in_different_ways_are_not_divided(heading: str) -> None:
    found = table(f"สมรรถนะ,{heading}", "การใช้งาน,2,1").framework
    assert found
    assert [group.title.th for group in found.job_groups] == heading.split(",")


def test_titles_in_both_languages_are_divided_and_keep_their_ids() -> None:
    wide = table("สมรรถนะ / Skill,ผู้บริหาร / Executives", "การคิดเชิงออกแบบ / Design Thinking,2").framework
    long = table("role,skill,level", "ผู้บริหาร / Executives,การคิดเชิงออกแบบ / Design Thinking,2").framework
    stated = table("job_group_th,skill_th,level", "ผู้บริหาร / Executives,การคิดเชิงออกแบบ / Design Thinking,2").framework
    assert wide
    assert long
    assert stated
    for one in (wide, long):
        assert one.job_groups[0].title == LocalizedText(th="ผู้บริหาร", en="Executives")
        assert one.skills[0].title == LocalizedText(th="การคิดเชิงออกแบบ", en="Design Thinking")
        assert one.requirements == stated.requirements


@pytest.mark.parametrize("words", ["2-Mar", "2-มี.ค.", "3 - May"])
def test_a_range_that_a_spreadsheet_made_a_date_is_no_level(words: str) -> None:
    reading = table("skill,clerk", f"filing,{words}", "law,1")
    assert (reading.framework, faults_of(reading)) == (None, [("untrue", 2, "level")])


def test_notes_below_a_matrix_are_no_skills() -> None:
    notes = ('"หมายเหตุ: ระดับ 1-5, 0 คือไม่ต้องใช้",,', "1. ใช้กับทุกกลุ่ม,,", "ที่มา: ก.พ.,,")
    reading = table("สมรรถนะ,ผู้บริหาร,นักวิชาการ", "กฎหมาย,3,2", "ข้อมูล,2,1", *notes)
    assert reading.framework
    assert [one.title.th for one in reading.framework.skills] == ["กฎหมาย", "ข้อมูล"]
    assert [(lost.what, lost.count) for lost in reading.not_kept] == [("a note below the table", 3)]


@pytest.mark.parametrize(
    "lines",
    [
        ("สมรรถนะ,ผู้บริหาร,นักวิชาการ", "สมรรถนะหลัก,,", "กฎหมาย,3,2", "ข้อมูล,2,1", "สมรรถนะเฉพาะ,,", "บริการ,,1"),
        ("ที่,สมรรถนะ,ผู้บริหาร,นักวิชาการ", "สมรรถนะหลัก,,,", "1,กฎหมาย,3,2", "2,ข้อมูล,2,1", "สมรรถนะเฉพาะ,,,", "3,บริการ,,1"),
    ],
)  # fmt: skip
def test_names_alone_above_skills_are_areas(lines: tuple[str, ...]) -> None:
    reading = table(*lines)
    assert reading.framework
    areas = {area.id: area.title.th for area in reading.framework.areas}
    assert [(one.title.th, areas[one.area]) for one in reading.framework.skills] == [
        ("กฎหมาย", "สมรรถนะหลัก"), ("ข้อมูล", "สมรรถนะหลัก"), ("บริการ", "สมรรถนะเฉพาะ"),
    ]  # fmt: skip
    sentence = "a row with a name alone is the area of the skills below it: สมรรถนะหลัก, สมรรถนะเฉพาะ"
    assert sentence in reading.assumed


@pytest.mark.parametrize(
    "lines", [("filing,1", "law,", "data,2"), ("filing,", "law,", "data,2"), ("filing,", "law,1", "data,")]
)
def test_a_skill_without_a_level_is_no_area_where_the_table_has_no_sections(lines: tuple[str, ...]) -> None:
    reading = table("skill,clerk", *lines)
    assert reading.framework
    assert [one.id for one in reading.framework.skills] == ["filing", "law", "data"]
    assert [one.id for one in reading.framework.areas] == ["skills"]


def test_a_row_that_names_no_skill_is_reported() -> None:
    assert faults_of(table("no,skill,clerk", "1,filing,2", ",,3")) == [("untrue", 3, None)]
    assert faults_of(table("no,skill,clerk", "1,filing,2", "section,,")) == [("untrue", 3, None)]


@pytest.mark.parametrize("heading", ["คำอธิบาย", "คำจำกัดความ", "Description", "นิยาม / Definition"])
def test_a_description_of_skills_is_no_job_group(heading: str) -> None:
    reading = table(f"สมรรถนะ,{heading},ผู้บริหาร", "กฎหมาย,รู้กฎหมาย,3")
    assert reading.framework
    assert [one.description.th for one in reading.framework.skills if one.description] == ["รู้กฎหมาย"]
    assert [one.title.th for one in reading.framework.job_groups] == ["ผู้บริหาร"]
