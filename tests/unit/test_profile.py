"""The profile: the levels of all evidence; unchanged input makes no sequence."""

from datetime import timedelta

import msgspec
import pytest

from services.assessment.model import Evidence, EvidenceKind, PutOfficer, Result
from services.assessment.profile import (
    assessed,
    check,
    check_admitted,
    fused,
    is_citizen_number,
    registered,
    self_assessment,
    skill_profile,
    with_evidence,
)
from shared.domain import Identifier, JobGroup, Profile, SkillLevel, Stage, VersionMapping
from shared.errors import InvalidInput
from tests.support.builders import FRAMEWORK, JOB_GROUP, MOMENT, framework, text

SKILL_FRAMEWORK = msgspec.structs.replace(framework({"reading": 3}), stages=[Stage("early", text("early"))])
BODY = PutOfficer(job_group=JOB_GROUP, agency="north", languages=["th"])


def level(skill: str, mean: float, hours: float = 0, framework: str = FRAMEWORK) -> SkillLevel:
    return SkillLevel(framework, skill, mean, 0.3, MOMENT + timedelta(hours=hours))


def evidence(
    skill: str, mean: float, hours: float = 0, kind: EvidenceKind = "test", framework: str = FRAMEWORK
) -> Evidence:
    taken_at = MOMENT + timedelta(hours=hours)
    return Evidence(f"a-{skill}-{hours}", framework, kind, [Result(skill, mean)], taken_at, taken_at, 2)


def put(body: PutOfficer, before: Profile | None = None, sequence: int = 0) -> Profile | None:
    return registered(body, SKILL_FRAMEWORK, before=before, tenant="agency", officer="me", sequence=sequence)


def test_a_registration_starts_without_levels_and_continues_the_sequence() -> None:
    first = put(BODY)
    assert first is not None
    assert (first.sequence, first.levels, first.framework_version) == (1, [], 1)
    after_erasure = put(BODY, None, sequence=7)
    assert after_erasure is not None
    assert after_erasure.sequence == 8


def test_the_same_registration_is_no_change_although_the_framework_has_changed() -> None:
    first = put(BODY)
    assert first is not None
    newer = msgspec.structs.replace(SKILL_FRAMEWORK, version=5)
    assert registered(BODY, newer, before=first, tenant="agency", officer="me", sequence=1) is None
    moved = put(
        msgspec.structs.replace(BODY, weekly_hours=2), assessed(first, with_evidence({}, [evidence("reading", 2)])), 2
    )
    assert moved is not None
    assert (moved.sequence, moved.weekly_hours, len(moved.levels)) == (3, 2, 1)


def test_the_form_asks_what_the_successor_of_the_job_group_requires() -> None:
    first = put(BODY)
    assert first is not None
    newer = msgspec.structs.replace(
        SKILL_FRAMEWORK,
        job_groups=[JobGroup("desk", text("desk"))],
        requirements=[msgspec.structs.replace(row, job_group="desk") for row in SKILL_FRAMEWORK.requirements],
        mappings=[VersionMapping(JOB_GROUP, "desk", of="job_group")],
    )
    assert [(one.skill, one.required) for one in self_assessment(first, newer).skills] == [("reading", 3)]


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("1101700207030", True),
        ("1-1017-00207-03-0", True),
        ("1234567890121", True),
        ("0000000000001", True),
        ("1101700207031", False),  # another check digit
        ("110170020703", False),
        ("11017002070300", False),
        ("p1101700207030", False),
        ("1101700207O30", False),
        ("", False),
        ("๑๑๐๑๗๐๐๒๐๗๐๓๐", False),  # no identifier
    ],
)
def test_a_citizens_number_is_recognised_by_its_check_digit(identifier: str, expected: bool) -> None:
    assert is_citizen_number(identifier) is expected


@pytest.mark.parametrize(
    ("changed", "field", "present"),
    [({"job_group": "x"}, "job_group", JOB_GROUP), ({"stage": "x"}, "stage", "early")],
)
def test_references_that_the_framework_lacks_are_rejected_by_field_with_those_that_it_has(
    changed: dict[str, str], field: str, present: str
) -> None:
    check(msgspec.structs.replace(BODY, stage="early"), SKILL_FRAMEWORK)
    with pytest.raises(InvalidInput) as caught:
        check(msgspec.structs.replace(BODY, **changed), SKILL_FRAMEWORK)
    assert caught.value.field == field
    assert caught.value.detail.endswith(f"; there are: {present}")


def test_levels_come_from_all_evidence_and_other_skills_stay() -> None:
    first = with_evidence({}, [evidence("a", 1)])
    both = with_evidence(first, [evidence("a", 1.5, hours=1)])
    held = fused([level("b", 4)], both)
    assert [(one.skill, one.level) for one in held] == [("a", pytest.approx(1.25, abs=1e-4)), ("b", 4)]
    assert held[0].measured_at == MOMENT + timedelta(hours=1)


def test_the_same_skill_of_two_frameworks_is_two_levels() -> None:
    both = fused([], with_evidence({}, [evidence("a", 3), evidence("a", 1, framework="other")]))
    assert [(one.framework, one.level) for one in both] == [(FRAMEWORK, 3), ("other", 1)]


def test_the_profile_lists_counting_evidence_and_contradictions() -> None:
    first = put(BODY)
    assert first is not None
    known = with_evidence(
        {}, [evidence("a", 4, kind="self"), evidence("a", 1, hours=1), evidence("b", 2, kind="completion")]
    )
    shown = skill_profile(first, known, MOMENT + timedelta(days=730.5, hours=1))
    a, b = shown.skills
    assert (a.level, a.pieces) == (1, 2)
    assert a.sd == pytest.approx(0.3 * 2**0.5, abs=1e-6)
    assert [(one.kind, one.counts) for one in a.latest] == [("self", False), ("test", True)]
    assert (b.level, b.sd, b.measured_at) == (None, None, None)
    [apart] = shown.contradictions
    assert (apart.skill, apart.first.kind, apart.second.kind, apart.apart) == ("a", "self", "test", 3)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-a", "a\n", "ก", "a" * 65, "a\x00"])
def test_identifiers_have_a_restricted_form(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(name, Identifier)


def test_a_profile_names_the_owner_of_its_framework_version() -> None:
    named = {"before": None, "tenant": "agency", "officer": "me", "sequence": 0}
    first = registered(BODY, SKILL_FRAMEWORK, owner="shared", **named)  # type: ignore[arg-type]
    assert first is not None
    assert first.framework_owner == "shared"
    again = registered(BODY, SKILL_FRAMEWORK, owner="agency", **named | {"before": first})  # type: ignore[arg-type]
    assert again is None
    mine = msgspec.structs.replace(SKILL_FRAMEWORK, version=7)
    measured = assessed(first, with_evidence({}, [evidence("reading", 2)]), mine, "agency")
    assert (measured.framework_version, measured.framework_owner) == (7, "agency")
    other = assessed(measured, with_evidence({}, [evidence("reading", 2, framework="other")]))
    assert (other.framework_version, other.framework_owner) == (7, "agency")


def test_a_retired_framework_accepts_no_new_officers_and_keeps_its_own() -> None:
    retired = msgspec.structs.replace(SKILL_FRAMEWORK, retired=True)
    known = put(BODY)
    check_admitted(SKILL_FRAMEWORK, None)
    check_admitted(retired, known)
    for wrong in (None, msgspec.structs.replace(known, framework="other") if known else None):
        with pytest.raises(InvalidInput) as refused:
            check_admitted(retired, wrong)
        assert refused.value.field == "framework"
