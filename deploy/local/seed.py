"""Loads the starter data of deploy/seed/ into running services over HTTP; loading it again changes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp

from deploy.local.display import Display
from deploy.local.processes import ROOT, CannotStart

SEED = ROOT / "deploy" / "seed"
_SHOWN = 5
_TOO_BUSY = {429, 503}
_ATTEMPTS = 20
_PAUSE_SECONDS = 1.0


async def load_catalog(session: aiohttp.ClientSession, catalog_url: str, key: str, display: Display) -> None:
    """Load all frameworks, then all courses, of the starter data. Raises CannotStart.

    `key`: the key of an admin of the tenant `shared`.
    """
    files = sorted((SEED / "frameworks").glob("*.json"))
    courses = SEED / "courses.ndjson"
    if not files or not courses.exists():
        raise CannotStart("the starter data is missing: deploy/seed/ should hold frameworks/*.json and courses.ndjson")
    with display.progress("frameworks", len(files)) as loaded:
        for file in files:
            await put(session, f"{catalog_url}/v1/frameworks/{file.stem}", key, json.loads(file.read_bytes()))
            loaded()
    await import_courses(session, catalog_url, key, courses.read_bytes(), display)


async def load_item_banks(session: aiohttp.ClientSession, assessment_url: str, key: str, display: Display) -> None:
    """Load and publish the item banks of the starter data. Raises CannotStart.

    `key`: the key of an admin of the tenant `shared`. The assessment service must know the frameworks already.
    """
    files = sorted((SEED / "item_banks").glob("*.json"))
    if not files:
        raise CannotStart("the starter data is missing: deploy/seed/ should hold item_banks/*.json")
    with display.progress("item banks", len(files)) as loaded:
        for file in files:
            url = f"{assessment_url}/v1/item-banks/{file.stem}:import?format=json&publish=true"
            async with answered(session, "POST", url, data=file.read_bytes(), headers=bearer(key)) as answer:
                await _accepted(answer)
            loaded()


async def import_courses(
    session: aiohttp.ClientSession, catalog_url: str, key: str, courses: bytes, display: Display
) -> int:
    """Import courses, given as NDJSON, and return how many are new or changed.

    Raises CannotStart, which names the first rejected lines.
    """
    headers = {**bearer(key), "Content-Type": "application/x-ndjson"}
    refused, changed = [], 0
    with display.progress("courses", sum(1 for line in courses.splitlines() if line.strip())) as loaded:
        url = f"{catalog_url}/v1/courses:import"
        async with answered(session, "POST", url, data=courses, headers=headers) as answer:
            await _accepted(answer)
            async for line in answer.content:
                if not line.strip():
                    continue
                result = json.loads(line)
                if "line" not in result:  # the report of the whole
                    if problem := result.get("problem"):
                        refused.append(f"the rest is not read: {problem}")
                    continue
                changed += result["status"] in ("created", "changed")
                if result["status"] == "refused":
                    refused.append(f"line {result['line']} ({result.get('begins')}): {result['problems']}")
                loaded()
    if refused:
        raise CannotStart("\n".join([f"{len(refused)} courses are refused:", *refused[:_SHOWN]]))
    return changed


async def load_officers(session: aiohttp.ClientSession, assessment_url: str, key: str, display: Display) -> list[str]:
    """Register the sample officers that do not exist yet, and submit their assessments; return all ids.

    Raises CannotStart.
    """
    officers = sample_officers()
    with display.progress("officers", len(officers)) as loaded:
        for officer in officers:
            if not await _known(session, f"{assessment_url}/v1/officers/{officer['officer']}", key):
                await register(session, assessment_url, key, officer)
                await submit(session, assessment_url, key, officer)
            loaded()
    return [officer["officer"] for officer in officers]


async def await_paths(
    session: aiohttp.ClientSession, recommender_url: str, key: str, officers: list[str], display: Display
) -> None:
    """Wait until every officer has a path. Raises CannotStart after a minute."""
    with display.progress("paths", len(officers)) as loaded:
        try:
            async with asyncio.timeout(60):
                for officer in officers:
                    while not await _known(session, f"{recommender_url}/v1/officers/{officer}/path", key):
                        await asyncio.sleep(0.1)
                    loaded()
        except TimeoutError as error:
            raise CannotStart(f"officer {officer} has no path yet after a minute: see the recommender's log") from error


def sample_officers() -> list[dict[str, Any]]:
    """Return the sample officers: `officer` is the id, `profile` and `assessment` are bodies of requests.

    Raises CannotStart if the starter data is missing.
    """
    try:
        officers: list[dict[str, Any]] = json.loads((SEED / "officers.json").read_bytes())["officers"]
    except OSError as error:
        raise CannotStart("the starter data is missing: deploy/seed/officers.json") from error
    return officers


async def register(
    session: aiohttp.ClientSession, assessment_url: str, key: str, officer: Mapping[str, Any]
) -> dict[str, Any]:
    """Register a sample officer and return the body of the answer. Raises CannotStart."""
    return await put(session, f"{assessment_url}/v1/officers/{officer['officer']}", key, officer["profile"])


async def submit(
    session: aiohttp.ClientSession, assessment_url: str, key: str, officer: Mapping[str, Any]
) -> dict[str, Any]:
    """Submit the assessment of a sample officer and return the body of the answer. Raises CannotStart.

    Submitting it again changes nothing.
    """
    url = f"{assessment_url}/v1/officers/{officer['officer']}/assessments"
    headers = {**bearer(key), "Idempotency-Key": f"seed-{officer['officer']}"}
    async with answered(session, "POST", url, json=officer["assessment"], headers=headers) as answer:
        return await _accepted(answer)


async def put(session: aiohttp.ClientSession, url: str, key: str, body: Any) -> dict[str, Any]:
    """Send a PUT request with a JSON body and return the body of the answer. Raises CannotStart."""
    async with answered(session, "PUT", url, json=body, headers=bearer(key)) as answer:
        return await _accepted(answer)


@asynccontextmanager
async def answered(
    session: aiohttp.ClientSession, method: str, url: str, **options: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send a request and yield the answer; send it again for about 20 s while the service is busy (429 or 503)."""
    for left in reversed(range(_ATTEMPTS)):
        async with session.request(method, url, **options) as answer:
            if answer.status not in _TOO_BUSY or not left:
                yield answer
                return
        await asyncio.sleep(_PAUSE_SECONDS)


def bearer(key: str) -> dict[str, str]:
    """Return the header `Authorization` with an API key."""
    return {"Authorization": f"Bearer {key}"}


async def _known(session: aiohttp.ClientSession, url: str, key: str) -> bool:
    async with session.get(url, headers=bearer(key)) as answer:
        return answer.status == HTTPStatus.OK


async def _accepted(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Return the body of a successful answer (empty while it streams).

    Raises CannotStart with the problem otherwise.
    """
    if answer.status >= HTTPStatus.BAD_REQUEST:
        text = await answer.text()
        raise CannotStart(f"{answer.method} {answer.url.path} was answered {answer.status}: {text[:500]}")
    if answer.content_type == "application/json":
        body: dict[str, Any] = await answer.json()
        return body
    return {}
