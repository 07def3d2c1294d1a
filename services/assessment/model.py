"""Requests, answers, and stored evidence of the assessment service."""

import hashlib
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from shared.domain import LEAST, Identifier, Language, Level, LocalizedText, Prose, WeeklyHours, keep_millionths
from shared.errors import InvalidInput

EvidenceKind = Literal["test", "self", "supervisor", "external", "completion"]
"""The source of evidence. `completion`: a course was completed, which is weak evidence and no measurement."""


class PutOfficer(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An officer's registration: job group, agency, weekly hours and so on.

    `framework` missing: the service's default.
    """

    job_group: Identifier
    agency: Identifier
    framework: Identifier | None = None
    stage: Identifier | None = None
    languages: Annotated[list[Language], Meta(max_length=20)] = []
    weekly_hours: WeeklyHours | None = None
    deadline: date | None = None


class OfficerPut(Struct, frozen=True):
    """The result of a registration. `changed` is false if nothing changed; then there is no new sequence."""

    officer: str
    profile_sequence: int
    changed: bool


class Result(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One measured level. `sd`: its standard deviation in levels; by default it depends on the kind of assessment.

    The smallest `sd` of each kind, in steps of the scale: test 0.1, external 0.15, supervisor 0.25, self 0.4,
    completion 0.5.
    """

    skill: Identifier
    level: Level
    sd: Annotated[float, Meta(gt=0, le=100)] | None = None

    def __post_init__(self) -> None:
        keep_millionths(self, "level")
        keep_millionths(self, "sd", least=LEAST)


class SubmitAssessment(Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence about an officer's levels, measured at `taken_at`, a time with its zone."""

    framework: Identifier
    kind: EvidenceKind
    results: Annotated[list[Result], Meta(min_length=1, max_length=200)]
    taken_at: Annotated[datetime, Meta(tz=True)]


class ImportedResult(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One row of bulk results: an assessment of an officer, with one `skill` and `level`, or with several `results`.

    `key`: your own identifier of the row, like the `Idempotency-Key` of a single submission; by default the row's
    content identifies it. `framework` missing: the officer's own. `sd`: as in a single result.
    """

    officer: Identifier
    taken_at: Annotated[datetime, Meta(tz=True)]
    skill: Identifier | None = None
    level: Level | None = None
    sd: Annotated[float, Meta(gt=0, le=100)] | None = None
    kind: EvidenceKind = "external"
    framework: Identifier | None = None
    key: Annotated[str, Meta(pattern=r"^[!-~]{1,200}$(?!\n)")] | None = None
    results: Annotated[list[Result], Meta(min_length=1, max_length=200)] | None = None

    def measured(self) -> list[Result]:
        """Return the results of the row, which states either one skill or a list of results.

        Raises InvalidInput naming the field unless the row has either `skill` and `level`, or `results`.
        """
        either = "needs either `skill` and `level` (and `sd`), or `results`"
        if self.results is not None:
            if any(one is not None for one in (self.skill, self.level, self.sd)):
                raise InvalidInput(either, "results")
            return self.results
        if self.skill is None or self.level is None:
            raise InvalidInput(either, "skill" if self.skill is None else "level")
        return [Result(self.skill, self.level, self.sd)]


class ImportedOfficer(PutOfficer, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """One row of bulk officers: a registration as in `PUT /v1/officers/{officer_id}`, with the id."""

    officer: Identifier


class ImportRows(Struct, frozen=True, forbid_unknown_fields=True):
    """How a file of rows is imported.

    `encoding`: that of the file; by default it is recognised from the bytes. `dry_run`: report what would happen, and
    write nothing. `import_id`: the id of the report, if the client chooses it.
    """

    encoding: Annotated[str, Meta(max_length=20)] | None = None
    dry_run: bool = False
    import_id: UUID | None = None


class ImportResults(ImportRows, frozen=True, forbid_unknown_fields=True):
    """How a file of results is imported.

    `map`: the file is a grade export of a learning platform; `fact=column` items separated by commas, or `guess`.
    `default`: `fact=value` items for what no column holds.
    """

    map: Annotated[str, Meta(min_length=1, max_length=10_000)] | None = None
    default: Annotated[str, Meta(max_length=10_000)] | None = None


class AssessmentAccepted(Struct, frozen=True):
    """The assessment is stored, and the profile that resulted will be announced."""

    assessment_id: str
    officer: str
    profile_sequence: int


class Evidence(Struct, frozen=True, omit_defaults=True):
    """One accepted assessment, and the sequence of the profile that resulted.

    `origin`: the import and the row, or the xAPI statement, that the evidence came from; otherwise left out.
    """

    assessment_id: str
    framework: str
    kind: EvidenceKind
    results: list[Result]
    taken_at: datetime
    received_at: datetime
    profile_sequence: int
    origin: str | None = None


class EvidencePiece(Struct, frozen=True):
    """The level of one skill in one assessment. `counts`: whether the estimate uses it."""

    kind: EvidenceKind
    level: float
    sd: float
    taken_at: datetime
    assessment_id: str
    counts: bool


class SkillEstimate(Struct, frozen=True):
    """A level with its standard deviation at the requested time; null if there are only completed courses.

    `pieces`: how many assessments of this skill there are. `latest`: the latest of each kind.
    """

    framework: str
    skill: str
    level: float | None
    sd: float | None
    measured_at: datetime | None
    pieces: int
    latest: list[EvidencePiece]


class SkillContradiction(Struct, frozen=True):
    """Two pieces of evidence that differ by `apart` levels, more than `allowed`."""

    framework: str
    skill: str
    first: EvidencePiece
    second: EvidencePiece
    apart: float
    allowed: float


class SkillProfile(Struct, frozen=True):
    """An officer's levels at a time, from the evidence taken by then."""

    officer: str
    at: datetime
    profile_sequence: int
    framework: str
    job_group: str
    skills: list[SkillEstimate]
    contradictions: list[SkillContradiction]


class ShowProfile(Struct, frozen=True, forbid_unknown_fields=True):
    """The time of the requested profile, with its zone; by default now."""

    at: Annotated[datetime, Meta(tz=True)] | None = None


class FormLevel(Struct, frozen=True, omit_defaults=True):
    """One answer option: a level, its name, and its descriptor if the framework has one."""

    level: float
    title: LocalizedText
    descriptor: LocalizedText | None = None


class FormSkill(Struct, frozen=True, omit_defaults=True):
    """One question: which of these levels describes you? `required`: the level that the job group needs."""

    skill: str
    title: LocalizedText
    required: float
    levels: list[FormLevel]
    description: Prose | None = None


class SelfAssessmentForm(Struct, frozen=True, omit_defaults=True):
    """The questions for an officer: every skill that the job group requires. A supervisor may rate with the same form.

    Send the answers as the `results` of an assessment of kind `self`.
    """

    officer: str
    framework: str
    framework_version: int
    job_group: str
    skills: list[FormSkill]
    stage: str | None = None


class EvidenceList(Struct, frozen=True):
    """Assessments, newest measurement first. `next` is the `after` of the next page, null on the last one."""

    assessments: list[Evidence]
    next: str | None


class ListEvidence(Struct, frozen=True, forbid_unknown_fields=True):
    """How many assessments to list, and after which `assessment_id`."""

    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


def assessment_id_of(tenant: str, officer: str, idempotency_key: str) -> str:
    """Return the id of an assessment: a digest of tenant, officer and key, so a repeated submission has the same id."""
    return hashlib.sha256(msgspec.json.encode([tenant, officer, idempotency_key])).hexdigest()[:32]


def digest_of(body: SubmitAssessment) -> str:
    """Return a digest of a body that does not depend on the order of JSON members, to compare bodies under one key."""
    return hashlib.sha256(msgspec.json.encode(body)).hexdigest()


class JobGroupOfficers(Struct, frozen=True, omit_defaults=True):
    """The number of officers who are registered in a job group and at a career stage, or at none."""

    job_group: str
    officers: int
    stage: str | None = None


class FrameworkOfficers(Struct, frozen=True):
    """The number of officers under a framework: in total, by job group, and by job group and career stage.

    The job group and the stage are those of the registration; the framework may have replaced them since.
    """

    framework: str
    officers: int
    job_groups: dict[str, int]
    places: list[JobGroupOfficers]
