"""Optimistic concurrency: read, decide, write if unchanged; after a conflict, read and decide again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.errors import Unavailable

T = TypeVar("T")

_ATTEMPTS = 20
_STEP_SECONDS = 0.005


async def retry_on_conflict(decide: Callable[[], Awaitable[T | None]], what: str) -> T:
    """Return the result of `decide`, which returns None after a write conflict and is then called again.

    Raises Unavailable after 20 conflicts; `what` names the changed thing, e.g. "this officer".
    """
    for attempt in range(_ATTEMPTS):
        if (result := await decide()) is not None:
            return result
        await asyncio.sleep(_STEP_SECONDS * attempt)
    raise Unavailable(f"too many changes at once to {what}; try again soon")
