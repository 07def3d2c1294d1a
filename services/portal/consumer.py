"""What the portal does when an officer has a new path: tell the streams that are open."""

from collections.abc import Callable, Sequence
from functools import cache

import msgspec

from services.portal.connections import Connections, Languages, Push
from shared.errors import Rejected
from shared.events import TOMBSTONE, PathAnnounced, PathHead, PathRecommended, check_jump, data_of
from shared.kafka import Follower, Received
from shared.messages import told

ERASED = "{}"

SHAPES: dict[str, type[PathRecommended | PathAnnounced]] = {
    "path.recommended.v1": PathRecommended,
    "path.recommended.v2": PathAnnounced,
}
"""How a path may be announced; of the first version's records the sentences are shown as they were sent."""


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

    async def on_paths(self, batch: Sequence[Received]) -> None:
        """Push what came, in order. Raises Rejected where a revision is beyond what could have happened."""
        for item in batch:
            if handle := HANDLERS.get(item.event.type):
                handle(self, item)

    def on_path_recommended(self, item: Received) -> None:
        """An officer's path is new: open streams are sent it in words. Raises Rejected where it cannot be read."""
        data = data_of(item.record.value, item.record.headers)
        if (
            not isinstance(item.event.data, PathHead)
            or data is None
            or not self._connections.watches(item.event.subject)
        ):
            return
        shape = SHAPES[item.event.type]
        try:
            found = msgspec.json.decode(data, type=shape)
            path = found.recommended() if isinstance(found, PathAnnounced) else found
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise Rejected(f"{item.event.type}: {error}") from None

        @cache
        def in_words(languages: Languages) -> str:
            shown = msgspec.structs.replace(path, path=told(path.path, languages))
            return msgspec.json.encode(shown).decode("utf-8", "replace")

        self._push(item, Push("path", in_words, path.revision))

    def on_path_stored(self, item: Received) -> None:
        """An officer's path is new and too large for an event: streams reconnect, and are sent the stored path then."""
        self._connections.drop(item.event.subject, "large")

    def on_erased(self, item: Received) -> None:
        """An officer is forgotten."""
        self._push(item, Push("erased", ERASED, item.event.sequence))

    def _push(self, item: Received, push: Push) -> None:
        key = item.event.subject
        check_jump(key, push.revision, self._connections.newest(key), "revision")
        self._connections.push(key, push)


HANDLERS: dict[str, Callable[[PathConsumer, Received], None]] = {
    **dict.fromkeys(SHAPES, PathConsumer.on_path_recommended),
    "path.stored.v1": PathConsumer.on_path_stored,
    TOMBSTONE: PathConsumer.on_erased,
}
