"""The lease of a relay: a document that names its holder and stores the counters that the next holder continues."""

import asyncio
import os
import socket
from datetime import UTC, datetime
from uuid import uuid4

from pymongo import ReturnDocument

from shared.mongo import Collection, Document

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.5
_MARGIN_SECONDS = 1.0


class Lease:
    """The right of one process to send, by the server's clock; `name` is the id of the document.

    The holder checks a local monotonic deadline, which is earlier than the server's.

    `ends`: {partition: offset} before which the topic does not end, as far as this process and the holder before it
    know. `went_back`: whether the document has lost positions that were stored in it; its reader resets it.
    """

    def __init__(self, leases: Collection, name: str) -> None:
        self._leases = leases
        self._name = name
        self.holder = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"
        self._deadline = 0.0
        self.ends: dict[int, int] = {}
        self.went_back = False
        self._stored: Document = {}

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lease now, by its local clock."""
        return asyncio.get_running_loop().time() < self._deadline

    async def create(self) -> None:
        """Create the document, without a holder, if it does not exist."""
        await self._leases.update_one({"_id": self._name}, {"$setOnInsert": {"holder": None}}, upsert=True)

    async def renew(self) -> bool:
        """Acquire or renew the lease unless another process holds it; return whether this process has gained it now."""
        sent_at = asyncio.get_running_loop().time()
        free = {"$lt": [{"$ifNull": ["$until", datetime.fromtimestamp(0, UTC)]}, "$$NOW"]}
        found = await self._leases.find_one_and_update(
            {"_id": self._name, "$expr": {"$or": [{"$eq": ["$holder", self.holder]}, free]}},
            [{"$set": {"holder": self.holder, "until": {"$add": ["$$NOW", int(LEASE_SECONDS * 1000)]}}}],
        )
        if found is None:
            return False
        before, self._stored = self._stored, found
        self.went_back = self.went_back or _is_older(found, before)
        gained = not self.is_held
        if gained:  # before anything is sent
            self.ends = read_back_offsets(found)
        self._deadline = sent_at + LEASE_SECONDS - _MARGIN_SECONDS
        return gained

    async def release(self) -> None:
        """Let another process hold the lease at once."""
        self._deadline = 0.0
        await self._leases.update_one({"_id": self._name, "holder": self.holder}, {"$unset": {"until": ""}})

    async def read(self) -> Document:
        """Return the document; empty if it does not exist."""
        return await self._leases.find_one({"_id": self._name}) or {}

    async def update(self, change: Document, *, as_holder: bool = True) -> None:
        """Change the document; `as_holder`: only while no other process has acquired the lease."""
        await self._leases.update_one({"_id": self._name} | ({"holder": self.holder} if as_holder else {}), change)

    async def reserve(self, count: int) -> int:
        """Reserve `count` successive catalog revisions, which are never given out again; return the first one."""
        lease = await self._leases.find_one_and_update(
            {"_id": self._name}, {"$inc": {"catalog_revision": count}}, return_document=ReturnDocument.AFTER
        )
        return int(lease["catalog_revision"]) - count + 1


def read_back_offsets(lease: Document) -> dict[int, int]:
    """Return {partition: offset} up to which the holders of a lease have read the topic back."""
    return {int(partition): offset for partition, offset in lease.get("read_back", {}).items()}


def _is_older(lease: Document, before: Document) -> bool:
    """Return whether a lease has an earlier position than before; another generation begins at the beginning."""
    generation, last = lease.get("generation", 0), before.get("generation", 0)
    if generation != last:
        return bool(generation < last)
    offsets = read_back_offsets(lease)
    return any(offsets.get(partition, 0) < offset for partition, offset in read_back_offsets(before).items())
