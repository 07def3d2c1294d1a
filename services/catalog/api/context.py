"""The objects that the routes use."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from services.catalog.api.officers import OfficerCounter
from services.catalog.draft_store import DraftStore
from services.catalog.history import HistoryStore
from services.catalog.match_store import MatchStore
from services.catalog.matching.calibration import Calibration
from services.catalog.search_replica import SearchReplica
from services.catalog.store import CatalogStore


@dataclass(frozen=True, slots=True)
class RouteContext:
    """The objects that the routes use.

    `sole_editors`: the tenants in which the same person may propose, review and approve a draft. `files`: a request
    holds it while it reads a file. `health_lock`: a request holds it while it reads the whole catalog for a health
    report.
    """

    store: CatalogStore
    history: HistoryStore
    search: SearchReplica
    matches: MatchStore
    calibration: Calibration
    drafts: DraftStore
    officers: OfficerCounter
    sole_editors: frozenset[str]
    files: asyncio.Semaphore
    health_lock: asyncio.Lock


CONTEXT: web.AppKey[RouteContext] = web.AppKey("context", RouteContext)


def context_of(request: web.Request) -> RouteContext:
    """Return the objects that the routes use."""
    return request.app[CONTEXT]
