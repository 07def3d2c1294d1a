"""The objects that the routes share, and functions that several routes use on a request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from aiohttp import web

from services.recommender.catalog_replica import CatalogReplica
from services.recommender.feedback_handler import FeedbackHandler
from services.recommender.planner.index.catalog import View
from services.recommender.planning import Planner
from services.recommender.store.documents import PathVersion, StoredPlan
from services.recommender.store.plans import PlanStore
from shared.auth import authorize
from shared.domain import Framework
from shared.errors import MissingPath, Unavailable, UnknownName
from shared.mongo import KeyStore
from shared.routes import ROUTE, principal
from shared.settings import RecommenderSettings
from shared.templates import Language
from shared.work_queue import Caller, WorkQueue


class KeptPath(NamedTuple):
    """A rendered path: the version that is stored, the catalog revision, and the JSON without the closing brace."""

    version: PathVersion
    catalog_revision: int
    body: bytes


@dataclass(frozen=True, slots=True)
class RouteContext:
    """The objects that the routes use.

    `viewers`: the keys of viewers, by which officers share their paths. `rules_changed`: is called once a tenant's
    rules have changed. `publishing`: held by a request that computes the figures of an agency again, because those of
    another agency were published meanwhile. `rendered`: a cache of rendered paths, by the officer's key and the
    languages.
    """

    settings: RecommenderSettings
    store: PlanStore
    catalog: CatalogReplica
    planner: Planner
    work_queue: WorkQueue
    feedback_handler: FeedbackHandler
    viewers: KeyStore
    rules_changed: Callable[[], None]
    publishing: asyncio.Lock = field(default_factory=asyncio.Lock)
    rendered: dict[tuple[str, tuple[Language, ...]], KeptPath] = field(default_factory=dict)


CONTEXT: web.AppKey[RouteContext] = web.AppKey("context", RouteContext)


def context_of(request: web.Request) -> RouteContext:
    """Return the objects that the routes use."""
    return request.app[CONTEXT]


def caller_of(request: web.Request) -> Caller:
    """Return the caller of a request as the work queue counts it: the key, and how much work its role may queue."""
    caller = principal(request)
    return Caller.of(caller.key_id, caller.role)


def view_of(request: web.Request) -> View:
    """Return the catalog as the caller's tenant sees it. Raises Unavailable until it is loaded."""
    catalog = context_of(request).catalog
    if not catalog.has_framework:
        raise Unavailable("the catalog is not here yet; try again soon")
    return catalog.snapshot.view(principal(request).tenant)


def framework_of(view: View, framework_id: str) -> Framework:
    """Return a framework that the caller sees. Raises InvalidInput if there is none with this id."""
    if framework := view.framework(framework_id):
        return framework
    raise UnknownName(f"unknown framework {framework_id!r}", "framework")


async def stored_plan(request: web.Request, officer: str) -> StoredPlan:
    """Return an officer's stored plan.

    Raises NotFound if there is none, or if the caller's key is for another officer; Unavailable.
    """
    caller = principal(request)
    policy = request[ROUTE].policy
    if policy is not None:
        authorize(caller, policy, officer)
    found = await context_of(request).store.find(caller.tenant, officer)
    if found is None:
        raise MissingPath("there is no path for this officer yet")
    return found
