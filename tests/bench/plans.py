"""Recommendations per second, compared with a bare aiohttp handler around the same planning function.

A recommender of its own follows a generated catalog of 2,400 courses; the bare handler holds the same one. Both are
asked for the same officers, drawn as `make evaluate` draws them, one process each; blocks of the two take turns.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import aiohttp
import msgspec
import numpy as np

from deploy.local.keys import TENANT, Issuer
from deploy.local.ports import free_port
from deploy.local.processes import Child, until
from deploy.local.replicas import Replica
from deploy.local.seed import bearer
from deploy.topics import ensure_topics
from services.recommender.inputs import Inputs
from shared.domain import Course, Framework
from shared.events import CATALOG_TOPIC
from shared.settings import RecommenderSettings, read
from tests.bench.backlog import publish
from tests.bench.figures import Figure
from tests.bench.fixtures import announced
from tests.bench.interleaved import Question, in_turns
from tests.evaluation.worlds import generated

COURSES = 2_400
_SKILLS, _SEED, _OFFICERS = 200, 1, 200
_HOURS = (20.0, 40.0, 80.0)
_NAMESPACE = "plans-"
_TARGET = 0.6


@cache
def world() -> tuple[Sequence[Course], Framework]:
    """Return the generated catalog and its framework."""
    made = generated(COURSES, _SKILLS, _SEED)
    return list(made.courses), made.officer(np.random.default_rng(_SEED), 0).framework


def bodies() -> list[str]:
    """Return a request for each of the officers."""
    chance = np.random.default_rng(_SEED)
    officer = generated(COURSES, _SKILLS, _SEED).officer
    return [_body(officer(chance, float(chance.choice(_HOURS)))) for _ in range(_OFFICERS)]


def _body(inputs: Inputs) -> str:
    fields = {name: getattr(inputs, name) for name in ("job_group", "as_of", "budget_hours", "completed", "languages")}
    levels = {skill: {"level": held.level, "sd": held.sd} for skill, held in inputs.levels.items()}
    return msgspec.json.encode({"framework": inputs.framework.id, "levels": levels, **fields}).decode()


async def measure(
    servers: Mapping[str, str], directory: Path, seconds: float, tick: Callable[[], None]
) -> list[Figure]:
    """Return the figure of blocks of so many seconds each. Raises AssertionError if the two plan differently."""
    environment = {**servers, "NAMESPACE": _NAMESPACE}
    settings = read(RecommenderSettings, environment)
    await ensure_topics(settings.kafka_bootstrap_servers, settings.namespace)
    courses, framework = world()
    await publish(settings, CATALOG_TOPIC, announced([framework], courses))
    key = await Issuer(environment, [settings.mongodb_uri, settings.kafka_bootstrap_servers]).issue(TENANT, "platform")
    replica, port = Replica("recommender", 1, directory), free_port()
    argv = [sys.executable, "-m", "tests.bench.bare_planner"]
    bare = Child("bare planner", argv, directory / "bare-planner.log", {"HTTP_PORT": str(port)})
    ours = Question(replica.port, "/v1/recommendations", bearer(key), bodies())
    baseline = Question(port, "/", bodies=ours.bodies)
    replica.start(environment)
    bare.start()
    try:
        async with aiohttp.ClientSession() as session:
            await replica.until(session, "readyz")
            await until(lambda: _answers(session, baseline), bare, 60, "the bare planner")
            for body in ours.bodies:
                if await ours.path_for(session, body) != await baseline.path_for(session, body):
                    raise AssertionError(f"the service and the bare planner plan differently: {body}")
        rate, bare_rate = await in_turns(ours, baseline, seconds, tick)
    finally:
        await asyncio.gather(replica.child.stop(), bare.stop())
    return [Figure("POST /v1/recommendations, 2,400 courses", rate, "requests/s", bare_rate, _TARGET)]


async def _answers(session: aiohttp.ClientSession, question: Question) -> bool:
    try:
        await question.path_for(session, question.bodies[0])
    except aiohttp.ClientConnectionError:
        return False
    return True
