"""Starts the assessment service: `python -m services.assessment`.

republish   stage every officer's present state once more; a running service sends it
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from services.assessment import __doc__ as card
from services.assessment.api import BANK_FILES, BANKS, DEFAULT_FRAMEWORK, INDEX, INTAKE, KEYS, ROUTES, STORE
from services.assessment.consumer import CatalogConsumer
from services.assessment.framework_replica import FrameworkReplica
from services.assessment.intake import Intake
from services.assessment.item_bank.store import ItemBankStore
from services.assessment.store import COLLECTION, OfficerStore
from shared import metrics
from shared.app import REGISTRY, background, build_app, main
from shared.auth import Authenticator, WrongKeyLimiter
from shared.events import CATALOG_TOPIC, PROFILES_TOPIC, planned_topics
from shared.kafka import Follower, Publisher, TopicWarning, overdue
from shared.kafka import reachable as kafka_reachable
from shared.mongo import KeyStore, connect
from shared.mongo import reachable as mongo_reachable
from shared.outbox import Relay, Staged
from shared.settings import AssessmentSettings, load


async def build(settings: AssessmentSettings) -> web.Application:
    """Return the service: its routes, and the tasks that run beside them."""
    client = connect(settings, "assessment")
    database = client[settings.database("assessment")]
    staged = Staged()
    store = OfficerStore(database, staged)
    await store.prepare()
    banks = ItemBankStore(database)
    await banks.prepare()
    keys = KeyStore(client, settings)
    await keys.prepare()
    publisher = Publisher(settings)
    await publisher.start()
    index = FrameworkReplica()
    follower = Follower(settings, settings.topic(CATALOG_TOPIC), CatalogConsumer(index).on_catalog)
    relay = Relay(
        database,
        COLLECTION,
        settings.topic(PROFILES_TOPIC),
        publisher,
        brokers=settings,
        republish=store.republish,
        staged=staged,
    )

    async def has_frameworks() -> str | None:
        if not follower.caught_up.is_set():
            return "the catalog has not been read to its end"
        return overdue(follower, settings.held_seconds)

    async def clients(_: web.Application) -> AsyncIterator[None]:
        yield
        await publisher.stop()
        client.close()

    app = build_app(
        "Assessment",
        ROUTES,
        Authenticator(
            KeyStore(client, settings), settings.api_key_pepper, guesses=WrongKeyLimiter(settings.wrong_keys_per_minute)
        ),
        limits=settings.limits,
        description=card or "",
        checks={
            "mongodb": partial(mongo_reachable, client),
            "kafka": partial(kafka_reachable, settings),
            "frameworks": has_frameworks,
        },
        warnings={"topics": TopicWarning(settings, planned_topics(settings.topic, CATALOG_TOPIC, PROFILES_TOPIC))},
        contexts=[clients, background("relay", relay.run), background("catalog", follower.run)],
    )
    app[STORE], app[INDEX] = store, index
    app[INTAKE] = Intake(store, index, follower.caught_up)
    app[KEYS] = keys
    app[BANKS], app[BANK_FILES] = banks, asyncio.Semaphore(1)
    app[DEFAULT_FRAMEWORK] = settings.default_framework
    metrics.watch_relay(app[REGISTRY], relay)
    metrics.watch_follower(app[REGISTRY], follower)
    return app


async def republish(settings: AssessmentSettings) -> int:
    """Stage the current state of every officer again; the service's relay sends it."""
    client = connect(settings, "assessment")
    try:
        return await OfficerStore(client[settings.database("assessment")]).republish()
    finally:
        client.close()


if __name__ == "__main__":
    main(build, load(AssessmentSettings), {"republish": republish})
