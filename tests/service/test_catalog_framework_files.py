"""Frameworks from files over HTTP and by the commands: what is stored agrees with the report."""

import asyncio
import io
import json
import zipfile
from pathlib import Path

import msgspec
import pytest

from services.catalog import framework_files
from services.catalog.api.context import CONTEXT
from services.catalog.api.framework_import import FILE_LIMIT
from services.catalog.frameworks.tables import UNPACKED_LIMIT
from tests.support.builders import FRAMEWORK
from tests.support.catalog import catalog
from tests.support.course_lists import workbook
from tests.support.services import Started

MATRIX = "role,skill,level\nclerk,filing,1\nchief,filing,3\nchief,law,2\n"
IMPORT = "/v1/frameworks:import"


SERVICE = catalog


async def sent(
    service: Started, query: str, body: bytes | str, kind: str = "text/csv", **headers: str
) -> tuple[int, dict[str, object]]:
    data = io.BytesIO(body if isinstance(body, bytes) else body.encode())
    named = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    got = await service.ask("POST", f"{IMPORT}?{query}", "admin", data=data, headers=named)
    return got.status, json.loads(await got.read())


async def test_a_matrix_is_previewed_stored_unchanged_and_changed(service: Started) -> None:
    query = "format=csv&id=matrix&title_en=Matrix"
    status, report = await sent(service, f"{query}&dry_run=true", MATRIX)
    assert (status, report["status"], report["skills"], report["requirements"]) == (200, "checked", 2, 3)
    assert (await service.ask("GET", "/v1/frameworks/matrix")).status == 404
    status, report = await sent(service, query, MATRIX, If_None_Match="*")
    assert (status, report["status"], report["version"]) == (201, "created", 1)
    status, report = await sent(service, query, MATRIX)
    assert (status, report["status"], report["version"]) == (200, "unchanged", 1)
    status, report = await sent(service, query, f"{MATRIX}clerk,law,1\n", If_Match='"1"')
    assert (status, report["status"], report["version"]) == (200, "changed", 2)
    assert (await sent(service, query, MATRIX, If_Match='"1"'))[0] == 412
    stored = await (await service.ask("GET", "/v1/frameworks/matrix")).json()
    assert [row["level"] for row in stored["requirements"]] == [1, 3, 2, 1]


async def test_a_matrix_in_a_workbook_is_stored(service: Started) -> None:
    body = workbook(["skill", "clerk", "chief"], ["filing", 1, 3], ["law", None, 2])
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    status, report = await sent(service, "format=csv&id=workbook&title_en=Workbook", body, kind)
    assert (status, report["status"], report["skills"], report["requirements"]) == (201, "created", 2, 3)
    assert (await sent(service, "format=case-1.1&id=workbook", body, kind))[0] == 415


async def test_an_incomplete_framework_is_rejected_with_all_faults(service: Started) -> None:
    query = "format=csv&id=untrue&title_en=Untrue"
    wrong = f"{MATRIX}clerk,tax,banana\nclerk,,2\n"
    status, problem = await sent(service, query, wrong)
    assert (status, problem["title"], problem["field"]) == (422, "Invalid input", "skill")
    report = problem["report"]
    assert isinstance(report, dict)
    assert [(fault["row"], fault["field"]) for fault in report["faults"]] == [(6, "skill"), (5, "level")]
    assert (await service.ask("GET", "/v1/frameworks/untrue")).status == 404
    status, report = await sent(service, f"{query}&dry_run=true", wrong)
    assert (status, report["status"], len(report["faults"])) == (200, "refused", 2)  # type: ignore[arg-type]
    status, report = await sent(service, f"{query}&skip_refused=true", wrong)
    assert (status, report["requirements"], len(report["faults"])) == (201, 3, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "body", "kind", "status", "field"),
    [
        ("format=csv&id=x&title_en=X", MATRIX, "application/json", 415, "Content-Type"),
        ("format=csv&id=x&title_en=X", MATRIX, "application/x-www-form-urlencoded", 415, "Content-Type"),
        ("format=case-1.1", MATRIX, "text/csv", 415, "Content-Type"),
        ("format=word", MATRIX, "text/csv", 422, "format"),
        ("id=x", MATRIX, "text/csv", 422, "format"),
        ("format=csv&id=a/b", MATRIX, "text/csv", 422, "id"),
        ("format=csv&id=x&title_en=%20", MATRIX, "text/csv", 422, "title_en"),
        ("format=csv&id=x&title_en=X&map=role", MATRIX, "text/csv", 422, "map"),
        ("format=csv&id=x&title_en=X&map=skill%3DGhost", MATRIX, "text/csv", 422, "map"),
        ("format=csv&id=x&title_en=X&mark=-1", MATRIX, "text/csv", 422, "mark"),
        ("format=csv&id=x", MATRIX, "text/csv", 422, "title"),
        ("format=csv&title_en=X", MATRIX, "text/csv", 422, "id"),
        ("format=case-1.0", "{", "application/json", 400, None),
        ("format=case-1.0", "{}", "application/json", 422, "CFDocument"),
        ("format=esco", b"PK\x03\x04rubbish", "application/zip", 400, None),
        ("format=json", "x" * (FILE_LIMIT + 1), "application/json", 413, None),
    ],
)
async def test_an_unreadable_framework_file_is_rejected_by_field(  # noqa: PLR0917 - one case
    service: Started, query: str, body: bytes | str, kind: str, status: int, field: str | None
) -> None:
    got, problem = await sent(service, query, body, kind)
    assert (got, problem.get("field")) == (status, field), problem


async def test_an_archive_that_decompresses_to_too_much_is_rejected(service: Started) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("skills.csv", "w") as inside:
        for _ in range(UNPACKED_LIMIT // 2**20 + 1):
            inside.write(b"0" * 2**20)
    status, problem = await sent(service, "format=esco", out.getvalue(), "application/zip")
    assert (status, problem["title"]) == (413, "Body too large")


async def test_one_file_is_read_at_a_time(service: Started) -> None:
    files = service.client.app[CONTEXT].files
    async with files:
        status, problem = await sent(service, "format=csv&id=x&title_en=X&dry_run=true", MATRIX)
    assert (status, problem["detail"]) == (503, "another file is being read")
    assert (await sent(service, "format=csv&id=x&title_en=X&dry_run=true", MATRIX))[0] == 200


async def test_a_framework_is_written_and_read_again_over_http(service: Started) -> None:
    before = await (await service.ask("GET", f"/v1/frameworks/{FRAMEWORK}")).json()
    got = await service.ask("GET", f"/v1/frameworks/{FRAMEWORK}:export?format=case-1.1")
    assert (got.status, got.content_type, got.headers["X-Not-Held"]) == (200, "application/json", "")
    status, report = await sent(service, "format=case-1.1&id=copied", await got.read(), "application/json")
    assert (status, report["status"], report["faults"]) == (201, "created", [])
    after = await (await service.ask("GET", "/v1/frameworks/copied")).json()
    assert before | {"id": "copied"} == after
    lost = await service.ask("GET", f"/v1/frameworks/{FRAMEWORK}:export?format=case-1.0")
    assert "requirement: 2" in lost.headers["X-Not-Held"]
    assert (await service.ask("GET", "/v1/frameworks/ghost:export?format=csv")).status == 404
    assert (await service.ask("GET", "/v1/frameworks/copied:export?format=csv", tenant="other")).status == 404
    assert (await service.ask("GET", f"/v1/frameworks/{FRAMEWORK}:export?format=word")).status == 422


async def test_the_commands_store_what_the_service_answers(
    service: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(framework_files, "load", lambda _: service.settings)
    file = tmp_path / "matrix.csv"
    file.write_text(MATRIX, encoding="utf-8")
    title = ["--id", "typed", "--title-en", "Typed"]
    named = ["import-framework", str(file), "--format", "csv", "--tenant", "agency", *title]
    assert await framework_files.run([*named, "--dry-run"]) == 0
    assert (await service.ask("GET", "/v1/frameworks/typed")).status == 404
    assert await framework_files.run(named) == 0
    assert (await (await service.ask("GET", "/v1/frameworks/typed")).json())["version"] == 1
    assert await framework_files.run(named) == 0
    assert (await (await service.ask("GET", "/v1/frameworks/typed")).json())["version"] == 1
    written = tmp_path / "out.csv"
    export = ["export-framework", "typed", "--format", "csv", "--tenant", "agency", "--output", str(written)]
    assert await framework_files.run(export) == 0
    assert await asyncio.to_thread(written.read_bytes) == (
        await (await service.ask("GET", "/v1/frameworks/typed:export?format=csv")).read()
    )
    file.write_text(MATRIX + "".join(f"clerk,tax,banana {n}\n" for n in range(200)), encoding="utf-8")
    capsys.readouterr()
    assert await framework_files.run(named) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("untrue")]
    assert [line.partition("banana")[0] for line in lines[:-1]] == [
        f"untrue: row {n + 5}, clerk / tax, level: '" for n in range(5)
    ]
    assert lines[-1] == "untrue: 195 more of this kind"
    assert await framework_files.run(["export-framework", "ghost", "--format", "csv"]) == 2
    assert await framework_files.run(["import-framework", str(tmp_path / "none"), "--format", "csv"]) == 2


async def test_the_command_refuses_to_change_a_retired_framework_and_names_what_is_lost(
    service: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(framework_files, "load", lambda _: service.settings)
    assert (await sent(service, "format=csv&id=old&title_en=Old&skip_refused=true", MATRIX))[0] == 201
    before = await (await service.ask("GET", "/v1/frameworks/old")).json()
    retired = await service.ask("PUT", "/v1/frameworks/old", "admin", json=before | {"retired": True})
    assert retired.status == 200
    file = tmp_path / "old.json"
    command = ["import-framework", str(file), "--format", "json", "--tenant", "agency"]
    changed = before | {"retired": True, "title": {"en": "Other"}}
    file.write_bytes(msgspec.json.encode(changed))
    assert await framework_files.run(command) == 2
    assert "retired" in capsys.readouterr().err
    assert (await (await service.ask("GET", "/v1/frameworks/old")).json())["version"] == 2
    gone = before["skills"][0]["id"]
    file.write_bytes(
        msgspec.json.encode(
            changed
            | {
                "retired": False,
                "skills": [*before["skills"][1:], {**before["skills"][0], "id": "other"}],
                "requirements": [row for row in before["requirements"] if row["skill"] != gone],
            }
        )
    )
    assert await framework_files.run(command) == 0
    assert f"skills that are neither there any more nor mapped: {gone}" in capsys.readouterr().out
