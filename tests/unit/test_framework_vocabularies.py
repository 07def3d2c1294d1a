"""Frameworks of other publishers: DigComp, ESCO, O*NET."""

import json

import pytest

from services.catalog.frameworks import Options, Reading, Source, read
from shared.domain import LocalizedText
from shared.errors import InvalidInput

NAMED = Options(id="mine", title=LocalizedText(en="Mine"))


def table(*lines: str, options: Options = NAMED, encoding: str = "utf-8") -> Reading:
    return read("csv", [Source("matrix.csv", "\n".join(lines).encode(encoding))], options)


def faults_of(reading: Reading) -> list[tuple[str, int | None, str | None]]:
    return [(fault.verdict, fault.row, fault.field) for fault in reading.faults]


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


ESCO = "http://data.europa.eu/esco"


def esco(*tables: str) -> Reading:
    return read("esco", [Source(f"{n}.csv", one.encode()) for n, one in enumerate(tables)], Options())


def test_obsolete_occupations_and_skills_of_esco_are_left_out() -> None:
    skills = (
        "conceptType,conceptUri,skillType,preferredLabel,status\n"
        f"S,{ESCO}/skill/s1,knowledge,Law,released\nS,{ESCO}/skill/s2,knowledge,Telex,obsolete\n"
    )
    occupations = (
        "conceptType,conceptUri,iscoGroup,preferredLabel,status\n"
        f"O,{ESCO}/occupation/o1,1,Clerk,released\nO,{ESCO}/occupation/o2,1,Telegrapher,obsolete\n"
    )
    links = "occupationUri,relationType,skillUri\n" + "".join(
        f"{ESCO}/occupation/{one},essential,{ESCO}/skill/{other}\n" for one in ("o1", "o2") for other in ("s1", "s2")
    )
    reading = esco(links, occupations, skills)
    assert reading.framework
    assert [(row.job_group, row.skill) for row in reading.framework.requirements] == [("o1", "s1")]
    assert [group.id for group in reading.framework.job_groups] == ["o1"]
    lost = {one.what: one.examples for one in reading.not_kept}
    assert (lost["obsolete occupation"], lost["obsolete skill"]) == (["Telegrapher"], ["Telex"])


def test_esco_occupations_become_job_groups_and_optional_skills_weigh_less() -> None:
    skills = "\n".join(
        [
            "conceptType,conceptUri,skillType,preferredLabel,altLabels,description",
            f'S,{ESCO}/skill/s1,knowledge,Law,"Laws\nthe law\nLaw",About law',
            f"S,{ESCO}/skill/s2,,Filing,,",
        ]
    )
    clerk = f"{ESCO}/occupation/o1"
    occupations = f'conceptType,conceptUri,iscoGroup,preferredLabel,altLabels\nO,{clerk},1,Clerk,"Scribe\nTypist"\n'
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
    assert ["Clerk: Scribe Typist"] in [lost.examples for lost in reading.not_kept]
    wrong = esco(links.replace("optional", "perhaps"), occupations, skills)
    assert (wrong.framework, faults_of(wrong)) == (None, [("untrue", 3, "relationType")])
    with pytest.raises(InvalidInput, match="no list of skills"):
        esco(occupations)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    "part",
    [
        "conceptType,conceptUri,preferredLabel,altLabels,description\nOccupation,{o},Clerk,Scribe,Files\n",
        "conceptType,conceptUri,code,preferredLabel,greenShare\nISCO Group,{o}s,1,Clerks,0\nOccupation,{o},1,Clerk,0\n",
    ],
    ids=["a collection", "green shares"],
)
def test_a_list_of_some_occupations_of_esco_is_not_read_beside_that_of_all(part: str, first: bool) -> None:
    skills = f"conceptType,conceptUri,skillType,preferredLabel\nS,{ESCO}/skill/s1,knowledge,Law\n"
    whole = (
        f"conceptType,conceptUri,iscoGroup,preferredLabel,description\nOccupation,{ESCO}/occupation/o1,1,Clerk,Files\n"
    )
    part = part.format(o=f"{ESCO}/occupation/o1")
    reading = esco(skills, *([part, whole] if first else [whole, part]))
    assert reading.framework, reading.faults
    assert [(group.id, group.title.en) for group in reading.framework.job_groups] == [("o1", "Clerk")]
    assert reading.faults == []
    assert f"file {1 if first else 2}.csv" in [lost.what for lost in reading.not_kept]


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


def test_an_importance_of_onet_that_is_missing_is_told_and_one_that_is_given_twice_rejected() -> None:
    reading = onet("11-1 2.A Law LV 4 N N", "11-1 2.B Tax LV 3 N N", "11-1 2.A Law IM 4 N N", "11-1 2.B Tax IM 2 Y N")
    assert reading.framework
    assert [row.weight for row in reading.framework.requirements] == [4, 1]
    assert "a requirement without an importance (scale IM) weighs 1; there are 1" in reading.assumed
    again = onet("11-1 2.A Law LV 4 N N", "11-1 2.A Law IM 4 N N", "11-1 2.A Law IM 2 N N")
    assert (again.framework, faults_of(again)) == (None, [("untrue", 4, "Data Value")])


@pytest.mark.parametrize("value", ["7.01", "-1", "high", "nan", ""])
def test_onet_ratings_off_their_scale_are_rejected(value: str) -> None:
    raw = f"{ONET}\n11-1\t2.A\tReading\tLV\t3\tN\tN\n11-2\t2.A\tReading\tLV\t{value}\tN\tN\n"
    reading = read("onet", [Source("Skills.txt", raw.encode())], Options())
    assert (reading.framework, faults_of(reading)) == (None, [("untrue", 3, "Data Value")])


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


@pytest.mark.parametrize(
    ("heading", "row", "columns"),
    [
        ("Concept URI;Skill Type;preferred_label;ALT LABELS", "{};knowledge;Law;Laws", {}),
        ("conceptType,uri,prefLabel,altLabel", "KnowledgeSkillCompetence,{},Law,Laws", {}),
        (
            "URI du concept,libellé,synonymes,genre",
            "{},Law,Laws,knowledge",
            {
                "conceptUri": "uri du concept",
                "preferredLabel": "Libellé",
                "altLabels": "synonymes",
                "skillType": "genre",
            },
        ),
        ("conceptUri,preferredLabel,altLabels", "{},Law,Laws", {}),
        ("conceptUri,skillType,preferredLabel,altLabels,naceCode", "{},knowledge,Law,Laws,62", {}),
    ],
)
def test_esco_is_read_under_other_headings(heading: str, row: str, columns: dict[str, str]) -> None:
    table = f"{heading}\n{row.format(f'{ESCO}/skill/s1')}\n"
    reading = read("esco", [Source("skills.csv", table.encode())], Options(columns=columns))
    assert reading.framework
    assert [(one.id, one.title.en, [text.en for text in one.synonyms]) for one in reading.framework.skills] == [
        ("s1", "Law", ["Laws"])
    ]
    added = [one.what for one in reading.not_kept if one.what.startswith("column")]
    assert added == (["column 'nacecode' of skills.csv"] if "naceCode" in heading else [])


@pytest.mark.parametrize(
    ("columns", "field", "detail"),
    [
        ({}, None, "the headings are 'adresse', 'nom'; `map` names a column with another heading"),
        ({"conceptUri": "URI"}, "map", "there is no column 'URI'; the headings are 'adresse', 'nom'"),
        ({"label": "nom"}, "map", "'label' is no column; there are: conceptUri, skillType"),
    ],
)
def test_esco_under_unknown_headings_is_rejected_with_the_headings(
    columns: dict[str, str], field: str | None, detail: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read("esco", [Source("skills.csv", b"adresse,nom\nhttp://e/skill/1,Law\n")], Options(columns=columns))
    assert detail in refused.value.detail
    assert refused.value.field == field


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
