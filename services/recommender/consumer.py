"""What the recommender does when something has happened: to an officer, or to the catalogue."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence

from services.recommender.catalog_replica import CatalogReplica, fold_events
from services.recommender.planning import Order, Planner
from shared.errors import Unavailable
from shared.events import TOMBSTONE, AssessmentCompleted, Cause, Event, OfficerChanged, OfficerErased, check_stamps
from shared.kafka import Received

log = logging.getLogger(__name__)

_IDLE_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0
_AGAIN_SECONDS = 30.0
_KEPT_SECONDS = 3600.0


class ProfileConsumer:
    """Takes the events of `assessment.profiles`: of several events of one officer only the newest counts."""

    def __init__(self, planner: Planner, take_back: Callable[[str], Awaitable[None]]) -> None:
        """`take_back` removes the dead letters of an officer's key."""
        self._planner = planner
        self._take_back = take_back

    async def on_profiles(self, batch: Sequence[Received]) -> None:
        """Plan for the batch. Raises Unavailable (try again) or Rejected (dead letter)."""
        orders: list[Order] = []
        for item in batch:
            handle = HANDLERS.get(item.event.type)
            if handle:
                orders = await handle(self, item, orders)
        await self._planner.plan(orders)

    async def on_officer_changed(self, item: Received, orders: list[Order]) -> list[Order]:
        """An officer was registered or moved."""
        return [*orders, self._order(item, "officer")]

    async def on_assessment_completed(self, item: Received, orders: list[Order]) -> list[Order]:
        """An officer was assessed."""
        return [*orders, self._order(item, "assessment")]

    async def on_officer_erased(self, item: Received, orders: list[Order]) -> list[Order]:
        """An officer is to be forgotten; the counters stay."""
        if isinstance(item.event.data, OfficerErased):
            gone = item.event.data
            if await self._planner.erase(gone.tenant, gone.officer, item.event.sequence, item.record.partition):
                await self._take_back(item.event.subject)
        return orders

    async def on_tombstone(self, item: Received, orders: list[Order]) -> list[Order]:
        """The topic has forgotten an officer: erased. A plain tombstone, without sequence, is newer than all before."""
        tenant, _, officer = item.event.subject.partition("/")
        sequence = item.event.sequence
        superseded = [order for order in orders if _is_superseded(order, item.event)]
        newest = max((order.profile.sequence for order in superseded), default=0)
        if await self._planner.forget(tenant, officer, sequence, newest, item.record.partition):
            await self._take_back(item.event.subject)
        return [order for order in orders if not _is_superseded(order, item.event)]

    def _order(self, item: Received, cause: Cause) -> Order:
        event: Event = item.event
        if not isinstance(event.data, AssessmentCompleted | OfficerChanged):
            raise TypeError(type(event.data).__name__)
        as_of = self._planner.date_of(event.time)
        return Order(item.record.partition, event.data.profile, cause, as_of, event.traceparent)


def _is_superseded(order: Order, tombstone: Event) -> bool:
    """Return whether a tombstone behind an order in the same batch makes it void."""
    if order.profile.key != tombstone.subject:
        return False
    return tombstone.sequence == 0 or order.profile.sequence <= tombstone.sequence


class CatalogConsumer:
    """Folds `catalog.state` into the catalogue, and plans again what a change concerns.

    The sweep waits until the follower has been idle for a moment, then looks at the partitions this replica owns;
    and looks again every half minute at the last hour's changes, for a lagging replica may have planned in between.
    Every time it also looks for newer rules of tenants, and for paths whose deadline has come a week nearer.
    """

    def __init__(self, catalogue: CatalogReplica, planner: Planner, owned: Callable[[], Collection[int]]) -> None:
        self._catalogue = catalogue
        self._planner = planner
        self._owned = owned
        self._changed = asyncio.Event()
        self._last_news = 0.0
        self._marks: deque[tuple[float, int]] = deque()
        self._swept = 0

    async def on_catalogue(self, batch: Sequence[Received]) -> None:
        """Build the next snapshot aside, in a thread, and swap it in on the loop. Raises Rejected: too far a stamp."""
        events = [item.event for item in batch]
        check_stamps(events, self._catalogue.revision)
        self._catalogue.take(await asyncio.to_thread(fold_events, self._catalogue.snapshot, events))
        self._last_news = asyncio.get_running_loop().time()
        self._changed.set()

    def on_assigned(self, _: Collection[int]) -> None:
        """Other partitions: look at everything once."""
        self._swept = 0
        self._changed.set()

    def look_again(self) -> None:
        """Look now at what may be due, and not only with the next half minute."""
        self._changed.set()

    async def sweep_for_ever(self) -> None:
        """Sweep after every change, and every half minute what changed within the hour."""
        while True:
            changed = await self._wait()
            revision = self._catalogue.revision
            since = self._swept if changed else self._hour_ago()
            try:
                count = await self._planner.sweep(self._owned(), since)
                others = await self._planner.sweep_rules(self._owned())
                others += await self._planner.sweep_deadlines(self._owned())
            except Unavailable as error:
                log.warning("sweep waits: %s", error.detail)
                self._changed.set()
                await asyncio.sleep(1)
                continue
            self._swept = max(self._swept, revision) if self._owned() else self._swept
            self._marks.append((asyncio.get_running_loop().time(), revision))
            if count:
                log.info("catalogue %d: %d paths are new", revision, count)
            if others:
                log.info("rules and deadlines: %d paths are new", others)

    async def _wait(self) -> bool:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_AGAIN_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            return False
        begun = loop.time()
        while loop.time() - self._last_news < _IDLE_SECONDS and loop.time() - begun < _LONGEST_WAIT_SECONDS:
            await asyncio.sleep(_IDLE_SECONDS / 5)
        self._changed.clear()
        return True

    def _hour_ago(self) -> int:
        horizon = asyncio.get_running_loop().time() - _KEPT_SECONDS
        while len(self._marks) > 1 and self._marks[1][0] < horizon:
            self._marks.popleft()
        return self._marks[0][1] if self._marks else self._catalogue.revision


HANDLERS = {
    "officer.changed.v1": ProfileConsumer.on_officer_changed,
    "assessment.completed.v1": ProfileConsumer.on_assessment_completed,
    "officer.erased.v1": ProfileConsumer.on_officer_erased,
    TOMBSTONE: ProfileConsumer.on_tombstone,
}
