"""Drafts of frameworks in MongoDB, one document each, and who approved the versions that were made of them."""

from typing import Any

import msgspec
from pymongo.errors import DuplicateKeyError

from services.catalog.drafts import FrameworkDraft
from services.catalog.store import framework_key
from shared.decoding import stored
from shared.mongo import Database, unavailable


class DraftStore:
    def __init__(self, database: Database) -> None:
        self._drafts = database["framework_drafts"]
        self._approvals = database["framework_approvals"]

    async def find(self, tenant: str, framework: str) -> FrameworkDraft | None:
        """Return the tenant's draft of a framework. Raises Unavailable."""
        with unavailable():
            found = await self._drafts.find_one({"_id": framework_key(tenant, framework)})
        return stored(found["content"], FrameworkDraft) if found else None

    async def save(self, tenant: str, before: FrameworkDraft | None, after: FrameworkDraft) -> bool:
        """Store a draft; return whether no other change came first. Raises Unavailable."""
        key = framework_key(tenant, after.framework.id)
        fields = {"revision": after.revision, "content": msgspec.to_builtins(after)}
        with unavailable():
            if before is None:
                try:
                    await self._drafts.insert_one({"_id": key, **fields})
                except DuplicateKeyError:
                    return False
                return True
            wanted = {"_id": key, "revision": before.revision}
            return bool((await self._drafts.update_one(wanted, {"$set": fields})).matched_count)

    async def remove(self, tenant: str, draft: FrameworkDraft) -> bool:
        """Take a draft away; return whether no other change came first. Raises Unavailable."""
        wanted = {"_id": framework_key(tenant, draft.framework.id), "revision": draft.revision}
        with unavailable():
            return bool((await self._drafts.delete_one(wanted)).deleted_count)

    async def keep_approval(self, tenant: str, draft: FrameworkDraft, version: int) -> None:
        """Keep who proposed, reviewed and approved a version. Doing it again changes nothing. Raises Unavailable."""
        key = f"{framework_key(tenant, draft.framework.id)}@{version}"
        whole: dict[str, Any] = msgspec.to_builtins(draft)
        del whole["framework"]
        with unavailable():
            await self._approvals.update_one({"_id": key}, {"$setOnInsert": {"content": whole}}, upsert=True)

    async def approvals(self, tenant: str, framework: str, versions: list[int]) -> dict[int, dict[str, Any]]:
        """Return by version what is kept of its draft. Raises Unavailable."""
        keys = {f"{framework_key(tenant, framework)}@{version}": version for version in versions}
        with unavailable():
            found = await self._approvals.find({"_id": {"$in": list(keys)}}).to_list(None)
        return {keys[one["_id"]]: one["content"] for one in found}
