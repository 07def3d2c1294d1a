"""Stores the statements of a request, all or none and each once, and submits the evidence that they give."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from services.assessment.intake import Intake, Outcome, Submission
from services.assessment.store import OfficerStore
from services.assessment.xapi.mapping import ActivityRules, PutXapiMapping
from services.assessment.xapi.statements import ReceivedStatement, read_statement
from services.assessment.xapi.store import KeptStatement, StatementStore
from shared.domain import key_of
from shared.errors import Conflict, IdTaken, Malformed, NotFound

_AT_ONCE = 500
_BULK = 20
"""A request with more statements is a bulk, over which single changes have priority."""


class StatementReceiver:
    """Takes xAPI statements: checks them, submits those that a mapping covers as evidence, and stores all of them."""

    def __init__(self, statements: StatementStore, officers: OfficerStore, intake: Intake) -> None:
        self._statements = statements
        self._officers = officers
        self._intake = intake

    async def take(self, tenant: str, given: Sequence[object], trace: str, *, several: bool) -> list[str]:
        """Store statements and return their ids in order; a statement that is stored already changes nothing.

        `several`: the request holds a list, so faults name a position. Raises Malformed for an invalid statement,
        Forbidden for a voiding one, Conflict for another statement with the same id; then nothing is stored. Raises
        Unavailable; then the same statements may be sent again.
        """
        now = datetime.now(UTC)
        received: list[ReceivedStatement] = []
        for i, one in enumerate(given):
            received.append(read_statement(one, f"[{i}]" if several else "", now))
            if i % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        places: dict[str, str] = {}
        for i, one in enumerate(received):
            if one.id in places:
                raise Malformed(
                    f"is the same as {places[one.id]}id; equal statements without ids have the same", f"[{i}].id"
                )
            places[one.id] = f"[{i}]." if several else ""
        mapping = await self._statements.mapping(tenant)
        rules = ActivityRules(mapping.rules if mapping else [])
        batches = [received[at : at + _AT_ONCE] for at in range(0, len(received), _AT_ONCE)]
        stored: dict[str, tuple[str, str]] = {}
        frameworks: dict[str, str] = {}
        for batch in batches:
            frameworks |= await self._officers.frameworks({key_of(tenant, one.officer) for one in batch})
            stored |= await self._checked(tenant, batch, places, mapping, frameworks)
        new = [one for one in received if one.id not in stored or _may_become_evidence(one, stored[one.id], mapping)]
        for at in range(0, len(new), _AT_ONCE):
            batch = new[at : at + _AT_ONCE]
            mapped = {one.id: rules.submissions(one, frameworks[key_of(tenant, one.officer)]) for one in batch}
            await self._keep(tenant, batch, mapped, stored, trace, bulk=len(received) > _BULK)
        return [one.id for one in received]

    async def _checked(
        self,
        tenant: str,
        batch: Sequence[ReceivedStatement],
        places: Mapping[str, str],
        mapping: PutXapiMapping | None,
        frameworks: Mapping[str, str],
    ) -> dict[str, tuple[str, str]]:
        """Return {id: (digest, status)} of stored statements. Raises Conflict, Malformed naming the field.

        `frameworks`: {key: framework} of the officers that are registered. A stored statement is not checked against
        the mapping, which may have changed since.
        """
        stored = await self._statements.digests(tenant, [one.id for one in batch])
        for one in batch:
            if one.id in stored and one.digest != stored[one.id][0]:
                raise IdTaken(f"another statement has the id {one.id}", f"{places[one.id]}id")
            if one.id not in stored and (mapping is None or one.home_page != mapping.home_page):
                message = f"is not {mapping.home_page!r}, as mapped" if mapping else "no mapping names it yet"
                raise Malformed(message, f"{places[one.id]}actor.account.homePage")
            if key_of(tenant, one.officer) not in frameworks:
                raise Malformed(f"no officer {one.officer!r}", f"{places[one.id]}actor.account.name")
        return stored

    async def _keep(  # noqa: PLR0913 - what a batch of statements needs
        self,
        tenant: str,
        batch: Sequence[ReceivedStatement],
        mapped: Mapping[str, list[Submission] | str],
        stored: Mapping[str, tuple[str, str]],
        trace: str,
        *,
        bulk: bool,
    ) -> None:
        refused = await self._refused(tenant, batch, mapped, trace)
        wanted = [one for found in mapped.values() if not isinstance(found, str) for one in found]
        submissions = [one for one in wanted if one.key not in refused]
        outcomes = await self._intake.submit_many(tenant, submissions, trace, bulk=bulk)
        by_key = refused | dict(zip([one.key for one in submissions], outcomes, strict=True))
        kept = []
        for one in batch:
            reason = _reason(mapped[one.id], by_key, is_stored=one.id in stored)
            status = "unmapped" if reason else "mapped"
            officer_key = key_of(tenant, one.officer)
            kept.append(KeptStatement(one, officer_key, status, datetime.now(UTC), reason))  # type: ignore[arg-type]
        again = {one.id: None for one in batch if one.id in stored}
        if await self._statements.keep(tenant, kept, again) < len(kept):
            present = await self._statements.digests(tenant, [one.id for one in batch])
            for one in batch:
                if one.id in present and one.digest != present[one.id][0]:
                    raise IdTaken(f"another statement has the id {one.id}", "id")
        await self._drop_of_erased({one.officer_key for one in kept})

    async def _drop_of_erased(self, officer_keys: set[str]) -> None:
        """Delete the statements about officers who were erased meanwhile, maybe after theirs were deleted.

        Raises Malformed if there are any.
        """
        gone = officer_keys - set(await self._officers.frameworks(officer_keys))
        for officer_key in gone:
            await self._statements.erase(officer_key)
        if gone:
            raise Malformed("the officer is not there any more", "actor.account.name")

    async def _refused(
        self,
        tenant: str,
        batch: Sequence[ReceivedStatement],
        mapped: Mapping[str, list[Submission] | str],
        trace: str,
    ) -> dict[str, Outcome]:
        """Return {key: outcome} of the submissions that must not be made.

        A statement is evidence as a whole or not at all: if one of its submissions would be rejected, none is made.
        """
        several = [found for one in batch if not isinstance(found := mapped[one.id], str) and len(found) > 1]
        tried = [submission for found in several for submission in found]
        outcomes = await self._intake.submit_many(tenant, tried, trace, dry_run=True) if tried else []
        by_key = dict(zip([one.key for one in tried], outcomes, strict=True))
        refused: dict[str, Outcome] = {}
        for found in several:
            own = {submission.key: by_key[submission.key] for submission in found}
            if any(outcome.problems for outcome in own.values()):
                refused |= own
        return refused


def _may_become_evidence(one: ReceivedStatement, stored: tuple[str, str], mapping: PutXapiMapping | None) -> bool:
    """Whether a stored statement is mapped again."""
    _, status = stored
    return status == "unmapped" and mapping is not None and mapping.home_page == one.home_page


def _reason(mapped: list[Submission] | str, outcomes: Mapping[str, Outcome], *, is_stored: bool) -> str:
    """Return why a statement is no evidence; empty if it is. Raises Conflict for evidence of another statement.

    Evidence of the same statement under an older mapping stays as it is.
    """
    if isinstance(mapped, str):
        return mapped
    found = [outcomes[one.key] for one in mapped]
    if any(one.same_origin or (is_stored and _conflicts(one)) for one in found):
        return ""
    for problem in (problem for one in found for problem in one.problems):
        if isinstance(problem, Conflict):
            raise IdTaken("evidence of another content was taken under this id", "id")
        if isinstance(problem, NotFound):
            raise Malformed("the officer is not there any more", "actor.account.name")
        return f"{problem.field}: {problem.detail}" if problem.field else problem.detail
    return ""


def _conflicts(outcome: Outcome) -> bool:
    return any(isinstance(problem, Conflict) for problem in outcome.problems)
