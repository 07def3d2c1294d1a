"""xAPI statements and mappings in MongoDB.

statements      _id `tenant/statement id`, officer_key, digest, status, reason, stored, content (JSON as it came)
xapi_mappings   _id tenant, content, mapped and unmapped (counts)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, UpdateOne

from services.assessment.xapi.mapping import PutXapiMapping, UnmappedStatement, XapiMapping
from services.assessment.xapi.statements import ReceivedStatement
from shared.domain import key_of
from shared.mongo import Database, Document, bulk_write, ensure_indexes, unavailable

_LATEST = 20


@dataclass(frozen=True)
class KeptStatement:
    """A statement to be stored. `status`: whether it gave evidence. `reason`: why it gave none."""

    received: ReceivedStatement
    officer_key: str
    status: Literal["mapped", "unmapped"]
    stored: datetime
    reason: str = ""


class StatementStore:
    """The statements and mappings of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statements = database["statements"]
        self._mappings = database["xapi_mappings"]

    async def prepare(self) -> None:
        """Create the indexes. Raises Unavailable."""
        officer = IndexModel([("officer_key", ASCENDING)], name="officer")
        latest = IndexModel([("tenant", ASCENDING), ("status", ASCENDING), ("stored", DESCENDING)], name="latest")
        await ensure_indexes(self._database, {"statements": [officer, latest]})

    async def mapping(self, tenant: str) -> PutXapiMapping | None:
        """Return the mapping of a tenant, None if there is none. Raises Unavailable."""
        with unavailable():
            found = await self._mappings.find_one({"_id": tenant, "content": {"$exists": True}})
        return msgspec.convert(found["content"], PutXapiMapping) if found else None

    async def put_mapping(self, tenant: str, mapping: PutXapiMapping) -> None:
        """Store the mapping of a tenant in place of an earlier one. Raises Unavailable."""
        with unavailable():
            content = {"$set": {"content": msgspec.to_builtins(mapping)}}
            await self._mappings.update_one({"_id": tenant}, content, upsert=True)

    async def shown_mapping(self, tenant: str) -> XapiMapping:
        """Return the mapping of a tenant with the counts and the 20 latest unmapped statements. Raises Unavailable."""
        with unavailable():
            found = await self._mappings.find_one({"_id": tenant}) or {}
            query = {"tenant": tenant, "status": "unmapped"}
            latest = await self._statements.find(query).sort("stored", DESCENDING).limit(_LATEST).to_list(_LATEST)
        mapping = msgspec.convert(found["content"], PutXapiMapping) if "content" in found else None
        return XapiMapping(
            home_page=mapping.home_page if mapping else None,
            rules=mapping.rules if mapping else [],
            mapped=found.get("mapped", 0),
            unmapped=found.get("unmapped", 0),
            latest_unmapped=[
                UnmappedStatement(one["id"], one["verb"], one.get("activity"), one["reason"], one["stored"])
                for one in latest
            ],
        )

    async def digests(self, tenant: str, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return {id: (digest, status)} of the statements with these ids that are stored. Raises Unavailable."""
        wanted = {"_id": {"$in": [key_of(tenant, one) for one in ids]}}
        with unavailable():
            found = self._statements.find(wanted, {"id": 1, "digest": 1, "status": 1})
            return {one["id"]: (one["digest"], one["status"]) async for one in found}

    async def find(self, tenant: str, statement_id: str) -> Document | None:
        """Return the document of a statement, with `content` (JSON) and `stored` (a time); None if there is none.

        Raises Unavailable.
        """
        with unavailable():
            return await self._statements.find_one({"_id": key_of(tenant, statement_id)})

    async def keep(self, tenant: str, statements: Sequence[KeptStatement], again: Mapping[str, Any]) -> int:
        """Store statements and count them; return how many were stored.

        `again`: the ids of statements that are stored as unmapped; only their status and reason change. A statement
        that another request has stored meanwhile stays unchanged. Raises Unavailable.
        """
        writes: list[Any] = []
        for one in statements:
            if one.received.id in again:
                change = {"$set": {"status": one.status, "reason": one.reason}}
                writes.append(UpdateOne({"_id": key_of(tenant, one.received.id), "status": "unmapped"}, change))
            else:
                writes.append(InsertOne(_document(tenant, one)))
        count = await bulk_write(self._statements, writes) if writes else 0
        mapped = sum(one.status == "mapped" for one in statements)
        known = sum(one.received.id in again for one in statements)
        counts = {"mapped": mapped, "unmapped": len(statements) - mapped - known}
        with unavailable():
            await self._mappings.update_one({"_id": tenant}, {"$inc": counts}, upsert=True)
        return count

    async def erase(self, officer_key: str) -> None:
        """Delete the statements about an officer. Raises Unavailable."""
        with unavailable():
            await self._statements.delete_many({"officer_key": officer_key})


def _document(tenant: str, one: KeptStatement) -> Document:
    statement = one.received.statement
    return {
        "_id": key_of(tenant, one.received.id),
        "id": one.received.id,
        "tenant": tenant,
        "officer_key": one.officer_key,
        "digest": one.received.digest,
        "status": one.status,
        "reason": one.reason,
        "verb": statement.verb.id,
        "activity": statement.object.id,
        "stored": one.stored,
        "content": msgspec.json.encode(one.received.content),
    }
