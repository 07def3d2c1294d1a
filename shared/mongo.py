"""MongoDB: the client, indexes, the translation of its errors, and the store of API keys.

client = connect(settings)                      # does no I/O; it connects at its first use
database = client[settings.database("catalog")]
await ensure_indexes(database, {"courses": [IndexModel(...), *OUTBOX_INDEXES]})
close(client)                                   # within a second, even if a server hangs
with unavailable(): await database["courses"].find_one(...)     # raises errors.Unavailable if MongoDB does not answer
with connected(settings, "keys") as client: ...  # a client for one command
await bulk_write(database["courses"], changes)  # the only way to write many: it detects writes without a majority
readable(document, decode)                      # one of many documents, or None if it cannot be decoded
await reachable(client)                         # a readiness check: None, or what is wrong
KeyStore(client, settings)                      # what shared.auth.Authenticator reads keys from
"""

import asyncio
import dataclasses
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pymongo
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import IndexModel, InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from shared.auth import StoredKey
from shared.errors import Unavailable
from shared.logs import frames_of
from shared.settings import StoreSettings

log = logging.getLogger(__name__)

T = TypeVar("T")
Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]
Collection = AsyncIOMotorCollection[Document]
Write = InsertOne[Document] | ReplaceOne[Document] | UpdateOne | UpdateMany

# A server that is stopping, starting, electing or overloaded answers with one of these; 14031: the build of an index
# lacks room on the disk.
_PASSING_CODES = {6, 7, 50, 64, 89, 91, 112, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031}
_UNKNOWN_ERROR, _FULL = 8, "No space left on device"
"""What a server answers whose storage engine finds the disk full; other unknown errors may not pass."""

_DUPLICATE_KEY = 11000
_ANSWER_SECONDS = 1.5
"""How long readiness waits for a primary; its answer is due within 2 s."""

_PASSING_LABELS = (
    "RetryableWriteError",
    "TransientTransactionError",
    "UnknownTransactionCommitResult",
    "RetryableError",
    "SystemOverloadedError",
)


_CLOSE_SECONDS = 1.0
_PARTS_AT_ONCE = 2

BUILD_SECONDS = 600
"""How long the server may take to build the indexes of a service, when it starts on a large collection."""

_REFUSED_CODES = {11, 13, 18}
"""The error codes of a server that rejects the user, knows no user for the certificate, or denies an action."""


def connect(settings: StoreSettings, name: str = "learning-path") -> Client:
    """Return a client that writes to a majority with the journal, reads majority-committed data, and times out in 5 s.

    Raises Unavailable if the URI cannot be used.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # pymongo would ignore an option that it does not know
            return AsyncIOMotorClient(
                settings.mongodb_uri,
                appName=name,
                w="majority",
                journal=True,
                readConcernLevel="majority",
                retryWrites=True,
                timeoutMS=5000,
                serverSelectionTimeoutMS=5000,
                maxPoolSize=50,
                tz_aware=True,
            )
    except (PyMongoError, ValueError, OSError, UserWarning) as error:  # its message may hold a part of the password
        raise Unavailable(
            f"MONGODB_URI cannot be used ({type(error).__name__}): percent-encode user and password, "
            "and see that its options and files are right"
        ) from None


def close(client: Client) -> None:
    """Disconnect within a second. Without this limit the driver waits 25 s for a server that hangs.

    Blocks the event loop, which has nothing else to do by then.
    """
    with pymongo.timeout(_CLOSE_SECONDS):
        client.close()


@contextmanager
def connected(settings: StoreSettings, name: str) -> Iterator[Client]:
    """Yield a client for the duration of a command and close it. Raises Unavailable if the URI cannot be used."""
    client = connect(settings, name)
    try:
        yield client
    finally:
        close(client)


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn errors of the connection into Unavailable, also a refused user and an unknown name; re-raise others."""
    try:
        yield
    except PyMongoError as error:
        if is_transient(error):
            raise Unavailable("the database does not answer; try again soon") from error
        if _is_refusal(error):
            raise Unavailable("the database refuses the user of MONGODB_URI") from error
        if isinstance(error, ConfigurationError):  # only a connection shows it; its message may hold a part of the URI
            raise Unavailable(
                "the database cannot be connected to: see that the DNS knows the name in mongodb+srv://, and that the "
                "server is a version that is supported"
            ) from None
        raise


def is_transient(error: PyMongoError) -> bool:
    """Return whether an error is transient: trying again may help."""
    if isinstance(error, ConnectionFailure | WriteConcernError) or error.timeout:
        return True
    if any(error.has_error_label(label) for label in _PASSING_LABELS):
        return True
    if isinstance(error, BulkWriteError):
        failed = [(one["code"], one.get("errmsg", "")) for one in error.details["writeErrors"]]
        return bool(error.details["writeConcernErrors"]) or any(_passes(*one) for one in failed)
    return isinstance(error, OperationFailure) and _passes(error.code, str(error))


def _passes(code: int | None, message: str) -> bool:
    return code in _PASSING_CODES or (code == _UNKNOWN_ERROR and _FULL in message)


def had_conflict(error: BaseException | None) -> bool:
    """Return whether the server aborted a transaction because of a write conflict. Then it has written nothing."""
    return isinstance(error, OperationFailure) and error.has_error_label("TransientTransactionError")


async def bulk_write(collection: Collection, writes: Sequence[Write], *, ordered: bool = False) -> int:
    """Run writes together; return how many matched or inserted a document (a duplicate key does not count).

    Raises Unavailable if a majority has not confirmed the writes: a primary that is about to be replaced may have
    applied them alone, and they may be rolled back. The server reports that in an answer that otherwise is a success,
    and the driver raises a BulkWriteError without any write error.
    """
    with unavailable():
        try:
            result = await collection.bulk_write(list(writes), ordered=ordered)
        except BulkWriteError as error:
            if is_transient(error) or any(one["code"] != _DUPLICATE_KEY for one in error.details["writeErrors"]):
                raise
            return sum(int(error.details[count]) for count in ("nMatched", "nInserted", "nUpserted"))
    return result.matched_count + result.inserted_count + result.upserted_count


async def overlapped(work: Callable[[T], Awaitable[None]], parts: Iterable[T]) -> None:
    """Call `work` for the parts of a bulk, two at a time: while one part is written, the next one is prepared.

    After an error `work` is called for no further part. Raises the first error once the running calls have ended.
    """
    turns = asyncio.Semaphore(_PARTS_AT_ONCE)
    errors: list[Exception] = []

    async def one(part: T) -> None:
        async with turns:
            if errors:
                return
            try:
                await work(part)
            except Exception as error:  # noqa: BLE001 - raised below
                errors.append(error)

    await asyncio.gather(*map(one, parts))
    for error in errors:
        raise error


def readable(document: Document, decode: Callable[[Document], T]) -> T | None:
    """Return a decoded document, or None if decoding fails: callers that read many documents skip such a one.

    A newer version may have written it, or an older one that allowed more. The failure is logged with the `_id`.
    """
    try:
        return decode(document)
    except Exception as error:  # noqa: BLE001 - any error: the others are to be read
        fields = {"error": frames_of(error)}
        log.error("document %s cannot be read", document.get("_id"), extra={"fields": fields})  # noqa: TRY400 - no traceback: it may hold data
        return None


async def ensure_indexes(database: Database, indexes: Mapping[str, Sequence[IndexModel]]) -> None:
    """Create missing indexes of each collection. Raises Unavailable.

    The server aborts an index build when its command times out, and every later start would abort again, so builds have
    a time-out of ten minutes. Whether a server answers is checked first, within the usual time-out.
    """
    with unavailable():
        await database.command("ping")
    with unavailable(), pymongo.timeout(BUILD_SECONDS):
        for collection, models in indexes.items():
            await database[collection].create_indexes(list(models))


_REFUSED = "the user of MONGODB_URI is refused"


async def reachable(client: Client) -> str | None:
    """Return None if MongoDB has a primary that answers, else what is wrong."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await client.admin.command("ping")
    except TimeoutError:
        return _fault(client)
    except PyMongoError as error:
        if error.timeout or isinstance(error, AutoReconnect):
            return _fault(client)
        if isinstance(error, ConfigurationError):
            return "the DNS does not know the name, or the server is not supported"
        return _REFUSED if _is_refusal(error) else type(error).__name__
    return None


def _is_refusal(error: object) -> bool:
    return isinstance(error, OperationFailure) and error.code in _REFUSED_CODES


def _fault(client: Client) -> str:
    """Return what the client has noticed of the first server that it cannot use: its address and the cause."""
    servers = client.delegate.topology_description.server_descriptions()
    errors = [server.error for _, server in sorted(servers.items())]
    error = next(filter(None, errors), "no answer in time")
    if _is_refusal(error):
        return _REFUSED
    known = isinstance(error, AutoReconnect | str)
    return str(error).partition(" (configured timeouts")[0] if known else type(error).__name__


_GIVEN = ("digest", "tenant", "role", "officer", "agency", "expires_at", "label")
"""The fields of every stored key that its creator gives."""


class KeyStore:
    """The API keys, in the database `access` that all services share."""

    def __init__(self, client: Client, settings: StoreSettings) -> None:
        self._database = client[settings.database("access")]
        self._keys = self._database["keys"]

    async def prepare(self) -> None:
        """Create the indexes. Raises Unavailable."""
        officer = IndexModel([("tenant", 1), ("officer", 1)], name="officer")
        of_tenant = IndexModel([("tenant", 1), ("created_at", 1)], name="tenant_created_at")
        of_all = IndexModel([("created_at", 1)], name="created_at")
        of_person = IndexModel([("subject", 1)], name="subject", sparse=True)
        over = IndexModel([("remove_at", 1)], name="remove_at", expireAfterSeconds=0)
        await ensure_indexes(self._database, {"keys": [officer, of_tenant, of_all, of_person, over]})

    async def find(self, key_id: str) -> StoredKey | None:
        """Return a stored key, None if it is unknown or was revoked. Raises Unavailable."""
        with unavailable():
            document = await self._keys.find_one({"_id": str(key_id), "revoked_at": None})
        return _key(document) if document else None

    async def create(self, key: StoredKey) -> None:
        """Store a new key. Raises Unavailable.

        The key of a signed-in person or of a viewer is deleted a day after it expires.
        """
        session: Document = {}
        if key.expires_at is not None and (key.subject is not None or key.role == "viewer"):
            session = {"remove_at": key.expires_at + timedelta(days=1)}
        if key.subject is not None:
            session |= {"subject": key.subject, "idle_seconds": key.idle_seconds}
        given = {name: getattr(key, name) for name in _GIVEN}
        times = {"created_at": datetime.now(UTC), "used_at": None, "revoked_at": None}
        with unavailable():
            await self._keys.insert_one({"_id": key.key_id, **given, **times, **session})

    async def note_use(self, key_id: str) -> None:
        """Record that a key is used now, unless it was revoked meanwhile. Raises Unavailable."""
        with unavailable():
            await self._keys.update_one(
                {"_id": str(key_id), "revoked_at": None}, {"$set": {"used_at": datetime.now(UTC)}}
            )

    async def working(self, key_ids: Iterable[str]) -> set[str]:
        """Return those of the given ids whose keys are neither revoked nor expired. Raises Unavailable."""
        wanted = {"_id": {"$in": list(key_ids)}, "revoked_at": None}
        alive = {"$or": [{"expires_at": None}, {"expires_at": {"$gt": datetime.now(UTC)}}]}
        with unavailable():
            return {document["_id"] async for document in self._keys.find({**wanted, **alive}, {"_id": 1})}

    async def revoke_of(self, tenant: str, officer: str) -> int:
        """Revoke all keys of an officer; return how many were not revoked before. Raises Unavailable.

        Also deletes the labels, subjects and times of use of keys that were revoked earlier. May be repeated.
        """
        theirs = {"tenant": str(tenant), "officer": str(officer)}
        personal = dict.fromkeys(("label", "used_at", "subject"), "")
        revoked = await self._revoked(theirs)
        with unavailable():
            await self._keys.update_many(theirs, {"$unset": personal})
        return revoked

    async def revoke(self, key_id: str) -> bool:
        """Revoke a key; return False if it is unknown or was revoked before. Raises Unavailable.

        Other replicas may accept the key for 30 s more.
        """
        return bool(await self._revoked({"_id": str(key_id)}))

    async def revoke_subject(self, subject: str) -> int:
        """Revoke the keys of a signed-in person on every device; return how many. Raises Unavailable."""
        return await self._revoked({"subject": str(subject)})

    async def _revoked(self, wanted: Document) -> int:
        """Revoke the keys that match and are not revoked; return how many. Raises Unavailable."""
        with unavailable():
            result = await self._keys.update_many(
                {**wanted, "revoked_at": None}, {"$set": {"revoked_at": datetime.now(UTC)}}
            )
        return int(result.modified_count)

    # --- keys of viewers: links by which an officer shows a path ----------------------------------------------------

    async def viewers_of(self, tenant: str, officer: str) -> Sequence[StoredKey]:
        """Return the valid keys of an officer's viewers, newest first. Raises Unavailable."""
        with unavailable():
            found = await self._keys.find({**_viewers(tenant), "officer": str(officer)}).to_list(None)
        return [_key(document) for document in sorted(found, key=lambda one: one["created_at"], reverse=True)]

    async def viewed_until(self, tenant: str, officers: Iterable[str]) -> dict[str, datetime]:
        """Return {officer: when the last viewer's key expires}, without officers who have no viewers.

        Raises Unavailable.
        """
        wanted = {**_viewers(tenant), "officer": {"$in": list(officers)}}
        until: dict[str, datetime] = {}
        with unavailable():
            async for one in self._keys.find(wanted, {"officer": 1, "expires_at": 1}):
                until[one["officer"]] = max(one["expires_at"], until.get(one["officer"], one["expires_at"]))
        return until

    async def remove_viewer(self, tenant: str, officer: str, key_id: str) -> bool:
        """Remove the key of one of an officer's viewers; return whether it existed. Raises Unavailable."""
        theirs = {"_id": str(key_id), "tenant": str(tenant), "officer": str(officer), "role": "viewer"}
        with unavailable():
            result = await self._keys.delete_one(theirs)
        return bool(result.deleted_count)

    async def remove_viewers(self, tenant: str, officer: str) -> None:
        """Remove the keys of all of an officer's viewers. Raises Unavailable."""
        with unavailable():
            await self._keys.delete_many({"tenant": str(tenant), "officer": str(officer), "role": "viewer"})

    async def list(self, tenant: str | None = None) -> AsyncIterator[StoredKey]:
        """Yield the keys of a tenant, or of all, that were not revoked, oldest first. Raises Unavailable."""
        wanted: Document = {"revoked_at": None} | ({"tenant": str(tenant)} if tenant else {})
        with unavailable():
            async for document in self._keys.find(wanted).sort("created_at", 1):
                yield _key(document)


def _viewers(tenant: str) -> Document:
    """Return the query for a tenant's valid viewer keys."""
    return {"tenant": str(tenant), "role": "viewer", "revoked_at": None, "expires_at": {"$gt": datetime.now(UTC)}}


def _key(document: Document) -> StoredKey:
    held = {one.name: document[one.name] for one in dataclasses.fields(StoredKey) if one.name in document}
    return StoredKey(key_id=document["_id"], **held)
