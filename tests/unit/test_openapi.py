"""The OpenAPI documents: what a generator of clients makes of them fits what the services take and send."""

import functools
import importlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import jsonschema
import msgspec
import pytest

from services.assessment.api import ROUTES as ASSESSMENT
from services.catalog.api import ROUTES as CATALOG
from services.portal.api import routes as portal_routes
from services.recommender.api import ROUTES as RECOMMENDER
from shared.decoding import decode
from shared.domain import Framework
from shared.openapi import document
from shared.routes import MergePatch, Route

TABLES = {
    "assessment": ASSESSMENT,
    "catalog": CATALOG,
    "recommender": RECOMMENDER,
    "portal": portal_routes(*(Mock() for _ in range(6))),
}
SERVICES = pytest.mark.parametrize("service", TABLES)
ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@functools.cache
def described(service: str) -> dict[str, Any]:
    return document(service, service, TABLES[service])


def operations(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described(service)["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


@functools.cache
def validator(service: str, shape: str) -> jsonschema.Draft202012Validator:
    schemas = described(service)["components"]["schemas"]
    text = msgspec.json.encode({"$ref": f"#/$defs/{shape}", "$defs": schemas})
    return jsonschema.Draft202012Validator(msgspec.json.decode(text.replace(b"#/components/schemas/", b"#/$defs/")))


@SERVICES
def test_no_property_has_a_default_in_the_schema(service: str) -> None:
    """A generator makes a property with a default one that is always there: a request could not leave it out."""
    for name, schema in described(service)["components"]["schemas"].items():
        for one in schema.get("properties", {}).values():
            assert "default" not in one, name


@SERVICES
def test_a_service_is_described_by_a_list_and_without_its_modules(service: str) -> None:
    card = importlib.import_module(f"services.{service}").__doc__ or ""
    about = document(service, card, [])["info"]["description"]
    first, *rows = about.splitlines()
    assert first == card.splitlines()[0]
    assert rows[0] == ""
    assert [row for row in rows[1:] if not re.match(r"- \*\*(owns|reads|emits|serves|calls)\*\*: \S", row)] == []
    assert "__main__" not in about


@SERVICES
def test_no_schema_is_a_truth_value(service: str) -> None:
    """JSON Schema permits `items: false`; generators of clients in use refuse the whole document for it."""

    def check(schema: Any) -> None:
        assert isinstance(schema, dict), schema
        for inner in [*schema.get("properties", {}).values(), *schema.get("anyOf", []), *schema.get("prefixItems", [])]:
            check(inner)
        for name in ("items", "additionalProperties"):
            if name in schema and (name, schema[name]) != ("additionalProperties", False):
                check(schema[name])

    for schema in described(service)["components"]["schemas"].values():
        check(schema)


@SERVICES
def test_optional_request_fields_are_not_required_and_constant_answer_fields_are(service: str) -> None:
    schemas = described(service)["components"]["schemas"]
    problem = schemas["ProblemDetails"]
    assert set(problem["required"]) == set(problem["properties"]) - {"field", "texts"}
    if service == "assessment":
        assert schemas["PutOfficer"]["required"] == ["job_group", "agency"]
        assert set(schemas["OfficerPut"]["required"]) == {"officer", "profile_sequence", "changed"}
        assert set(schemas["EvidenceList"]["required"]) == {"assessments", "next"}
    if service == "catalog":
        assert set(schemas["CoursePut"]["required"]) == {"id", "revision", "changed", "warnings"}
        assert "requires" not in schemas["Course"]["required"]
    if service == "recommender":
        assert not schemas["RecommendationRequest"].get("required")
        assert set(schemas["FeedbackPage"]["required"]) == {"officer", "feedback_sequence", "statements", "next"}


@SERVICES
def test_everything_is_described_and_every_body_has_a_valid_example(service: str) -> None:
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
def test_examples_match_the_bodies_of_their_routes(route: Route) -> None:
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


SERVICE_OF = {"A": "assessment", "C": "catalog", "CATALOG": "catalog", "R": "recommender", "P": "portal"}
"""The variables of the documents that hold the services' addresses."""


def documented_bodies() -> list[tuple[str, str, dict[str, Any]]]:
    """Return service, shape and content of each body that a command in the documents sends, if the body has a shape."""
    found = []
    for path in DOCUMENTS:
        for command in path.read_text(encoding="utf-8").split("curl ")[1:]:
            body = re.search(r"-d '(\{.*?\})'", command.partition("```")[0], re.DOTALL)
            if body is not None:
                request = re.search(r"-X (\w+) \"?\$(\w+)(/[^\s\"]+)", command)
                assert request is not None, command
                service = SERVICE_OF[request[2]]
                shape = next(route.body for route in TABLES[service] if _takes(route, request[1], request[3]))
                if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
                    found.append((service, shape.__name__, msgspec.json.decode(body[1])))
    assert {path.name for path in DOCUMENTS} >= {"README.md", "assessment.md", "matching.md"}
    assert len(found) >= 8
    return found


def _takes(route: Route, method: str, path: str) -> bool:
    """Return whether a route serves a method and a path."""
    return route.method == method and re.fullmatch(re.sub(r"{[^}]*}", "[^/]+", route.path), path) is not None


def examples() -> list[tuple[str, str, dict[str, Any]]]:
    """Return service, shape and content of each example of a body that has a shape."""
    return [
        (service, route.body.__name__, route.example)
        for service, table in TABLES.items()
        for route in table
        if isinstance(route.example, dict) and route.body is not MergePatch
    ]


def test_the_bodies_of_the_documents_fit_the_schemas() -> None:
    for service, shape, body in documented_bodies():
        found = [error.message for error in validator(service, shape).iter_errors(body)]
        assert not found, body
        assert list(validator(service, shape).iter_errors(body | {"unknown": 1})), "an unknown field is refused"


GENERATE = """
import sys
from datamodel_code_generator.__main__ import main
options = ["--input-file-type", "openapi", "--output-model-type", "pydantic_v2.BaseModel", "--formatters", "builtin"]
for service in sys.argv[1:]:
    if failed := main(["--input", f"{service}.json", "--output", f"{service}_client.py", *options]):
        sys.exit(failed)
"""


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return, by service, the module of models that a generator of Python clients makes of its document."""
    found: dict[str, Any] = {}
    folder = tmp_path_factory.mktemp("clients")
    for service in TABLES:
        (folder / f"{service}.json").write_bytes(msgspec.json.encode(described(service)))
    subprocess.run([sys.executable, "-c", GENERATE, *TABLES], check=True, capture_output=True, cwd=folder)
    for service in TABLES:
        made = folder / f"{service}_client.py"
        spec = importlib.util.spec_from_file_location(made.stem, made)
        assert spec is not None
        assert spec.loader is not None
        found[service] = importlib.util.module_from_spec(spec)
        sys.modules[made.stem] = found[service]
        spec.loader.exec_module(found[service])
    return found


def test_a_generated_client_accepts_the_bodies_of_the_documents_and_every_example(clients: dict[str, Any]) -> None:
    for service, shape, body in [*documented_bodies(), *examples()]:
        model = getattr(clients[service], shape)
        sent = model.model_validate(body).model_dump_json(by_alias=True, exclude_unset=True)
        route = next(route for route in TABLES[service] if getattr(route.body, "__name__", "") == shape)
        assert decode(sent.encode(), route.body) == decode(msgspec.json.encode(body), route.body)
        with pytest.raises(ValueError, match="unknown"):
            model.model_validate(body | {"unknown": 1})


def test_a_generated_client_reads_answers_without_optional_fields(clients: dict[str, Any]) -> None:
    put = clients["assessment"].OfficerPut.model_validate({"officer": "a", "profile_sequence": 1, "changed": False})
    assert put.changed is False
    with pytest.raises(ValueError, match="changed"):
        clients["assessment"].OfficerPut.model_validate({"officer": "a", "profile_sequence": 1})
    schemas = described("recommender")["components"]["schemas"]
    assert set(schemas["StoredPath"]["required"]) == set(schemas["StoredPath"]["properties"]) - {"context"}
    page = clients["recommender"].FeedbackPage.model_validate(
        {"officer": "a", "feedback_sequence": 0, "statements": [], "next": None}
    )
    assert page.next is None
