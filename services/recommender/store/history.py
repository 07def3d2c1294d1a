"""Past revisions of paths and their inputs: the last 50 of every officer.

The database server copies a plan here right before a newer one replaces it. The copy of a revision is always the same,
so copying twice, or before a write conflict, does no harm.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from pymongo import IndexModel

from services.recommender.provenance import InputsRecord
from services.recommender.store.documents import ANNOUNCED, PATH, PastPath, event_of, past_path_of
from shared.events import PathRecommended
from shared.mongo import Database, unavailable

COLLECTION = "history"
INDEXES = [IndexModel([("key", 1), ("revision", -1)], name="officer")]
RETAINED_REVISIONS = 50
"""How many past revisions of an officer's path are kept."""

_LISTED: dict[str, Any] = {"revision": 1, ANNOUNCED: 1}


@dataclass(frozen=True, slots=True)
class ArchivedPlan:
    """One revision of a path: decoded (`event`), and in the bytes that are stored (`path`).

    `alternatives`: the alternatives of its steps, in the bytes that are stored. `record`: what the path was computed
    from; None if the framework had not arrived, so that nothing was computed.
    """

    event: PathRecommended
    path: bytes
    alternatives: bytes
    record: InputsRecord | None


class History:
    """The past revisions of all officers' paths. `plans`: the name of the collection of current plans."""

    def __init__(self, database: Database, plans: str) -> None:
        self._plans = database[plans]
        self._history = database[COLLECTION]

    async def archive(self, keys: Collection[str]) -> None:
        """Copy the current plans of these officers (`keys`), which newer ones are about to replace. Raises Unavailable.

        Call it after reading the plans that the newer ones are based on. If a plan changes in between, another revision
        is copied, and saving the newer one conflicts, so that no replaced revision is without a copy.
        """
        if not keys:
            return
        copied = {"key": "$_id", "tenant": 1, "officer": 1, **PATH, "inputs": 1}
        name = {"$concat": ["$_id", "@", {"$toString": "$revision"}]}
        pipeline: list[dict[str, Any]] = [
            {"$match": {"_id": {"$in": list(keys)}, "erased": False}},
            {"$project": {**copied, "_id": name}},
            {"$merge": {"into": COLLECTION, "on": "_id", "whenMatched": "keepExisting", "whenNotMatched": "insert"}},
        ]
        with unavailable():
            async for _ in self._plans.aggregate(pipeline):
                pass

    async def trim(self, revisions: Mapping[str, int]) -> None:
        """Delete the copies of these officers' paths that are older than the last RETAINED_REVISIONS.

        Raises Unavailable. `revisions`: officer's key -> newest copied revision. Copies that an interrupted deletion
        has left are deleted too.
        """
        outlived: list[dict[str, Any]] = [
            {"key": key, "revision": {"$lte": revision - RETAINED_REVISIONS}}
            for key, revision in revisions.items()
            if revision > RETAINED_REVISIONS
        ]
        if outlived:
            with unavailable():
                await self._history.delete_many({"$or": outlived})

    async def find(self, key: str, revision: int | None) -> ArchivedPlan | None:
        """Return a revision of an officer's path, by default the current one; None if it is not stored.

        Raises Unavailable.
        """
        with unavailable():
            found = await self._plans.find_one({"_id": key, "erased": False}, {**PATH, "inputs": 1})
            if found is not None and revision not in (None, found["revision"]):
                found = await self._history.find_one({"_id": f"{key}@{revision}"})
        if found is None:
            return None
        inputs = found.get("inputs")
        record = msgspec.json.decode(inputs, type=InputsRecord) if inputs else None
        return ArchivedPlan(event_of(found), found[ANNOUNCED], found["alternatives"], record)

    async def page(self, key: str, below: int | None, most: int) -> list[PastPath] | None:
        """Return the figures of at most `most` revisions of an officer's path, newest first, the current one included.

        `below`: only lower revisions are returned; None: all. Returns None if the officer has no path. Raises
        Unavailable.
        """
        with unavailable():
            found = await self._plans.find_one({"_id": key, "erased": False}, _LISTED)
            if found is None:
                return None
            newest = found["revision"]
            first = [found] if most and (below is None or newest < below) else []
            under = newest if below is None else min(below, newest)
            rest = self._history.find({"key": key, "revision": {"$lt": under}}, _LISTED).sort("revision", -1)
            past = await rest.limit(most - len(first)).to_list() if most > len(first) else []
        page = []
        for document in [*first, *past]:
            page.append(past_path_of(document))
            await asyncio.sleep(0)  # a path may hold a megabyte
        return page

    async def erase(self, key: str) -> None:
        """Delete all of an officer's revisions. Raises Unavailable."""
        with unavailable():
            await self._history.delete_many({"key": key})
