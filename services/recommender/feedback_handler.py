"""Stores feedback together with the path that follows from it.

Feedback over HTTP and an assessment event change the same document, so feedback is stored with the resulting path in
one write. If the validator rejects the new path, the feedback is stored and the old path stays, marked stale.
"""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.recommender.feedback import Action, apply_feedback
from services.recommender.inputs import PlanRequest
from services.recommender.plan_pool import PlannedPath
from services.recommender.planning import Planner, is_studied, new_plan
from services.recommender.store.documents import MOST_KEYS, IdempotencyRecord, StoredPlan
from shared.domain import key_of
from shared.errors import IdTaken, MissingPath, TooManyRequests, UnknownName
from shared.retries import retry_on_conflict
from shared.work_queue import Caller, WorkQueue

log = logging.getLogger(__name__)

_COME_BACK_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class FeedbackCommand:
    """One feedback as the officer sent it, with its Idempotency-Key and the digest of the request's body."""

    tenant: str
    officer: str
    course: str
    action: Action
    at: datetime | None
    key: str
    digest: str
    traceparent: str | None = None


class FeedbackHandler:
    """Stores feedback, and plans the officer's path again.

    `taken` counts stored feedback; `stored_stale` counts feedback whose new path the validator rejected.
    """

    def __init__(self, planner: Planner, queue: WorkQueue) -> None:
        self.taken = 0
        self.stored_stale = 0
        self.planner = planner
        self._store = planner.store
        self._queue = queue

    async def take(self, command: FeedbackCommand) -> IdempotencyRecord:
        """Store feedback and return its record; a repeated Idempotency-Key within 24 hours stores nothing.

        Raises NotFound without a plan, Conflict or InvalidInput for invalid feedback, TooManyRequests above 2,000 a
        day, Unavailable if it could not be stored, and the errors of WorkQueue.run. After an error nothing is stored.
        """

        async def decide() -> IdempotencyRecord | None:
            plan = await self._store.find(command.tenant, command.officer)
            if plan is None:
                raise MissingPath("there is no path for this officer yet")
            if known := next((key for key in plan.keys if key.id == command.key), None):
                if known.digest != command.digest:
                    raise IdTaken("this key was used for another feedback", "Idempotency-Key")
                return known
            return await self._decide(command, plan)

        return await retry_on_conflict(decide, "this officer's plan")

    async def _decide(self, command: FeedbackCommand, plan: StoredPlan) -> IdempotencyRecord | None:
        now = datetime.now(UTC)
        if plan.count_retained_keys(now) >= MOST_KEYS:
            text = f"{MOST_KEYS} statements of this officer were taken within a day"
            raise TooManyRequests(text, retry_after=_COME_BACK_SECONDS)
        await self.planner.catch_up([plan.head], [])
        view = self.planner.catalog.snapshot.view(command.tenant)
        course = view.course(command.course)
        if command.action != "undo" and course is None:
            known = {*plan.head.courses, *(statement.course for statement in plan.feedback.statements)}
            if command.course not in known:
                raise UnknownName(f"unknown course {command.course!r}", "course")
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
            plan.head.courses,
            # `not_now` and `undo` ask for another path: one that is only as good replaces the previous one.
            stable=command.action not in ("not_now", "undo"),
            # An officer who starts or completes a course of the path keeps the rest of it.
            finishing=command.action in ("started", "completed") and is_studied(plan),
            rules=rules,
            cause="feedback",
            traceparent=command.traceparent,
        )
        caller = Caller(key_of(command.tenant, command.officer))
        planned = await self._queue.run(caller, self.planner.pool.one, request, view)
        return await self._save(command, plan, request, planned)

    async def _save(
        self, command: FeedbackCommand, plan: StoredPlan, request: PlanRequest, planned: PlannedPath
    ) -> IdempotencyRecord | None:
        """Save feedback with its path, or with the previous one if the new one is rejected; None after a conflict."""
        head, feedback = plan.head, request.feedback
        refused = bool(planned.violations) or planned.path.status == "refused"
        revision = head.revision if refused else head.revision + 1
        now = datetime.now(UTC)
        key = IdempotencyRecord(command.key, command.digest, feedback.sequence, revision, refused, now)
        earlier = plan.count_retained_keys(now)
        if refused:
            if not await self._store.save_stale_feedback(plan, feedback, key, earlier):
                return None
            self.stored_stale += 1
            log.error("a path is rejected after feedback; the previous one stays, stale: %s", planned.violations)
        else:
            new = replace(new_plan(request, planned, head), feedback=feedback)
            if not await self._store.save_feedback(new, key, earlier):
                return None
            self.planner.planned += 1
        self.taken += 1
        return key
