"""Reads and writes a framework in the project's own JSON, as `GET /v1/frameworks/{id}` answers it.

Each area, skill and other part is checked alone, so that the report names all faults.
"""

from typing import Any

import msgspec

from services.catalog.frameworks.builder import Builder
from services.catalog.frameworks.report import NotKept, Options, Reading
from services.catalog.frameworks.tables import Source, raw_of
from shared.decoding import decode_patch
from shared.domain import Area, Framework, JobGroup, Relation, Requirement, ScaleLevel, Skill, Stage, VersionMapping
from shared.errors import InvalidInput

_PARTS: dict[str, Any] = {
    "scale": ScaleLevel,
    "areas": Area,
    "skills": Skill,
    "job_groups": JobGroup,
    "stages": Stage,
    "requirements": Requirement,
    "relations": Relation,
    "mappings": VersionMapping,
}
JSON_LIMIT = 32 * 1024 * 1024
"""The most bytes of a JSON document; it is read into memory as a whole."""

_HEAD = ("id", "title", "description", "version", "provenance", "retired")


def read(sources: list[Source], options: Options) -> Reading:
    """Return the framework of a JSON object, the only file, with a report. Raises Malformed, InvalidInput, TooLarge."""
    builder = Builder(options)
    given = json_of(sources, builder)
    if not isinstance(given, dict):
        raise InvalidInput("is to be a JSON object: a framework")
    for name in given:
        if name not in _HEAD and name not in _PARTS:
            builder.not_kept(f"field {name!r}")
    builder.head(**{name: given[name] for name in _HEAD if name in given})
    for part, shape in _PARTS.items():
        rows = given.get(part) or []
        if not isinstance(rows, list):
            builder.fault("is to be a list", field=part, verdict="untrue")
            continue
        for i, row in enumerate(rows):
            builder.rows += 1
            builder.take(part, shape, row, f"{part}[{i}]")
    return builder.build()


def json_of(sources: list[Source], builder: Builder) -> object:
    """Return the decoded JSON of the only file. Raises Malformed, TooLarge; InvalidInput if there are several files."""
    if len(sources) != 1:
        raise InvalidInput(f"is to be one file; there are {len(sources)}")
    return decode_patch(raw_of(sources[0], builder, JSON_LIMIT))


def write(framework: Framework) -> tuple[bytes, list[NotKept]]:
    """Return a framework as JSON, and an empty list, because JSON holds all its data."""
    return msgspec.json.format(msgspec.json.encode(framework), indent=2) + b"\n", []


def mapping_of(given: Any) -> dict[str, Any]:
    """Return a JSON object, an empty one in place of another value."""
    return given if isinstance(given, dict) else {}


def string_of(given: Any, name: str) -> str:
    """Return a text or a number, as a text; empty without one."""
    value = mapping_of(given).get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if isinstance(value, str) else str(value) if is_number else ""
