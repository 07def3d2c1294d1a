"""Handles the events of officers and of the catalog."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import zip_longest
from time import thread_time

from services.recommender.catalog_replica import CatalogReplica, FoldedCatalog, fold_events
from services.recommender.inputs import PlanRequest
from services.recommender.planner.index.catalog import Snapshot
from services.recommender.planning import Planner
from shared.events import TOMBSTONE, AssessmentCompleted, Cause, Event, OfficerChanged, OfficerErased, check_stamps
from shared.framework_parts import FrameworkAssembly
from shared.kafka import ConsumedEvent, is_bulk
from shared.kafka.client import BATCH

log = logging.getLogger(__name__)

_TOGETHER = 100
"""The most officers that are planned before their paths are saved."""

_RESTS = 9
"""The pause after a build, as a multiple of its processor time: building then takes a tenth of a processor's time."""


class ProfileConsumer:
    """Handles the events of `assessment.profiles`. Only the newest event of an officer in a batch is used."""

    def __init__(self, planner: Planner, take_back: Callable[[str], Awaitable[None]]) -> None:
        """`take_back` deletes the dead letters with an officer's key."""
        self._planner = planner
        self._take_back = take_back

    async def on_profiles(self, batch: Sequence[ConsumedEvent]) -> None:
        """Plan for the officers of a batch: first those with a single change, then those of an import.

        Paths are saved a hundred at a time, and tenants take turns. Raises Unavailable, so that the batch is tried
        again, or Rejected, so that it becomes a dead letter.
        """
        single = {item.event.subject for item in batch if not is_bulk(item.record)}
        for group in (
            [item for item in batch if item.event.subject in single],  # all events of an officer, in their order
            [item for item in batch if item.event.subject not in single],
        ):
            requests: list[PlanRequest] = []
            for item in group:
                if handle := HANDLERS.get(item.event.type):
                    await handle(self, item, requests)
            for turn in _turns(requests):
                await self._planner.plan(turn)

    async def on_profile(self, item: ConsumedEvent, requests: list[PlanRequest]) -> None:
        """Add a request for an officer who was assessed, registered or moved."""
        event = item.event
        if isinstance(event.data, AssessmentCompleted | OfficerChanged):
            cause: Cause = "assessment" if isinstance(event.data, AssessmentCompleted) else "officer"
            profile, as_of = event.data.profile, self._planner.date_of(event.time)
            partition, traceparent = item.record.partition, event.traceparent
            requests.append(PlanRequest(profile, as_of, cause=cause, partition=partition, traceparent=traceparent))

    async def on_officer_erased(self, item: ConsumedEvent, _: list[PlanRequest]) -> None:
        """Erase an officer except for the counters, and delete the officer's dead letters."""
        if isinstance(item.event.data, OfficerErased):
            gone = item.event.data
            if await self._planner.erase(gone.tenant, gone.officer, item.event.sequence, item.record.partition):
                await self._take_back(item.event.subject)

    async def on_tombstone(self, item: ConsumedEvent, requests: list[PlanRequest]) -> None:
        """Erase the officer of a tombstone, and remove the requests that it cancels.

        A tombstone cancels the officer's requests of the same or a lower sequence; without a sequence, all of them.
        """
        tenant, _, officer = item.event.subject.partition("/")
        sequence = item.event.sequence
        superseded = [request for request in requests if _is_superseded(request, item.event)]
        newest = max((request.profile.sequence for request in superseded), default=0)
        if await self._planner.forget(tenant, officer, sequence, newest, item.record.partition):
            await self._take_back(item.event.subject)
        requests[:] = [request for request in requests if not _is_superseded(request, item.event)]


def _turns(requests: Sequence[PlanRequest]) -> Iterator[list[PlanRequest]]:
    """Divide requests into parts of at most `_TOGETHER` officers, with an officer of each tenant in turn.

    All requests of an officer are in one part, and no part has one officer only: the planner handles a request that is
    alone in another way.
    """
    tenants: dict[str, dict[str, list[PlanRequest]]] = {}
    for request in requests:
        tenants.setdefault(request.profile.tenant, {}).setdefault(request.profile.key, []).append(request)
    rounds = zip_longest(*(officers.values() for officers in tenants.values()), fillvalue=[])
    officers = [one for several in rounds for one in several if one]
    parts = -(-len(officers) // _TOGETHER)
    for part in range(parts):
        chosen = officers[part * len(officers) // parts : (part + 1) * len(officers) // parts]
        yield [request for one in chosen for request in one]


def _is_superseded(request: PlanRequest, tombstone: Event) -> bool:
    """Return whether a later tombstone in the same batch cancels a plan request."""
    if request.profile.key != tombstone.subject:
        return False
    return tombstone.sequence == 0 or request.profile.sequence <= tombstone.sequence


class CatalogConsumer:
    """Handles the events of `catalog.state`. `changed` is called after the replica was updated.

    `assembly`: the frameworks whose parts have not all arrived. Events are folded into a snapshot, which is installed
    once its indexes are built; plans use the previous one meanwhile. All events that are folded before the next build
    begins are built together.
    """

    def __init__(self, catalog: CatalogReplica, changed: Callable[[], None]) -> None:
        self._catalog = catalog
        self._folded = FoldedCatalog(catalog.snapshot, {})
        self._installing: asyncio.Task[None] | None = None
        self._rested = 0.0
        self.assembly = FrameworkAssembly(self._framework_version)
        self._changed = changed

    async def on_catalog(self, batch: Sequence[ConsumedEvent]) -> None:
        """Fold a batch of events into the next snapshot, and wait until that is installed.

        After a full batch it does not wait, because more events follow. Raises Rejected for a stamp too far ahead.
        """
        events, folded = [item.event for item in batch], self._folded.snapshot
        check_stamps(events, folded.catalog_revision)
        events = await self.assembly.whole(events, folded.catalog_revision)
        self._folded = (await asyncio.to_thread(fold_events, folded, events)).after(self._folded)
        if self._installing is None or self._installing.done():
            self._installing = asyncio.create_task(self._install())
        if len(batch) < BATCH:
            await self.installed()

    async def installed(self) -> None:
        """Wait until a snapshot with all events that are folded now is installed."""
        if self._installing is not None:
            await asyncio.shield(self._installing)

    def _framework_version(self, tenant: str, framework: str) -> int:
        return self._folded.snapshot.framework_version(tenant, framework)

    async def _install(self) -> None:
        """Build and install folded snapshots until the newest one is installed."""
        loop = asyncio.get_running_loop()
        while self._folded.snapshot is not self._catalog.snapshot:
            await asyncio.sleep(self._rested - loop.time())
            folded = self._folded
            self._folded = FoldedCatalog(folded.snapshot, {})
            try:
                used = await asyncio.to_thread(_built, folded.snapshot, self._catalog.snapshot.viewed)
            except Exception:
                self._folded = self._folded.after(folded)
                raise
            self._rested = loop.time() + _RESTS * used
            self._catalog.take(folded)
            self._changed()


def _built(snapshot: Snapshot, tenants: Sequence[str]) -> float:
    """Build the indexes of a snapshot; return the processor time that it took, in seconds.

    On a busy machine a build lasts many times longer than that, and so would the rest after it.
    """
    begun = thread_time()
    snapshot.build(tenants)
    return thread_time() - begun


HANDLERS = {
    "officer.changed.v1": ProfileConsumer.on_profile,
    "assessment.completed.v1": ProfileConsumer.on_profile,
    "officer.erased.v1": ProfileConsumer.on_officer_erased,
    TOMBSTONE: ProfileConsumer.on_tombstone,
}
