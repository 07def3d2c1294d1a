"""Pushes an officer's new path to the open streams."""

from collections.abc import Callable, Sequence
from functools import cache, partial

import msgspec

from services.portal.connections import Connections, Languages, Renderer, StreamMessage
from shared.cloudevents import data_of, from_kafka
from shared.errors import Rejected
from shared.events import TOMBSTONE, PathAnnounced, PathHead, PathRecommended, check_jump, path_with_sentences
from shared.kafka import ConsumedEvent, Follower
from shared.messages import with_sentences
from shared.templates import LANGUAGES

ERASED = "{}"


class PathConsumer:
    """Follows `recommender.paths` from its end.

    While it does not read, all streams are closed, because they would miss new paths.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def follow(self, follower: Follower) -> None:
        """Read until cancelled. When reading ends for any reason, every stream is closed and its client reconnects."""
        try:
            await follower.run()
        finally:
            self._connections.drop_all("follower")

    async def on_paths(self, batch: Sequence[ConsumedEvent]) -> None:
        """Push a batch in order. Raises Rejected if a revision is further ahead than possible."""
        for item in batch:
            if handle := HANDLERS.get(item.event.type):
                handle(self, item)

    def on_path_recommended(self, item: ConsumedEvent) -> None:
        """Push a new path to the officer's open streams. Raises Rejected if it cannot be read."""
        data = data_of(item.record.value, item.record.headers)
        if isinstance(item.event.data, PathHead) and data is not None and self._connections.watches(item.event.subject):
            holds_sentences = item.event.type == "path.recommended.v1"
            render = _stored(data.decode("utf-8", "replace")) if holds_sentences else _announced(item)
            self._push(item, StreamMessage("path", render, item.event.data.revision))

    def on_path_stored(self, item: ConsumedEvent) -> None:
        """Close the officer's streams, because the new path is too large for an event.

        Clients that reconnect get the stored path.
        """
        self._connections.drop(item.event.subject, "large")

    def on_erased(self, item: ConsumedEvent) -> None:
        """Close the streams of an erased officer."""
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


def _stored(text: str) -> Renderer:
    """Return the function that renders a path whose event holds its sentences: unchanged, or in one language."""

    def render(languages: Languages) -> str:
        return text if languages == LANGUAGES else _shown(path_with_sentences(text), languages)

    return render


def _shown(event: PathRecommended, languages: Languages) -> str:
    return msgspec.json.encode(msgspec.structs.replace(event, path=with_sentences(event.path, languages))).decode()


HANDLERS: dict[str, Callable[[PathConsumer, ConsumedEvent], None]] = {
    "path.recommended.v1": PathConsumer.on_path_recommended,
    "path.recommended.v2": PathConsumer.on_path_recommended,
    "path.stored.v1": PathConsumer.on_path_stored,
    TOMBSTONE: PathConsumer.on_erased,
}
