"""The baseline of a recommendation: `python -m tests.bench.bare_planner`, an aiohttp handler that only plans.

It holds the catalog of `plans`, plans as the service does, off its loop on as many threads, and renders the sentences;
there are no keys, no rules, no log and no measurements. It listens on HTTP_PORT.
"""

import asyncio
import gc
import os
from datetime import UTC, date, datetime, time

import msgspec
from aiohttp import web

from services.recommender.inputs import Estimate, Inputs
from services.recommender.plan_pool import PlanPool, plan_stateless
from services.recommender.planner.index.catalog import Snapshot
from services.recommender.warmup import warm_up
from shared.domain import SHARED_TENANT
from shared.messages import with_sentences
from shared.work_queue import THREADS
from tests.bench.fixtures import TENANT
from tests.bench.plans import world


class PlanBody(msgspec.Struct):
    """What the bench asks for: a part of what the service takes."""

    framework: str
    job_group: str
    as_of: date
    budget_hours: float
    levels: dict[str, Estimate]
    completed: list[str]
    languages: list[str]


def build() -> web.Application:
    """Return the application."""
    courses, framework = world()
    snapshot = Snapshot().put_framework(SHARED_TENANT, framework, 1)
    view = snapshot.put_courses(SHARED_TENANT, courses, 1 + len(courses)).view(TENANT)
    solver = PlanPool(THREADS)
    warm_up()
    gc.collect()
    gc.freeze()  # as the service does

    async def plan(request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read(), type=PlanBody)
        evening = datetime.combine(body.as_of, time.max, UTC)
        inputs = Inputs(
            tenant=TENANT,
            framework=framework,
            as_of=body.as_of,
            job_group=body.job_group,
            levels=body.levels,
            completed=body.completed,
            completed_at=dict.fromkeys(sorted(body.completed), evening),
            budget_hours=body.budget_hours,
            languages=body.languages,
        )
        path = await solver.run(plan_stateless, inputs, view)
        return web.Response(body=msgspec.json.encode({"path": with_sentences(path)}), content_type="application/json")

    app = web.Application()
    app.router.add_post("/", plan)
    return app


async def serve(port: int) -> None:
    """Serve until killed."""
    runner = web.AppRunner(build(), access_log=None, keepalive_timeout=75.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(os.environ["HTTP_PORT"])))
