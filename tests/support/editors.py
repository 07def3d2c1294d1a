"""A tenant with a catalog of its own, and an editor of it at the portal's page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser

from tests.support.builders import unique
from tests.support.page import Reader, reading
from tests.support.platform import Platform

FRAMEWORK = "th-digital-2018"


class Tenant:
    """A tenant and its admin's key."""

    def __init__(self, platform: Platform, name: str, key: str) -> None:
        self.platform = platform
        self.name = name
        self.key = key

    async def editor(self) -> str:
        """Return the key of another person of the role editor."""
        return await self.platform.stack.issuer.issue(self.name, "editor")

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of the catalog's answer to the admin. Raises AssertionError unless it is a success."""
        return await self.platform.insist("catalog", method, path, key=self.key, **options)

    async def offer(self, course: str, title: dict[str, str], **more: Any) -> None:
        """Put a course without skills."""
        body = {"id": course, "title": title, "provider": {"en": "Institute"}, "hours": 3, "languages": ["th"], **more}
        await self.ask("PUT", f"/v1/courses/{course}", json=body)

    async def has_proposals(self) -> bool:
        """Return whether a match of any course is proposed."""
        return bool((await self.ask("GET", "/v1/matches?status=proposed"))["courses"])

    async def teaches(self, course: str) -> list[tuple[str, float, float]]:
        """Return (skill, from level, to level) of each skill that a course teaches."""
        found = await self.ask("GET", f"/v1/courses/{course}")
        return [(row["skill"], row["from"], row["to"]) for row in found.get("teaches", [])]


async def new_tenant(platform: Platform) -> Tenant:
    """Return a new tenant, which has nothing but its admin's key."""
    name = unique("editors")
    return Tenant(platform, name, await platform.stack.issuer.issue(name, "admin"))


@asynccontextmanager
async def editing(platform: Platform, browser: Browser, **window: Any) -> AsyncIterator[tuple[Tenant, Reader]]:
    """Yield a new tenant, and a reader for its admin, who is not signed in yet."""
    tenant = await new_tenant(platform)
    async with reading(browser, platform.portal, **window) as reader:
        yield tenant, reader
