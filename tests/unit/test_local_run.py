"""A second `make run` in the same copy of the project: it is told, and touches nothing of the first one's data."""

from pathlib import Path

import pytest
from rich.console import Console

from deploy.local import run as local_run
from deploy.local.processes import CannotStart
from deploy.local.run import alone_in, run


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
