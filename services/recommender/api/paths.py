"""The stored path of an officer."""

from aiohttp import web

from services.recommender.api.context import CATALOG, STORE
from shared.domain import key_of
from shared.errors import NotFound
from shared.events import PathRecommended
from shared.preconditions import Tag
from shared.routes import REQUEST_ID, not_modified, principal


class StoredPath(PathRecommended, frozen=True):
    """An officer's stored path. `stale`: catalog, rules or feedback have moved on, and a new one is on its way."""

    stale: bool
    request_id: str


async def get_path(request: web.Request) -> web.StreamResponse:
    """The learning path of an officer, as it is stored and was last pushed.

    Never plans. 404 while there is none yet: follow the portal's live stream to be told.
    """
    store, catalog = request.app[STORE], request.app[CATALOG]
    tenant, officer = principal(request).tenant, request.match_info["officer_id"]
    found = await store.find_path(tenant, officer)
    if found is None:
        raise NotFound("there is no path for this officer yet")
    path, plan = found
    if plan.considered < catalog.revision:  # only then does it matter which courses are in it
        key = key_of(tenant, officer)
        plan = (await store.summaries([key])).get(key, plan)
    stale = catalog.is_due(plan) or plan.rules < store.rules.versions.get(plan.tenant, 0)
    # Weak, because every answer carries the id of its request.
    tag = Tag(f"{plan.revision}-stale" if stale else str(plan.revision), weak=True)
    if held := not_modified(request, tag):
        return held
    # The stored bytes are the answer but for its last two fields: nothing is decoded on this route.
    last = f',"stale":{"true" if stale else "false"},"request_id":"{request[REQUEST_ID]}"}}'
    return web.Response(body=path[:-1] + last.encode(), headers={"ETag": str(tag)}, content_type="application/json")
