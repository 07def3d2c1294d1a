"""The route that reports faults of the whole catalog, such as cycles of prerequisites."""

import asyncio

from aiohttp import web

from services.catalog.api.context import context_of
from services.catalog.health import health
from shared.routes import json_response, principal


async def show_health(request: web.Request) -> web.StreamResponse:
    """Return the faults of the catalog that the tenant sees: the tenant's own courses and the shared ones.

    Admins and editors may call this. Such requests are answered one after the other, because each reads every course.
    Each list has at most 1,000 entries; `counts` has the totals.
    """
    store, tenant = context_of(request).matches, principal(request).tenant
    async with context_of(request).health_lock:
        frameworks = await store.frameworks(tenant)
        courses, matches, waiting = await store.whole(tenant)
        threshold = context_of(request).calibration.enters
        found = await asyncio.to_thread(health, courses, frameworks.values(), matches, threshold, waiting)
    return json_response(found)
