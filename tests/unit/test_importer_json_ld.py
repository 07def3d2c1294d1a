"""Course lists in JSON: JSON-LD, alone and inside a page, and the answers of course platforms."""

import html
import itertools
import json
from collections import deque
from typing import Any

import msgspec
import pytest

from services.catalog.importers import ListReader
from services.catalog.importers.facts import id_by_code
from shared.domain import Course
from shared.errors import Malformed
from shared.imports.rows import ROW_LIMIT, Row
from tests.support.course_lists import GUESS, THAI, courses, read

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
        lambda node: json.dumps(node).replace('"@type": "Course"', '"@type": "course"'),
        lambda node: json.dumps({"@type": "itemlist", "itemListElement": [node | {"@type": ["schema:COURSE"]}]}),
        lambda node: json.dumps(json.dumps(node)),
        lambda node: json.dumps(json.dumps([node])),
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


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b'{"title":"A","hours":3,' + b'"items":[],' * 200_000,
        b'{"title":"A","hours":3,' + b'"in":{"title":"B","hours":3,"items":[]},' * 50_000,
    ],
)
def test_brackets_and_lists_of_any_number_are_read_in_linear_time(body: bytes) -> None:
    """It would take hours where each of them looks at all that came before it."""
    _, rows = read("jsonld", body, size=1 << 16)
    assert [row.problems[0].detail for row in rows] == ["the JSON breaks off"]


DEEP = ["[", '{"a":', '[{"a":', '{"provider": {"name": ']


@pytest.mark.parametrize("deep", DEEP)
def test_reading_ends_where_lists_and_objects_are_nested_too_deep(deep: str) -> None:
    """However long the file is, no more of it is read than a course may hold."""
    piece = deep.encode() * (1 << 12)
    pieces = itertools.repeat(piece, 1 << 17)
    reader = ListReader("jsonld", GUESS)
    brackets = [place for place, sign in enumerate(piece, 1) if sign in b"{["]
    with pytest.raises(
        Malformed, match=f"more than 1000 deep in row 1, at byte {brackets[1000]} of the JSON; the rest is not read"
    ):
        deque((row for one in pieces for row in reader.feed(one)), maxlen=0)
    assert sum(1 for _ in pieces) >= (1 << 17) - ROW_LIMIT // len(piece) - 2


@pytest.mark.parametrize("size", [1000, 1 << 20])
@pytest.mark.parametrize("deep", DEEP)
def test_reading_ends_where_a_course_that_is_too_large_is_nested_too_deep_after_that(deep: str, size: int) -> None:
    body = json.dumps([NODE, {"name": "x" * ROW_LIMIT}]).removesuffix("}]").encode() + b',"x":' + deep.encode() * 2000
    reader = ListReader("jsonld", GUESS)
    rows: list[Row[Course] | None] = []
    with pytest.raises(Malformed, match="nested more than 1000 deep in row 2"):
        rows.extend(row for at in range(0, len(body), size) for row in reader.feed(body[at : at + size]))
    assert [bool(row.content) for row in rows if row] == [True]


@pytest.mark.parametrize("size", [1, 3, 1000, 1 << 20])
@pytest.mark.parametrize("deep", DEEP)
def test_courses_before_lists_that_are_nested_too_deep_are_read(deep: str, size: int) -> None:
    """One of them waits for a node that does not come."""
    waiting = NODE | {"name": 'B"\\ค', "provider": {"@id": "#elsewhere"}}
    body = f'\ufeff [{json.dumps(NODE)},{json.dumps(waiting)},{{"name":"\\"[C","x":'.encode()
    reader = ListReader("jsonld", GUESS)
    rows: list[Row[Course] | None] = []
    brackets = [place for place, sign in enumerate(deep.encode(), 1) if sign in b"{["]
    rounds, nth = divmod(1000 - 2, len(brackets))  # a list and a course are open
    place = len(body.lstrip(b"\xef\xbb\xbf ")) + rounds * len(deep) + brackets[nth]
    body += deep.encode() * (ROW_LIMIT // len(deep) + 1001)
    with pytest.raises(Malformed, match=f"in row 3, at byte {place} of the JSON"):
        rows.extend(row for at in range(0, len(body), size) for row in reader.feed(body[at : at + size]))
    assert [bool(row.content) for row in rows if row] == [True, True]


def test_the_byte_of_nesting_counts_what_a_long_list_is_read_from_twice() -> None:
    course = b'{"name":"A","about":"' + b"x" * 1000 + b'"},'
    begin = b'{"name":"N","items":[' + course * 300
    assert len(begin) > ROW_LIMIT
    with pytest.raises(Malformed, match=f"in row 301, at byte {len(begin) + 999} of the JSON"):
        read("jsonld", begin + b"[" * 2 * ROW_LIMIT, size=1000)


def test_the_first_two_thousand_fields_of_a_course_are_read() -> None:
    fields = {f"f{n}": n for n in range(1998)}
    body = {"title": "A", **fields, "duration": "PT3H", "code": "C"}
    [one] = courses("jsonld", json.dumps(body))
    assert (one.title.en, one.hours, one.code) == ("A", 3.0, None)


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_a_course_that_is_too_large_after_another_list_is_refused_alone(size: int) -> None:
    large = {"name": "A", "about": "x" * (ROW_LIMIT - 1000), "notes": ["x" * 2000]}
    body = {"items": [{"label": 1}], "courses": [large, {"name": "B"}, {"name": "C"}]}
    _, rows = read("jsonld", json.dumps(body).encode(), size=size)
    assert [row.content and row.content.title.en for row in rows] == [None, "B", "C"]


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
    [first, *_] = row.warnings
    assert (first.field, "parts of this one are left out: 1, such as 'Part 1'" in first.detail) == ("hasPart", True)


OPEN_EDX = {
    "blocks_url": "https://lms.example/api/courses/v2/blocks/",
    "effort": "05:30",
    "end": "2027-08-01T00:00:00Z",
    "id": "course-v1:Uni+DemoX+2027",
    "course_id": "course-v1:Uni+DemoX+2027",
    "media": {"image": {"id": "1", "name": "banner"}},
    "name": "Demonstration",
    "org": "Uni",
    "short_description": "What it shows",
    "start": "2027-02-05T05:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    "form",
    [
        {"results": [OPEN_EDX], "pagination": {"count": 1, "next": None, "last": {"id": "1", "name": "no course"}}},
        {"count": 1, "courses": [OPEN_EDX]},
        {"data": {"items": [OPEN_EDX]}},
        [OPEN_EDX],
        OPEN_EDX,
    ],
)
def test_the_answer_of_a_platform_is_read_by_the_names_of_its_fields(form: Any, size: int) -> None:
    _, [row] = read("jsonld", json.dumps(form).encode(), size=size)
    assert row.content
    assert row.content.id.startswith("course-v1-uni-demox-2027-")
    pace = "'5.5 hours per week' is a pace, and no length of the course is stated; 10 are assumed"
    assert pace in [one.detail for one in row.warnings]
    found = msgspec.to_builtins(row.content)
    assert {name: found[name] for name in ("title", "provider", "hours", "description", "starts", "ends")} == {
        "title": {"en": "Demonstration"},
        "provider": {"en": "Uni"},
        "hours": 10.0,
        "description": {"en": "What it shows"},
        "starts": "2027-02-05",
        "ends": "2027-08-01",
    }


def test_courses_of_this_project_in_an_array_lose_nothing() -> None:
    course = {
        "id": "a1",
        "title": {"th": THAI, "en": "A"},
        "provider": {"th": "พ", "en": "P"},
        "hours": 3.0,
        "languages": ["th"],
        "teaches": [{"framework": "f", "skill": "s", "from": 0.0, "to": 1.0}],
        "requires": [{"course": "b"}],
        "completions": {"started": 5, "completed": 2},
        "rating": {"mean": 4.0, "count": 3},
        "tags": ["x", "y"],
    }
    for form in ([course], {"courses": [course], "next": None}):
        [one] = courses("jsonld", json.dumps(form))
        assert msgspec.to_builtins(one) == course


def test_an_object_of_a_platform_without_a_title_is_refused_by_its_number() -> None:
    _, rows = read("jsonld", json.dumps({"results": [OPEN_EDX, {"id": "x", "org": "Uni"}]}).encode())
    assert [(row.number, row.begins, [one.field for one in row.problems]) for row in rows if not row.content] == [
        (2, "x", ["title"])
    ]


@pytest.mark.parametrize("name", ["items", "data", "elements"])
@pytest.mark.parametrize("size", [7, 10_000])
def test_the_lessons_of_a_single_course_are_no_courses(name: str, size: int) -> None:
    course = {"id": "a", "title": "A", "hours": 3, name: [{"name": "Lesson 1"}, {"name": "Lesson 2"}]}
    _, rows = read("jsonld", f"{json.dumps(course)}\n{json.dumps(course | {'id': 'b'})}".encode(), size=size)
    assert [row.content and row.content.id for row in rows] == ["a", "b"]


def test_a_list_with_a_title_holds_courses() -> None:
    found = courses("jsonld", json.dumps({"id": 7, "title": "Catalogue", "items": [{"id": "a", "title": "A"}]}))
    assert [one.id for one in found] == ["a"]


@pytest.mark.parametrize(
    "form",
    [
        {"metadata": {"title": "Catalogue", "level": "all"}, "courses": [OPEN_EDX]},
        {"metadata": {"title": "Catalogue"}, "data": {"courses": [OPEN_EDX]}},
        {"metadata": {"title": "Catalogue"}, "modules": [OPEN_EDX], "courses": [OPEN_EDX]},
        {"title": "Catalogue", "catalog": [OPEN_EDX]},
        {"response": {"records": [OPEN_EDX]}},
        {"data": {"courses": {"edges": [{"node": OPEN_EDX}]}}},
        {"courses": {"first": OPEN_EDX}},
    ],
)
@pytest.mark.parametrize("size", [7, 100_000])
def test_the_title_of_a_catalogue_is_no_course(form: Any, size: int) -> None:
    _, rows = read("jsonld", json.dumps(form).encode(), size=size)
    assert [row.content and row.content.title.en for row in rows] == ["Demonstration"]


def test_a_course_is_read_by_its_metadata_also_beside_lists_of_other_things() -> None:
    body = {"metadata": {"title": "Record"}, "files": [{"name": "slides.pdf"}], "links": {"self": "/1"}}
    assert [one.title.en for one in courses("jsonld", json.dumps(body))] == ["Record"]


@pytest.mark.parametrize("name", ["courses", "items"])
def test_a_list_deep_inside_an_answer_holds_courses_of_any_number(name: str) -> None:
    many = [{"id": f"c{n}", "title": "A", "description": "d" * 2000} for n in range(300)]
    body = json.dumps({"data": {"page": 1, name: many}, "extensions": {"items": [{"id": "no"}]}})
    assert len(courses("jsonld", body)) == 300


@pytest.mark.parametrize("name", ["courses", "items"])
def test_a_long_list_of_lessons_deep_inside_an_answer_is_no_list_of_courses(name: str) -> None:
    lessons = [{"title": f"Lesson {n}", "notes": "x" * 2000} for n in range(300)]
    body = json.dumps({"page": 1, "data": {"id": "whole", "title": "Whole", "duration": "PT3H", name: lessons}})
    _, [row] = read("jsonld", body.encode())
    assert (row.content, [one.status for one in row.problems]) == (None, [413])


@pytest.mark.parametrize("size", [1, 50, 1 << 20])
@pytest.mark.parametrize("name", ["items", "data", "elements"])
def test_a_list_before_the_fields_of_a_course_is_its_lessons(name: str, size: int) -> None:
    lessons = [{"title": "Lesson 1", "duration": "PT5M"}, {"title": "Lesson 2"}]
    body = json.dumps({name: lessons, "id": "whole", "title": "A whole course", "duration": "PT3H"})
    [one] = courses("jsonld", body, size=size)
    assert (one.id, one.hours) == ("whole", 3.0)


@pytest.mark.parametrize("size", [1000, 1 << 20])
@pytest.mark.parametrize("count", [2, 4000])
def test_a_list_before_the_head_of_an_answer_holds_courses_of_any_number(count: int, size: int) -> None:
    listed = [{"name": f'Course "{{{i}', "description": "x" * 100} for i in range(count)]
    body = json.dumps({"data": listed, "name": "Our catalogue", "total": count})
    assert (count > 2) == (len(body) > ROW_LIMIT)
    assert [one.title.en for one in courses("jsonld", body, size=size)] == [one["name"] for one in listed]


def test_a_field_that_is_given_twice_refuses_its_course_alone() -> None:
    _, rows = read("jsonld", b'[{"@type": "Course", "name": "A", "name": "B"}, {"@type": "Course", "name": "C"}]')
    assert [(row.problems[0].field, row.problems[0].detail) for row in rows[:1]] == [("name", "is given twice")]
    assert rows[1].content


def test_an_object_that_is_nested_too_deeply_is_refused_alone() -> None:
    """At every depth: one of them is decoded, and too deep for the search for fields that are given twice."""
    depths = [*range(900, 1002), 100_000]
    deep = ['{"@type": "Course", "name": "A", "x": ' + "[" * n + '":"' + "]" * n + "}" for n in depths]
    twice = [one.replace('":"', r'{"y": 1, "y": ":"}') for one in deep]
    _, rows = read("jsonld", f"[{','.join([*deep, *twice])}, {json.dumps(NODE)}]".encode())
    assert len(rows) == len(deep) + len(twice) + 1
    assert all(row.problems for row in rows[len(deep) : -1])
    assert rows[-1].content


def test_records_of_repositories_are_read_by_their_metadata() -> None:
    records = [
        {"dc.title": ["คลังความรู้"], "dc.identifier.uri": "http://hdl.handle.net/1/2", "dc.subject": ["ข้อมูล"]},
        {"uuid": "6b1", "metadata": {"dc.title": [{"value": "Item"}], "dc.subject": [{"value": "law"}]}},
        {"id": 7, "metadata": [{"key": "dc.title", "value": "Older"}, {"key": "dc.publisher", "value": "Uni"}]},
        {"header": {"identifier": "x"}, "metadata": {"oai_dc:dc": {"dc:title": "Harvested", "dc:language": "tha"}}},
    ]  # fmt: skip
    records.append({"id": "8", "type": "courses", "attributes": {"title": "Attributed", "hours": 3}})
    found = courses("jsonld", "\n".join(json.dumps(one) for one in records))
    names = ["คลังความรู้", "Item", "Older", "Harvested", "Attributed"]
    assert [one.title.th or one.title.en for one in found] == names
    assert [one.tags for one in found[:2]] == [["ข้อมูล"], ["law"]]
    assert found[3].languages == ["th"]


def test_texts_by_language_may_be_lists_and_addresses_may_be_nodes() -> None:
    node = {
        "@type": "Course", "name": {"th": "ชื่อ", "en": "Name"}, "description": {"th": ["หนึ่ง", "สอง"]},
        "url": {"@id": "https://example.org/c"},
    }  # fmt: skip
    program = {"@type": "EducationalOccupationalProgram", "name": "Program", "timeToComplete": "PT40H"}
    [one, other] = courses("jsonld", json.dumps([node, program]))
    assert (one.url, one.description and one.description.th) == ("https://example.org/c", "หนึ่ง\nสอง")
    assert other.hours == 40


def test_custom_fields_of_a_course_are_read_and_courses_of_a_program_are_named() -> None:
    custom = [{"name": "ระดับ", "shortname": "level", "value": "พื้นฐาน"}, {"shortname": "hours", "value": "6"}]
    [one] = courses("jsonld", json.dumps([{"id": 2, "fullname": "Data", "customfields": custom}]))
    assert (one.educational_level, one.hours) == ("beginner", 6)
    program = {"@type": "EducationalOccupationalProgram", "name": "P", "hasCourse": [{"@type": "Course", "name": "C"}]}
    _, [row] = read("jsonld", json.dumps(program).encode())
    assert "parts of this one are left out: 1, such as 'C'" in row.warnings[0].detail


def test_the_front_page_of_a_moodle_site_is_no_course() -> None:
    site, course = (
        {"id": 1, "fullname": "Our site", "format": "site"},
        {"id": 2, "fullname": "Data", "format": "topics"},
    )
    assert [one.title.en for one in courses("jsonld", json.dumps([site, course]))] == ["Data"]


@pytest.mark.parametrize("name", ["hidden", "is_archived"])
def test_an_object_that_is_hidden_is_refused(name: str) -> None:
    body = json.dumps([{"title": "A", name: True}, {"title": "B", name: False}, {"title": "C", name: None}])
    _, rows = read("jsonld", body.encode())
    assert [[one.field for one in row.problems] for row in rows] == [["hidden"], [], []]


@pytest.mark.parametrize("name", ["visible", "published", "is_active"])
def test_an_object_that_is_not_offered_is_refused(name: str) -> None:
    body = json.dumps([{"title": "A", name: False}, {"title": "B", name: True}, {"title": "C", name: None}])
    _, rows = read("jsonld", body.encode())
    assert [[one.field for one in row.problems] for row in rows] == [["offered"], [], []]


RUNS = [
    {"key": "r1", "title": "Old", "status": "unpublished", "weeks_to_complete": 9, "min_effort": 1, "max_effort": 1},
    {
        "key": "r2",
        "status": "published",
        "weeks_to_complete": 6,
        "min_effort": 3,
        "max_effort": 5,
        "content_language": "th",
    },
]


def test_a_course_is_studied_as_its_published_run_says() -> None:
    """As the catalog of Open edX answers: what the course itself states comes first."""
    course = {"uuid": "u1", "title": "Data", "level_type": "Introductory", "course_runs": RUNS}
    (one,) = courses("jsonld", json.dumps({"count": 1, "results": [course]}))
    assert (one.id, one.title.en, one.hours, one.languages) == ("u1", "Data", 24, ["th"])
    (one,) = courses("jsonld", json.dumps([{**course, "hours": 5}]))
    assert one.hours == 5
    listed = [{**RUNS[1], "title": "Data"}, {**RUNS[1], "title": "More"}]
    assert [one.title.en for one in courses("jsonld", json.dumps({"course_runs": listed}))] == ["Data", "More"]


def test_a_row_of_totals_in_plain_json_is_refused() -> None:
    lines = [{"name": "สถิติ", "hours": 3}, {"name": "รวมทั้งสิ้น", "hours": 3}, {"id": "t1", "name": "Total", "hours": 3}]
    _, rows = read("jsonld", "\n".join(map(json.dumps, lines)).encode())
    assert [bool(row.problems) for row in rows] == [False, True, False]
    assert rows[1].problems[0].detail == "'รวมทั้งสิ้น' marks a row of totals, which is not a course"


def test_an_amount_with_its_unit_and_details_of_a_course_are_read() -> None:
    """As LinkedIn Learning answers."""
    details = {"level": "BEGINNER", "timeToComplete": {"duration": 5400, "unit": "SECOND"}}
    (one,) = courses(
        "jsonld", json.dumps({"elements": [{"urn": "u:1", "title": {"value": "Data"}, "details": details}]})
    )
    assert (one.hours, one.educational_level, one.assumed) == (1.5, "beginner", ["provider", "languages"])


def test_a_duration_that_is_an_object_of_hours_and_minutes_is_read() -> None:
    node = {"courses": [{"id": 1, "title": "Data", "duration": {"hours": 2, "minutes": 30}}]}
    assert [one.hours for one in courses("jsonld", json.dumps(node))] == [2.5]


def test_a_unit_without_an_amount_leaves_the_name() -> None:
    node = {"courses": [{"id": 1, "title": "Data", "category": {"name": "Statistics", "unit": "Faculty of Data"}}]}
    assert [one.tags for one in courses("jsonld", json.dumps(node))] == [["Statistics"]]


@pytest.mark.parametrize(
    "prerequisite", [{"@id": "https://example.org/2"}, {"@type": "Course", "url": "https://example.org/2"}]
)
def test_a_prerequisite_that_is_only_an_address_is_kept_with_a_warning(prerequisite: dict[str, str]) -> None:
    nodes = [
        {"@type": "Course", "@id": "https://example.org/1", "name": "One", "coursePrerequisites": prerequisite},
        {"@type": "Course", "@id": "https://example.org/2", "name": "Two"},
    ]
    _, rows = read("jsonld", json.dumps({"@graph": nodes}).encode())
    assert ["kept as text and not enforced: 'https://example.org/2'" in str(row.warnings) for row in rows] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"CFDocument": {"title": "F"}, "CFItems": [{"fullStatement": "A"}]},
        [{"@id": "https://example.org/o", "@type": "Organization", "name": "O"}],
        {"@graph": [{"@type": "DefinedTerm", "name": "T"}]},
        {"error": "not found"},
        {},
    ],
)
@pytest.mark.parametrize("size", [3, 1000])
def test_json_of_other_things_is_refused(document: object, size: int) -> None:
    with pytest.raises(Malformed, match="no object in the JSON is a course"):
        read("jsonld", json.dumps(document).encode(), size=size)


@pytest.mark.parametrize(
    "document", [[], {"results": []}, {"count": 0, "results": []}, {"data": []}, {"response": {"courses": []}}]
)
def test_an_empty_list_of_courses_is_one(document: object) -> None:
    assert courses("jsonld", json.dumps(document)) == []


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("form", ["%s", '{"n": [1], "results": %s, "m": [2, [3]]}', '{"@graph": %s}'])
def test_each_value_of_a_list_that_is_no_object_has_a_result_of_its_own(form: str, size: int) -> None:
    values = '["A {", {"title": "B"}, 5, null, [{"title": "C"}], {"title": "D"}, true]'
    _, rows = read("jsonld", (form % values).encode(), size=size)
    assert [(row.number, row.content and row.content.title.en) for row in rows] == [
        (1, None), (2, "B"), (3, None), (4, None), (5, None), (6, "D"), (7, None)
    ]  # fmt: skip
    assert [row.problems[0].detail for row in rows if row.problems] == [
        "'A {' is no object, so it is no course",
        "'5' is no object, so it is no course",
        "'null' is no object, so it is no course",
        '\'[{"title": "C"}]\' is a list, so it is no course',
        "'true' is no object, so it is no course",
    ]


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_text_between_lines_of_objects_has_a_result_of_its_own(size: int) -> None:
    _, rows = read("jsonld", b'{"title": "A"}\nlost line\n\x1e{"title": "B"}\n', size=size)
    assert [row.content and row.content.title.en for row in rows] == ["A", None, "B"]


def test_a_programme_that_lists_the_codes_of_its_courses_is_one_course() -> None:
    [one] = courses("jsonld", '{"title": "Programme", "hours": 4, "courses": ["CS1", "CS2"]}')
    assert (one.title.en, one.hours) == ("Programme", 4)


@pytest.mark.parametrize("form", ["%s", '{"count": 2, "items": %s}', '{"courses": %s}'])
def test_objects_by_their_codes_are_courses_with_these_codes(form: str) -> None:
    by_code = '{"CS1": {"title": "A"}, "CS2": {"title": "B", "hours": 3, "code": "X2"}}'
    assert [(one.title.en, one.code) for one in courses("jsonld", form % by_code)] == [("A", "CS1"), ("B", "X2")]


def test_objects_by_names_without_a_digit_are_no_courses() -> None:
    with pytest.raises(Malformed, match="no object in the JSON is a course"):
        courses("jsonld", '{"lecture": {"title": "A"}, "instructor": {"name": "B"}}')


def test_objects_by_their_places_are_courses_without_codes() -> None:
    assert [one.code for one in courses("jsonld", '{"0": {"title": "A"}, "1": {"title": "B"}}')] == [None, None]


@pytest.mark.parametrize("wrapped", ["//<![CDATA[\n%s\n//]]>", "<!-- %s -->"])
def test_a_script_that_is_hidden_from_old_programs_is_read(wrapped: str) -> None:
    script = wrapped % '{"@type": "Course", "name": "A"}'
    assert len(courses("jsonld", f"<script type='application/ld+json'>{script}</script>")) == 1


def test_a_script_that_is_escaped_as_html_is_read() -> None:
    script = html.escape(json.dumps({"@type": "Course", "name": "R&amp;D", "description": "<p>x</p>"}))
    [one] = courses("jsonld", f"<script type='application/ld+json'>{script}</script>")
    assert (one.title.en, one.description and one.description.en) == ("R&D", "x")


def test_a_line_end_inside_a_text_is_read_as_a_space() -> None:
    [one] = courses("jsonld", '{"@type": "Course",\n"name": "Open\ndata", "description": "a\tb"}')
    assert (one.title.en, one.description and one.description.en) == ("Open data", "a b")
    [row] = read("jsonld", b'{"@type": "Course", "name": "A\nB", "name": "C"}')[1]
    assert row.content is None


@pytest.mark.parametrize("name", ["timeRequired", "http://schema.org/timeRequired"])
@pytest.mark.parametrize("value", [["PT4H"], [{"@value": "PT4H"}], ["P1M", "PT4H"]])
def test_a_time_may_be_a_list(name: str, value: list[object]) -> None:
    assert [one.hours for one in courses("jsonld", json.dumps({"@type": "Course", "name": "A", name: value}))] == [4]
    instance = {"courseWorkload": value}
    course = {"@type": "Course", "name": "A", "hasCourseInstance": [instance]}
    assert [one.hours for one in courses("jsonld", json.dumps(course))] == [4]


def test_alignments_tell_what_a_course_teaches_and_its_level() -> None:
    pairs = [("teaches", "Python"), ("educationalLevel", "Beginner"), ("requires", "English")]
    alignments = [{"@type": "AlignmentObject", "alignmentType": kind, "targetName": name} for kind, name in pairs]
    [one] = courses(
        "jsonld", json.dumps({"@type": "Course", "name": "A", "about": "Data", "educationalAlignment": alignments})
    )
    assert (one.tags, one.educational_level) == (["Python", "Data"], "beginner")


def by_code(many: int) -> dict[str, Any]:
    """Return courses by their codes, with over 256 KiB together."""
    part = {"hours": 3, "description": 'a {"} ' * 500, "items": [{"name": "Lesson"}]}
    return {f"CS{number}": {"title": f"Course {number}", **part} for number in range(many)}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("size", [1000, 65_536, 1 << 20])
def test_courses_by_their_codes_are_read_in_any_number(size: int, indent: int | None) -> None:
    whole = {**by_code(200), "INTRO": {"title": "Beginning"}, "page": {"number": 1}, "n": 3}
    _, rows = read("jsonld", json.dumps(whole, indent=indent).encode(), size=size)
    assert [row.content.code for row in rows if row.content] == [f"CS{number}" for number in range(200)] + ["INTRO"]
    assert [row.problems[0].detail for row in rows if row.problems] == ["is missing: a course needs a title"]


@pytest.mark.parametrize("size", [1000, 65_536, 1 << 20])
def test_courses_by_their_codes_are_read_in_any_number_under_the_name_of_a_list(size: int) -> None:
    whole = {"count": 200, "data": {"courses": by_code(200), "page": {"number": 1}}, "links": [{"next": 2}], "n": {}}
    _, rows = read("jsonld", json.dumps(whole).encode(), size=size)
    assert [row.content.code for row in rows if row.content] == [f"CS{number}" for number in range(200)]
    assert [row.problems for row in rows if row.problems] == []


def test_a_long_object_under_the_name_of_a_list_may_hold_the_list() -> None:
    whole = {"catalog": {"total": 200, "items": [*by_code(200).values()]}}
    found = courses("jsonld", json.dumps(whole))
    assert [one.title.en for one in found] == [f"Course {number}" for number in range(200)]


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_that_only_count_many_courses_are_no_codes(first: int) -> None:
    counted = {str(number): one for number, one in enumerate(by_code(200).values(), first)}
    found = courses("jsonld", json.dumps(counted))
    assert [one.title.en for one in found] == [f"Course {number}" for number in range(200)]
    assert {one.code for one in found} == {None}


def test_a_code_that_stands_twice_in_many_courses_is_refused() -> None:
    raw = json.dumps(by_code(200)).replace('"CS1":', '"CS0":', 1)
    _, rows = read("jsonld", raw.encode())
    assert [row.number for row in rows if row.problems] == [1]
    assert (rows[0].problems[0].field, rows[0].problems[0].detail) == ("CS0", "is given twice")
