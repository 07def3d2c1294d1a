"""Scoring: what an assessment may not contain, and its uncertainty."""

from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import msgspec
import pytest

from services.assessment.fusion import LEAST_STANDARD_DEVIATION, STANDARD_DEVIATION
from services.assessment.model import Evidence, EvidenceKind, Result, SubmitAssessment, assessment_id_of, digest_of
from services.assessment.scoring import CLOCK_SKEW, announced_kind, check, least_sd, pieces, usual_sd, with_usual_sd
from shared.domain import ScaleLevel
from shared.errors import InvalidInput
from shared.events import AssessmentKind
from tests.support.builders import FRAMEWORK, MOMENT, framework

SKILL_FRAMEWORK = framework({"reading": 3, "writing": 4})


def assessment(*results: Result, kind: EvidenceKind = "test") -> SubmitAssessment:
    return SubmitAssessment(FRAMEWORK, kind, list(results), MOMENT)


KINDS: list[tuple[EvidenceKind, float]] = [
    ("test", 0.3),
    ("external", 0.4),
    ("supervisor", 0.5),
    ("self", 0.8),
    ("completion", 1.0),
]


@pytest.mark.parametrize(("kind", "sd"), KINDS)
def test_each_kind_has_its_own_uncertainty_unless_the_result_gives_one(kind: EvidenceKind, sd: float) -> None:
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
def test_references_that_the_framework_lacks_are_rejected_by_field(results: list[Result], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(assessment(*results), SKILL_FRAMEWORK, MOMENT)
    assert caught.value.field == field


LEAST = [("test", 0.1), ("external", 0.15), ("supervisor", 0.25), ("self", 0.4), ("completion", 0.5)]


@pytest.mark.parametrize(("kind", "least"), LEAST)
def test_no_kind_is_more_precise_than_its_bound(kind: EvidenceKind, least: float) -> None:
    check(assessment(Result("reading", 2, least), kind=kind), SKILL_FRAMEWORK, MOMENT)
    for sd in (least - 0.000001, 0.000001):
        with pytest.raises(InvalidInput, match=f"{least:g} of a level") as caught:
            check(assessment(Result("writing", 2), Result("reading", 2, sd), kind=kind), SKILL_FRAMEWORK, MOMENT)
        assert caught.value.field == "results[1].sd"


def test_no_piece_weighs_more_than_nine_usual_ones() -> None:
    assert set(LEAST_STANDARD_DEVIATION) == set(STANDARD_DEVIATION)
    for kind, least in LEAST_STANDARD_DEVIATION.items():
        assert 1 < (STANDARD_DEVIATION[kind] / least) ** 2 <= 9 + 1e-9


@pytest.mark.parametrize(
    ("levels", "step"),
    [
        ([0, 1, 2, 3, 4], 1),
        ([0, 25, 50, 75, 100], 25),
        ([*range(101)], 10),
        ([0, 100], 100),
        ([0, 0.25, 0.5, 1], 1 / 3),
        ([1, 2, 3, 4, 5], 1),
        ([0, 10, 20], 10),
    ],
)
def test_standard_deviations_follow_the_step_of_the_scale(levels: list[float], step: float) -> None:
    scale = [ScaleLevel(float(level), SKILL_FRAMEWORK.scale[0].title) for level in levels]
    scaled = msgspec.structs.replace(SKILL_FRAMEWORK, scale=scale)
    given = [Result("reading", 1), Result("writing", 1, 42)]
    for kind, sd in KINDS:
        stored = with_usual_sd(given, kind, scaled)
        found = [piece.sd for _, piece in pieces(Evidence("a-1", "fw", kind, stored, MOMENT, MOMENT, 2))]
        assert found == [pytest.approx(sd * step, abs=1e-6), 42]
        assert least_sd(kind, scaled) == pytest.approx(LEAST_STANDARD_DEVIATION[kind] * step, abs=1e-6)
        assert 1 < (usual_sd(kind, scaled) / least_sd(kind, scaled)) ** 2 <= 9 + 1e-3
        check(assessment(Result("reading", 1, least_sd(kind, scaled)), kind=kind), scaled, MOMENT)
        with pytest.raises(InvalidInput):
            check(assessment(Result("reading", 1, least_sd(kind, scaled) * 0.9), kind=kind), scaled, MOMENT)


def test_a_clock_may_be_a_little_ahead_but_not_more() -> None:
    taken = assessment(Result("reading", 5))
    check(taken, SKILL_FRAMEWORK, MOMENT - CLOCK_SKEW)
    with pytest.raises(InvalidInput, match="future"):
        check(taken, SKILL_FRAMEWORK, MOMENT - CLOCK_SKEW - timedelta(seconds=1))


def test_assessments_before_1900_are_rejected() -> None:
    east = timezone(timedelta(hours=14))
    for year, zone, good in ((1900, UTC, True), (1899, UTC, False), (1900, east, False), (1, east, False)):
        taken = msgspec.structs.replace(assessment(Result("reading", 1)), taken_at=datetime(year, 1, 1, tzinfo=zone))
        if good:
            check(taken, SKILL_FRAMEWORK, MOMENT)
        else:
            with pytest.raises(InvalidInput, match="1900"):
                check(taken, SKILL_FRAMEWORK, MOMENT)


def test_the_id_of_an_assessment_depends_only_on_tenant_officer_and_key() -> None:
    one = assessment_id_of("agency", "officer", "key")
    assert one == assessment_id_of("agency", "officer", "key")
    others = {
        assessment_id_of(*parts)
        for parts in (("agencyo", "fficer", "key"), ("agency", "officer", "key2"), ("a", "o", "k"))
    }
    assert len(others | {one}) == 4


def test_the_digest_of_a_body_depends_on_its_content_and_not_its_formatting() -> None:
    def digest(text: str) -> str:
        return digest_of(msgspec.json.decode(text, type=SubmitAssessment))

    rest = '"framework": "fw", "kind": "test", "taken_at": "2026-11-20T09:00:00+07:00"'
    one = digest(f'{{{rest}, "results": [{{"skill": "reading", "level": 1}}]}}')
    assert one == digest(f'{{"results": [{{"level": 1.0, "skill": "reading", "sd": null}}], {rest}}}')
    assert one != digest(f'{{{rest}, "results": [{{"skill": "reading", "level": 2}}]}}')
