"""What real files do wrong, format by format: every fault is reported with its row or identifier, its field and why."""

import json
import os
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from services.catalog.frameworks import FORMATS, Options, Reading, Source, read, write
from services.catalog.frameworks.reading import FAULTS_LIMIT, PROSE_LIMIT, TITLE_LIMIT
from services.catalog.frameworks.tables import Source as File
from services.catalog.frameworks.tables import unpacked
from services.catalog.frameworks.texts import Given
from shared.domain import LocalizedText, Prose
from shared.errors import InvalidInput, Malformed, Problem, TooLarge, Unsupported
from tests.support.builders import framework

NAMED = Options(id="mine", title=LocalizedText(en="Mine"))
EXPERTS = Options(id="mine", title=LocalizedText(en="Mine"), scale=("None", "Aware", "Able"))


def table(*lines: str, options: Options = NAMED, encoding: str = "utf-8") -> Reading:
    return read("csv", [Source("matrix.csv", "\n".join(lines).encode(encoding))], options)


def faults_of(reading: Reading) -> list[tuple[str, int | None, str | None]]:
    return [(fault.verdict, fault.row, fault.field) for fault in reading.faults]


# --- tables ----------------------------------------------------------------------------------------------------------


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


THAI = ("บทบาท,ทักษะ,ระดับ", "ธุรการ,การจัดเก็บเอกสารราชการ,1", "ผู้อำนวยการ,การบริหารข้อมูลภาครัฐ,3")
ACCENTED = ("role,skill,level", "clerk,café management – début,1", "chef,crème brûlée,2")


@pytest.mark.parametrize(
    ("lines", "encoding", "taken"),
    [
        (THAI, "cp874", "cp874"),
        (THAI, "tis-620", "cp874"),
        (THAI, "utf-8-sig", None),
        (THAI, "utf-16", "utf-16"),
        (THAI, "utf-16-le", "utf-16-le"),
        (THAI, "utf-16-be", "utf-16-be"),
        (ACCENTED, "cp1252", "cp1252"),
        (ACCENTED, "utf-16", "utf-16"),
    ],
)
def test_a_file_is_read_in_its_own_encoding(lines: tuple[str, ...], encoding: str, taken: str | None) -> None:
    for end in ("\n", "\r\n", "\r"):
        reading = read("csv", [Source("matrix.csv", end.join(lines).encode(encoding))], NAMED)
        assert reading.framework == table(*lines).framework
        assert [one for one in reading.assumed if "is read as" in one] == (
            [f"matrix.csv is read as {taken}"] if taken else []
        )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp874"])
def test_json_is_read_in_its_own_encoding(encoding: str) -> None:
    whole = read("csv", [Source("matrix.csv", "\n".join(THAI).encode())], NAMED).framework
    assert whole
    written = write("json", whole, datetime(2026, 1, 1, tzinfo=UTC)).data
    assert read("json", [Source("f.json", written.decode().encode(encoding))], Options()).framework == whole


def test_a_line_that_is_not_text_is_rejected_with_its_number() -> None:
    raw = "\n".join((*THAI, *THAI[1:])).encode()
    broken = raw.replace("ผู้".encode(), "ผู้".encode()[:-1], 1)
    with pytest.raises(Malformed, match=r"matrix.csv: line 3 is not UTF-8"):
        read("csv", [Source("matrix.csv", broken)], NAMED)


def test_a_line_longer_than_the_buffer_is_one_line() -> None:
    name = "ทักษะ" * 20_000
    reading = read("csv", [Source("matrix.csv", f"role,skill,level\nclerk,{name},1\n".encode())], NAMED)
    assert reading.framework
    assert len(reading.framework.skills) == 1


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


def test_faults_past_the_limit_are_counted() -> None:
    reading = table("role,skill,level", *(f"clerk,skill-{n},bad" for n in range(FAULTS_LIMIT + 5)))
    assert (len(reading.faults), reading.further_faults, reading.framework) == (FAULTS_LIMIT, 5, None)


# --- CASE ------------------------------------------------------------------------------------------------------------

DOCUMENT = {"identifier": "d", "title": "Document", "uri": "urn:d", "creator": "us", "lastChangeDateTime": "2026-01-01"}


def link(kind: str, origin: str, destination: str, **more: Any) -> dict[str, Any]:
    ends = {"originNodeURI": {"identifier": origin}, "destinationNodeURI": {"identifier": destination}}
    return {"identifier": f"{kind}-{origin}-{destination}", "associationType": kind, **ends, **more}


def package(items: list[Any], *links: dict[str, Any], **more: Any) -> Reading:
    items = [{"identifier": one, "fullStatement": f"Item {one}"} if isinstance(one, str) else one for one in items]
    whole = {"CFDocument": DOCUMENT, "CFItems": items, "CFAssociations": list(links), **more}
    return read("case-1.0", [Source("package.json", json.dumps(whole).encode())], Options())


def test_items_with_children_are_areas_and_the_others_skills_in_the_order_of_the_package() -> None:
    tree = [link("isChildOf", "a", "d"), link("isChildOf", "b", "a"), link("isChildOf", "z", "b", sequenceNumber=2)]
    found = package(["a", "b", "z", "y"], *tree, link("isChildOf", "y", "b", sequenceNumber=1)).framework
    assert found
    assert [area.id for area in found.areas] == ["a", "b"]
    assert [(skill.id, skill.area) for skill in found.skills] == [("y", "b"), ("z", "b")]
    assert [(one.kind, one.origin, one.target) for one in found.relations] == [("child_of", "b", "a")]


def test_identifiers_that_are_no_uuids_differ_by_their_case() -> None:
    tree = [link("isChildOf", "a", "d"), link("isChildOf", "C", "a", sequenceNumber="9" * 5000)]
    found = package(["a", "C", "c"], *tree, link("isChildOf", "c", "a", sequenceNumber="1")).framework
    assert found
    assert {(skill.id, skill.area) for skill in found.skills} == {("C", "a"), ("c", "a")}


def test_a_cycle_of_items_is_reported_and_nothing_is_imported() -> None:
    circle = [link("isChildOf", "a", "b"), link("isChildOf", "b", "c"), link("isChildOf", "c", "a")]
    reading = package(["a", "b", "c", "s"], *circle, link("isChildOf", "s", "a"))
    assert reading.framework is None
    assert any("`isChildOf` is a cycle" in fault.reason and "→" in fault.reason for fault in reading.faults)
    itself = package(["a"], link("isChildOf", "a", "a"))
    assert (itself.framework, itself.faults[0].reason[:31]) == (None, "`isChildOf` is a cycle: a → a; ")


def test_a_cycle_of_precedes_relations_is_reported_and_left_out() -> None:
    order = [link("precedes", *pair) for pair in ("ab", "ba", "bc", "ce")]
    reading = package(["a", "b", "c", "e"], *order)
    assert reading.framework
    assert [(one.origin, one.target) for one in reading.framework.relations] == [("b", "c"), ("c", "e")]
    assert sum("`precedes` is a cycle" in fault.reason for fault in reading.faults) == 1


def test_associations_of_a_package_are_imported_or_reported() -> None:
    reading = package(
        ["a", "b", {"identifier": "a", "fullStatement": "Another"}, {"fullStatement": "Nameless"}, {"identifier": "w"}],
        link("exactMatchOf", "a", "x", destinationNodeURI={"identifier": "x", "uri": "https://example.org/x"}),
        link("exactMatchOf", "ghost", "a"),
        link("precedes", "a", "ghost"),
        link("isRelatedTo", "a", "b"),
        link("isChildOf", "a", "elsewhere"),
        {"identifier": "broken", "associationType": "precedes"},
        CFDefinitions={"CFConcepts": [{"title": "Energy"}], "CFSubjects": []},
    )
    assert reading.framework is None  # an item without an identifier, and one with another's
    assert {(fault.verdict, fault.id) for fault in reading.faults} >= {
        ("untrue", "a"),
        ("untrue", "CFItems[3]"),
        ("refused", "w"),
        ("refused", "exactMatchOf-ghost-a"),
        ("refused", "precedes-a-ghost"),
        ("changed", "isChildOf-a-elsewhere"),
        ("refused", "broken"),
    }
    assert {(lost.what, lost.count) for lost in reading.not_kept} >= {
        ("association isRelatedTo", 1),
        ("CFDefinitions", 1),
    }


def test_parts_are_nested_where_no_item_is_the_child_of_another() -> None:
    top = [link("isChildOf", one, "d") for one in "abc"]
    parts = [link("isPartOf", "b", "a", sequenceNumber=2), link("isPartOf", "c", "a", sequenceNumber=1)]
    for links in (parts, [*top, *parts]):
        reading = package(["a", "b", "c"], *links)
        assert reading.framework
        assert [(skill.id, skill.area) for skill in reading.framework.skills] == [("c", "a"), ("b", "a")]
        assert any("`isPartOf` is taken for it" in line for line in reading.assumed)
        assert not reading.not_kept
    mixed = package(["a", "b", "c"], link("isChildOf", "b", "a"), link("isPartOf", "c", "a"))
    assert [(lost.what, lost.count) for lost in mixed.not_kept] == [("association isPartOf", 1)]
    circle = package(["a", "b"], link("isPartOf", "a", "b"), link("isPartOf", "b", "a"))
    assert circle.framework is None
    assert "`isPartOf` is a cycle" in circle.faults[0].reason


def test_statements_are_shown_without_html() -> None:
    item = {
        "identifier": "a",
        "fullStatement": "<p>Uses <b>data</b> &amp; List&lt;T&gt;</p>",
        "notes": "<ul><li>x</li><li>y</li></ul>",
    }
    found = package([item]).framework
    assert found
    assert found.skills[0].title.en == "Uses data & List<T>"
    assert found.skills[0].description
    assert found.skills[0].description.en == "x\ny"


def test_a_long_cycle_is_shortened_and_the_number_of_cycles_is_bounded() -> None:
    names = [f"i{n}" for n in range(400)]
    ring = [link("isChildOf", one, after) for one, after in zip(names, [*names[1:], names[0]], strict=True)]
    long = package(list(names), *ring)
    assert (long.framework, len(long.faults)) == (None, 3)
    assert "(400 in all)" in long.faults[0].reason
    pairs = [link("precedes", names[n], names[n ^ 1]) for n in range(400)]
    many = package(list(names), *pairs)
    assert many.framework
    assert (many.framework.relations, len(many.faults)) == ([], 101)


def test_texts_in_another_language_are_reported() -> None:
    whole = {"CFDocument": {**DOCUMENT, "language": "es-MX"}, "CFItems": [{"identifier": "a", "fullStatement": "Día"}]}
    reading = read("case-1.0", [Source("package.json", json.dumps(whole).encode())], Options())
    assert any("'es-mx'" in line for line in reading.assumed)


def test_a_rubric_gives_the_scale_and_short_statements_are_preferred() -> None:
    levels = [{"score": 0, "quality": "No"}, {"score": 3, "quality": "Yes"}]
    rubrics = [{"CFRubricCriteria": [{"CFRubricCriterionLevels": levels}]}]
    item = {
        "identifier": "a",
        "fullStatement": "Long words",
        "abbreviatedStatement": "Short",
        "humanCodingScheme": "A.1",
    }
    found = package([item], CFRubrics=rubrics).framework
    assert found
    assert [(step.level, step.title.en) for step in found.scale] == [(0, "No"), (3, "Yes")]
    assert (found.skills[0].title.en, found.skills[0].code) == ("Short", "A.1")
    assert found.skills[0].description
    assert found.skills[0].description.en == "Long words"


# --- DigComp ---------------------------------------------------------------------------------------------------------


def outcome(name: str, competence: str, level: str) -> dict[str, str]:
    about = {"competence_id": competence, "four_levels_proficiency_name": f"ProficiencyLevel/{level}"}
    return {"@type": "LearningOutcome", "@id": name, "description": "Finds", **about}


def test_digcomp_is_read_with_a_context_that_is_not_fetched() -> None:
    both = [{"@value": "ข้อมูล", "@language": "th"}, {"@value": "Data", "@language": "en"}]
    search = {"@type": ["x:Competence"], "@id": "Competence/1.1", "name": "Search"}
    graph = [
        {"@type": "CompetenceArea", "@id": "CompetenceArea/1", "name": both},
        {**search, "competence_area_id": {"@id": "CompetenceArea/1"}},
        outcome("LO1", "Competence/1.1", "Basic"),
        outcome("LO2", "Competence/9.9", "Basic"),
        outcome("LO3", "Competence/1.1", "Wizard"),
        {"@type": "Glossary", "@id": "Glossary/x", "explanation": "y"},
        "stray",
    ]
    raw = json.dumps({"@context": "https://unreachable.invalid/context.jsonld", "@graph": graph}).encode()
    reading = read("digcomp", [Source("d.jsonld", raw)], Options())
    assert reading.framework
    assert reading.framework.areas[0].title == LocalizedText(th="ข้อมูล", en="Data")
    assert [(one.level, one.title.en) for one in reading.framework.skills[0].descriptors] == [(2, "Finds")]
    assert [(fault.id, fault.field) for fault in reading.faults] == [
        ("@graph[6]", "@graph[6]"),
        ("LO2", "competence_id"),
        ("LO3", "four_levels_proficiency_name"),
    ]
    assert any("not fetched" in line for line in reading.assumed)
    assert [lost.what for lost in reading.not_kept] == ["node of type Glossary"]


# --- ESCO, O*NET -----------------------------------------------------------------------------------------------------

ESCO = "http://data.europa.eu/esco"


def esco(*tables: str) -> Reading:
    return read("esco", [Source(f"{n}.csv", one.encode()) for n, one in enumerate(tables)], Options())


def test_esco_occupations_become_job_groups_and_optional_skills_weigh_less() -> None:
    skills = "\n".join(
        [
            "conceptType,conceptUri,skillType,preferredLabel,altLabels,description",
            f'S,{ESCO}/skill/s1,knowledge,Law,"Laws\nthe law\nLaw",About law',
            f"S,{ESCO}/skill/s2,,Filing,,",
        ]
    )
    clerk = f"{ESCO}/occupation/o1"
    occupations = f"conceptType,conceptUri,iscoGroup,preferredLabel,altLabels\nO,{clerk},1,Clerk,Scribe\n"
    links = "\n".join(
        [
            "occupationUri,relationType,skillType,skillUri",
            f"{clerk},essential,,{ESCO}/skill/s1",
            f"{clerk},optional,,{ESCO}/skill/s2",
            f"{clerk},essential,,{ESCO}/skill/gone",
        ]
    )
    reading = esco(links, occupations, skills)
    assert reading.framework
    assert [(row.skill, row.level, row.weight) for row in reading.framework.requirements] == [
        ("s1", 1, 1),
        ("s2", 1, 0.5),
    ]
    assert [one.en for one in reading.framework.skills[0].synonyms] == ["Laws", "the law"]
    assert {lost.what: lost.count for lost in reading.not_kept}[
        "requirement of a skill that the files do not hold"
    ] == 1
    wrong = esco(links.replace("optional", "perhaps"), occupations, skills)
    assert (wrong.framework, faults_of(wrong)) == (None, [("untrue", 3, "relationType")])
    with pytest.raises(InvalidInput, match="no list of skills"):
        esco(occupations)


def test_esco_skills_belong_to_the_nearest_group_and_cyclic_groups_terminate() -> None:
    skills = f"conceptType,conceptUri,skillType,preferredLabel\nS,{ESCO}/skill/s1,knowledge,Law\n"
    groups = f"conceptType,conceptUri,preferredLabel,altLabels\nSkillGroup,{ESCO}/skill/g1,Group one,\n"
    steps = [("s1", "s2"), ("s2", "s1"), ("s2", "g1")]
    rows = [f"S,{ESCO}/skill/{low},S,{ESCO}/skill/{high}" for low, high in steps]
    broader = "\n".join(["conceptType,conceptUri,broaderType,broaderUri", *rows])
    found = esco(skills, groups, broader).framework
    assert found
    assert (found.skills[0].area, found.areas[0].title.en) == ("g1", "Group one")


ONET = "O*NET-SOC Code\tElement ID\tElement Name\tScale ID\tData Value\tRecommend Suppress\tNot Relevant"


def onet(*rows: str) -> Reading:
    lines = [ONET, *("\t".join(row.split()) for row in rows)]
    return read("onet", [Source("Skills.txt", "\n".join(lines).encode())], Options())


def test_onet_ratings_are_levels_from_0_to_7_and_weights() -> None:
    reading = onet(
        "11-1 2.A.1.a Reading LV 4.12 N N",
        "11-1 2.A.1.a Reading IM 3.5 N n/a",
        "11-1 2.B.1 Law LV 2 Y N",
        "11-1 2.C Tax LV 1 N Y",
    )
    assert reading.framework
    assert reading.framework.max_level == 7
    assert [(row.job_group, row.skill, row.level, row.weight) for row in reading.framework.requirements] == [
        ("11-1", "2.A.1.a", 4.12, 3.5)
    ]
    assert sum(lost.count for lost in reading.not_kept if "marked" in lost.what) == 2


@pytest.mark.parametrize("value", ["7.01", "-1", "high", "nan", ""])
def test_onet_ratings_off_their_scale_are_rejected(value: str) -> None:
    raw = f"{ONET}\n11-1\t2.A\tReading\tLV\t3\tN\tN\n11-2\t2.A\tReading\tLV\t{value}\tN\tN\n"
    reading = read("onet", [Source("Skills.txt", raw.encode())], Options())
    assert (reading.framework, faults_of(reading)) == (None, [("untrue", 3, "Data Value")])


# --- our own JSON ----------------------------------------------------------------------------------------------------


def test_every_fault_of_the_projects_json_is_reported() -> None:
    whole = json.loads(write("json", framework({"a": 2, "b": 3}), datetime(2026, 1, 1, tzinfo=UTC)).data)
    whole["skills"] += [
        {"id": "c", "area": "ghost", "title": {"en": "C"}},
        {"id": "d"},
        {"id": "a", "area": "area", "title": {"en": "Other"}},
    ]
    whole["requirements"] += [
        {"job_group": "service", "skill": "ghost", "level": 1},
        {"job_group": "service", "skill": "a", "level": 99},
    ]
    whole["relations"] = [
        {"kind": "precedes", "origin": "a", "target": "b"},
        {"kind": "precedes", "origin": "b", "target": "a"},
        {"kind": "like"},
    ]
    whole["colour"] = "blue"
    reading = read("json", [Source("f.json", json.dumps(whole).encode())], Options())
    assert reading.framework is None
    assert {(fault.verdict, fault.id, fault.field) for fault in reading.faults} == {
        ("untrue", "d", "skills[3].area"),
        ("untrue", "a", "skills.id"),
        ("refused", "c", "skills.area"),
        ("untrue", "service / ghost", "requirements.skill"),
        ("untrue", "service / a", "level"),
        ("refused", "relations[2]", "relations[2].kind"),
        ("refused", None, "relations"),
    }
    assert [lost.what for lost in reading.not_kept] == ["field 'colour'"]


RUBBISH = [b"", b"[]", b"null", b"{}", b"{", b"\xff", b"[" * 100_000, b'{"CFDocument": {}}', b'{"@graph": 3}']
RUBBISH += [b'{"@graph": [{"@type": 5, "@id": null}]}', b'{"CFDocument": {"title": 5}, "CFItems": [1, null]}']
RUBBISH += [b"PK\x03\x04rubbish", b"a,b\n", b"\0\0\0", b"x" * 200_000, b"a,b\n" + b"x" * 200_000, b"\xff\xfe\0"]


@pytest.mark.parametrize("raw", RUBBISH)
@pytest.mark.parametrize("name", FORMATS)
def test_invalid_content_is_rejected_with_a_message_in_every_format(name: str, raw: bytes) -> None:
    reading = None
    with suppress(Problem):  # which describes in words what is wrong with the whole
        reading = read(name, [Source("rubbish", raw)], Options())
    assert reading is None or (reading.framework is None and reading.faults)


# --- archives --------------------------------------------------------------------------------------------------------


def packed(**files: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return out.getvalue()


def test_an_archive_is_decompressed_up_to_a_limit_whatever_sizes_it_declares() -> None:
    small = packed(a__csv=b"x" * 100, b__txt=b"y", c__pdf=b"no table")
    assert [one.name for one in unpacked([File("a.zip", small)])] == ["a.zip/a.csv", "a.zip/b.txt"]
    with pytest.raises(TooLarge):
        unpacked([File("bomb.zip", packed(a__csv=b"0" * 1_000_000, b__csv=b"0" * 1_000_000))], limit=1_500_000)
    with pytest.raises(TooLarge):
        unpacked([File("many.zip", packed(**{f"f{n}__csv": b"" for n in range(101)}))])
    with pytest.raises(Unsupported, match="Excel"):
        unpacked([File("book.xlsx", packed(**{"[Content_Types]__xml": b"", "a__csv": b""}))])
    with pytest.raises(InvalidInput, match="no table"):
        unpacked([File("a.zip", packed(c__pdf=b""))])
    broken = bytearray(small)
    broken[40:60] = b"\0" * 20
    with pytest.raises(Malformed):
        unpacked([File("a.zip", bytes(broken))])


def test_a_text_in_several_languages_is_kept_in_thai_and_english() -> None:
    assert (Given("ขับเคลื่อน (Digital)").th(), Given("ขับเคลื่อน (Digital)").en()) == ("ขับเคลื่อน (Digital)", "")
    assert Given("", {"fr": "Données", "th": "ข้อมูล"}).en() == "Données"
    assert Given("R&amp;D\u0000").en() == "R&D"


def test_letters_of_a_badly_converted_file_are_restored() -> None:
    written = "the clerk\u2019s file".encode().decode("latin-1")
    found = table("role,skill,level,skill description", f"clerk,filing,1,{written}\u009d of Ã©tudes").framework
    assert found
    assert found.skills[0].description == Prose(en="the clerk\u2019s file of Ã©tudes")


# --- real files ------------------------------------------------------------------------------------------------------

DATA = Path(os.environ.get("DATASETS_DIR", "/nowhere"))
real = pytest.mark.skipif(not DATA.exists(), reason="DATASETS_DIR is not set")


def of_file(name: str, *files: str, options: Options = NAMED) -> Reading:
    return read(name, [Source(file, (DATA / file).read_bytes()) for file in files], options)


@real
def test_the_real_files_are_imported_completely() -> None:
    digcomp = of_file("digcomp", "digcomp_3.0/digcomp3_data_supplement_2025-11-24.jsonld").framework
    assert digcomp
    assert (len(digcomp.areas), len(digcomp.skills), len(digcomp.scale)) == (5, 21, 9)
    case = of_file("case-1.0", "samples_case/cfpackage_smartlevel.json").framework
    assert case
    assert (len(case.areas), len(case.skills)) == (2, 12)
    columns = {"job_group": "Role + Role Level", "job_group_description": "Role Level Description"}
    options = Options(id="uk", title=LocalizedText(en="UK"), columns=columns)
    matrix = of_file("csv", "uk_gdad_capability_framework/roles.csv", options=options)
    assert matrix.framework
    assert (matrix.rows, len(matrix.framework.skills), len(matrix.framework.job_groups)) == (1825, 188, 205)
    requirements, unused = len(matrix.framework.requirements), matrix.not_kept[-1].count
    assert requirements + unused + len(matrix.faults) == matrix.rows
    assert {fault.verdict for fault in matrix.faults} == {"changed"}
    meanings = of_file("csv", "uk_gdad_capability_framework/skills.csv").framework
    assert meanings
    assert (len(meanings.skills), len(meanings.scale)) == (188, 5)
    for found in (matrix.framework, meanings):
        assert not [one.id for one in found.skills for step in one.descriptors if step.title.en == "You can:"]
    assert {one.id for one in meanings.skills if one.descriptors} == {
        one.id for one in matrix.framework.skills if one.descriptors
    }


def test_identifiers_of_a_package_mean_the_same_in_both_cases() -> None:
    upper, lower = (f"6B7E4D52-1111-4AAA-8BBB-00000000000{n}" for n in (1, 2))
    items = [{"identifier": upper, "fullStatement": "Area"}, {"identifier": lower, "fullStatement": "Skill"}]
    given = {
        "CFDocument": {"identifier": "D" + upper[1:], "title": "T"},
        "CFItems": items,
        "CFAssociations": [
            link("isChildOf", lower.lower(), upper.lower(), sequenceNumber="1"),
            link("isChildOf", upper, ("D" + upper[1:]).lower()),
        ],
    }
    reading = read("case-1.0", [Source("p.json", json.dumps(given).encode())], Options())
    assert reading.faults == []
    assert reading.framework
    assert [(skill.id, skill.area) for skill in reading.framework.skills] == [(lower, upper)]


@pytest.mark.parametrize("prefix", ["", "dc:", "https://example.org/digcomp#"])
@pytest.mark.parametrize("keywords", [("@id", "@type"), ("id", "type")])
def test_digcomp_is_read_whatever_its_context_calls_the_terms(prefix: str, keywords: tuple[str, str]) -> None:
    name, kind = keywords
    area = {name: "x/CompetenceArea/1", kind: f"{prefix}CompetenceArea", f"{prefix}name": "Information"}
    skill = {
        name: "x/Competence/1.1", kind: [f"{prefix}Competence"], f"{prefix}name": {"th": "ค้นหา", "en": "Browsing"},
        f"{prefix}competence_area_id": {name: "x/CompetenceArea/1"},
    }  # fmt: skip
    raw = json.dumps({"@context": "https://192.0.2.1/never", "@graph": [area, skill]}).encode()
    reading = read("digcomp", [Source("d.jsonld", raw)], Options())
    assert reading.framework, reading.faults
    assert [(one.id, one.area, one.title.th) for one in reading.framework.skills] == [("1.1", "1", "ค้นหา")]


def test_the_keywords_of_json_ld_go_before_terms_of_the_same_name() -> None:
    area = {"@id": "x/CompetenceArea/1", "@type": "CompetenceArea", "name": "Information", "id": 1, "type": "Area"}
    skill = {"id": "1.1", "type": "c", "@id": "x/Competence/1.1", "@type": "Competence", "name": "Browsing"}
    raw = json.dumps({"@graph": [area, skill | {"competence_area_id": "x/CompetenceArea/1"}]}).encode()
    reading = read("digcomp", [Source("d.jsonld", raw)], Options())
    assert reading.framework, reading.faults
    assert [(one.id, one.area) for one in reading.framework.skills] == [("1.1", "1")]


def test_esco_in_another_language_is_told_and_obsolete_skills_are_left_out() -> None:
    heading = "conceptUri,skillType,preferredLabel,status\n"
    rows = "http://e/skill/1,knowledge,gérer,released\nhttp://e/skill/2,knowledge,ancien,obsolete\n"
    reading = read("esco", [Source("skills_fr.csv", (heading + rows).encode())], Options())
    assert reading.framework
    assert [skill.title.en for skill in reading.framework.skills] == ["gérer"]
    assert any("'fr'" in text for text in reading.assumed)
    assert [(one.what, one.count) for one in reading.not_kept] == [("obsolete skill", 1)]


@pytest.mark.parametrize("empty", ["n/a", "N/A"])
def test_onet_files_hold_ratings_without_a_value_and_quotes_of_their_own(empty: str) -> None:
    ratings = "O*NET-SOC Code\tElement ID\tElement Name\tScale ID\tData Value\tRecommend Suppress\tNot Relevant\r\n"
    ratings += (
        "11-1011.00\t2.A.1.a\tReading\tLV\t4.75\tN\tn/a\r\n" + f"11-1011.00\t2.A.1.b\tWriting\tLV\t{empty}\tN\tN\r\n"
    )
    titles = 'O*NET-SOC Code\tTitle\tDescription\n11-1011.00\t"Chief" Executives\t"Determine and formulate\n'
    sources = [Source("Skills.txt", ratings.encode()), Source("Occupation Data.txt", titles.encode())]
    reading = read("onet", sources, Options())
    assert reading.framework, reading.faults
    assert [group.title.en for group in reading.framework.job_groups] == ['"Chief" Executives']
    assert [(one.skill, one.level) for one in reading.framework.requirements] == [("2.A.1.a", 4.75)]
    assert ("LV rating without a value", 1) in [(one.what, one.count) for one in reading.not_kept]
