"""The OpenAPI documents: what a generator of clients makes of them fits what the services take and send."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import jsonschema
import msgspec
import pytest

from services.assessment.api import ROUTES as ASSESSMENT
from services.assessment.model import PutOfficer
from services.catalog.api import ROUTES as CATALOG
from services.portal.api import routes as portal_routes
from services.recommender.api import ROUTES as RECOMMENDER
from services.recommender.api.recommendations import RecommendationRequest
from shared.decoding import decode
from shared.openapi import document
from shared.routes import MergePatch, Route
from shared.skills import Framework

TABLES = {
    "assessment": ASSESSMENT,
    "catalog": CATALOG,
    "recommender": RECOMMENDER,
    "portal": portal_routes(Mock(), Mock(), Mock(), Mock()),
}
SERVICES = pytest.mark.parametrize("service", TABLES)
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def described(service: str) -> dict[str, Any]:
    return document(service, service, TABLES[service])


def operations(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described(service)["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def validator(service: str, shape: str) -> jsonschema.Draft202012Validator:
    schemas = described(service)["components"]["schemas"]
    text = msgspec.json.encode({"$ref": f"#/$defs/{shape}", "$defs": schemas})
    return jsonschema.Draft202012Validator(msgspec.json.decode(text.replace(b"#/components/schemas/", b"#/$defs/")))


@SERVICES
def test_no_property_has_a_default_that_a_generator_takes_for_a_promise(service: str) -> None:
    """A generator makes a property with a default one that is always there: a request could not leave it out."""
    for name, schema in described(service)["components"]["schemas"].items():
        for one in schema.get("properties", {}).values():
            assert "default" not in one, name


@SERVICES
def test_what_may_be_left_out_of_a_request_is_not_required_and_what_is_always_sent_is(service: str) -> None:
    schemas = described(service)["components"]["schemas"]
    problem = schemas["ProblemDetails"]
    assert set(problem["required"]) == set(problem["properties"]) - {"field"}
    if service == "assessment":
        assert schemas["PutOfficer"]["required"] == ["job_group", "agency"]
        assert set(schemas["OfficerPut"]["required"]) == {"officer", "profile_sequence", "changed"}
        assert set(schemas["EvidenceList"]["required"]) == {"assessments", "next"}
    if service == "catalog":
        assert set(schemas["CoursePut"]["required"]) == {"id", "revision", "changed", "warnings"}
        assert "requires" not in schemas["Course"]["required"]
    if service == "recommender":
        assert not schemas["RecommendationRequest"].get("required")
        assert set(schemas["FeedbackHeld"]["required"]) == {"officer", "feedback_sequence", "said", "next"}


@SERVICES
def test_everything_is_described_and_every_body_has_an_example_that_is_taken(service: str) -> None:
    for name, schema in described(service)["components"]["schemas"].items():
        assert schema.get("description"), name
    for name, operation in operations(service):
        assert operation["summary"], name
        for parameter in operation["parameters"]:
            assert parameter["description"], (name, parameter["name"])
            assert {"type": "null"} not in parameter["schema"].get("anyOf", []), (name, parameter["name"])
            if "example" in parameter:
                jsonschema.validate(parameter["example"], parameter["schema"])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["example"], name


def routes_with_a_body() -> list[Route]:
    return [route for table in TABLES.values() for route in table if route.body is not None]


@pytest.mark.parametrize("route", routes_with_a_body(), ids=lambda route: f"{route.method} {route.path}")
def test_an_example_is_what_the_route_takes(route: Route) -> None:
    found = decode(msgspec.json.encode(route.example), route.body)
    if isinstance(found, Framework):
        found.check()
    assert (route.body is MergePatch) == route.accepts.startswith("application/merge-patch")


@SERVICES
def test_every_example_fits_its_own_schema(service: str) -> None:
    for name, operation in operations(service):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if shape := content["schema"].get("$ref", "").rpartition("/")[2]:
                found = [error.message for error in validator(service, shape).iter_errors(content["example"])]
                assert not found, name


def test_the_bodies_of_the_readme_fit_the_schemas() -> None:
    bodies = [msgspec.json.decode(text) for text in re.findall(r"-d '(\{.*?\})'", README, re.DOTALL)]
    assert len(bodies) >= 4
    for body in bodies:
        service, shape = "assessment", "SubmitAssessment"
        if "job_group" in body:
            shape = PutOfficer.__name__
        elif "target" in body:
            service, shape = "recommender", RecommendationRequest.__name__
        found = [error.message for error in validator(service, shape).iter_errors(body)]
        assert not found, body
        assert list(validator(service, shape).iter_errors(body | {"unknown": 1})), "an unknown field is refused"
