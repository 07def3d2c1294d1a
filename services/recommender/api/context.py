"""The shared objects of the application, and functions that several routes use on a request."""

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from aiohttp import web

from services.recommender.catalog_replica import CatalogReplica
from services.recommender.feedback_handler import FeedbackHandler
from services.recommender.plan_pool import PlanPool
from services.recommender.planner.index.catalog import View
from services.recommender.store.documents import PathVersion, StoredPlan
from services.recommender.store.plans import PlanStore
from shared.auth import authorize
from shared.domain import Framework
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.mongo import KeyStore
from shared.routes import ROUTE, principal
from shared.templates import Language
from shared.work_queue import Caller, WorkQueue

STORE: web.AppKey[PlanStore] = web.AppKey("store", PlanStore)
CATALOG: web.AppKey[CatalogReplica] = web.AppKey("catalog", CatalogReplica)
FEEDBACK_HANDLER: web.AppKey[FeedbackHandler] = web.AppKey("feedback_handler", FeedbackHandler)
PLAN_POOL: web.AppKey[PlanPool] = web.AppKey("plan_pool", PlanPool)
WORK_QUEUE: web.AppKey[WorkQueue] = web.AppKey("work_queue", WorkQueue)
TODAY: web.AppKey[Callable[[], date]] = web.AppKey("today")
RULES_CHANGED: web.AppKey[Callable[[], None]] = web.AppKey("rules_changed")
MIN_GROUP: web.AppKey[int] = web.AppKey("min_group", int)
TOKEN_KEY: web.AppKey[bytes] = web.AppKey("token_key", bytes)
"""The key of the hashes that replace officers' ids in the published figures of agencies."""
VIEWERS: web.AppKey[KeyStore] = web.AppKey("viewers", KeyStore)
"""The keys of viewers, by which officers share their paths."""
FIRST_GROUPS: web.AppKey[str] = web.AppKey("first_groups", str)


class KeptPath(NamedTuple):
    """A rendered path: the version that is stored, the catalog revision, and the JSON without the closing brace."""

    version: PathVersion
    catalog_revision: int
    body: bytes


RENDERED: web.AppKey[dict[tuple[str, tuple[Language, ...]], KeptPath]] = web.AppKey("rendered", dict)
"""A cache of rendered paths, by the officer's key and the languages."""


def caller_of(request: web.Request) -> Caller:
    """Return the caller of a request as the work queue counts it: the key, and how much work its role may queue."""
    caller = principal(request)
    return Caller.of(caller.key_id, caller.role)


def view_of(request: web.Request) -> View:
    """Return the catalog as the caller's tenant sees it. Raises Unavailable until it is loaded."""
    if not request.app[CATALOG].has_framework:
        raise Unavailable("the catalog is not here yet; try again soon")
    return request.app[CATALOG].snapshot.view(principal(request).tenant)


def framework_of(view: View, framework_id: str) -> Framework:
    """Return a framework that the caller sees. Raises InvalidInput if there is none with this id."""
    if framework := view.framework(framework_id):
        return framework
    raise InvalidInput(f"unknown framework {framework_id!r}", "framework")


async def stored_plan(request: web.Request, officer: str) -> StoredPlan:
    """Return an officer's stored plan.

    Raises NotFound if there is none, or if the caller's key is for another officer; Unavailable.
    """
    caller = principal(request)
    policy = request[ROUTE].policy
    if policy is not None:
        authorize(caller, policy, officer)
    found = await request.app[STORE].find(caller.tenant, officer)
    if found is None:
        raise NotFound("there is no path for this officer yet")
    return found
