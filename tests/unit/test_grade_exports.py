"""Grade exports of learning platforms are read as they are: their columns, scores, outcomes and times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.assessment.imports import FileReader
from services.assessment.xapi.grades import GradedRow, GradeTable
from services.assessment.xapi.mapping import ActivityRule, ActivityRules
from shared.errors import InvalidInput
from shared.imports.dates import DateOrder, InvalidDate, moment_of
from shared.imports.rows import Row

THAI = timezone(timedelta(hours=7))
KNOWN = "passed, failed, completed (ผ่าน, ไม่ผ่าน, เรียนจบ)"
RULES = ActivityRules(
    [
        ActivityRule(activity, "reading", 4)
        for activity in ("Quiz: Safety*", "Safety quiz (1234)", "ความปลอดภัย", "safety")
    ]
)


def read(
    text: str | bytes, columns: str = "guess", default: str | None = None
) -> tuple[list[Row[GradedRow]], GradeTable]:
    table = GradeTable(RULES, columns, default)
    reader = FileReader("csv", GradedRow, None, table)
    data = text.encode() if isinstance(text, str) else text
    return [row for row in (*reader.feed(data), *reader.end()) if row], table


def found(row: Row[GradedRow]) -> list[tuple[str, str, float | None]]:
    assert row.content, row.problems
    return [(one.activity, one.verb, one.score) for one in row.content.activities]


def taken_at(row: Row[GradedRow]) -> datetime | None:
    assert row.content, row.problems
    return row.content.taken_at


def test_the_results_of_a_moodle_quiz_are_read() -> None:
    rows, table = read(
        "\ufeffLast name,First name,ID number,State,Started on,Completed,Time taken,Grade/10.00,Q. 1 /1.00\n"
        "ใจดี,สมชาย,officer-1,Finished,5 January 2026  9:00 AM,5 January 2026  1:15 PM,15 mins,8.00,1.00\n"
        "ใจดี,สมหญิง,officer-2,In progress,5 January 2026  9:00 AM,-,-,-,-\n"
        "Overall average,,,,,,,8.00,1.00\n",
        default="activity=safety",
    )
    assert found(rows[0]) == [("safety", "scored", 0.8)]
    assert taken_at(rows[0]) == datetime(2026, 1, 5, 13, 15, tzinfo=THAI)
    assert found(rows[1]) == []
    assert [one.detail for one in rows[1].warnings] == ["the row holds no score"]
    assert (rows[2].problems[0].field, rows[2].problems[0].detail) == ("ID number", "is no id of an officer")
    assert table.mapping == {"officer": ["ID number"], "taken_at": ["Completed"], "score": ["Grade/10.00"]}
    assert "Q. 1 /1.00" in table.unused


def test_the_results_of_a_cornerstone_report_are_read() -> None:
    rows, _ = read(
        "User ID,Training Title,Transcript Status,Transcript Completed Date,Transcript Score\n"
        "officer-1,safety,Completed,13/1/2026 9:15 AM,85\nofficer-2,safety,In Progress,,\n",
        default="maximum=100",
    )
    assert [found(row) for row in rows] == [[("safety", "scored", 0.85)], []]
    assert taken_at(rows[0]) == datetime(2026, 1, 13, 9, 15, tzinfo=THAI)


def test_the_grades_of_a_moodle_course_are_activities_by_column() -> None:
    rows, table = read(
        "First name,Last name,ID number,Quiz: Safety 1 (Real),"
        "Quiz: Safety 2 (Percentage),Quiz: Other (Real),Course total (Real),Last downloaded from this course\n"
        "A,B,officer-1,8.50,75.00 %,3,11,1767600000\n",
        default="maximum=10,taken_at=5 ม.ค. 2569",
    )
    assert found(rows[0]) == [
        ("Quiz: Safety 1 (Real)", "scored", 0.85),
        ("Quiz: Safety 2 (Percentage)", "scored", 0.75),
    ]
    assert taken_at(rows[0]) == datetime(2026, 1, 5, tzinfo=THAI)
    assert "Quiz: Other (Real)" in table.unused


@pytest.mark.parametrize(
    ("forms", "cells", "name"),
    [
        (("Real", "Percentage", "Letter"), ("8.00", "80.00 %", "B"), "Quiz: Safety (Percentage)"),
        (("Letter", "Real"), ("B", "8.00"), "Quiz: Safety (Real)"),
        (("จำนวนจริง", "ร้อยละ"), ("8.00", "80.00 %"), "Quiz: Safety (ร้อยละ)"),
        (("Real", "Real"), ("8.00", "8.00"), "Quiz: Safety (Real)"),
    ],
)
def test_a_grade_in_several_forms_is_one_result(forms: list[str], cells: list[str], name: str) -> None:
    header = [f"Quiz: Safety ({form})" for form in forms]
    rows, table = read(
        f"ID number,{','.join(header)},Quiz: Safety 2 (Real)\no-1,{','.join(cells)},5\n",
        default="taken_at=2026-01-05,maximum=10",
    )
    assert found(rows[0]) == [(name, "scored", 0.8), ("Quiz: Safety 2 (Real)", "scored", 0.5)]
    assert len(table.unused) == len(forms) - 1


def test_a_canvas_gradebook_has_its_maxima_in_a_row() -> None:
    rows, table = read(
        "Student,ID,SIS User ID,SIS Login ID,Section,Safety quiz (1234),Current Score,Final Score\n"
        "    Points Possible,,,,,20,(read only),(read only)\n"
        '"Jaidee, Somchai",77,officer-1,somchai,S1,15,75,75\n',
        default="taken_at=2026-01-05T09:00:00+07:00",
    )
    assert table.mapping == {"officer": ["SIS User ID"], "score": ["Safety quiz (1234)"]}
    assert [found(row) for row in rows] == [[("Safety quiz (1234)", "scored", 0.75)]]


@pytest.mark.parametrize("maxima", ["Points", "คะแนนเต็ม", "Max points"])
def test_the_maxima_of_a_gradebook_stand_in_a_row_without_an_officer(maxima: str) -> None:
    rows, _ = read(f"ชื่อ,รหัส,ความปลอดภัย\n{maxima},,๒๐\nสมชาย,๑๐๐๑,๑๕\nPoints,1002,10\n", default="taken_at=2026-01-05")
    assert [found(row) for row in rows] == [[("ความปลอดภัย", "scored", 0.75)], [("ความปลอดภัย", "scored", 0.5)]]
    assert [row.content.officer for row in rows if row.content] == ["1001", "1002"]


def test_the_grades_of_open_edx_are_of_its_usernames() -> None:
    rows, table = read(
        "Student ID,Email,Username,Grade,Safety quiz (1234),Enrollment Track,Certificate Eligible\n"
        "1,a@example.org,officer-1,0.85,0.9,audit,Y\n2,b@example.org,officer-2,0.0,Not Attempted,audit,N\n"
        "3,c@example.org,officer-3,0.0,Not Available,audit,N\n",
        default="taken_at=2026-01-05,maximum=1",
    )
    assert table.mapping["officer"] == ["Username"]
    assert [found(row) for row in rows] == [[("Safety quiz (1234)", "scored", 0.9)], [], []]


def test_a_teachers_words_beside_a_grade_are_no_grade() -> None:
    rows, table = read(
        "ID number,Quiz: Safety 1 (Real),Quiz: Safety 1 (Feedback)\nofficer-1,8.00,well done 10\n",
        default="taken_at=2026-01-05,maximum=10",
    )
    assert [found(row) for row in rows] == [[("Quiz: Safety 1 (Real)", "scored", 0.8)]]
    assert table.unused == ["Quiz: Safety 1 (Feedback)"]


@pytest.mark.parametrize("state", ["In progress", "ยังไม่สอบ", "Needs grading", "รอตรวจ"])
def test_a_state_in_place_of_a_score_is_no_result(state: str) -> None:
    rows, _ = read(f"officer,score,date\nofficer-1,{state},2026-01-05\n", default="activity=safety,maximum=10")
    assert found(rows[0]) == []
    assert [one.detail for one in rows[0].warnings] == ["the row holds no score"]


def test_an_id_whose_zeros_a_formula_keeps_is_read() -> None:
    rows, _ = read('officer,score,date\n"=""00123""",8/10,2026-01-05\n', default="activity=safety")
    assert [row.content.officer for row in rows if row.content] == ["00123"]


def test_a_row_in_which_formulas_keep_nothing_is_empty() -> None:
    rows, _ = read('officer,score,date\n="",="",=""\nofficer-1,8/10,2026-01-05,=""\n', default="activity=safety")
    assert [found(row) for row in rows] == [[("safety", "scored", 0.8)]]


def test_a_row_that_begins_with_the_thai_word_for_maxima_holds_the_maxima() -> None:
    rows, _ = read("id number,safety,date\nคะแนนเต็ม,20,\nofficer-1,15,2026-01-05\n")
    assert [found(row) for row in rows] == [[("safety", "scored", 0.75)]]


def test_a_row_of_maxima_without_a_column_of_scores_is_no_result() -> None:
    rows, _ = read("id number,result,date\nPoints Possible,,\nofficer-1,pass,2026-01-05\n", default="activity=safety")
    assert [found(row) for row in rows] == [[("safety", "passed", None)]]


def test_an_activity_may_be_called_as_a_column_of_activities_usually_is() -> None:
    rules = ActivityRules([ActivityRule("Quiz", "reading", 4), ActivityRule("Exam", "reading", 4)])
    table = GradeTable(rules, "guess")
    assert table.row(1, ["ID number", "Quiz", "Exam", "Date"]) is None
    row = table.row(2, ["officer-1", "8/10", "6/10", "2026-01-05"])
    assert row is not None
    assert found(row) == [("Quiz", "scored", 0.8), ("Exam", "scored", 0.6)]
    named = GradeTable(rules, "guess")
    assert named.row(1, ["ID number", "Quiz", "Score", "Date"]) is None
    row = named.row(2, ["officer-1", "Exam", "6/10", "2026-01-05"])
    assert row is not None
    assert found(row) == [("Exam", "scored", 0.6)]


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("Quiz: Safety 1/2569", 0.8),
        ("Quiz: Safety 1/20", 0.8),
        ("Quiz: Safety 1 / 2569", 0.8),
        ("Quiz: Safety 2026", 0.8),
        ("Quiz: Safety /20", 0.4),
        ("Quiz: Safety/20.00", 0.4),
        ("Quiz: Safety 1/2569 (20 points)", 0.4),
        ("Quiz: Safety 1/2569 เต็ม 20", 0.4),
    ],
)
def test_the_term_of_a_year_in_the_name_of_an_activity_is_no_maximum(name: str, share: float) -> None:
    rows, _ = read(f"officer,{name},date\nofficer-1,8,2026-01-05\n", default="maximum=10")
    assert found(rows[0]) == [(name, "scored", share)]


def test_a_name_of_many_parentheses_is_read_in_linear_time() -> None:
    """It would take hours where every one of them is looked for an end."""
    with pytest.raises(InvalidInput, match="no column holds the officers"):
        read(",".join(["(" * 60_000] * 4) + "\nofficer-1,1,1,1\n")


def test_answers_of_google_forms_are_read() -> None:
    rows, _ = read(
        "Timestamp,Email Address,Score,รหัสเจ้าหน้าที่,ข้อ 1\n2026/01/05 9:15:32 PM GMT+7,a@example.org,8 / 10,officer-1,ก\n",
        default="activity=safety",
    )
    assert found(rows[0]) == [("safety", "scored", 0.8)]
    assert taken_at(rows[0]) == datetime(2026, 1, 5, 21, 15, 32, tzinfo=THAI)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "tis-620"])
def test_a_thai_platform_is_read(encoding: str) -> None:
    rows, _ = read(
        (
            "รหัสบุคลากร;ชื่อ-สกุล;แบบทดสอบ;คะแนนที่ได้;คะแนนเต็ม;ผลการทดสอบ;วันที่สอบ\n"
            "officer-1;สมชาย;ความปลอดภัย;๑๖;๒๐;ผ่าน;๕ ม.ค. ๒๕๖๙ เวลา ๐๙.๓๐ น.\n"
            "officer-2;สมหญิง;ความปลอดภัย;;;ไม่ผ่าน;05/01/2569\n"
            "officer-3;สมศรี;ความปลอดภัย;7,5;20;;05/01/2569\n"
        ).encode(encoding)
    )
    assert [found(row) for row in rows] == [
        [("ความปลอดภัย", "passed", 0.8)],
        [("ความปลอดภัย", "failed", None)],
        [("ความปลอดภัย", "scored", 0.375)],
    ]
    assert taken_at(rows[0]) == datetime(2026, 1, 5, 9, 30, tzinfo=THAI)


@pytest.mark.parametrize(
    ("score", "maximum", "share"),
    [
        ("8", "10", 0.8),
        ("8/10", "", 0.8),
        ("8 จาก 10 คะแนน", "", 0.8),
        ("8 out of 10", "", 0.8),
        ("80 %", "", 0.8),
        ("ร้อยละ 80", "", 0.8),
        ("0", "10", 0.0),
        ("1,200", "1,500", 0.8),
        ("4/5", "10", 0.8),
    ],
)
def test_a_score_is_a_share_of_its_maximum(score: str, maximum: str, share: float) -> None:
    rows, _ = read(f'officer,activity,score,maximum,date\nofficer-1,safety,"{score}","{maximum}",2026-01-05\n')
    [(activity, verb, read_share)] = found(rows[0])
    assert (activity, verb) == ("safety", "scored")
    assert read_share == pytest.approx(share)


@pytest.mark.parametrize(
    ("score", "maximum", "detail"),
    [
        ("8", "", "is a score without its maximum; give it, such as default=maximum=10"),
        ("12", "10", "is not between 0 and the maximum, 10"),
        ("-1", "10", "'-1' is no number"),
        ("B+", "10", f"'B+' is no number and no known outcome; known are {KNOWN}"),
        ("0", "0", "is not between 0 and the maximum, 0"),
        ("8", "ten", "'ten' is no number"),
        ("8/ten", "", "'ten' is no number"),
        ("1", "9" * 400, f"{'9' * 40!r} is no number"),
        ("120 %", "", "is not between 0 and the maximum, 100"),
    ],
)
def test_another_score_is_refused(score: str, maximum: str, detail: str) -> None:
    rows, _ = read(f'officer,activity,score,maximum,date\nofficer-1,safety,"{score}","{maximum}",2026-01-05\n')
    assert [(one.field, one.detail) for one in rows[0].problems] == [("score", detail)]


def test_all_faults_of_a_row_are_stated() -> None:
    rows, _ = read("officer,activity,score,date\nสมชาย,safety,good,soon\nofficer-1,safety,80%,\n")
    assert [(one.field, one.detail) for row in rows for one in row.problems] == [
        ("officer", "is no id of an officer"),
        ("score", f"'good' is no number and no known outcome; known are {KNOWN}"),
        ("date", "'soon': not read as a date"),
        ("date", "says no time of the result"),
    ]


@pytest.mark.parametrize(
    ("header", "columns", "default", "field", "detail"),
    [
        ("name,score,date", "guess", "activity=safety", "map", "no column holds the officers"),
        ("officer,date", "guess", None, "map", "no column holds a score or an activity"),
        ("officer,score,date", "guess", None, "map", "the mapping has no activity 'score'"),
        ("officer,score", "guess", "activity=safety", "default", "no column holds the time"),
        ("officer,score,date", "guess,score=points", None, "map", "there is no column 'points'"),
        ("officer,score,date", "level=score", None, "map", "'level=score' is not one of"),
        ("officer,a,b,date", "guess,score=a,score=b", "activity=safety", "map", "only one column of scores"),
        ("officer,score,date", "guess", "officer=a", "default", "'officer=a' is not one of"),
        ("officer,score,date", "guess", "activity=", "map", "the mapping has no activity 'score'"),
        ("officer,score,date", "guess", "maximum=ten", "default", "'ten' is no number"),
        ("officer,score,date", "guess", "activity=a,date_order=ymd", "default", "'ymd' is no date_order"),
        ("officer,score", "guess", "activity=a,taken_at=5/11/2026", "default", "'5/11/2026': the day or the month may"),
        ("officer,score,date", "guess", "taken_at=soon", "default", "'soon': not read as a date"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(
    header: str, columns: str, default: str | None, field: str, detail: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        read(f"{header}\nofficer-1\n", columns, default)
    assert error.value.field == field
    assert error.value.detail.startswith(detail)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-05", datetime(2026, 1, 5, tzinfo=THAI)),
        ("2026-01-05T09:15:00Z", datetime(2026, 1, 5, 9, 15, tzinfo=UTC)),
        ("2569-01-05 09:15", datetime(2026, 1, 5, 9, 15, tzinfo=THAI)),
        ("2026-01-05T09:15:00.123+05:30", datetime(2026, 1, 5, 9, 15, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
        ("5 January 2026, 12:05 AM", datetime(2026, 1, 5, 0, 5, tzinfo=THAI)),
        ("5 January 2026, 12:05 PM", datetime(2026, 1, 5, 12, 5, tzinfo=THAI)),
        ("Monday, 5 January 2026, 9:15 PM", datetime(2026, 1, 5, 21, 15, tzinfo=THAI)),
        ("5 ม.ค. 69 เวลา 09.15 น.", datetime(2026, 1, 5, 9, 15, tzinfo=THAI)),
        ("วันจันทร์ที่ 5 มกราคม พ.ศ. 2569", datetime(2026, 1, 5, tzinfo=THAI)),
        ("1767579300", datetime(2026, 1, 5, 9, 15, tzinfo=THAI)),
        ("20260105T091500Z", datetime(2026, 1, 5, 9, 15, tzinfo=UTC)),
        ("20260105T0915", datetime(2026, 1, 5, 9, 15, tzinfo=THAI)),
        ("2026-01-05 09:15-12:00", datetime(2026, 1, 5, 9, 15, tzinfo=THAI)),
        ("5 ม.ค. 69 เวลา 09:15-10:00 น.", datetime(2026, 1, 5, 9, 15, tzinfo=THAI)),
        ("2026-01-05 09:15-05:00", datetime(2026, 1, 5, 9, 15, tzinfo=timezone(timedelta(hours=-5)))),
        ("2026-01-05T03:15-05:00", datetime(2026, 1, 5, 3, 15, tzinfo=timezone(timedelta(hours=-5)))),
        ("2026-01-05 03:15:00-05:00", datetime(2026, 1, 5, 3, 15, tzinfo=timezone(timedelta(hours=-5)))),
        ("2026-01-05 09:15 AM America/New York", datetime(2026, 1, 5, 14, 15, tzinfo=UTC)),
        ("2026-07-05 09:15 America/New_York", datetime(2026, 7, 5, 13, 15, tzinfo=UTC)),
        ("5 January 2026 09:15 Asia/Bangkok", datetime(2026, 1, 5, 9, 15, tzinfo=THAI)),
        ("2026-01-05 09:15 (UTC+7)", datetime(2026, 1, 5, 9, 15, tzinfo=THAI)),
        ("2026-01-05T09:15:00.000Z[UTC]", datetime(2026, 1, 5, 9, 15, tzinfo=UTC)),
        ("2026-01-05 09:15:00 +0000 UTC", datetime(2026, 1, 5, 9, 15, tzinfo=UTC)),
        ("2026-01-05 9am", datetime(2026, 1, 5, 9, tzinfo=THAI)),
        ("5 January 2026, 12 p.m.", datetime(2026, 1, 5, 12, tzinfo=THAI)),
        ("5 มกราคม 2569 เวลา 9 นาฬิกา", datetime(2026, 1, 5, 9, tzinfo=THAI)),
        ("2026-01-05 in the morning", datetime(2026, 1, 5, tzinfo=THAI)),
    ],
)
def test_a_time_is_read_with_its_zone(text: str, moment: datetime) -> None:
    assert moment_of(text) == moment


@pytest.mark.parametrize(
    "text", ["2026-01-05 25:15", "2026-01-05 9:75", "2026-01-05 13:15 AM", "2026-01-05T09:00:00+99:00"]
)
def test_a_time_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(InvalidDate, match="there is no such time"):
        moment_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05 09:15 EST",
        "2026-01-05 09:15 Mars/Base",
        "2026-01-05 0915",
        "05/01/2569 9:15 บ่าย",
        "2026-01-05 / 2026-01-06",
    ],
)
def test_a_time_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(InvalidDate, match="the time or its zone is not understood"):
        moment_of(text)


@pytest.mark.parametrize(
    ("text", "order", "moment"),
    [
        ("05/11/2569", None, datetime(2026, 11, 5, tzinfo=THAI)),
        ("05/11/2569", "mdy", datetime(2026, 11, 5, tzinfo=THAI)),
        ("13/05/2026", None, datetime(2026, 5, 13, tzinfo=THAI)),
        ("11-11-2026 9:15", None, datetime(2026, 11, 11, 9, 15, tzinfo=THAI)),
        ("05/11/2026 9:15", "dmy", datetime(2026, 11, 5, 9, 15, tzinfo=THAI)),
        ("05/11/2026 9:15", "mdy", datetime(2026, 5, 11, 9, 15, tzinfo=THAI)),
        ("05/13/2026", "mdy", datetime(2026, 5, 13, tzinfo=THAI)),
    ],
)
def test_the_day_or_the_month_comes_first_as_stated(text: str, order: DateOrder | None, moment: datetime) -> None:
    assert moment_of(text, order) == moment


@pytest.mark.parametrize("text", ["05/11/2026", "5.11.2026 9:15", "05-11-2026", "๐๕/๑๑/๒๐๒๖"])
def test_a_date_that_is_another_one_in_the_other_order_is_refused(text: str) -> None:
    rows, _ = read(f"officer,score,date\nofficer-1,8,{text}\n", default="activity=safety,maximum=10")
    detail = "the day or the month may come first: state it with date_order=dmy or mdy"
    assert [(one.field, one.detail) for one in rows[0].problems] == [("date", f"{text!r}: {detail}")]
    for order, month in (("dmy", 11), ("mdy", 5)):
        stated = f"activity=safety,maximum=10,date_order={order}"
        rows, _ = read(f"officer,score,date\nofficer-1,8,{text}\n", default=stated)
        read_at = taken_at(rows[0])
        assert read_at is not None
        assert read_at.month == month


def test_a_date_whose_month_comes_first_needs_the_order() -> None:
    rows, _ = read("officer,score,date\nofficer-1,8,11/25/2026\n", default="activity=safety,maximum=10")
    detail = "'11/25/2026': the month seems to come first: state it with date_order=mdy"
    assert [(one.field, one.detail) for one in rows[0].problems] == [("date", detail)]


@pytest.mark.parametrize("text", ["05/11/69", "5/11/26 9:15", "5 พ.ย. 26", "5 Nov 69", "5-ม.ค.-26"])
def test_a_year_of_two_digits_that_may_be_of_either_calendar_is_refused(text: str) -> None:
    rows, _ = read(f"officer,score,date\nofficer-1,8,{text}\n", default="activity=safety,maximum=10")
    detail = "the year is to have four digits: two may be of either calendar"
    assert [(one.field, one.detail) for one in rows[0].problems] == [("date", f"{text!r}: {detail}")]


def test_an_unknown_outcome_is_named_with_those_that_are_known() -> None:
    rows, _ = read(
        "officer,score,result,date\n"
        "officer-1,,Faild,2026-01-05\nofficer-1,8,Faild,2026-01-05\nofficer-1,,Finished,2026-01-05\n"
        "officer-1,-,กำลังเรียน,2026-01-05\nofficer-1,,N/A,2026-01-05\n",
        default="activity=safety,maximum=10",
    )
    detail = f"'Faild' is no known outcome; known are {KNOWN}"
    assert [(one.field, one.detail) for one in rows[0].problems] == [("result", detail)]
    assert found(rows[1]) == [("safety", "scored", 0.8)]
    assert [(one.field, one.detail) for one in rows[1].warnings] == [("result", f"{detail}; the score counts alone")]
    for row in rows[2:]:
        assert found(row) == []
        assert [one.detail for one in row.warnings] == ["the row holds no score"]
    rows, _ = read("officer,result,date\nofficer-1,1,2026-01-05\n", default="activity=safety")
    assert [one.detail for one in rows[0].problems] == [f"'1' is no known outcome; known are {KNOWN}"]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Rank,Student ID,Completion time,Total points\n1,officer-1,2026-11-02 9:20,8\n", 0.8),
        ('"Timestamp","Username","Total score"\n"2026/11/02 9:00:00 AM GMT+7","officer-1","8.00 / 10"\n', 0.8),
        ("ลำดับ,รหัส,ชื่อ-สกุล,คะแนนเต็ม,คะแนนที่ได้,วันที่สอบ\n๑,officer-1,สมชาย,๒๐,๘,๒/๑๑/๒๕๖๙\n", 0.4),
        ("เลขประจำตัว\tคะแนนสอบ (เต็ม 20)\tวันที่และเวลา\nofficer-1\t8\t2 พ.ย. 2569 09:20\n", 0.4),
        ("user_id|quiz_title|percentage|date\nofficer-1|safety|40|2 Nov 2026\n", 0.4),
        ("sep=;\nรหัสพนักงาน;คะแนน (20 คะแนน);วันที่\nofficer-1;8;2 พฤศจิกายน 2569\n", 0.4),
    ],
)
def test_columns_are_guessed_from_usual_names(text: str, score: float) -> None:
    rows, _ = read(text, default="activity=safety,maximum=10")
    [(_, _, share)] = found(rows[0])
    assert share == pytest.approx(score)


@pytest.mark.parametrize("name", ["percent", "ร้อยละ", "Score (%)", "Score (100%)"])
@pytest.mark.parametrize("score", ["0.85", "1", "๐.๘๕"])
def test_a_share_in_a_column_of_percentages_is_refused_unless_the_maximum_is_stated(name: str, score: str) -> None:
    text = f"officer,activity,{name},date\nofficer-1,safety,{score},2026-01-05\n"
    rows, _ = read(text, f"guess,score={name}")
    detail = f"{score!r} may be a share or a percentage; write it with %, or give default=maximum=1"
    assert [(one.field, one.detail) for one in rows[0].problems] == [(name, detail)]
    rows, _ = read(text, f"guess,score={name}", "maximum=1")
    assert found(rows[0]) == [("safety", "scored", 1.0 if score == "1" else 0.85)]
    rows, _ = read("officer,activity,score,date\nofficer-1,safety,0.5 %,2026-01-05\n")
    assert found(rows[0]) == [("safety", "scored", 0.005)]


@pytest.mark.parametrize("name", ["ความปลอดภัย (20%)", "ความปลอดภัย ร้อยละ 20", "ความปลอดภัย 20 เปอร์เซ็นต์"])
def test_the_weight_of_an_activity_in_its_name_is_no_maximum(name: str) -> None:
    """15 of 20 points are no 15 %."""
    rules = ActivityRules([ActivityRule("ความปลอดภัย*", "reading", 4)])
    shares = []
    for default in ("taken_at=2026-01-05", "taken_at=2026-01-05,maximum=20"):
        table = GradeTable(rules, "guess", default)
        assert table.row(1, ["officer", name]) is None
        row = table.row(2, ["officer-1", "15"])
        assert row is not None
        shares.append(found(row) if row.content else row.problems[0].detail)
    assert shares == ["is a score without its maximum; give it, such as default=maximum=10", [(name, "scored", 0.75)]]


@pytest.mark.parametrize("state", ["ขาดสอบ", "ไม่ได้สอบ", "Absent", "Not attempted", "In progress", "กำลังเรียน"])
def test_a_zero_beside_a_state_without_a_grade_is_no_result(state: str) -> None:
    rows, _ = read(
        f"officer,score,status,date\no-1,0,{state},2026-01-05\no-2,0,Finished,2026-01-05\no-3,0,ไม่ผ่าน,2026-01-05\n",
        default="activity=safety,maximum=10",
    )
    assert [found(row) for row in rows] == [[], [("safety", "scored", 0.0)], [("safety", "failed", 0.0)]]
    assert [one.detail for one in rows[0].warnings] == ["the row holds no score"]


@pytest.mark.parametrize("text", ["2569", "2026", "ม.ค. 2569", "January 2026", "01/2569", "202601"])
def test_a_year_or_a_month_is_no_time_of_a_result(text: str) -> None:
    rows, _ = read(f"officer,score,date\nofficer-1,8,{text}\n", default="activity=safety,maximum=10")
    assert [(one.field, one.detail) for one in rows[0].problems] == [("date", f"{text!r}: the day is not stated")]


def test_an_export_of_successfactors_is_read() -> None:
    rows, table = read(
        "รายงานผลการเรียน,,,,,\n"
        "User ID,Item ID,Item Title,Completion Date,Completion Status,Grade\n"
        "o-1,SAF-1,safety,05-Jan-2026 10:00 AM,Course Complete,85\n"
        "o-2,SAF-1,safety,2026-01-05,COURSE_COMPLETE,\n"
        "o-3,SAF-1,safety,2026-01-05,Not Complete,0\n",
        default="maximum=100",
    )
    assert table.mapping["activity"] == ["Item Title"]
    assert [found(row) for row in rows] == [[("safety", "scored", 0.85)], [("safety", "completed", None)], []]


def test_a_score_beside_completed_counts_unless_the_rule_takes_completions_only() -> None:
    """Somebody who completed a course with 3 of 10 has not reached its level."""
    verbs = []
    for rule in (ActivityRule("safety", "reading", 4), ActivityRule("safety", "reading", 4, verbs=["completed"])):
        table = GradeTable(ActivityRules([rule]), "guess")
        assert table.row(1, ["officer", "activity", "score", "status", "date"]) is None
        row = table.row(2, ["officer-1", "safety", "3/10", "Completed", "2026-01-05"])
        assert row is not None
        verbs += [verb for _, verb, _ in found(row)]
    assert verbs == ["scored", "completed"]


def test_rows_above_the_names_of_columns_are_skipped() -> None:
    above = "รายงานผลการสอบ,,\n,,ณ วันที่ 5 มกราคม 2569\n"
    rows, _ = read(f"{above}รหัสพนักงาน,คะแนน,วันที่สอบ\no-1,8/10,5 ม.ค. 2569\n", default="activity=safety")
    assert [(row.number, found(row)) for row in rows] == [(4, [("safety", "scored", 0.8)])]
    with pytest.raises(InvalidInput, match="no column holds the officers; there are: a"):
        read("a,,\n" * 12, default="activity=safety")
