"""What single cells mean: lists, durations, levels, languages, dates."""

from datetime import date

import pytest

from services.catalog.importers.durations import duration_of
from services.catalog.importers.words import is_placeholder, language_of, level_of, list_of, modality_of, plain
from shared.imports.dates import InvalidDate, date_of, span_of
from shared.imports.numerals import count_of, english_digits, number_of, thai_digits
from shared.imports.rows import ROW_LIMIT


@pytest.mark.parametrize(
    ("text", "hours", "assumed"),
    [
        ("Approx. 12 hours to complete", 12, False),
        ("one hour", 1, False),
        ("a one hour talk", 1, False),
        ("a two-day workshop", 12, True),
        ("an eight week course", 32, True),
        ("one two-hour session", 2, False),
        ("two hundred hours", 200, False),
        ("one hundred and twenty-five minutes", 125 / 60, False),
        ("three and a half hours", 3.5, False),
        ("half an hour", 0.5, False),
        ("an hour and 15 minutes", 1.25, False),
        ("2h30m", 2.5, False),
        ("1,5 h", 1.5, False),
        ("1,200 hours", 1200, False),
        ("PT12H30M", 12.5, False),
        ("12:30", 12.5, False),
        ("1:30:00", 1.5, False),
        ("12 ชั่วโมง 30 นาที", 12.5, False),
        ("2 ชม. 15 น.", 2.25, False),
        ("๓ ชั่วโมง", 3, False),
        ("6 weeks, 3–5 hours per week", 24, False),
        ("3 hours per week for 5 weeks", 15, False),
        ("5 ชั่วโมงต่อสัปดาห์ 8 สัปดาห์", 40, False),
        ("Approx. 5 months to complete Suggested pace of 4 hours/week", 80, False),
        ("2 days (12 hours)", 12, False),
        ("4 weeks", 16, True),
        ("1 - 4 Weeks", 10, True),
        ("3 - 6 Months", 72, True),
        ("P4W", 16, True),
        ("10 วัน", 60, True),
        ("ครึ่งวัน", 3, True),
        ("3 หน่วยกิต", 45, True),
        ("3 (2-2-5) หน่วยกิต", 45, True),
        ("1 Std. 30 Min.", 1.5, False),
        ("Less Than 2 Hours", 2, True),
        ("10+ hours", 10, True),
        ("12", 12, True),
        ("4 สัปดาห์ สัปดาห์ละ 3 ชั่วโมง", 12, False),
        ("3 วัน วันละ 6 ชั่วโมง", 18, False),
        ("3 วัน ๆ ละ 6 ชั่วโมง", 18, False),
        ("สัปดาห์ละ 2-4 ชั่วโมง เป็นเวลา 6 สัปดาห์", 18, False),
        ("สองชั่วโมงครึ่ง", 2.5, False),
        ("an hour and a half", 1.5, False),
        ("ยี่สิบชั่วโมง", 20, False),
        ("สามสิบชั่วโมง", 30, False),
        ("ยี่สิบเอ็ดชั่วโมง", 21, False),
        ("หนึ่งร้อยยี่สิบนาที", 2, False),
        ("สิบสองชั่วโมงครึ่ง", 12.5, False),
        ("สองสามวัน", 15, True),
        ("ผู้เรียนสามารถเรียนจบใน 3 ชั่วโมง", 3, False),
        ("twenty-five hours", 25, False),
        ("one hundred and twenty minutes", 2, False),
        ("one and a half hours", 1.5, False),
        ("one to two hours", 1.5, False),
        ("1½ hours", 1.5, False),
        ("1 1/2 hours", 1.5, False),
        ("3 หน่วยกิต (45 ชั่วโมง)", 45, False),
        ("15 weeks; 3 credits", 60, True),
        ("1,5 ชม.", 1.5, False),
        ("2 or 3 hours", 2.5, False),
        ("90 minutos", 1.5, False),
        ("4 meses", 64, True),
        ("3 months at 10 hours a week", 120, False),
        ("1 month (at 10 hours a week)", 40, False),
        ("4 weeks; 6h a week", 24, False),
        ("45 minutes for the guided part + 45 minutes for practice", 1.5, False),
        ("2 hours 10 minutes (1 hour of video)", 13 / 6, False),
        ("P0Y0M0DT6H0M0S", 6, False),
        ("45m 30s", 0.758333, False),
        ("30m", 0.5, True),
        ("1d 2h", 8, True),
        ("1 วัน และ 2 ชั่วโมง 30 นาที", 8.5, True),
        ("2 วัน 12 ชั่วโมง", 12, False),
        ("forty-five minutes", 0.75, False),
        ("1 000 hours", 1000, False),
        ("2 วัน (09.00-16.00 น.)", 12, True),
        ("2 วัน 1 คืน", 12, True),
        ("4 ครั้ง ครั้งละ 3 ชั่วโมง", 12, False),
        ("4 sessions of 90 minutes", 6, False),
        ("1\u00a0200 ชั่วโมง", 1200, False),
        ("an hour and thirty minutes", 1.5, False),
        ("1h30", 1.5, False),
        ("2 ชม. 30", 2.5, False),
        ("0001:45:30.00", 1.758333, False),
        ("45 contact hours", 45, False),
        ("6 CPD hours", 6, False),
        ("10 modules of 30 minutes", 5, False),
        ("4 modules, 1.5 hours each", 6, False),
        ("12 บทเรียน บทเรียนละ 30 นาที", 6, False),
        ("10 lectures, 20 hours", 20, True),
        ("20 ชั่วโมง 8 บทเรียน", 20, True),
        ("สัปดาห์ละ 2 วัน วันละ 3 ชั่วโมง 4 สัปดาห์", 24, False),
        ("2 hours a day, 3 days a week for 4 weeks", 24, False),
        ("three quarters of an hour", 0.75, False),
        ("a quarter of an hour", 0.25, False),
        ("ชั่วโมงครึ่ง", 1.5, False),
        ("วันครึ่ง", 9, True),
        ("1 ช.ม. 30 นาที", 1.5, False),
    ],
)
def test_a_duration_is_parsed_in_every_form(text: str, hours: float, assumed: bool) -> None:
    read = duration_of(text)
    assert read is not None
    assert read.hours == pytest.approx(hours, abs=1e-6)
    assert read.assumed is assumed


@pytest.mark.parametrize(
    ("text", "between"), [("2-3 ชม.", True), ("6 weeks, 3-5 hours per week", True), ("2 ชม. 15 น.", False)]
)
def test_a_duration_that_is_a_range_is_marked(text: str, between: bool) -> None:
    read = duration_of(text)
    assert read is not None
    assert read.between is between


@pytest.mark.parametrize(
    ("text", "hours", "unread"),
    [
        ("4 weeks 12 hours", 12, ("4 weeks",)),
        ("3 hours, 2 hours", 3, ("2 hours",)),
        ("4 weeks, 3 hours per week, 2 hours", 12, ("2 hours",)),
        ("2 weeks, 3 hours per week and 1 hour per day", 6, ("1 hour",)),
        ("two 3 hour sessions", 3, ("two",)),
        ("three two-hour sessions", 2, ("three",)),
        ("2 days (12 hours)", 12, ()),
        ("1 วัน 6 ชั่วโมง", 6, ()),
        ("2 hours 10 minutes (1 hour of video)", 13 / 6, ()),
        ("4 weeks, 3 hours per week (12 hours)", 12, ()),
    ],
)
def test_amounts_that_do_not_count_are_named(text: str, hours: float, unread: tuple[str, ...]) -> None:
    read = duration_of(text)
    assert read is not None
    assert read.hours == pytest.approx(hours, abs=1e-6)
    assert read.unread == unread


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ("1.30 ชม.", "1.30"),
        ("๑.๓๐ ชั่วโมง", "1.30"),
        ("2,45 hours", "2,45"),
        ("1.15-2.00 ชม.", "1.15"),
        ("1.30", "1.30"),
        ("1.3 ชม.", None),
        ("1.25 ชม.", None),
        ("1.50 ชม.", None),
        ("2.00 ชม.", None),
        ("1.60 ชม.", None),
        ("1.30 วัน", None),
    ],
)
def test_a_number_that_may_be_hours_and_minutes_is_marked(text: str, doubtful: str | None) -> None:
    read = duration_of(text)
    assert read is not None
    assert read.doubtful == doubtful


@pytest.mark.parametrize(
    "text",
    [
        "self-paced",
        "11/2 hours",
        "",
        "P0D",
        "PT",
        "-3 hours",
        "Week 3 of 5",
        "3 120 minute sessions",
        "5 modules",
        "module 5, 10 hours",
        "2 hours each, 6 modules",
        "45 min per lesson, 12 lessons",
        "3 ชั่วโมง 4 ครั้ง",
        "0 hours",
        "99999 hours",
        "-PT2H",
        "6m",
    ],
)
def test_a_duration_that_is_not_fully_understood_is_none(text: str) -> None:
    assert duration_of(text) is None


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("Beginner ", "beginner"),
        ("Beginner Level", "beginner"),
        ("Introductory", "beginner"),
        ("ระดับต้น", "beginner"),
        ("สำหรับผู้เริ่มต้น", "beginner"),
        ("ผู้เชี่ยวชาญ", "advanced"),
        ("All", "mixed"),
        ("ผู้บริหาร", None),
        ("พื้นฐาน", "beginner"),
        ("ระดับกลาง", "intermediate"),
        ("INTERMEDIATE", "intermediate"),
        ("ขั้นสูง", "advanced"),
        ("All levels", "mixed"),
        ("ทุกระดับ", "mixed"),
        ("พื้นฐานถึงระดับกลาง", "mixed"),
        ("ความรู้พื้นฐาน", "beginner"),
        ("Basic to advanced", "mixed"),
        ("Subtitles: French, English", None),
        ("not-mentioned", None),
        ("Advanced Placement Biology", None),
        ("Level 1", None),
    ],
)
def test_a_level_is_parsed_from_level_words_only(text: str, level: str | None) -> None:
    assert level_of(text) == level


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("['a', 'b, c']", ["a", "b, c"]),
        ('["x", "y"]', ["x", "y"]),
        ("[]", []),
        ("('a',)", ["a"]),
        ("a; b;a ; A", ["a", "b"]),
        ("a|b", ["a", "b"]),
        ("C (Programming, Language), SQL", ["C (Programming, Language)", "SQL"]),
        ("ก, ข", ["ก", "ข"]),
        ("R&amp;D, AT&amp;T", ["R&D", "AT&T"]),
        ("not-mentioned", []),
        ("Big  Data  Machine Learning", ["Big", "Data", "Machine Learning"]),
        ("Data  Analysis", ["Data  Analysis"]),
        ("[" * 5000, ["[" * 5000]),
        ("['open", ["['open"]),
    ],
)
def test_a_list_is_parsed_in_every_form(text: str, items: list[str]) -> None:
    assert list_of(text) == items


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" R&amp;D\x00 <b>now</b> ", "R&D now"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("List<T> and a < b", "List<T> and a < b"),
        ("<!-- Word --><style>p { color: red }</style><o:p></o:p><P>one</P>", "one"),
        ("a <!-- b", "a <!-- b"),
        ("\ufeffก\u200b", "ก"),
        ("a\r\nb\x07", "a\nb"),
        ("&amp;lt;", "&lt;"),
        ("<" * 100_000, "<" * 100_000),
    ],
)
def test_a_cell_is_reduced_to_its_visible_text(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2025-12-31", date(2025, 12, 31)),
        ("31/12/2568", date(2025, 12, 31)),
        ("31 ธ.ค. 2568", date(2025, 12, 31)),
        ("๑ มกราคม พ.ศ. ๒๕๖๙", date(2026, 1, 1)),
        ("May 5, 2026", date(2026, 5, 5)),
        ("2026-05-05T00:00:00Z", date(2026, 5, 5)),
        ("45000", date(2023, 3, 15)),
        ("243000.5", date(2022, 4, 22)),
        ("25680301", date(2025, 3, 1)),
        ("202401", date(2024, 1, 1)),
        ("๒๕๖๗๑๒", date(2024, 12, 1)),
        ("1735689600", date(2025, 1, 1)),
        ("1735689600000", date(2025, 1, 1)),
        ("0", None),
        ("2599-12-31", None),
        ("31 ธันวาคม 2599", None),
        ("9999-12-31", None),
    ],
)
def test_a_date_is_parsed_in_both_calendars_and_far_dates_mean_never(text: str, found: date | None) -> None:
    assert date_of(text) == found


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("ก.พ. 2567", date(2024, 2, 1), date(2024, 2, 29)),
        ("March 2025", date(2025, 3, 1), date(2025, 3, 31)),
        ("202412", date(2024, 12, 1), date(2024, 12, 31)),
        ("2024-12", date(2024, 12, 1), date(2024, 12, 31)),
        ("12/2567", date(2024, 12, 1), date(2024, 12, 31)),
        ("Dec-2024", date(2024, 12, 1), date(2024, 12, 31)),
        ("๒๕๖๘", date(2025, 1, 1), date(2025, 12, 31)),
        ("2 ก.พ. 2567", date(2024, 2, 2), date(2024, 2, 2)),
    ],
)
def test_a_month_or_a_year_begins_on_its_first_day_and_ends_on_its_last(text: str, first: date, last: date) -> None:
    assert (date_of(text), date_of(text, last=True)) == (first, last)


@pytest.mark.parametrize(
    "text", ["31/02/2568", "soon", "13/13/2025", "0000-01-01", "123", "999999", "25681301", "202413", "200000"]
)
def test_an_invalid_date_is_rejected(text: str) -> None:
    with pytest.raises(InvalidDate):
        date_of(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(("31/02/2568", "that month has no such day"), ("29 ก.พ. 2568", "that month has no such day")),
        *(("2025-06-31", "that month has no such day"), ("1/0/2025", "there is no such month")),
        *(("13/13/2025", "there is no such month"), ("0000-01-01", "there is no such year")),
        *(("0/1/2568", "that month has no such day"), ("25681301", "there is no such month")),
    ],
)
def test_what_is_wrong_with_a_date_is_said_in_our_own_words(text: str, said: str) -> None:
    with pytest.raises(InvalidDate, match=f"^{said}$"):
        date_of(text)


@pytest.mark.parametrize(
    "unit",
    [
        *("1,", "a,", "(", "(a,", "1 - ", "1 000", "12:", "<a ", "<!--", "<style>", "  a", "&amp", "3 hours "),
        *("beginner ", "[,"),
    ],
)
def test_a_cell_of_the_maximum_size_is_parsed_quickly(unit: str) -> None:
    """A reader that looks at everything again for each character would not end within the test's time."""
    text = unit * (ROW_LIMIT // len(unit))
    for read in (list_of, plain, duration_of, level_of, language_of, modality_of, number_of, is_placeholder):
        read(text)
    with pytest.raises(InvalidDate):
        date_of(text)


def test_languages_modalities_numbers_and_empty_values_are_parsed() -> None:
    names = [
        "Chinese (Simplified)",
        "English",
        "ภาษาไทย",
        "en-US",
        "tha",
        "Portuguese (Brazilian)",
        "中文",
        "اَلْعَرَبِيَّةُ",
        "Klingon",
    ]
    assert [language_of(name) for name in names] == ["zh", "en", "th", "en", "th", "pt", "zh", "ar", None]
    ways = ["MOOC", "ออนไลน์", "On-site", "อบรมในห้องเรียน", "hybrid", "online and classroom", "by post"]
    ways += ["อบรมออนไลน์ผ่าน Zoom", "on_campus", "Instructor"]
    expected = ["online", "online", "classroom", "classroom", "blended", "blended", None]
    expected += ["online", "classroom", "classroom"]
    assert [modality_of(way) for way in ways] == expected
    assert [number_of(text) for text in ("4.2stars", "16,400", "๑๒", "1 of 2", "")] == [4.2, 16400, 12, None, None]
    assert all(is_placeholder(text) for text in ("", " ", "N/A", "not-mentioned", "None.", "ไม่ระบุ", "ไม่มี"))
    assert not is_placeholder("0")


@pytest.mark.parametrize(
    ("text", "number", "count"),
    [
        ("4,5", 4.5, 4),
        ("16,400", 16_400, 16_400),
        ("1.234", 1.234, 1234),
        ("1.234,5", 1234.5, 1234),
        ("1.2.3", None, None),
        ("1 000", 1000, 1000),
        ("1\u202f234,5", 1234.5, 1234),
        ("1'234", 1234, 1234),
        ("1 30", None, None),
        ("1.2k", 1.2, 1200),
        ("2.3 ล้าน", 2.3, 2_300_000),
        ("3 minutes", 3, 3),
        ("4.2stars", 4.2, 4),
        ("3 of 5", None, None),
    ],
)
def test_a_comma_or_a_point_divides_thousands_or_decimals(text: str, number: float | None, count: int | None) -> None:
    assert (number_of(text), count_of(text)) == (number, count)


@pytest.mark.parametrize(
    "text",
    [
        *("๑๕ ม.ค. ๖๗", "15 ม.ค.67", "15-Jan-2024", "15th January 2024", "Monday, January 15, 2024", "15 Jan 24"),
        *("วันจันทร์ที่ 15 มกราคม 2567", "วันที่ 15 มกราคม พ.ศ. 2567", "2024/01/15", "2567/01/15", "15 มค 2567"),
        *(
            "15 January 2024 09:00",
            "Jan 15, 2024 at 10:00 am",
            "Monday, 15 January 2024, 9:00 AM",
            "15-Jan-2024 08:30:00",
        ),
        *(
            "15 ม.ค. 2567 เวลา 09.00 น.",
            "15/01/2567 13:30",
            "20240115T090000Z",
            "2024-01-15 00:00:00 UTC",
            "Jan-15-2024",
        ),
    ],
)
def test_a_date_is_read_in_its_usual_forms(text: str) -> None:
    assert date_of(text) == date(2024, 1, 15)


def test_months_with_other_short_names_are_read() -> None:
    assert date_of("Sept 5, 2024") == date_of("5 Sept. 2024") == date(2024, 9, 5)


@pytest.mark.parametrize("text", ["Jan-24", "15/1/67", "15 - 17 มกราคม 2567", "Sunday", "15 xyz 2024", "ไตรมาส 1/2567"])
def test_a_date_that_may_mean_another_is_not_read(text: str) -> None:
    with pytest.raises(InvalidDate):
        date_of(text)


@pytest.mark.parametrize(
    ("text", "hours", "assumed"),
    [
        ("3 x 2 hours", 6, False),
        ("2x90 min", 3, False),
        ("3 ครั้ง x 2 ชม.", 6, False),
        ("2 hours × 3 sessions", 6, False),
        ("5 วัน x 6 ชั่วโมง", 30, False),
        ("2 hours x 5 days", 10, False),
        ("5 days x 6 hours/day", 30, False),
        ("half day", 3, True),
        ("Half-day", 3, True),
        ("3 half-day sessions", 9, True),
        ("2 full days", 12, True),
        ("ครึ่งวัน", 3, True),
        ("เต็มวัน", 6, True),
    ],
)
def test_several_times_the_same_time_and_parts_of_days_are_read(text: str, hours: float, assumed: bool) -> None:
    read = duration_of(text)
    assert read is not None
    assert (read.hours, read.assumed, read.unread) == (hours, assumed, ())


def test_a_number_of_groups_does_not_multiply_the_time_of_a_course() -> None:
    assert duration_of("3 รุ่น x 2 วัน") is None


@pytest.mark.parametrize(
    ("text", "modality"),
    [
        ("Virtual Classroom", "online"),
        ("ห้องเรียนออนไลน์", "online"),
        ("Online workshop", "online"),
        ("VILT", "online"),
        ("เรียนรู้ด้วยตนเอง", "online"),
        ("ออนไซต์", "classroom"),
        ("F2F", "classroom"),
        ("Video", "online"),
        ("ILT", "classroom"),
        ("Online and classroom", "blended"),
        ("onsite/online", "blended"),
        ("Course", None),
    ],
)
def test_a_room_that_is_not_in_a_building_is_online(text: str, modality: str | None) -> None:
    assert modality_of(text) == modality


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Englisch", "en"),
        ("anglais", "en"),
        ("Bahasa Inggris", "en"),
        ("Bahasa Indonesia", "id"),
        ("Bahasa Melayu", "ms"),
        ("tiếng Việt", "vi"),
        ("ภาษาสเปน", "es"),
        ("英語", "en"),
        ("Klingonisch", None),
    ],
)
def test_languages_are_known_by_their_names_in_other_languages(text: str, code: str | None) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize("text", ["ระหว่างวันที่ 15 - 17 มกราคม 2567", "ตั้งแต่วันที่ 15 ม.ค. - 17 ม.ค. 2567"])
def test_words_before_a_span_of_days_are_left_out(text: str) -> None:
    days = span_of(text)
    assert days is not None
    assert [date_of(day) for day in days] == [date(2024, 1, 15), date(2024, 1, 17)]


def test_every_number_in_words_has_its_value() -> None:
    ones = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    teens = ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    written = [
        *ones,
        "ten",
        "eleven",
        "twelve",
        *teens,
        *(word for ten in tens for word in (ten, *(f"{ten}-{one}" for one in ones))),
    ]
    assert [english_digits(words) for words in [*written, "a hundred"]] == [str(n) for n in range(1, 101)]
    assert [english_digits(words) for words in ("half an", "a half", "two hundred and six")] == ["0.5", "0.5", "206"]
    digits = ["หนึ่ง", "สอง", "สาม", "สี่", "ห้า", "หก", "เจ็ด", "แปด", "เก้า"]
    assert [thai_digits(word) for word in digits] == [str(n) for n in range(1, 10)]
    tens_and_more = [("สิบเอ็ด", "11"), ("ยี่สิบ", "20"), ("เก้าสิบเก้า", "99"), ("สองร้อยห้า", "205"), ("พัน", "1000")]
    assert [thai_digits(words) for words, _ in tens_and_more] == [number for _, number in tens_and_more]
