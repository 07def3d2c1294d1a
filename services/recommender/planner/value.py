"""The expected distance of an officer from each requirement, and the value of reaching a level.

The estimate of a level is a normal distribution N(mu, sd^2). Its expected shortfall below L is

    psi(L) = E[(L - theta)+] = sd * phi(z) + (L - mu) * Phi(z),   z = (L - mu) / sd

and the value of reaching L is `weight * psi(min(L, required))`, rounded to whole micro-levels, so that the
contributions of the steps add up exactly to the gain of the path. A skill is a gap only if its level is below the
requirement, and a level no higher than mu has no value: uncertainty changes the size of a gap and never creates one.

Two more rules keep what a path stated earlier true. If completed courses lead to a level R above mu (`completions`),
the whole value of R is gained: the next level has the value that the path stated as left. And a level that is below the
requirement by less than an assessment can measure has the value of the requirement.

An unconfirmed row, matched by a course's description, counts with its confidence in whole per cent, rounded down, for
officers who hold its `from` before the path; below the least confidence that may count, it is ignored. The value of a
path for one skill is the expectation of its best row, assuming the strongest possible dependence between rows: the p
per cent most likely cases have the value of the highest level with a confidence of at least p per cent. These pairs
(per cent, value of the level) are the stairs of a skill (a Pareto front), with the confirmed level at 100. A second
match of the same level adds nothing unless it is more confident, and no path promises more than can be expected. A
completed course with an unconfirmed row changes no level; its stair counts from then on.
"""

from collections.abc import Iterator, Mapping
from math import erf, exp, pi, sqrt

from services.recommender.inputs import MICRO, MatchedSpan, SkillTarget
from services.recommender.planner.units import micro

Stair = tuple[int, int]
"""A confidence in whole per cent, 100 for a confirmed level, and the value of the level in micro-levels."""

Stairs = tuple[Stair, ...]
"""The stairs of one skill: the most confident first, and each later one of a higher value."""

CERTAIN = 100


def share(percent: int, value: int) -> int:
    """Return `percent` per cent of a value, in whole micro-levels.

    The value is split into 100 parts that differ by one micro-level at most; the result is the sum of the first
    `percent` parts. So shares add up exactly, and the share between two percentages never falls when the value rises.
    """
    return value if percent == CERTAIN else percent * (value // CERTAIN) + min(value % CERTAIN, percent)


def total_value(stairs: Stairs) -> int:
    """Return the total value of the stairs of a skill, in micro-levels."""
    if len(stairs) == 1:
        return share(*stairs[0])
    less_confident = [percent for percent, _ in stairs[1:]]
    return sum(
        share(percent, value) - share(below, value)
        for (percent, value), below in zip(stairs, [*less_confident, 0], strict=False)
    )


def with_stair(stairs: Stairs, step: Stair) -> Stairs:
    """Return stairs with one more stair; a stair that another one matches or exceeds in both numbers is left out.

    Returns the same object if nothing changes.
    """
    percent, value = step
    for other_percent, other_value in stairs:
        if other_percent >= percent and other_value >= value:
            return stairs
    rest = [one for one in stairs if one[0] > percent or one[1] > value]
    return tuple(sorted([*rest, step], reverse=True)) if rest else (step,)


def added(stairs: Stairs, step: Stair) -> int:
    """Return by how much one more stair raises the total value of stairs, in micro-levels."""
    after = with_stair(stairs, step)
    return 0 if after is stairs else total_value(after) - total_value(stairs)


def slots_of(steps: Mapping[int, Stair], gained: Stairs) -> Iterator[dict[int, int]]:
    """Yield for each band of confidence, lowest first: position of a stair -> micro-levels that it adds to that band.

    `steps`: position of a course -> its stair. `gained`: stairs held already; only what exceeds them is added.
    """
    below = 0
    for percent in sorted({CERTAIN, *(one for one, _ in (*steps.values(), *gained))}):
        held = max((share(percent, value) - share(below, value) for one, value in gained if one >= percent), default=0)
        yield {
            place: max(share(percent, value) - share(below, value) - held, 0)
            for place, (one, value) in steps.items()
            if one >= percent
        }
        below = percent


def expected_shortfall(level: float, mean: float, sd: float) -> float:
    """Return psi: the expected amount, in levels, by which N(mean, sd^2) lies below `level`."""
    if sd <= 0:
        return max(level - mean, 0.0)
    z = (level - mean) / sd
    density = exp(-z * z / 2) / sqrt(2 * pi)
    return sd * density + (level - mean) * (1 + erf(z / sqrt(2))) / 2


class ValueFunction:
    """The value of levels for one officer, in micro-levels. `targets`: every required skill, gap or not.

    `least_confidence`: the confidence from which a matched row counts, 0 to 1; None: the threshold of each row's
    calibration. `stairs`: skill -> what unconfirmed rows of completed courses have gained.
    """

    def __init__(self, targets: dict[str, SkillTarget], least_confidence: float | None = None) -> None:
        self.targets = targets
        self.least_confidence = None if least_confidence is None else round(least_confidence * MICRO)
        self.required = sum(round(MICRO * target.weight * target.required) for target in targets.values())
        self._certain: dict[tuple[str, float], int] = {}
        self.stairs: dict[str, Stairs] = {}
        for skill, target in targets.items():
            for row in target.evidence:
                if (value := self.certain(skill, row.high / MICRO)) and self.counts(row) and row.percent:
                    self.stairs[skill] = with_stair(self.stairs.get(skill, ()), (row.percent, value))
        self.gaps = {skill: self.of(skill, target.required) for skill, target in targets.items() if target.is_gap}
        self.gap = sum(self.gaps.values())

    def of(self, skill: str, level: float) -> int:
        """Return the additional value of holding `level` instead of the current one; 0 if it is not higher."""
        return self.alone(skill, (CERTAIN, self.certain(skill, level)))

    def matched(self, skill: str, row: MatchedSpan) -> Stair | None:
        """Return the stair of an unconfirmed row; None if it does not count or adds nothing for the officer."""
        if not self.may_use(skill, row):
            return None
        step = self.stair(skill, row)
        return step if self.alone(skill, step) else None

    def may_use(self, skill: str, row: MatchedSpan) -> bool:
        """Return whether an unconfirmed row counts for the officer: confident enough, and its `from` is held."""
        target = self.targets.get(skill)
        return target is not None and row.low <= micro(target.level) and row.percent > 0 and self.counts(row)

    def stair(self, skill: str, row: MatchedSpan) -> Stair:
        """Return the stair of an unconfirmed row: its confidence, and the value of its `to`."""
        return row.percent, self.certain(skill, row.high / MICRO)

    def counts(self, row: MatchedSpan) -> bool:
        """Return whether a row is confident enough to count."""
        return row.confidence >= (row.threshold if self.least_confidence is None else self.least_confidence)

    def alone(self, skill: str, step: Stair) -> int:
        """Return by how much one stair raises the value that completed courses have already gained, in micro-levels."""
        if (gained := self.stairs.get(skill)) is None:
            return share(*step)
        return added(gained, step)

    def certain(self, skill: str, level: float) -> int:
        """Return the additional value of holding `level`, as if no completed course had unconfirmed rows.

        0 if the skill is no gap or the level is not above the current one.
        """
        if (known := self._certain.get((skill, level))) is None:
            known = self._certain[skill, level] = self._beyond_present(skill, level)
        return known

    def _beyond_present(self, skill: str, level: float) -> int:
        target = self.targets.get(skill)
        if target is None or not target.is_gap or level <= target.level:
            return 0
        gained = self._whole(target, target.level) if target.rests_on_courses else 0
        return self._whole(target, level if target.lacks(level) else target.required) - gained

    def _whole(self, target: SkillTarget, level: float) -> int:
        """Return the additional value of holding a level compared with the measured one."""
        return round(MICRO * target.weight * expected_shortfall(level, target.measured, target.sd))

    def coverage(self, gained: int) -> float:
        """Return the share of the requirement held after `gained` micro-levels: 0 to 1, to six places."""
        if self.required == 0:
            return 1.0
        return round(max(1 - (self.gap - gained) / self.required, 0.0), 6)
