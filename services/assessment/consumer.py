"""Follows the catalogue for its frameworks."""

from collections.abc import Sequence

from services.assessment.index import FrameworkIndex
from shared.kafka import Received


class CatalogueConsumer:
    """Takes the records of `catalog.state`."""

    def __init__(self, index: FrameworkIndex) -> None:
        self._index = index

    async def on_catalogue(self, batch: Sequence[Received]) -> None:
        """Keep the frameworks among them."""
        self._index.put(item.event for item in batch)
