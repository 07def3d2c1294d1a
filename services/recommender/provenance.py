"""What a stored path was computed from: its inputs, by version and by hash. No I/O."""

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct

from services.recommender.inputs import ALGORITHM, OfficerInputs, PlanRequest
from services.recommender.rules import TenantRules
from shared.domain import Framework

PlanField = Literal["courses", "open_skills", "framework_id"]
"""A field of a stored plan, by which the plans are found that a change of the catalog concerns."""


class PlanHead(Struct, frozen=True):
    """What decides whether an event is news for a stored plan and whether to plan again; without the path.

    `profile_sequence`, `framework` (`id@version`), `feedback_sequence`, `rules`: the versions of the plan's inputs.
    `considered`: the catalog revision up to which no change concerned it. `courses`: of the path, in order;
    `open_skills`: the gaps that it leaves, as `framework/skill`. `stale`: feedback was stored that the path does not
    follow yet. `erased`: the officer was erased, and nothing else of the plan is left.
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
    """The hash of each input of a path: SHA-256, in hexadecimal, of its JSON."""

    profile: str
    feedback: str
    rules: str
    framework: str


class InputsRecord(OfficerInputs, frozen=True, kw_only=True, omit_defaults=True):
    """The inputs of a path as they are stored with it, so that it can be computed again (`request_of`).

    Courses, framework and rules are stored elsewhere and named by version.
    """

    framework: str
    catalog_revision: int
    algorithm: str
    hashes: Hashes
    rules_version: int = 0


def hash_of(content: object) -> str:
    """Return the SHA-256, in hexadecimal, of the JSON of a value."""
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def record_of(request: PlanRequest, framework: Framework, catalog_revision: int) -> InputsRecord:
    """Return the record of the inputs of a path that is about to be computed."""
    return InputsRecord(
        **request.officer_inputs(),
        framework=f"{framework.id}@{framework.version}",
        catalog_revision=catalog_revision,
        algorithm=ALGORITHM,
        hashes=Hashes(
            hash_of(request.profile), hash_of(request.feedback), hash_of(request.rules), framework.content_hash
        ),
        rules_version=request.rules.version,
    )


def request_of(record: InputsRecord, rules: TenantRules) -> PlanRequest:
    """Return the request that a stored path was computed for. `rules`: the version that the record names."""
    return PlanRequest(**record.officer_inputs(), rules=rules)
