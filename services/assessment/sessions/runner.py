"""Runs sessions for requests and time limits: reads, decides, writes if nothing changed meanwhile, submits the result.

An answer is one write: the sessions that this process wrote last are cached, and the write itself detects a change by
another process. An ended session is stored as ended before its result is submitted. `run` finds results that were not
submitted and sessions that were abandoned. The result is submitted under the session's id, so it counts once however
often it is submitted.
"""

import asyncio
import logging
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from services.assessment.intake import Intake
from services.assessment.item_bank.store import ItemBankStore
from services.assessment.model import Result, SubmitAssessment, assessment_id_of
from services.assessment.profile import required_of
from services.assessment.scoring import least_sd
from services.assessment.sessions.adaptive import Sitting, answered, begun, is_over, stopped
from services.assessment.sessions.model import (
    Session,
    SessionEnding,
    SessionPlan,
    SessionSkill,
    StartSession,
    SubmitAnswer,
    digest_of_request,
    submission_key,
)
from services.assessment.sessions.open_banks import OpenBank, OpenBanks
from services.assessment.sessions.store import SessionStore
from services.assessment.store import OfficerStore
from services.assessment.stored_officer import Officer
from shared.domain import Framework, Profile, key_of
from shared.errors import Conflict, InvalidInput, NotFound, Problem, Unavailable, UnknownName
from shared.logs import frames_of
from shared.retries import retry_on_conflict

log = logging.getLogger(__name__)

_SITTINGS = 2000
_SWEEP_SECONDS = 10.0
_AT_ONCE = 100
_HANDED_IN = timedelta(seconds=5)
"""After this time `run` submits the result of an ended session, because its process has not done so."""

_PUT_OFF = timedelta(minutes=5)
_LATER = 1.1
"""An open session waits for an answer at least the idle time, and at most this many times the idle time."""


class SessionRunner:
    """Runs the sessions of all tenants. `idle`: how long to wait for an answer. `clock` returns the current time.

    Each method calls `trace` for the traceparent of a new event.
    """

    def __init__(  # noqa: PLR0913 - made once, by name, in a __main__
        self,
        sessions: SessionStore,
        banks: ItemBankStore,
        officers: OfficerStore,
        intake: Intake,
        *,
        idle: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.started = 0
        self.answers = 0
        self.endings: Counter[SessionEnding] = Counter()
        self._sessions = sessions
        self._banks = banks
        self._officers = officers
        self._intake = intake
        self._idle = idle
        self._clock = clock
        self._open_banks = OpenBanks(banks, sessions)
        self._sittings: OrderedDict[str, Sitting] = OrderedDict()

    # --- requests ----------------------------------------------------------------------------------------------------

    async def start(
        self, tenant: str, officer: str, body: StartSession, trace: Callable[[], str]
    ) -> tuple[Sitting, bool]:
        """Return a new session and True, or the officer's open one and False if the request is the same.

        Raises NotFound; Conflict if an open session was requested differently; InvalidInput naming the field;
        Unavailable.
        """

        async def decide() -> tuple[Sitting, bool] | None:
            profile = await self._profile(tenant, officer)
            before = await self._sessions.open_of(tenant, officer)
            if before and is_over(before.plan, self._clock()):
                await self._end(await self._sitting_of(before), "time_limit", trace)
            elif before and before.plan.request != digest_of_request(body):
                raise Conflict(f"session {before.plan.id} is open and measures something else: stop it first")
            elif before:
                return await self._sitting_of(before), False
            plan, bank = await self._planned(profile, body)
            sitting = self._due(begun(plan, bank.pool, bank.exposure))
            if not await self._sessions.start(sitting.session):
                return None
            bank.exposure.started()
            self._shown(bank, sitting)
            self.started += 1
            now_known = await self._officers.find(tenant, officer)
            if _is_gone(now_known, plan):  # erased meanwhile, maybe after its sessions were removed
                await self._sessions.remove(sitting.session)
                raise NotFound("no such officer")
            self._remember(sitting)
            return sitting, True

        return await retry_on_conflict(decide, "this officer's sessions")

    async def answer(
        self, tenant: str, officer: str, session: str, body: SubmitAnswer, trace: Callable[[], str]
    ) -> Sitting:
        """Store an answer; return the session with its next item or its result. Repeating the answer changes nothing.

        Raises NotFound, Conflict or InvalidInput naming the field, Unavailable.
        """
        key = f"{key_of(tenant, officer)}/{session}"

        async def decide() -> tuple[Sitting, Problem | None] | None:
            held = self._sittings.pop(key, None)
            if held is not None:  # if another process has written since, the write fails or the answer is wrong
                try:
                    done = await self._answered(held, body)
                except Problem as problem:
                    if isinstance(problem, Unavailable):
                        raise
                    done = None
                if done is not None and done[0] is not held:
                    return done
            fresh = await self._fresh(tenant, officer, session)
            return await self._answered(fresh, body)

        sitting, problem = await retry_on_conflict(decide, "this session")
        sitting = await self._submitted(sitting, trace)
        if problem is not None:
            raise problem
        return sitting

    async def stop(self, tenant: str, officer: str, session: str, trace: Callable[[], str]) -> Sitting:
        """End a session and submit its result; return the session. Raises NotFound, Unavailable."""
        return await self._end(await self._fresh(tenant, officer, session), "stopped", trace)

    async def find(self, tenant: str, officer: str, session: str) -> Sitting:
        """Return the current state of a session. Raises NotFound, Unavailable."""
        return await self._fresh(tenant, officer, session)

    # --- time limits -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """End abandoned sessions and submit results that are not in a profile yet, every 10 s until cancelled."""
        while True:
            try:
                while await self.sweep():
                    pass
            except Unavailable as problem:
                log.warning("sessions that were left wait: %s", problem.detail)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def sweep(self) -> int:
        """End up to 100 due sessions and submit their results; return how many were due. Raises Unavailable.

        A session that cannot be ended is postponed.
        """
        due = await self._sessions.due(self._clock(), _AT_ONCE)
        for session in due:
            try:
                ending: SessionEnding = "time_limit" if is_over(session.plan, self._clock()) else "left"
                await self._end(await self._sitting_of(session), ending, str)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - one that cannot be ended keeps no other from it
                fields = {"error": frames_of(error)}
                log.error("session %s cannot be ended", session.plan.key, extra={"fields": fields})  # noqa: TRY400 - no traceback: it may hold data
                await self._sessions.postpone(session, self._clock() + _PUT_OFF)
        return len(due)

    # --- starting a session ------------------------------------------------------------------------------------------

    async def _profile(self, tenant: str, officer: str) -> Profile:
        found = await self._officers.find(tenant, officer)
        if found is None or found.profile is None:
            raise NotFound("no such officer")
        return found.profile

    async def _planned(self, profile: Profile, body: StartSession) -> tuple[SessionPlan, OpenBank]:
        """Return the plan of a new session. Raises InvalidInput naming the field."""
        tenant = profile.tenant
        framework = await self._intake.framework(tenant, body.framework or profile.framework)
        stored = await self._banks.current(tenant, framework.id)
        if stored is None:
            raise UnknownName(f"there is no published item bank of framework {framework.id}", "framework")
        scale = [step.level for step in framework.scale]
        plan = SessionPlan(
            id=secrets.token_hex(12),
            tenant=tenant,
            officer=profile.officer,
            framework=framework.id,
            bank_owner=stored.tenant,
            bank=stored.bank,
            bank_version=stored.version,
            scale=scale,
            skills=_skills(framework, profile, body.skills),
            seed=secrets.randbits(48),
            max_items=body.max_items,
            seconds_per_item=body.seconds_per_item,
            seconds=body.seconds,
            started_at=self._clock(),
            request=digest_of_request(body),
        )
        return plan, await self._open_banks.of(plan, stored)

    # --- answering and ending ----------------------------------------------------------------------------------------

    async def _fresh(self, tenant: str, officer: str, session: str) -> Sitting:
        self._sittings.pop(f"{key_of(tenant, officer)}/{session}", None)
        found = await self._sessions.find(tenant, officer, session)
        if found is None:
            raise NotFound("no such session")
        return await self._sitting_of(found)

    async def _sitting_of(self, session: Session) -> Sitting:
        return Sitting.of(session, (await self._open_banks.of(session.plan)).pool)

    async def _answered(self, before: Sitting, body: SubmitAnswer) -> tuple[Sitting, Problem | None] | None:
        """Return the session after an answer was stored, and a problem for the client; None after a write conflict."""
        bank = await self._open_banks.of(before.plan)
        after, problem = answered(before, body, bank.exposure, self._clock())
        if after is before:
            return before, None
        after = self._due(after)
        if not await self._sessions.advance(before.session, after.session):
            return None
        self.answers += problem is None
        self._shown(bank, after)
        if after.session.end is not None:
            self.endings[after.session.end.ending] += 1
        self._remember(after)
        return after, problem

    async def _end(self, sitting: Sitting, ending: SessionEnding, trace: Callable[[], str]) -> Sitting:
        """Return a session that is ended and submitted; its state before may be any."""

        async def decide() -> Sitting | None:
            nonlocal sitting
            after = stopped(sitting, ending, self._clock())
            if after is sitting:
                return sitting
            after = self._due(after)
            if await self._sessions.advance(sitting.session, after.session):
                self.endings[ending] += 1
                return after
            plan = sitting.plan
            sitting = await self._fresh(plan.tenant, plan.officer, plan.id)
            return None

        ended = await retry_on_conflict(decide, "this session")
        self._sittings.pop(ended.plan.key, None)
        return await self._submitted(ended, trace)

    async def _submitted(self, sitting: Sitting, trace: Callable[[], str]) -> Sitting:
        """Return an ended session after submitting its result, or unchanged if that must wait.

        If the officer was erased, deletes the session and raises NotFound.
        """
        session = sitting.session
        if session.end is None or session.settled:
            return sitting
        try:
            sequence = await self._submit(session, trace())
            settled = {"settled": True, "due_at": None, "profile_sequence": sequence}
            after = msgspec.structs.replace(session, revision=session.revision + 1, **settled)
            if not await self._sessions.advance(session, after):
                return await self._fresh(session.plan.tenant, session.plan.officer, session.plan.id)
            return replace(sitting, session=after)
        except NotFound:
            await self._sessions.remove(session)
            raise
        except Problem as problem:  # `run` tries again later
            log.warning("session %s waits: %s", session.plan.key, problem.detail)
            wait = _HANDED_IN if isinstance(problem, Unavailable) else _PUT_OFF
            with suppress(Unavailable):
                await self._sessions.postpone(session, self._clock() + wait)
            return sitting
        finally:
            self._sittings.pop(session.plan.key, None)

    async def _submit(self, session: Session, trace: str) -> int | None:
        """Submit the results of a session; return the sequence of the profile, None if there are no results.

        Results that were accepted before stay as they are, also if the framework has changed since.
        """
        plan, end = session.plan, session.end
        name = submission_key(plan)
        assessment_id = assessment_id_of(plan.tenant, plan.officer, name)
        officer = await self._officers.find(plan.tenant, plan.officer, assessment_id)
        if officer is None or _is_gone(officer, plan):
            raise NotFound("no such officer")
        if accepted_before := await self._officers.accepted(officer, assessment_id):
            return accepted_before.sequence
        framework = await self._intake.framework(plan.tenant, plan.framework)
        known = {skill.id for skill in framework.skills}
        results = [
            Result(one.skill, min(one.level, framework.max_level), max(one.sd or 0.0, least_sd("test", framework)))
            for one in (end.skills if end else [])
            if one.level is not None and one.skill in known
        ]
        if not results:
            return None
        taken_at = [one.answered_at for one in session.answers if one.response is not None][-1]
        body = SubmitAssessment(plan.framework, "test", results, taken_at)
        accepted = await self._intake.submit(plan.tenant, plan.officer, name, body, trace)
        return accepted.profile_sequence

    # --- in memory ---------------------------------------------------------------------------------------------------

    def _due(self, sitting: Sitting) -> Sitting:
        """Return a changed session with its next `due_at`, which is rounded so that few answers change it."""
        session, now = sitting.session, self._clock().replace(microsecond=0)  # MongoDB keeps no microseconds
        if session.end is not None:
            due_at = now + _HANDED_IN
        else:
            least, due_at = now + self._idle, now + self._idle * _LATER
            if session.due_at is not None and least <= session.due_at <= due_at:
                due_at = session.due_at
            if session.plan.seconds is not None:
                due_at = min(due_at, session.plan.started_at + timedelta(seconds=session.plan.seconds))
        if due_at == session.due_at:
            return sitting
        return replace(sitting, session=msgspec.structs.replace(session, due_at=due_at))

    @staticmethod
    def _shown(bank: OpenBank, sitting: Sitting) -> None:
        if current := sitting.session.current:
            bank.exposure.show(current.skill, current.item)

    def _remember(self, sitting: Sitting) -> None:
        self._sittings[sitting.plan.key] = sitting
        while len(self._sittings) > _SITTINGS:
            self._sittings.popitem(last=False)


def _is_gone(officer: Officer | None, plan: SessionPlan) -> bool:
    """Return whether the officer of a session was erased since it began, even if the id is registered again."""
    if officer is None or officer.profile is None:
        return True
    return officer.erased_at is not None and officer.erased_at >= plan.started_at


def _skills(framework: Framework, profile: Profile, requested: Sequence[str] | None) -> list[SessionSkill]:
    """Return the skills of a session: the requested ones, else those that the officer's job group requires.

    Raises InvalidInput naming the field.
    """
    own = framework.id == profile.framework
    required = required_of(profile, framework) if own else {}
    known = [skill.id for skill in framework.skills]
    if requested is None:
        wanted = [skill for skill in known if skill in required and required[skill].level > 0]
        if not wanted:
            raise InvalidInput("nothing is required of this officer's job group: name the skills to measure", "skills")
    else:
        wanted = list(requested)
        for i, skill in enumerate(wanted):
            if skill not in known:
                raise UnknownName(f"framework {framework.id} has no skill {skill!r}", f"skills[{i}]")
            if skill in wanted[:i]:
                raise InvalidInput(f"{skill!r} is given twice", f"skills[{i}]")
    return [
        SessionSkill(skill, required[skill].level, required[skill].weight) if skill in required else SessionSkill(skill)
        for skill in wanted
    ]
