"""Waits until the catalog has announced everything that it stores, and tells at which revision."""

import asyncio
from collections.abc import Mapping

from deploy.local.processes import CannotStart
from services.catalog.store import COLLECTION
from shared.errors import Unavailable
from shared.mongo import connected, unavailable
from shared.outbox import PENDING, PENDING_INDEX
from shared.settings import StoreSettings, read

_SECONDS = 180
_LOOK_SECONDS = 0.05


async def announced_revision(environment: Mapping[str, str]) -> int:
    """Wait until the catalog's relay has sent all events; return the revision of the catalog that includes them.

    A reader that has reached this revision knows everything that is stored now. `environment`: the settings of the
    services. Raises CannotStart if events still wait after three minutes.
    """
    settings = read(StoreSettings, environment)
    try:
        with connected(settings, "announced") as client, unavailable():
            database = client[settings.database("catalog")]
            async with asyncio.timeout(_SECONDS):
                while await database[COLLECTION].count_documents(PENDING, limit=1, hint=PENDING_INDEX):
                    await asyncio.sleep(_LOOK_SECONDS)
            lease = await database["leases"].find_one({"_id": f"relay:{COLLECTION}"}) or {}
    except TimeoutError as error:
        raise CannotStart(
            f"the catalog has not announced all that it stores within {_SECONDS} s: see its log"
        ) from error
    except Unavailable as error:
        raise CannotStart(f"what the catalog has announced is unknown: {error}") from error
    return int(lease.get("catalog_revision", 0))
