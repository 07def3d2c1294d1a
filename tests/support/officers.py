"""Officers for the tests of the page, made over HTTP as a platform does it."""

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

import aiohttp

from deploy.local.keys import TENANT
from deploy.local.seed import SEED, bearer, put
from deploy.local.stack import Stack

NUMBERS = count(1)
PROFILE = {
    "job_group": "service",
    "agency": "agency-a",
    "framework": "th-digital-2018",
    "languages": ["th", "en"],
    "weekly_hours": 4,
}


class Officer:
    """An officer of this test: registered, assessed and erased over HTTP, as a platform does it."""

    def __init__(self, stack: Stack, tenant: str = TENANT) -> None:
        self.name = f"page-{next(NUMBERS)}"
        self.stack = stack
        self.tenant = tenant

    @property
    def url(self) -> str:
        return f"{self.stack.urls['assessment'][0]}/v1/officers/{self.name}"

    async def key(self) -> str:
        return await self.stack.issuer.issue(self.tenant, "officer", self.name)

    async def platform(self) -> str:
        """Return the key of the officer's platform."""
        if self.tenant == TENANT:
            return self.stack.keys.platform
        return await self.stack.issuer.issue(self.tenant, "platform")

    async def registers(self, **changes: Any) -> None:
        """Register, or change what is registered."""
        async with aiohttp.ClientSession() as session:
            await put(session, self.url, await self.platform(), PROFILE | changes)

    async def says(self, course: str, action: str) -> None:
        """Say something about a course."""
        url = f"{self.stack.urls['recommender'][0]}/v1/officers/{self.name}/feedback"
        headers = {**bearer(await self.platform()), "Idempotency-Key": f"{self.name}-{next(NUMBERS)}"}
        body = {"course": course, "action": action}
        async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def feedback(self) -> list[dict[str, Any]]:
        """Return what stands of what was said, oldest first."""
        found: list[dict[str, Any]] = (await self._recommended("feedback"))["said"]
        return found

    async def would_have(self, **wish: Any) -> dict[str, Any]:
        """Return what is recommended to this officer if it were so, with the changes."""
        url = f"{self.stack.urls['recommender'][0]}/v1/recommendations"
        body, headers = {"compare_with": self.name, **wish}, bearer(await self.platform())
        async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    async def path(self) -> dict[str, Any]:
        """Return the stored path with its revision."""
        return await self._recommended("path")

    async def _recommended(self, what: str) -> dict[str, Any]:
        url = f"{self.stack.urls['recommender'][0]}/v1/officers/{self.name}/{what}"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers=bearer(await self.platform())) as answer,
        ):
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    async def is_assessed(self, levels: dict[str, float], sd: float = 0.3) -> None:
        body = {
            "framework": "th-digital-2018",
            "kind": "test",
            "results": [{"skill": skill, "level": level, "sd": sd} for skill, level in levels.items()],
            "taken_at": datetime.now(UTC).isoformat(),
        }
        headers = {**bearer(await self.platform()), "Idempotency-Key": f"{self.name}-{next(NUMBERS)}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/assessments", json=body, headers=headers) as answer,
        ):
            assert answer.status == 202, await answer.text()

    async def is_erased(self) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.delete(self.url, headers=bearer(await self.platform())) as answer,
        ):
            assert answer.status == 204


def required(share: float) -> dict[str, float]:
    """Return levels at this share of what the job group requires."""
    framework: dict[str, Any] = json.loads((SEED / "frameworks" / "th-digital-2018.json").read_bytes())
    rows = [row for row in framework["requirements"] if row["job_group"] == PROFILE["job_group"]]
    top = framework["scale"][-1]["level"]
    return {row["skill"]: min(top, row["level"] * share) for row in rows}
