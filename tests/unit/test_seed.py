"""The starter data agrees with the README of `deploy/seed/`."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from shared.domain import Course, Framework, Identifier, Level, LocalizedText, Prerequisite, Provenance, courses_named

SEED = Path(__file__).parents[2] / "deploy" / "seed"
NATIONAL, REVISION = "th-digital-2018", "th-digital-2024"
FRAMEWORKS = [NATIONAL, REVISION]

NO_COURSE_ABOVE = {(NATIONAL, "dg-shared-data"): 2.0}
"""Left open on purpose, so that "no course" is seen: agencies' data shared between them, above level 2."""

Held = dict[tuple[str, str], float]


class Result(msgspec.Struct, forbid_unknown_fields=True):
    skill: Identifier
    level: Level
    sd: float | None = None


class Assessment(msgspec.Struct, forbid_unknown_fields=True):
    framework: Identifier
    kind: Literal["test", "self", "supervisor", "external"]
    results: list[Result]
    taken_at: datetime


class OfficerProfile(msgspec.Struct, forbid_unknown_fields=True):
    job_group: Identifier
    agency: Identifier
    framework: Identifier
    languages: list[str]
    stage: Identifier | None = None
    weekly_hours: float | None = None
    deadline: date | None = None


class Officer(msgspec.Struct, forbid_unknown_fields=True):
    officer: Identifier
    profile: OfficerProfile
    assessment: Assessment


class Officers(msgspec.Struct, forbid_unknown_fields=True):
    note: LocalizedText
    officers: list[Officer]


@cache
def framework(name: str) -> Framework:
    return msgspec.json.decode((SEED / "frameworks" / f"{name}.json").read_bytes(), type=Framework)


@cache
def courses() -> dict[str, Course]:
    lines = (SEED / "courses.ndjson").read_bytes().splitlines()
    read = [msgspec.json.decode(line, type=Course) for line in lines]
    assert len({course.id for course in read}) == len(read), "an id is given twice"
    return {course.id: course for course in read}


@cache
def officers() -> list[Officer]:
    return msgspec.json.decode((SEED / "officers.json").read_bytes(), type=Officers).officers


def texts(value: Any) -> Iterator[LocalizedText]:
    """Yield every Text below a value, at any depth."""
    if isinstance(value, LocalizedText):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from texts(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def has_both_languages(text: LocalizedText) -> bool:
    return bool(re.search("[ก-๛]", text.th or "") and re.search("[A-Za-z]", text.en or ""))


def conditions_in(condition: Prerequisite) -> Iterator[Prerequisite]:
    """Yield a condition and all that it contains."""
    yield condition
    for branch in (condition.any, condition.all):
        for inner in branch or ():
            yield from conditions_in(inner)


def meets(condition: Prerequisite, levels: Held, done: set[str]) -> bool:
    if condition.any:
        return any(meets(inner, levels, done) for inner in condition.any)
    if condition.all:
        return all(meets(inner, levels, done) for inner in condition.all)
    if condition.framework and condition.skill and condition.level:
        return levels.get((condition.framework, condition.skill), 0.0) >= condition.level
    return condition.course in done


def reachable(name: str, language: str | None = None) -> Held:
    """Return the highest level of each skill that someone who knows nothing reaches, in any or in one language."""
    levels: Held = {}
    done: set[str] = set()
    left = [course for course in courses().values() if language is None or language in course.languages]

    def open_now(course: Course) -> bool:
        rows = [row for row in course.teaches if row.framework == name]
        ready = all(levels.get((name, row.skill), 0.0) >= row.from_level for row in rows)
        return ready and all(meets(each, levels, done) for each in course.requires)

    while ready := [course for course in left if open_now(course)]:
        left = [course for course in left if course not in ready]
        done |= {course.id for course in ready}
        for row in (row for course in ready for row in course.teaches):
            key = (row.framework, row.skill)
            levels[key] = max(levels.get(key, 0.0), row.to_level)
    assert [course.id for course in left if any(row.framework == name for row in course.teaches)] == [], "never open"
    return levels


# --- frameworks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_is_consistent_and_bilingual(name: str) -> None:
    read = framework(name)
    read.check()
    assert read.id == name
    assert read.version == 0, "the catalog counts versions"
    assert len(read.areas) == 7
    assert len(read.job_groups) == 6
    assert [text for text in texts(read) if not has_both_languages(text)] == []


def test_the_2018_framework_is_complete() -> None:
    read = framework(NATIONAL)
    assert [stage.id for stage in read.stages] == ["early", "developing", "mature"]
    assert {row.stage for row in read.requirements} == {None, "early", "mature"}
    assert all(sum(skill.area == area.id for skill in read.skills) >= 3 for area in read.areas)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_skill_is_required_of_someone_and_every_group_requires_skills(name: str) -> None:
    read = framework(name)
    assert {row.skill for row in read.requirements} == {skill.id for skill in read.skills}
    for group in read.job_groups:
        assert len(read.required(group.id, None)) >= 8, group.id


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_fifteen_units_are_sourced_with_code_and_page_and_the_rest_are_illustrative(name: str) -> None:
    sourced = 0
    for skill in framework(name).skills:
        title = skill.provenance.get("title.th")
        if title is None:
            assert skill.provenance["skill"].status == "illustrative", skill.id
            assert skill.code is None, skill.id
            continue
        sourced += 1
        assert skill.code, skill.id
        assert skill.provenance["code"].status == title.status == "sourced", skill.id
        assert skill.provenance["title.en"].status == "illustrative", "our translation"
        assert "area" in skill.provenance, skill.id
    assert sourced == 15


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_no_number_is_marked_as_sourced(name: str) -> None:
    read = framework(name)
    assert read.provenance["scale"].status == read.provenance["requirements"].status == "illustrative"
    for row in read.requirements:
        assert row.provenance["level"].status == "illustrative"
        assert ("weight" in row.provenance) == (row.weight != 1.0)
        assert all(fact.status == "illustrative" for part, fact in row.provenance.items() if part != "applies")


def test_whether_a_unit_applies_is_sourced_exactly_where_the_unit_is() -> None:
    pages = {skill.id: skill.provenance.get("title.th") for skill in framework(NATIONAL).skills}
    for row in framework(NATIONAL).requirements:
        page, applies = pages[row.skill], row.provenance["applies"]
        assert applies == (page or Provenance("illustrative")), row
    assert all(row.provenance["applies"].status == "illustrative" for row in framework(REVISION).requirements)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_sourced_facts_name_their_page(name: str) -> None:
    read = framework(name)
    holders: list[Any] = [read, *read.areas, *read.skills, *read.job_groups, *read.requirements]
    facts = [holder.provenance for holder in holders]
    assert all(facts)
    assert [fact for each in facts for fact in each.values() if (fact.status == "sourced") != bool(fact.url)] == []


# --- courses ---------------------------------------------------------------------------------------------------------


def test_the_catalog_is_large_enough_and_every_course_is_marked_as_an_example() -> None:
    assert len(courses()) >= 120
    for course in courses().values():
        assert course.example, course.id
        assert course.accredited_against == [], course.id
        assert (course.provider.th or "").startswith("ตัวอย่าง:"), course.id
        assert (course.provider.en or "").startswith("Example:"), course.id
        assert course.url is None or course.url.startswith("https://example.org/"), course.id
        assert 1.5 <= course.hours <= 40, course.id


def test_every_text_of_a_course_is_bilingual_and_titles_are_unique() -> None:
    assert [text for text in texts(list(courses().values())) if not has_both_languages(text)] == []
    for language in ("th", "en"):
        titles = [getattr(course.title, language) for course in courses().values()]
        assert len(set(titles)) == len(titles)


def test_courses_refer_only_to_existing_skills_levels_and_courses() -> None:
    skills = {(name, skill.id): framework(name).max_level for name in FRAMEWORKS for skill in framework(name).skills}
    for course in courses().values():
        for row in course.teaches:
            assert row.to_level <= skills[row.framework, row.skill], course.id
        assert set(courses_named(course.requires)) <= set(courses()), course.id
        for condition in (inner for each in course.requires for inner in conditions_in(each)):
            if condition.framework and condition.skill and condition.level:
                assert condition.level <= skills[condition.framework, condition.skill], course.id


def test_no_course_requires_itself() -> None:
    waiting = {course.id: set(courses_named(course.requires)) for course in courses().values()}
    while free := {name for name, named in waiting.items() if not named & waiting.keys()}:
        waiting = {name: named for name, named in waiting.items() if name not in free}
    assert waiting == {}


@pytest.mark.parametrize("language", [None, "th"])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_requirement_except_the_open_one_is_reachable_without_skills(name: str, language: str | None) -> None:
    levels = reachable(name, language)
    missed = {(name, row.skill) for row in framework(name).requirements if levels.get((name, row.skill), 0) < row.level}
    assert missed == {key for key in NO_COURSE_ABOVE if key[0] == name}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_skill_is_taught_to_the_top_of_the_scale_in_several_ways_except_the_one_left_open(name: str) -> None:
    levels, top = reachable(name), framework(name).max_level
    taught = [(row.framework, row.skill) for course in courses().values() for row in course.teaches]
    for key in ((name, skill.id) for skill in framework(name).skills):
        assert levels[key] == NO_COURSE_ABOVE.get(key, top), key
        assert taught.count(key) >= 3, key


def test_the_catalog_is_varied() -> None:
    all_courses = list(courses().values())
    assert {tuple(course.languages) for course in all_courses} == {("th",), ("en",), ("th", "en")}
    assert {course.modality for course in all_courses} == {"online", "classroom", "blended"}
    assert any(len({row.framework for row in course.teaches}) == 2 for course in all_courses)
    conditions = [inner for course in all_courses for each in course.requires for inner in conditions_in(each)]
    for form in ("course", "level", "any", "all"):
        assert any(getattr(condition, form) for condition in conditions), form


# --- officers --------------------------------------------------------------------------------------------------------


def test_every_job_group_has_officers() -> None:
    assert len({each.officer for each in officers()}) == len(officers())
    places = [(each.profile.framework, each.profile.job_group) for each in officers()]
    for name, fewest in ((NATIONAL, 2), (REVISION, 1)):
        assert all(places.count((name, group.id)) >= fewest for group in framework(name).job_groups)
    assert {each.assessment.kind for each in officers()} == {"test", "self", "supervisor", "external"}
    assert len({each.profile.agency for each in officers()}) >= 5


def test_officers_are_assessed_on_what_their_job_group_requires_with_something_left_unknown() -> None:
    for each in officers():
        yardstick = framework(each.profile.framework)
        required = yardstick.required(each.profile.job_group, each.profile.stage)
        assessed = [result.skill for result in each.assessment.results]
        assert each.assessment.framework == each.profile.framework, each.officer
        assert len(set(assessed)) == len(assessed), each.officer
        assert set(assessed) < set(required), each.officer
        assert all(result.level <= yardstick.max_level for result in each.assessment.results), each.officer
        assert each.profile.stage in {None, *(stage.id for stage in yardstick.stages)}, each.officer
        assert each.assessment.taken_at.utcoffset() == timedelta(hours=7), each.officer


def test_the_sample_officer_does_policy_work_and_has_no_deadline() -> None:
    sample = officers()[0]
    assert sample.profile.job_group == "academic"
    assert sample.profile.framework == NATIONAL
    assert sample.profile.deadline is None


def test_english_texts_have_no_thai_letters() -> None:
    files = [*sorted((SEED / "frameworks").glob("*.json")), *sorted((SEED / "item_banks").glob("*.json"))]
    lines = [
        *(SEED / "courses.ndjson").read_text(encoding="utf-8").splitlines(),
        *(one.read_text("utf-8") for one in files),
    ]
    english = [text for line in lines for text in _english(msgspec.json.decode(line))]
    assert english
    assert [text for text in english if re.search(r"[\u0e00-\u0e7f]", text)] == []


def _english(value: Any) -> Iterator[str]:
    """Yield every text in English within a document."""
    if isinstance(value, dict):
        if isinstance(value.get("en"), str):
            yield value["en"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _english(one)
