"""Starts the assessment service: `python -m services.assessment`.

import, export, check   store, write or check a file of items; see services/assessment/commands.py
calibrate               fit item parameters to stored answers; see services/assessment/calibrating.py
import-results,
import-officers         send the rows of a file; see services/assessment/import_commands.py
republish               stage every officer's present state once more; a running service sends it
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

from aiohttp import web

from services.assessment import __doc__ as card
from services.assessment import calibrating, commands, import_commands
from services.assessment.api import ROUTES
from services.assessment.api.context import CONTEXT, RouteContext
from services.assessment.api.xapi import name_version
from services.assessment.consumer import CatalogConsumer
from services.assessment.framework_replica import FrameworkReplica
from services.assessment.intake import Intake
from services.assessment.item_bank.store import ItemBankStore
from services.assessment.registration import Registrar
from services.assessment.sessions.runner import SessionRunner
from services.assessment.sessions.store import SessionStore
from services.assessment.store import COLLECTION, OfficerStore
from services.assessment.xapi.receiver import StatementReceiver
from services.assessment.xapi.store import StatementStore
from shared import metrics
from shared.app import REGISTRY, authenticator_of, background, build_app, server_checks
from shared.events import CATALOG_TOPIC, PROFILES_GROUP, PROFILES_TOPIC, WITHOUT_COURSES, planned_topics
from shared.imports.reports import ReportStore
from shared.imports.rows import ImportReport
from shared.imports.streaming import REPORTS
from shared.kafka import Follower, GroupLag, Publisher, TopicWarning, overdue
from shared.mongo import KeyStore, close, connect, connected
from shared.outbox import Staged
from shared.process import main
from shared.relay import Relay
from shared.settings import AssessmentSettings


async def build(settings: AssessmentSettings) -> web.Application:
    """Prepare the collections, connect to Kafka, and return the application with its routes and background tasks."""
    client = connect(settings, "assessment")
    database = client[settings.database("assessment")]
    staged = Staged()
    store = OfficerStore(database, staged)
    await store.prepare()
    reports = ReportStore(database, ImportReport)
    await reports.prepare()
    statements = StatementStore(database)
    await statements.prepare()
    banks, sessions = ItemBankStore(database), SessionStore(database)
    await banks.prepare()
    await sessions.prepare()
    keys = KeyStore(client, settings)
    await keys.prepare()
    publisher = Publisher(settings)
    await publisher.start()
    index = FrameworkReplica()
    catalog = CatalogConsumer(index)
    follower = Follower(settings, settings.topic(CATALOG_TOPIC), catalog.on_catalog, shapes=WITHOUT_COURSES)
    lag = GroupLag(settings, settings.group(PROFILES_GROUP), settings.topic(PROFILES_TOPIC))
    relay = Relay(
        database,
        COLLECTION,
        settings.topic(PROFILES_TOPIC),
        publisher,
        brokers=settings,
        republish=store.republish,
        staged=staged,
        bulk_rate=settings.bulk_officers_per_second,
        backlog=lag.read,
    )

    intake = Intake(store, index, follower.caught_up)
    idle = timedelta(minutes=settings.session_idle_minutes)
    runner = SessionRunner(sessions, banks, store, intake, idle=idle)

    async def has_frameworks() -> str | None:
        return follower.pending or overdue(follower, settings.stall_seconds)

    async def clients(_: web.Application) -> AsyncIterator[None]:
        yield
        await publisher.stop()
        await lag.stop()
        close(client)

    app = build_app(
        "Assessment",
        ROUTES,
        authenticator_of(settings, client),
        limits=settings.limits,
        description=card or "",
        checks={
            **server_checks(settings, client),
            "frameworks": has_frameworks,
        },
        warnings={
            "newer_records": relay.warning,
            "topics": TopicWarning(settings, planned_topics(settings.topic, CATALOG_TOPIC, PROFILES_TOPIC)),
            "framework_parts": catalog.assembly.warning,
        },
        contexts=[
            clients,
            background("relay", relay.run),
            background("catalog", follower.run),
            background("sessions", runner.run),
        ],
    )
    app[CONTEXT] = RouteContext(
        settings,
        store,
        index,
        intake,
        keys,
        registrar=Registrar(store, intake, index, settings.default_framework),
        sessions=sessions,
        runner=runner,
        banks=banks,
        bank_files=asyncio.Semaphore(1),
        statements=statements,
        receiver=StatementReceiver(statements, store, intake),
    )
    app[REPORTS] = reports
    app.on_response_prepare.append(name_version)
    metrics.watch_relay(app[REGISTRY], relay)
    metrics.watch_follower(app[REGISTRY], follower)
    metrics.watch_assembly(app[REGISTRY], catalog.assembly.missing_parts)
    metrics.gauge(app[REGISTRY], "catalog_revision", "The catalog whose frameworks are used.", lambda: index.position)
    _watch_sessions(app, runner)
    return app


def _watch_sessions(app: web.Application, runner: SessionRunner) -> None:
    """Expose the counts of started and ended sessions and of answered items."""
    registry = app[REGISTRY]
    metrics.count(registry, "sessions_started", "Adaptive sessions that this replica began.", lambda: runner.started)
    metrics.count(registry, "session_answers", "Items answered in time.", lambda: runner.answers)
    metrics.count(registry, "sessions_ended", "Adaptive sessions that ended here.", runner.endings.total)
    metrics.count(
        registry,
        "sessions_left",
        "Adaptive sessions that ended because no answer came any more.",
        lambda: runner.endings["left"],
    )


async def republish(settings: AssessmentSettings) -> int:
    """Stage the current state of every officer again; the service's relay sends it."""
    with connected(settings, "assessment") as client:
        return await OfficerStore(client[settings.database("assessment")]).republish()


if __name__ == "__main__":
    if sys.argv[1:2] == ["calibrate"]:
        raise SystemExit(asyncio.run(calibrating.main(sys.argv[2:])))
    if sys.argv[1:2] and sys.argv[1] in commands.NAMES:
        raise SystemExit(commands.main(sys.argv[1:]))
    if sys.argv[1:2] and sys.argv[1] in import_commands.NAMES:
        raise SystemExit(import_commands.main(sys.argv[1:]))
    main(__doc__, build, AssessmentSettings, {"republish": republish})
