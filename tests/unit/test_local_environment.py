"""`make setup`: instant the second time, and plain words when it cannot be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.processes import ROOT

SCRIPT = ROOT / "deploy" / "local" / "environment.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with the script and requirements that need nothing."""
    (tmp_path / "deploy" / "local").mkdir(parents=True)
    (tmp_path / "deploy" / "requirements").mkdir()
    shutil.copy(SCRIPT, tmp_path / "deploy" / "local")
    for kind in ("local", "dev"):
        (tmp_path / "deploy" / "requirements" / f"{kind}.txt").write_text("# nothing\n")
    return tmp_path


def _run(tree: Path, kind: str = "local", **environment: str) -> tuple[int, str]:
    argv = [sys.executable, str(tree / "deploy" / "local" / "environment.py"), kind]
    home = tree / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(home), **environment}
    )
    return done.returncode, done.stdout + done.stderr


def test_the_second_time_does_nothing_until_the_requirements_change(tree: Path) -> None:
    status, said = _run(tree, "dev")
    assert (status, ".venv is ready" in said) == (0, True)
    assert _run(tree, "dev") == (0, "")
    assert _run(tree, "local") == (0, "")  # dev holds all of local
    (tree / "deploy" / "requirements" / "local.txt").write_text("# still nothing\n")
    assert ".venv is ready" in _run(tree, "local")[1]


def test_a_registry_out_of_reach_is_named(tree: Path) -> None:
    (tree / "deploy" / "requirements" / "local.txt").write_text(f"absent==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_FIND_LINKS": "", "PIP_NO_INDEX": ""}
    status, said = _run(tree, **nowhere)
    assert status == 1
    assert "registry is out of reach" in said
    assert "Traceback" not in said


def test_a_python_that_is_too_old_is_named(tree: Path) -> None:
    script = tree / "deploy" / "local" / "environment.py"
    script.write_text(
        script.read_text().replace("OLDEST, NEWEST = (3, 11), (3, 13)", "OLDEST, NEWEST = (9, 1), (9, 2)")
    )
    status, said = _run(tree)
    assert status == 1
    assert f"is Python {sys.version.split()[0]}" in said
    assert "apt install" in said


def test_a_python_without_venv_is_named(tree: Path) -> None:
    script = tree / "deploy" / "local" / "environment.py"
    script.write_text(script.read_text().replace('"-m", "venv", str(VENV)', '"-m", "no_such_venv", str(VENV)'))
    status, said = _run(tree)
    assert status == 1
    assert "apt install python3-venv" in said
    assert not (tree / ".venv").exists()
