"""What the cells of a course list say: dates, durations, languages, addresses, ratings, ids."""

import json
from datetime import date

import msgspec
import pytest

from services.catalog.importers import Format, Options
from services.catalog.importers.facts import id_by_code, id_by_url
from services.catalog.model import course_faults
from shared.domain import LocalizedText
from tests.support.course_lists import THAI, courses, read


@pytest.mark.parametrize("url", ["https://[::1", "https://[x]/", "http://\u2100/"])
def test_an_invalid_address_loses_at_most_its_row(url: str) -> None:
    _, rows = read("csv", f"title,url\na,{url}\nb,https://example.org/b\n".encode())
    assert [row.number for row in rows] == [2, 3]
    assert rows[1].content
    assert id_by_url(url) == id_by_url(url.upper())


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


@pytest.mark.parametrize(
    "url", ["javascript:x", "ftp://x.example/a", "/course/view.php?id=7", "ดูที่เว็บไซต์", "https:///", "https://:80/a"]
)
def test_a_course_is_kept_without_a_link_that_is_no_address(url: str) -> None:
    _, [row, same] = read("csv", f"title,url\na,{url}\nb,HTTPS://x.example/b\n".encode())
    assert row.content
    assert row.content.url is None
    assert [one.detail for one in row.warnings if one.field == "url"] == [
        f"{url!r} is no address with http:// or https:// and a host; it is left out"
    ]
    assert row.content.id == courses("csv", "title\na\n")[0].id
    assert same.content
    assert same.content.url == "https://x.example/b"


@pytest.mark.parametrize("blank", [" ", "\n", "\t", "\u00a0", "\u2028", "\u200b", "\u202e", "\u3164"])
def test_an_address_with_a_space_or_an_invisible_character_is_left_out_as_such(blank: str) -> None:
    url = f"https://x.example/a{blank}b"
    linked = {"@context": "https://schema.org", "@type": "Course", "name": "a", "url": url}
    files: dict[Format, str] = {"csv": f'title,url\na,"{url}"\n', "jsonld": json.dumps(linked)}
    for form, body in files.items():
        _, [row] = read(form, body.encode())
        assert row.content
        assert row.content.url is None
        assert [one.detail for one in row.warnings if one.field == "url"] == [
            "left out: an address may hold no space, line end or invisible character"
        ]


def test_an_address_may_hold_letters_of_any_language() -> None:
    url = "https://ตัวอย่าง.ไทย/หลักสูตร/ปี่ที่๑?ชื่อ=é&名=前"
    _, [row] = read("csv", f"title,url\na,{url}\n".encode())
    assert row.content
    assert row.content.url == url
    assert course_faults(row.content, {}) == []


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
    assert [one.detail for one in row.warnings][:1] == [f"no duration is read from {hours!r}; 10 are assumed"]


def test_a_number_without_a_unit_is_assumed_to_count_hours() -> None:
    _, [row] = read("csv", b"title,duration\na,90\n")
    assert row.content
    assert (row.content.hours, "hours" in row.content.assumed) == (90, True)
    assert [one.detail for one in row.warnings] == ["90 are assumed for '90', because no unit is stated"]


def test_a_refused_course_is_shown_by_its_first_words() -> None:
    _, [row] = read("jsonld", b'{"@type": "Course", "description": "In this course you will cook"}')
    assert (row.content, row.begins) == (None, "In this course you will cook")


def test_missing_facts_are_assumed_and_listed_as_assumed() -> None:
    [plain] = courses("csv", f"title\n{THAI}\n")
    assert (plain.hours, plain.languages, plain.assumed) == (10, ["th"], ["provider", "hours", "languages"])
    given = Options(columns="guess", defaults={"provider": "หน่วยงาน", "hours": "6", "languages": "ไทย, English"})
    [with_defaults] = courses("csv", f"title\n{THAI}\n", given)
    assert (with_defaults.provider.th, with_defaults.hours, with_defaults.languages) == ("หน่วยงาน", 6, ["th", "en"])
    assert with_defaults.assumed == []


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


@pytest.mark.parametrize("separator", [" / ", " | ", "/"])
def test_a_title_in_both_languages_is_one_in_each_and_keeps_its_id(separator: str) -> None:
    whole = f"การคิดเชิงออกแบบ{separator}Design Thinking"
    [course] = courses("csv", f"provider,title\nUni,{whole}\n")
    assert course.title == LocalizedText(th="การคิดเชิงออกแบบ", en="Design Thinking")
    [stated] = courses("csv", f"provider,title_th\nUni,{whole}\n")
    assert (stated.title, stated.id) == (LocalizedText(th=whole), course.id)


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


@pytest.mark.parametrize("words", ["每周3小时，共6周", "6周，每周3小时"])
def test_a_pace_before_its_amount_is_not_read_as_a_duration(words: str) -> None:
    _, [found] = read("csv", f'课程名称,时长\n数据,"{words}"\n'.encode())
    assert found.content
    assert "hours" in found.content.assumed


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
    """Each of the 30 courses would take many seconds where the text is searched for the end of each of them."""
    text = "a<B>" * 30_000
    lines = "".join(f"Course {n},{n},{text}\n" for n in range(30))
    assert len(courses("csv", f"title,code,description\n{lines}")) == 30


@pytest.mark.parametrize(
    ("length", "effort", "hours"),
    [
        ("9 weeks", "14-16 hours per week", 135),
        ("9 weeks", "14", 126),
        ("2 เดือน", "3 ชั่วโมง", 24),
        ("3 hours", "5", 3),
        ("9 weeks", "", 36),
        ("6 weeks, 3 hours per week", "5", 18),
        ("4 weeks", "05:30", 22),
    ],
)
def test_an_effort_beside_a_length_is_a_pace(length: str, effort: str, hours: float) -> None:
    """As Open edX states them: the effort is that of a week."""
    [course] = courses("csv", f'title,Effort,Length\nA,{effort},"{length}"\n')
    assert course.hours == hours


@pytest.mark.parametrize("form", ["csv", "jsonld"])
@pytest.mark.parametrize(
    ("name", "words", "pace"),
    [
        ("effort", "3-5 hours per week", "3-5 hours per week"),
        ("effort", "3-5", "3-5 hours per week"),
        ("effort", "5 hours", "5 hours per week"),
        ("Effort", "05:30", "5.5 hours per week"),
        ("effort", "3 ชั่วโมงต่อสัปดาห์", "3 ชั่วโมงต่อสัปดาห์"),
        ("hours per week", "3", "3 hours per week"),
        ("workload", "4-6 hours/week", "4-6 hours/week"),
        ("duration", "2 hours a day", "2 hours a day"),
    ],
)
def test_a_pace_without_a_length_is_no_total(form: Format, name: str, words: str, pace: str) -> None:
    body = json.dumps([{"title": "A", name: words}]) if form == "jsonld" else f"title,{name}\nA,{words}\n"
    _, [row] = read(form, body.encode())
    assert row.content
    assert (row.content.hours, "hours" in row.content.assumed) == (10, True)
    assert row.content.stated["duration"] == pace
    assert [one.detail for one in row.warnings if one.field == "hours"] == [
        f"{pace!r} is a pace, and no length of the course is stated; 10 are assumed"
    ]


@pytest.mark.parametrize(
    ("name", "words", "hours"),
    [("effort", "6 weeks, 3 hours per week", 18), ("effort", "2 weeks", 8), ("workload", "10 hours", 10)],
)
def test_a_column_of_an_effort_or_a_workload_may_state_the_whole_time(name: str, words: str, hours: float) -> None:
    assert [one.hours for one in courses("csv", f'title,{name}\nA,"{words}"\n')] == [hours]


@pytest.mark.parametrize("form", ["csv", "jsonld"])
@pytest.mark.parametrize(
    ("facts", "hours"),
    [
        ({"estimated_content_length": "90"}, 1.5),
        ({"estimatedContentLength": "90"}, 1.5),
        ({"content_info_short": "12.5 hours"}, 12.5),
        ({"content_info": "12.5 total hours", "estimated_content_length": "740"}, 740 / 60),
        ({"content_info": "45 total mins"}, 0.75),
        ({"duration_minutes": "90"}, 1.5),
        ({"durationInSeconds": "5400"}, 1.5),
        ({"Duration (hours)": "2"}, 2),
        ({"hours": "1", "minutes": "30"}, 1.5),
    ],
)
def test_a_bare_number_has_the_unit_that_the_name_of_its_field_states(
    form: Format, facts: dict[str, str], hours: float
) -> None:
    body = json.dumps([{"title": "A", **{name: float(v) if v.isdigit() else v for name, v in facts.items()}}])
    if form == "csv":
        body = f"title,{','.join(facts)}\nA,{','.join(facts.values())}\n"
    [course] = courses(form, body)
    assert (round(course.hours, 3), "hours" in course.assumed) == (round(hours, 3), False)


@pytest.mark.parametrize("zero", ["0", "0.0", "๐"])
def test_a_duration_of_nothing_is_one_that_is_not_stated(zero: str) -> None:
    """As platforms write a duration that they do not know."""
    _, rows = read("csv", f"title,hours,weeks,duration\nA,{zero},,\nB,{zero},4,\nC,{zero},,3 h\n".encode())
    assert [row.content and (row.content.hours, "hours" in row.content.assumed) for row in rows] == [
        (10, True),
        (16, True),
        (3, False),
    ]
    assert f"no duration is read from {zero!r}; 10 are assumed" in [one.detail for one in rows[0].warnings]


def test_a_number_with_a_minus_is_no_rating() -> None:
    _, rows = read("csv", b"title,rating,rating_count\nA,4.5,-1\nB,-4,3\n")
    assert [row.content and row.content.rating for row in rows] == [None, None]
    assert [row.warnings[-1].detail for row in rows] == [f"left out: no number is read from '{n}'" for n in (-1, -4)]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        *(("ไทย-อังกฤษ", ["th", "en"]), ("EN, TH, JP", ["en", "th", "ja"]), ("zh-CN", ["zh"]), ("CN", ["zh"])),
        *(("Thai-English", ["th", "en"]), ("Portuguese - Brazil", ["pt"]), ("zh-Hans", ["zh"])),
    ],
)
def test_languages_in_one_cell_are_all_read_with_their_codes(text: str, codes: list[str]) -> None:
    assert [one.languages for one in courses("csv", f'title,languages\nA,"{text}"\n')] == [codes]


@pytest.mark.parametrize(
    "word", ["ยังไม่เปิดรับสมัคร", "ระงับ", "พักการสอน", "รอเปิด", "On hold", "Coming soon", "not yet open"]
)
def test_a_course_that_cannot_be_taken_yet_is_not_offered(word: str) -> None:
    _, [row] = read("csv", f"title,status\nA,{word}\n".encode())
    assert [(one.field, one.detail) for one in row.problems] == [("offered", f"{word!r} says that it is not offered")]


@pytest.mark.parametrize("column", ["id", "code"])
@pytest.mark.parametrize("value", ["101.0", "\u0421101"])
def test_an_id_or_a_code_that_is_probably_another_one_is_named(column: str, value: str) -> None:
    [row] = [row for row in read("csv", f"{column},title\n{value},A\n".encode())[1] if row]
    assert row.content is not None
    assert [one.field for one in row.warnings if value in one.detail] == [column]
