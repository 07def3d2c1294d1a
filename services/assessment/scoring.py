"""From an assessment to measured levels: what is refused, and how sure each kind of assessment is."""

from datetime import datetime, timedelta

from services.assessment.model import SubmitAssessment
from shared.domain import Framework, SkillLevel
from shared.errors import InvalidInput
from shared.events import AssessmentKind

STANDARD_DEVIATION: dict[AssessmentKind, float] = {"test": 0.3, "external": 0.4, "supervisor": 0.5, "self": 0.8}
"""How far a level of each kind is off, in levels, unless the assessment says so itself."""

CLOCK_SKEW = timedelta(minutes=5)


def check(assessment: SubmitAssessment, framework: Framework, now: datetime) -> None:
    """Refuse a skill that the framework lacks or that stands twice, a level off its scale, a time to come.

    Raises InvalidInput naming the field.
    """
    if assessment.taken_at > now + CLOCK_SKEW:
        raise InvalidInput("lies in the future", "taken_at")
    known = {skill.id for skill in framework.skills}
    seen: set[str] = set()
    for i, result in enumerate(assessment.results):
        if result.skill not in known:
            raise InvalidInput(f"framework {framework.id} has no skill {result.skill!r}", f"results[{i}].skill")
        if result.skill in seen:
            raise InvalidInput(f"{result.skill!r} stands twice", f"results[{i}].skill")
        if result.level > framework.max_level:
            raise InvalidInput(f"above the scale's top, {framework.max_level:g}", f"results[{i}].level")
        seen.add(result.skill)


def measured(assessment: SubmitAssessment) -> list[SkillLevel]:
    """Return the levels that an assessment measured, each with its standard deviation and time."""
    usual = STANDARD_DEVIATION[assessment.kind]
    return [
        SkillLevel(
            framework=assessment.framework,
            skill=result.skill,
            level=result.level,
            sd=usual if result.sd is None else result.sd,
            measured_at=assessment.taken_at,
        )
        for result in assessment.results
    ]
