"""Item banks in MongoDB: a draft and any number of published versions of each; items are separate documents.

The items of one draft or version are an `edition`: written once under a new name, never changed. A draft refers to its
edition; publishing inserts the document of the next version, which refers to the same edition, so a version is either
absent or complete. A draft is marked before it is published, so that no change of the draft removes the edition that is
being published. Editions without references are removed.

The publications of a tenant are numbered. Sessions use the bank of their framework that was published under the highest
number. Versions that earlier releases published have no number; they count as older than all numbered ones, and their
order is that of `published_at`.
"""

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.assessment.item_bank.model import BankFacts, BankStatus, Item, ItemBank
from shared.decoding import stored
from shared.domain import SHARED_TENANT, key_of
from shared.mongo import Database, Document, bulk_write, ensure_indexes, unavailable

_AT_ONCE = 500
_REMEMBERED = 8
"""How many decoded editions a process caches; an edition never changes."""
_LAST_PUBLISHED = {"publication": DESCENDING, "published_at": DESCENDING}


@dataclass(frozen=True)
class NewDraft:
    """A draft to be stored. `version`: the version that it is made from, 0 if there is none."""

    tenant: str
    bank: str
    facts: BankFacts
    version: int
    framework_version: int


@dataclass(frozen=True)
class StoredBank:
    """A draft or a version without its items.

    `items`: how many items there are, in the edition named `edition`. Of a draft, `version` is the version that it was
    made from, `revision` counts its changes, and `publishing` tells that its publication has begun.
    """

    tenant: str
    bank: str
    facts: BankFacts
    version: int
    framework_version: int
    edition: str
    items: int
    draft: bool
    revision: int = 0
    publishing: bool = False

    @property
    def key(self) -> str:
        """The key of the bank: `tenant/bank`."""
        return key_of(self.tenant, self.bank)

    @property
    def status(self) -> BankStatus:
        """The state of the bank: a draft, a published version, or a version that is no longer used."""
        return "draft" if self.draft else "retired" if self.facts.retired else "published"


class ItemBankStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._drafts = database["item_bank_drafts"]
        self._versions = database["item_bank_versions"]
        self._items = database["item_bank_items"]
        self._publications = database["item_bank_publications"]
        self._decoded: OrderedDict[str, list[Item]] = OrderedDict()

    async def prepare(self) -> None:
        """Create the indexes. Raises Unavailable."""
        last = {"tenant": ASCENDING, "framework": ASCENDING, **_LAST_PUBLISHED}
        await ensure_indexes(
            self._database,
            {
                "item_bank_versions": [
                    IndexModel([("key", ASCENDING), ("version", DESCENDING)], name="newest_of_bank"),
                    IndexModel([("tenant", ASCENDING), ("newest", ASCENDING), ("bank", ASCENDING)], name="banks"),
                    IndexModel(last, name="last_of_framework", partialFilterExpression={"newest": True}),
                ],
                "item_bank_items": [
                    IndexModel([("edition", ASCENDING), ("position", ASCENDING)], name="of_edition", unique=True)
                ],
            },
        )

    # --- published versions ------------------------------------------------------------------------------------------

    async def current(self, tenant: str, framework: str) -> StoredBank | None:
        """Return the bank that new sessions of a framework use, without its items; None if there is none.

        It is the one published last of those whose newest version is not retired; the tenant's own banks come before
        shared ones. Raises Unavailable.
        """
        for owner in dict.fromkeys((tenant, SHARED_TENANT)):
            query: Document = {"tenant": owner, "framework": framework, "newest": True}
            with unavailable():
                async for document in self._versions.find(query).sort(_LAST_PUBLISHED).limit(100):
                    if not (found := _version(document)).facts.retired:
                        return found
        return None

    async def version(self, tenant: str, bank: str, version: int | None = None) -> StoredBank | None:
        """Return a version of the tenant's own bank, by default the newest; None if there is none.

        Raises Unavailable.
        """
        query: Document = {"key": key_of(tenant, bank)} | ({} if version is None else {"version": version})
        with unavailable():
            document = await self._versions.find_one(query, sort=[("version", DESCENDING)])
        return _version(document) if document else None

    async def newest(self, tenant: str, after: str, limit: int) -> list[StoredBank]:
        """Return the newest version of each of the tenant's banks: the first `limit` whose id is after `after`, by id.

        Raises Unavailable.
        """
        query: Document = {"tenant": tenant, "newest": True, "bank": {"$gt": after}}
        with unavailable():
            rows = self._versions.find(query).sort("bank").limit(limit + 1)
            found = [_version(document) async for document in rows]
        of_bank = {one.bank: one for one in sorted(found, key=lambda one: one.version)}  # two while one is published
        return [of_bank[bank] for bank in sorted(of_bank)][:limit]

    async def publish(self, draft: StoredBank, framework_version: int) -> StoredBank | None:
        """Publish a draft as the version after the one that it was made from; None after a write conflict.

        Repeating the call completes an interrupted publication. Raises Unavailable.
        """
        version = draft.version + 1
        mine: Document = {"_id": draft.key, "edition": draft.edition}
        with unavailable():
            if not (await self._drafts.update_one(mine, {"$set": {"publishing": True}})).matched_count:
                return None
        document: Document = {
            "_id": f"{draft.key}@{version}",
            "key": draft.key,
            "tenant": draft.tenant,
            "bank": draft.bank,
            "framework": draft.facts.framework,
            "facts": msgspec.to_builtins(draft.facts),
            "version": version,
            "framework_version": framework_version,
            "edition": draft.edition,
            "items": draft.items,
            "newest": True,
            "publication": await self._next_publication(draft.tenant),
            "published_at": datetime.now(UTC),
        }
        try:
            with unavailable():
                await self._versions.insert_one(document)
        except DuplicateKeyError:
            there = await self.version(draft.tenant, draft.bank, version)
            if there is None or there.edition != draft.edition:
                with unavailable():
                    await self._drafts.update_one(mine, {"$set": {"publishing": False}})
                return None
        with unavailable():
            older = {"key": draft.key, "version": {"$lt": version}}
            await self._versions.update_many(older, {"$set": {"newest": False}})
            await self._drafts.delete_one(mine)
        return _version(document)

    async def _next_publication(self, tenant: str) -> int:
        """Reserve the number of a publication, above all that were reserved before. Raises Unavailable."""
        with unavailable():
            reserved = await self._publications.find_one_and_update(
                {"_id": tenant}, {"$inc": {"reserved": 1}}, upsert=True, return_document=ReturnDocument.AFTER
            )
        return int(reserved["reserved"])

    # --- drafts ------------------------------------------------------------------------------------------------------

    async def draft(self, tenant: str, bank: str) -> StoredBank | None:
        """Return the draft of a bank without its items; None if there is none. Raises Unavailable."""
        with unavailable():
            document = await self._drafts.find_one({"_id": key_of(tenant, bank)})
        return _draft(document) if document else None

    async def save_draft(self, before: StoredBank | None, draft: NewDraft, items: Sequence[Item]) -> StoredBank | None:
        """Store the draft that replaces `before`; None after a write conflict. Raises Unavailable.

        If the publication of `before` was interrupted, completes it and returns None.
        """
        if before and before.publishing:
            await self.publish(before, before.framework_version)
            return None
        edition = await self._write(draft.tenant, items)
        revision = before.revision + 1 if before else 1
        fields: Document = {
            "tenant": draft.tenant,
            "bank": draft.bank,
            "facts": msgspec.to_builtins(draft.facts),
            "version": draft.version,
            "framework_version": draft.framework_version,
            "edition": edition,
            "items": len(items),
            "revision": revision,
        }
        key = key_of(draft.tenant, draft.bank)
        with unavailable():
            if before is None:
                try:
                    await self._drafts.insert_one({"_id": key, **fields})
                except DuplicateKeyError:
                    await self._remove(edition)
                    return None
                return _draft({"_id": key, **fields})
            saved = (await self._drafts.update_one(_unpublished(before), {"$set": fields})).matched_count
        await self._remove(before.edition if saved else edition)
        return _draft({"_id": key, **fields}) if saved else None

    async def remove_draft(self, draft: StoredBank) -> bool:
        """Delete a draft; return False after a write conflict. Raises Unavailable."""
        with unavailable():
            removed = (await self._drafts.delete_one(_unpublished(draft))).deleted_count
        if removed:
            await self._remove(draft.edition)
        return bool(removed)

    # --- items -------------------------------------------------------------------------------------------------------

    async def whole(self, bank: StoredBank) -> ItemBank:
        """Return a draft or a version with its items. Raises Unavailable."""
        return ItemBank(
            id=bank.bank,
            framework=bank.facts.framework,
            title=bank.facts.title,
            status=bank.status,
            version=bank.version,
            framework_version=bank.framework_version,
            items=await self.items(bank),
            label=bank.facts.label,
        )

    async def items(self, bank: StoredBank) -> list[Item]:
        """Return all items in the order of the bank, as a list that must not be modified. Raises Unavailable."""
        if bank.edition in self._decoded:
            self._decoded.move_to_end(bank.edition)
            return self._decoded[bank.edition]
        found = await self.page(bank, 0, bank.items)
        self._decoded[bank.edition] = found
        if len(self._decoded) > _REMEMBERED:
            self._decoded.popitem(last=False)
        return found

    async def page(self, bank: StoredBank, position: int, limit: int, most_bytes: int | None = None) -> list[Item]:
        """Return up to `limit` items of a bank, beginning with the one at `position`, from 0. Raises Unavailable.

        `most_bytes`: return fewer items, but at least one, so that they hold no more bytes than this in MongoDB.
        """
        if limit <= 0:
            return []
        query: Document = {"edition": bank.edition, "position": {"$gte": position}}
        found: list[Item] = []
        length = 0
        with unavailable():
            rows = (
                self._items.find(query, {"content": 1, "bytes": {"$bsonSize": "$$ROOT"}}).sort("position").limit(limit)
            )
            async for document in rows:
                length += document["bytes"]
                if found and most_bytes is not None and length > most_bytes:
                    await rows.close()
                    break
                found.append(stored(document["content"], Item))
        return found

    async def _write(self, tenant: str, items: Sequence[Item]) -> str:
        """Write items as a new edition and return its name."""
        edition = f"{tenant}/{secrets.token_hex(12)}"
        for start in range(0, len(items), _AT_ONCE):
            rows: list[InsertOne[Document]] = [
                InsertOne({"edition": edition, "position": start + i, "content": msgspec.to_builtins(item)})
                for i, item in enumerate(items[start : start + _AT_ONCE])
            ]
            await bulk_write(self._items, rows)
        return edition

    async def _remove(self, edition: str) -> None:
        with unavailable():
            await self._items.delete_many({"edition": edition})


def _unpublished(draft: StoredBank) -> Document:
    return {"_id": draft.key, "edition": draft.edition, "publishing": {"$ne": True}}


def _version(document: Document) -> StoredBank:
    return StoredBank(**_shared(document), draft=False)


def _draft(document: Document) -> StoredBank:
    return StoredBank(
        **_shared(document), draft=True, revision=document["revision"], publishing=document.get("publishing", False)
    )


def _shared(document: Document) -> dict[str, Any]:
    names = ("tenant", "bank", "version", "framework_version", "edition", "items")
    return {"facts": stored(document["facts"], BankFacts), **{name: document[name] for name in names}}
