"""The baseline of an answer: `python -m tests.bench.bare_writer`, an aiohttp handler that does one motor write.

Settings as for an assessment service. Takes `POST /v1/officers/{officer}/sessions/{session}/answers`, pushes the answer
into one document and answers a question of the usual size; it checks nothing and has no registrations.
"""

import asyncio

import msgspec
from aiohttp import web

from shared.mongo import connect
from shared.settings import AssessmentSettings, load
from tests.bench.bare_handler import serve

_NEXT = {"status": "open", "item": {"id": "i", "sequence": 1, "stem": {"th": "ก" * 80, "en": "q" * 80}}}
_OPTIONS = [{"th": "ก" * 50, "en": "q" * 50}] * 4
_KEPT = 60


def build(settings: AssessmentSettings) -> web.Application:
    """Return the application."""
    client = connect(settings, "bare")
    sessions = client[settings.database("bare")]["sessions"]

    async def answer(request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read())
        await sessions.update_one(
            {"_id": request.match_info["officer"]},
            {"$set": {"current": body["item"]}, "$push": {"answers": {"$each": [body], "$slice": -_KEPT}}},
            upsert=True,
        )
        return web.Response(body=msgspec.json.encode({**_NEXT, "options": _OPTIONS}), content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/officers/{officer}/sessions/{session}/answers", answer)
    return app


if __name__ == "__main__":
    settings = load(AssessmentSettings)
    asyncio.run(serve(build(settings), settings))
