"""The operator's command for keys: created keys work, the list is sufficient, and it never ends in a traceback."""

import asyncio
import contextlib
import io
import os
import sys
from unittest import mock

import pytest

from deploy.local.processes import ROOT
from services.catalog.__main__ import build
from shared.keys import main
from shared.mongo import connect
from shared.settings import CatalogSettings
from tests.support.services import Started, settings_of, started


@pytest.fixture
def settings(mongodb_uri: str, kafka_bootstrap: str) -> CatalogSettings:
    return settings_of(CatalogSettings, mongodb_uri, kafka_bootstrap)


def environment(settings: CatalogSettings) -> dict[str, str]:
    own = {
        "MONGODB_URI": settings.mongodb_uri,
        "NAMESPACE": settings.namespace,
        "API_KEY_PEPPER": settings.api_key_pepper.decode(),
    }
    return {**os.environ, **own}


async def command(settings: CatalogSettings, *arguments: str, **changed: str) -> tuple[int, str, str]:
    """Return status, what was printed and what was complained of; anything raised but an exit fails the test."""

    def run() -> int:
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {**environment(settings), **changed}),
        mock.patch.object(sys, "argv", ["shared.keys", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        status = await asyncio.to_thread(run)
    assert settings.api_key_pepper.decode() not in err.getvalue() + out.getvalue()
    return status, out.getvalue().strip(), err.getvalue().strip()


async def listed(settings: CatalogSettings, *arguments: str) -> list[list[str]]:
    """Return the columns of each line under the heading."""
    status, out, _ = await command(settings, "list", *arguments)
    assert status == 0
    head, *lines = out.splitlines()
    names = ["KEY", "TENANT", "ROLE", "OFFICER", "MADE", "EXPIRES", "LAST USED", "LABEL"]
    starts = [head.index(name) for name in names]
    return [[line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] for line in lines]


async def works(service: Started, key: str) -> bool:
    got = await service.client.get("/v1/courses", headers={"Authorization": f"Bearer {key}"})
    return got.status == 200


async def test_keys_are_made_listed_with_expiry_label_and_last_use_and_revoked(settings: CatalogSettings) -> None:
    arguments = ["create", "--tenant", "agency", "--role", "officer", "--officer", "me", "--label", "ระบบอบรม (test)"]
    status, key, _ = await command(settings, *arguments)
    assert status == 0
    status, other, _ = await command(settings, "issue", "--tenant", "b", "--role", "admin", "--days", "30")
    assert status == 0
    mine, theirs = key.partition(".")[0], other.partition(".")[0]
    [row] = await listed(settings, "--tenant", "agency")
    assert row[:4] == [mine, "agency", "officer", "me"]
    assert row[5:] == ["never", "never", "ระบบอบรม (test)"]
    async with started(build, settings) as service:
        assert await works(service, key)
    rows = {row[0]: row for row in await listed(settings)}
    assert set(rows) == {mine, theirs}
    assert rows[mine][6] >= rows[mine][4] > "2020"
    assert rows[mine][6].endswith("Z")
    assert (rows[theirs][6], rows[theirs][7]) == ("never", "")
    assert rows[theirs][5] > rows[theirs][4]
    assert (await command(settings, "revoke", key))[:2] == (0, f"revoked {mine}; it stops working within 30 seconds")
    assert (await command(settings, "revoke", mine))[0] == 1
    assert [row[0] for row in await listed(settings)] == [theirs]


async def test_keys_of_an_older_version_are_listed(settings: CatalogSettings) -> None:
    client = connect(settings)
    bare = {"digest": "", "tenant": "old", "role": "admin", "officer": None, "expires_at": None, "revoked_at": None}
    await client[settings.database("access")]["keys"].insert_one({"_id": "0123", **bare})
    client.close()
    assert await listed(settings) == [["0123", "old", "admin", "-", "-", "never", "never", ""]]


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--tenant", "agency", "--role", "officer"],
        ["create", "--tenant", "agency", "--role", "admin", "--officer", "me"],
        ["create", "--tenant", "a b", "--role", "admin"],
        ["create", "--tenant", "", "--role", "admin"],
        ["create", "--tenant", "x" * 65, "--role", "admin"],
        ["create", "--tenant", "agency", "--role", "king"],
        ["create", "--tenant", "agency", "--role", "supervisor"],
        ["create", "--tenant", "agency", "--role", "supervisor", "--agency", "a b"],
        ["create", "--tenant", "agency", "--role", "officer", "--officer", "me", "--agency", "north"],
        ["create", "--tenant", "agency", "--role", "analyst", "--agency", "a b"],
        ["create", "--tenant", "agency", "--role", "analyst", "--officer", "me"],
        ["create", "--tenant", "agency", "--role", "editor", "--agency", "north"],
        ["create", "--tenant", "agency", "--role", "admin", "--days", "99999999999999"],
        ["create", "--tenant", "agency", "--role", "admin", "--days", "-1"],
        ["create", "--tenant", "agency", "--role", "admin", "--days", "0"],
        ["create", "--tenant", "agency", "--role", "admin", "--days", "soon"],
        ["create", "--tenant", "agency", "--role", "admin", "--label", "x" * 101],
        ["create", "--tenant", "agency", "--role", "admin", "--label", "red\x1b[31m"],
        ["create", "--tenant", "agency", "--role", "admin", "--label", "\udcff"],
        ["create", "--tenant", "\udcff", "--role", "admin"],
        ["revoke"],
        ["revoke", "nothing"],
        ["revoke", ""],
        ["revoke", "\udcff"],
        ["list", "--tenant", "\udcff"],
        ["burn"],
        [],
    ],
)
async def test_a_failed_command_prints_one_sentence_and_creates_no_key(
    settings: CatalogSettings, arguments: list[str]
) -> None:
    status, out, err = await command(settings, *arguments)
    assert status in (1, 2)
    assert out == ""
    assert err
    assert await listed(settings) == []


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"MONGODB_URI": "mongodb://user:geheim@127.0.0.1:9/?timeoutMS=200"}, 1),
        ({"MONGODB_URI": "mongodb://user:gehe/im@127.0.0.1"}, 1),
        ({"MONGODB_URI": "postgres://user:geheim@127.0.0.1"}, 2),
        ({"API_KEY_PEPPER": ""}, 2),
        ({"API_KEY_PEPPER_FILE": "/nowhere"}, 2),
        ({"MONGODB_URL": "mongodb://user:geheim@127.0.0.1"}, 2),
    ],
)
async def test_unusable_servers_and_settings_are_reported_in_one_sentence(
    settings: CatalogSettings, changed: dict[str, str], status: int
) -> None:
    got, out, err = await command(settings, "list", **changed)
    assert (got, out) == (status, "")
    assert err
    assert "gehe" not in err


async def test_a_reader_that_closes_the_pipe_is_no_failure(settings: CatalogSettings) -> None:
    for n in range(3):
        await command(settings, "create", "--tenant", f"agency-{n}", "--role", "admin")
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "shared.keys", "list"],
        cwd=ROOT,
        env=environment(settings),
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
