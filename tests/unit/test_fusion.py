"""Fusion: precision decides, age widens, a later test overrides a self-rating, the order of arrival never matters."""

from datetime import UTC, datetime, timedelta
from math import sqrt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.fusion import (
    HALF_LIFE_YEARS,
    LARGEST_SD,
    STANDARD_DEVIATION,
    Piece,
    SkillEvidence,
    added,
    contradictions,
    estimate,
    fold,
    widened,
)
from services.assessment.model import EvidenceKind
from tests.support.builders import MOMENT

DAY = timedelta(days=1)
YEAR = timedelta(days=365.25)
_numbers = iter(range(1_000_000))


def piece(kind: EvidenceKind, level: float, days: float = 0, sd: float | None = None) -> Piece:
    name = f"a{next(_numbers):06}"
    return Piece(kind, level, STANDARD_DEVIATION[kind] if sd is None else sd, MOMENT + days * DAY, name)


def level_and_sd(*pieces: Piece) -> tuple[float, float]:
    found = estimate(fold(pieces))
    assert found is not None
    return found.level, found.sd


@pytest.mark.parametrize(("kind", "sd"), [("test", 0.3), ("external", 0.4), ("supervisor", 0.5), ("self", 0.8)])
def test_a_single_piece_gives_its_own_level_at_any_age(kind: EvidenceKind, sd: float) -> None:
    for taken_at in (MOMENT, datetime(1900, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)):
        found = estimate(fold([Piece(kind, 1.234567, sd, taken_at, "a")]))
        assert found is not None
        assert (found.level, found.sd, found.measured_at) == (1.234567, sd, taken_at)


@pytest.mark.parametrize("sd", [0.000001, 100.0])
def test_the_most_and_the_least_precise_piece_are_returned_unchanged(sd: float) -> None:
    assert level_and_sd(piece("test", 3, sd=sd)) == (3, sd)


def test_two_tests_at_the_same_time_weigh_by_their_precision() -> None:
    level, sd = level_and_sd(piece("test", 2, sd=0.3), piece("external", 2.5, sd=0.6))
    assert level == pytest.approx((2 * 4 + 2.5) / 5, abs=1e-6)
    assert sd == pytest.approx(1 / sqrt(1 / 0.09 + 1 / 0.36), abs=1e-6)


def test_evidence_older_by_a_half_life_has_half_the_weight() -> None:
    level, sd = level_and_sd(piece("test", 2, -HALF_LIFE_YEARS * 365.25), piece("test", 2.6))
    assert level == pytest.approx((2 * 0.5 + 2.6) / 1.5, abs=1e-6)
    assert sd == pytest.approx(0.3 / sqrt(1.5), abs=1e-6)


def test_age_increases_the_uncertainty_and_never_changes_the_level() -> None:
    assert widened(0.3, MOMENT, MOMENT + HALF_LIFE_YEARS * YEAR) == pytest.approx(0.3 * sqrt(2), abs=1e-6)
    assert widened(0.3, MOMENT, MOMENT - YEAR) == 0.3
    assert widened(0.3, datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)) == LARGEST_SD


def test_a_later_test_outweighs_a_self_rating_and_a_later_self_rating_has_little_weight() -> None:
    rating, test = piece("self", 4), piece("test", 1, 1)
    assert level_and_sd(rating, test) == (1, 0.3)
    level, _ = level_and_sd(test, piece("self", 2, 2))
    assert 1 < level < 1.2


def test_only_the_latest_rating_of_one_kind_counts() -> None:
    assert level_and_sd(piece("self", 4), piece("self", 1, 1)) == (1, 0.8)
    assert level_and_sd(piece("supervisor", 1, 1), piece("supervisor", 4)) == (1, 0.5)


def test_a_test_that_contradicts_all_earlier_evidence_replaces_it() -> None:
    assert level_and_sd(piece("test", 1, -9), piece("test", 1, -8), piece("external", 1, -7), piece("test", 3)) == (
        3,
        0.3,
    )
    found = fold([piece("test", 1, -9), piece("test", 3)])
    [one] = contradictions(found)
    assert (one.first.level, one.second.level, one.apart) == (1, 3, 2)
    assert one.allowed < one.apart


def test_a_completed_course_gives_no_level_and_can_only_raise_one() -> None:
    assert estimate(fold([piece("completion", 3)])) is None
    before, _ = level_and_sd(piece("test", 2))
    raised, _ = level_and_sd(piece("test", 2), piece("completion", 3, 1))
    assert before < raised < 2.2
    assert level_and_sd(piece("test", 2), piece("completion", 1, 1)) == (2, 0.3)
    assert level_and_sd(piece("completion", 4), piece("test", 2, 1)) == (2, 0.3)


def test_a_completion_does_not_count_as_a_later_measurement() -> None:
    found = estimate(fold([piece("test", 2), piece("completion", 3, 5)]))
    assert found is not None
    assert found.measured_at == MOMENT


def test_contradictions_list_both_pieces_and_disappear_with_age() -> None:
    [one] = contradictions(fold([piece("self", 4), piece("test", 1, 1)]))
    assert (one.first.kind, one.second.kind) == ("self", "test")
    assert contradictions(fold([piece("test", 1), piece("self", 2)])) == []
    assert contradictions(fold([piece("test", 1, -40 * 365), piece("test", 4)])) == []
    assert contradictions(fold([piece("self", 0, -1), piece("self", 4)])) == []


PIECES = st.lists(
    st.builds(
        lambda kind, level, sd, seconds, name: Piece(
            kind, level / 1_000_000, sd / 1_000_000, MOMENT - timedelta(seconds=seconds), f"a{name}"
        ),
        st.sampled_from(list(STANDARD_DEVIATION)),
        st.integers(0, 5_000_000),
        st.integers(1, 5_000_000),
        st.integers(0, 3_000_000_000),
        st.integers(0, 10**9),
    ),
    max_size=12,
    unique_by=lambda one: one.assessment_id,
)


@given(PIECES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(pieces: list[Piece], random: object) -> None:
    shuffled = list(pieces)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fold(pieces) == fold(shuffled)


@given(PIECES)
def test_storing_evidence_between_pieces_changes_no_result_and_stays_small(pieces: list[Piece]) -> None:
    held = SkillEvidence()
    for one in pieces:
        stored = msgspec.msgpack.encode(added(held, one))
        held = msgspec.msgpack.decode(stored, type=SkillEvidence)
        assert len(stored) < 600
    assert held == fold(pieces)
    assert held.count == len(pieces)
    found = estimate(held)
    if found is not None:
        levels = [one.level for one in pieces]
        assert min(levels) <= found.level <= max(levels)
        assert 0 < found.sd <= LARGEST_SD
