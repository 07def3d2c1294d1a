"""Registers officers, single and in bulk."""

from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from services.assessment import profile as profiles
from services.assessment.framework_replica import FrameworkReplica
from services.assessment.intake import Intake
from services.assessment.model import OfficerPut, PutOfficer
from services.assessment.store import SOURCE, OfficerStore
from services.assessment.stored_officer import Change, Officer
from shared.domain import Framework, key_of
from shared.errors import Conflict, Erased, InvalidInput, Problem, TooLarge
from shared.events import OfficerChanged, new_event
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict


class Registrar:
    """Registers officers under frameworks. `default_framework`: the framework of registrations without one."""

    def __init__(
        self, store: OfficerStore, intake: Intake, frameworks: FrameworkReplica, default_framework: str
    ) -> None:
        self._store = store
        self._intake = intake
        self._frameworks = frameworks
        self._default = default_framework

    async def put(  # noqa: PLR0913 - by name, from one place
        self,
        tenant: str,
        officer: str,
        body: PutOfficer,
        conditions: Preconditions,
        trace: str,
        *,
        allow_again: Callable[[Officer], Awaitable[None]],
    ) -> tuple[OfficerPut, bool]:
        """Register an officer; return the answer, and whether the officer is new.

        `allow_again` is called before an erased id is registered again; it may raise Conflict. Raises
        PreconditionFailed, InvalidInput naming the field, TooLarge, Unavailable.
        """
        framework = await self._intake.framework(tenant, body.framework or self._default)
        profiles.check(body, framework)

        async def decide() -> tuple[OfficerPut, bool] | None:
            before = await self._store.find(tenant, officer)
            known = before.profile if before else None
            conditions.check(Tag(str(known.sequence)) if known else None)
            if known is None:
                profiles.check_pseudonym(officer, "officer_id")
            if before is not None and known is None:
                await allow_again(before)
            change = self._change(before, (tenant, officer), body, framework, trace)
            if change is None:
                return OfficerPut(officer, before.sequence if before else 0, changed=False), False
            if not await self._store.save(change):
                return None
            return OfficerPut(officer, change.profile.sequence, changed=True), known is None

        return await retry_on_conflict(decide, "this officer")

    async def put_many(
        self, tenant: str, rows: Sequence[tuple[str, PutOfficer, str | None]], trace: str, *, dry_run: bool = False
    ) -> list[OfficerPut | Problem]:
        """Register different officers as a bulk; return the result of each, in order. Raises Unavailable.

        A row is the officer, the registration and the row's origin. A row that was applied by an earlier attempt is not
        applied again, and its result is the same. An erased id is rejected: an admin registers it again individually.
        With `dry_run` nothing is written.
        """
        done: dict[int, OfficerPut | Problem] = {}
        frameworks: dict[str, Framework | Problem] = {}

        async def put_rest() -> list[OfficerPut | Problem] | None:
            left = [i for i in range(len(rows)) if i not in done]
            officers = await self._store.find_many([key_of(tenant, rows[i][0]) for i in left])
            changes: dict[int, Change] = {}
            for i in left:
                officer, body, _ = rows[i]
                try:
                    framework = await self._framework(tenant, body, frameworks)
                    made = self._bulk_change(officers.get(key_of(tenant, officer)), tenant, rows[i], framework, trace)
                except (Conflict, InvalidInput, TooLarge) as problem:
                    done[i] = problem
                    continue
                if isinstance(made, OfficerPut):
                    done[i] = made
                else:
                    changes[i] = made
            keys = {change.profile.key for change in changes.values()}
            if changes and not dry_run:
                keys = await self._store.save_many(list(changes.values()))
            for i, saved in changes.items():
                if saved.profile.key in keys:
                    done[i] = OfficerPut(rows[i][0], saved.profile.sequence, changed=True)
            return [done[i] for i in range(len(rows))] if len(done) == len(rows) else None

        return await retry_on_conflict(put_rest, "these officers")

    def _bulk_change(
        self,
        before: Officer | None,
        tenant: str,
        row: tuple[str, PutOfficer, str | None],
        framework: Framework,
        trace: str,
    ) -> OfficerPut | Change:
        """Return a change that can be saved, or the result of a row that changes nothing or was saved before.

        Raises Conflict, InvalidInput, TooLarge.
        """
        officer, body, origin = row
        if before and before.registration and before.registration.origin == origin:
            return OfficerPut(officer, before.registration.sequence, changed=True)
        if before is not None and before.profile is None:
            raise Erased("this id was erased; an admin registers it again by PUT", "officer")
        if before is None:
            profiles.check_pseudonym(officer, "officer")
        profiles.check(body, framework)
        change = self._change(before, (tenant, officer), body, framework, trace)
        if change is None:
            return OfficerPut(officer, before.sequence if before else 0, changed=False)
        change.check()
        return replace(change, origin=origin)

    async def _framework(self, tenant: str, body: PutOfficer, known: dict[str, Framework | Problem]) -> Framework:
        name = body.framework or self._default
        if name not in known:
            try:
                known[name] = await self._intake.framework(tenant, name)
            except InvalidInput as problem:
                known[name] = problem
        found = known[name]
        if isinstance(found, Problem):
            raise found
        return found

    def _change(
        self, before: Officer | None, place: tuple[str, str], body: PutOfficer, framework: Framework, trace: str
    ) -> Change | None:
        """Return an officer's change by a registration; None if nothing changes. Raises InvalidInput."""
        known = before.profile if before else None
        profiles.check_admitted(framework, known)
        after = profiles.registered(
            body,
            framework,
            before=known,
            tenant=place[0],
            officer=place[1],
            sequence=before.sequence if before else 0,
            owner=self._frameworks.owner(place[0], framework.id),
        )
        if after is None:
            return None
        return Change(before, after, new_event(SOURCE, after.key, after.sequence, OfficerChanged(after), trace))
