"""The one way in for evidence: checked, fused into the profile, and written with its event in one compare-and-set."""

import asyncio
from datetime import UTC, datetime

from services.assessment import profile as profiles
from services.assessment import scoring
from services.assessment.framework_replica import FrameworkReplica
from services.assessment.model import AssessmentAccepted, Evidence, SubmitAssessment, assessment_id_of, digest_of
from services.assessment.store import SOURCE, OfficerStore
from shared.domain import Framework
from shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from shared.events import AssessmentCompleted, new_event
from shared.retries import retry_on_conflict

_ARRIVAL_SECONDS = 1.0


class Intake:
    """Takes evidence of every kind. `caught_up` is set when the catalog was read to its end."""

    def __init__(self, store: OfficerStore, frameworks: FrameworkReplica, caught_up: asyncio.Event) -> None:
        self._store = store
        self._frameworks = frameworks
        self._caught_up = caught_up

    async def framework(self, tenant: str, framework: str) -> Framework:
        """Return a framework; wait briefly for one that the catalog may have announced just now.

        Raises InvalidInput naming the field for one that does not exist, Unavailable if that is not known yet.
        """
        deadline = asyncio.get_running_loop().time() + _ARRIVAL_SECONDS
        while (found := self._frameworks.find(tenant, framework)) is None:
            if asyncio.get_running_loop().time() > deadline:
                if not self._caught_up.is_set():
                    raise Unavailable("the frameworks are still being read; try again soon")
                raise InvalidInput(f"unknown framework {framework!r}", "framework")
            await asyncio.sleep(0.05)
        return found

    async def submit(
        self, tenant: str, officer: str, key: str, body: SubmitAssessment, trace: str
    ) -> AssessmentAccepted:
        """Take evidence under the caller's idempotency key; the same key and body again change nothing.

        Raises NotFound for an unknown officer, Conflict for another body under the same key, InvalidInput naming the
        field, TooLarge, Unavailable.
        """
        assessment_id, digest = assessment_id_of(tenant, officer, key), digest_of(body)

        async def decide() -> int | None:
            before = await self._store.find(tenant, officer)
            if before is None or before.profile is None:
                raise NotFound("no such officer")
            if accepted := await self._store.accepted(before, assessment_id):
                if accepted[0] != digest:
                    raise Conflict("this key was used for another assessment", "Idempotency-Key")
                return accepted[1]
            now = datetime.now(UTC)
            framework = await self.framework(tenant, body.framework)
            owner = self._frameworks.owner(tenant, framework.id)
            scoring.check(body, framework, now)
            own = framework if framework.id == before.profile.framework else None
            sequence = before.sequence + 1
            evidence = Evidence(assessment_id, body.framework, body.kind, body.results, body.taken_at, now, sequence)
            statistics = await self._store.statistics(before)
            changed = profiles.with_evidence(statistics, [evidence])
            statistics |= changed
            told = statistics if before.statistics is None else changed
            after = profiles.assessed(before.profile, told, own, owner)
            data = AssessmentCompleted(after, assessment_id, scoring.announced_kind(body.kind), body.taken_at)
            envelope = new_event(SOURCE, after.key, sequence, data, trace)
            return (
                sequence if await self._store.save(before, after, envelope, [(evidence, digest)], statistics) else None
            )

        return AssessmentAccepted(assessment_id, officer, await retry_on_conflict(decide, "this officer"))
