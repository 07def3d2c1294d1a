"""The baseline of a read: `python -m tests.bench.bare_handler FILE`, an aiohttp handler that does one motor `find_one`.

Settings as for a recommender. For a GET of `/TENANT/OFFICER` it reads the path of the plan `tenant/officer` and answers
the bytes of the file: an answer of the service, so that both send as much.
"""

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from services.recommender.store.documents import ANNOUNCED
from services.recommender.store.plans import COLLECTION
from shared.mongo import connect
from shared.settings import RecommenderSettings, Settings, load


def build(settings: RecommenderSettings, answer: bytes) -> web.Application:
    """Return the application that answers these bytes."""
    client = connect(settings, "bare")
    plans = client[settings.database("recommender")][COLLECTION]

    async def path(request: web.Request) -> web.Response:
        key = f"{request.match_info['tenant']}/{request.match_info['officer']}"
        found = await plans.find_one({"_id": key}, {ANNOUNCED: 1})
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{tenant}/{officer}", path)
    return app


async def serve(app: web.Application, settings: Settings) -> None:
    """Serve until killed."""
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75.0)
    await runner.setup()
    await web.TCPSite(runner, settings.http_host, settings.http_port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    settings = load(RecommenderSettings)
    asyncio.run(serve(build(settings, Path(sys.argv[1]).read_bytes()), settings))
