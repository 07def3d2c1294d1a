"""What `make run` started is started again when it ends, ever more slowly when it ends again at once."""

import asyncio
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.local.processes import CannotStart, Child
from deploy.local.supervision import Part, keep


class Enough(Exception):
    pass


class Ending:
    """A part whose process ends at once; its pauses are written down, and after so many it is enough."""

    def __init__(self, log: Path, code: str, pauses: int) -> None:
        self.child: Child | None = Child("catalog", [sys.executable, "-c", code], log)
        self.pauses: list[float] = []
        self.messages: list[str] = []
        self._wanted = pauses

    async def start(self) -> None:
        assert self.child is not None
        self.child.start()

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self._wanted:
            raise Enough

    async def kept(self, **options: float) -> None:
        await self.start()
        with pytest.raises(Enough):
            await keep(Part("catalog", self, self.start), self.messages.append, self.pause, **options)


async def test_a_part_that_ends_repeatedly_is_restarted_with_growing_pauses(tmp_path: Path) -> None:
    ending = Ending(tmp_path / "log", "print('no such setting'); raise SystemExit(3)", 9)
    await ending.kept()
    assert ending.pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert ending.messages[0].startswith("catalog ended with status 3. The end of ")
    assert "no such setting\nstarting catalog again in 1 s" in ending.messages[0]
    assert ending.messages[1] == "catalog runs again"


async def test_a_part_that_ran_for_long_is_restarted_at_once(tmp_path: Path) -> None:
    ending = Ending(tmp_path / "log", "", 3)
    await ending.kept(steady=0.0)
    assert ending.pauses == [1, 1, 1]
    assert ending.messages[0].startswith("catalog stopped normally\n")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CannotStart("catalog was not ready.\nIts log"), "catalog was not ready."),
        (OSError(28, "No space left on device"), "The disk is full: free some 2 GB"),
    ],
)
async def test_a_failed_start_is_reported_and_retried(tmp_path: Path, error: Exception, expected: str) -> None:
    ending = Ending(tmp_path / "log", "", 3)

    async def fails() -> None:
        raise error

    await ending.start()
    with pytest.raises(Enough):
        await keep(Part("catalog", ending, fails), ending.messages.append, ending.pause)
    assert ending.pauses == [1, 2, 4]
    assert ending.messages[1].startswith(expected)


async def test_a_killed_process_is_named_with_its_signal(tmp_path: Path) -> None:
    ending = Ending(tmp_path / "log", "import time; print('here', flush=True); time.sleep(600)", 1)
    assert ending.child is not None
    child = ending.child
    kept = asyncio.create_task(ending.kept())
    while "here" not in child.tail():
        await asyncio.sleep(0.02)
    child.kill()
    await kept
    assert ending.messages[0].startswith("catalog ended with signal SIGKILL. The end of ")


async def test_a_part_that_ends_on_a_full_disk_is_reported_with_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.processes.shutil.disk_usage", lambda _: SimpleNamespace(free=4096))
    ending = Ending(tmp_path / "log", "raise SystemExit(14)", 1)
    await ending.kept()
    assert re.match(
        r"The disk of .* is full: free some 500 MB there\.\ncatalog ended with status 14\.", ending.messages[0]
    )
    assert ending.child is not None
    first = str(ending.child.failure("ended before it was ready")).splitlines()[0]
    assert first.startswith(f"The disk of {tmp_path}")
