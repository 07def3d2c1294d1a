"""Checks an assessment and converts it to pieces of evidence."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from services.assessment.fusion import LEAST_STANDARD_DEVIATION, STANDARD_DEVIATION, Piece
from services.assessment.model import Evidence, EvidenceKind, Result, SubmitAssessment
from shared.domain import LEAST, Framework, key_of, millionths
from shared.errors import InvalidInput, UnknownName
from shared.events import EARLIEST, AssessmentKind

CLOCK_SKEW = timedelta(minutes=5)

_MOST_STEPS = 10


def check(assessment: SubmitAssessment, framework: Framework, now: datetime) -> None:
    """Raise the first of the `faults`, an InvalidInput naming the field."""
    for fault in faults(assessment, framework, now):
        raise fault


def faults(assessment: SubmitAssessment, framework: Framework, now: datetime) -> Iterator[InvalidInput]:
    """Yield the faults of an assessment, by field.

    Faults are: a skill that the framework lacks or that is given twice, a level outside the scale, a standard
    deviation that is too small for the kind, and an impossible time.
    """
    if assessment.taken_at - now > CLOCK_SKEW:
        yield InvalidInput("is in the future", "taken_at")
    if assessment.taken_at < EARLIEST:
        yield InvalidInput("is before the year 1900", "taken_at")
    known, top = framework.skills_by_id, framework.max_level
    seen: set[str] = set()
    for i, result in enumerate(assessment.results):
        if result.skill not in known:
            message = f"framework {framework.id} has no skill {result.skill!r}"
            yield UnknownName(f"{message}{successor_note(framework, 'skill', result.skill)}", f"results[{i}].skill")
        elif result.skill in seen:
            yield InvalidInput(f"{result.skill!r} is given twice", f"results[{i}].skill")
        if result.level > top:
            yield InvalidInput(f"above the scale's top, {top:g}", f"results[{i}].level")
        if result.sd is not None and result.sd < (least := least_sd(assessment.kind, framework)):
            yield InvalidInput(too_sure(assessment.kind, least), f"results[{i}].sd")
        seen.add(result.skill)


def step_of(framework: Framework) -> float:
    """Return the step of a framework's scale, in levels; `fusion` states standard deviations in such steps.

    It is the mean distance between neighbouring levels, or a tenth of the scale if that is more: nobody tells apart the
    points of a scale from 0 to 100.
    """
    steps = len(framework.scale) - 1
    return framework.level_step * max(1.0, steps / _MOST_STEPS)


def least_sd(kind: EvidenceKind, framework: Framework | None = None) -> float:
    """Return the smallest standard deviation that an assessment of a kind may state, in levels of the framework.

    Without a framework, in steps of a scale.
    """
    return millionths(LEAST_STANDARD_DEVIATION[kind] * (step_of(framework) if framework else 1.0), LEAST)


def usual_sd(kind: EvidenceKind, framework: Framework) -> float:
    """Return the standard deviation, in levels of the framework, that counts if an assessment of a kind states none."""
    return _usual_sd(kind, step_of(framework))


@lru_cache(maxsize=256)
def _usual_sd(kind: EvidenceKind, step: float) -> float:
    return millionths(STANDARD_DEVIATION[kind] * step, LEAST)


def with_usual_sd(results: Sequence[Result], kind: EvidenceKind, framework: Framework) -> list[Result]:
    """Return results to store: those without a standard deviation get the usual one of the framework's scale.

    On a scale with steps of 1 level the usual one is not stored, because it is the same for every such framework. On
    any other scale it is stored, so that a later change of the scale does not change old evidence.
    """
    if framework.level_step == 1.0 and len(framework.scale) <= _MOST_STEPS + 1:  # as of most frameworks
        return [*results]
    usual = usual_sd(kind, framework)
    if usual == STANDARD_DEVIATION[kind]:
        return [*results]
    return [msgspec.structs.replace(one, sd=usual) if one.sd is None else one for one in results]


def too_sure(kind: EvidenceKind, least: float) -> str:
    """Return the message for a standard deviation that is too small. `least`: the smallest allowed one, in levels."""
    return f"evidence of the kind {kind!r} is not surer than {least:g} of a level; leave `sd` out for the usual one"


def successor_note(framework: Framework, of: str, former: str) -> str:
    """Return the end of a sentence that names the successors of `former`; empty if it has none.

    `of`: `skill` or `job_group`. `former`: the id in an earlier version of the framework.
    """
    present = [row.target for row in framework.successors.get((of, former), ())]
    return f"; it is {', '.join(map(repr, present))} now" if present else ""


def pieces(evidence: Evidence) -> Iterator[tuple[str, Piece]]:
    """Yield (key of the skill, piece) for each skill of an assessment; the key is `framework/skill`."""
    usual = STANDARD_DEVIATION[evidence.kind]
    taken_at = evidence.taken_at.astimezone(UTC)
    for result in evidence.results:
        sd = usual if result.sd is None else result.sd
        piece = Piece(evidence.kind, result.level, sd, taken_at, evidence.assessment_id)
        yield key_of(evidence.framework, result.skill), piece


def announced_kind(kind: EvidenceKind) -> AssessmentKind:
    """Return the kind that an event names: a completed course is announced as `external`."""
    return "external" if kind == "completion" else kind
