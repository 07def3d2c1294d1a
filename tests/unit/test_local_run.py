"""`make run` refuses a second one in the same copy of the project, and names a server that ends while it starts."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from deploy.local import run as local_run
from deploy.local.processes import CannotStart, Child
from deploy.local.run import alone_in, run
from deploy.local.servers import Server
from deploy.local.stack import Stack


async def test_a_second_run_in_the_same_directory_is_rejected_before_it_starts_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_run, "STATE", tmp_path / "state")
    with alone_in(tmp_path / "state"):
        with pytest.raises(CannotStart, match=r"`make run` runs here already.*another copy of the project"):
            await run(Console())
        assert [path.name for path in (tmp_path / "state").iterdir()] == ["lock"]


def test_the_directory_is_free_again_after_the_first_run(tmp_path: Path) -> None:
    for _ in range(2):
        with alone_in(tmp_path):
            pass


async def test_a_server_that_ends_while_services_start_is_named_at_once(tmp_path: Path) -> None:
    stack = Stack("unit", directory=tmp_path)
    ended = Child("MongoDB", [sys.executable, "-c", "print('aborting'); raise SystemExit(14)"], tmp_path / "log")
    ended.start()
    stack.owned.append(cast("Server", SimpleNamespace(child=ended)))
    cancelled = []

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    with pytest.raises(CannotStart, match=r"MongoDB ended while the services were starting .*status 14[\s\S]*aborting"):
        await stack._while_servers_run(never())
    assert cancelled == [True]
