"""The table of the portal's routes: method, path, handler, roles, request and answers of each."""

from services.portal.api.documents import PLACE, ApiSite
from services.portal.api.forwarding import Forwarder
from services.portal.api.live import Live
from services.portal.api.page import Page
from services.portal.api.session import (
    CALLBACK,
    AskOpenId,
    AskSignOut,
    Session,
    Sessions,
    SignIn,
    Start,
)
from services.portal.api.system import System, SystemState
from shared.auth import ADMINS, EVERYONE, HOLDERS, PUBLIC, SIGNED_IN
from shared.routes import ACCEPT_LANGUAGE, AskLanguages, Header, Route

_KEY = {"key": "0123456789abcdef.secret"}
_UNBUFFERED = Header("X-Accel-Buffering", "`no`: a proxy passes each event on at once.")
_LAST_EVENT_ID = Header("Last-Event-ID", "The revision that is held already; only newer paths are sent then.")


def routes(  # noqa: PLR0913, PLR0917 - each is one part of the portal
    page: Page, sessions: Sessions, live: Live, system: System, site: ApiSite, forwarder: Forwarder
) -> list[Route]:
    """Return all routes of the portal, with the methods of these objects as handlers."""
    return [
        Route("GET", "/", page.get_page, PUBLIC, answers={200: str}, produces="text/html", in_memory=True, hidden=True),
        Route(
            "GET",
            "/static/{name}",
            page.get_asset,
            PUBLIC,
            answers={200: str},
            produces="*/*",
            in_memory=True,
            hidden=True,
        ),
        Route(
            "POST",
            "/session",
            sessions.sign_in,
            PUBLIC,
            body=SignIn,
            example=_KEY,
            answers={200: Session},
            problems=[401, 403],
        ),
        Route("GET", "/session", sessions.get_session, SIGNED_IN, answers={200: Session}),
        Route(
            "DELETE",
            "/session",
            sessions.sign_out,
            PUBLIC,
            query=AskSignOut,
            answers={204: None},
            problems=[403],
        ),
        Route("GET", "/session/start", sessions.get_start, PUBLIC, answers={200: Start}),
        Route(
            "GET",
            "/session/openid",
            sessions.go_to_provider,
            PUBLIC,
            query=AskOpenId,
            answers={303: None},
            problems=[404],
        ),
        Route("GET", CALLBACK, sessions.come_back, PUBLIC, answers={303: None}, problems=[404]),
        Route(
            "GET",
            "/v1/officers/{officer_id}/live",
            live.watch_path,
            EVERYONE,
            query=AskLanguages,
            headers=[_LAST_EVENT_ID, ACCEPT_LANGUAGE],
            answers={200: str},
            problems=[503],
            streams=True,
            produces="text/event-stream",
            sets=[_UNBUFFERED],
        ),
        Route("GET", "/v1/system", system.show_system, ADMINS, answers={200: SystemState}),
        Route("GET", PLACE, site.go_to_first, ADMINS, answers={303: None}, hidden=True),
        Route("GET", f"{PLACE}/{{service}}", site.get_page, ADMINS, produces="text/html", hidden=True),
        Route("GET", f"{PLACE}/{{service}}/openapi.json", site.get_document, ADMINS, hidden=True),
        Route("GET", f"{PLACE}/assets/{{name}}", site.get_asset, ADMINS, produces="*/*", hidden=True),
        Route("*", "/api/{path:.*}", forwarder.forward, HOLDERS, streams=True, hidden=True),
    ]
