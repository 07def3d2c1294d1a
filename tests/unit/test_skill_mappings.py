"""Which skills of two frameworks are the same, and what a row of a course becomes by that."""

import pytest
from msgspec.structs import replace

from services.catalog.matching.mappings import SkillMappings
from services.catalog.matching.texts import words_of_id
from shared.domain import Framework, Relation, ScaleLevel, Skill, Teaches, VersionMapping
from tests.support.builders import framework, text

KEY = "53f2a1c0-3e86-4ffc-b5d0-4f8f5e3d2f11"


def named(identifier: str, *skills: str, top: int = 4, same: tuple[tuple[str, str], ...] = ()) -> Framework:
    """Return a framework with levels from 0 to `top`; `same` are pairs of a skill and the target of a relation."""
    return replace(
        framework({}),
        id=identifier,
        requirements=[],
        scale=[ScaleLevel(float(level), text(f"level {level}")) for level in range(top + 1)],
        skills=[Skill(skill, "area", text(skill)) for skill in skills],
        relations=[Relation("exact_match", origin, target) for origin, target in same],
    )


def mapped(*frameworks: Framework, of: tuple[str, str], to: str = "own") -> list[str]:
    mappings = SkillMappings({one.id: one for one in frameworks})
    return [one.skill for one in mappings.of(Teaches(*of, 0, 1), to)]


@pytest.mark.parametrize(
    ("target", "of", "found"),
    [
        ("other/b", ("other", "b"), ["a"]),
        ("b", ("other", "b"), ["a"]),
        ("https://example.org/items/b", ("other", "b"), ["a"]),
        ("https://example.org/items#b", ("other", "b"), ["a"]),
        ("https://example.org/items/b/", ("other", "b"), ["a"]),
        ("third/b", ("other", "b"), []),
        ("other/none", ("other", "b"), []),
        ("b", ("third", "b"), []),  # it is the skill of a framework that is there
        (KEY, ("esco", KEY), ["a"]),
        (f"http://data.europa.eu/esco/skill/{KEY}", ("esco", KEY), ["a"]),
        (f"esco/{KEY}", ("esco", KEY), ["a"]),
        (f"esco/{KEY}", ("another", KEY), []),
        ("own/a2", ("own", "a2"), []),
        ("a2", ("third", "a2"), []),  # it is a skill of its own framework
        ("///", ("other", ""), []),
    ],
)
def test_a_relation_names_its_target_in_several_ways(target: str, of: tuple[str, str], found: list[str]) -> None:
    if not of[1]:
        of = ("other", "b")
    assert mapped(named("own", "a", "a2", same=(("a", target),)), named("other", "b"), of=of) == found


def test_a_relation_holds_in_both_directions() -> None:
    own, other = named("own", "a"), named("other", "b", same=(("b", "own/a"),))
    assert mapped(own, other, of=("other", "b")) == ["a"]
    assert mapped(own, other, of=("own", "a"), to="other") == ["b"]


def test_an_id_in_two_other_frameworks_is_ambiguous_and_ignored() -> None:
    own = named("own", "a", same=(("a", "1.1"),))
    assert mapped(own, named("one", "1.1"), named("two", "1.1"), of=("one", "1.1")) == []


def levels(theirs: int | None, ours: int, low: float, high: float) -> tuple[float, float] | None:
    frameworks = [named("own", "a", top=ours, same=(("a", "other/b"),))]
    if theirs is not None:
        frameworks.append(named("other", "b", top=theirs))
    (one,) = SkillMappings({one.id: one for one in frameworks}).of(Teaches("other", "b", low, high), "own")
    return one.levels


def test_levels_go_over_to_the_nearest_step_of_the_other_scale() -> None:
    assert levels(4, 4, 0.5, 2.25) == (0.5, 2.25)
    assert levels(8, 4, 2, 6) == (1, 3)
    assert levels(7, 4, 0, 7) == (0, 4)
    assert levels(4, 1, 1, 2) == (0, 1)
    assert levels(8, 4, 7.5, 8) == (3, 4)
    assert levels(8, 4, 0, 0.5) == (0, 1)
    assert levels(8, 4, 3, 900) == (1, 4)  # of two as near the lower one


def test_a_scale_of_two_steps_and_an_unknown_one_tell_no_levels() -> None:
    assert levels(1, 4, 0, 1) is None
    assert levels(None, 4, 0, 1) is None
    assert levels(1, 1, 0, 1) == (0, 1)


@pytest.mark.parametrize(
    ("skill", "words"),
    [
        ("data-analysis", ["data analysis"]),
        ("Data_Analysis.v2", ["Data Analysis v2"]),
        ("S1.2.3", []),
        (KEY, []),
        ("deadbeef", []),
        ("1.1", []),
    ],
)
def test_the_words_of_an_id_are_split_as_people_read_them(skill: str, words: list[str]) -> None:
    assert words_of_id(skill) == words


def test_a_row_of_a_former_skill_is_its_successors_with_the_levels_that_officers_keep() -> None:
    rows = [
        VersionMapping("old", "a", title=text("Old")),
        VersionMapping("old", "b", "partial"),
        VersionMapping("steps", "a", scale_top=8),
        VersionMapping("people", "everybody", of="job_group"),
    ]
    own = replace(named("own", "a", "b"), mappings=rows)

    def found(skill: str, low: float, high: float) -> dict[str, tuple[float, float] | None]:
        row = Teaches("own", skill, low, high)
        return {one.skill: one.levels for one in SkillMappings({"own": own}).of(row, "own")}

    assert found("old", 1, 3) == {"a": (1, 3), "b": (0.5, 1.5)}
    assert found("steps", 2, 6) == {"a": (1, 3)}
    assert found("old", 4, 5) == {"b": (2, 2.5)}, "nothing of the new scale is above its top"
    assert found("a", 1, 2) == found("none", 1, 2) == found("people", 1, 2) == {}
