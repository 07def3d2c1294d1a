"""A tenant's supervision policy: whose learning paths supervisors may read. One document per tenant."""

from datetime import UTC, datetime
from typing import Literal

from shared.mongo import Database, unavailable

COLLECTION = "supervision"

Visible = Literal["shared", "all"]
"""`shared`: the paths that officers have shared; `all`: those of all officers of the supervisor's agency."""


class SupervisionStore:
    """The policies of all tenants."""

    def __init__(self, database: Database) -> None:
        self._policies = database[COLLECTION]

    async def of(self, tenant: str) -> Visible:
        """Return a tenant's policy; `shared` if none was set. Raises Unavailable."""
        with unavailable():
            found = await self._policies.find_one({"_id": str(tenant)}, {"paths": 1})
        return "all" if found and found["paths"] == "all" else "shared"

    async def put(self, tenant: str, paths: Visible, by: str) -> None:
        """Set a tenant's policy. `by`: the id of the API key that set it. Raises Unavailable."""
        fields = {"paths": paths, "put_at": datetime.now(UTC), "put_by": by}
        with unavailable():
            await self._policies.update_one({"_id": str(tenant)}, {"$set": fields}, upsert=True)
