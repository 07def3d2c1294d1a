"""The objects of the application that handlers use."""

import asyncio

from aiohttp import web

from services.catalog.api.officers import OfficerCounter
from services.catalog.draft_store import DraftStore
from services.catalog.history import HistoryStore
from services.catalog.match_store import MatchStore
from services.catalog.matching.calibration import Calibration
from services.catalog.search_replica import SearchReplica
from services.catalog.store import CatalogStore

STORE: web.AppKey[CatalogStore] = web.AppKey("store", CatalogStore)
HISTORY: web.AppKey[HistoryStore] = web.AppKey("history", HistoryStore)
SEARCH: web.AppKey[SearchReplica] = web.AppKey("search", SearchReplica)
MATCHES: web.AppKey[MatchStore] = web.AppKey("matches", MatchStore)
CALIBRATION: web.AppKey[Calibration] = web.AppKey("calibration", Calibration)
DRAFTS: web.AppKey[DraftStore] = web.AppKey("drafts", DraftStore)
SOLE_EDITORS: web.AppKey[frozenset[str]] = web.AppKey("sole editors", frozenset)
"""The tenants in which the same person may propose, review and approve a draft."""
FILES: web.AppKey[asyncio.Semaphore] = web.AppKey("files", asyncio.Semaphore)
"""The semaphore that a request holds while it reads a file."""
HEALTH_LOCK: web.AppKey[asyncio.Lock] = web.AppKey("health_lock", asyncio.Lock)
"""The lock that a request holds while it reads the whole catalog for a health report."""
OFFICERS: web.AppKey[OfficerCounter] = web.AppKey("officers", OfficerCounter)
