"""The assessment service on real servers with a small framework, and the requests that its tests send."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from services.assessment.__main__ import build
from services.assessment.api.context import CONTEXT
from shared.domain import SHARED_TENANT, JobGroup, ScaleLevel, Stage
from shared.events import CATALOG_TOPIC, FrameworkPublished
from shared.settings import AssessmentSettings
from tests.support.builders import FRAMEWORK, framework, text, unique
from tests.support.services import Started, settings_of, started
from tests.support.waiting import until

TAKEN_AT = "2026-11-20T09:00:00+07:00"
NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv"}
PUT = {"job_group": "service", "agency": "north"}


@asynccontextmanager
async def assessment_service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    """Start the service; it has received a framework when the block begins."""
    settings = settings_of(AssessmentSettings, mongodb_uri, kafka_bootstrap, DEFAULT_FRAMEWORK=FRAMEWORK)
    plain = framework({"reading": 3, "writing": 4})
    shown = msgspec.structs.replace(
        plain,
        skills=[
            msgspec.structs.replace(plain.skills[0], descriptors=[ScaleLevel(2, text("reads"))]),
            *plain.skills[1:],
        ],
        job_groups=[*plain.job_groups, JobGroup("executive", text("executive"))],
        stages=[Stage("early", text("early"))],
    )
    async with started(build, settings) as service:
        index = service.client.app[CONTEXT].index

        async def known() -> bool:
            return index.find(SHARED_TENANT, FRAMEWORK) is not None

        await service.publish(
            CATALOG_TOPIC,
            (f"{SHARED_TENANT}/framework:{FRAMEWORK}", 1, FrameworkPublished(SHARED_TENANT, shown)),
        )
        await until(known)
        yield service


async def registered(service: Started, **body: Any) -> str:
    officer = unique("officer")
    got = await service.ask("PUT", f"/v1/officers/{officer}", json=PUT | body)
    assert got.status == 201, await got.text()
    return officer


def assessment(level: float = 2, **changed: Any) -> dict[str, Any]:
    body = {
        "framework": FRAMEWORK,
        "kind": "test",
        "results": [{"skill": "reading", "level": level}],
        "taken_at": TAKEN_AT,
    }
    return body | changed


async def submit(
    service: Started, subject: str, body: Any, key: str = "", **options: Any
) -> tuple[int, dict[str, Any]]:
    headers = {"Idempotency-Key": key or unique("key")}
    got = await service.ask("POST", f"/v1/officers/{subject}/assessments", json=body, headers=headers, **options)
    return got.status, await got.json()


async def profile_of(service: Started, officer: str) -> dict[str, Any]:
    got = await service.ask("GET", f"/v1/officers/{officer}")
    assert got.status == 200
    found: dict[str, Any] = await got.json()
    return found


async def levels_of(service: Started, officer: str) -> dict[str, tuple[float, float]]:
    """Return {skill: (level, standard deviation)} of an officer."""
    return {one["skill"]: (one["level"], one["sd"]) for one in (await profile_of(service, officer)).get("levels", [])}


def row(officer: str, level: float = 2, **changed: Any) -> dict[str, Any]:
    return {"officer": officer, "skill": "reading", "level": level, "taken_at": TAKEN_AT} | changed


async def imported(
    service: Started, body: Any, path: str = "assessments", query: str = "", **options: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    headers = options.pop("headers", NDJSON)
    data = body if isinstance(body, str) else "\n".join(json.dumps(one) for one in body)
    got = await service.ask("POST", f"/v1/{path}:import{query}", data=data.encode(), headers=headers, **options)
    assert got.status == 200, await got.text()
    *verdicts, report = [json.loads(line) for line in (await got.text()).splitlines()]
    return verdicts, report


def statuses(verdicts: list[dict[str, Any]]) -> list[str]:
    return [one["status"] for one in verdicts]
