"""Plans a batch of officers in several threads and validates each path. No I/O.

The compiled part of planning releases the interpreter lock, so officers of a batch are planned in parallel.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from msgspec.structs import replace

from services.recommender.inputs import SMALLEST_GAP, Inputs, PlanRequest, inputs_for
from services.recommender.plan_validator.officer_state import Find
from services.recommender.plan_validator.validate import validate
from services.recommender.planner import pipeline
from services.recommender.planner.index.catalog import Snapshot, View
from services.recommender.provenance import InputsRecord, record_of
from shared.domain import Framework
from shared.errors import InvalidInput
from shared.paths import LearningPath

_PIECES_PER_THREAD = 4

Check = Callable[[LearningPath, Inputs, Find, Mapping[str, Framework]], list[str]]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PlannedPath:
    """A path, what the validator found wrong with it, and its inputs (`record`).

    A path with `violations` must not be published.
    """

    path: LearningPath
    violations: list[str]
    record: InputsRecord | None = None


def plan_stateless(inputs: Inputs, view: View) -> LearningPath:
    """Return the path for these inputs, which the validator has accepted.

    Raises InvalidInput if the inputs contradict the framework, AssertionError if the validator rejects the path.
    """
    path = pipeline.recommend(inputs, view)
    if found := validate(path, inputs, view.course, view.frameworks):
        raise AssertionError(f"the validator rejects a path: {found}")
    return path


def solve(request: PlanRequest, view: View, check: Check = validate) -> PlannedPath:
    """Return an officer's path: with steps, or without steps and with the reason, or waiting for a framework.

    `check`: the validator.
    """
    profile = request.profile
    framework = view.arrived(profile)
    if framework is None:
        waiting = pipeline.waiting_for_framework(profile, view.catalog_revision, request.as_of)
        return PlannedPath(_stamped(waiting, request), [])
    record = record_of(request, framework, view.catalog_revision)
    inputs = inputs_for(request, framework)
    try:
        path = pipeline.recommend(inputs, view)
    except InvalidInput as problem:  # the framework has moved on and no longer knows the officer's job group or stage
        refused = pipeline.refused(inputs, view.catalog_revision, problem.detail)
        return PlannedPath(_stamped(refused, request), [], record)
    found = check(path, inputs, view.course, view.frameworks)
    if found:
        path = pipeline.refused(inputs, view.catalog_revision, "; ".join(found))
    return PlannedPath(_stamped(path, request), found, record)


def _stamped(path: LearningPath, request: PlanRequest) -> LearningPath:
    """Return the path with the versions of feedback and rules, which the planner does not know."""
    versions = replace(path.versions, feedback=request.feedback.sequence, rules=request.rules.version)
    return replace(path, versions=versions)


class PlanPool:
    """Plans outside the event loop, in `threads` threads; 0: one per processor. `check`: validates every path.

    `smallest_gap`: see `inputs.SMALLEST_GAP`; it replaces that of every request.
    """

    def __init__(self, threads: int = 0, check: Check = validate, smallest_gap: float = SMALLEST_GAP) -> None:
        self._check = check
        self.smallest_gap = smallest_gap
        self.threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="planning")

    async def solve(self, requests: Sequence[PlanRequest], snapshot: Snapshot) -> list[PlannedPath]:
        """Return the path of each request, in the order of the requests.

        Each is the same as if it was planned alone.
        """
        if not requests:
            return []
        views = {tenant: snapshot.view(tenant) for tenant in {request.profile.tenant for request in requests}}
        size = max(1, -(-len(requests) // (self.threads * _PIECES_PER_THREAD)))
        pieces = [requests[start : start + size] for start in range(0, len(requests), size)]
        loop = asyncio.get_running_loop()

        def solved(piece: Sequence[PlanRequest]) -> list[PlannedPath]:
            return [self.one(request, views[request.profile.tenant]) for request in piece]

        found = await asyncio.gather(*(loop.run_in_executor(self._pool, solved, piece) for piece in pieces))
        return [planned for piece in found for planned in piece]

    def one(self, request: PlanRequest, view: View) -> PlannedPath:
        """Return one officer's path; it is planned in the thread of the caller."""
        return solve(replace(request, smallest_gap=self.smallest_gap), view, self._check)

    async def run(self, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Run a function in a thread of the pool and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *given, **named))

    def close(self) -> None:
        """Stop the threads without waiting for them; work that has not begun is cancelled."""
        self._pool.shutdown(wait=False, cancel_futures=True)
