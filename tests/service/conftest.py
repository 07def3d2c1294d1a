"""What is compiled is compiled before the first test, so that no test waits for it; what several files of tests use."""

from collections.abc import AsyncIterator

import pytest

from services.catalog.match_store import MatchStore
from services.catalog.store import CatalogStore
from services.recommender.warmup import warm_up
from shared.events import CATALOG_TOPIC, PATHS_TOPIC, PROFILES_TOPIC
from shared.settings import AssessmentSettings, CatalogSettings, PortalSettings, RecommenderSettings, Settings
from tests.support.all_services import Services, everything
from tests.support.crafts import Agency, stores_of
from tests.support.portal import Owner, Portal, running_portal, staged
from tests.support.services import Started, Topic, followed

ANNOUNCES: dict[type[Settings], str] = {
    AssessmentSettings: PROFILES_TOPIC,
    CatalogSettings: CATALOG_TOPIC,
    RecommenderSettings: PATHS_TOPIC,
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile where tests are to be run; it takes long only once."""
    if session.items and not session.config.option.collectonly:
        warm_up()


@pytest.fixture(scope="module")
async def service(request: pytest.FixtureRequest, mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    """Return the running service of a module, which says in `SERVICE` what starts it."""
    async with request.module.SERVICE(mongodb_uri, kafka_bootstrap) as service:
        yield service


@pytest.fixture(scope="module")
async def announced(service: Started) -> AsyncIterator[Topic]:
    """Return all that the module's own `service` announces."""
    async with followed(service.settings, ANNOUNCES[type(service.settings)]) as topic:
        yield topic


@pytest.fixture
def agency(service: Started) -> Agency:
    """Return a new tenant of the module's own `service`, which is a catalog."""
    return Agency(service)


@pytest.fixture
async def stores(mongodb_uri: str) -> AsyncIterator[tuple[CatalogStore, MatchStore]]:
    async with stores_of(mongodb_uri) as stores:
        yield stores


@pytest.fixture(scope="module")
async def stage(kafka_bootstrap: str, mongodb_uri: str) -> AsyncIterator[tuple[PortalSettings, Owner]]:
    async with staged(kafka_bootstrap, mongodb_uri) as stage:
        yield stage


@pytest.fixture(scope="module")
async def portal(stage: tuple[PortalSettings, Owner]) -> AsyncIterator[Portal]:
    async with running_portal(*stage) as portal:
        yield portal


@pytest.fixture(scope="module")
async def services(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Services]:
    async with everything(mongodb_uri, kafka_bootstrap) as services:
        yield services
