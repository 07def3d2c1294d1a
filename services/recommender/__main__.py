"""Starts the recommender: `python -m services.recommender`.

republish   stage every officer's current path again; a running service sends them
replay      send the dead letters of `assessment.profiles` to the topic again
unpublish   delete the published figures of all agencies, after a change of the pepper: see docs/operating.md
recompute   compute a stored path again from its stored inputs and compare the bytes: see `recompute`
warm        compile the planner before the first start; needs no settings
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from functools import partial
from zoneinfo import ZoneInfo

from aiohttp import web
from prometheus_client import CollectorRegistry

from services.recommender import __doc__ as card
from services.recommender import recompute
from services.recommender.api import ROUTES
from services.recommender.api.context import CONTEXT, RouteContext
from services.recommender.catalog_replica import CatalogReplica
from services.recommender.consumer import CatalogConsumer, ProfileConsumer
from services.recommender.feedback_handler import FeedbackHandler
from services.recommender.planning import Planner
from services.recommender.replanning import Replanner
from services.recommender.startup import Startup
from services.recommender.store import ALL_INDEXES
from services.recommender.store.documents import ANNOUNCED, reduced
from services.recommender.store.plans import COLLECTION, PlanStore
from services.recommender.store.releases import ReleaseStore
from services.recommender.warmup import warm_up
from shared import metrics
from shared.app import REGISTRY, authenticator_of, background, build_app, server_checks
from shared.events import CATALOG_TOPIC, PATHS_TOPIC, PROFILES_GROUP, PROFILES_TOPIC, planned_topics
from shared.kafka import Follower, GroupConsumer, Publisher, TopicWarning, overdue, replay
from shared.mongo import KeyStore, close, connect, connected, ensure_indexes
from shared.outbox import Staged
from shared.process import main
from shared.relay import Relay
from shared.settings import RecommenderSettings, load
from shared.work_queue import WorkQueue


async def build(settings: RecommenderSettings) -> web.Application:
    """Return the service's application: its routes and its background tasks.

    Connects to the database, makes sure that its indexes exist, and starts the publisher.
    """
    client = connect(settings, "recommender")
    database = client[settings.database("recommender")]
    topics = planned_topics(settings.topic, CATALOG_TOPIC, PROFILES_TOPIC, PATHS_TOPIC)
    await ensure_indexes(database, ALL_INDEXES)
    store = PlanStore(database, staged := Staged())
    catalog = CatalogReplica()
    zone = ZoneInfo(settings.time_zone)
    planner = Planner(store, catalog, zone, settings.planning_threads, smallest_gap=settings.smallest_gap)
    feedback_handler = FeedbackHandler(planner, work_queue := WorkQueue())
    publisher = Publisher(settings)
    await publisher.start()

    consumer: GroupConsumer
    replanner = Replanner(planner, lambda: consumer.partitions)
    consumer = GroupConsumer(
        settings,
        settings.topic(PROFILES_TOPIC),
        settings.group(PROFILES_GROUP),
        ProfileConsumer(planner, lambda key: consumer.take_back(key)).on_profiles,  # noqa: PLW0108 - it does not exist yet
        publisher=publisher,
        on_assigned=replanner.on_assigned,
    )
    followed = CatalogConsumer(catalog, replanner.catalog_changed)
    follower = Follower(settings, settings.topic(CATALOG_TOPIC), followed.on_catalog)
    relay = Relay(
        database,
        COLLECTION,
        settings.topic(PATHS_TOPIC),
        publisher,
        brokers=settings,
        republish=store.republish,
        reduced=reduced,
        staged=staged,
        held_in=ANNOUNCED,
        counter="revision",
    )

    startup = Startup(planner, followed, follower, settings.stall_seconds)

    async def takes_profiles() -> str | None:
        return overdue(consumer, settings.stall_seconds)

    async def clients(_: web.Application) -> AsyncIterator[None]:
        yield
        await publisher.stop()
        planner.pool.close()
        work_queue.close()
        close(client)

    app = build_app(
        "Recommender",
        ROUTES,
        authenticator_of(settings, client),
        limits=settings.limits,
        description=card or "",
        checks={
            **server_checks(settings, client),
            "catalog": startup.lacks_catalog,
            "profiles": takes_profiles,
            "planner": startup.lacks_planner,
        },
        warnings={
            "newer_records": relay.warning,
            "topics": TopicWarning(settings, topics),
            "framework_parts": followed.assembly.warning,
        },
        contexts=[
            clients,
            background("relay", relay.run),
            background("catalog", follower.run),
            background("profiles", partial(consumer.run, startup.prepare), stop=consumer.stop),
            background("replanning", replanner.run),
        ],
    )
    app[CONTEXT] = RouteContext(
        settings,
        store,
        catalog,
        planner,
        work_queue,
        feedback_handler,
        viewers=KeyStore(client, settings),
        rules_changed=replanner.check_now,
    )
    registry = app[REGISTRY]
    _measure(registry, planner, feedback_handler, work_queue, followed)
    metrics.watch_relay(registry, relay)
    metrics.watch_consumer(registry, consumer)
    metrics.watch_follower(registry, follower)
    return app


def _measure(
    registry: CollectorRegistry,
    planner: Planner,
    feedback_handler: FeedbackHandler,
    work_queue: WorkQueue,
    followed: CatalogConsumer,
) -> None:
    catalog = planner.catalog
    metrics.watch_assembly(registry, followed.assembly.missing_parts)
    metrics.count(registry, "plans_saved", "Paths that were saved and announced.", lambda: planner.planned)
    metrics.count(registry, "plans_rejected", "Paths that the validator rejected.", lambda: planner.refused)
    metrics.count(
        registry,
        "plans_skipped",
        "Times that a sweep skipped a plan that could not be read or planned again.",
        lambda: planner.skipped,
    )
    metrics.gauge(registry, "catalog_revision", "The revision of the catalog that plans use.", lambda: catalog.revision)
    metrics.watch_work(registry, work_queue)
    metrics.count(registry, "feedback_stored", "Feedback that was stored.", lambda: feedback_handler.taken)
    metrics.count(
        registry,
        "feedback_stored_stale",
        "Feedback that was stored although the validator rejected the resulting path.",
        lambda: feedback_handler.stored_stale,
    )


async def republish(settings: RecommenderSettings) -> int:
    """Stage the current path of every officer again; return their number. The relay of a running service sends them."""
    with connected(settings, "recommender") as client:
        return await PlanStore(client[settings.database("recommender")]).republish()


async def unpublish(settings: RecommenderSettings) -> int:
    """Delete the published figures of all agencies; return their number. The next request publishes new ones."""
    with connected(settings, "recommender") as client:
        return await ReleaseStore(client[settings.database("recommender")]).delete_all()


async def replay_dead_letters(settings: RecommenderSettings) -> int:
    """Send every dead letter that was not replayed yet to its topic again; return their number."""
    return await replay(settings, settings.topic(PROFILES_TOPIC), settings.group(PROFILES_GROUP))


if __name__ == "__main__":
    if sys.argv[1:] == ["warm"]:
        warm_up()
        raise SystemExit(0)
    if sys.argv[1:2] == ["recompute"]:
        recompute.parsed(sys.argv[2:])  # prints errors and the help before any settings are read
        raise SystemExit(asyncio.run(recompute.command(load(RecommenderSettings), sys.argv[2:])))
    main(
        __doc__,
        build,
        RecommenderSettings,
        {"republish": republish, "replay": replay_dead_letters, "unpublish": unpublish},
    )
