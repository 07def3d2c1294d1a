"""The published figures of agencies: one document per agency and framework, and the answers about deadlines.

A release is replaced by compare-and-set on the tenant's `turn`, which counts the releases of all its agencies: two
requests cannot publish two different releases, nor two releases that were not compared with each other. The document
of a release lists the officers of its versions (`officers`, by token), by which the releases of other agencies and
frameworks are found that contain some of the same officers.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from services.recommender.agency_report import DeadlineReport
from services.recommender.disclosure import Release, Version, tokens_in
from shared.errors import Unavailable
from shared.mongo import Database, had_conflict, unavailable

COLLECTION = "agency_releases"
INDEXES = [IndexModel([("officers", 1)], name="officers")]
_RETAINED_REPORTS = 20


class ReleaseKey(NamedTuple):
    """Whose figures a release publishes: those of an agency under one framework."""

    tenant: str
    agency: str
    framework: str

    @property
    def id(self) -> str:
        """The id of the document."""
        return "/".join(self)


class ReleaseStore:
    """The releases of all tenants; every query names the tenant."""

    def __init__(self, database: Database) -> None:
        self._client = database.client
        self._releases = database[COLLECTION]
        self._turns = database["agency_turns"]

    async def turn(self, tenant: str) -> int:
        """Return how many releases the tenant's agencies have published. Raises Unavailable."""
        with unavailable():
            found = await self._turns.find_one({"_id": tenant})
        return found["turn"] if found else 0

    async def find(self, key: ReleaseKey) -> tuple[int, Release]:
        """Return the version and the content of a release. Raises Unavailable.

        Before the first release these are 0 and an empty release.
        """
        with unavailable():
            found = await self._releases.find_one({"_id": key.id}, {"version": 1, "release": 1})
        return (found["version"], msgspec.json.decode(found["release"], type=Release)) if found else (0, Release())

    async def versions_elsewhere(self, key: ReleaseKey, officers: Collection[int]) -> list[Version]:
        """Return the stored versions of the tenant's other releases that contain one of these officers.

        Raises Unavailable. `officers`: tokens.
        """
        query = {
            "officers": {"$in": [_stored(token) for token in officers]},
            "tenant": key.tenant,
            "_id": {"$ne": key.id},
        }
        with unavailable():
            found = await self._releases.find(query, {"release": 1}).to_list(None)
        releases = [msgspec.json.decode(one["release"], type=Release) for one in found]
        return [version for one in releases for version in (*one.cohorts, *one.past)]

    async def replace(self, key: ReleaseKey, version: int, release: Release, *, turn: int) -> bool:
        """Store the release that follows `version`; return False if the tenant's turn is not `turn` any more.

        `turn` was read before the releases that `release` was compared with. Raises Unavailable.
        """
        fields: dict[str, Any] = {
            **key._asdict(),
            "version": version + 1,
            "release": msgspec.json.encode(release),
            "officers": [_stored(token) for token in tokens_in(release)],
            "reports": [],
        }
        this = {"_id": key.id, "version": version}
        try:
            with unavailable():
                async with await self._client.start_session() as session, session.start_transaction():
                    turned = await self._turns.update_one(
                        {"_id": key.tenant, "turn": turn},
                        {"$set": {"turn": turn + 1}},
                        upsert=turn == 0,
                        session=session,
                    )
                    saved = await self._releases.update_one(
                        this, {"$set": fields}, upsert=version == 0, session=session
                    )
                    if not all(one.matched_count or one.upserted_id for one in (turned, saved)):
                        await session.abort_transaction()
                        return False
        except DuplicateKeyError:
            return False
        except Unavailable as problem:
            if had_conflict(problem.__cause__):
                return False
            raise
        return True

    async def delete_all(self) -> int:
        """Delete the releases of all tenants; return their number. Raises Unavailable."""
        with unavailable():
            return int((await self._releases.delete_many({})).deleted_count)

    async def officers(self, tenant: str, agency: str, frameworks: Sequence[str]) -> dict[str, int]:
        """Return framework -> number of officers in the agency's published cohorts, without zeros.

        Raises Unavailable.
        """
        keys = [ReleaseKey(tenant, agency, framework).id for framework in frameworks]
        with unavailable():
            found = await self._releases.find({"_id": {"$in": keys}}, {"framework": 1, "release": 1}).to_list(None)
        releases = {one["framework"]: msgspec.json.decode(one["release"], type=Release) for one in found}
        numbers = {name: sum(cohort.figures.officers for cohort in one.cohorts) for name, one in releases.items()}
        return {name: number for name, number in numbers.items() if number}

    async def report(self, key: ReleaseKey, version: int, question: str) -> DeadlineReport | None:
        """Return the stored answer to a question about this version of a release, or None. Raises Unavailable.

        `question`: the deadline and the weekly hours, as `deadline/weekly_hours`.
        """
        wanted = {"_id": key.id, "version": version}
        with unavailable():
            found = await self._releases.find_one(wanted, {"reports": {"$elemMatch": {"question": question}}})
        rows = (found or {}).get("reports") or []
        return msgspec.json.decode(rows[0]["report"], type=DeadlineReport) if rows else None

    async def save_report(self, key: ReleaseKey, version: int, question: str, report: DeadlineReport) -> None:
        """Store an answer about this version of a release; only the latest 20 answers are kept. Raises Unavailable.

        Nothing is stored if the release has been replaced or the question has an answer.
        """
        row = {"question": question, "report": msgspec.json.encode(report)}
        with unavailable():
            await self._releases.update_one(
                {"_id": key.id, "version": version, "reports.question": {"$ne": question}},
                {"$push": {"reports": {"$each": [row], "$slice": -_RETAINED_REPORTS}}},
            )


def _stored(token: int) -> int:
    """Return a token of 64 bits as the signed integer that MongoDB stores."""
    return token - 2**64 if token >= 2**63 else token
