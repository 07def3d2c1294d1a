"""Computes the skill profile, the current estimate of every level, from evidence. Pure."""

from collections.abc import Iterable

import msgspec

from services.assessment.model import PutOfficer
from shared.domain import Framework, Profile, SkillLevel
from shared.errors import InvalidInput


def check(body: PutOfficer, framework: Framework) -> None:
    """Refuse a job group or a stage that the framework lacks. Raises InvalidInput naming the field."""
    if body.job_group not in {group.id for group in framework.job_groups}:
        raise InvalidInput(f"framework {framework.id} has no job group {body.job_group!r}", "job_group")
    if body.stage is not None and body.stage not in {stage.id for stage in framework.stages}:
        raise InvalidInput(f"framework {framework.id} has no stage {body.stage!r}", "stage")


def check_admitted(framework: Framework, known: Profile | None) -> None:
    """Refuse a retired framework to an officer who is not under it already. Raises InvalidInput naming the field."""
    if framework.retired and (known is None or known.framework != framework.id):
        raise InvalidInput(f"framework {framework.id} is retired: nobody new is registered under it", "framework")


def registration(known: Profile) -> PutOfficer:
    """Return what an officer was registered with."""
    return PutOfficer(
        job_group=known.job_group,
        agency=known.agency,
        framework=known.framework,
        stage=known.stage,
        languages=known.languages,
        weekly_hours=known.weekly_hours,
        deadline=known.deadline,
    )


def registered(  # noqa: PLR0913 - by name, from one place
    body: PutOfficer,
    framework: Framework,
    *,
    before: Profile | None,
    tenant: str,
    officer: str,
    sequence: int,
    owner: str | None = None,
) -> Profile | None:
    """Return the officer's next profile, `sequence` + 1; None where the body changes nothing. Levels are kept.

    `owner`: whose framework it is; see Profile.
    """
    after = Profile(
        tenant=tenant,
        officer=officer,
        sequence=sequence + 1,
        framework=framework.id,
        framework_version=framework.version,
        job_group=body.job_group,
        agency=body.agency,
        stage=body.stage,
        languages=body.languages,
        weekly_hours=body.weekly_hours,
        deadline=body.deadline,
        levels=before.levels if before else [],
        framework_owner=owner,
    )
    if before is not None:
        counted = {name: getattr(before, name) for name in ("sequence", "framework_version", "framework_owner")}
        if msgspec.structs.replace(after, **counted) == before:
            return None
    return after


def assessed(
    before: Profile, measured: Iterable[SkillLevel], framework: Framework | None = None, owner: str | None = None
) -> Profile:
    """Return the profile with new measurements and the next sequence.

    `framework`, of this `owner`: the officer's own, where that is what was measured.
    """
    after = msgspec.structs.replace(before, sequence=before.sequence + 1, levels=merged(before.levels, measured))
    if framework is None:
        return after
    return msgspec.structs.replace(after, framework_version=framework.version, framework_owner=owner)


def merged(levels: Iterable[SkillLevel], measured: Iterable[SkillLevel]) -> list[SkillLevel]:
    """Return one level per framework and skill: the one measured last; of two at the same time, the new one."""
    latest = {(level.framework, level.skill): level for level in levels}
    for level in measured:
        place = (level.framework, level.skill)
        if place not in latest or level.measured_at >= latest[place].measured_at:
            latest[place] = level
    return [latest[place] for place in sorted(latest)]
