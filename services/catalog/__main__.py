"""Starts the catalogue: `python -m services.catalog`.

republish   stage every course and framework once more; a running service sends them
match       match every course that came without skills once more
calibrate   fit the confidence of matches on courses whose right skills are known; `calibrate --help`
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from aiohttp import web

from services.catalog import __doc__ as card
from services.catalog import calibrating
from services.catalog.api import CALIBRATION, HISTORY, MATCHES, ROUTES, STORE
from services.catalog.history import HistoryStore
from services.catalog.match_store import MatchStore
from services.catalog.matching.calibration import Calibration, shipped
from services.catalog.matching_loop import MatchingLoop
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
    matches, calibration = MatchStore(database, store), calibration_of(settings)
    await store.prepare()
    await history.prepare()
    await matches.prepare()
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
        contexts=[
            clients,
            background("relay", relay.run),
            background("matching", MatchingLoop(matches, calibration).run),
        ],
    )
    app[STORE], app[HISTORY] = store, history
    app[MATCHES], app[CALIBRATION] = matches, calibration
    metrics.watch_relay(app[REGISTRY], relay)
    return app


def calibration_of(settings: CatalogSettings) -> Calibration:
    """Return the calibration that the settings name, else the one that ships. Raises InvalidInput."""
    named = settings.matching_calibration
    return calibrating.read_calibration(Path(named)) if named else shipped()


async def match(settings: CatalogSettings) -> int:
    """Match every course that came without skills, of every tenant, and return when it is done."""
    client = connect(settings, "catalog")
    try:
        database = client[settings.database("catalog")]
        matches = MatchStore(database, CatalogStore(database))
        await matches.prepare()
        await matches.mark(None)
        return await MatchingLoop(matches, calibration_of(settings)).once()
    finally:
        client.close()


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
    main(build, load(CatalogSettings), {"republish": republish, "match": match})
