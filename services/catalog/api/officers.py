"""Counts the officers whom a change of a framework concerns, by a request to the assessment service.

The request uses the caller's own key, so the count covers only officers whom the caller may count. If the service does
not answer, the count is left out; nothing else depends on it.
"""

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, hdrs, web

from services.catalog.drafts import JobGroupOfficers, concerned
from shared.domain import Framework

_SECONDS = 2.0


class _Officers(msgspec.Struct):
    places: list[JobGroupOfficers]


class OfficerCounter:
    """Asks the assessment service for numbers of officers. `addresses`: its replicas, tried in this order."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._client = ClientSession(timeout=ClientTimeout(total=_SECONDS))

    async def stop(self) -> None:
        """Close the connections to the assessment service."""
        await self._client.close()

    async def count(self, request: web.Request, before: Framework | None, after: Framework) -> int | None:
        """Return the number of officers whom a new version concerns; None for a new framework, or without an answer.

        `request` supplies the caller's key. `before`: the version that the officers have.
        """
        if before is None:
            return None
        headers = {hdrs.AUTHORIZATION: request.headers.get(hdrs.AUTHORIZATION, "")}
        for address in self._addresses:
            try:
                url = f"{address}/v1/frameworks/{after.id}/officers"
                async with self._client.get(url, headers=headers, allow_redirects=False) as answer:
                    if answer.status == web.HTTPOk.status_code:
                        found = msgspec.json.decode(await answer.read(), type=_Officers)
                        return await asyncio.to_thread(concerned, before, after, found.places)
            except (TimeoutError, ClientError, msgspec.DecodeError):
                continue
        return None
