"""Reads, plans and saves: for events, and for stored plans after a change.

A plan is a deterministic function of profile, feedback, rules, catalog, framework, date and the previous path. The
validator simulates it before it is saved by compare-and-set; after a write conflict the writer reads and decides again.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo

from msgspec.structs import replace

from services.recommender.catalog_replica import CatalogReplica
from services.recommender.inputs import SMALLEST_GAP, PlanRequest
from services.recommender.plan_pool import PlannedPath, PlanPool
from services.recommender.provenance import PlanHead
from services.recommender.rules import TenantRules
from services.recommender.store.documents import NewPlan, PlanBase, RunnersUp, StoredPlan
from services.recommender.store.plans import PlanStore
from shared.compact_paths import CompactPath, alternatives, compact
from shared.domain import key_of
from shared.errors import Rejected, Unavailable
from shared.events import MAX_JUMP, Cause, PathRecommended, check_jump
from shared.logs import frames_of
from shared.paths import PLANNED, LearningPath

log = logging.getLogger(__name__)

_FRAMEWORK_SECONDS = 5.0
_CATCH_UP_SECONDS = 10.0


class Planner:
    """Plans officers from events and after changes. `zone`: the officers' time zone, in which dates are read.

    `threads`: see `PlanPool`. `planned`, `refused` and `failed` count saved paths, paths that the validator rejected,
    and stored plans that could not be planned again.
    """

    def __init__(
        self,
        store: PlanStore,
        catalog: CatalogReplica,
        zone: tzinfo,
        threads: int = 0,
        *,
        smallest_gap: float = SMALLEST_GAP,
    ) -> None:
        self.planned = 0
        self.refused = 0
        self.failed = 0
        self.store = store
        self.catalog = catalog
        self.pool = PlanPool(threads, smallest_gap=smallest_gap)
        self._zone = zone

    @property
    def skipped(self) -> int:
        """How often a stored plan was skipped because it could not be read or planned again."""
        return self.failed + self.store.unreadable

    def date_of(self, moment: datetime) -> date:
        """Return the calendar date of a time in the officers' time zone."""
        return moment.astimezone(self._zone).date()

    def today(self) -> date:
        """Return the current date in the officers' time zone."""
        return self.date_of(datetime.now(UTC))

    # --- events ------------------------------------------------------------------------------------------------------

    async def plan(self, requests: Sequence[PlanRequest]) -> None:
        """Plan for the newest profile of every officer and save; older and repeated profiles make no new path.

        A repeated profile may come from another partition, after the topic was made again: the plan belongs to it then.
        Raises Rejected if the validator rejected a path; the other paths of the batch are saved by then. If the batch
        is one officer who has no plan yet, a plan without steps, with the cause, is saved before. Also raises Rejected,
        with nothing planned, if a profile's sequence is further ahead than possible. Raises Unavailable.
        """
        newest = {
            request.profile.key: request for request in sorted(requests, key=lambda request: request.profile.sequence)
        }
        await self._check_jumps({key: request.profile.sequence for key, request in newest.items()})
        refused: list[str] = []
        while newest:
            before = await self._bases(newest)
            rules = await self._rules_of(newest.values(), [base.head for base in before.values()])
            news = [request for key, request in newest.items() if _is_news(request, before.get(key))]
            repeated = [(key, one.partition) for key, one in newest.items() if _repeats(one, before.get(key))]
            await self.store.move({key: partition for key, partition in repeated if partition is not None})
            await self.catch_up([before[key].head for key in newest if key in before], news)
            complete = [
                _with_basis(request, before.get(request.profile.key), rules[request.profile.tenant]) for request in news
            ]
            replaced = [key for request in news if (key := request.profile.key) in before]
            # The copy first: a database call is slower while a thread plans.
            _, results = await asyncio.gather(
                self.store.history.archive(replaced), self.pool.solve(complete, self.catalog.snapshot)
            )
            plans = []
            for request, result in zip(news, results, strict=True):
                base = before.get(request.profile.key)
                if result.violations:
                    refused.append(f"{request.profile.key}: {'; '.join(result.violations)}")
                    if base is not None or len(requests) > 1:
                        continue
                plans.append(new_plan(request, result, base.head if base else None))
            lost = await self.store.save(plans)
            self.planned += len(plans) - len(lost)
            newest = {plan.profile.key: newest[plan.profile.key] for plan in lost}
        if refused:
            self.refused += len(refused)
            raise Rejected(f"the validator rejects the path: {' | '.join(refused)}")

    async def _bases(self, newest: Mapping[str, PlanRequest]) -> dict[str, PlanBase]:
        """Return the bases by officer's key. One in memory alone rejects no profile: MongoDB may have been restored."""
        held = self.store.plan_bases.of(newest)
        self.store.plan_bases.forget([key for key, base in held.items() if not _is_news(newest[key], base)])
        return await self.store.bases(newest)

    async def erase(self, tenant: str, officer: str, sequence: int, partition: int) -> bool:
        """Erase an officer except for the counters; return whether the officer is erased now.

        Raises Rejected if the sequence is too far ahead; Unavailable.
        """
        await self._check_jumps({key_of(tenant, officer): sequence})
        return await self.store.erase(tenant, officer, sequence, partition)

    async def forget(self, tenant: str, officer: str, sequence: int, superseded: int, partition: int) -> bool:
        """Erase the officer of a tombstone; return whether the officer is erased now.

        For an unknown officer nothing is stored, and the result is True. `sequence` 0: the tombstone has none, and
        follows everything that is known. `superseded`: the sequence of the newest profile before it in the same batch,
        0 without one. Raises Rejected if the sequence is too far ahead; Unavailable.
        """
        key = key_of(tenant, officer)
        known = (await self.store.sequences([key])).get(key, 0)
        if known or superseded:
            return await self.erase(tenant, officer, sequence or max(known, superseded), partition)
        return True

    async def _check_jumps(self, sequences: Mapping[str, int]) -> None:
        """Check that no sequence is further ahead than possible. Raises Rejected."""
        far = [key for key, sequence in sequences.items() if sequence > MAX_JUMP]
        known = await self.store.sequences(far) if far else {}
        for key in far:
            check_jump(key, sequences[key], known.get(key, 0))

    async def _rules_of(self, requests: Iterable[PlanRequest], before: Iterable[PlanHead]) -> dict[str, TenantRules]:
        """Return the rules of each tenant, not older than those of the stored plans `before`."""
        known = {request.profile.tenant: 0 for request in requests}
        for head in before:
            known[head.tenant] = max(known.get(head.tenant, 0), head.rules)
        return {tenant: await self.store.rules.recent(tenant, version) for tenant, version in known.items()}

    async def catch_up(self, before: Collection[PlanHead], news: Sequence[PlanRequest]) -> None:
        """Wait until this replica's catalog is at least as new as the one by which the plans `before` were checked.

        Also waits briefly for a framework that `news` needs and that is missing. Raises Unavailable if the catalog
        stays behind.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        newest = max((plan.considered for plan in before), default=0)
        while self.catalog.revision < newest:
            if loop.time() - begun > _CATCH_UP_SECONDS:
                raise Unavailable(f"catalog {newest} was planned with, this replica is at {self.catalog.revision}")
            await asyncio.sleep(0.05)
        while loop.time() - begun < _FRAMEWORK_SECONDS and not all(map(self._knows_framework, news)):
            await asyncio.sleep(0.05)

    def _knows_framework(self, request: PlanRequest) -> bool:
        return self.catalog.snapshot.view(request.profile.tenant).arrived(request.profile) is not None

    # --- stored plans -----------------------------------------------------------------------------------------------

    async def replan(
        self, stored: Sequence[StoredPlan], cause: Cause
    ) -> tuple[int, list[StoredPlan], list[StoredPlan]]:
        """Plan stored plans again.

        Return the number of new paths, the plans whose path is the same, and the rejected plans. If planning or saving
        fails, the batch is halved until the failing plan is alone; it counts as rejected. Raises Unavailable.
        """
        try:
            return await self._replanned(stored, cause)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one officer's plan must not stop the sweep of all others
            if len(stored) == 1:
                self.failed += 1
                fields = {"error": frames_of(error)}
                log.error("%s cannot be planned again", stored[0].profile.key, extra={"fields": fields})  # noqa: TRY400 - no traceback: it may hold data
                return 0, [], list(stored)
        middle = len(stored) // 2
        one, other = await self.replan(stored[:middle], cause), await self.replan(stored[middle:], cause)
        return one[0] + other[0], one[1] + other[1], one[2] + other[2]

    async def _replanned(
        self, stored: Sequence[StoredPlan], cause: Cause
    ) -> tuple[int, list[StoredPlan], list[StoredPlan]]:
        today = self.today()
        requests = [PlanRequest(plan.profile, today, cause=cause) for plan in stored]
        rules = await self._rules_of(requests, [plan.head for plan in stored])
        complete = [
            _with_basis(
                request,
                plan,
                rules[request.profile.tenant],
                finishing=cause == "deadline" and is_studied(plan),
            )
            for request, plan in zip(requests, stored, strict=True)
        ]
        results = await self.pool.solve(complete, self.catalog.snapshot)
        plans, same, refused = [], [], []
        for plan, request, result in zip(stored, requests, results, strict=True):
            if result.violations:
                refused.append(plan)
            elif same_path(plan.announced.path, plan.runners_up, result.path) and not plan.head.stale:
                same.append(plan)
            else:
                plans.append(new_plan(request, result, plan.head))
        if refused:
            self.refused += len(refused)
            log.error("the validator rejects %d paths after a change; the previous ones stay, stale", len(refused))
        await self.store.history.archive([plan.profile.key for plan in plans])
        lost = await self.store.save(plans)
        self.planned += len(plans) - len(lost)
        return len(plans) - len(lost), same, refused


def _with_basis(
    request: PlanRequest, base: PlanBase | StoredPlan | None, rules: TenantRules, *, finishing: bool = False
) -> PlanRequest:
    """Return a request completed with the officer's stored data and the tenant's rules."""
    if base is None:
        return replace(request, rules=rules)
    previous = base.head.courses
    return replace(request, feedback=base.feedback, rules=rules, previous=previous, finishing=finishing)


def is_studied(plan: StoredPlan) -> bool:
    """Return whether the officer may be studying the path: it was computed, and it follows all stored feedback."""
    return plan.announced.path.status in PLANNED and not plan.head.stale


def _is_news(request: PlanRequest, before: PlanBase | None) -> bool:
    return before is None or request.profile.sequence > before.head.profile_sequence


def _repeats(request: PlanRequest, before: PlanBase | None) -> bool:
    return before is not None and request.profile.sequence == before.head.profile_sequence


def new_plan(request: PlanRequest, planned: PlannedPath, based_on: PlanHead | None) -> NewPlan:
    """Return the plan to save: the next revision, announced with its cause."""
    event = PathRecommended(
        tenant=request.profile.tenant,
        officer=request.profile.officer,
        revision=based_on.revision + 1 if based_on else 1,
        cause=request.cause,
        planned_at=datetime.now(UTC),
        path=planned.path,
    )
    return NewPlan(request.partition, request.profile, event, based_on, request.traceparent, planned.record)


def same_path(stored: CompactPath, runners_up: Sequence[RunnersUp], path: LearningPath) -> bool:
    """Return whether a path is the same as a stored one, except for the versions and the date that it was made from.

    `runners_up`: the stored alternatives of each step. Other differences that are ignored: whether the previous path
    stayed, how the search ended, whether the path is proved, and notes on withdrawn or unknown courses.
    """
    planned = compact(path)
    apart = {name: getattr(planned, name) for name in ("versions", "as_of", "kept", "limited", "finishing", "proved")}
    gone = {note.course: note for note in planned.notes if note.kind == "unknown"}
    noted = {note.course for note in planned.notes}
    notes = [
        gone.get(note.course, note) if note.kind == "withdrawn" else note
        for note in stored.notes
        if note.kind != "withdrawn" or note.course in noted
    ]
    before = replace(stored, notes=notes, **apart)
    return before == planned and list(runners_up) == alternatives(path)
