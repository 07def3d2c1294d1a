"""Reports of imports in MongoDB: one document per import, and its rows as JSON in parts of 200.

An id that the service has made is the key of its report. An id that a client has chosen, which is a UUID and so has
hyphens, is the key together with the tenant, so that two tenants may choose the same id. Reports and rows are kept for
90 days, without the API keys and passwords that a file may contain.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne
from pymongo.errors import DuplicateKeyError

from shared.decoding import stored
from shared.domain import key_of
from shared.errors import IdTaken
from shared.imports.rows import ImportReport, ListRows, RowResult
from shared.logs import without_secrets
from shared.mongo import Database, Document, bulk_write, ensure_indexes, unavailable

R = TypeVar("R", bound=ImportReport)

_KEPT = timedelta(days=90)
_SILENT = timedelta(minutes=5)
_PARTS = 50
_ROWS_OF_A_PART = 200


class ReportStore(Generic[R]):
    """The reports of a service's imports. All reports of one store have the same struct type."""

    def __init__(self, database: Database, shape: type[R]) -> None:
        self._shape = shape
        self._database = database
        self._imports = database["imports"]
        self._rows = database["import_rows"]

    async def prepare(self) -> None:
        """Create the indexes. Raises Unavailable."""
        expiry = IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0)
        by_import = IndexModel([("import_id", ASCENDING), ("last", ASCENDING)], name="by_import")
        refused = IndexModel([("import_id", ASCENDING), ("statuses", ASCENDING), ("last", ASCENDING)], name="by_status")
        newest = IndexModel([("tenant", ASCENDING), ("expires_at", DESCENDING)], name="tenant_newest")
        await ensure_indexes(self._database, {"imports": [expiry, newest], "import_rows": [expiry, by_import, refused]})

    async def save(self, tenant: str, report: R, run: str) -> None:
        """Store the current state of a report. `run` identifies the import: two imports never have the same.

        Raises Conflict, which names `import_id`, if another import of the tenant has the id of the report; Unavailable.
        """
        content = msgspec.json.decode(without_secrets(msgspec.json.encode(report)))
        whole = {"tenant": tenant, "run": run, "content": content, "expires_at": datetime.now(UTC) + _KEPT}
        try:
            with unavailable():
                await self._imports.replace_one({"_id": _key(tenant, report.import_id), "run": run}, whole, upsert=True)
        except DuplicateKeyError as error:
            raise IdTaken("an import has this id already; choose another one", "import_id") from error

    async def add(self, tenant: str, import_id: str, results: Sequence[RowResult]) -> None:
        """Store the next rows of an import, at least one; repeating the call changes nothing. Raises Unavailable."""
        key = _key(tenant, import_id)
        await bulk_write(
            self._rows,
            [_replacement(key, results[at : at + _ROWS_OF_A_PART]) for at in range(0, len(results), _ROWS_OF_A_PART)],
        )

    async def find(self, tenant: str, import_id: str) -> R | None:
        """Return a report of this tenant, None if there is none. Raises Unavailable.

        A running import without an update for five minutes counts as interrupted.
        """
        with unavailable():
            found = await self._imports.find_one({"_id": _key(tenant, import_id), "tenant": tenant})
        return None if found is None else self._report(found)

    async def newest(self, tenant: str, limit: int) -> list[R]:
        """Return the latest reports of a tenant, most recently changed first. Raises Unavailable."""
        with unavailable():
            found = (
                await self._imports.find({"tenant": tenant}).sort("expires_at", DESCENDING).limit(limit).to_list(None)
            )
        return [self._report(one) for one in found]

    def _report(self, found: Document) -> R:
        report = stored(found["content"], self._shape)
        if report.state == "running" and datetime.now(UTC) - report.updated_at > _SILENT:
            report = msgspec.structs.replace(report, state="interrupted")
        return report

    async def page(self, tenant: str, import_id: str, wanted: ListRows) -> tuple[list[RowResult], int | None]:
        """Return rows of a tenant's import in order, and the number of the row after which the next page begins.

        `find` must have found the report. The number is None on the last page. Raises Unavailable.
        """
        query: dict[str, Any] = {"import_id": _key(tenant, import_id), "last": {"$gt": wanted.after}}
        if wanted.verdict:
            query["statuses"] = wanted.verdict
        with unavailable():
            parts = await self._rows.find(query).sort("last", ASCENDING).limit(_PARTS).to_list(None)
        rows = [row for part in parts for row in stored(msgspec.json.decode(part["rows"]), list[RowResult])]
        kept = [row for row in rows if row.line > wanted.after and wanted.verdict in (None, row.status)]
        return kept, parts[-1]["last"] if len(parts) == _PARTS else None


def _key(tenant: str, import_id: str) -> str:
    """Return the key of a report. A UUID is the same in capital letters."""
    return key_of(tenant, import_id.lower()) if "-" in import_id else import_id


def _replacement(key: str, results: Sequence[RowResult]) -> ReplaceOne[Document]:
    """Return the write that stores a part of the report with this key; repeating it changes nothing."""
    part: Document = {
        "import_id": key,
        "last": results[-1].line,
        "statuses": sorted({one.status for one in results}),
        "rows": without_secrets(msgspec.json.encode(results)),
        "expires_at": datetime.now(UTC) + _KEPT,
    }
    return ReplaceOne({"_id": f"{key}/{results[0].line}"}, part, upsert=True)
