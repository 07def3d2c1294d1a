"""Starts the catalog: `python -m services.catalog`.

import, export, check   courses of a file; see services/catalog/commands.py
republish          stage every course and framework again; a running service sends them
match              match again each course that lacks rows in a framework in use
calibrate          fit the confidence of matches on courses whose right skills are known; `calibrate --help`
import-framework   import a framework from files in one of the formats of docs/frameworks.md
export-framework   write a framework to a file
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from services.catalog import __doc__ as card
from services.catalog import calibrating, commands, framework_files
from services.catalog.api import ROUTES
from services.catalog.api.context import CONTEXT, RouteContext
from services.catalog.api.officers import OfficerCounter
from services.catalog.draft_store import DraftStore
from services.catalog.history import HistoryStore
from services.catalog.match_store import MatchStore
from services.catalog.matching.calibration import Calibration, shipped
from services.catalog.matching_loop import MatchingLoop
from services.catalog.model import CourseImportReport
from services.catalog.part_store import DATA
from services.catalog.search_replica import SearchReplica
from services.catalog.store import COLLECTION, CatalogStore
from shared import metrics
from shared.app import REGISTRY, authenticator_of, background, build_app, server_checks
from shared.console import say
from shared.events import CATALOG_TOPIC, planned_topics
from shared.imports.reports import ReportStore
from shared.imports.streaming import REPORTS
from shared.kafka import Publisher, TopicWarning, overdue
from shared.mongo import close, connect, connected
from shared.outbox import Staged
from shared.process import main
from shared.relay import Relay
from shared.settings import CatalogSettings
from shared.work_queue import WorkQueue


async def build(settings: CatalogSettings) -> web.Application:
    """Return the catalog as an application with its routes and background tasks; create the indexes in MongoDB."""
    client = connect(settings, "catalog")
    database = client[settings.database("catalog")]
    staged = Staged()
    store, history = CatalogStore(database, staged), HistoryStore(database)
    reports = ReportStore(database, CourseImportReport)
    matches, calibration = MatchStore(database, store), calibration_of(settings)
    await store.prepare()
    await history.prepare()
    await matches.prepare()
    await reports.prepare()
    drafts = DraftStore(database)
    await drafts.prepare()
    publisher = Publisher(settings)
    await publisher.start()
    relay = Relay(
        database,
        COLLECTION,
        settings.topic(CATALOG_TOPIC),
        publisher,
        brokers=settings,
        republish=store.republish,
        on_read_back=history.on_read_back,
        stamp=True,
        staged=staged,
        held_in=DATA,
    )

    search = SearchReplica(settings, settings.topic(CATALOG_TOPIC), work := WorkQueue(), staged)

    async def has_index() -> str | None:
        return await search.is_ready() or overdue(search.follower, settings.stall_seconds)

    officers = OfficerCounter(settings.assessment_url)
    matching = MatchingLoop(matches, calibration)

    async def clients(_: web.Application) -> AsyncIterator[None]:
        yield
        await publisher.stop()
        work.close()
        await officers.stop()
        close(client)

    app = build_app(
        "Catalog",
        ROUTES,
        authenticator_of(settings, client),
        limits=settings.limits,
        description=card or "",
        checks={
            **server_checks(settings, client),
            "search": has_index,
        },
        warnings={
            "newer_records": relay.warning,
            "topics": TopicWarning(settings, planned_topics(settings.topic, CATALOG_TOPIC)),
            "framework_parts": search.assembly.warning,
        },
        contexts=[
            clients,
            background("relay", relay.run),
            background("search", search.follower.run),
            background("matching", matching.run),
        ],
    )
    app[CONTEXT] = RouteContext(
        store,
        history,
        search,
        matches,
        calibration,
        drafts,
        officers,
        sole_editors=frozenset(settings.sole_editor_tenants),
        files=asyncio.Semaphore(1),
        health_lock=asyncio.Lock(),
    )
    app[REPORTS] = reports
    metrics.watch_relay(app[REGISTRY], relay)
    metrics.watch_follower(app[REGISTRY], search.follower)
    _measure(app[REGISTRY], search, work, matching)
    return app


def _measure(registry: CollectorRegistry, search: SearchReplica, work: WorkQueue, matching: MatchingLoop) -> None:
    metrics.gauge(registry, "matching_waiting", "Courses that wait to be matched.", lambda: matching.waiting)
    metrics.gauge(registry, "matching_courses", "Courses matched since the start.", lambda: matching.matched_courses)
    metrics.gauge(
        registry, "catalog_revision", "The revision of the catalog in the search index.", lambda: search.index.revision
    )
    metrics.gauge(registry, "search_courses", "Courses in the search index.", lambda: search.index.courses)
    metrics.watch_assembly(registry, search.assembly.missing_parts)
    metrics.watch_work(registry, work)


def calibration_of(settings: CatalogSettings) -> Calibration:
    """Return the calibration in the file that the settings name, without one the packaged one. Raises InvalidInput."""
    named = settings.matching_calibration
    return calibrating.read_calibration(Path(named)) if named else shipped()


async def match(settings: CatalogSettings) -> int:
    """Match again each course that states no skill in a framework in use, of all tenants; return their number."""
    with connected(settings, "catalog") as client:
        database = client[settings.database("catalog")]
        matches = MatchStore(database, CatalogStore(database))
        await matches.prepare()
        await matches.mark()
        return await MatchingLoop(matches, calibration_of(settings)).once()


async def republish(settings: CatalogSettings) -> int:
    """Stage every course and framework again, which a running service sends; return their number."""
    with connected(settings, "catalog") as client:
        return await CatalogStore(client[settings.database("catalog")]).republish()


if __name__ == "__main__":
    if sys.argv[1:2] == ["calibrate"]:
        say(calibrating.main(sys.argv[2:]))
        raise SystemExit(0)
    if sys.argv[1:2] and sys.argv[1] in commands.NAMES:
        raise SystemExit(commands.main(sys.argv[1:]))
    if sys.argv[1:2] and sys.argv[1] in framework_files.COMMANDS:
        raise SystemExit(asyncio.run(framework_files.run(sys.argv[1:])))
    main(__doc__, build, CatalogSettings, {"republish": republish, "match": match})
