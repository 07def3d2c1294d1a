"""The profile: the measurement taken last counts, whatever the order; unchanged input makes no sequence."""

import itertools
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.model import PutOfficer
from services.assessment.profile import assessed, check, check_admitted, merged, registered
from shared.domain import Identifier, Profile, SkillLevel, Stage
from shared.errors import InvalidInput
from tests.support.builders import FRAMEWORK, JOB_GROUP, MOMENT, framework, text

SKILL_FRAMEWORK = msgspec.structs.replace(framework({"reading": 3}), stages=[Stage("early", text("early"))])
BODY = PutOfficer(job_group=JOB_GROUP, agency="north", languages=["th"])


def level(skill: str, mean: float, hours: float = 0, framework: str = FRAMEWORK) -> SkillLevel:
    return SkillLevel(framework, skill, mean, 0.3, MOMENT + timedelta(hours=hours))


def put(body: PutOfficer, before: Profile | None = None, sequence: int = 0) -> Profile | None:
    return registered(body, SKILL_FRAMEWORK, before=before, tenant="agency", officer="me", sequence=sequence)


def test_a_registration_begins_with_no_levels_and_goes_on_from_the_sequence() -> None:
    first = put(BODY)
    assert first is not None
    assert (first.sequence, first.levels, first.framework_version) == (1, [], 1)
    after_erasure = put(BODY, None, sequence=7)
    assert after_erasure is not None
    assert after_erasure.sequence == 8


def test_the_same_registration_again_is_no_change_though_the_framework_has_moved_on() -> None:
    first = put(BODY)
    assert first is not None
    newer = msgspec.structs.replace(SKILL_FRAMEWORK, version=5)
    assert registered(BODY, newer, before=first, tenant="agency", officer="me", sequence=1) is None
    moved = put(msgspec.structs.replace(BODY, weekly_hours=2), assessed(first, [level("reading", 2)]), 2)
    assert moved is not None
    assert (moved.sequence, moved.weekly_hours, len(moved.levels)) == (3, 2, 1)


@pytest.mark.parametrize(("changed", "field"), [({"job_group": "x"}, "job_group"), ({"stage": "x"}, "stage")])
def test_what_the_framework_does_not_hold_is_refused_by_field(changed: dict[str, str], field: str) -> None:
    check(msgspec.structs.replace(BODY, stage="early"), SKILL_FRAMEWORK)
    with pytest.raises(InvalidInput) as caught:
        check(msgspec.structs.replace(BODY, **changed), SKILL_FRAMEWORK)
    assert caught.value.field == field


def test_of_two_measurements_the_one_taken_later_counts() -> None:
    assert merged([level("a", 3, hours=1)], [level("a", 1)]) == [level("a", 3, hours=1)]
    assert merged([level("a", 3)], [level("a", 1, hours=1)]) == [level("a", 1, hours=1)]
    assert merged([level("a", 3)], [level("a", 1)]) == [level("a", 1)]


def test_the_same_skill_of_two_frameworks_is_two_levels() -> None:
    both = merged([level("a", 3)], [level("a", 1, framework="other")])
    assert [(one.framework, one.level) for one in both] == [(FRAMEWORK, 3), ("other", 1)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=5))
def test_the_order_of_arrival_does_not_matter(measurements: list[tuple[str, int]]) -> None:
    levels = [level(skill, mean, hours) for hours, (skill, mean) in enumerate(measurements)]
    results = set()
    for order in itertools.permutations(levels):
        held: list[SkillLevel] = []
        for one in order:
            held = merged(held, [one])
        results.add(msgspec.json.encode(held))
    assert len(results) == 1


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-a", "a\n", "ก", "a" * 65, "a\x00"])
def test_identifiers_are_plain(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(name, Identifier)


def test_a_profile_says_whose_version_it_was_written_under() -> None:
    named = {"before": None, "tenant": "agency", "officer": "me", "sequence": 0}
    first = registered(BODY, SKILL_FRAMEWORK, owner="shared", **named)  # type: ignore[arg-type]
    assert first is not None
    assert first.framework_owner == "shared"
    again = registered(BODY, SKILL_FRAMEWORK, owner="agency", **named | {"before": first})  # type: ignore[arg-type]
    assert again is None
    mine = msgspec.structs.replace(SKILL_FRAMEWORK, version=7)
    measured = assessed(first, [level("reading", 2)], mine, "agency")
    assert (measured.framework_version, measured.framework_owner) == (7, "agency")
    other = assessed(measured, [level("reading", 2, framework="other")])
    assert (other.framework_version, other.framework_owner) == (7, "agency")


def test_nobody_new_is_registered_under_a_retired_framework_and_whoever_is_under_it_stays() -> None:
    retired = msgspec.structs.replace(SKILL_FRAMEWORK, retired=True)
    known = put(BODY)
    check_admitted(SKILL_FRAMEWORK, None)
    check_admitted(retired, known)
    for wrong in (None, msgspec.structs.replace(known, framework="other") if known else None):
        with pytest.raises(InvalidInput) as refused:
            check_admitted(retired, wrong)
        assert refused.value.field == "framework"
