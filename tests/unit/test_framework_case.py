"""Frameworks as CASE packages: what becomes of items, associations, rubrics and cycles."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from services.catalog.frameworks import Options, Reading, Source, read
from shared.errors import InvalidInput

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


@pytest.mark.parametrize(
    "end",
    [
        lambda name: {"uri": f"https://case.example/CFItems/{name}"},
        lambda name: f"https://case.example/CFItems/{name}",
        lambda name: {"identifier": "", "uri": f"https://case.example/CFItems/{name}"},
        lambda name: {"uri": f"https://elsewhere.example/v1p1/CFItems/{name.upper()}"},
        lambda name: f"urn:uuid:{name}",
    ],
)
def test_an_association_may_name_its_items_by_their_uris(end: Callable[[str], Any]) -> None:
    area, skill = "3f1c1d5a-9a9e-4d53-8a0e-000000000001", "3f1c1d5a-9a9e-4d53-8a0e-000000000002"
    items = [
        {"identifier": name, "uri": f"https://case.example/CFItems/{name}", "fullStatement": name}
        for name in (area, skill)
    ]
    up = link("isChildOf", "", "", identifier="up", originNodeURI=end(skill), destinationNodeURI=end(area))
    reading = package(items, link("isChildOf", area, "", destinationNodeURI={"uri": "urn:d"}), up)
    assert reading.framework
    assert reading.faults == []
    assert [(one.id, one.area) for one in reading.framework.skills] == [(skill, area)]


def test_a_cycle_through_a_second_parent_is_reported() -> None:
    tree = [link("isChildOf", "a", "d"), link("isChildOf", "s", "a"), link("isChildOf", "s", "s")]
    assert package(["a", "s"], *tree).faults[0].reason[:31] == "`isChildOf` is a cycle: s → s; "
    two = [link("isChildOf", "s", "a"), link("isChildOf", "t", "a"), link("isChildOf", "s", "t")]
    reading = package(["a", "s", "t"], *two, link("isChildOf", "t", "s"))
    assert reading.framework is None
    assert "is a cycle" in reading.faults[0].reason


@pytest.mark.parametrize(
    ("levels", "scale"),
    [
        ([{"score": "1.0", "quality": "Low"}, {"score": " 2", "description": "High"}], [(1.0, "Low"), (2.0, "High")]),
        ([{"position": 1, "quality": "Low"}, {"position": 2, "quality": "High"}], None),
        ([{"score": True, "quality": "Low"}, {"score": 2, "quality": "High"}], None),
        ([{"score": "nan", "quality": "Low"}, {"score": "1e400", "quality": "High"}], None),
    ],
)
def test_the_scores_of_a_rubric_may_be_texts_and_a_rubric_without_scores_is_reported(
    levels: list[Any], scale: list[tuple[float, str]] | None
) -> None:
    criterion = {"category": "Mastery", "CFRubricCriterionLevels": levels}
    reading = package(["a"], link("isChildOf", "a", "d"), CFRubrics=[{"CFRubricCriteria": [criterion]}])
    assert reading.framework
    if scale:
        assert [(one.level, one.title.en) for one in reading.framework.scale] == scale
    assert [one.examples for one in reading.not_kept if "rubric" in one.what] == ([] if scale else [["Mastery"]])


def test_numbers_are_texts_and_other_values_in_the_place_of_texts_are_reported() -> None:
    item = {"identifier": 7, "fullStatement": "Seven", "humanCodingScheme": 12, "conceptKeywords": "seventh"}
    reading = package([{**item, "notes": {"en": "x"}, "language": "fr-CA"}], link("isChildOf", "7", "d"))
    assert reading.framework
    skill = reading.framework.skills[0]
    assert (skill.id, skill.code, [one.en for one in skill.synonyms]) == ("7", "12", ["seventh"])
    assert [(one.what, one.examples) for one in reading.not_kept] == [("CFItem.notes that is no text", ["{'en': 'x'}"])]
    assert "the words of items are in 'fr-ca'; they are kept as English ones" in reading.assumed


def test_a_file_of_several_documents_is_refused() -> None:
    raw = json.dumps({"CFDocument": [DOCUMENT, DOCUMENT], "CFItems": []}).encode()
    with pytest.raises(InvalidInput, match="no object CFDocument, or more than one"):
        read("case-1.1", [Source("package.json", raw)], Options())


def level(name: str, title: str, **more: str) -> dict[str, str]:
    return {"identifier": name, "fullStatement": title, "CFItemType": "Level", **more}


def under(parent: str, *children: str) -> list[dict[str, Any]]:
    return [link("isChildOf", child, parent, sequenceNumber=n) for n, child in enumerate(children, 1)]


@pytest.mark.parametrize(
    ("levels", "scale", "descriptors"),
    [
        (
            [level("y", "Uses tools"), level("z", "Teaches others")],
            ["Not reached", "Level 1", "Level 2"],
            [(1, "Uses tools"), (2, "Teaches others")],
        ),
        (
            [level("y", "Teaches others", humanCodingScheme="L4"), level("z", "Uses tools", humanCodingScheme="L2")],
            ["Not reached", "Level 2", "Level 4"],
            [(2, "Uses tools"), (4, "Teaches others")],
        ),
        ([level("y", "Level 1"), level("z", "Level 2")], ["Not reached", "Level 1", "Level 2"], []),
        (
            [level("y", "Foundation", notes="Uses tools"), level("z", "Advanced", notes="Teaches others")],
            ["Not reached", "Foundation", "Advanced"],
            [(1, "Uses tools"), (2, "Teaches others")],
        ),
        (
            [level("y", "Level 1: uses tools"), level("z", "Level 2: teaches others")],
            ["Not reached", "Level 1", "Level 2"],
            [(1, "uses tools"), (2, "teaches others")],
        ),
    ],
)
def test_items_of_the_type_level_are_levels_of_the_skill_above_them(
    levels: list[dict[str, str]], scale: list[str], descriptors: list[tuple[float, str]]
) -> None:
    reading = package(["a", "s", *levels], *under("d", "a"), *under("a", "s"), *under("s", "y", "z"))
    assert reading.framework, reading.faults
    assert [(skill.id, skill.area) for skill in reading.framework.skills] == [("s", "a")]
    assert [one.title.en for one in reading.framework.scale] == scale
    assert [(one.level, one.title.en) for one in reading.framework.skills[0].descriptors] == descriptors


def test_levels_of_several_skills_are_those_of_the_scale_of_the_package() -> None:
    rubric = [{"score": 0, "quality": "None"}, {"score": 10, "quality": "Able"}, {"score": 20, "quality": "Expert"}]
    items = [level("y", "Able", notes="Uses"), level("z", "Expert", notes="Teaches"), level("x", "Guru", notes="Knows")]
    tree = [*under("d", "s", "t"), *under("s", "y", "z"), *under("t", "y", "z", "x")]
    rubrics = [{"CFRubricCriteria": [{"CFRubricCriterionLevels": rubric}]}]
    reading = package(["s", "t", *items], *tree, link("isRelatedTo", "y", "z"), CFRubrics=rubrics)
    assert reading.framework
    first, other = reading.framework.skills
    assert [(one.level, one.title.en) for one in first.descriptors] == [(10, "Uses"), (20, "Teaches")]
    assert (other.id, other.descriptors) == ("t", [])
    assert {(fault.verdict, fault.reason) for fault in reading.faults} == {("refused", "is no level of the scale")}
    assert [one.what for one in reading.not_kept] == ["association isRelatedTo"]


def test_levels_that_are_under_no_skill_are_reported() -> None:
    items = ["a", "s", level("y", "Able"), level("z", "Expert")]
    reading = package(items, *under("d", "a", "z"), *under("a", "s", "y"))
    assert reading.framework
    assert [skill.id for skill in reading.framework.skills] == ["s"]
    assert [(one.what, one.examples) for one in reading.not_kept] == [
        ("level that is under no skill", ["Able", "Expert"])
    ]


def test_an_area_may_be_of_the_type_level() -> None:
    found = package([level("a", "Level 1"), "s"], *under("d", "a"), *under("a", "s")).framework
    assert found
    assert ([area.id for area in found.areas], [skill.id for skill in found.skills]) == (["a"], ["s"])


def test_descriptions_of_the_levels_of_a_rubric_about_a_skill_are_its_descriptors() -> None:
    levels = [{"score": 1, "quality": "Low", "description": "Tries"}, {"score": 2, "quality": "High"}]
    about = {"CFItemURI": {"identifier": "s"}, "CFRubricCriterionLevels": levels}
    other = {"CFRubricCriterionLevels": [{**levels[0], "description": "Begins"}, levels[1]]}
    reading = package(["s"], *under("d", "s"), CFRubrics=[{"CFRubricCriteria": [about, other]}])
    assert reading.framework
    assert [(one.level, one.title.en) for one in reading.framework.skills[0].descriptors] == [(1, "Tries")]
    assert [(one.what, one.examples) for one in reading.not_kept] == [
        ("description of a level of a rubric", ["Begins"])
    ]


def test_the_type_of_an_item_may_be_in_the_link_to_its_definition_and_a_short_statement_be_the_only_one() -> None:
    item = {
        "identifier": "g",
        "abbreviatedStatement": "Clerks",
        "CFItemTypeURI": {"title": "Job group", "uri": "urn:x"},
    }
    reading = package(["s", item], *under("d", "s", "g"))
    assert reading.framework
    assert [(one.id, one.title.en) for one in reading.framework.job_groups] == [("g", "Clerks")]
    assert not reading.not_kept
