"""What clients send, what they get back, and how evidence is kept."""

import hashlib
from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from shared.domain import LEAST, Hours, Identifier, Language, Level, keep_millionths
from shared.events import AssessmentKind


class PutOfficer(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where an officer works and how much time there is. `framework` missing means the service's default."""

    job_group: Identifier
    agency: Identifier
    framework: Identifier | None = None
    stage: Identifier | None = None
    languages: Annotated[list[Language], Meta(max_length=20)] = []
    weekly_hours: Hours | None = None
    deadline: date | None = None


class OfficerPut(Struct, frozen=True):
    """`changed` is false where everything was so already; then there is no new sequence."""

    officer: str
    profile_sequence: int
    changed: bool


class Result(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One measured level; `sd`, its standard deviation in levels, follows from the kind of assessment if missing."""

    skill: Identifier
    level: Level
    sd: Annotated[float, Meta(gt=0, le=100)] | None = None

    def __post_init__(self) -> None:
        keep_millionths(self, "level")
        keep_millionths(self, "sd", least=LEAST)


class SubmitAssessment(Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence about an officer's levels, measured at `taken_at`, which carries its time zone."""

    framework: Identifier
    kind: AssessmentKind
    results: Annotated[list[Result], Meta(min_length=1, max_length=200)]
    taken_at: Annotated[datetime, Meta(tz=True)]


class AssessmentAccepted(Struct, frozen=True):
    """The assessment is stored, and the profile that resulted will be announced."""

    assessment_id: str
    officer: str
    profile_sequence: int


class Evidence(Struct, frozen=True):
    """One accepted assessment, and the sequence of the profile that it made."""

    assessment_id: str
    framework: str
    kind: AssessmentKind
    results: list[Result]
    taken_at: datetime
    received_at: datetime
    profile_sequence: int


class EvidenceList(Struct, frozen=True):
    """Assessments, newest measurement first. `next` is the `after` of the next page, null on the last one."""

    assessments: list[Evidence]
    next: str | None


class ListEvidence(Struct, frozen=True, forbid_unknown_fields=True):
    """How many at most, and after which `assessment_id`."""

    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


def assessment_id_of(tenant: str, officer: str, idempotency_key: str) -> str:
    """Return the id of an assessment: the same for the same tenant, officer and key, and for nothing else."""
    return hashlib.sha256(msgspec.json.encode([tenant, officer, idempotency_key])).hexdigest()[:32]


def digest_of(body: SubmitAssessment) -> str:
    """Return what tells one body from another under the same key; the order of JSON members does not matter."""
    return hashlib.sha256(msgspec.json.encode(body)).hexdigest()
