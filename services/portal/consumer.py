"""What the portal does when an officer has a new path: tell the streams that are open."""

from collections.abc import Callable, Sequence

from services.portal.connections import Connections, StreamMessage
from shared.events import TOMBSTONE, PathHead, check_jump, data_of
from shared.kafka import ConsumedEvent, Follower

ERASED = "{}"


class PathConsumer:
    """Follows `recommender.paths` from its end; without it no stream may stay open, for it would miss what comes."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def follow(self, follower: Follower) -> None:
        """Read until cancelled. When reading ends, for whatever reason, every stream is dropped and will reconnect."""
        try:
            await follower.run()
        finally:
            self._connections.drop_all("follower")

    async def on_paths(self, batch: Sequence[ConsumedEvent]) -> None:
        """Push what came, in order. Raises Rejected where a revision is beyond what could have happened."""
        for item in batch:
            if handle := HANDLERS.get(item.event.type):
                handle(self, item)

    def on_path_recommended(self, item: ConsumedEvent) -> None:
        """An officer's path is new: the event's data go to the page as they came, but for what is not UTF-8."""
        data = data_of(item.record.value, item.record.headers)
        if isinstance(item.event.data, PathHead) and data is not None:
            self._push(item, StreamMessage("path", data.decode("utf-8", "replace"), item.event.data.revision))

    def on_path_stored(self, item: ConsumedEvent) -> None:
        """An officer's path is new and too large for an event: streams reconnect, and are sent the stored path then."""
        self._connections.drop(item.event.subject, "large")

    def on_erased(self, item: ConsumedEvent) -> None:
        """An officer is forgotten."""
        self._push(item, StreamMessage("erased", ERASED, item.event.sequence))

    def _push(self, item: ConsumedEvent, push: StreamMessage) -> None:
        key = item.event.subject
        check_jump(key, push.revision, self._connections.newest(key), "revision")
        self._connections.push(key, push)


HANDLERS: dict[str, Callable[[PathConsumer, ConsumedEvent], None]] = {
    "path.recommended.v1": PathConsumer.on_path_recommended,
    "path.stored.v1": PathConsumer.on_path_stored,
    TOMBSTONE: PathConsumer.on_erased,
}
