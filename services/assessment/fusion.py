"""Fuses all evidence of a skill into one level with its standard deviation. Pure; decision 0036 gives the reasons.

Evidence is weighted by its precision, 1/sd², which halves every `HALF_LIFE_YEARS`. All precisions age at the same rate,
so age changes the uncertainty of a level and never the level itself, and two sums at one reference date (of precisions
and of weighted levels) represent all evidence. They are integers, so the result does not depend on the order of
arrival, not even in the last digit.

    SkillEvidence   the stored evidence of a skill: two sums, and the latest pieces of each kind; its size is bounded
    added           the evidence with more pieces
    estimate        the level, its standard deviation and when it was measured; None without a measurement
    widened         the standard deviation at a later time
    contradictions  pairs of pieces that differ by more than their uncertainty allows
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import combinations
from math import sqrt
from operator import attrgetter

from msgspec import Struct

from services.assessment.model import EvidenceKind
from shared.domain import LEAST, millionths

HALF_LIFE_YEARS = 2.0
"""After this many years evidence has half its weight: its standard deviation grows by 19 % a year."""

STANDARD_DEVIATION: dict[EvidenceKind, float] = {
    "test": 0.3,
    "external": 0.4,
    "supervisor": 0.5,
    "self": 0.8,
    "completion": 1.0,
}
"""The standard deviation of a level by kind of evidence, in steps of the scale, unless the assessment states one."""

LEAST_STANDARD_DEVIATION: dict[EvidenceKind, float] = {
    "test": 0.1,
    "external": 0.15,
    "supervisor": 0.25,
    "self": 0.4,
    "completion": 0.5,
}
"""The smallest standard deviation that an assessment of each kind may state, in steps: about a third of the usual one
for measurements, half of it for ratings by people. One piece thus counts for no more than nine usual ones."""

MEASUREMENTS: tuple[EvidenceKind, ...] = ("test", "external")
"""Kinds of evidence of which every piece counts. Of the other kinds only the latest piece counts."""

OVERRIDDEN: tuple[EvidenceKind, ...] = ("self", "completion")
"""Kinds of evidence that count only if they are later than the latest measurement."""

APART = 2.0
"""Two levels contradict each other if they differ by more than this many standard deviations of their difference."""

LARGEST_SD = 100.0

_REFERENCE = datetime(2020, 1, 1, tzinfo=UTC)
_YEAR = timedelta(days=365.25)
_OLDEST_YEARS = -50.0
"""Evidence from before 1970 counts as evidence of 1970, so that no weight is too small for the sums."""

_BY_KIND_AND_RANK = attrgetter("kind", "taken_at", "assessment_id")

_UNIT = 2.0**80
_PER_LEVEL = 1_000_000


class Piece(Struct, frozen=True, array_like=True, gc=False):
    """One assessment of one skill, as stored."""

    kind: EvidenceKind
    level: float
    sd: float
    taken_at: datetime
    assessment_id: str

    @property
    def rank(self) -> tuple[datetime, str]:
        """The sort key of pieces: the time, then the id."""
        return self.taken_at, self.assessment_id


class SkillEvidence(Struct, frozen=True, array_like=True):
    """The stored evidence of one skill.

    `count`: how many pieces there are. `precision` and `moment`: the sums, over all measurements, of the weight and of
    weight times level, in whole units at the reference date, as hexadecimal numbers. `latest`: the latest piece of each
    kind; of each kind of measurement the two latest.
    """

    count: int = 0
    precision: str = "0"
    moment: str = "0"
    latest: list[Piece] = []


class Estimate(Struct, frozen=True):
    """A level, its standard deviation at the time `measured_at`, and the pieces that count."""

    level: float
    sd: float
    measured_at: datetime
    counted: list[Piece]


class Contradiction(Struct, frozen=True):
    """Two pieces of evidence, the older one first, that differ by `apart` levels, more than `allowed`."""

    first: Piece
    second: Piece
    apart: float
    allowed: float


def added(held: SkillEvidence, *pieces: Piece) -> SkillEvidence:
    """Return the evidence of a skill with `pieces` added; the order of the pieces does not matter."""
    precision, moment = int(held.precision, 16), int(held.moment, 16)
    for piece in pieces:
        if piece.kind in MEASUREMENTS:
            weight = _weight(piece)
            precision, moment = precision + weight, moment + weight * _whole(piece.level)
    kept: dict[EvidenceKind, list[Piece]] = {}
    for piece in sorted([*held.latest, *pieces], key=_BY_KIND_AND_RANK):
        kept.setdefault(piece.kind, []).append(piece)
    latest = [one for kind, of_kind in kept.items() for one in of_kind[-2 if kind in MEASUREMENTS else -1 :]]
    return SkillEvidence(held.count + len(pieces), f"{precision:x}", f"{moment:x}", latest)


def estimate(held: SkillEvidence) -> Estimate | None:
    """Return the level from all evidence; None if there is none, or only completed courses.

    A measurement that contradicts all earlier ones together replaces them: the officer has changed. A completed course
    can only raise a level that something else has measured.
    """
    precision, moment = int(held.precision, 16), int(held.moment, 16)
    measured = [one for one in held.latest if one.kind in MEASUREMENTS]
    last = max(measured, key=lambda one: one.rank, default=None)
    counted: list[Piece] = []
    if last is not None:
        own = _weight(last)
        rest, rest_moment = precision - own, moment - own * _whole(last.level)
        if rest and _disagree(last.level, last.sd, rest_moment / rest / _PER_LEVEL, _sd(rest, last.taken_at)):
            precision, moment, measured = own, own * _whole(last.level), [last]
        counted = measured
    for one in held.latest:
        overridden = one.kind in OVERRIDDEN and last is not None and one.taken_at <= last.taken_at
        if one.kind not in (*MEASUREMENTS, "completion") and not overridden:
            precision, moment = precision + _weight(one), moment + _weight(one) * _whole(one.level)
            counted = [*counted, one]
    if not counted:
        return None
    measured_at = max(one.taken_at for one in counted)
    for one in held.latest:
        later = one.kind == "completion" and (last is None or one.taken_at > last.taken_at)
        if later and _whole(one.level) * precision > moment:
            precision, moment = precision + _weight(one), moment + _weight(one) * _whole(one.level)
            counted = [*counted, one]
    return Estimate(_rounded(moment, precision) / _PER_LEVEL, _sd(precision, measured_at), measured_at, counted)


def widened(sd: float, since: datetime, at: datetime) -> float:
    """Return how large a standard deviation, measured at `since`, is at `at`; unchanged if `at` is earlier."""
    years = max((at - since) / _YEAR, 0.0)
    return min(max(millionths(sd * 2.0 ** (min(years, 200.0) / 2 / HALF_LIFE_YEARS)), LEAST), LARGEST_SD)


def contradictions(held: SkillEvidence) -> list[Contradiction]:
    """Return the contradicting pairs among the latest pieces of each kind.

    The standard deviation of the older piece is widened to the time of the later one. Completed courses, and ratings
    that a newer rating of the same kind replaced, are left out.
    """
    found = []
    for first, second in combinations(sorted(held.latest, key=lambda one: one.rank), 2):
        if "completion" in (first.kind, second.kind):
            continue
        sd = widened(first.sd, first.taken_at, second.taken_at)
        if _disagree(first.level, sd, second.level, second.sd):
            allowed = millionths(APART * sqrt(sd**2 + second.sd**2))
            found.append(Contradiction(first, second, millionths(abs(first.level - second.level)), allowed))
    return found


def fold(pieces: Iterable[Piece]) -> SkillEvidence:
    """Return the evidence of these pieces of one skill; their order does not matter."""
    return added(SkillEvidence(), *pieces)


def _weight(piece: Piece) -> int:
    years = max((piece.taken_at - _REFERENCE) / _YEAR, _OLDEST_YEARS)
    weight: float = 2.0 ** (years / HALF_LIFE_YEARS) / piece.sd**2 * _UNIT
    return round(weight)


def _sd(precision: int, at: datetime) -> float:
    years = max((at - _REFERENCE) / _YEAR, _OLDEST_YEARS)
    variance = _UNIT / precision * 2.0 ** (years / HALF_LIFE_YEARS)
    return min(millionths(sqrt(variance), LEAST), LARGEST_SD)


def _disagree(one: float, sd: float, other: float, other_sd: float) -> bool:
    return abs(one - other) > APART * sqrt(sd**2 + other_sd**2)


def _whole(level: float) -> int:
    return round(level * _PER_LEVEL)


def _rounded(moment: int, precision: int) -> int:
    """Return a quotient rounded to the nearest integer, half to even."""
    whole, rest = divmod(moment, precision)
    return whole + (2 * rest > precision or (2 * rest == precision and whole % 2 == 1))
