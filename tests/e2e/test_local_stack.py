"""The demo prints what it should, and a stack that is restarted on the embedded broker finds its data again."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.local.broker import find_broker
from deploy.local.live import messages
from deploy.local.processes import ROOT, CannotStart
from deploy.local.seed import answered, register, sample_officers
from deploy.local.stack import Stack
from tests.support.servers import missing

LAST_LINE = r"demo ok: [1-9]\d* courses, [\d.]+ hours, coverage \d+% -> \d+%, pushed in \d+ ms on embedded broker"


@pytest.mark.timeout(400)
def test_the_demo_prints_its_figures() -> None:
    argv = [sys.executable, "-m", "deploy.local", "demo"]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=ROOT, env={**_environment(), "BROKER": "embedded"}
    )
    if "no embedded one for this kind of machine" in done.stderr:
        missing(done.stderr)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert re.fullmatch(LAST_LINE, done.stdout.splitlines()[-1])
    assert "closes" in done.stdout
    assert "ลดช่องว่าง" in done.stdout


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("KAFKA_BOOTSTRAP_SERVERS", "PORT")}


@pytest.mark.timeout(400)
async def test_a_restart_on_a_broker_without_data_continues(tmp_path: Path) -> None:
    officer = sample_officers()[0]
    try:
        find_broker(tmp_path / "probe", forced="embedded")
    except CannotStart as error:
        missing(str(error))
    stack = Stack("again", directory=tmp_path, force_broker="embedded")
    async with stack, aiohttp.ClientSession() as session:
        await register(session, stack.urls["assessment"][0], stack.keys.platform, officer)
        first = await _assessed(stack, session, officer)
    later = {**officer["assessment"], "kind": "supervisor", "taken_at": "2026-10-01T00:00:00Z"}
    stack = Stack("again", directory=tmp_path, force_broker="embedded")
    async with stack, aiohttp.ClientSession() as session:
        stored = await _path(stack, session, officer, after=0)
        assert stored["path"]["versions"]["profile"] == first["path"]["versions"]["profile"]
        again = await _assessed(stack, session, {**officer, "assessment": later})
    assert again["revision"] > stored["revision"]


async def _assessed(stack: Stack, session: aiohttp.ClientSession, officer: dict[str, Any]) -> dict[str, Any]:
    url = stack.urls["assessment"][0]
    key = {"Authorization": f"Bearer {stack.keys.platform}", "Idempotency-Key": officer["assessment"]["kind"]}
    body = officer["assessment"]
    url += f"/v1/officers/{officer['officer']}/assessments"
    async with answered(session, "POST", url, json=body, headers=key) as answer:
        assert answer.status == 202, await answer.text()
        sequence = (await answer.json())["profile_sequence"]
    return await _path(stack, session, officer, after=sequence)


async def _path(stack: Stack, session: aiohttp.ClientSession, officer: dict[str, Any], after: int) -> dict[str, Any]:
    """Return the first path on the live stream that was made from this profile or a later one."""
    name = officer["officer"]
    stream = messages(session, stack.urls["portal"][0], name, stack.keys.officers[name])
    async with asyncio.timeout(90):
        async for message in stream:
            if message.event == "path" and message.data["path"]["versions"]["profile"] >= after:
                await stream.aclose()
                path: dict[str, Any] = message.data
                return path
    raise AssertionError("the stream ended")
