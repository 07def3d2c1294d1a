"""Counts the officers whom a change of a framework affects, by a request to the assessment service.

The request uses the caller's own key, so the answer contains no more than the caller may read. Without an answer the
count is left out; nothing else depends on it.
"""

from collections.abc import Iterable, Sequence

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, hdrs, web

_SECONDS = 2.0


class _Officers(msgspec.Struct):
    job_groups: dict[str, int]


class OfficerCounter:
    """Queries the assessment service at one of its addresses."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._client = ClientSession(timeout=ClientTimeout(total=_SECONDS))

    async def stop(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def count(self, request: web.Request, framework: str, job_groups: Iterable[str]) -> int | None:
        """Return how many officers of these job groups are under a framework; None if that is not available."""
        headers = {hdrs.AUTHORIZATION: request.headers.get(hdrs.AUTHORIZATION, "")}
        for address in self._addresses:
            try:
                url = f"{address}/v1/frameworks/{framework}/officers"
                async with self._client.get(url, headers=headers, allow_redirects=False) as answer:
                    if answer.status == web.HTTPOk.status_code:
                        found = msgspec.json.decode(await answer.read(), type=_Officers)
                        return sum(found.job_groups.get(name, 0) for name in set(job_groups))
            except (TimeoutError, ClientError, msgspec.DecodeError):
                continue
        return None


OFFICERS: web.AppKey[OfficerCounter] = web.AppKey("officers", OfficerCounter)
