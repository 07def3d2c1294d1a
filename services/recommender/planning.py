"""Reads, plans and saves: for events, for stored plans after a change, and for feedback.

A plan is a deterministic function of profile, feedback, rules, catalog, framework, date and the previous path. The
validator simulates it before it is saved by compare-and-set; after a write conflict the writer reads and decides again.

Feedback over HTTP and an assessment event change the same document, so feedback is stored with the resulting path in
one write. If the validator rejects the new path, the feedback is stored and the old path stays, marked stale.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo

import msgspec

from services.recommender.catalog_replica import CatalogReplica, PlanSummary
from services.recommender.feedback import Action, apply_feedback
from services.recommender.inputs import SMALLEST_GAP, PlanRequest, TenantRules
from services.recommender.plan_pool import PlannedPath, PlanPool
from services.recommender.store import (
    MOST_KEYS,
    IdempotencyRecord,
    NewPlan,
    PlanBase,
    PlanStore,
    RunnersUp,
    StoredPlan,
)
from shared.compact_paths import alternatives, compact
from shared.domain import key_of
from shared.errors import Conflict, InvalidInput, NotFound, Rejected, TooManyRequests, Unavailable
from shared.events import MAX_JUMP, Cause, PathRecommended, check_jump
from shared.logs import frames_of
from shared.paths import PLANNED, LearningPath
from shared.retries import retry_on_conflict
from shared.work_queue import Caller, WorkQueue

log = logging.getLogger(__name__)

_FRAMEWORK_SECONDS = 5.0
_CATCH_UP_SECONDS = 10.0


class Planner:
    """Plans officers from events and after changes. `zone`: the time zone in which the date of an event is read."""

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

    def date_of(self, moment: datetime) -> date:
        """Return the calendar date of a time in the officers' time zone."""
        return moment.astimezone(self._zone).date()

    def today(self) -> date:
        """Return the current date in the officers' time zone."""
        return self.date_of(datetime.now(UTC))

    # --- events ------------------------------------------------------------------------------------------------------

    @property
    def skipped(self) -> int:
        """How often a stored plan was skipped because it could not be read or planned again."""
        return self.failed + self.store.unreadable

    async def plan(self, requests: Sequence[PlanRequest]) -> None:
        """Plan for the newest profile of every officer and save; older and repeated profiles change nothing.

        Raises Rejected if the validator rejected a path; the others of the batch are saved by then. If the batch is a
        single officer without a plan, a plan without steps and with the cause is saved. Also raises Rejected, with
        nothing planned, if a profile's sequence is further ahead than possible.
        """
        newest = {
            request.profile.key: request for request in sorted(requests, key=lambda request: request.profile.sequence)
        }
        await self._check_jumps({key: request.profile.sequence for key, request in newest.items()})
        refused: list[str] = []
        while newest:
            before, rules = await asyncio.gather(self.store.bases(newest), self._rules_of(newest.values()))
            news = [request for key, request in newest.items() if _is_news(request, before.get(key))]
            await self.catch_up([before[key].summary for key in newest if key in before], news)
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
                plans.append(new_plan(request, result, base.summary if base else None))
            lost = await self.store.save(plans)
            self.planned += len(plans) - len(lost)
            newest = {plan.profile.key: newest[plan.profile.key] for plan in lost}
        if refused:
            self.refused += len(refused)
            raise Rejected(f"the validator rejects the path: {' | '.join(refused)}")

    async def erase(self, tenant: str, officer: str, sequence: int, partition: int) -> bool:
        """Erase an officer; return whether the officer is erased now.

        Raises Rejected if the sequence is too far ahead.
        """
        await self._check_jumps({key_of(tenant, officer): sequence})
        return await self.store.erase(tenant, officer, sequence, partition)

    async def forget(self, tenant: str, officer: str, sequence: int, superseded: int, partition: int) -> bool:
        """Erase an officer whose profile is a tombstone; return whether the officer is erased now.

        Nothing is stored for an unknown officer.

        `sequence` 0: the tombstone has none, and follows everything that is known. `superseded`: the sequence of the
        newest profile before it in the same batch, 0 without one. Raises Rejected if the sequence is too far ahead.
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

    async def _rules_of(self, requests: Iterable[PlanRequest]) -> dict[str, TenantRules]:
        return {
            tenant: await self.store.rules.of(tenant) for tenant in {request.profile.tenant for request in requests}
        }

    async def catch_up(self, before: Collection[PlanSummary], news: Sequence[PlanRequest]) -> None:
        """Wait until the catalog is at least as new as that of the stored plans, and briefly for a missing framework.

        Raises Unavailable if this replica stays behind.
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
        """Plan again; return the number of new paths, the plans whose path is the same, and the rejected ones.

        If planning or saving fails, the batch is halved until the failing plan is alone; it counts as rejected. Raises
        Unavailable.
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
        requests = [PlanRequest(plan.profile, today, cause=cause, partition=plan.partition) for plan in stored]
        rules = await self._rules_of(requests)
        complete = [
            _with_basis(
                request,
                PlanBase(plan.summary, plan.feedback),
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
            elif same_path(plan.path, plan.runners_up, result.path) and not plan.summary.stale:
                same.append(plan)
            else:
                plans.append(new_plan(request, result, plan.summary))
        if refused:
            self.refused += len(refused)
            log.error("the validator rejects %d paths after a change; the previous ones stay, stale", len(refused))
        await self.store.history.archive([plan.profile.key for plan in plans])
        lost = await self.store.save(plans)
        self.planned += len(plans) - len(lost)
        return len(plans) - len(lost), same, refused


def _with_basis(
    request: PlanRequest, base: PlanBase | None, rules: TenantRules, *, finishing: bool = False
) -> PlanRequest:
    """Return a request completed with the officer's stored data and the tenant's rules."""
    if base is None:
        return replace(request, rules=rules)
    previous = base.summary.courses
    return replace(request, feedback=base.feedback, rules=rules, previous=previous, finishing=finishing)


def is_studied(plan: StoredPlan) -> bool:
    """Return whether a plan has a path that an officer may be studying and that follows every statement."""
    return plan.path.status in PLANNED and not plan.summary.stale


def _is_news(request: PlanRequest, before: PlanBase | None) -> bool:
    return before is None or request.profile.sequence > before.summary.profile_sequence


def new_plan(request: PlanRequest, planned: PlannedPath, based_on: PlanSummary | None) -> NewPlan:
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


def same_path(stored: LearningPath, runners_up: Sequence[RunnersUp], path: LearningPath) -> bool:
    """Return whether a path differs from a stored one only in the versions and the date that it was made from.

    `runners_up`: the stored alternatives of each step. These differences are ignored too: that the previous path
    stayed, how the search ended and whether it is proved, and notes on withdrawn or unknown courses.
    """
    apart = {name: getattr(path, name) for name in ("versions", "as_of", "kept", "limited", "finishing", "proved")}
    gone = {note.course: note for note in path.notes if note.kind == "unknown"}
    noted = {note.course for note in path.notes}
    notes = [
        gone.get(note.course, note) if note.kind == "withdrawn" else note
        for note in stored.notes
        if note.kind != "withdrawn" or note.course in noted
    ]
    before = compact(msgspec.structs.replace(stored, notes=notes, **apart))
    return before == compact(path) and list(runners_up) == alternatives(path)


_COME_BACK_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class FeedbackCommand:
    """One feedback as sent, with its Idempotency-Key and the digest of its body."""

    tenant: str
    officer: str
    course: str
    action: Action
    at: datetime | None
    key: str
    digest: str
    traceparent: str | None = None


class FeedbackHandler:
    """Stores feedback and plans again.

    `taken` counts stored feedback; `stored_stale` counts feedback whose new path the validator rejected.
    """

    def __init__(self, planner: Planner, queue: WorkQueue) -> None:
        self.taken = 0
        self.stored_stale = 0
        self.planner = planner
        self._store = planner.store
        self._queue = queue

    async def take(self, command: FeedbackCommand) -> IdempotencyRecord:
        """Store feedback and return its record; repeats of an Idempotency-Key within 24 hours are stored once.

        Raises NotFound without a plan, Conflict or InvalidInput for invalid feedback, TooManyRequests above 2,000 a
        day, Unavailable if it could not be stored, and the errors of WorkQueue.run. After an error nothing is stored.
        """

        async def decide() -> IdempotencyRecord | None:
            plan = await self._store.find(command.tenant, command.officer)
            if plan is None:
                raise NotFound("there is no path for this officer yet")
            if known := next((key for key in plan.keys if key.id == command.key), None):
                if known.digest != command.digest:
                    raise Conflict("this key was used for another feedback", "Idempotency-Key")
                return known
            return await self._decide(command, plan)

        return await retry_on_conflict(decide, "this officer's plan")

    async def _decide(self, command: FeedbackCommand, plan: StoredPlan) -> IdempotencyRecord | None:
        now = datetime.now(UTC)
        if plan.retained_keys(now) >= MOST_KEYS:
            text = f"{MOST_KEYS} statements of this officer were taken within a day"
            raise TooManyRequests(text, retry_after=_COME_BACK_SECONDS)
        await self.planner.catch_up([plan.summary], [])
        view = self.planner.catalog.snapshot.view(command.tenant)
        course = view.course(command.course)
        if command.action != "undo" and course is None:
            known = {*plan.summary.courses, *(statement.course for statement in plan.feedback.statements)}
            if command.course not in known:
                raise InvalidInput(f"unknown course {command.course!r}", "course")
        rules = await self._store.rules.of(command.tenant)
        feedback = apply_feedback(
            plan.feedback,
            command.course,
            command.action,
            at=command.at or now,
            now=now,
            mandatory=rules.mandatory,
            teaches=course.teaches if course else (),
        )
        request = PlanRequest(
            plan.profile,
            self.planner.date_of(now),
            feedback,
            rules,
            plan.summary.courses,
            # `not_now` and `undo` ask for another path: one that is only as good replaces the previous one.
            stable=command.action not in ("not_now", "undo"),
            # An officer who starts or completes a course of the path keeps the rest of it.
            finishing=command.action in ("started", "completed") and is_studied(plan),
            cause="feedback",
            partition=plan.partition,
            traceparent=command.traceparent,
        )
        caller = Caller(key_of(command.tenant, command.officer))
        planned = await self._queue.run(caller, self.planner.pool.one, request, view)
        return await self._save(command, plan, request, planned)

    async def _save(
        self, command: FeedbackCommand, plan: StoredPlan, request: PlanRequest, planned: PlannedPath
    ) -> IdempotencyRecord | None:
        """Save feedback with its path, or with the previous one if the new one is rejected; None after a conflict."""
        summary, feedback = plan.summary, request.feedback
        refused = bool(planned.violations) or planned.path.status == "refused"
        revision = summary.revision if refused else summary.revision + 1
        now = datetime.now(UTC)
        key = IdempotencyRecord(command.key, command.digest, feedback.sequence, revision, refused, now)
        earlier = plan.retained_keys(now)
        if refused:
            if not await self._store.save_stale_feedback(summary, command.officer, feedback, key, earlier):
                return None
            self.stored_stale += 1
            log.error("a path is rejected after feedback; the previous one stays, stale: %s", planned.violations)
        else:
            new = replace(new_plan(request, planned, summary), feedback=feedback)
            if not await self._store.save_feedback(new, key, earlier):
                return None
            self.planner.planned += 1
        self.taken += 1
        return key
