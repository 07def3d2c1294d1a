"""Reads new paths from the topic `recommender.paths`, and sends them to the open streams of their officers."""

from collections.abc import Callable, Sequence
from functools import cache, partial

import msgspec

from services.portal.connections import Connections, Languages, Renderer, StreamMessage
from shared.cloudevents import from_kafka
from shared.errors import Rejected
from shared.events import TOMBSTONE, PathAnnounced, PathHead, PathRecommended, check_jump
from shared.kafka import ConsumedEvent, Follower
from shared.messages import with_sentences

ERASED = "{}"


class PathConsumer:
    """Sends the paths of `recommender.paths` to open streams, from the end of the topic on.

    When it stops reading, or the topic is replaced, it closes all streams, because they would miss new paths.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def follow(self, follower: Follower) -> None:
        """Read the topic by `follower` until cancelled; when this ends for any reason, close every stream.

        The clients then reconnect.
        """
        try:
            await follower.run()
        finally:
            self._connections.drop_all("follower")

    async def on_replaced(self) -> None:
        """Close every stream: what the new topic already holds is passed over.

        The clients reconnect once its end is reached, and get the stored path.
        """
        self._connections.drop_all("follower")

    async def on_paths(self, batch: Sequence[ConsumedEvent]) -> None:
        """Send a batch of records to the open streams, in order; records of unknown types are skipped.

        Raises Rejected if a revision is impossibly high, or a record cannot be decoded.
        """
        for item in batch:
            if handle := HANDLERS.get(item.event.type):
                handle(self, item)

    def on_path_recommended(self, item: ConsumedEvent) -> None:
        """Send a new path to the officer's open streams. Raises Rejected if it cannot be decoded."""
        if isinstance(item.event.data, PathHead) and self._connections.watches(item.event.subject):
            self._push(item, StreamMessage("path", _announced(item), item.event.data.revision))

    def on_path_stored(self, item: ConsumedEvent) -> None:
        """Close the officer's streams, because the new path is too large for an event.

        The clients reconnect, and get the stored path from the recommender.
        """
        self._connections.drop(item.event.subject, "large")

    def on_erased(self, item: ConsumedEvent) -> None:
        """Send `erased` to the open streams of an officer who was erased; the streams then end."""
        self._push(item, StreamMessage("erased", ERASED, item.event.sequence))

    def _push(self, item: ConsumedEvent, push: StreamMessage) -> None:
        key = item.event.subject
        check_jump(key, push.revision, self._connections.newest(key), "revision")
        self._connections.push(key, push)


def _announced(item: ConsumedEvent) -> Renderer:
    """Return the function that renders an announced path. Raises Rejected if it cannot be decoded."""
    data = from_kafka(item.record.key, item.record.value, item.record.headers).data
    if not isinstance(data, PathAnnounced):
        raise Rejected(f"{item.event.type} announces no path")
    try:
        return cache(partial(_shown, data.recommended()))
    except ValueError as error:
        raise Rejected(str(error)) from None


def _shown(event: PathRecommended, languages: Languages) -> str:
    return msgspec.json.encode(msgspec.structs.replace(event, path=with_sentences(event.path, languages))).decode()


HANDLERS: dict[str, Callable[[PathConsumer, ConsumedEvent], None]] = {
    "path.recommended.v2": PathConsumer.on_path_recommended,
    "path.stored.v1": PathConsumer.on_path_stored,
    TOMBSTONE: PathConsumer.on_erased,
}
