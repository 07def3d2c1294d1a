"""Stores the parts of frameworks that are too large for one document and one event.

A part is a document in the collection of the entries, so that the same relay announces it. Its key contains the
version and the digest of the framework's content, so publishing the same content again reuses the parts. After a
version was announced, the parts of earlier versions are withdrawn from the topic. They stay stored, because the history
reads them.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from pymongo import ASCENDING, IndexModel, UpdateOne

from shared.domain import Framework, key_of
from shared.events import NAMES, FrameworkAnnounced, FrameworkPart, new_event
from shared.framework_parts import AnnouncedParts, assembled, keys_of
from shared.mongo import Database, Document, bulk_write, ensure_indexes, unavailable
from shared.outbox import outbox_insert_held, outbox_push, outbox_push_held

SOURCE = "/catalog"
DATA = "data"
"""The field of a part's document that holds the data of the event."""

_KIND = "framework_part"
_AT_ONCE = 16
_HELD = 2


class PartedFramework(NamedTuple):
    """What the document of a framework in parts holds: version, digest of the content, and digests of the parts."""

    version: int
    digest: str
    parts: list[str]

    def header(self, tenant: str, framework: str) -> FrameworkAnnounced:
        """Return the data of the event that announces the framework and names its parts."""
        return FrameworkAnnounced(tenant, framework, self.version, self.digest, self.parts)


def parted(document: Document) -> PartedFramework | None:
    """Return what a document tells of a framework in parts; None if it holds the framework itself."""
    found = document.get("publication")
    return PartedFramework(found["version"], found["digest"], found["parts"]) if found else None


def publication_of(header: FrameworkAnnounced) -> Document:
    """Return the stored form of an announcement, which `parted` reads again."""
    return {"version": header.version, "digest": header.digest, "parts": header.parts}


class PartStore:
    """Stores and reads the parts; the frameworks that were read last stay in memory.

    `entries` is the name of the collection.
    """

    def __init__(self, database: Database, entries: str) -> None:
        self._database = database
        self._entries = database[entries]
        self._held: dict[tuple[str, str, str], Framework] = {}
        self._reading = asyncio.Lock()

    async def prepare(self) -> None:
        """Create the index of the parts in MongoDB. Raises Unavailable."""
        announced = IndexModel(
            [(field, ASCENDING) for field in ("kind", "tenant", "withdrawn", "id")],
            name="parts",
            partialFilterExpression={"kind": _KIND},
        )
        await ensure_indexes(self._database, {self._entries.name: [announced]})

    async def stage(self, publication: AnnouncedParts) -> None:
        """Store the parts of a framework with their events; existing parts stay unchanged. Raises Unavailable."""
        for start in range(0, len(publication.parts), _AT_ONCE):
            writes = []
            for part in publication.parts[start : start + _AT_ONCE]:
                envelope = new_event(SOURCE, part.key, 1, part)
                fields = {
                    "kind": _KIND,
                    "tenant": part.tenant,
                    "id": part.key.partition("/framework:")[2],
                    "sequence": 1,
                    "withdrawn": False,
                    DATA: envelope.data,
                    **outbox_insert_held(envelope, DATA),
                }
                writes.append(UpdateOne({"_id": part.key}, {"$setOnInsert": fields}, upsert=True))
            await bulk_write(self._entries, writes)

    async def read(self, tenant: str, framework: str, named: PartedFramework) -> Framework:
        """Return a framework that is stored in parts; one framework is read at a time, and decoded in a thread.

        Raises Unavailable; Rejected if a part is missing or wrong.
        """
        key = (tenant, framework, f"{named.version}-{named.digest}")
        async with self._reading:
            if (found := self._held.pop(key, None)) is None:
                contents = []
                for part in keys_of(named.header(tenant, framework)):
                    with unavailable():
                        document = await self._entries.find_one({"_id": part}, {DATA: 1}) or {}
                    contents.append(document.get(DATA, b""))
                found = await asyncio.to_thread(_whole, contents)
            self._held[key] = found
            while len(self._held) > _HELD:
                del self._held[next(iter(self._held))]
        return found

    async def retire(self, tenant: str, framework: str, version: int, digest: str = "") -> int:
        """Withdraw from the topic the parts of a framework's versions up to `version`; return their number.

        The parts with this version and this `digest` are not withdrawn. Raises Unavailable.
        """
        ids = {"$gt": f"{framework}@", "$lt": f"{framework}A"}  # `A` follows `@`, which no identifier holds
        query = {"kind": _KIND, "tenant": tenant, "withdrawn": False, "id": ids}
        with unavailable():  # their versions are read from the index: the documents are large
            rows = await self._entries.find(query, {"_id": 0, "id": 1}).to_list(None)
        gone = []
        for row in rows:
            its_version, _, its_digest = row["id"].partition("@")[2].partition("/")[0].partition("-")
            if int(its_version) <= version and (int(its_version), its_digest) != (version, digest):
                gone.append(key_of(tenant, f"framework:{row['id']}"))
        writes = []
        for key in gone:
            change = outbox_push(new_event(SOURCE, key, 2, None))
            change["$set"] |= {"withdrawn": True, "sequence": 2}
            writes.append(UpdateOne({"_id": key, "withdrawn": False}, change))
        return await bulk_write(self._entries, writes) if writes else 0

    async def republish(self, keys: Sequence[str]) -> int:
        """Stage the events of parts again, for withdrawn parts a tombstone; return their number. Raises Unavailable."""
        count = 0
        for key in keys:
            with unavailable():
                document = await self._entries.find_one({"_id": key, "kind": _KIND}, {"sequence": 1, "withdrawn": 1})
                if document is None:
                    continue
                envelope = new_event(SOURCE, key, document["sequence"], None)
                change = outbox_push(envelope)
                if not document["withdrawn"]:
                    change = outbox_push_held(msgspec.structs.replace(envelope, type=NAMES[FrameworkPart]), DATA)
                result = await self._entries.update_one({"_id": key, "sequence": document["sequence"]}, change)
                count += result.matched_count
        return count


def is_part(key: str) -> bool:
    """Return whether a key names a part of a framework."""
    return "@" in key


def _whole(contents: Sequence[bytes]) -> Framework:
    return assembled([bytes(msgspec.json.decode(content, type=FrameworkPart).content) for content in contents])
