"""What must be ready before the recommender plans: the compiled planner, the first catalog, and a framework."""

import asyncio
import gc

from services.recommender.consumer import CatalogConsumer
from services.recommender.planning import Planner
from services.recommender.warmup import warm_up
from shared.kafka import Follower, overdue

_FRAMEWORK_SECONDS = 0.2


class Startup:
    """Prepares the planning, and says what is not ready yet. `stall_seconds`: see `overdue`."""

    def __init__(self, planner: Planner, followed: CatalogConsumer, follower: Follower, stall_seconds: float) -> None:
        self._planner, self._followed, self._follower = planner, followed, follower
        self._stall_seconds = stall_seconds
        self._is_warm = self._has_index = False

    async def prepare(self) -> None:
        """Return once the planner is compiled, and the first catalog and a framework are installed."""
        await self._planner.pool.run(warm_up)
        gc.collect()
        gc.freeze()  # the compiler's objects are never freed, so the garbage collector need not visit them
        self._is_warm = True
        await self._follower.caught_up.wait()
        await self._followed.installed()
        self._has_index = True
        while not self._planner.catalog.has_framework:
            await asyncio.sleep(_FRAMEWORK_SECONDS)

    async def lacks_planner(self) -> str | None:
        """Return None once the planner is compiled, else that it is not."""
        return None if self._is_warm else "the planner is being compiled, once"

    async def lacks_catalog(self) -> str | None:
        """Return None if the catalog is here and followed, else what is wrong with it."""
        if pending := self._follower.pending:
            return pending
        if not self._has_index:
            return "the first catalog is being indexed"
        if not self._planner.catalog.has_framework:
            return "there is no framework yet"
        return overdue(self._follower, self._stall_seconds)
