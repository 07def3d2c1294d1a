"""Taking an officer's feedback: it is stored with the path that follows from it in one write, or it is an error.

A feedback by HTTP and an assessment by event meet in the same document: whoever lost the race reads again and decides
again, so neither is lost. Where the checker refuses the new path the feedback is kept and the old path stays, stale.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.recommender.asked import Asked, Caller
from services.recommender.audit import TenantRules
from services.recommender.feedback import Action, Feedback, heard
from services.recommender.planning import Order, Planner, is_studied, new_plan
from services.recommender.solving import Case
from services.recommender.store import MOST_KEYS, Held, Key
from shared.errors import Conflict, InvalidInput, NotFound, TooManyRequests, Unavailable

log = logging.getLogger(__name__)

_ATTEMPTS = 20
_COME_BACK_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Word:
    """One feedback as it was sent: under which Idempotency-Key, with which digest of its body."""

    tenant: str
    officer: str
    course: str
    action: Action
    at: datetime | None
    key: str
    digest: str
    traceparent: str | None = None


class Heeder:
    """Takes feedback. `taken` counts what was stored; `kept_stale` what was stored while the checker refused a path."""

    def __init__(self, planner: Planner, asked: Asked) -> None:
        self.taken = 0
        self.kept_stale = 0
        self.planner = planner
        self._store = planner.store
        self._asked = asked

    async def take(self, word: Word) -> Key:
        """Return what became of a feedback: once for one key, however often it is sent within 24 hours.

        Raises NotFound without a plan, Conflict and InvalidInput for what cannot be said, TooManyRequests over 2,000 a
        day, Unavailable where it could not be stored, and what Asked.run raises: then nothing was stored either.
        """
        for attempt in range(_ATTEMPTS):
            held = await self._store.held(word.tenant, word.officer)
            if held is None:
                raise NotFound("there is no path for this officer yet")
            if known := next((key for key in held.keys if key.id == word.key), None):
                if known.digest != word.digest:
                    raise Conflict("this key was used for another feedback", "Idempotency-Key")
                return known
            if taken := await self._decide(word, held):
                return taken
            await asyncio.sleep(0.005 * attempt)
        raise Unavailable("this officer's plan changes too fast; try again soon")

    async def _decide(self, word: Word, held: Held) -> Key | None:
        plan, now = held.plan, datetime.now(UTC)
        if held.kept_keys(now) >= MOST_KEYS:
            text = f"{MOST_KEYS} statements of this officer were taken within a day"
            raise TooManyRequests(text, retry_after=_COME_BACK_SECONDS)
        await self.planner.catch_up([plan.summary], [])
        snapshot = self.planner.catalogue.snapshot
        if word.action != "undo":
            stood = {*plan.summary.courses, *(said.course for said in plan.feedback.said)}
            if word.course not in stood and snapshot.view(word.tenant).course(word.course) is None:
                raise InvalidInput(f"unknown course {word.course!r}", "course")
        rules = await self._store.rules.of(word.tenant)
        course = snapshot.view(word.tenant).course(word.course)
        feedback = heard(
            plan.feedback,
            word.course,
            word.action,
            at=word.at or now,
            now=now,
            mandatory=rules.mandatory,
            teaches=course.teaches if course else (),
        )
        order = Order(plan.partition, plan.profile, "feedback", self.planner.date_of(now), word.traceparent)
        return await self._save(word, held, order, feedback, rules)

    async def _save(self, word: Word, held: Held, order: Order, feedback: Feedback, rules: TenantRules) -> Key | None:
        summary = held.plan.summary
        # Who puts a course off, or takes a word back, asks for another path: one that is only as good is welcome.
        stable = word.action not in ("not_now", "undo")
        # Who goes on with the path, or is done with a course of it, finds the rest as it was promised.
        finishing = word.action in ("started", "completed") and is_studied(held.plan)
        case = Case(order.profile, order.as_of, feedback, rules, summary.courses, stable, finishing)
        view = self.planner.catalogue.snapshot.view(word.tenant)
        planned = await self._asked.run(Caller(f"{word.tenant}/{word.officer}"), self.planner.solver.one, case, view)
        refused = bool(planned.violations) or planned.path.status == "refused"
        revision = summary.revision if refused else summary.revision + 1
        now = datetime.now(UTC)
        key, beside = Key(word.key, word.digest, feedback.sequence, revision, refused, now), held.kept_keys(now)
        if refused:
            if not await self._store.keep_feedback(summary, word.officer, feedback, key, beside):
                return None
            self.kept_stale += 1
            log.error("a path is refused after a feedback; the one before stays, stale: %s", planned.violations)
        else:
            plan = replace(new_plan(order, planned, summary), feedback=feedback)
            if not await self._store.save_feedback(plan, key, beside):
                return None
            self.planner.planned += 1
        self.taken += 1
        return key
