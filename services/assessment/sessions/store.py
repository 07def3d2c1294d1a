"""Sessions in MongoDB: one document each, one compare-and-set for each answer.

    _id         tenant/officer/session
    officer_key, bank_key, started_at, open, due_at       indexed fields
    plan        the fixed part of the session (`SessionPlan`)
    revision, current, stopped, end, settled,
    profile_sequence                                      the changing part
    answers     [{item, skill, shown_at, answered_at, response, score}] in order (`SessionAnswer`)

`answered` yields the answers of a bank version, from which item parameters are calibrated. How often items were shown
is counted from the newest sessions of the bank version, so answers need not write a counter. An officer has at most one
open session. `due_at`: when an open session counts as abandoned; of an ended one, when its result is submitted again;
absent once the result is in the profile.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.assessment.sessions.item_pool import COUNTED_SESSIONS
from services.assessment.sessions.model import ListSessions, Session, SessionAnswer
from shared.domain import key_of
from shared.mongo import Database, Document, ensure_indexes, readable, unavailable

COLLECTION = "sessions"
_CHANGING = ("revision", "current", "stopped", "end", "settled", "profile_sequence")
"""The fields of a session that change, besides `answers` (only appended to) and `due_at` (indexed)."""


class SessionStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._sessions = database[COLLECTION]

    async def prepare(self) -> None:
        """Create the indexes. Raises Unavailable."""
        indexes = [
            IndexModel([("officer_key", ASCENDING), ("started_at", DESCENDING), ("_id", DESCENDING)], name="officer"),
            IndexModel([("bank_key", ASCENDING), ("started_at", DESCENDING)], name="bank"),
            IndexModel(
                [("officer_key", ASCENDING)],
                name="one_open",
                unique=True,
                partialFilterExpression={"open": True},
            ),
            IndexModel([("due_at", ASCENDING)], name="due", partialFilterExpression={"due_at": {"$exists": True}}),
        ]
        await ensure_indexes(self._database, {COLLECTION: indexes})

    async def start(self, session: Session) -> bool:
        """Store a new session; False if the officer has an open one. Raises Unavailable."""
        plan = session.plan
        document: Document = {
            "_id": plan.key,
            "officer_key": plan.officer_key,
            "bank_key": plan.bank_key,
            "started_at": plan.started_at,
            "plan": msgspec.to_builtins(plan),
            "answers": [],
            "due_at": session.due_at,
            "open": session.end is None,
            **{name: msgspec.to_builtins(getattr(session, name)) for name in _CHANGING},
        }
        try:
            with unavailable():
                await self._sessions.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def advance(self, before: Session, after: Session) -> bool:
        """Store the changes of a session; False after a write conflict. Raises Unavailable."""
        change = _changes(before, after)
        if new := after.answers[len(before.answers) :]:
            change["$push"] = {"answers": {"$each": msgspec.to_builtins(new)}}
        with unavailable():
            result = await self._sessions.update_one({"_id": before.plan.key, "revision": before.revision}, change)
        return bool(result.matched_count)

    async def find(self, tenant: str, officer: str, session: str) -> Session | None:
        """Return a session of an officer, None if there is none with this id. Raises Unavailable."""
        with unavailable():
            document = await self._sessions.find_one({"_id": f"{key_of(tenant, officer)}/{session}"})
        return _session(document) if document else None

    async def open_of(self, tenant: str, officer: str) -> Session | None:
        """Return the officer's open session, None if there is none. Raises Unavailable."""
        with unavailable():
            document = await self._sessions.find_one({"officer_key": key_of(tenant, officer), "open": True})
        return _session(document) if document else None

    async def page(self, tenant: str, officer: str, wanted: ListSessions) -> list[Session] | None:
        """Return up to `limit` + 1 sessions, the newest first; None if `after` is no session of this officer.

        Raises Unavailable.
        """
        key = key_of(tenant, officer)
        query: Document = {"officer_key": key}
        with unavailable():
            if wanted.after:
                last = await self._sessions.find_one({"_id": f"{key}/{wanted.after}"}, {"started_at": 1})
                if last is None:
                    return None
                earlier = {"started_at": {"$lt": last["started_at"]}}
                same = {"started_at": last["started_at"], "_id": {"$lt": last["_id"]}}
                query["$or"] = [earlier, same]
            rows = self._sessions.find(query).sort([("started_at", -1), ("_id", -1)]).limit(wanted.limit + 1)
            return [_session(document) async for document in rows]

    async def due(self, now: datetime, limit: int) -> list[Session]:
        """Return up to `limit` sessions whose `due_at` has passed, the earliest first. Raises Unavailable.

        Documents that cannot be decoded are postponed for a day.
        """
        found: list[Session] = []
        with unavailable():
            async for document in self._sessions.find({"due_at": {"$lte": now}}).sort("due_at").limit(limit):
                if session := readable(document, _session):
                    found.append(session)
                else:
                    later = {"$set": {"due_at": datetime.fromtimestamp(now.timestamp() + 86_400, UTC)}}
                    await self._sessions.update_one({"_id": document["_id"]}, later)
        return found

    async def postpone(self, session: Session, until: datetime) -> None:
        """Set a later `due_at` for a session that could not be ended or submitted. Raises Unavailable."""
        with unavailable():
            at_present = {"_id": session.plan.key, "revision": session.revision}
            await self._sessions.update_one(at_present, {"$set": {"due_at": until}})

    async def remove(self, session: Session) -> None:
        """Delete a session whose officer was erased. Raises Unavailable."""
        with unavailable():
            await self._sessions.delete_one({"_id": session.plan.key})

    async def erase(self, officer_key: str) -> None:
        """Delete all sessions of an officer. Raises Unavailable."""
        with unavailable():
            await self._sessions.delete_many({"officer_key": officer_key})

    async def exposure(self, bank_key: str) -> tuple[int, dict[str, int]]:
        """Count the newest sessions of a bank version, up to 1,000; return their number, and how many showed each item.

        Raises Unavailable.
        """
        newest: list[Document] = [
            {"$match": {"bank_key": bank_key}},
            {"$sort": {"started_at": -1}},
            {"$limit": COUNTED_SESSIONS},
            {"$project": {"item": {"$concatArrays": ["$answers.item", ["$current.item"]]}}},
        ]
        counted: list[Document] = [
            {"$unwind": "$item"},
            {"$group": {"_id": "$item", "count": {"$sum": 1}}},
        ]
        pipeline = [*newest, {"$facet": {"items": counted, "sessions": [{"$count": "count"}]}}]
        with unavailable():
            async for document in self._sessions.aggregate(pipeline):
                sessions = document["sessions"][0]["count"] if document["sessions"] else 0
                return sessions, {one["_id"]: one["count"] for one in document["items"] if one["_id"]}
        return 0, {}

    async def answered(self, bank_key: str) -> AsyncIterator[list[SessionAnswer]]:
        """Yield the answers of every session of a bank version, one session at a time. Raises Unavailable."""
        with unavailable():
            async for document in self._sessions.find({"bank_key": bank_key}, {"answers": 1}):
                found = readable(document, lambda one: msgspec.convert(one["answers"], list[SessionAnswer]))
                if found:
                    yield found


def _changes(before: Session, after: Session) -> Document:
    """Return the operators that set changed fields; an index is updated only if its field changes."""
    differing = [name for name in _CHANGING if getattr(before, name) != getattr(after, name)]
    change: Document = {"$set": {name: msgspec.to_builtins(getattr(after, name)) for name in differing}}
    if (after.end is None) != (before.end is None):
        change["$set"]["open"] = after.end is None
    if after.due_at is None and before.due_at is not None:
        change["$unset"] = {"due_at": ""}
    elif after.due_at != before.due_at:
        change["$set"]["due_at"] = after.due_at
    return change


def _session(document: Document) -> Session:
    names = ("plan", "answers", *_CHANGING)
    return msgspec.convert({**{name: document[name] for name in names}, "due_at": document.get("due_at")}, Session)
