"""An evaluation that was stopped is continued: what had ended is not measured again, and only while nothing changed."""

import os
from pathlib import Path

import pytest
from rich.progress import Progress

from tests.evaluation.stages import Stages, folder_of


def process_of(number: int) -> tuple[int, int]:
    return number, os.getpid()


def refuse(number: int) -> int:
    raise ValueError(number)


def stages_in(folder: Path) -> Stages:
    return Stages(Progress(disable=True), folder)


def test_a_stage_that_ended_is_not_measured_again_until_the_run_ends(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first, second = stages_in(folder), stages_in(folder)
    measured = first.run("numbers", [(process_of, (number,)) for number in range(3)], 2)
    assert [number for number, _ in measured] == [0, 1, 2]
    assert second.run("numbers", [(refuse, (number,)) for number in range(3)], 2) == measured
    assert second.seconds == first.seconds > 0
    second.forget()
    assert not folder.exists()


def test_nothing_is_kept_of_a_stage_that_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="7"):
        stages_in(tmp_path).run("numbers", [(refuse, (7,))], 1)
    assert list(tmp_path.iterdir()) == []


def test_another_size_or_other_sets_are_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATASETS_DIR", raising=False)
    without = folder_of("size")
    assert folder_of("size") == without
    assert folder_of("another size") != without
    monkeypatch.setenv("DATASETS_DIR", str(tmp_path))
    assert folder_of("size") != without
