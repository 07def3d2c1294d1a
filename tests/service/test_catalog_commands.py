"""`python -m services.catalog import`, `export` and `check` against a running catalog."""

import ast
import asyncio
import contextlib
import csv
import errno
import html
import json
import os
import random
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from services.catalog.commands import main
from shared.imports.sending import Progress
from tests.support.builders import unique
from tests.support.catalog import catalog, course, ids
from tests.support.services import Started, run_command
from tests.support.waiting import WAIT_SECONDS, until

SERVICE = catalog


async def environment_of(service: Started, tenant: str) -> dict[str, str]:
    return {"CATALOG_URL": service.address, "CATALOG_KEY": await service.key("admin", tenant)}


async def command(service: Started, tenant: str, *arguments: str) -> tuple[int, str]:
    return await run_command(main, await environment_of(service, tenant), *arguments)


def count(output: str, name: str) -> int:
    found = re.search(rf"^{name} +([\d,]+)$", output, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0


async def test_a_table_is_previewed_and_imported_once_its_columns_are_given(service: Started, tmp_path: Path) -> None:
    tenant, file = unique("tenant"), tmp_path / "courses.csv"
    file.write_bytes("รหัสวิชา,ชื่อหลักสูตร,อื่น\nก 1,การเขียน,x\nก 2,,y\n".encode("cp874"))
    code, output = await command(service, tenant, "import", str(file))
    assert code == 2
    assert "title            ชื่อหลักสูตร" in output
    assert "--map 'code=รหัสวิชา,title=ชื่อหลักสูตร'" in output
    assert await ids(service, tenant=tenant) == []
    code, output = await command(service, tenant, "import", str(file), "--map", "guess", "--dry-run")
    assert (code, count(output, "created"), count(output, "refused")) == (1, 1, 1)
    assert await ids(service, tenant=tenant) == []
    code, output = await command(
        service, tenant, "import", str(file), "--map", "guess", "--default", "provider=กรม,hours=6"
    )
    assert (code, count(output, "created"), count(output, "refused")) == (1, 1, 1)
    assert "row 3 (ก 2):\n    title: " in output
    assert "columns not taken: อื่น" in output
    code, output = await command(
        service, tenant, "import", str(file), "--map", "guess", "--default", "provider=กรม,hours=6"
    )
    assert (code, count(output, "unchanged")) == (1, 1)
    code, output = await command(service, tenant, "check", str(file))
    assert (code, count(output, "courses"), count(output, "refused"), "cp874" in output) == (1, 1, 1, True)


@pytest.mark.parametrize("ending", ["ndjson", "csv", "xlsx"])
async def test_importing_an_export_changes_nothing(service: Started, tmp_path: Path, ending: str) -> None:
    tenant, file, there = unique("tenant"), tmp_path / "in.ndjson", tmp_path / f"out.{ending}"
    bodies = [course(f"c{n}", tags=["x, y"], requires=[{"course": "c0"}] if n else []) for n in range(5)]
    file.write_text("\n".join(json.dumps(body, ensure_ascii=False) for body in bodies))
    code, output = await command(service, tenant, "import", str(file))
    assert (code, count(output, "created")) == (0, 5), output
    code, output = await command(service, tenant, "export", str(there))
    assert (code, count(output, "exported")) == (0, 5)
    code, output = await command(service, tenant, "import", str(there))
    assert (code, count(output, "unchanged"), count(output, "changed")) == (0, 5, 0), output


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff", "id,title\n", "id,title\n,\n\n"])
@pytest.mark.parametrize("ending", ["csv", "ndjson"])
async def test_a_file_without_a_course_is_no_success(service: Started, tmp_path: Path, ending: str, text: str) -> None:
    file = tmp_path / f"empty.{ending}"
    file.write_text(text, encoding="utf-8")
    for arguments in (["check", str(file)], ["import", str(file), *(["--map", "guess"] if ending == "csv" else [])]):
        code, output = await command(service, unique("tenant"), *arguments)
        assert code == 1, output
        assert ("There is no course in this file" in output) == (count(output, "refused") == 0), output


async def test_a_failed_command_prints_one_line_with_the_reason(service: Started, tmp_path: Path) -> None:
    tenant, file = unique("tenant"), tmp_path / "courses.csv"
    file.write_text("title\na\n")
    for arguments, word in (
        (["import", str(tmp_path / "absent.csv"), "--map", "guess"], "No such file"),
        (["import", str(file), "--map", "colour=title"], "is not one of"),
        (["import", str(file), "--map", "title=Nowhere"], "no column"),
        (["import", str(file), "--map", "guess", "--encoding", "klingon"], "unknown encoding"),
        (["import", str(file), "--map", "guess", "--format", "xlsx"], "no Excel workbook"),
        (["import", str(file), "--map", "guess", "--url", "http://127.0.0.1:9"], "cannot be reached"),
        (["check", str(tmp_path)], "in which format"),
    ):
        code, output = await command(service, tenant, *arguments)
        assert (code, word in output, "Traceback" in output) == (2, True, False), output


async def test_check_refuses_what_an_import_would_and_counts_warnings_by_kind(service: Started, tmp_path: Path) -> None:
    file = tmp_path / "courses.csv"
    hours = "".join(f"C{n},{n} weeks\n" for n in range(1, 31))
    file.write_text(f"Course,Duration\n{hours}C1,9 weeks\nC2,2 weeks\n", encoding="utf-8")
    tenant = unique("tenant")
    for name in ("check", "import"):
        code, output = await command(service, tenant, name, str(file), "--map", "guess")
        assert (code, count(output, "refused")) == (1, 1)
        assert "row 2 is the same course and was taken; this one differs in hours, stated" in output
        assert re.search(r"^ +3\d  hours: 4 are assumed for '1 weeks' \(for example\)$", output, re.MULTILINE)
        assert output.count("are assumed for") == 1


async def test_an_interrupted_import_is_reported_and_the_next_one_completes_it(
    service: Started, tmp_path: Path
) -> None:
    tenant, file = unique("tenant"), tmp_path / "courses.ndjson"
    bodies = [course(f"c{n:05}") for n in range(200)]
    os.mkfifo(file)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.catalog", "import", str(file)),
        env=os.environ | await environment_of(service, tenant),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    ended = asyncio.ensure_future(process.communicate())
    writer = None
    try:
        writer = await until(lambda: _opened(file, ended), "the command opens its file")
        async with asyncio.timeout(WAIT_SECONDS):
            lines = b"".join(json.dumps(body).encode() + b"\n" for body in bodies[:100])
            await _write(writer, lines + b" " * (1 << 17))
            await until(lambda: _offers(service, tenant, 100, ended))
            process.send_signal(signal.SIGINT)
            with pytest.raises(BrokenPipeError):  # the file never ends: only the signal can have ended the command
                await _write_blanks_for_ever(writer)
            output, _ = await asyncio.shield(ended)
    finally:
        if not ended.done():
            process.kill()
        print((await ended)[0].decode())  # noqa: T201 - shown if the test fails
        if writer:
            os.close(writer)
    assert (process.returncode, "Interrupted" in output.decode()) == (130, True)
    file.unlink()
    file.write_bytes(b"".join(json.dumps(body).encode() + b"\n" for body in bodies))
    code, words = await command(service, tenant, "import", str(file))
    assert (code, count(words, "unchanged"), count(words, "created")) == (0, 100, 100), words


def _opened(file: Path, ended: "asyncio.Future[Any]") -> int | None:
    """Return a FIFO opened for writing, None until it is open for reading; never waits."""
    assert not ended.done(), "the command has ended before it opens its file"
    try:
        return os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None


async def _write(writer: int, data: bytes) -> None:
    while data:
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(writer, data) :]
        await asyncio.sleep(0.001)


async def _write_blanks_for_ever(writer: int) -> None:
    while True:
        await _write(writer, b" " * (1 << 16))


async def _offers(service: Started, tenant: str, courses: int, ended: "asyncio.Future[Any]") -> bool:
    assert not ended.done(), "the command has ended before its courses are stored"
    return len(await ids(service, "limit=500", tenant)) == courses


def test_the_progress_bar_shows_share_rows_rate_and_remaining_time() -> None:
    bar = Progress(1000)
    bar.sent(250)
    bar.rows(10)
    assert re.fullmatch(r"\[######                  \]  25%  10 rows  [\d,]+/s  \d+:\d\d left ", bar.line())


# --- real files ------------------------------------------------------------------------------------------------------

DATASETS = os.environ.get("DATASETS_DIR")
REAL = pytest.mark.skipif(not DATASETS, reason="DATASETS_DIR is not set")
FILES: dict[str, list[str]] = {
    "coursera_5164_forstmaple/coursera_courses.csv": ["--map", "guess"],
    "coursera_1139_ayesha/Coursera.csv": ["--map", "guess"],
    "edx_816_prereq_skills/edx.csv": ["--map", "guess"],
    "thaimooc_400/course_data.csv": ["--map", "guess", "--default", "provider=Thai MOOC"],
    "university_course_prereqs/cs_courses.csv": ["--no-header", "--map", "code=#1,title=#2,description=#2"],
    "samples_schemaorg_course/sdo-course-examples.txt": ["--format", "jsonld"],
}


@REAL
@pytest.mark.parametrize("name", FILES)
async def test_a_real_file_is_imported_completely_by_one_command(service: Started, name: str) -> None:
    tenant, file = unique("tenant"), Path(DATASETS or "", name)
    code, output = await command(service, tenant, "import", str(file), *FILES[name])
    print(f"{name}\n{output}")  # noqa: T201 - the report is what is wanted of a run with real files
    assert code in (0, 1), output
    assert "no column holds the title" not in output
    stored = [one async for one in service.database("catalog")["entries"].find({"tenant": tenant, "kind": "course"})]
    assert len(stored) == count(output, "created")
    again, words = await command(service, tenant, "import", str(file), *FILES[name])
    assert (again, count(words, "created"), count(words, "changed")) == (code, 0, 0)
    assert count(words, "unchanged") == count(output, "created") + count(output, "unchanged")
    if file.suffix == ".csv":
        _compare(file, [one["content"] for one in stored])


def _compare(file: Path, stored: list[dict[str, Any]]) -> None:
    """Compare a sample with what another reader finds in the file, cell by cell."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        first = next(csv.reader(opened))
    headed = "cmu" not in first[0] and "_" not in first[0][:5]
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = (
            list(csv.DictReader(opened)) if headed else [{"code": one, "text": two} for one, two in csv.reader(opened)]
        )
    cells = {html.unescape(cell).strip() for row in rows for cell in row.values() if cell}
    skills = {skill for row in rows for skill in _listed(row.get("course_skills", ""))}
    for one in random.Random(7).sample(stored, min(200, len(stored))):  # noqa: S311 - a sample
        texts = [*one["title"].values(), one.get("code"), one.get("url"), *one.get("stated", {}).values()]
        for text in texts:
            if text:
                assert text in cells or any(cell.startswith(text) for cell in cells), text
        if skills and one.get("tags"):
            assert len(set(one["tags"]) - skills) <= 2, one["tags"]  # the category and the sub-category
        words = one.get("stated", {}).get("duration", "")
        if found := re.fullmatch(r"Approx\. (\d+) hours to complete", words):
            assert one["hours"] == int(found[1])
            assert "hours" not in one.get("assumed", [])
        elif not words:
            assert "hours" in one["assumed"]


def _listed(cell: str) -> list[str]:
    return [html.unescape(str(one)).strip() for one in ast.literal_eval(cell)] if cell.startswith("[") else []


async def test_a_course_that_is_offered_no_more_is_refused_and_withdrawn_when_asked(
    service: Started, tmp_path: Path
) -> None:
    tenant, file = unique("tenant"), tmp_path / "courses.csv"
    file.write_text("id,title,provider,status\na,Data,P,active\nb,Law,P,active\n")
    code, output = await command(service, tenant, "import", str(file), "--map", "guess")
    assert (code, count(output, "created")) == (0, 2)
    file.write_text("id,title,provider,status\na,Data,P,deleted\nb,Law,P,active\n")
    code, output = await command(service, tenant, "check", str(file), "--map", "guess")
    assert (code, count(output, "courses"), count(output, "refused")) == (1, 1, 1)
    code, output = await command(service, tenant, "import", str(file), "--map", "guess", "--full", "--withdraw")
    assert (code, count(output, "unchanged"), count(output, "refused"), count(output, "withdrawn")) == (1, 1, 1, 1)
    assert await ids(service, tenant=tenant) == ["b"]
