"""A tenant's rules: every version is a separate document and never changes, so that any path can be recomputed."""

import time
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

import msgspec
from pymongo import DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.recommender.rules import TenantRules
from shared.mongo import Database, unavailable

COLLECTION = "rules"
INDEXES = [
    IndexModel([("tenant", 1), ("version", DESCENDING)], name="newest"),
    IndexModel([("put_at", 1)], name="put_at"),
]
_RECENT_SECONDS = 10.0


class RuleStore:
    """The rules of all tenants.

    `versions`: tenant -> newest version that this process has read, for use without I/O.
    """

    def __init__(self, database: Database) -> None:
        self.versions: dict[str, int] = {}
        self._recent: dict[str, tuple[float, TenantRules]] = {}
        """{tenant: (until when its rules are recent, rules)}, those that end first at the beginning."""
        self._rules = database[COLLECTION]

    async def of(self, tenant: str) -> TenantRules:
        """Return a tenant's current rules; version 0 if there are none. Raises Unavailable."""
        with unavailable():
            found = await self._rules.find_one({"tenant": tenant}, sort=[("version", DESCENDING)])
        rules = _rules(found)
        self._note(tenant, rules.version)
        now = time.monotonic()
        for other in [name for name, _ in takewhile(lambda one: one[1][0] <= now, self._recent.items())]:
            del self._recent[other]
        self._recent.pop(tenant, None)
        self._recent[tenant] = now + _RECENT_SECONDS, rules
        return rules

    async def recent(self, tenant: str, known: int = 0) -> TenantRules:
        """Return rules that were read at most ten seconds ago. Raises Unavailable.

        They are not older than the version in `versions` or the version `known`, of which the caller knows. Such rules
        suffice for answers that are not stored, and for plans, because a plan that follows older rules is replanned
        within 30 s.
        """
        until, rules = self._recent.get(tenant, (0.0, None))
        if rules is None or until <= time.monotonic() or rules.version < max(known, self.versions.get(tenant, 0)):
            return await self.of(tenant)
        return rules

    async def find(self, tenant: str, version: int) -> TenantRules | None:
        """Return a version of a tenant's rules, or None if it is not stored; version 0 has no rules.

        Raises Unavailable.
        """
        if version == 0:
            return TenantRules()
        with unavailable():
            found = await self._rules.find_one({"_id": _key(tenant, version)})
        return _rules(found) if found else None

    async def put(self, tenant: str, rules: TenantRules, by: str) -> bool:
        """Store the next version of a tenant's rules; return False if it exists already. Raises Unavailable.

        `by`: the id of the API key that set the rules.
        """
        document = {
            "_id": _key(tenant, rules.version),
            "tenant": tenant,
            "version": rules.version,
            "content": msgspec.json.encode(rules),
            "put_at": datetime.now(UTC),
            "put_by": by,
        }
        try:
            with unavailable():
                await self._rules.insert_one(document)
        except DuplicateKeyError:
            return False
        self._note(tenant, rules.version)
        return True

    async def refresh(self) -> dict[str, int]:
        """Read the newest version number of every tenant's rules; return tenant -> version. Raises Unavailable."""
        # Sorted as the index `newest` is, so that the server reads one key of each tenant.
        pipeline: list[dict[str, Any]] = [
            {"$sort": {"tenant": 1, "version": DESCENDING}},
            {"$group": {"_id": "$tenant", "version": {"$first": "$version"}}},
        ]
        with unavailable():
            async for row in self._rules.aggregate(pipeline):
                self._note(row["_id"], row["version"])
        return dict(self.versions)

    async def put_since(self, moment: datetime) -> dict[str, int]:
        """Read the newest version number of the rules put since a moment; return tenant -> version.

        Tenants without such rules are left out. Raises Unavailable.
        """
        found: dict[str, int] = {}
        with unavailable():
            async for row in self._rules.find({"put_at": {"$gte": moment}}, {"tenant": 1, "version": 1}):
                found[row["tenant"]] = max(row["version"], found.get(row["tenant"], 0))
        for tenant, version in found.items():
            self._note(tenant, version)
        return found

    def _note(self, tenant: str, version: int) -> None:
        if version > self.versions.get(tenant, 0):
            self.versions[tenant] = version


def _key(tenant: str, version: int) -> str:
    return f"{tenant}@{version}"


def _rules(document: dict[str, Any] | None) -> TenantRules:
    return msgspec.json.decode(document["content"], type=TenantRules) if document else TenantRules()
