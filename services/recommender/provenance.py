"""What a stored path was computed from, by version and by hash, and the inputs that follow from it. No I/O.

`inputs_for` is the only way from an officer's record to the inputs of a plan: a service uses it when it plans, and the
command `recompute` when it plans again from what was stored.
"""

import hashlib
from collections.abc import Sequence
from datetime import date

import msgspec
from msgspec import Struct

from services.recommender.feedback import Feedback
from services.recommender.inputs import (
    ALGORITHM,
    SMALLEST_GAP,
    Inputs,
    TenantRules,
    inputs_for,
)
from shared.domain import Framework, Profile


class Hashes(Struct, frozen=True):
    """SHA-256, in hexadecimal, of the JSON of what went into a path."""

    profile: str
    feedback: str
    rules: str
    framework: str


class Record(Struct, frozen=True, omit_defaults=True):
    """Everything a path was computed from. Courses, framework and rules are kept elsewhere and named by version.

    `previous`: the courses of the path before; with `stable` that path stayed unless another was worth notably more,
    and with `finishing` as far as it could still be studied.
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
    """Return the SHA-256 of the JSON of anything that is stored or sent."""
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def record_of(  # noqa: PLR0913 - each is a part of the record, given by name
    profile: Profile,
    feedback: Feedback,
    rules: TenantRules,
    previous: Sequence[str],
    *,
    framework: Framework,
    as_of: date,
    catalog_revision: int,
    stable: bool = True,
    finishing: bool = False,
    smallest_gap: float = SMALLEST_GAP,
) -> Record:
    """Return the record of a path that is about to be computed."""
    return Record(
        profile=profile,
        feedback=feedback,
        as_of=as_of,
        framework=f"{framework.id}@{framework.version}",
        catalog_revision=catalog_revision,
        algorithm=ALGORITHM,
        hashes=Hashes(hash_of(profile), hash_of(feedback), hash_of(rules), framework.content_hash),
        rules_version=rules.version,
        previous=list(previous),
        stable=stable,
        finishing=finishing,
        smallest_gap=smallest_gap,
    )


def inputs_of_record(record: Record, rules: TenantRules, framework: Framework) -> Inputs:
    """Return the inputs that a stored path was computed from."""
    return inputs_for(
        record.profile,
        record.feedback,
        rules,
        record.previous,
        framework=framework,
        as_of=record.as_of,
        stable=record.stable,
        finishing=record.finishing,
        smallest_gap=record.smallest_gap,
    )
