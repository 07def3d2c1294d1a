"""What README.md shows with curl is what a reader gets."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.local.live import Message, messages
from deploy.local.stack import Stack

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = README.split("## One officer, with curl")[1].split("\n## ")[0]
SESSION = README.split("## From the first question to a path, with curl")[1].split("\n## ")[0]
FRAMEWORKS = (ROOT / "docs/frameworks.md").read_text(encoding="utf-8")
FRAMEWORK = FRAMEWORKS.split("## Your own framework")[1].split("\n## ")[0]
CATALOG = README.split("## Your own catalog")[1].split("\n## ")[0]


async def shell(script: str, environment: dict[str, str], directory: Path = ROOT) -> str:
    """Return what a block of the tour prints; it has to end well."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", script, cwd=directory, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, script
    return out.decode()


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder in place of the checkout; what the README writes is in `.local`, which git ignores."""
    (tmp_path / ".local").mkdir()
    yield tmp_path
    assert [one.name for one in tmp_path.iterdir()] == [".local"]


async def next_path(stream: AsyncGenerator[Message, None]) -> dict[str, Any]:
    async for message in stream:
        if message.event == "path":
            path: dict[str, Any] = message.data["path"]
            return path
    raise AssertionError("the stream ended")


def is_closed_by_a_match(skill: str, path: dict[str, Any]) -> bool:
    rows = [row for step in path["steps"] for row in step["closes"]]
    return any(row["skill"] == skill and "confidence" in row for row in rows)


async def test_the_readmes_tour_of_one_officer_works(stack: Stack) -> None:
    variables, register, live, submit, read, stateless, mistake, forget = re.findall(
        r"```sh\n(.*?)```", TOUR, re.DOTALL
    )
    assert "8101" in variables
    assert "make -s key ROLE=platform" in variables
    assert "/live" in live
    env = {
        "A": stack.urls["assessment"][0],
        "R": stack.urls["recommender"][0],
        "P": stack.urls["portal"][0],
        "AUTH": f"Authorization: Bearer {stack.keys.platform}",
        "JSON": "Content-Type: application/json",
    }
    assert json.loads(await shell(register, env))["changed"] is True
    async with aiohttp.ClientSession() as session, asyncio.timeout(90):
        stream = messages(session, env["P"], "tour-001", stack.keys.platform)
        assert (await next_path(stream))["status"] == "provisional"
        accepted = json.loads(await shell(submit, env))
        assert json.loads(await shell(submit, env)) == accepted
        path = await next_path(stream)
        assert path["versions"]["profile"] == accepted["profile_sequence"]
        await stream.aclose()
    output = await shell(read, env)
    assert output.startswith(f"1 {path['steps'][0]['course']['title']['en']}")
    assert json.loads(await shell(stateless, env))["path"]["steps"]
    problem = json.loads(await shell(mistake, env))
    printed = json.loads(re.findall(r"```json\n(.*?)```", TOUR, re.DOTALL)[0])
    assert {**problem, "request_id": ""} == {**printed, "request_id": ""}
    await shell(forget, env)
    with_status = read.split("|")[0] + "-o /dev/null -w '%{http_code}'"
    async with asyncio.timeout(90):
        while await shell(with_status, env) != "404":
            await asyncio.sleep(0.1)


async def test_the_readmes_session_and_pushed_path_work(stack: Stack, checkout: Path) -> None:
    variables, register, begin, answer, result, path = re.findall(r"```sh\n(.*?)```", SESSION, re.DOTALL)
    assert "make -s key ROLE=platform" in variables
    env = {
        "A": stack.urls["assessment"][0],
        "R": stack.urls["recommender"][0],
        "AUTH": f"Authorization: Bearer {stack.keys.platform}",
        "JSON": "Content-Type: application/json",
    }
    assert json.loads(await shell(register, env, checkout))["changed"] is True
    async with aiohttp.ClientSession() as session, asyncio.timeout(90):
        stream = messages(session, stack.urls["portal"][0], "asked-001", stack.keys.platform)
        assert (await next_path(stream))["status"] == "provisional"
        first = json.loads(await shell(begin, env, checkout))
        assert first["item"]["stem"]["th"]
        await shell(answer, env, checkout)
        lines = (await shell(result, env, checkout)).splitlines()
        assert len(lines) == 5
        sequence = int(lines[-1].removeprefix("profile "))
        while (pushed := await next_path(stream))["versions"]["profile"] < sequence:
            pass
        await stream.aclose()
    stored = json.loads(await shell(path, env, checkout))["path"]
    assert stored["versions"]["profile"] == pushed["versions"]["profile"] == sequence
    assert pushed["steps"]


def variables_of(stack: Stack, key: str) -> dict[str, str]:
    """Return the variables that the documents set before a catalog of one's own is imported."""
    return {
        "A": stack.urls["assessment"][0],
        "C": stack.urls["catalog"][0],
        "R": stack.urls["recommender"][0],
        "CATALOG_URL": stack.urls["catalog"][0],
        "CATALOG_KEY": key,
        "AUTH": f"Authorization: Bearer {key}",
        "JSON": "Content-Type: application/json",
        "PYTHONPATH": str(ROOT),
    }


async def test_the_readmes_import_of_thai_titles_works(stack: Stack, checkout: Path) -> None:
    variables, titles, load, assess, read, choose, confirm = re.findall(r"```sh\n(.*?)```", CATALOG, re.DOTALL)
    assert "make -s key ROLE=admin TENANT=my-agency" in variables
    key = await stack.issuer.issue("my-agency", "admin")
    env = variables_of(stack, key)
    await shell(titles, env, checkout)
    imported = await shell(load.replace(".venv/bin/python", sys.executable), env, checkout)
    assert re.search(r"created +5$", imported, re.MULTILINE)
    assessed = int(re.findall(r'"profile_sequence":(\d+)', await shell(assess, env, checkout))[-1])
    citizen = "พลเมืองดิจิทัล"

    async def arrives(unconfirmed: bool) -> None:
        """Wait for a path with the course, matched by its description or confirmed."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(90):
            async for message in messages(session, stack.urls["portal"][0], "mine-001", key):
                if message.event == "path" and message.data["path"]["versions"]["profile"] == assessed:
                    steps = {step["course"]["title"]["th"]: step["closes"] for step in message.data["path"]["steps"]}
                    if citizen in steps and all(("confidence" in row) == unconfirmed for row in steps[citizen]):
                        return

    await arrives(unconfirmed=True)
    before = await shell(read, env, checkout)
    (line,) = [line for line in before.splitlines() if citizen in line and not line.startswith("open:")]
    assert re.search(r"May narrow the gap in .* matched by its description, not confirmed \(\d\d %\)\.", line)
    assert "Narrows the gap" not in before
    assert "Closes the gap" not in before
    assert "A rule excludes it." in before
    chosen = await shell(choose, env, checkout)
    assert citizen in chosen
    assert "ขนม" not in chosen
    confirmed = json.loads(await shell(confirm, env, checkout))["results"]
    assert {one["result"] for one in confirmed} == {"changed"}
    assert len(confirmed) == len(chosen.splitlines())
    await arrives(unconfirmed=False)
    shown = await shell(read, env, checkout)
    assert f"{citizen} - Narrows the gap in" in shown
    assert "not confirmed" not in "".join(line for line in shown.splitlines() if citizen in line)
    assert "A rule excludes it." in shown


async def test_the_import_of_a_matrix_in_the_documents_gives_a_path(stack: Stack, checkout: Path) -> None:
    _, titles, load, *_ = re.findall(r"```sh\n(.*?)```", CATALOG, re.DOTALL)
    matrix, groups, register = re.findall(r"```sh\n(.*?)```", FRAMEWORK, re.DOTALL)
    key = await stack.issuer.issue("matrix-agency", "admin")
    env = variables_of(stack, key)
    await shell(titles, env, checkout)
    await shell(load.replace(".venv/bin/python", sys.executable), env, checkout)
    report = json.loads(await shell(matrix, env, checkout))
    assert (report["status"], report["skills"], report["requirements"]) == ("created", 3, 6)
    printed = dict(line.split() for line in (await shell(groups, env, checkout)).splitlines())
    assert printed[re.findall(r'"job_group": "([^"]+)"', register)[0]] == "นักวิชาการ"
    assert json.loads(await shell(register, env, checkout))["changed"] is True
    async with aiohttp.ClientSession() as session, asyncio.timeout(180):
        stream = messages(session, stack.urls["portal"][0], "mine-002", key)
        while not is_closed_by_a_match("id-151c07f9", await next_path(stream)):
            pass  # until the courses are compared with the new skills
        await stream.aclose()
