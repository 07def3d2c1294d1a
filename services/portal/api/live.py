"""The route that streams an officer's path: first the stored path, then every newer one.

The stream is registered before the stored path is fetched, so no path is missed.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from itertools import count
from typing import Protocol

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, hdrs, web

from services.portal.api.session import credential_of
from services.portal.compression import EventStream
from services.portal.connections import Connection, Connections, Languages, StreamMessage
from services.portal.replicas import Replicas
from shared.connections import STREAM
from shared.domain import key_of
from shared.errors import Unauthorized, Unavailable
from shared.events import PathHead
from shared.routes import REQUEST_ID, languages_of, principal

PING_SECONDS = 15.0
SLOW_SECONDS = 30.0
LIFETIME_SECONDS = 900.0
"""A stream ends after at most this time; the browser then opens a new one, perhaps at another replica."""

KEYS_SECONDS = 7.0
"""The time between two checks whether the API keys of open streams are still valid."""

UNCHECKED_SECONDS = 30.0
"""A stream ends if its key could not be checked for so long, as long as a valid key is cached at most."""

_RETRY_MS = (500, 3000)
_FETCH = ClientTimeout(total=5)
_LONGEST_WAIT_SECONDS = 30.0


class WorkingKeys(Protocol):
    """Checks which API keys are valid; shared.mongo.KeyStore implements it."""

    async def working(self, key_ids: Collection[str]) -> set[str]:
        """Return the ids in `key_ids` of keys that are neither revoked nor expired. Raises Unavailable."""


class StoredPath(PathHead, frozen=True):
    """A path as the recommender answers it. Only the fields of PathHead are decoded; the others are sent unchanged."""

    cause: msgspec.Raw
    planned_at: msgspec.Raw
    path: msgspec.Raw


class Live:
    """Serves the live streams of this replica.

    `recommenders`: the replicas from which the stored path is fetched. `following` returns whether this replica reads
    new paths from Kafka. `lifetime`: the most seconds that a stream stays open.
    """

    def __init__(
        self,
        connections: Connections,
        client: ClientSession,
        recommenders: Replicas,
        following: Callable[[], bool],
        lifetime: float = LIFETIME_SECONDS,
    ) -> None:
        self._connections = connections
        self._client = client
        self._recommenders = recommenders
        self._following = following
        self._lifetime = lifetime

    async def end_revoked(
        self,
        keys: WorkingKeys,
        forget: Callable[[Collection[str]], None],
        every: float = KEYS_SECONDS,
        unchecked: float = UNCHECKED_SECONDS,
    ) -> None:
        """Check the keys of open streams every `every` seconds, until cancelled.

        `forget` removes keys that were revoked or have expired from the cache. Their streams end at the second check
        that finds them invalid, so that the stream of an erased officer can send `erased` before. All streams end if no
        check has succeeded for `unchecked` seconds: without MongoDB, no request with their keys is accepted either.
        """
        before: set[str] = set()
        loop = asyncio.get_running_loop()
        checked = loop.time()
        while True:
            await asyncio.sleep(every)
            held, begun = self._connections.key_ids, loop.time()
            try:
                gone = held - await keys.working(held) if held else set()
            except Unavailable:
                if loop.time() - checked >= unchecked:
                    self._connections.drop_all("unchecked")
                continue
            checked = begun
            forget(gone)
            self._connections.drop_keys(gone & before)
            before = gone

    async def watch_path(self, request: web.Request) -> web.StreamResponse:
        """Stream an officer's path as server-sent events: the stored path, then each newer one.

        Admins, platforms and the officer may call this. `event: path` with `id: <revision>` holds a PathRecommended;
        only the stored path, which comes first, has alternatives in its steps. `event: status` holds {"status":
        "waiting"} while there is no path yet, and {"status": "unavailable"} while the path cannot be read. `event:
        erased` says that the officer was erased, and the stream ends. If `Last-Event-ID` is the revision of the stored
        path, only newer paths are sent. 503 while the portal does not read new paths.
        """
        officer, languages = request.match_info["officer_id"], languages_of(request)
        if not self._following():
            raise Unavailable("the portal does not read new paths yet; try again soon")
        key = key_of(principal(request).tenant, officer)
        if principal(request).role == "officer" and self._connections.was_erased(key):
            raise Unauthorized("the API key is unknown, expired or revoked")
        if request.method == hdrs.METH_HEAD:
            described = EventStream()
            described.choose_coding(request)
            return web.StreamResponse(headers=described.headers)
        key_id = principal(request).key_id
        with self._connections.open(key, key_id, request.headers.get("Last-Event-ID")) as connection:
            stream = EventStream(sep="\n", ping_interval=PING_SECONDS, send_timeout=SLOW_SECONDS)
            stream.headers["X-Request-Id"] = request[REQUEST_ID]
            request[STREAM] = stream
            await stream.prepare(request)
            async with stream:
                fetching = asyncio.create_task(self._introduce(connection, officer, request, languages))
                expiry = asyncio.get_running_loop().call_later(
                    self._lifetime * random.uniform(0.8, 1.0),  # noqa: S311 - jitter, no secret
                    self._expire,
                    connection,
                )
                try:
                    await self._send(connection, stream, languages)
                finally:
                    expiry.cancel()
                    fetching.cancel()
        return stream

    async def _send(self, connection: Connection, stream: EventStream, languages: Languages) -> None:
        retry = random.randint(*_RETRY_MS)  # noqa: S311 - jitter, no secret: readers must not come back all at once
        try:
            await stream.write(f"retry: {retry}\n\n".encode())
            while (push := await connection.next()) is not None:
                event_id = str(push.revision) if push.revision else None
                await stream.send(push.render(languages), event=push.event, id=event_id)
                self._connections.pushes += 1
                if push.event == "erased":
                    self._connections.dropped["erased"] += 1
                    return
        except TimeoutError:
            self._connections.dropped["slow"] += 1
        except ConnectionResetError:
            pass  # the reader has gone

    def _expire(self, connection: Connection) -> None:
        self._connections.dropped["expired"] += 1
        connection.close()

    async def _introduce(
        self, connection: Connection, officer: str, request: web.Request, languages: Languages
    ) -> None:
        """Send the stored path; until there is one, send the status and try again at growing intervals."""
        announced = ""
        for attempt in count():
            try:
                stored = await self._stored(officer, credential_of(request), request[REQUEST_ID], languages)
                status = "waiting"
            except Unavailable:
                stored, status = None, "unavailable"
            except Unauthorized:
                connection.close()
                return
            if stored is not None:
                data = msgspec.json.encode(stored).decode("utf-8", "replace")
                connection.offer(StreamMessage("path", data, stored.revision))
            if connection.has_result:
                return
            if status != announced:
                connection.offer(StreamMessage("status", f'{{"status":"{status}"}}'))
                announced = status
            longest = min(_LONGEST_WAIT_SECONDS, 0.5 * 2.0 ** min(attempt, 10))
            await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret

    async def _stored(
        self, officer: str, credential: str | None, request_id: str, languages: Languages
    ) -> StoredPath | None:
        """Return the stored path, None if there is none. Raises Unavailable, Unauthorized."""
        headers = {"Authorization": f"Bearer {credential}", "X-Request-Id": request_id}
        left, query = self._recommenders.in_order(), f"lang={','.join(languages)}"
        while True:
            address = left.pop(0)
            try:
                found = await self._stored_at(f"{address}/v1/officers/{officer}/path?{query}", headers)
            except Unavailable:
                self._recommenders.failed(address)
                if not left:
                    raise
            else:
                self._recommenders.answered(address)
                return found

    async def _stored_at(self, url: str, headers: Mapping[str, str]) -> StoredPath | None:
        try:
            async with self._client.get(url, headers=headers, timeout=_FETCH) as answer:
                if answer.status in (401, 403):
                    raise Unauthorized("the key is no longer valid")
                if answer.status == HTTPStatus.NOT_FOUND:
                    return None
                if answer.status != HTTPStatus.OK:
                    raise Unavailable(f"the recommender answers {answer.status}")
                return msgspec.json.decode(await answer.read(), type=StoredPath)
        except (ClientError, TimeoutError) as error:
            raise Unavailable("the recommender does not answer") from error
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            raise Unavailable("the recommender's answer cannot be read") from None
