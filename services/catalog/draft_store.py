"""Stores drafts of frameworks in MongoDB, one document each, and the approvals of the versions made from them.

A framework that is too large for the document of its draft is stored in pieces, in a collection of their own. The
pieces are written before the document that names them, and deleted when no document names them any more.

The document of a draft that is published or dropped keeps only the number of the last revision. The next draft of
the framework continues from it, so a revision that somebody has seen never has another content.
"""

import asyncio
from collections.abc import Sequence
from itertools import accumulate
from typing import Any
from uuid import uuid4

import msgspec
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.catalog.drafts import FrameworkDraft
from services.catalog.entries import framework_key
from services.catalog.store import EVENT_LIMIT
from shared.decoding import stored
from shared.domain import Framework
from shared.mongo import Database, Document, ensure_indexes, unavailable

_PIECE = 4 * 1024 * 1024


class DraftStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._drafts = database["framework_drafts"]
        self._pieces = database["framework_draft_pieces"]
        self._approvals = database["framework_approvals"]

    async def prepare(self) -> None:
        """Create the index of the pieces of drafts in MongoDB. Raises Unavailable."""
        of_draft = IndexModel([("of", ASCENDING), ("number", ASCENDING)], name="of_number")
        await ensure_indexes(self._database, {self._pieces.name: [of_draft]})

    async def find(self, tenant: str, framework: str) -> FrameworkDraft | None:
        """Return the tenant's draft of a framework, None if there is none. Raises Unavailable."""
        with unavailable():
            found = await self._drafts.find_one({"_id": framework_key(tenant, framework)})
            if found is None or "content" not in found:
                return None
            if "pieces" not in found:
                return stored(found["content"], FrameworkDraft)
            rows = await self._pieces.find({"of": found["pieces"]}).sort("number", ASCENDING).to_list(None)
        whole = await asyncio.to_thread(_decoded, [row["data"] for row in rows])
        return stored({**found["content"], "framework": whole}, FrameworkDraft)

    async def last_revision(self, tenant: str, framework: str) -> int:
        """Return the last revision of the framework's drafts, 0 if there was none. Raises Unavailable."""
        with unavailable():
            found = await self._drafts.find_one({"_id": framework_key(tenant, framework)}, {"revision": 1})
        return found["revision"] if found else 0

    async def save(self, tenant: str, before: FrameworkDraft | None, after: FrameworkDraft) -> bool:
        """Store the draft `after` in place of `before`, None for a new draft. Raises Unavailable.

        Returns False, and stores nothing, if the stored draft is not `before` any more.
        """
        key = framework_key(tenant, after.framework.id)
        raw = await asyncio.to_thread(msgspec.json.encode, after.framework)
        fields: Document = {"revision": after.revision, "content": _without_framework(after)}
        change: Document = {"$set": fields}
        if len(raw) > EVENT_LIMIT:
            fields["pieces"] = await self._write(raw)
        else:
            fields["content"]["framework"] = msgspec.to_builtins(after.framework)
            change["$unset"] = {"pieces": ""}
        saved, replaced = await self._save(key, before, fields, change)
        gone = replaced if saved else fields.get("pieces")
        if gone:
            with unavailable():
                await self._pieces.delete_many({"of": gone})
        return saved

    async def _save(
        self, key: str, before: FrameworkDraft | None, fields: Document, change: Document
    ) -> tuple[bool, str | None]:
        """Write the document; return whether it was written, and the name of the pieces that it does not need any more.

        It is not written if the stored draft is not `before` any more.
        """
        with unavailable():
            if before is None:
                gone = {"_id": key, "revision": fields["revision"] - 1, "content": {"$exists": False}}
                try:
                    await self._drafts.update_one(gone, change, upsert=True)
                except DuplicateKeyError:
                    return False, None
                return True, None
            wanted = {"_id": key, "revision": before.revision}
            found = await self._drafts.find_one_and_update(wanted, change, {"pieces": 1})
        return found is not None, (found or {}).get("pieces")

    async def _write(self, raw: bytes) -> str:
        name = str(uuid4())
        for number, start in enumerate(range(0, len(raw), _PIECE)):
            with unavailable():
                await self._pieces.insert_one({"of": name, "number": number, "data": raw[start : start + _PIECE]})
        return name

    async def remove(self, tenant: str, draft: FrameworkDraft) -> bool:
        """Delete a draft but for its revision; return False if another one is stored. Raises Unavailable."""
        wanted: Document = {"_id": framework_key(tenant, draft.framework.id), "revision": draft.revision}
        emptied = {"$unset": {"content": "", "pieces": ""}}
        with unavailable():
            found = await self._drafts.find_one_and_update(
                wanted | {"content": {"$exists": True}}, emptied, {"pieces": 1}
            )
            if found and "pieces" in found:
                await self._pieces.delete_many({"of": found["pieces"]})
        return found is not None

    async def keep_approval(self, tenant: str, draft: FrameworkDraft, version: int) -> None:
        """Store the signatures and comments of the draft from which a version was published.

        If they are stored already, nothing changes. Raises Unavailable.
        """
        key = f"{framework_key(tenant, draft.framework.id)}@{version}"
        content = _without_framework(draft)
        with unavailable():
            await self._approvals.update_one({"_id": key}, {"$setOnInsert": {"content": content}}, upsert=True)

    async def approvals(
        self, tenant: str, framework: str, versions: Sequence[int], most_bytes: int
    ) -> tuple[int, dict[int, dict[str, Any]]]:
        """Return (count, {version: signatures and comments of its draft}) for the first `count` versions.

        `count` is the largest number whose documents have at most `most_bytes` bytes together, but at least 1. A
        version that was published without a draft is not in the result. Raises Unavailable.
        """
        keys = {version: f"{framework_key(tenant, framework)}@{version}" for version in versions}
        with unavailable():
            weighed = self._approvals.find({"_id": {"$in": list(keys.values())}}, {"bytes": {"$bsonSize": "$$ROOT"}})
            sizes = {one["_id"]: one["bytes"] async for one in weighed}
            sums = accumulate(sizes.get(key, 0) for key in keys.values())
            fitting = max(1, sum(size <= most_bytes for size in sums))
            wanted = {key: version for version, key in list(keys.items())[:fitting]}
            found = await self._approvals.find({"_id": {"$in": list(wanted)}}).to_list(None)
        return fitting, {wanted[one["_id"]]: one["content"] for one in found}


def _without_framework(draft: FrameworkDraft) -> dict[str, Any]:
    fields = {name: getattr(draft, name) for name in draft.__struct_fields__ if name != "framework"}
    return {name: msgspec.to_builtins(value) for name, value in fields.items()}


def _decoded(pieces: list[bytes]) -> Framework:
    return stored(msgspec.json.decode(b"".join(pieces)), Framework)
