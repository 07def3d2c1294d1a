"""A TypeScript client generated from the OpenAPI documents compiles, and refuses what the services refuse."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from deploy.local.pages import Node, install
from deploy.local.processes import CannotStart
from tests.unit.test_openapi import TABLES, described, documented_bodies, examples

OPTIONS = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "--target", "es2022"]


@pytest.fixture(scope="module")
def node() -> Node:
    """Return Node with the locked packages of the portal's pages."""
    return install(print)


@pytest.fixture(scope="module")
def client(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the generated types of each service's document."""
    folder = tmp_path_factory.mktemp("typescript")
    for service in TABLES:
        (folder / f"{service}.json").write_bytes(msgspec.json.encode(described(service)))
    apis = {name: {"root": f"{name}.json", "x-openapi-ts": {"output": f"{name}.ts"}} for name in TABLES}
    (folder / "redocly.yaml").write_bytes(msgspec.json.encode({"apis": apis}))
    node.run("openapi-typescript/bin/cli.js", cwd=folder)
    return folder


def compile_lines(node: Node, client: Path, name: str, lines: Sequence[str]) -> None:
    """Compile a file under the strictest rules. Raises CannotStart with the compiler's words."""
    (client / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    node.run("typescript/bin/tsc", *OPTIONS, name, cwd=client)


def schema(service: str, shape: str) -> str:
    return f'import("./{service}").components["schemas"]["{shape}"]'


def test_the_bodies_of_the_documents_and_every_example_fit_the_generated_types(node: Node, client: Path) -> None:
    lines = []
    for number, (service, shape, body) in enumerate([*documented_bodies(), *examples()]):
        lines.append(f"export const body{number} = {json.dumps(body)} satisfies {schema(service, shape)};")
        more = json.dumps(body | {"unknown_field": 1})
        lines += ["// @ts-expect-error a field that the service does not know"]
        lines.append(f"export const more{number} = {more} satisfies {schema(service, shape)};")
    compile_lines(node, client, "bodies.ts", lines)


def test_required_and_optional_fields_of_answers_are_typed(node: Node, client: Path) -> None:
    lines = [
        f"export const changed = (put: {schema('assessment', 'OfficerPut')}): boolean => put.changed;",
        f"export const next = (page: {schema('recommender', 'FeedbackPage')}): number | null => page.next;",
        "// @ts-expect-error a field of a refusal may be left out",
        f"export const field = (refusal: {schema('assessment', 'ProblemDetails')}): string => refusal.field;",
    ]
    compile_lines(node, client, "answers.ts", lines)


def test_the_compiler_rejects_a_client_that_reads_an_unknown_field(node: Node, client: Path) -> None:
    line = f"export const wrong = (put: {schema('assessment', 'OfficerPut')}) => put.unknown_field;"
    with pytest.raises(CannotStart, match="unknown_field"):
        compile_lines(node, client, "wrong.ts", [line])
