"""The local stack waits until its replicas have read what the catalog stores."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from pymongo import MongoClient
from pymongo.database import Database

from deploy.local.announced import announced_revision
from deploy.local.processes import Child
from deploy.local.replicas import Replica
from services.catalog.store import COLLECTION
from shared.outbox import OUTBOX_INDEXES
from tests.support.builders import unique

Documents = MongoClient[dict[str, Any]]
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


async def test_the_revision_is_that_of_the_moment_when_nothing_waits_to_be_announced(mongodb_uri: str) -> None:
    namespace = unique("announced") + "-"
    settings = {"MONGODB_URI": mongodb_uri, "NAMESPACE": namespace, "API_KEY_PEPPER": "pepper of these tests"}
    assert await announced_revision(settings) == 0
    client: Documents
    with MongoClient(mongodb_uri) as client:
        database: Database[dict[str, Any]] = client[f"{namespace}catalog"]
        try:
            database[COLLECTION].create_indexes(OUTBOX_INDEXES)
            database["leases"].insert_one({"_id": f"relay:{COLLECTION}", "catalog_revision": 6})
            database[COLLECTION].insert_one({"_id": "shared/one", "outbox": [{"sequence": 1}]})
            found = asyncio.ensure_future(announced_revision(settings))
            assert not (await asyncio.wait({found}, timeout=0.5))[0]
            database["leases"].update_one({}, {"$set": {"catalog_revision": 7}})  # reserved, then sent and removed
            database[COLLECTION].update_one({}, {"$set": {"outbox": []}})
            assert await found == 7
        finally:
            client.drop_database(database.name)


async def test_a_replica_is_waited_for_until_it_has_read_the_catalog(tmp_path: Path) -> None:
    asked: asyncio.Queue[int] = asyncio.Queue()
    revision = 6

    async def metrics(_: web.Request) -> web.Response:
        asked.put_nowait(revision)
        return web.Response(
            text=f"# TYPE learning_path_catalog_revision gauge\nlearning_path_catalog_revision {revision}\n"
        )

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        replica = Replica("recommender", 0, tmp_path, server.port)
        replica.child = Child("recommender", SLEEP, tmp_path / "log")
        replica.child.start()
        try:
            waiting = asyncio.ensure_future(replica.until_catalog(session, 7))
            assert [await asked.get(), await asked.get()] == [6, 6]
            assert not waiting.done()
            revision = 8
            await waiting
        finally:
            replica.child.kill()
