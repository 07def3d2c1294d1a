"""Scoring: what an assessment may not say, and how sure it is."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec
import pytest

from services.assessment.model import Evidence, EvidenceKind, Result, SubmitAssessment, assessment_id_of, digest_of
from services.assessment.scoring import CLOCK_SKEW, announced_kind, check, pieces
from shared.errors import InvalidInput
from shared.events import AssessmentKind
from tests.support.builders import FRAMEWORK, MOMENT, framework

SKILL_FRAMEWORK = framework({"reading": 3, "writing": 4})


def assessment(*results: Result, kind: EvidenceKind = "test") -> SubmitAssessment:
    return SubmitAssessment(FRAMEWORK, kind, list(results), MOMENT)


KINDS = [("test", 0.3), ("external", 0.4), ("supervisor", 0.5), ("self", 0.8), ("completion", 1.0)]


@pytest.mark.parametrize(("kind", "sd"), KINDS)
def test_each_kind_has_its_own_uncertainty_unless_the_result_says_it(kind: EvidenceKind, sd: float) -> None:
    results = [Result("reading", 2), Result("writing", 1, sd=0.1)]
    found = dict(pieces(Evidence("a-1", FRAMEWORK, kind, results, MOMENT, MOMENT, 2)))
    assert {key: one.sd for key, one in found.items()} == {"fw/reading": sd, "fw/writing": 0.1}
    assert {(one.kind, one.taken_at, one.assessment_id) for one in found.values()} == {(kind, MOMENT, "a-1")}


def test_events_name_kinds_that_every_reader_knows() -> None:
    assert {announced_kind(kind) for kind in get_args(EvidenceKind)} == set(get_args(AssessmentKind))


@pytest.mark.parametrize(
    ("results", "field"),
    [
        ([Result("reading", 5.5)], "results[0].level"),
        ([Result("reading", 1), Result("flying", 1)], "results[1].skill"),
        ([Result("reading", 1), Result("reading", 2)], "results[1].skill"),
    ],
)
def test_what_the_framework_does_not_hold_is_refused_by_field(results: list[Result], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(assessment(*results), SKILL_FRAMEWORK, MOMENT)
    assert caught.value.field == field


def test_a_clock_may_be_a_little_ahead_but_not_more() -> None:
    taken = assessment(Result("reading", 5))
    check(taken, SKILL_FRAMEWORK, MOMENT - CLOCK_SKEW)
    with pytest.raises(InvalidInput, match="future"):
        check(taken, SKILL_FRAMEWORK, MOMENT - CLOCK_SKEW - timedelta(seconds=1))


def test_nobody_was_assessed_before_1900() -> None:
    for year, good in ((1900, True), (1899, False), (1, False)):
        taken = msgspec.structs.replace(assessment(Result("reading", 1)), taken_at=datetime(year, 1, 1, tzinfo=UTC))
        if good:
            check(taken, SKILL_FRAMEWORK, MOMENT)
        else:
            with pytest.raises(InvalidInput, match="1900"):
                check(taken, SKILL_FRAMEWORK, MOMENT)


def test_an_assessments_id_is_its_tenants_officers_and_keys_alone() -> None:
    one = assessment_id_of("agency", "officer", "key")
    assert one == assessment_id_of("agency", "officer", "key")
    others = {
        assessment_id_of(*parts)
        for parts in (("agencyo", "fficer", "key"), ("agency", "officer", "key2"), ("a", "o", "k"))
    }
    assert len(others | {one}) == 4


def test_a_bodys_digest_tells_bodies_apart_and_not_ways_to_write_them() -> None:
    def digest(text: str) -> str:
        return digest_of(msgspec.json.decode(text, type=SubmitAssessment))

    rest = '"framework": "fw", "kind": "test", "taken_at": "2026-11-20T09:00:00+07:00"'
    one = digest(f'{{{rest}, "results": [{{"skill": "reading", "level": 1}}]}}')
    assert one == digest(f'{{"results": [{{"level": 1.0, "skill": "reading", "sd": null}}], {rest}}}')
    assert one != digest(f'{{{rest}, "results": [{{"skill": "reading", "level": 2}}]}}')
