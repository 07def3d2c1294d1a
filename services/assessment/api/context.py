"""The objects that the routes use, and functions that read the officer of a request."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from services.assessment.framework_replica import FrameworkReplica
from services.assessment.intake import Intake
from services.assessment.item_bank.store import ItemBankStore
from services.assessment.registration import Registrar
from services.assessment.sessions.runner import SessionRunner
from services.assessment.sessions.store import SessionStore
from services.assessment.store import OfficerStore
from services.assessment.stored_officer import Officer
from services.assessment.xapi.receiver import StatementReceiver
from services.assessment.xapi.store import StatementStore
from shared.auth import check_agency
from shared.domain import Profile
from shared.errors import NotFound
from shared.mongo import KeyStore
from shared.preconditions import Tag
from shared.routes import principal
from shared.settings import AssessmentSettings


@dataclass(frozen=True, slots=True)
class RouteContext:
    """The objects that the routes use. `bank_files`: a request holds it while it reads or writes a file of items."""

    settings: AssessmentSettings
    store: OfficerStore
    index: FrameworkReplica
    intake: Intake
    keys: KeyStore
    registrar: Registrar
    sessions: SessionStore
    runner: SessionRunner
    banks: ItemBankStore
    bank_files: asyncio.Semaphore
    statements: StatementStore
    receiver: StatementReceiver


CONTEXT: web.AppKey[RouteContext] = web.AppKey("context", RouteContext)


def context_of(request: web.Request) -> RouteContext:
    """Return the objects that the routes use."""
    return request.app[CONTEXT]


def subject_of(request: web.Request) -> tuple[str, str]:
    """Return the caller's tenant and the id of the officer in the request's path."""
    return principal(request).tenant, request.match_info["officer_id"]


async def known_officer(request: web.Request) -> tuple[Officer, Profile]:
    """Return the stored officer whom the request's path names, and the officer's profile.

    Raises NotFound if there is none, or if the caller is a supervisor of another agency; Unavailable.
    """
    officer = await context_of(request).store.find(*subject_of(request))
    if officer is None or officer.profile is None:
        raise NotFound("no such officer")
    check_agency(principal(request), officer.profile.agency)
    return officer, officer.profile


def tag_of(profile: Profile) -> Tag:
    """Return the entity tag of a profile, which is its sequence."""
    return Tag(str(profile.sequence))
