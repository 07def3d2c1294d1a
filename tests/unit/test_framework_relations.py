"""Relations of a framework: unknown targets and cycles are refused by name."""

import msgspec
import pytest

from shared.domain import Area, Framework, Relation, find_cycle
from shared.errors import InvalidInput
from tests.support.builders import framework, text


def related(*relations: Relation) -> Framework:
    base = framework({"a": 1, "b": 1, "c": 1})
    areas = [*base.areas, Area("inner", text("inner")), Area("innermost", text("innermost"))]
    return msgspec.structs.replace(base, areas=areas, relations=list(relations))


def test_valid_relations_are_accepted() -> None:
    related(
        Relation("precedes", "a", "b"),
        Relation("precedes", "b", "c"),
        Relation("precedes", "a", "c"),
        Relation("child_of", "inner", "area"),
        Relation("exact_match", "a", "https://example.org/skills/1"),
    ).check()


@pytest.mark.parametrize(
    ("relation", "field"),
    [
        (Relation("precedes", "ghost", "b"), "relations[0].origin"),
        (Relation("precedes", "a", "ghost"), "relations[0].target"),
        (Relation("precedes", "a", "area"), "relations[0].target"),
        (Relation("child_of", "a", "area"), "relations[0].origin"),
        (Relation("exact_match", "ghost", "https://example.org"), "relations[0].origin"),
    ],
)
def test_a_dangling_relation_is_rejected(relation: Relation, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        related(relation).check()
    assert refused.value.field == field


def test_a_cycle_of_relations_is_rejected_and_named() -> None:
    with pytest.raises(InvalidInput, match=r"a → b → a|b → a → b"):
        related(Relation("precedes", "a", "b"), Relation("precedes", "b", "a"), Relation("precedes", "b", "c")).check()
    with pytest.raises(InvalidInput, match="inner → inner"):
        related(Relation("child_of", "inner", "inner")).check()


def test_a_long_chain_is_no_cycle_and_a_long_cycle_is_found_completely() -> None:
    chain = [(str(n), str(n + 1)) for n in range(20_000)]
    assert find_cycle(chain) == []
    cycle = find_cycle([*chain, ("20000", "0")])
    assert (len(cycle), cycle[0]) == (20_002, cycle[-1])
