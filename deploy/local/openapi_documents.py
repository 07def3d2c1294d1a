"""Writes every service's OpenAPI document into a folder: `python -m deploy.local.openapi_documents FOLDER`."""

import sys
from pathlib import Path
from typing import cast

import msgspec

from services.assessment.api import ROUTES as ASSESSMENT
from services.catalog.api import ROUTES as CATALOG
from services.portal.api import routes as portal_routes
from services.portal.api.documents import ApiSite
from services.portal.api.forwarding import Forwarder
from services.portal.api.live import Live
from services.portal.api.page import Page
from services.portal.api.session import Sessions
from services.portal.api.system import System
from services.recommender.api import ROUTES as RECOMMENDER
from shared.openapi import document
from shared.routes import Route


def tables() -> dict[str, list[Route]]:
    """Return {service: its routes}. The portal's handlers are not bound to objects: only their docstrings are used."""
    return {
        "assessment": ASSESSMENT,
        "catalog": CATALOG,
        "recommender": RECOMMENDER,
        "portal": portal_routes(
            cast("Page", Page),
            cast("Sessions", Sessions),
            cast("Live", Live),
            cast("System", System),
            cast("ApiSite", ApiSite),
            cast("Forwarder", Forwarder),
        ),
    }


def write_documents(folder: Path) -> None:
    """Write the OpenAPI document of each service as a JSON file; a file with the same content stays untouched."""
    for service, table in tables().items():
        path, text = folder / f"{service}.json", msgspec.json.encode(document(service, service, table))
        if not path.exists() or path.read_bytes() != text:
            path.write_bytes(text)


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]))
