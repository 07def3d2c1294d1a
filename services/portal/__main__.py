"""Starts the portal: `python -m services.portal`. It has no other commands."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

from services.portal import __doc__ as card
from services.portal.api import routes
from services.portal.api.documents import ApiSite
from services.portal.api.forwarding import Forwarder
from services.portal.api.live import KEYS_SECONDS, LIFETIME_SECONDS, Live
from services.portal.api.page import BUILT, Page, read_assets
from services.portal.api.session import (
    CALLBACK,
    COOKIE,
    PLAIN_COOKIE,
    SECURE_COOKIE,
    SessionLimits,
    Sessions,
    credential_of,
)
from services.portal.api.system import System
from services.portal.connections import Connections
from services.portal.consumer import PathConsumer
from services.portal.openid import ClaimNames, OpenIdClient, OpenIdProvider
from services.portal.replicas import Replicas
from shared import metrics
from shared.app import REGISTRY, authenticator_of, background, build_app, server_checks
from shared.events import PATH_HEADS, PATHS_TOPIC, planned_topics
from shared.kafka import Follower, TopicWarning, overdue
from shared.mongo import KeyStore, close, connect
from shared.process import main
from shared.settings import PortalSettings

_UPSTREAM = ClientTimeout(total=None, sock_connect=5, sock_read=120)


def provider_of(settings: PortalSettings, client: ClientSession) -> OpenIdProvider | None:
    """Return the OpenID Connect provider that the settings name, None if people sign in with keys only."""
    if not settings.openid_issuer:
        return None
    return OpenIdProvider(
        client,
        OpenIdClient(
            settings.openid_issuer,
            settings.openid_client_id,
            settings.openid_client_secret,
            settings.portal_url + CALLBACK,
            settings.openid_scopes,
        ),
    )


def claim_names_of(settings: PortalSettings) -> ClaimNames:
    """Return the names of the claims that identify a person, from the settings."""
    return ClaimNames(
        settings.openid_tenant,
        settings.openid_tenant_claim,
        settings.openid_role_claim,
        settings.openid_roles,
        settings.openid_officer_claim,
        settings.openid_agency_claim,
    )


async def build(
    settings: PortalSettings,
    lifetime: float = LIFETIME_SECONDS,
    keys_every: float = KEYS_SECONDS,
    pages: Path = BUILT,
) -> web.Application:
    """Return the portal as an application with its routes and background tasks.

    `lifetime`: the most seconds that a stream stays open. `keys_every`: the seconds between two checks of the keys of
    open streams. `pages`: the folder of the built pages.
    """
    mongodb = connect(settings, "portal")
    client = ClientSession(
        connector=TCPConnector(limit=0),
        timeout=_UPSTREAM,
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent"),
    )
    client._retry_connection = False  # noqa: SLF001 - the forwarder decides whether to repeat a request
    keys = KeyStore(mongodb, settings)
    authenticator = authenticator_of(settings, mongodb)
    connections = Connections()
    consumer = PathConsumer(connections)
    topics = planned_topics(settings.topic, PATHS_TOPIC)
    follower = Follower(
        settings,
        settings.topic(PATHS_TOPIC),
        consumer.on_paths,
        start="end",
        shapes=PATH_HEADS,
        on_replaced=consumer.on_replaced,
    )

    async def clients(_: web.Application) -> AsyncIterator[None]:
        yield
        await client.close()
        close(mongodb)

    async def follows() -> str | None:
        return follower.pending or overdue(follower, settings.stall_seconds)

    async def end_streams(_: web.Application) -> None:
        connections.drop_all("shutdown")

    owners = {
        "assessment": Replicas(settings.assessment_url),
        "catalog": Replicas(settings.catalog_url),
        "recommender": Replicas(settings.recommender_url),
    }
    live = Live(connections, client, owners["recommender"], follower.caught_up.is_set, lifetime)
    table = routes(
        Page(read_assets(pages)),
        Sessions(
            authenticator,
            keys,
            settings.api_key_pepper,
            secure=settings.cookie_secure,
            limits=SessionLimits(
                timedelta(hours=settings.sign_in_hours), timedelta(minutes=settings.sign_in_idle_minutes)
            ),
            provider=provider_of(settings, client),
            claims=claim_names_of(settings),
        ),
        live,
        System(
            client,
            {
                "assessment": settings.assessment_url,
                "catalog": settings.catalog_url,
                "recommender": settings.recommender_url,
            },
        ),
        ApiSite(client, owners),
        Forwarder(client, owners),
    )
    app = build_app(
        "Portal",
        table,
        authenticator,
        limits=settings.limits,
        description=card or "",
        checks={
            **server_checks(settings, mongodb),
            "paths": follows,
        },
        warnings={"topics": TopicWarning(settings, topics)},
        contexts=[
            clients,
            background("follower", partial(consumer.follow, follower)),
            background("keys", partial(live.end_revoked, keys, authenticator.forget, keys_every)),
        ],
        credential=credential_of,
        docs=False,
    )
    app[COOKIE] = SECURE_COOKIE if settings.cookie_secure else PLAIN_COOKIE
    app[REGISTRY].register(connections)
    metrics.watch_follower(app[REGISTRY], follower)
    app.on_shutdown.insert(0, end_streams)
    return app


if __name__ == "__main__":
    main(__doc__, build, PortalSettings)
