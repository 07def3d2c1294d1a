"""Accepts evidence of every kind: checks it, fuses it into the profile, and stores it in one write with its event."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import Struct

from services.assessment import profile as profiles
from services.assessment import scoring
from services.assessment.framework_replica import FrameworkReplica
from services.assessment.model import (
    AssessmentAccepted,
    Evidence,
    EvidenceKind,
    Result,
    SubmitAssessment,
    assessment_id_of,
    digest_of,
)
from services.assessment.store import SOURCE, OfficerStore
from services.assessment.stored_officer import AcceptedEvidence, Change, Officer
from shared.domain import Framework, Profile, key_of
from shared.errors import IdTaken, InvalidInput, NotFound, Problem, TooLarge, Unavailable, UnknownName
from shared.events import AssessmentCompleted, new_event
from shared.mongo import overlapped
from shared.retries import retry_on_conflict

_ARRIVAL_SECONDS = 1.0
_ATTEMPTS = 20
_STEP_SECONDS = 0.005
_PER_WRITE = 100
"""The most assessments of one officer in one write: a document of MongoDB holds up to 16 MB."""

_PER_PART = 500
"""The submissions of one part of a bulk; while one part is written, the next one is decided.

Each part takes five calls of the driver, so small parts take more time for each submission."""

_PER_TURN = 20
"""The number of officers of a bulk after which single requests are let through."""


class Submission(Struct, frozen=True, gc=False):
    """Evidence about an officer under an idempotency key; `framework` missing means the officer's own.

    `origin`: the import and the row, or the xAPI statement. Evidence that is already stored with the same origin was
    created by this row or statement.
    """

    officer: str
    key: str
    kind: EvidenceKind
    results: list[Result]
    taken_at: datetime
    framework: str | None = None
    origin: str | None = None


class Outcome(Struct):
    """The result of a submission: it is new (`is_new`), repeated, or rejected with `problems`.

    `sequence`: that of the profile which first held the evidence. `same_origin`: evidence of the same origin was
    accepted under this key before, maybe with other content.
    """

    assessment_id: str = ""
    is_new: bool = False
    same_origin: bool = False
    sequence: int = 0
    problems: list[Problem] = []


class Intake:
    """Accepts evidence of every kind. `caught_up` is set once the whole catalog topic was read."""

    def __init__(self, store: OfficerStore, frameworks: FrameworkReplica, caught_up: asyncio.Event) -> None:
        self._store = store
        self._frameworks = frameworks
        self._caught_up = caught_up

    async def framework(self, tenant: str, framework: str) -> Framework:
        """Return a framework; wait briefly for one that the catalog may just have announced.

        Raises InvalidInput naming the field if it does not exist, Unavailable if that is not known yet.
        """
        deadline = asyncio.get_running_loop().time() + _ARRIVAL_SECONDS
        while (found := self._frameworks.find(tenant, framework)) is None:
            if asyncio.get_running_loop().time() > deadline:
                if not self._caught_up.is_set():
                    raise Unavailable("the frameworks are still being read; try again soon")
                raise UnknownName(f"unknown framework {framework!r}", "framework")
            await asyncio.sleep(0.05)
        return found

    async def submit(
        self, tenant: str, officer: str, key: str, body: SubmitAssessment, trace: str
    ) -> AssessmentAccepted:
        """Accept evidence under the caller's idempotency key; repeating the same key and body changes nothing.

        Raises NotFound for an unknown officer, Conflict for another body under the same key, InvalidInput naming the
        field, TooLarge, Unavailable.
        """
        assessment_id, digest = assessment_id_of(tenant, officer, key), digest_of(body)

        async def decide() -> int | None:
            before = await self._store.find(tenant, officer, assessment_id)
            if before is None or before.profile is None:
                raise NotFound("no such officer")
            if accepted := await self._store.accepted(before, assessment_id):
                if accepted.digest != digest:
                    raise IdTaken("this key was used for another assessment", "Idempotency-Key")
                return accepted.sequence
            now = datetime.now(UTC)
            framework = await self.framework(tenant, body.framework)
            owner = self._frameworks.owner(tenant, framework.id)
            scoring.check(body, framework, now)
            own = framework if framework.id == before.profile.framework else None
            sequence = before.sequence + 1
            results = scoring.with_usual_sd(body.results, body.kind, framework)
            evidence = Evidence(assessment_id, body.framework, body.kind, results, body.taken_at, now, sequence)
            statistics = await self._store.statistics(before)
            change = _assessed(before, before.profile, [(evidence, digest)], statistics, own, owner, trace)
            return sequence if await self._store.save(change) else None

        return AssessmentAccepted(assessment_id, officer, await retry_on_conflict(decide, "this officer"))

    async def submit_many(
        self, tenant: str, submissions: Sequence[Submission], trace: str, *, dry_run: bool = False, bulk: bool = True
    ) -> list[Outcome]:
        """Accept evidence about many officers; return an outcome for each submission, in order.

        An officer's submissions are decided in order and stored together. The faults of a submission are in its outcome
        and do not affect others. Events of a `bulk` are sent after those of single changes. With `dry_run` nothing is
        written. Raises Unavailable; then the same submissions may be sent again.
        """
        outcomes = [Outcome() for _ in submissions]
        places: dict[str, list[int]] = {}
        for i, one in enumerate(submissions):
            places.setdefault(key_of(tenant, one.officer), []).append(i)

        async def take(part: dict[str, list[int]]) -> None:
            await self._take(tenant, submissions, outcomes, part, trace, dry_run=dry_run, bulk=bulk)

        await overlapped(take, _parts(places))
        return outcomes

    async def _take(  # noqa: PLR0913 - one part of `submit_many`
        self,
        tenant: str,
        submissions: Sequence[Submission],
        outcomes: list[Outcome],
        waiting: dict[str, list[int]],
        trace: str,
        *,
        dry_run: bool,
        bulk: bool,
    ) -> None:
        """Store the submissions of some officers and fill in the outcomes. `waiting`: {key of the officer: positions}.

        Raises Unavailable.
        """
        frameworks: dict[str, Framework | Problem] = {}
        lost = 0
        while waiting:
            await asyncio.sleep(_STEP_SECONDS * lost)
            officers = await self._store.find_many(list(waiting))
            names = {name for places in waiting.values() for i in places if (name := submissions[i].framework)}
            names |= {officer.profile.framework for officer in officers.values() if officer.profile}
            frameworks |= {name: await self._framework_or_problem(tenant, name) for name in names - set(frameworks)}
            batch = _Batch(submissions, outcomes, frameworks, self._frameworks, trace)
            archived = await self._archived(tenant, submissions, waiting, officers)
            changes: dict[str, Change] = {}
            most = len(submissions) if dry_run else _PER_WRITE
            for number, (key, places) in enumerate(waiting.items(), 1):
                if number % _PER_TURN == 0:
                    await asyncio.sleep(0)
                known = officers.get(key)
                statistics = await self._store.statistics(known) if known else {}
                if change := batch.change(known, places[:most], statistics, archived):
                    changes[key] = change
            done = (
                await self._store.save_many(list(changes.values()), bulk=bulk)
                if changes and not dry_run
                else set(changes)
            )
            again = set(changes) - done
            left = {key: places if key in again else places[most:] for key, places in waiting.items()}
            waiting = {key: places for key, places in left.items() if places}
            lost = lost + 1 if changes and not done else 0
            if lost == _ATTEMPTS:
                raise Unavailable("too many changes at once to these officers; try again soon")

    async def _framework_or_problem(self, tenant: str, framework: str) -> Framework | Problem:
        try:
            return await self.framework(tenant, framework)
        except InvalidInput as problem:
            return problem

    async def _archived(
        self,
        tenant: str,
        submissions: Sequence[Submission],
        waiting: Mapping[str, list[int]],
        officers: Mapping[str, Officer],
    ) -> dict[str, AcceptedEvidence]:
        ids = [
            assessment_id_of(tenant, submissions[i].officer, submissions[i].key)
            for key, officer in officers.items()
            if officer.archived
            for i in waiting[key]
        ]
        return await self._store.archived(ids)


def _assessed(  # noqa: PLR0913, PLR0917 - what a change by evidence is made from
    officer: Officer,
    before: Profile,
    evidence: Sequence[tuple[Evidence, str]],
    statistics: profiles.Statistics,
    framework: Framework | None,
    owner: str | None,
    trace: str,
) -> Change:
    """Return an officer's change by new evidence with its digests.

    `statistics`: those of the earlier evidence; `framework`, of this `owner`: the officer's own, if the evidence is
    about it.
    """
    changed = profiles.with_evidence(statistics, [one for one, _ in evidence])
    whole = statistics | changed
    after = profiles.assessed(before, whole if officer.statistics is None else changed, framework, owner)
    last, _ = evidence[-1]
    data = AssessmentCompleted(after, last.assessment_id, scoring.announced_kind(last.kind), last.taken_at)
    return Change(officer, after, new_event(SOURCE, after.key, after.sequence, data, trace), evidence, whole)


def _parts(places: dict[str, list[int]]) -> Iterator[dict[str, list[int]]]:
    """Yield parts of {officer: positions of its submissions}; all submissions of an officer are in one part."""
    part: dict[str, list[int]] = {}
    count = 0
    for key, of_officer in places.items():
        part[key] = of_officer
        count += len(of_officer)
        if count >= _PER_PART:
            yield part
            part, count = {}, 0
    if part:
        yield part


@dataclass
class _Batch:
    """Decides on the submissions of a bulk, officer by officer; no I/O."""

    submissions: Sequence[Submission]
    outcomes: list[Outcome]
    frameworks: Mapping[str, Framework | Problem]
    replica: FrameworkReplica
    trace: str

    def change(
        self,
        officer: Officer | None,
        places: Sequence[int],
        statistics: profiles.Statistics,
        archived: Mapping[str, AcceptedEvidence],
    ) -> Change | None:
        """Return an officer's change by the submissions at these positions; None if they change nothing.

        Fills in the outcomes.
        """
        if officer is None or officer.profile is None:
            for i in places:
                self.outcomes[i].problems = [NotFound("no such officer", "officer")]
            return None
        before, sequence = officer.profile, officer.sequence + 1
        accepted, now = {**archived, **officer.accepted}, datetime.now(UTC)
        taken = [self._decide(i, before, sequence, accepted, now) for i in places]
        evidence = [one for one in taken if one]
        if not evidence:
            return None
        is_own = any(one.framework == before.framework for one, _ in evidence)
        own = self.frameworks[before.framework] if is_own else None
        framework = own if isinstance(own, Framework) else None
        owner = self.replica.owner(before.tenant, before.framework)
        change = _assessed(officer, before, evidence, statistics, framework, owner, self.trace)
        try:
            change.check()
        except TooLarge as problem:
            for i in places:
                if self.outcomes[i].is_new:
                    self.outcomes[i].is_new, self.outcomes[i].problems = False, [problem]
            return None
        return change

    def _decide(
        self, i: int, before: Profile, sequence: int, accepted: dict[str, AcceptedEvidence], now: datetime
    ) -> tuple[Evidence, str] | None:
        """Return the evidence of a submission with its digest; None if it is a repetition or wrong.

        Fills in the outcome, and records new evidence in `accepted`.
        """
        one, outcome = self.submissions[i], self.outcomes[i]
        outcome.problems, outcome.is_new = [], False
        framework = self.frameworks[one.framework or before.framework]
        body = SubmitAssessment(one.framework or "", one.kind, one.results, one.taken_at)
        digest = digest_of(body)
        outcome.assessment_id = assessment_id_of(before.tenant, before.officer, one.key)
        if known := accepted.get(outcome.assessment_id):
            outcome.sequence = known.sequence
            outcome.same_origin = one.origin is not None and known.origin == one.origin
            if known.digest != digest:
                outcome.problems = [IdTaken("this key was used for another assessment", "key")]
            else:  # an earlier try of this row, without an answer
                outcome.is_new = outcome.same_origin
            return None
        if isinstance(framework, Problem):
            outcome.problems = [framework]
            return None
        outcome.problems = [*scoring.faults(body, framework, now)]
        if outcome.problems:
            return None
        accepted[outcome.assessment_id] = AcceptedEvidence(digest, sequence, one.origin)
        outcome.is_new, outcome.sequence = True, sequence
        results = scoring.with_usual_sd(one.results, one.kind, framework)
        about = framework.id, one.kind, results, one.taken_at, now, sequence, one.origin
        return Evidence(outcome.assessment_id, *about), digest
