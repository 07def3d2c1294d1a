"""Computes the skill profile, the current estimate of every level, from evidence. Pure."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from services.assessment.fusion import Piece, SkillEvidence, added, contradictions, estimate, widened
from services.assessment.model import (
    Evidence,
    EvidencePiece,
    FormLevel,
    FormSkill,
    PutOfficer,
    SelfAssessmentForm,
    SkillContradiction,
    SkillEstimate,
    SkillProfile,
)
from services.assessment.scoring import pieces, successor_note
from shared.domain import Framework, Profile, Requirement, SkillLevel, key_of
from shared.errors import InvalidInput, UnknownName, known_names
from shared.succession import job_group_of
from shared.texts import doubtful_in_id

_CITIZEN_DIGITS = 13
_WITHOUT_SEPARATORS = str.maketrans("", "", "._-")


def check(body: PutOfficer, framework: Framework) -> None:
    """Check that the framework has the job group and the stage. Raises InvalidInput naming the field."""
    if body.job_group not in {group.id for group in framework.job_groups}:
        message = f"framework {framework.id} has no job group {body.job_group!r}"
        present = successor_note(framework, "job_group", body.job_group)
        present = present or known_names(group.id for group in framework.job_groups)
        raise UnknownName(f"{message}{present}", "job_group")
    if body.stage is not None and body.stage not in {stage.id for stage in framework.stages}:
        message = f"framework {framework.id} has no stage {body.stage!r}"
        raise UnknownName(f"{message}{known_names(stage.id for stage in framework.stages)}", "stage")


def check_pseudonym(officer: str, field: str) -> None:
    """Check that the id of a new officer is not a citizen's number, and not one that a program or a keyboard changed.

    Raises InvalidInput naming `field`.
    """
    if doubt := doubtful_in_id(officer):
        raise InvalidInput(doubt, field)
    if is_citizen_number(officer):
        raise InvalidInput(
            "has the form of a Thai citizen's number (13 digits with a valid check digit); an officer's id is in "
            "events, logs and addresses: use a staff number or another pseudonym",
            field,
        )


def is_citizen_number(identifier: str) -> bool:
    """Return whether an identifier is 13 digits of which the last is the check digit of a Thai citizen's number.

    Dots, dashes and underscores are ignored. The first twelve digits are weighted 13 to 2 and added up; the check digit
    is the last digit of 11 minus the remainder of this sum by 11 (Central Registration Bureau, Department of Provincial
    Administration).
    """
    digits = identifier.translate(_WITHOUT_SEPARATORS)
    if not (len(digits) == _CITIZEN_DIGITS and digits.isascii() and digits.isdigit()):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(_CITIZEN_DIGITS, 1, -1), strict=False))
    return int(digits[-1]) == (11 - total % 11) % 10


def check_admitted(framework: Framework, known: Profile | None) -> None:
    """Check that an officer is not newly registered under a retired framework. Raises InvalidInput naming the field."""
    if framework.retired and (known is None or known.framework != framework.id):
        raise InvalidInput(f"framework {framework.id} is retired: nobody new is registered under it", "framework")


def registration(known: Profile) -> PutOfficer:
    """Return the registration in a profile."""
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
    """Return the officer's profile after a registration, numbered `sequence` + 1; None if `body` changes nothing.

    The levels of `before` are kept. `owner`: the tenant that owns the framework; see Profile.
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


Statistics = dict[str, SkillEvidence]
"""{`framework/skill`: the sums over all evidence of the skill} of an officer."""


def with_evidence(statistics: Statistics, evidence: Iterable[Evidence]) -> Statistics:
    """Return new statistics of the skills that `evidence` is about, with it added; its order does not matter."""
    found: dict[str, list[Piece]] = {}
    for one in evidence:
        for key, piece in pieces(one):
            found.setdefault(key, []).append(piece)
    return {key: added(statistics.get(key) or SkillEvidence(), *more) for key, more in found.items()}


def assessed(
    before: Profile, changed: Statistics, framework: Framework | None = None, owner: str | None = None
) -> Profile:
    """Return the profile with the next sequence, and with the levels of the skills in `changed` computed again.

    `framework` and `owner`: the officer's own framework and its owner, if the evidence is about this framework.
    """
    under = {"framework_version": framework.version, "framework_owner": owner} if framework else {}
    levels = fused(before.levels, changed)
    return msgspec.structs.replace(before, sequence=before.sequence + 1, levels=levels, **under)


def fused(levels: Iterable[SkillLevel], changed: Statistics) -> list[SkillLevel]:
    """Return `levels` with those of the skills in `changed` computed again, in the order of framework and skill.

    The sd of a level, in levels, is the one at the time of its last measurement, as events announce it.
    """
    held = {key_of(level.framework, level.skill): level for level in levels}
    for key, evidence in changed.items():
        framework, _, skill = key.partition("/")
        if found := estimate(evidence):
            held[key] = SkillLevel(framework, skill, found.level, found.sd, found.measured_at)
    return sorted(held.values(), key=lambda level: (level.framework, level.skill))


def skill_profile(profile: Profile, statistics: Statistics, at: datetime) -> SkillProfile:
    """Return the level of every skill as of the time `at`, with the skill's latest evidence and contradictions.

    `statistics`: of the evidence up to `at`. A standard deviation, in levels, grows with the age of the evidence.
    """
    skills, apart = [], []
    for key, evidence in sorted(statistics.items()):
        framework, _, skill = key.partition("/")
        found = estimate(evidence)
        counted = found.counted if found else []
        skills.append(
            SkillEstimate(
                framework=framework,
                skill=skill,
                level=found.level if found else None,
                sd=widened(found.sd, found.measured_at, at) if found else None,
                measured_at=found.measured_at if found else None,
                pieces=evidence.count,
                latest=[_shown(piece, counts=piece in counted) for piece in evidence.latest],
            )
        )
        for one in contradictions(evidence):
            first, second = (_shown(piece, counts=piece in counted) for piece in (one.first, one.second))
            apart.append(SkillContradiction(framework, skill, first, second, one.apart, one.allowed))
    return SkillProfile(profile.officer, at, profile.sequence, profile.framework, profile.job_group, skills, apart)


def required_of(profile: Profile, framework: Framework) -> dict[str, Requirement]:
    """Return {skill: requirement} of an officer, whose job group may be one of an earlier version of the framework."""
    return framework.required(job_group_of(profile.job_group, framework)[0], profile.stage)


def self_assessment(profile: Profile, framework: Framework) -> SelfAssessmentForm:
    """Return the form of an officer: the required skills in the framework's order, each with every level of the scale.

    A level has the skill's own descriptor if there is one, and otherwise only the title of the scale.
    """
    required = required_of(profile, framework)
    scale = sorted(framework.scale, key=lambda step: step.level)
    skills = []
    for skill in framework.skills:
        if skill.id in required:
            titles = {step.level: step.title for step in skill.descriptors}
            levels = [FormLevel(step.level, step.title, titles.get(step.level)) for step in scale]
            skills.append(FormSkill(skill.id, skill.title, required[skill.id].level, levels, skill.description))
    return SelfAssessmentForm(
        profile.officer, framework.id, framework.version, profile.job_group, skills, profile.stage
    )


def _shown(piece: Piece, *, counts: bool) -> EvidencePiece:
    return EvidencePiece(piece.kind, piece.level, piece.sd, piece.taken_at, piece.assessment_id, counts)
