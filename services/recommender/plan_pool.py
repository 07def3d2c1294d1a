"""From an officer's record to a checked path; many officers at a time over threads. No I/O.

The hot part of planning lets go of the interpreter, so officers of a batch are planned side by side.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import ParamSpec, TypeVar

import msgspec

from services.recommender.feedback import Feedback
from services.recommender.inputs import SMALLEST_GAP, Inputs, TenantRules
from services.recommender.plan_validator.validate import Find, validate
from services.recommender.planner import pipeline
from services.recommender.planner.index.catalog import Snapshot, View
from services.recommender.provenance import Record, inputs_of_record, record_of
from shared.errors import InvalidInput
from shared.paths import LearningPath
from shared.skills import Profile

_PIECES_PER_THREAD = 4

NOTHING_SAID = Feedback()
NO_RULES = TenantRules()

Check = Callable[[LearningPath, Inputs, Find], list[str]]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Case:
    """An officer to plan for: the profile, what was said, the tenant's rules, the path before, the date to count from.

    `previous` names the courses of the path before, in its order; with `stable` it stays unless another is worth
    notably more. `finishing`: nothing has changed but what the officer has done of it, or the date; it stays as far as
    it can still be studied.
    """

    profile: Profile
    as_of: date
    feedback: Feedback = NOTHING_SAID
    rules: TenantRules = NO_RULES
    previous: Sequence[str] = ()
    stable: bool = True
    finishing: bool = False


@dataclass(frozen=True, slots=True)
class PlannedPath:
    """A path, what the checker says against it (nothing, or it is not to be published), and what it was made from."""

    path: LearningPath
    violations: list[str]
    record: Record | None = None


def plan_stateless(inputs: Inputs, view: View) -> LearningPath:
    """Return the checked path for a request. Raises InvalidInput, or AssertionError where the checker refuses it."""
    inputs.check()
    path = pipeline.recommend(inputs, view)
    if found := validate(path, inputs, view.course):
        raise AssertionError(f"the checker refuses a path: {found}")
    return path


def plan_for(profile: Profile, view: View, as_of: date) -> PlannedPath:
    """Return the path of an officer who has said nothing, in a tenant without rules."""
    return solve(Case(profile, as_of), view)


def solve(case: Case, view: View, check: Check = validate, smallest_gap: float = SMALLEST_GAP) -> PlannedPath:
    """Return an officer's path: with steps, without (and why), or waiting for a framework that is not here yet."""
    profile = case.profile
    framework = view.arrived(profile)
    if framework is None:
        waiting = pipeline.waiting_for_framework(profile, view.catalogue_revision, case.as_of)
        return PlannedPath(_stamped(waiting, case), [])
    record = record_of(
        profile,
        case.feedback,
        case.rules,
        case.previous,
        framework=framework,
        as_of=case.as_of,
        catalogue_revision=view.catalogue_revision,
        stable=case.stable,
        finishing=case.finishing,
        smallest_gap=smallest_gap,
    )
    inputs = inputs_of_record(record, case.rules, framework)
    try:
        inputs.check()
    except InvalidInput as problem:  # the framework has moved on and no longer knows the officer's job group or stage
        refused = pipeline.refused(inputs, view.catalogue_revision, problem.detail)
        return PlannedPath(_stamped(refused, case), [], record)
    path = pipeline.recommend(inputs, view)
    found = check(path, inputs, view.course)
    if found:
        path = pipeline.refused(inputs, view.catalogue_revision, "; ".join(found))
    return PlannedPath(_stamped(path, case), found, record)


def _stamped(path: LearningPath, case: Case) -> LearningPath:
    """Return the path with the versions of what its planner does not see: feedback and rules are already inputs."""
    versions = msgspec.structs.replace(path.versions, feedback=case.feedback.sequence, rules=case.rules.version)
    return msgspec.structs.replace(path, versions=versions)


class PlanPool:
    """Plans off the event loop. `threads` 0: as many as there are processors. `check` judges every path.

    `smallest_gap`: see model.SMALLEST_GAP.
    """

    def __init__(self, threads: int = 0, check: Check = validate, smallest_gap: float = SMALLEST_GAP) -> None:
        self._check = check
        self.smallest_gap = smallest_gap
        self.threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="planning")

    async def solve(self, cases: Sequence[Case], snapshot: Snapshot) -> list[PlannedPath]:
        """Return the paths of a batch, in its order; the same as one by one."""
        if not cases:
            return []
        views = {tenant: snapshot.view(tenant) for tenant in {case.profile.tenant for case in cases}}
        size = max(1, -(-len(cases) // (self.threads * _PIECES_PER_THREAD)))
        pieces = [cases[start : start + size] for start in range(0, len(cases), size)]
        loop = asyncio.get_running_loop()

        def solved(piece: Sequence[Case]) -> list[PlannedPath]:
            return [self.one(case, views[case.profile.tenant]) for case in piece]

        found = await asyncio.gather(*(loop.run_in_executor(self._pool, solved, piece) for piece in pieces))
        return [planned for piece in found for planned in piece]

    def one(self, case: Case, view: View) -> PlannedPath:
        """Return one officer's path, in the caller's thread."""
        return solve(case, view, self._check, self.smallest_gap)

    async def run(self, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Return what a piece of work returns, done off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *given, **named))

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
