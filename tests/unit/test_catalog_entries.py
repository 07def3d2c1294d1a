"""What the document of a course says of matching."""

import pytest
from msgspec.structs import replace

from services.catalog.entries import match_fields
from services.catalog.matches import Match
from shared.domain import Teaches
from tests.support.builders import course

MATCHED = Match("two", "b", 0.0, 1.0, 0.8)


@pytest.mark.parametrize(
    ("frameworks", "in_use", "due"),
    [
        (["one", "two"], {"one": set(), "two": set()}, False),
        (["one"], {"one": set(), "two": set()}, True),  # nothing says what it teaches in the other one
        (["one", "elsewhere"], {"one": set()}, False),
        (["one", "two"], {"one": {"former"}, "two": {"a"}}, False),
        (["one", "two"], {"one": {"former", "a"}, "two": set()}, True),  # a skill of a former version
        ([], {}, False),
        (["elsewhere"], {}, False),
    ],
)
def test_a_course_waits_to_be_matched_for_what_its_provider_does_not_state(
    frameworks: list[str], in_use: dict[str, set[str]], due: bool
) -> None:
    rows = {"one": ("a",), "two": ("b",), "elsewhere": ("c",)}
    taught = [Teaches(name, skill, 0, 1) for name in frameworks for skill in rows[name]]
    assert match_fields(replace(course("c"), teaches=taught), [], in_use) == {"match_due": due}


def test_a_proposed_skill_does_not_replace_one_that_the_provider_states() -> None:
    taught = replace(course("c"), teaches=[Teaches("one", "a", 0, 1)])
    assert match_fields(taught, [MATCHED], {"one": set(), "two": set()}) == {"match_due": True}
