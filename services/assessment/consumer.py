"""Follows the catalog for its frameworks."""

from collections.abc import Sequence

from services.assessment.framework_replica import FrameworkReplica
from shared.kafka import ConsumedEvent


class CatalogConsumer:
    """Takes the records of `catalog.state`."""

    def __init__(self, index: FrameworkReplica) -> None:
        self._index = index

    async def on_catalog(self, batch: Sequence[ConsumedEvent]) -> None:
        """Keep the frameworks among them."""
        self._index.put(item.event for item in batch)
