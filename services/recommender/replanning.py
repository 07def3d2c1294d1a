"""Replans after a change: of the catalog, of a tenant's rules, or of the days left until a deadline."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from datetime import UTC, datetime, timedelta

from services.recommender.planning import Planner
from services.recommender.store.documents import StoredPlan
from shared.errors import Unavailable

log = logging.getLogger(__name__)

_BATCH = 100
_IDLE_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0
_AGAIN_SECONDS = 30.0
_CHECKED_SECONDS = 3600.0
_TENANTS = 100
"""The most tenants that one query names: with ten thousand the server takes longer than it may."""


class Replanner:
    """Replans the stored plans that a change affects, in the partitions that this replica owns (`owned`).

    After a catalog change it waits until no other has come for a moment. Every 30 s it checks the changes of the last
    hour again, because a replica that lags may have planned in between; it also checks for newer rules and for
    deadlines.
    """

    def __init__(self, planner: Planner, owned: Callable[[], Collection[int]]) -> None:
        self._planner, self._owned = planner, owned
        self._store, self._catalog = planner.store, planner.catalog
        self._due = asyncio.Event()
        self._last_change = 0.0
        self._marks: deque[tuple[float, int]] = deque()
        self._replanned = 0
        self._rules_checked = frozenset[int]()
        """The partitions for which the rules of all tenants were checked, and all newer ones until `_rules_until`."""
        self._rules_until = datetime.now(UTC)

    # --- when --------------------------------------------------------------------------------------------------------

    def catalog_changed(self) -> None:
        """Replan once no further catalog change has come for a moment."""
        self._last_change = asyncio.get_running_loop().time()
        self._due.set()

    def on_assigned(self, _: Collection[int]) -> None:
        """Check all stored plans of this replica's partitions once, because some of the partitions are new."""
        self._store.plan_bases.clear()
        self._replanned = 0
        self._due.set()

    def check_now(self) -> None:
        """Check for changes, newer rules and deadlines now instead of at the next interval."""
        self._due.set()

    async def run(self) -> None:
        """Replan after every change, and every 30 s for what changed within the last hour. Never returns."""
        while True:
            changed = await self._wait()
            revision = self._catalog.revision
            since = self._replanned if changed else self._hour_ago()
            try:
                count = await self.after_catalog_change(self._owned(), since)
                others = await self.after_newer_rules(self._owned())
                others += await self.near_deadlines(self._owned())
            except Unavailable as error:
                log.warning("replanning waits: %s", error.detail)
                self._due.set()
                await asyncio.sleep(1)
                continue
            self._replanned = max(self._replanned, revision) if self._owned() else self._replanned
            self._marks.append((asyncio.get_running_loop().time(), revision))
            if count:
                log.info("catalog %d: %d paths are new", revision, count)
            if others:
                log.info("rules and deadlines: %d paths are new", others)

    async def _wait(self) -> bool:
        """Return True when something is due; False after 30 s."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_AGAIN_SECONDS):
                await self._due.wait()
        except TimeoutError:
            return False
        begun = loop.time()
        while loop.time() - self._last_change < _IDLE_SECONDS and loop.time() - begun < _LONGEST_WAIT_SECONDS:
            await asyncio.sleep(_IDLE_SECONDS / 5)
        self._due.clear()
        return True

    def _hour_ago(self) -> int:
        """Return the catalog revision of an hour ago, or the oldest known one."""
        horizon = asyncio.get_running_loop().time() - _CHECKED_SECONDS
        while len(self._marks) > 1 and self._marks[1][0] < horizon:
            self._marks.popleft()
        return self._marks[0][1] if self._marks else self._catalog.revision

    # --- which -------------------------------------------------------------------------------------------------------

    async def after_catalog_change(self, partitions: Collection[int], since: int) -> int:
        """Replan the plans that changes after the revision `since` affect; return the number of new paths.

        A plan whose path is the same is marked as checked. If the validator rejects the new path, the old one stays and
        is checked again next time. Raises Unavailable.
        """
        revision = self._catalog.revision
        count = 0
        affected = self._store.affected_by(self._catalog.changes_since(since), partitions, revision)
        async for stored in _batches(affected):
            due = [plan for plan in stored if self._catalog.is_stale(plan.head)]
            saved, same, refused = await self._planner.replan(due, "catalog")
            left = {plan.profile.key for plan in [*refused, *due]} - {plan.profile.key for plan in same}
            good = [plan.profile.key for plan in stored if plan.profile.key not in left]
            await self._store.mark_checked(good, revision)
            count += saved
        return count

    async def after_newer_rules(self, partitions: Collection[int]) -> int:
        """Replan the plans that follow older rules than their tenant has now; return the number of new paths.

        If those of all tenants were checked for these partitions, only rules put from an hour before the last check on
        are: a replica that lags may have planned in between. Raises Unavailable.
        """
        rules, begun, owned = self._store.rules, datetime.now(UTC), frozenset(partitions)
        since = self._rules_until - timedelta(seconds=_CHECKED_SECONDS)
        versions = await (rules.put_since(since) if owned <= self._rules_checked else rules.refresh())
        tenants, count = list(versions), 0
        for begin in range(0, len(tenants), _TENANTS):
            some = {tenant: versions[tenant] for tenant in tenants[begin : begin + _TENANTS]}
            async for stored in _batches(self._store.under_older_rules(some, partitions)):
                saved, same, _ = await self._planner.replan(stored, "rules")
                for tenant in {plan.profile.tenant for plan in same}:
                    mine = [plan for plan in same if plan.profile.tenant == tenant]
                    await self._store.mark_rules_checked(mine, versions[tenant])
                count += saved
        self._rules_checked, self._rules_until = owned, begun
        return count

    async def near_deadlines(self, partitions: Collection[int], now: datetime | None = None) -> int:
        """Replan the plans whose weekly replanning for a deadline is due; return the number of new paths.

        Raises Unavailable.
        """
        count = 0
        async for stored in _batches(self._store.due_by(now or datetime.now(UTC), partitions)):
            saved, same, refused = await self._planner.replan(stored, "deadline")
            await self._store.defer([plan.profile.key for plan in [*same, *refused]])
            count += saved
        return count


async def _batches(plans: AsyncIterator[StoredPlan]) -> AsyncIterator[list[StoredPlan]]:
    batch: list[StoredPlan] = []
    async for plan in plans:
        batch.append(plan)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
