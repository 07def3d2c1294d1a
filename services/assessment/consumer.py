"""Reads the frameworks from the topic of the catalog."""

from collections.abc import Sequence

from services.assessment.framework_replica import FrameworkReplica
from shared.framework_parts import FrameworkAssembly
from shared.kafka import ConsumedEvent


class CatalogConsumer:
    """Stores the frameworks that records of `catalog.state` announce.

    `assembly`: collects the frameworks whose parts have not all arrived.
    """

    def __init__(self, index: FrameworkReplica) -> None:
        self._index = index
        self.assembly = FrameworkAssembly(index.version)

    async def on_catalog(self, batch: Sequence[ConsumedEvent]) -> None:
        """Store the frameworks that a batch announces, also those whose last part it holds. Raises Rejected."""
        events = [item.event for item in batch]
        self._index.put(await self.assembly.whole(events, self._index.position))
