"""What a stored path was computed from: its inputs, by version and by hash. No I/O."""

import hashlib
from datetime import date
from typing import Literal

import msgspec
from msgspec import Struct

from services.recommender.feedback import Feedback
from services.recommender.inputs import ALGORITHM, SMALLEST_GAP, PlanRequest, TenantRules
from shared.domain import Framework, Profile

PlanField = Literal["courses", "open_skills", "framework_id"]
"""The field of a stored plan that names what a catalog change may concern."""


class PlanHead(Struct, frozen=True):
    """The fields that decide whether a plan is newer than an event, and whether it must be replanned.

    `considered` is the catalog revision up to which the plan is known to be valid; `framework` is `id@version`;
    `courses` are those of the path, in order; `open_skills` are `framework/skill`; `rules` is the version of the
    tenant's rules; `stale`: feedback was stored that the path does not follow yet.
    """

    profile_sequence: int
    revision: int
    tenant: str
    considered: int = 0
    erased: bool = False
    framework: str = ""
    courses: list[str] = []
    open_skills: list[str] = []
    feedback_sequence: int = 0
    rules: int = 0
    stale: bool = False


class Hashes(Struct, frozen=True):
    """SHA-256, in hexadecimal, of the JSON of the inputs of a path."""

    profile: str
    feedback: str
    rules: str
    framework: str


class InputsRecord(Struct, frozen=True, omit_defaults=True):
    """All inputs of a path. Courses, framework and rules are stored elsewhere and named by version.

    `previous`: the courses of the previous path; with `stable` that path stayed unless another was notably better, and
    with `finishing` as far as it could still be studied.
    """

    profile: Profile
    feedback: Feedback
    as_of: date
    framework: str
    catalog_revision: int
    algorithm: str
    hashes: Hashes
    rules_version: int = 0
    previous: list[str] = []
    stable: bool = True
    finishing: bool = False
    smallest_gap: float = SMALLEST_GAP


def hash_of(content: object) -> str:
    """Return the SHA-256 of the JSON of a value."""
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def record_of(request: PlanRequest, framework: Framework, catalog_revision: int) -> InputsRecord:
    """Return the record of a path that is about to be computed."""
    return InputsRecord(
        profile=request.profile,
        feedback=request.feedback,
        as_of=request.as_of,
        framework=f"{framework.id}@{framework.version}",
        catalog_revision=catalog_revision,
        algorithm=ALGORITHM,
        hashes=Hashes(
            hash_of(request.profile), hash_of(request.feedback), hash_of(request.rules), framework.content_hash
        ),
        rules_version=request.rules.version,
        previous=list(request.previous),
        stable=request.stable,
        finishing=request.finishing,
        smallest_gap=request.smallest_gap,
    )


def request_of(record: InputsRecord, rules: TenantRules) -> PlanRequest:
    """Return the request that a stored path was computed for. `rules`: the version that the record names."""
    return PlanRequest(
        record.profile,
        record.as_of,
        record.feedback,
        rules,
        record.previous,
        record.stable,
        record.finishing,
        record.smallest_gap,
    )
