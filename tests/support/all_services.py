"""All four services in one namespace, as they are wired in production."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec

from services.assessment.__main__ import build as build_assessment
from services.catalog.__main__ import build as build_catalog
from services.portal.__main__ import build as build_portal
from services.recommender.__main__ import build as build_recommender
from shared.settings import AssessmentSettings, CatalogSettings, PortalSettings, RecommenderSettings
from tests.support.builders import FRAMEWORK, framework
from tests.support.services import Started, settings_of, started
from tests.support.waiting import until

HERE = "somebody"  # the officer, the course and the framework that the tenant `agency` has
COURSE = {
    "id": HERE,
    "title": {"en": "A course"},
    "provider": {"en": "Provider"},
    "hours": 3,
    "languages": ["th"],
    "teaches": [{"framework": FRAMEWORK, "skill": "reading", "from": 0, "to": 3}],
}

Services = dict[str, Started]


@asynccontextmanager
async def everything(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Services]:
    """Start all four services, with one officer who has a path, one course and one framework."""
    whole = msgspec.to_builtins(framework({"reading": 3}))
    async with AsyncExitStack() as stack:
        settings = settings_of(CatalogSettings, mongodb_uri, kafka_bootstrap)
        more = {"NAMESPACE": settings.namespace, "DEFAULT_FRAMEWORK": FRAMEWORK}
        found = {"catalog": await stack.enter_async_context(started(build_catalog, settings))}
        catalog = found["catalog"]
        await catalog.ask("PUT", f"/v1/frameworks/{FRAMEWORK}", "admin", tenant="shared", json=whole)
        await catalog.ask("PUT", f"/v1/frameworks/{HERE}", "admin", json=whole | {"id": HERE})
        await catalog.ask("PUT", f"/v1/courses/{HERE}", "admin", json=COURSE)
        for name, build, shape in (
            ("assessment", build_assessment, AssessmentSettings),
            ("recommender", build_recommender, RecommenderSettings),
            ("portal", build_portal, PortalSettings),
        ):
            urls = {f"{one.upper()}_URL": str(service.client.make_url("")) for one, service in found.items()}
            known = urls if name == "portal" else {}
            settings_here: Any = settings_of(shape, mongodb_uri, kafka_bootstrap, **more, **known)
            found[name] = await stack.enter_async_context(started(build, settings_here))
        body = {"job_group": "service", "agency": "north"}
        await until(lambda: _good(found["assessment"], "PUT", f"/v1/officers/{HERE}", json=body))
        await until(lambda: _good(found["recommender"], "GET", f"/v1/officers/{HERE}/path"))
        yield found


async def _good(service: Started, method: str, path: str, **options: Any) -> bool:
    return (await service.ask(method, path, **options)).status < 300
