"""The figures of a path that an agency's report sums, stored with it so that the report reads no paths. No I/O.

Value is in micro-levels, as in the path.
"""

from msgspec import Struct

from shared.paths import LearningPath


class SkillOutcome(Struct, frozen=True, array_like=True):
    """One required skill of one officer; `cause` is why the path leaves it open, "" if it does not.

    A gap that is too small to measure counts as closed.
    """

    skill: str
    level: float
    required: float
    reached: float
    weight: float
    assessed: bool
    cause: str


class PathSummary(Struct, frozen=True, omit_defaults=True):
    """The figures of one officer's path.

    `gap`: the value of all gaps. `before`, `after`: shares of the requirement held. `closes`: {course: value of the
    gaps that it closes}. `hours`: of the path.
    """

    status: str
    job_group: str
    hours: float
    gap: int
    before: float
    after: float
    skills: list[SkillOutcome] = []
    closes: dict[str, int] = {}


def rounded_share(share: float) -> float:
    """Return a share of 0 to 1 in hundredths: 1 stands for a whole share alone, and 0 for none alone."""
    return share if share in (0, 1) else min(max(round(share, 2), 0.01), 0.99)


def path_summary(path: LearningPath) -> PathSummary:
    """Return the figures of a path that an agency's report sums."""
    causes = {row.skill: row.cause for row in path.open if row.cause != "too_small"}
    return PathSummary(
        status=path.status,
        job_group=path.job_group,
        hours=path.hours,
        gap=path.coverage.gap,
        before=round(path.coverage.before, 6),
        after=round(path.coverage.after, 6),
        skills=[
            SkillOutcome(
                row.skill, row.level, row.required, row.reached, row.weight, row.assessed, causes.get(row.skill, "")
            )
            for row in path.gaps
        ],
        closes={step.course.id: sum(row.contribution for row in step.closes) for step in path.steps},
    )
