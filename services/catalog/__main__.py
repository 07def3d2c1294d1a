"""Starts the catalogue: `python -m services.catalog`.

republish   stage every course and framework once more; a running service sends them
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from services.catalog import __doc__ as card
from services.catalog import calibrating
from services.catalog.api import HISTORY, ROUTES, STORE
from services.catalog.history import HistoryStore
from services.catalog.store import COLLECTION, CatalogStore
from shared import metrics
from shared.app import REGISTRY, background, build_app, main
from shared.auth import Authenticator, Guesses
from shared.events import CATALOG_TOPIC, planned_topics
from shared.kafka import Publisher, TopicWarning
from shared.kafka import reachable as kafka_reachable
from shared.mongo import KeyStore, connect
from shared.mongo import reachable as mongo_reachable
from shared.outbox import Relay
from shared.settings import CatalogSettings, load


async def build(settings: CatalogSettings) -> web.Application:
    """Return the service: its routes, and the relay that runs beside them."""
    client = connect(settings, "catalog")
    database = client[settings.database("catalog")]
    staged = asyncio.Event()
    store, history = CatalogStore(database, staged), HistoryStore(database)
    await store.prepare()
    await history.prepare()
    publisher = Publisher(settings)
    await publisher.start()
    relay = Relay(
        database,
        COLLECTION,
        settings.topic(CATALOG_TOPIC),
        publisher,
        brokers=settings,
        restage=store.restage,
        landed=history.on_landed,
        stamp=True,
        staged=staged,
    )

    async def clients(_: web.Application) -> AsyncIterator[None]:
        yield
        await publisher.stop()
        client.close()

    app = build_app(
        "Catalogue",
        ROUTES,
        Authenticator(
            KeyStore(client, settings), settings.api_key_pepper, guesses=Guesses(settings.wrong_keys_per_minute)
        ),
        limits=settings.limits,
        description=card or "",
        checks={"mongodb": partial(mongo_reachable, client), "kafka": partial(kafka_reachable, settings)},
        warnings={"topics": TopicWarning(settings, planned_topics(settings.topic, CATALOG_TOPIC))},
        contexts=[clients, background("relay", relay.run)],
    )
    app[STORE], app[HISTORY] = store, history
    metrics.watch_relay(app[REGISTRY], relay)
    return app


async def republish(settings: CatalogSettings) -> int:
    """Stage the present state of every course and framework once more; the service's relay sends them."""
    client = connect(settings, "catalog")
    try:
        return await CatalogStore(client[settings.database("catalog")]).restage()
    finally:
        client.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["calibrate"]:
        print(calibrating.main(sys.argv[2:]))  # noqa: T201 - the answer of a command
        raise SystemExit(0)
    main(build, load(CatalogSettings), {"republish": republish})
