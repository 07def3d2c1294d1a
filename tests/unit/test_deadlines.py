"""A test that hangs restores what it changed and does not fail the later ones."""

import subprocess
import sys
from pathlib import Path

from deploy.local.processes import ROOT

CONFTEST = """
from tests.support.deadlines import bound_tests, pytest_runtest_call

def pytest_collection_modifyitems(items):
    bound_tests(items)
"""

TESTS = """
import asyncio, time
import pytest

happened = []

@pytest.fixture(scope="session")
async def server():
    yield "server"

@pytest.mark.timeout(1)
async def test_waits(server):
    happened.append("frozen")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        happened.append("restored")

async def test_after_waiting(server):
    assert happened == ["frozen", "restored"]

@pytest.mark.timeout(1)
async def test_waits_while_it_cleans_up(server):
    try:
        await asyncio.Event().wait()
    finally:
        try:
            await asyncio.Event().wait()
        finally:
            happened.append("restored at last")

async def test_after_cleaning_up(server):
    assert happened[2:] == ["restored at last"]
    assert [one for one in asyncio.all_tasks() if one is not asyncio.current_task()] == []

@pytest.mark.timeout(1)
async def test_blocks(server):
    try:
        time.sleep(60)
    finally:
        happened.append("restored from blocking")

async def test_after_blocking(server):
    assert happened[3:] == ["restored from blocking"]

async def test_fails_by_itself(server):
    raise TimeoutError("its own")
"""

OPTIONS = ("asyncio_mode=auto", "timeout_func_only=true", "timeout=60", "pythonpath=.")
SCOPES = ("asyncio_default_fixture_loop_scope=session", "asyncio_default_test_loop_scope=session")


def test_a_hung_test_is_cleaned_up_and_fails_no_other(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_hanging.py").write_text(TESTS)
    options = [part for option in (*OPTIONS, *SCOPES) for part in ("-o", option)]
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "-c",
        "/dev/null",
    ]
    done = subprocess.run(
        [*argv, *options, "-rA", str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    outcomes = {
        line.split("::")[1].split(" ")[0]: line.split(" ")[0] for line in done.stdout.splitlines() if "::" in line
    }
    assert outcomes == {
        "test_waits": "FAILED",
        "test_after_waiting": "PASSED",
        "test_waits_while_it_cleans_up": "FAILED",
        "test_after_cleaning_up": "PASSED",
        "test_blocks": "FAILED",
        "test_after_blocking": "PASSED",
        "test_fails_by_itself": "FAILED",
    }, done.stdout + done.stderr
