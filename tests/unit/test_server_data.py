"""The data of the tests' servers are in memory where there is room, and what a killed run left there is deleted."""

import os
import subprocess
import sys
from pathlib import Path

from deploy.local.processes import LOCAL
from tests.support.servers import DATA, server_data


def test_data_are_kept_in_memory_only_if_there_is_room(tmp_path: Path) -> None:
    assert server_data(tmp_path, 1) == tmp_path
    assert server_data(tmp_path, 1 << 60) == LOCAL / "run"
    assert server_data(tmp_path / "missing", 1) == LOCAL / "run"


def test_data_of_a_process_that_has_ended_are_deleted(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    left, used, other = (tmp_path / name for name in (f"{DATA}{ended.pid}", f"{DATA}{os.getpid()}", "other"))
    for directory in (left, used, other):
        (directory / "mongodb").mkdir(parents=True)
    server_data(tmp_path, 1)
    assert sorted(tmp_path.iterdir()) == sorted([used, other])
