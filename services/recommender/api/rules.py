"""A tenant's rules for the paths of all its officers."""

from collections.abc import Callable
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import replace

from services.recommender.api.context import caller_of, context_of
from services.recommender.api.unmatched_rules import unmatched
from services.recommender.rules import Rule, TenantRules, check_tenant_rules
from shared.domain import Identifier
from shared.errors import Warned
from shared.merge_patch import patched
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import ROUTE, json_response, not_modified, preconditions, principal, read_body, read_patch


class PutRules(Struct, frozen=True, forbid_unknown_fields=True):
    """All rules of a tenant; they replace the earlier ones.

    A rule's `bias`: -1 only these, 0 none of these, above 1 preferred (their cost is divided by it). `mandatory`
    courses are in every path, beyond the budget if needed. `least_confidence`: skills that are matched by a course's
    description and not confirmed are ignored below this confidence; with 1 all of them are. Null: the confidence at
    which four of five matches were right.
    """

    rules: Annotated[list[Rule], Meta(max_length=100)] = []
    mandatory: Annotated[list[Identifier], Meta(max_length=50)] = []
    least_confidence: Annotated[float, Meta(ge=0, le=1)] | None = None


class RulesPut(Struct, frozen=True, omit_defaults=True):
    """The version of the rules that is stored now; all paths follow it within a minute.

    `changed`: whether this request stored it. `warnings` name values that match no visible course, and the
    frameworks for which the rules exclude every course.
    """

    version: int
    changed: bool
    warnings: list[Warned] = []


class Rules(Struct, frozen=True, omit_defaults=True):
    """The rules of a tenant; version 0 if none were ever set."""

    version: int
    rules: list[Rule]
    mandatory: list[str]
    least_confidence: float | None = None


async def put_rules(request: web.Request) -> web.StreamResponse:
    """Replace the rules of the caller's tenant; every path of its officers is updated.

    For admins. A value that no visible course has (an unknown provider, for example) is stored and answered as a
    warning. Every version is kept, so a path of any version can be recomputed.
    """
    conditions = preconditions(request)
    body = await read_body(request, PutRules)
    return await _store(request, conditions, lambda _: body)


async def patch_rules(request: web.Request) -> web.StreamResponse:
    """Change the rules of the caller's tenant by a JSON merge patch; fields that the patch leaves out stay.

    For admins. A list is replaced as a whole. Every path of the tenant's officers is updated.
    """
    conditions, patch = preconditions(request), await read_patch(request)
    limit = request[ROUTE].limit
    return await _store(request, conditions, lambda now: patched(_put_of(now), patch, limit))


def _put_of(rules: TenantRules) -> PutRules:
    return PutRules(rules.rules, rules.mandatory, rules.least_confidence)


async def _store(
    request: web.Request, conditions: Preconditions, change: Callable[[TenantRules], PutRules]
) -> web.StreamResponse:
    """Store the rules that `change` returns for the current ones; after a write conflict, read and decide again."""
    caller, context = principal(request), context_of(request)
    store, view = context.store.rules, context.catalog.snapshot.view(caller.tenant)

    async def decide() -> web.StreamResponse | None:
        present = await store.of(caller.tenant)
        conditions.check(Tag(str(present.version)))
        body = change(present)
        wanted = TenantRules(0, body.rules, body.mandatory, body.least_confidence)
        check_tenant_rules(wanted)
        warnings = await context.work_queue.run(
            caller_of(request), unmatched, body.rules, body.mandatory, view, view.frameworks.values()
        )
        if replace(present, version=0) == wanted:
            put = RulesPut(present.version, changed=False, warnings=warnings)
            return json_response(put, tag=Tag(str(present.version)))
        after = replace(wanted, version=present.version + 1)
        if await store.put(caller.tenant, after, caller.key_id):
            context.rules_changed()
            return json_response(RulesPut(after.version, changed=True, warnings=warnings), tag=Tag(str(after.version)))
        return None

    return await retry_on_conflict(decide, "the rules")


async def get_rules(request: web.Request) -> web.StreamResponse:
    """Return the rules of the caller's tenant.

    For admins and platforms. Version 0 without rules if none were ever set.
    """
    found = await context_of(request).store.rules.of(principal(request).tenant)
    tag = Tag(str(found.version))
    return not_modified(request, tag) or json_response(
        Rules(found.version, found.rules, found.mandatory, found.least_confidence), tag=tag
    )
