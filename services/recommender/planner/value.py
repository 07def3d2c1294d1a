"""How far an officer is expected to be from each requirement, and what reaching a level is worth.

A level is believed to be normal, N(mu, sd^2). The part of it that lies below L is expected to be

    psi(L) = E[(L - theta)+] = sd * phi(z) + (L - mu) * Phi(z),   z = (L - mu) / sd

and reaching L is worth `weight * psi(min(L, required))`, rounded to whole micro-levels, so that what the steps of a
path contribute adds up to what the path gains without a remainder. A skill is a gap only where the level is below what
is required, and a level no higher than mu is worth nothing: doubt sizes a gap, it does not make one.

Two more things follow from what an officer may rely on. Where completed courses lead to a level R above mu, all that
reaching R is worth is gained: the next level is worth what the path said would be left. And a level that is short of
what is required by less than an assessment could tell is worth as much as what is required.

What a course teaches by its description, confirmed by nobody, is worth its confidence times that, rounded down, for
officers who hold its `from` before the path; where it is less sure than the least confidence that may count, nothing.
Of one skill the largest worth counts, confirmed or not: however the doubts about several matches hang together, no less
is expected of them. A completed course whose row is not confirmed moves no level; what it was worth is gained already.

A completed course counts as having led to the level that it teaches to, for the gaps that are left and for the next
entry alike, where it is later than the skill's own measurement and its level is higher. The measurement stays as it
is: the doubt about the level is shown (`assess_first`), and only a later assessment takes the level back. A level
without a date was given by a request, as of that request: it is later than any completion.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from math import erf, exp, pi, sqrt

from msgspec.structs import replace

from services.recommender.inputs import MICRO, Inputs, MatchedSpan, SkillTarget
from services.recommender.planner.course_spec import SkillKey, matched_spans
from services.recommender.planner.units import micro
from shared.domain import Course, Teaches


def expected_shortfall(level: float, mean: float, sd: float) -> float:
    """Return psi: the expected amount, in levels, by which N(mean, sd^2) lies below `level`."""
    if sd <= 0:
        return max(level - mean, 0.0)
    z = (level - mean) / sd
    density = exp(-z * z / 2) / sqrt(2 * pi)
    return sd * density + (level - mean) * (1 + erf(z / sqrt(2))) / 2


class ValueFunction:
    """What levels are worth to one officer, in micro-levels. `targets`: every required skill, gap or not.

    `least_confidence` of matched rows that count; None: the threshold that each row has from its calibration.
    """

    def __init__(self, wants: dict[str, SkillTarget], least_confidence: float | None = None) -> None:
        self.targets = wants
        self.least_confidence = None if least_confidence is None else round(least_confidence * MICRO)
        self.required = sum(round(MICRO * want.weight * want.required) for want in wants.values())
        self._known: dict[tuple[str, float], int] = {}
        self.gained = {
            skill: max(self._weighed(skill, row) for row in want.evidence)
            for skill, want in wants.items()
            if want.evidence
        }
        self.gaps = {skill: self.of(skill, want.required) for skill, want in wants.items() if want.is_gap}
        self.gap = sum(self.gaps.values())

    def of(self, skill: str, level: float) -> int:
        """Return what holding `level` is worth beyond holding the present one: 0 where nothing is gained."""
        worth = self.certain(skill, level)
        return max(worth - self.gained.get(skill, 0), 0) if self.gained else worth

    def matched(self, skill: str, row: MatchedSpan) -> int:
        """Return what an unconfirmed row is worth to the officer beyond what is gained: 0 where it does not count."""
        want = self.targets.get(skill)
        if want is None or row.low > micro(want.level):
            return 0
        return max(self._weighed(skill, row) - self.gained.get(skill, 0), 0)

    def counts(self, row: MatchedSpan) -> bool:
        """Return whether a row is sure enough to count."""
        return row.confidence >= (row.threshold if self.least_confidence is None else self.least_confidence)

    def _weighed(self, skill: str, row: MatchedSpan) -> int:
        return self.certain(skill, row.high / MICRO) * row.confidence // MICRO if self.counts(row) else 0

    def certain(self, skill: str, level: float) -> int:
        """Return what holding `level` is worth beyond the present one, whatever unconfirmed rows have gained."""
        want = self.targets.get(skill)
        if want is None or not want.is_gap or level <= want.level:
            return 0
        gained = self._whole(want, want.level) if want.rests_on_courses else 0
        return self._whole(want, level if want.lacks(level) else want.required) - gained

    def _whole(self, want: SkillTarget, level: float) -> int:
        """Return what holding a level is worth beyond what was measured."""
        key = (want.skill.id, level)
        if (known := self._known.get(key)) is None:
            known = self._known[key] = round(MICRO * want.weight * expected_shortfall(level, want.measured, want.sd))
        return known

    def coverage(self, gained: int) -> float:
        """Return the share of the requirement held after `gained` micro-levels: 0 to 1, to six places."""
        if self.required == 0:
            return 1.0
        return round(max(1 - (self.gap - gained) / self.required, 0.0), 6)


Find = Callable[[str], Course | None]


def posterior_targets(inputs: Inputs, find: Find) -> tuple[dict[str, SkillTarget], dict[SkillKey, float]]:
    """Return what is believed per required skill, and the levels that entries are tested against."""
    wants, doors = inputs.targets(), inputs.entry_levels()
    for when, row in _reached(inputs, find):
        if not _is_later(inputs, row.framework, row.skill, when):
            continue
        key = (row.framework, row.skill)
        doors[key] = max(doors.get(key, 0.0), row.to_level)
        if row.framework == inputs.framework.id and (want := wants.get(row.skill)):
            level = max(want.level, min(row.to_level, inputs.framework.max_level))
            wants[row.skill] = replace(want, level=level)
    for skill, when, span in _unconfirmed(inputs, find):
        if (want := wants.get(skill)) and _is_later(inputs, inputs.framework.id, skill, when):
            wants[skill] = replace(want, evidence=(*want.evidence, span))
    return wants, doors


def _unconfirmed(inputs: Inputs, find: Find) -> Iterator[tuple[str, datetime | None, MatchedSpan]]:
    """Yield what completed courses taught by their description, as they are matched now, and when."""
    for name in sorted(inputs.done):
        course = find(name)
        for (framework, skill), row in matched_spans(course).items() if course else ():
            if framework == inputs.framework.id:
                yield skill, inputs.completed_at.get(name), row


def _reached(inputs: Inputs, find: Find) -> Iterator[tuple[datetime | None, Teaches]]:
    """Yield what completed courses taught, as it was then where that is known, and when.

    A skill that was not known of a course then, because its match was confirmed since, counts as it is now.
    """
    for name in sorted(inputs.done):
        course, noted = find(name), inputs.taught.get(name, [])
        known = {(row.framework, row.skill) for row in noted}
        since = [row for row in course.teaches if (row.framework, row.skill) not in known] if course else []
        for row in (*noted, *since):
            yield inputs.completed_at.get(name), row


def _is_later(inputs: Inputs, framework: str, skill: str, when: datetime | None) -> bool:
    """Return whether a completion is news: the skill was never measured, or is known to have been measured before."""
    held = inputs.known(framework, skill)
    return held is None or (when is not None and held.measured_at is not None and when > held.measured_at)
