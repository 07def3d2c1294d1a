"""Reading, planning and saving: the one loop that both events and the sweep after a catalogue change go through.

A plan is a deterministic function of profile, catalogue, framework and date. It is simulated by the checker before it
is saved, and saved by compare-and-set: who lost a race reads again and decides again.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

import msgspec

from services.recommender import ranking
from services.recommender.catalogue import Catalogue, PlanSummary
from services.recommender.checker import violations
from services.recommender.index import Snapshot, View
from services.recommender.model import Inputs, inputs_of
from services.recommender.store import NewPlan, PlanStore, StoredPlan
from shared.errors import InvalidInput, Rejected, Unavailable
from shared.events import Cause, PathRecommended
from shared.paths import LearningPath
from shared.skills import Profile

log = logging.getLogger(__name__)

_FRAMEWORK_SECONDS = 5.0
_CATCH_UP_SECONDS = 10.0
_SWEEP_BATCH = 100


@dataclass(frozen=True, slots=True)
class Order:
    """A profile to plan for: where its event lay, what caused it, and the date it counts from."""

    partition: int
    profile: Profile
    cause: Cause
    as_of: date
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A path and what the checker says against it: nothing, or it is not to be published."""

    path: LearningPath
    violations: list[str]


def plan_stateless(inputs: Inputs, view: View) -> LearningPath:
    """Return the checked path for a request. Raises InvalidInput, or AssertionError where the checker refuses it."""
    inputs.check()
    path = ranking.recommend(inputs, view)
    if found := violations(path, inputs, view.course):
        raise AssertionError(f"the checker refuses a path: {found}")
    return path


def plan_for(profile: Profile, view: View, as_of: date) -> Planned:
    """Return an officer's path: with steps, without (and why), or waiting for a framework that is not here yet."""
    framework = view.framework(profile.framework)
    if framework is None or framework.version < profile.framework_version:
        return Planned(ranking.waiting_for_framework(profile, view, as_of), [])
    inputs = inputs_of(profile, framework, as_of)
    try:
        inputs.check()
    except InvalidInput as problem:  # the framework has moved on and no longer knows the officer's job group or stage
        return Planned(ranking.refused(inputs, view, problem.detail), [])
    path = ranking.recommend(inputs, view)
    found = violations(path, inputs, view.course)
    return Planned(ranking.refused(inputs, view, "; ".join(found)), found) if found else Planned(path, [])


class Planner:
    """Plans officers from events and after catalogue changes. `zone` is where the date of an event is read."""

    def __init__(self, store: PlanStore, catalogue: Catalogue, zone: tzinfo) -> None:
        self.planned = 0
        self.refused = 0
        self._store = store
        self._catalogue = catalogue
        self._zone = zone

    def date_of(self, moment: datetime) -> date:
        """Return the calendar date of a moment where the officers are."""
        return moment.astimezone(self._zone).date()

    async def plan(self, orders: Sequence[Order]) -> None:
        """Plan for the newest profile of every officer and save; older and repeated profiles change nothing.

        Raises Rejected where the checker refused a path: the others of the batch are saved by then. A batch of one
        that is refused leaves, where there is no plan yet, one without steps and with the cause.
        """
        newest = {order.profile.key: order for order in sorted(orders, key=lambda order: order.profile.sequence)}
        refused: list[str] = []
        while newest:
            before = await self._store.summaries(newest)
            news = [order for key, order in newest.items() if _is_news(order, before.get(key))]
            await self._catch_up([before[key] for key in newest if key in before], news)
            view_of = self._catalogue.snapshot
            results = await asyncio.to_thread(_plan_all, news, view_of)
            plans = []
            for order, result in zip(news, results, strict=True):
                based_on = before.get(order.profile.key)
                if result.violations:
                    refused.append(f"{order.profile.key}: {'; '.join(result.violations)}")
                    if based_on is not None or len(orders) > 1:
                        continue
                plans.append(_new_plan(order, result.path, based_on))
            lost = await self._store.save(plans)
            self.planned += len(plans) - len(lost)
            newest = {plan.profile.key: newest[plan.profile.key] for plan in lost}
        if refused:
            self.refused += len(refused)
            raise Rejected(f"the checker refuses the path: {' | '.join(refused)}")

    async def erase(self, tenant: str, officer: str, sequence: int, partition: int) -> None:
        """Forget an officer; see PlanStore.erase."""
        await self._store.erase(tenant, officer, sequence, partition)

    async def sweep(self, partitions: Collection[int], since: int) -> int:
        """Plan again what the catalogue changes after a revision concern, and return how many paths are new.

        A path that comes out the same stays as it is and is remembered as considered. Where the checker refuses the
        new one, the one before stays and is due again with the next sweep.
        """
        revision = self._catalogue.revision
        conditions = self._catalogue.changed_since(since)
        if not conditions or not partitions:
            return 0
        batch: list[StoredPlan] = []
        count = 0
        async for plan in self._store.affected(partitions, conditions, revision):
            batch.append(plan)
            if len(batch) == _SWEEP_BATCH:
                count += await self._sweep_batch(batch, revision)
                batch = []
        return count + await self._sweep_batch(batch, revision)

    async def _sweep_batch(self, stored: Sequence[StoredPlan], revision: int) -> int:
        today = self.date_of(datetime.now(UTC))
        orders = {
            plan.profile.key: Order(plan.partition, plan.profile, "catalogue", today)
            for plan in stored
            if self._catalogue.is_due(plan.summary)
        }
        due = [plan for plan in stored if plan.profile.key in orders]
        results = await asyncio.to_thread(_plan_all, list(orders.values()), self._catalogue.snapshot)
        plans = [
            _new_plan(orders[plan.profile.key], result.path, plan.summary)
            for plan, result in zip(due, results, strict=True)
            if not result.violations and not _says_the_same(plan.path, result.path)
        ]
        refused = {plan.profile.key for plan, result in zip(due, results, strict=True) if result.violations}
        if refused:
            self.refused += len(refused)
            log.error(
                "the checker refuses %d paths at catalogue %d; the ones before stay, stale", len(refused), revision
            )
        left = refused | {plan.profile.key for plan in plans}
        lost = await self._store.save(plans)
        await self._store.mark_considered(
            [plan.profile.key for plan in stored if plan.profile.key not in left], revision
        )
        self.planned += len(plans) - len(lost)
        return len(plans) - len(lost)

    async def _catch_up(self, before: Collection[PlanSummary], news: Sequence[Order]) -> None:
        """Wait for a catalogue at least as new as the stored plans', and a moment for a framework on its way."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        newest = max((plan.considered for plan in before), default=0)
        while self._catalogue.revision < newest:
            if loop.time() - begun > _CATCH_UP_SECONDS:
                raise Unavailable(f"catalogue {newest} was planned with, this replica is at {self._catalogue.revision}")
            await asyncio.sleep(0.05)
        while loop.time() - begun < _FRAMEWORK_SECONDS and not all(map(self._knows_framework, news)):
            await asyncio.sleep(0.05)

    def _knows_framework(self, order: Order) -> bool:
        framework = self._catalogue.snapshot.view(order.profile.tenant).framework(order.profile.framework)
        return framework is not None and framework.version >= order.profile.framework_version


def _plan_all(orders: Sequence[Order], snapshot: Snapshot) -> list[Planned]:
    return [plan_for(order.profile, snapshot.view(order.profile.tenant), order.as_of) for order in orders]


def _is_news(order: Order, before: PlanSummary | None) -> bool:
    return before is None or order.profile.sequence > before.profile_sequence


def _new_plan(order: Order, path: LearningPath, based_on: PlanSummary | None) -> NewPlan:
    event = PathRecommended(
        tenant=order.profile.tenant,
        officer=order.profile.officer,
        revision=based_on.revision + 1 if based_on else 1,
        cause=order.cause,
        planned_at=datetime.now(UTC),
        path=path,
    )
    return NewPlan(order.partition, order.profile, event, based_on, order.traceparent)


def _says_the_same(one: LearningPath, other: LearningPath) -> bool:
    """Whether two paths differ in nothing but the versions and the date they were made from."""
    return msgspec.structs.replace(one, versions=other.versions, as_of=other.as_of) == other
